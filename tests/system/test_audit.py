# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit as a function: what leaves a record and what does not, filters, exports, retention, the head in the journal."""
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as tree

import pytest
from jeepney import DBusAddress, new_method_call

from conftest import BUILD, NAME, PATH, PREFIX, BusError, Rig, wait_until

pytestmark = pytest.mark.slow

NOBODY = 65534
TEST_ONLY = {('Manager', 'QuietHour')}
# What takes options and changes nothing.
READS = {('Manager', 'Status'), ('Manager', 'Verify'), ('Audit', 'Verify'), ('Customers', 'Dashboard'), ('MailTemplates', 'Preview'), ('ReportTemplates', 'Preview'),
         ('Schedules', 'Preview'), ('Schedules', 'Runs')}


def s(**values):
    return {k: ('s', v) for k, v in values.items()}


def methods(rig):
    """(interface, member): signature, of everything that takes options, as the daemon itself tells."""
    message = new_method_call(DBusAddress(PATH, NAME, 'org.freedesktop.DBus.Introspectable'), 'Introspect')
    found = {}
    for i in tree.fromstring(rig.client.connection.send_and_get_reply(message).body[0]).findall('interface'):
        for m in i.findall('method') if i.get('name').startswith(PREFIX) else []:
            inputs = [(a.get('name'), a.get('type')) for a in m.findall('arg') if a.get('direction') == 'in']
            if ('options', 'a{sv}') in inputs:
                found[(i.get('name')[len(PREFIX):], m.get('name'))] = ''.join(t for _, t in inputs)
    return found


def records(rig, request):
    rows, cursor = [], {}
    while True:
        page, cursor_text = rig.call('Audit', 'List', 'a{sv}', {'limit': ('u', 500), **cursor})
        rows += json.loads(page)
        if not cursor_text:
            return [r for r in rows if r['request_id'] == request]
        cursor = {'cursor': ('s', cursor_text)}


def close(body):
    for value in body[1:]:
        if hasattr(value, 'to_raw_fd'):
            os.close(value.to_raw_fd())


class World:
    """Calls, each with its request_id; one recipe for each changing method, in an order in which they can be done."""

    def __init__(self, rig, signatures):
        self.rig, self.signatures, self.done = rig, signatures, {}

    def ask(self, interface, member, *args, options=None, request):
        signature = self.signatures[interface, member]
        body = self.rig.call(interface, member, signature, *args, {**(options or {}), 'request_id': ('s', request)})
        close(body)
        return json.loads(body[0])

    def do(self, interface, member, *args, **options):
        """Done: one record, and it says ok."""
        request = f'ok-{interface}-{member}-{len(self.done)}'
        answer = self.ask(interface, member, *args, options=options, request=request)
        self.done.setdefault((interface, member), []).append(request)
        return answer

    def file(self, data):
        fd = os.memfd_create('audit')
        os.write(fd, data)
        os.lseek(fd, 0, 0)
        return os.fdopen(fd, 'rb+')


def customers(w):
    a = w.do('Customers', 'Onboard', s(organization='A', registered_account='a@x.example', first_name='A', last_name='B', country='DE'))['id']
    b = w.rig.onboard('B', 'b@x.example')
    w.do('Customers', 'Edit', [a], s(phone='1'))
    for member in ('Pin', 'Unpin', 'HideExpired', 'ShowExpired'):
        w.do('Customers', member, [a], {})
    w.do('Customers', 'Mode', [a], s(mode='customer'))
    w.do('Customers', 'Disconnect', b, confirm=('s', 'B'))
    w.do('Customers', 'Reconnect', b)
    with w.file(b'organization,registered_account,first_name,last_name,country\nC,c@x.example,A,B,DE\n') as file:
        w.rig.wait_operation(w.do('Customers', 'Import', file, {})['id'])
    return a, b


def operations(w):
    selector = {'selector': ('s', 'country = DE')}
    edit = w.rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], s(phone='2'), selector)['id']
    w.rig.wait_operation(edit)
    w.rig.wait_operation(w.do('Operations', 'Revert', edit)['id'])
    mode = w.rig.json('Customers', 'Mode', 'asa{sv}a{sv}', [], s(mode='partner'), selector)['id']
    assert w.rig.wait_operation(mode)['refused'] == 1
    w.rig.wait_operation(w.do('Operations', 'Retry', mode)['id'])
    w.do('Operations', 'Export', s(operation=edit, format='csv'))
    w.do('Tasks', 'Pause', '')
    edit = w.rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], s(phone='3'), selector)['id']
    w.do('Operations', 'Cancel', edit)
    task = w.rig.call('Tasks', 'Enqueue', 'as', ['noop'])[0][0]
    w.do('Tasks', 'Cancel', task)
    w.do('Tasks', 'Retry', task)
    w.do('Tasks', 'Resume', '')


def documents(w, customer):
    w.do('Audit', 'Export', s(format='csv'))
    report = w.do('Reports', 'Export', s(kind='customers', format='csv'))['id']
    w.do('Reports', 'Send', report, to=('as', ['noc@x.example']))
    w.do('Reports', 'Generate', customer, template=('s', 'monthly'), format=('s', 'xlsx'))
    w.do('Reports', 'Verify', customer, address=('s', 'a@x.example'))
    w.do('Reports', 'Bounce', 'gone@x.example')
    template = w.do('ReportTemplates', 'Create', {**s(name='mine'), 'sections': ('as', ['facts'])})['id']
    w.do('ReportTemplates', 'Edit', ['mine'], s(language='de'))
    w.do('ReportTemplates', 'Delete', 'mine')
    assert template
    w.do('MailTemplates', 'Create', s(event='report', language='fr', subject='x', body='y'))
    w.do('MailTemplates', 'Edit', ['report'], s(language='fr', subject='z'))
    w.do('MailTemplates', 'Delete', 'report', language=('s', 'fr'))
    schedule = w.do('Schedules', 'Create', {**s(export='customers', frequency='weekly', format='csv'), 'recipients': ('as', ['a@y.example'])})['id']
    w.do('Schedules', 'Edit', [schedule], s(at='13:00'))
    w.do('Schedules', 'Pause', schedule)
    w.do('Schedules', 'Resume', schedule)
    w.do('Schedules', 'Run', schedule)
    w.do('Schedules', 'Delete', schedule)
    w.do('Views', 'Save', s(name='v', selector='country = DE'))
    w.do('Views', 'Edit', ['v'], s(sort='-organization'))
    w.do('Views', 'Delete', 'v')
    w.do('Partner', 'Set', '', name=('s', 'MSP'))


def access(w):
    w.do('Access', 'Create', {**s(name='r'), 'verbs': ('as', ['operation.*'])})
    w.do('Access', 'Edit', ['r'], {'verbs': ('as', ['operation.*', '*.list'])})
    w.do('Access', 'Grant', 'r', who=('s', 'user:nobody'))
    w.do('Access', 'CreateGroup', s(name='g', selector='country = DE'))
    w.do('Access', 'EditGroup', ['g'], s(selector='country = FR'))
    w.do('Access', 'DeleteGroup', 'g')
    # A verb that two people are needed for; the second one is nobody.
    w.rig.json('Views', 'Save', 'a{sv}a{sv}', s(name='held', selector='country = DE'), {})
    held = w.rig.json('Operations', 'List', 'a{sv}', {'selector': ('s', 'state = pending-approval')})
    request = 'ok-approve'
    out = w.rig.ctl('operation', 'approve', held[0]['id'], '--request-id', request, uid=NOBODY)
    assert out.returncode == 0, out.stderr
    w.done['Operations', 'Approve'] = [request]
    w.do('Access', 'Revoke', 'r', who=('s', 'user:nobody'))
    w.do('Access', 'Delete', 'r')


def manager(w):
    w.do('Manager', 'LogLevel', '', level=('s', 'info'))
    w.do('Manager', 'Reload', '')
    w.do('Manager', 'RotateKey', '')
    assert w.rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    with w.file(b'') as file:
        w.do('Manager', 'Backup', file, {})
        w.do('Manager', 'TestMail', 'noc@x.example')
        wait_until('the mails', lambda: list((w.rig.state / 'outbox-mail').glob('*.eml')))


def offline(rig, *statements):
    """What a test cannot make happen is written while no daemon runs."""
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    for statement, *values in statements:
        db.execute(statement, values)
    db.commit()
    db.close()
    rig.start()


def unlikely(w):
    """A dead message; a clock that is far ahead; a restore, at the very end."""
    year = (time.time() - 365 * 86400) * 1e6
    offline(w.rig, ["UPDATE message SET state = 'dead', sealed = NULL, body = 'x'"],
            ["INSERT INTO audit SELECT n + 1, format, ?, uid, user, behalf, verb, object, outcome, code, NULL, operation, digest, chain FROM audit"
             " ORDER BY n DESC LIMIT 1", int(year)])
    message = json.loads(w.rig.call('Messages', 'List', 'a{sv}', {'selector': ('s', 'event = test')})[0])[0]['id']
    assert w.rig.json('Manager', 'Status', 'sa{sv}', '', {})['clock_held']
    w.do('Manager', 'AcceptClock', '')
    w.do('Messages', 'Replay', message)


def check_done(w):
    for (interface, member), requests in w.done.items():
        for request in requests:
            found = records(w.rig, request)
            assert len(found) == 1, f'{interface}.{member} left {len(found)} records'
            assert found[0]['outcome'] == 'ok' and found[0]['code'] is None, found


@pytest.mark.skipif(os.geteuid() != 0, reason='needs root to be somebody else')
def test_every_changing_method_leaves_one_record_when_done(folder, bus):
    subprocess.run(['chmod', '-R', 'a+rX', BUILD], check=False)
    rig = Rig(folder, bus, '[admin]\ntwo_person = view.save\n')
    rig.start()
    signatures = methods(rig)
    rig.stop()
    rig.config.write_text('')
    rig.start()
    w = World(rig, signatures)
    a, _ = customers(w)
    operations(w)
    documents(w, a)
    rig.stop()
    rig.config.write_text('[admin]\ntwo_person = view.save\n')
    rig.start()
    access(w)
    manager(w)
    check_done(w)
    unlikely(w)
    expected = set(signatures) - READS - TEST_ONLY
    assert set(w.done) == expected - {('Manager', 'Restore')}, set(w.done) ^ expected
    check_done(w)
    rig.stop()


def test_a_restore_leaves_one_record_in_what_is_there_afterwards(rig):
    w = World(rig, methods(rig))
    with w.file(b'') as file:
        w.do('Manager', 'Backup', file, {})
        file.seek(0)
        w.do('Manager', 'Restore', file, {})
    wait_until('the restored database', lambda: epoch(rig) == 2)
    assert [len(records(rig, r)) for r in w.done['Manager', 'Restore']] == [1]
    assert records(rig, w.done['Manager', 'Restore'][0])[0]['outcome'] == 'ok'


def epoch(rig):
    try:
        return rig.json('Manager', 'Status', 'sa{sv}', '', {})['epoch']
    except (BusError, OSError, ConnectionError):
        return None


PLAIN = {'s': '', 'a{sv}': {}, 'as': []}


def arguments(signature, file):
    """Empty ones; the options are the caller's."""
    found = re.findall(r'as|a\{sv\}|s|h', signature)
    return [file if t == 'h' else PLAIN[t] for t in found[:-1]]


def test_every_changing_method_leaves_one_record_when_refused(rig):
    """An option that is not there, one of a wrong type, and what belongs to nothing."""
    signatures = methods(rig)
    for (interface, member), signature in sorted(signatures.items()):
        for name, bad in (('nonsense', {'nonsense': ('s', 'x')}), ('type', {'dry_run': ('s', 'yes')}), ('revision', {'revision': ('s', 'x')})):
            request = f'no-{interface}-{member}-{name}'
            with open('/dev/null', 'rb+') as file, pytest.raises(BusError) as e:
                close(rig.call(interface, member, signature, *arguments(signature, file), {**bad, 'request_id': ('s', request)}))
            found = records(rig, request)
            if (interface, member) in READS:
                assert found == []
                continue
            assert len(found) == 1, f'{interface}.{member} with a wrong {name} left {len(found)} records: {e.value}'
            assert found[0]['outcome'] == 'refused' and found[0]['code'] == e.value.code and found[0]['before'] is found[0]['after'] is None
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


# ---- filters and exports ----

def ctl(rig, *words):
    out = rig.ctl('audit', *words)
    assert out.returncode == 0, out.stderr
    return out.stdout


def listed(rig, *words):
    return json.loads(ctl(rig, 'list', *words, '--json'))


@pytest.fixture
def busy(rig):
    a = rig.onboard('A', 'a@x.example')
    rig.onboard('B', 'b@x.example')
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', ['A'], s(phone='1'), {})
    with pytest.raises(BusError):
        rig.json('Customers', 'Edit', 'asa{sv}a{sv}', ['A'], s(country='XX'), {})
    rig.json('Partner', 'Set', 'sa{sv}', '', s(name='MSP'))
    rig.a = a
    return rig


def test_filters(busy):
    everything = listed(busy)
    assert [r['n'] for r in everything] == [5, 4, 3, 2, 1] or [r['n'] for r in everything] == [1, 2, 3, 4, 5]

    def numbers(*words):
        return sorted(r['n'] for r in listed(busy, *words))
    assert numbers('--verb', 'customer.edit') == [3, 4]
    assert numbers('--verb', 'customer.edit,partner.set') == [3, 4, 5]
    assert numbers('--outcome', 'refused') == [4]
    assert numbers('--customer', 'A') == numbers('--customer', busy.a) and 1 in numbers('--customer', 'A') and 2 not in numbers('--customer', 'A')
    name = everything[0]['actor']['name']
    assert numbers('--actor', name) == [1, 2, 3, 4, 5] and numbers('--actor', 'system') == []
    assert numbers('--since', '1d') == [1, 2, 3, 4, 5] and numbers('--until', '1d') == [] and numbers('--since', '2199-01-01') == []
    assert numbers('--until', '2199-01-01', '--since', '2020-01-01', '--verb', 'customer.onboard', '--outcome', 'ok') == [1, 2]
    wrong = busy.ctl('audit', 'list', '--outcome', 'nonsense')
    assert wrong.returncode == 2 and 'refused' in wrong.stderr
    assert busy.ctl('audit', 'list', '--since', 'tomorrowish').returncode == 2


def test_exports(busy):
    for name in ('a.csv', 'a.json', 'a.xlsx', 'a.pdf'):
        ctl(busy, 'export', '--output', busy.folder / name)
    rows = list(csv.DictReader(io.StringIO((busy.folder / 'a.csv').read_text(encoding='utf-8-sig'))))
    assert sorted(int(r['n']) for r in rows)[:5] == [1, 2, 3, 4, 5] and {'time', 'actor', 'verb', 'object', 'outcome', 'code', 'before', 'after', 'request_id', 'hash'} <= set(rows[0])
    told = {r['n']: r for r in json.loads((busy.folder / 'a.json').read_text())}
    assert told[3]['verb'] == 'customer.edit' and told[4]['code']
    assert (busy.folder / 'a.xlsx').read_bytes()[:2] == b'PK' and (busy.folder / 'a.pdf').read_bytes()[:4] == b'%PDF'
    ctl(busy, 'export', '--format', 'json', '--output', busy.folder / 'b', '--verb', 'customer.edit', '--outcome', 'refused', '--since', '1d')
    assert [r['n'] for r in json.loads((busy.folder / 'b').read_text())] == [4]
    ctl(busy, 'export', '--format', 'json', '--output', busy.folder / 'c', '--customer', 'B')
    assert [r['n'] for r in json.loads((busy.folder / 'c').read_text())] == [2]


# ---- the night ----

def night(rig):
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('its end', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['last_backup'])


def test_what_is_old_goes_behind_a_checkpoint(folder, bus):
    rig = Rig(folder, bus, '[keep]\naudit_days = 1\n').start()
    for i in range(30):
        rig.onboard(f'C{i}', f'c{i}@x.example')
    night(rig)
    assert json.loads(rig.ctl('audit', 'verify', '--json').stdout)['expired'] == 0
    rig.stop()
    # Two days later.
    rig.start(TENANTD_CLOCK_AHEAD='172800')
    night(rig)
    wait_until('the records to go', lambda: json.loads(rig.ctl('audit', 'verify', '--json').stdout)['expired'])
    verdict = json.loads(rig.ctl('audit', 'verify', '--json').stdout)
    assert verdict['state'] == 'intact' and verdict['expired'] >= 30 and verdict['checkpoints'] >= 1
    rig.onboard('Later', 'later@x.example')
    rows = listed(rig)
    assert 'Later' in json.dumps(rows) and 1 not in [r['n'] for r in rows] and len(rows) < 10
    backup = rig.json('Manager', 'Status', 'sa{sv}', '', {})['last_backup']['path']
    assert rig.ctl('admin', 'verify', backup).returncode == 0
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    assert db.execute('SELECT count(*) FROM audit_value WHERE audit <= (SELECT max(n) FROM audit_checkpoint)').fetchone() == (0,)
    db.execute('DROP TRIGGER audit_checkpoint_kept')
    db.execute('DELETE FROM audit_checkpoint')
    db.commit()
    db.close()
    rig.start()
    out = rig.ctl('audit', 'verify')
    assert out.returncode == 1 and 'chain-broken' in out.stderr and 'audit record 1 ' in out.stderr
    rig.stop()


def test_what_is_cut_off_is_seen_even_after_more_was_written(folder, bus):
    rig = Rig(folder, bus).start()
    for i in range(5):
        rig.onboard(f'C{i}', f'c{i}@x.example')
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    with pytest.raises(sqlite3.IntegrityError):
        db.execute('DELETE FROM audit WHERE n = 5')
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE audit SET user = 'somebody else' WHERE n = 5")
    for trigger in ('audit_kept', 'audit_value_kept'):
        db.execute(f'DROP TRIGGER {trigger}')
    db.execute('DELETE FROM audit WHERE n > 3')
    db.execute('DELETE FROM audit_value WHERE audit > 3')
    db.commit()
    db.close()
    rig.start()
    for name in ('Later', 'Later still', 'And later'):
        out = rig.ctl('audit', 'verify')
        assert out.returncode == 1 and 'chain-broken' in out.stderr, out
        rig.onboard(name, f'{name.replace(" ", "")}@x.example')
    assert 'are not what was written' in rig.log.read_text()
    rig.stop()


def test_an_audit_that_is_emptied_is_no_new_one(folder, bus):
    rig = Rig(folder, bus).start()
    rig.onboard('C', 'c@x.example')
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'audit%'").fetchall()
    for name, _ in triggers:
        db.execute(f'DROP TRIGGER {name}')
    for table in ('audit', 'audit_value', 'audit_checkpoint', 'audit_head'):
        db.execute(f'DELETE FROM {table}')
    for _, sql in triggers:
        db.execute(sql)
    db.commit()
    db.close()
    rig.start()
    for name in ('Later', 'Later still'):
        assert (out := rig.ctl('audit', 'verify')).returncode == 1 and 'chain-broken' in out.stderr, out
        rig.onboard(name, f'{name.replace(" ", "")}@x.example')
    rig.stop()


def test_values_go_by_an_erasure_alone(folder, bus):
    """Not while a customer is on its way out either, and what the erasure took stays told from what somebody else took."""
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    stays = rig.onboard('Stays', 's@x.example')
    rig.onboard('Goes', 'g@x.example')
    rig.call('Customers', 'Disconnect', 'sa{sv}', 'Goes', {'confirm': ('s', 'Goes')})
    wait_until('the erasure', lambda: rig.json('Customers', 'List', 'a{sv}', {'selector': ('s', 'organization = Goes')}) == [])
    verify = lambda: json.loads(rig.ctl('audit', 'verify', '--json').stdout or '{}')
    assert verify()['state'] == 'intact' and verify()['erased'] >= 2
    rig.call('Manager', 'RotateKey', 'sa{sv}', '', {})
    assert verify()['state'] == 'intact' and verify()['erased'] >= 2
    assert {r['object']: r['after'] for r in listed(rig) if r['verb'] == 'customer.onboard'}[stays]['organization'] == 'Stays'
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    db.execute('UPDATE customer SET erase_after = 1')
    n, = db.execute('SELECT audit FROM audit_value WHERE customer IS NOT NULL').fetchone()
    with pytest.raises(sqlite3.IntegrityError):
        db.execute('DELETE FROM audit_value WHERE audit = ?', (n,))
    db.rollback()
    # As an erasure does it, without the key.
    db.execute('UPDATE audit_value SET customer = NULL, salt = (SELECT salt FROM audit_value WHERE before IS NULL AND after IS NULL), before = NULL, after = NULL'
               ' WHERE audit = ?', (n,))
    db.commit()
    db.close()
    rig.start()
    out = rig.ctl('audit', 'verify')
    assert out.returncode == 1 and f'audit record {n} ' in out.stderr, out
    rig.stop()


def test_the_head_goes_to_the_log_every_night(rig):
    rig.onboard('One', 'one@x.example')
    night(rig)
    told = re.findall(r'the newest audit record is (\d+), with the hash ([0-9a-f]{64})', rig.log.read_text())
    rows = {r['n']: r['hash'] for r in listed(rig)}
    assert told and rows[int(told[-1][0])] == told[-1][1]
