# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tenantctl makes of answers that are hostile, broken, old or missing."""
import json
import subprocess

import pytest

from conftest import BUILD, PREFIX, wait_until
from fake_tenantd import FakeDaemon, FakeError, fake

HOSTILE = 'a\x1b[2Jb\x9bc\x7f\u202ed\u2028e\n|\tf\\"'
ESCAPED = 'a\\x1b[2Jb\\x9bc\\x7f\\u{202e}d\\u{2028}e\\x0a|\\x09f\\"'


def ctl(fake, *words, **keywords):
    return subprocess.run([BUILD / 'tenantctl', f'--bus={fake.address}', *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **keywords)


def error(kind, message):
    return FakeError(f'{PREFIX}Error.{kind}', message)


def test_a_reports_recipients_stand_with_what_became_of_each(fake):
    sent = [{'address': 'a@x.example', 'state': 'sent', 'reason': None}, {'address': 'b@x.example', 'state': 'failed', 'reason': 'no more tries\n'}]
    fake(Reports_List=('ss', (json.dumps([{'recipients': sent}, {'recipients': []}]), '')))
    assert ctl(fake, 'report', 'list', '--columns', 'recipients', '--no-legend').stdout == 'a@x.example (sent); b@x.example (failed: no more tries\\x0a)\n-\n'


def test_hostile_text_stays_in_its_line_and_off_the_terminal(fake):
    row = {'id': '1', 'organization': HOSTILE, 'tags': [HOSTILE], 'custom': {HOSTILE: HOSTILE}, 'created': HOSTILE}
    fake(Customers_List=('ss', (json.dumps([row], ensure_ascii=False), '')), Customers_Describe=('s', (json.dumps(row, ensure_ascii=False),)))
    shown = ctl(fake, 'customer', 'show', 'x')
    assert shown.returncode == 0 and f'organization  {ESCAPED}\n' in shown.stdout and f'custom        {ESCAPED}={ESCAPED}\n' in shown.stdout
    listed = ctl(fake, 'customer', 'list', '--columns', 'organization,tags,created')
    assert listed.stdout.count('\n') == 2 and ESCAPED in listed.stdout
    for text in (shown.stdout, listed.stdout, ctl(fake, 'customer', 'list', '--json').stdout, ctl(fake, 'customer', 'show', 'x', '--json=pretty').stdout):
        assert not set(text) & set('\x1b\x9b\x7f\u202e\u2028\t')
    assert json.loads(ctl(fake, 'customer', 'list', '--json').stdout) == [row]
    assert json.loads(ctl(fake, 'customer', 'show', 'x', '--json=pretty').stdout) == row


def test_errors_are_read_with_field_and_candidates(fake):
    fake(Customers_Describe=error('NotFound', 'no-such-customer: no customer matches "x\x1b"\nfield: id\ncandidates: A\x1b\tB B\tC'))
    r = ctl(fake, 'customer', 'show', 'x')
    assert r.returncode == 3 and '\x1b' not in r.stderr
    assert r.stderr.splitlines() == ['tenantctl: no-such-customer: no customer matches "x\\x1b"', '  did you mean "A\\x1b", "B B" or "C"?']
    e = json.loads(ctl(fake, 'customer', 'show', 'x', '--json').stderr)['error']
    assert e == {'code': 'no-such-customer', 'message': 'no customer matches "x\\x1b"', 'field': 'id', 'candidates': ['A\\x1b', 'B B', 'C']}


@pytest.mark.parametrize('kind, exit', [
    ('InvalidArgument', 2), ('Ambiguous', 2), ('NotFound', 3), ('NotAuthorized', 4), ('Exists', 5), ('Conflict', 5), ('Refused', 5), ('LimitExceeded', 5),
    ('Busy', 1), ('ReadOnly', 1), ('Unavailable', 1), ('Failed', 1), ('SomethingNew', 1),
])
def test_exit_codes(fake, kind, exit):
    fake(Customers_Describe=error(kind, 'some-code: a sentence'))
    r = ctl(fake, 'customer', 'show', 'x')
    assert r.returncode == exit and r.stdout == '' and r.stderr == 'tenantctl: some-code: a sentence\n'


def test_an_older_daemon_is_told_from_a_broken_one(fake):
    fake()
    r = ctl(fake, 'customer', 'show', 'x')
    assert r.returncode == 1 and 'older' in r.stderr


def test_a_daemon_without_query_and_count_is_paged(fake):
    def page(query):
        start = int(query.get('cursor', ('s', '0'))[1])
        rows = [{'organization': f'C{i}'} for i in range(start, min(start + 500, 1100))]
        return 'ss', (json.dumps(rows), str(start + 500) if start + 500 < 1100 else '')
    daemon = fake(Customers_List=page)
    rows = json.loads(ctl(fake, 'customer', 'list', '--json').stdout)
    assert [r['organization'] for r in rows] == [f'C{i}' for i in range(1100)]
    assert [q['limit'] for n, (q, *rest) in daemon.calls if n == 'Customers.List'] == [('u', 500)] * 3
    text = ctl(fake, 'customer', 'list', '--tag', 'x', '--columns', 'organization').stdout
    assert text.splitlines()[0] == 'customers with tag = x: 1,100' and text.count('\n') == 1102


def test_pages_that_end_early_still_make_as_many_rows_as_were_asked_for(fake):
    """A page ends at 16 MiB, however many rows it was to have."""
    def page(query):
        start, limit = int(query.get('cursor', ('s', '0'))[1]), query['limit'][1]
        end = start + min(limit, 200)
        return 'ss', (json.dumps([{'organization': f'C{i}', 'tags': ['a', '[{"']} for i in range(start, end)]), str(end))
    daemon = fake(Customers_List=page)
    rows = json.loads(ctl(fake, 'customer', 'list', '--json', '--limit', '500').stdout)
    assert [r['organization'] for r in rows] == [f'C{i}' for i in range(500)]
    assert [q['limit'] for n, (q, *rest) in daemon.calls if n == 'Customers.List'] == [('u', 500), ('u', 300), ('u', 100)]


@pytest.mark.parametrize('answer', ['', 'no json', '[]', '{"a":', '"text"'])
def test_answers_that_are_no_object_are_refused(fake, answer):
    fake(Customers_Onboard=('s', (answer,)), Customers_Describe=('s', (answer,)))
    for words in (['customer', 'show', 'x'], ['customer', 'onboard', '--organization', 'x'], ['customer', 'onboard', '--organization', 'x', '--json']):
        r = ctl(fake, *words)
        assert r.returncode == 1 and r.stdout == '' and 'JSON' in r.stderr


def test_a_zone_that_is_not_here_gives_utc_and_a_warning(fake):
    for zone in ('Mars/Olympus', '../../etc/passwd', '/etc/passwd', ''):
        daemon = fake(Partner_Describe=('s', (json.dumps({'time_zone': zone}),)), Customers_Describe=('s', ('{"created":"2026-12-01T12:00:00Z"}',)))
        r = ctl(fake, 'customer', 'show', 'x')
        assert r.returncode == 0 and '2026-12-01 12:00:00 UTC' in r.stdout and 'UTC' in (r.stderr or 'UTC')
        daemon.stop()


def test_zones_with_summer_time(fake):
    fake(Partner_Describe=('s', ('{"time_zone":"Europe/Berlin"}',)), Customers_List=('ss', ('[{"created":"2026-07-01T12:00:00Z"},{"created":"2026-12-01T12:00:00Z"},{"created":null}]', '')))
    lines = ctl(fake, 'customer', 'list', '--columns', 'created', '--no-legend').stdout.splitlines()
    assert [x.strip() for x in lines] == ['2026-07-01 14:00:00 CEST', '2026-12-01 13:00:00 CET', '-']


def test_every_change_has_a_request_id_of_its_own_and_reads_have_none(fake):
    daemon = fake(Customers_Edit=('s', ('{"id":"1","revision":2}',)), Customers_Describe=('s', ('{}',)))
    for _ in range(2):
        assert ctl(fake, 'customer', 'edit', 'x', '--phone', '1').returncode == 0
    assert ctl(fake, 'customer', 'edit', 'x', '--phone', '1', '--request-id', 'mine', '--revision', '7').returncode == 0
    options = [body[2] for name, body in daemon.calls if name == 'Customers.Edit']
    ids = [o['request_id'][1] for o in options]
    assert len(set(ids)) == 3 and ids[2] == 'mine' and all(len(i) == 32 for i in ids[:2]) and options[2]['revision'] == ('t', 7)


def test_an_operation_that_waits_for_an_approval_is_printed_and_not_waited_for(fake):
    fake(Customers_Pin=('s', ('{"id":"1","kind":"customer.pin","state":"pending-approval","done":0,"total":2}',)))
    r = ctl(fake, 'customer', 'pin', 'a', 'b')
    assert r.returncode == 0 and 'pending-approval' in r.stdout


def test_a_lost_reply_is_asked_for_again_once_with_the_same_request(fake):
    seen = []

    def die_once(ids, fields, options):
        seen.append((ids, fields, options))
        if len(seen) == 1:
            return None
        return 's', ('{"id":"1","revision":2}',)
    first = FakeDaemon(fake.address, {'Customers.Edit': die_once})
    p = subprocess.Popen([BUILD / 'tenantctl', f'--bus={fake.address}', 'customer', 'edit', 'x', '--phone', '1', '--json'], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    wait_until('the call', lambda: seen)
    first.stop()
    fake(Customers_Edit=die_once)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0 and err == '' and json.loads(out)['revision'] == 2
    assert len(seen) == 2 and seen[0] == seen[1] and seen[0][2]['request_id']


@pytest.mark.parametrize('name, message, said', [
    # What dbus-daemon says when systemd has started the service in vain, and when it would not.
    ('org.freedesktop.DBus.Error.TimedOut', "Failed to activate service 'org.tenantd.Tenant1': timed out", 'systemctl status tenantd'),
    ('org.freedesktop.systemd1.UnitMasked', 'Unit tenantd.service is masked.', 'Unit tenantd.service is masked.')])
def test_a_daemon_that_does_not_come_up_is_6(fake, name, message, said):
    fake(Customers_Describe=FakeError(name, message))
    r = ctl(fake, 'customer', 'show', 'x')
    assert (r.returncode, r.stdout) == (6, '') and said in r.stderr


@pytest.mark.slow
def test_a_daemon_that_dies_and_stays_away_is_6_and_names_the_request(fake):
    daemon = None

    def die(*body):
        daemon.stopping = True
        daemon.connection.close()
    daemon = FakeDaemon(fake.address, {'Customers.Edit': die})
    r = ctl(fake, 'customer', 'edit', 'x', '--phone', '1', '--request-id', 'mine')
    assert r.returncode == 6 and '--request-id mine' in r.stderr and 'not known' in r.stderr
