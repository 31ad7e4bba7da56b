# SPDX-License-Identifier: LGPL-2.1-or-later
"""The end of a customer: grace, reconnect, erasure."""
import json
import os
import socket
import sqlite3

import pytest

from conftest import BusError, Rig, wait_until


def test_disconnect_needs_the_exact_name_and_can_be_undone(rig):
    identity = rig.onboard('Contoso GmbH', 'a@x.example')
    for options, kind, code in (({}, 'InvalidArgument', 'missing'), ({'confirm': ('s', 'contoso gmbh')}, 'Refused', 'name-differs')):
        with pytest.raises(BusError) as e:
            rig.json('Customers', 'Disconnect', 'sa{sv}', identity, options)
        assert (e.value.kind, e.value.code) == (kind, code)
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'deliveries.service_reports.enabled': ('b', True),
                                                              'deliveries.service_reports.recipients': ('as', ['c@x.example'])}, {})
    answer = rig.json('Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', ' Contoso GmbH ')})
    assert answer['erase_after'] and rig.customer(identity)['state'] == 'disconnecting'
    assert rig.customer(identity)['deliveries.service_reports.enabled'] is False
    rig.json('Customers', 'Reconnect', 'sa{sv}', identity, {})
    shown = rig.customer(identity)
    assert shown['state'] == 'active' and shown['deliveries.service_reports.enabled'] is True


MARKERS = ('MarkOrg', 'markacct', 'MarkFirst', 'MarkLast', 'MarkPhone', 'marktag', 'MarkName', 'MarkValue', 'markmail', 'markrecip')


def plant(rig, i):
    fields = {
        'organization': ('s', f'MarkOrg {i}'), 'registered_account': ('s', f'markacct{i}@x.example'), 'first_name': ('s', 'MarkFirst'),
        'last_name': ('s', 'MarkLast'), 'country': ('s', 'DE'), 'phone': ('s', 'MarkPhone'), 'tags': ('as', ['marktag']),
        'custom': ('a{ss}', {'MarkName': 'MarkValue'}), 'contacts': ('aa{ss}', [{'address': 'markmail@x.example', 'role': 'billing', 'name': 'MarkName'}]),
        'deliveries.service_reports.recipients': ('as', ['markrecip@x.example'])}
    return rig.json('Customers', 'Onboard', 'a{sv}a{sv}', fields, {})['id']


@pytest.mark.parametrize('count', [20, pytest.param(2000, marks=pytest.mark.slow)])
def test_nothing_of_an_erased_customer_is_left(folder, bus, count):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    kept = rig.onboard('Kept', 'kept@x.example')
    ids = [plant(rig, i) for i in range(count)]
    bulk = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'language': ('s', 'de')}, {'selector': ('s', 'country = DE and not organization = Kept')})
    assert rig.wait_operation(bulk['id'])['ok'] == count
    for i, identity in enumerate(ids):
        rig.json('Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', f'MarkOrg {i}')})
    wait_until('the erasure', lambda: len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == 1, 600)
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the quiet hour', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['erasures_open'] == 0, 120)
    wait_until('its backup', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['last_backup'])
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    assert rig.customer(kept)['organization'] == 'Kept'
    hits = [(path.name, marker) for path in rig.state.rglob('*') if path.is_file() for marker in MARKERS if marker.encode() in path.read_bytes()]
    assert hits == []
    rig.stop()
    hits = [(path.name, marker) for path in rig.state.rglob('*') if path.is_file() for marker in MARKERS if marker.encode() in path.read_bytes()]
    assert hits == []


def schedule(rig, *recipients, **more):
    fields = {'export': ('s', 'customers'), 'frequency': ('s', 'daily'), 'start': ('s', '2099-01-01'), 'recipients': ('as', list(recipients)), **more}
    return rig.json('Schedules', 'Create', 'a{sv}a{sv}', fields, {})['id']


def test_schedules_forget_the_addresses_of_an_erased_customer(folder, bus):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    kept = rig.onboard('Kept', 'kept@x.example')
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [kept], {'contacts': ('aa{ss}', [{'address': 'both@x.example', 'role': 'technical'}])}, {})
    rig.json('Partner', 'Set', 'sa{sv}', '', {'account': ('s', 'us@msp.example')})
    gone = plant(rig, 0)
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [gone], {'deliveries.billing.recipients': ('as', ['markrecip@x.example', 'KEPT@x.example', 'us@msp.example'])}, {})
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [gone], {'contacts': ('aa{ss}', [{'address': 'markmail@x.example', 'role': 'billing'},
                                                                                   {'address': 'both@x.example', 'role': 'billing'}])}, {})
    of_all = schedule(rig, 'Markacct0@x.example', 'kept@x.example', 'us@msp.example', 'MARKRECIP@x.example', 'both@x.example', 'markmail@x.example', 'other@x.example')
    alone = schedule(rig, 'markacct0@X.example')
    untouched = schedule(rig, 'other@x.example')
    rig.json('Customers', 'Disconnect', 'sa{sv}', gone, {'confirm': ('s', 'MarkOrg 0')})
    wait_until('the erasure', lambda: len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == 1)
    row = rig.json('Schedules', 'Describe', 's', of_all)
    assert row['recipients'] == ['kept@x.example', 'us@msp.example', 'both@x.example', 'other@x.example'] and row['state'] == 'active' and row['revision'] > 1
    row = rig.json('Schedules', 'Describe', 's', alone)
    assert (row['recipients'], row['state'], row['next_due']) == ([], 'paused', None) and row['reason'].startswith('no-recipients: ')
    assert rig.json('Schedules', 'Describe', 's', untouched)['revision'] == 1
    for verb in ('Resume', 'Run'):
        with pytest.raises(BusError) as e:
            rig.json('Schedules', verb, 'sa{sv}', alone, {})
        assert (e.value.kind, e.value.code) == ('InvalidArgument', 'missing')
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the quiet hour', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['erasures_open'] == 0, 120)
    wait_until('its backup', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['last_backup'])      # whose file has another name until then
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    markers = [marker.lower().encode() for marker in MARKERS]
    hits = [(path.name, marker) for path in rig.state.rglob('*') if path.is_file() for marker in markers if marker in path.read_bytes().lower()]
    assert hits == []
    rig.json('Schedules', 'Edit', 'asa{sv}a{sv}', [alone], {'recipients': ('as', ['other@x.example'])}, {})
    rig.json('Schedules', 'Resume', 'sa{sv}', alone, {})
    assert rig.json('Schedules', 'Describe', 's', alone)['state'] == 'active'
    rig.stop()


def test_what_a_customers_schedules_were_is_erased_with_it(folder, bus):
    """Also of one that was paused, let go of the customer, or is deleted: no schedule tells any more whose it was."""
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    gone = plant(rig, 0)
    deleted, freed = (schedule(rig, 'markrecip@x.example', export=('s', 'jobs'), customer=('s', gone)) for _ in range(2))
    for verb in ('Pause', 'Resume', 'Delete'):
        rig.json('Schedules', verb, 'sa{sv}', deleted, {})
    rig.json('Schedules', 'Edit', 'asa{sv}a{sv}', [freed], {'export': ('s', 'customers'), 'recipients': ('as', ['other@x.example']), 'clear': ('as', ['customer'])}, {})
    rig.json('Customers', 'Disconnect', 'sa{sv}', gone, {'confirm': ('s', 'MarkOrg 0')})
    wait_until('the erasure', lambda: json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0]) == [])
    told = [(r['verb'], r['before'], r['after']) for r in json.loads(rig.call('Audit', 'List', 'a{sv}', {})[0]) if 'markrecip' in json.dumps(r)]
    assert told == []
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


def test_what_is_past_its_time_is_gone_after_one_night(rig):
    """More than one lot of everything: it must not take as many nights."""
    rig.onboard('Kept', 'kept@x.example')
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    reports = [f'reports/{i:032x}.csv' for i in range(700)]
    for path in reports:
        (rig.state / path).write_text('x')
    with db:
        db.executemany("INSERT INTO request VALUES(0, '', 'customer.edit', ?, 1, zeroblob(32), 1, NULL, NULL, NULL, '{}')", [(f'r{i}',) for i in range(1300)])
        db.executemany("INSERT INTO task(n, id, kind, state, lane, due, created, finished, owner, format, arguments) VALUES(?, randomblob(16), 'export', 'done', 'people', 1, 1, 1, 0, 1, '{}')",
                       [(i + 1,) for i in range(1300)])
        db.executemany("INSERT INTO operation(n, id, kind, state, uid, user, created, finished, format, arguments) VALUES(?, randomblob(16), 'customer.edit', 'finished', 0, 'root', 1, 1, 1, '{}')",
                       [(i + 1,) for i in range(3)])
        db.executemany("INSERT INTO operation_item(operation, n, outcome) VALUES(?, ?, 'ok')", [(i % 3 + 1, i + 1) for i in range(4000)])
        db.executemany("INSERT INTO report(n, id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, owner) VALUES(?, randomblob(16), 'customers', 'csv', 'x', ?, 0, 0, zeroblob(32), 'd', 1, 0)",
                       [(i + 1, path) for i, path in enumerate(reports)])
    db.close()
    rig.start()
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the end of the reports', lambda: os.listdir(rig.state / 'reports') == [])
    for interface in ('Tasks', 'Operations', 'Reports'):
        wait_until(f'the end of the {interface}', lambda: json.loads(rig.call(interface, 'List', 'a{sv}', {'limit': ('u', 1)})[0]) == [])
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    assert [db.execute(f'SELECT count(*) FROM {table}').fetchone()[0] for table in ('request', 'operation_item', 'customer')] == [0, 0, 1]
    db.close()
    rig.start()


def test_the_watchdog_waits_for_the_rewrite(folder, bus):
    """No turn ends meanwhile: systemd would kill a daemon whose database takes longer than WatchdogSec."""
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n')
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(folder / 'notify'))
    told.settimeout(30)
    rig.start(NOTIFY_SOCKET=str(folder / 'notify'), WATCHDOG_USEC='180000000')
    identity = plant(rig, 0)
    rig.json('Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', 'MarkOrg 0')})
    wait_until('the erasure', lambda: json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0]) == [])
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    waits = []
    # A start says the usual one, too: what it is may be left of the process before.
    while len(waits) < 2 or waits[-1] != 180000000 or max(waits) == 180000000:
        waits += [int(line.split('=')[1]) for line in told.recv(4096).decode().splitlines() if line.startswith('WATCHDOG_USEC=')]
    assert waits[-2] > 180000000
    rig.stop()
