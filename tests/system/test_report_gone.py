# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is left of reports and their mails when a customer is erased, and when a report is kept no longer."""
import sqlite3
import threading

import pytest

from conftest import Rig, wait_until
from relay import Relay
from test_report_mail import codes, generate, mails, quiet, recipients
from test_schedule import age, create, ok


def test_an_erasure_leaves_nothing_of_its_reports_and_mails(folder, bus):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    marks = ('MarkOrg', 'markacct', 'markrecip', 'markmail')
    customer = rig.onboard('MarkOrg', 'markacct@contoso.example')
    ok(rig, 'customer', 'edit', customer, '--service-reports', 'on', '--service-recipients', 'markrecip@contoso.example')
    ok(rig, 'report', 'verify', customer, 'markrecip@contoso.example')
    ok(rig, 'report', 'verify', customer, 'markrecip@contoso.example', codes(rig, 'markrecip@contoso.example')[0], '--request-id', 'one')
    report = generate(rig, customer, '--to-customer', '--to', 'ops@msp.example')
    ok(rig, 'report', 'send', report, '--to', 'markacct@contoso.example', '--request-id', 'two')
    ok(rig, 'admin', 'test-mail', 'markrecip@contoso.example')
    ok(rig, 'report', 'bounce', 'markrecip@contoso.example')
    ok(rig, 'report', 'bounce', 'markrecip@contoso.example', '--clear')
    create(rig, '--export', 'customers', '--customer', customer, '--frequency', 'daily', '--recipients', 'markmail@contoso.example')
    ok(rig, 'customer', 'mode', customer, 'customer')
    quiet(rig)
    assert len(mails(rig)) >= 5 and list((rig.state / 'reports').rglob('*.xlsx'))
    ok(rig, 'customer', 'disconnect', customer, '--confirm', 'MarkOrg', '--yes')
    wait_until('the erasure', lambda: ok(rig, 'customer', 'list') == [])
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the quiet hour', lambda: ok(rig, 'admin', 'status')['erasures_open'] == 0)
    assert ok(rig, 'report', 'list') == [] and ok(rig, 'message', 'list') == [] and ok(rig, 'schedule', 'list') == []
    assert [p for p in (rig.state / 'reports').rglob('*') if p.is_file()] == [] and list((rig.state / 'outbox-mail').iterdir()) == []
    assert ok(rig, 'audit', 'verify')['state'] == 'intact'
    rig.stop()
    found = [(path.name, mark) for path in rig.state.rglob('*') if path.is_file() for mark in marks if mark.encode() in path.read_bytes()]
    assert found == []
    with sqlite3.connect(rig.state / 'tenantd.db') as db:
        for table in ('report_recipient', 'verification', 'message', 'report', 'schedule', 'run', 'customer_recipient'):
            assert db.execute(f'SELECT count(*) FROM {table}').fetchone() == (0,), table


def test_an_erasure_takes_its_addresses_out_of_what_is_about_others(folder, bus):
    """The mails to them, and the rows of recipients that were refused; the other customer's reports stay."""
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    kept, gone = rig.onboard('Kept', 'kept@x.example'), rig.onboard('MarkOrg', 'markacct@contoso.example')
    ok(rig, 'customer', 'edit', gone, '--service-reports', 'on', '--service-recipients', 'markrecip@contoso.example;markbounce@contoso.example')
    for address in ('markrecip@contoso.example', 'markbounce@contoso.example'):
        ok(rig, 'report', 'verify', gone, address)
        ok(rig, 'report', 'verify', gone, address, codes(rig, address)[0])
    ok(rig, 'report', 'bounce', 'markbounce@contoso.example')
    report = generate(rig, kept, '--to', 'markrecip@contoso.example', '--to', 'ops@msp.example', '--to', 'markbounce@contoso.example')
    quiet(rig)
    assert {a: s for a, (s, _) in recipients(rig, report).items()} == {
        'markrecip@contoso.example': 'sent', 'ops@msp.example': 'sent', 'markbounce@contoso.example': 'suppressed'}
    ok(rig, 'customer', 'disconnect', gone, '--confirm', 'MarkOrg', '--yes')
    wait_until('the erasure', lambda: [c['organization'] for c in ok(rig, 'customer', 'list')] == ['Kept'])
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the quiet hour', lambda: ok(rig, 'admin', 'status')['erasures_open'] == 0)
    assert recipients(rig, report) == {'ops@msp.example': ('sent', None)}
    assert [m['target'] for m in ok(rig, 'message', 'list')] == ['mail:ops@msp.example'] and len(mails(rig)) == 1
    rig.stop()
    marks = (b'markacct', b'markrecip', b'markbounce')
    assert [(path.name, mark) for path in rig.state.rglob('*') if path.is_file() for mark in marks if mark in path.read_bytes()] == []


class Held:
    """A relay's answer that comes when it is let go."""

    def __init__(self, answer):
        self.answer, self.asked, self.go = answer, threading.Event(), threading.Event()

    def __call__(self, connection):
        self.asked.set()
        assert self.go.wait(60)
        return self.answer


def test_an_erasure_waits_for_a_mail_that_is_with_the_relay(folder, bus):
    """Its row is what tells the courier's result from that of the next mail, which would get its number."""
    held = Held(b'451 4.3.0 not now\r\n')
    with Relay({'dot': [held, b'250 taken\r\n']}) as relay:
        rig = Rig(folder, bus, f'[customer]\ngrace_days = 0\n[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\n').start()
        customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
        ok(rig, 'report', 'verify', customer, 'c@contoso.example')
        assert held.asked.wait(60)
        ok(rig, 'customer', 'disconnect', customer, '--confirm', 'Contoso GmbH', '--yes')
        wait_until('the first try', lambda: ok(rig, 'task', 'list', '--filter', 'kind = erase and state in (waiting, done)'))
        identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
        wait_until('the other mail', lambda: ok(rig, 'message', 'show', identity)['state'] == 'delivered')
        assert ok(rig, 'customer', 'show', customer)['state'] == 'disconnecting'
        held.go.set()
        wait_until('the erasure', lambda: ok(rig, 'customer', 'list') == [])
        quiet(rig)
        assert [(m['id'], m['attempt']) for m in ok(rig, 'message', 'list')] == [(identity, 1)] and len(relay.messages) == 2
        rig.stop()


@pytest.mark.parametrize('again', [False, True])
def test_a_mail_whose_report_is_kept_no_longer_does_not_leave(folder, bus, again):
    """Neither without it, nor with the one that has its number now."""
    with Relay({'RCPT': [b'550 5.7.1 not today\r\n', b'250 ok\r\n']}) as relay:
        rig = Rig(folder, bus, f'[keep]\nreports_days = 1\n[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\n').start()
        old = ok(rig, 'report', 'export', 'customers', '--output', rig.folder / 'x.csv')['id']
        ok(rig, 'report', 'send', old, '--to', 'ops@msp.example')
        quiet(rig)
        identity = ok(rig, 'message', 'list')[0]['id']
        age(rig, 'report', 2)
        wait_until('the quiet hour', lambda: ok(rig, 'report', 'list') == [])
        if again:
            ok(rig, 'report', 'export', 'customers', '--output', rig.folder / 'y.csv')
        ok(rig, 'message', 'replay', identity)
        quiet(rig)
        row = ok(rig, 'message', 'show', identity)
        assert relay.messages == [] and row['state'] == 'dead' and 'report' in row['error'] and row['report'] is None
        rig.stop()
