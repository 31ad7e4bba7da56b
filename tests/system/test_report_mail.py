# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reports that go out by mail: what arrives, who gets it and who does not, and the texts of mails.

Types: tenantctl report, report-template, message, mail-template … --json; mails are the .eml files that stand in for a relay, read by
Python's email package. Objects: dbus/org.tenantd.Tenant1.{Reports,Messages,ReportTemplates,MailTemplates}.xml.
"""
import base64
import csv
import email
import email.policy
import hashlib
import io
import json
import re
import signal
import subprocess
from pathlib import Path

import openpyxl
import pytest

from conftest import Rig, wait_until
from doors import needs_root, unprivileged
from relay import SILENT, Relay, has_ipv6
from test_schedule import create, end_of_runs, ok, refused

REPORT = {'id', 'kind', 'format', 'file_name', 'rows', 'bytes', 'sha256', 'data_date', 'created', 'customer', 'organization', 'template', 'schedule', 'recipients',
          'warnings'}
MESSAGE = {'id', 'target', 'event', 'subject', 'state', 'attempt', 'next_attempt', 'created', 'delivered', 'error', 'message_id', 'report'}
TEMPLATE = {'id', 'revision', 'name', 'sections', 'customers', 'selector', 'language', 'format', 'owner'}
MAIL_TEMPLATE = {'event', 'language', 'subject', 'body', 'shipped'}
SECTIONS = ['facts', 'subscriptions', 'jobs', 'storage', 'incidents', 'subscription-states']
EVENTS = ['report', 'schedule', 'verification', 'hand-over', 'invitation', 'incident-open', 'incident-resolved', 'summary', 'digest', 'statement', 'test']


@pytest.fixture
def contoso(rig):
    """A customer whose service reports are on."""
    ok(rig, 'partner', 'set', '--name', 'Müller & Söhne MSP', '--sender', 'reports@msp.example')
    identity = rig.onboard('Contoso GmbH', 'admin@contoso.example', tags=('as', ['gold']))
    rig.onboard('Προκοπίου', 'b@y.example', country='GR')
    ok(rig, 'customer', 'edit', identity, '--service-reports', 'on', '--service-recipients', 'c@contoso.example;d@contoso.example')
    return identity


def quiet(rig):
    """Everything is over: nothing runs, and no message is on its way."""
    def over():
        return not ok(rig, 'task', 'list', '--filter', 'state in (queued, running) and not kind = erase') and \
            not ok(rig, 'message', 'list', '--filter', 'state in (queued, sending)')
    wait_until('the last mail', over)


def mails(rig, to=None):
    """What was written for a recipient, or for all."""
    quiet(rig)
    found = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in (rig.state / 'outbox-mail').iterdir()]
    return [m for m in found if to is None or m['To'].addresses[0].addr_spec == to]


def mail(rig, to):
    found = mails(rig, to)
    assert len(found) == 1, [str(m['Subject']) for m in found]
    return found[0]


def text_of(message):
    return message.get_body(('plain',)).get_content()


def attachment(message):
    parts = list(message.iter_attachments())
    assert len(parts) == 1
    return parts[0].get_filename(), parts[0].get_payload(decode=True)


def codes(rig, to):
    return [re.search(r'\b(\d{8})\b', text_of(m))[1] for m in mails(rig, to) if re.search(r'\b\d{8}\b', text_of(m))]


def recipients(rig, report):
    return {r['address']: (r['state'], r['reason']) for r in ok(rig, 'report', 'show', report)['recipients']}


def generate(rig, customer, *words):
    return ok(rig, 'report', 'generate', customer, '--template', 'monthly', '--format', 'xlsx', *words)['id']


# ---- what arrives ----

def test_a_workbook_that_arrives_holds_what_the_database_holds(rig, contoso):
    identity = create(rig, '--export', 'customers', '--frequency', 'weekly', '--recipients', 'a@x.example;b@elsewhere.example', '--run-now',
                      '--columns', 'organization,registered_account,country,tags')
    run = end_of_runs(rig, identity)[0]
    customers = ok(rig, 'customer', 'list')
    report = ok(rig, 'report', 'show', run['report'])
    for address in ('a@x.example', 'b@elsewhere.example'):
        m = mail(rig, address)
        assert m['From'].addresses[0].addr_spec == 'reports@msp.example' and m['From'].addresses[0].display_name == 'Müller & Söhne MSP'
        assert [a.addr_spec for a in m['To'].addresses] == [address] and m['Auto-Submitted'] == 'auto-generated'
        assert m['Subject'] == f'customers, {report["data_date"]}' and '(2 rows)' in text_of(m)
        name, data = attachment(m)
        assert name == report['file_name'] == f'customers-{report["data_date"]}.xlsx'
        assert hashlib.sha256(data).hexdigest() == report['sha256'] and len(data) == report['bytes']
        sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
        rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert rows[0] == ['organization', 'registered_account', 'country', 'tags']
        assert rows[1:] == [[c['organization'], c['registered_account'], c['country'], ', '.join(c['tags']) or None] for c in customers]
    messages = ok(rig, 'message', 'list')
    assert {m['target'] for m in messages} == {'mail:a@x.example', 'mail:b@elsewhere.example'}
    for m in messages:
        assert set(m) == MESSAGE and (m['event'], m['state'], m['attempt'], m['next_attempt'], m['error'], m['report']) == ('schedule', 'delivered', 1, None, None, report['id'])
        assert m['created'] <= m['delivered'] and ok(rig, 'message', 'show', m['id']) == m
        assert (rig.state / 'outbox-mail' / f'{m["message_id"]}.eml').exists() and m['message_id'].endswith('@msp.example')


@pytest.mark.parametrize('format', ['csv', 'json'])
def test_other_formats_arrive_as_they_were_kept(rig, contoso, format):
    identity = create(rig, '--export', 'customers', '--frequency', 'daily', '--recipients', 'a@x.example', '--format', format, '--file-name', f'Kunden Ä.{format}',
                      '--filter', 'tag = gold', '--columns', 'organization,country', '--run-now')
    report = end_of_runs(rig, identity)[0]['report']
    name, data = attachment(mail(rig, 'a@x.example'))
    ok(rig, 'report', 'save', report, '--output', rig.folder / 'kept')
    assert name == f'Kunden Ä.{format}' and data == (rig.folder / 'kept').read_bytes()
    rows = json.loads(data) if format == 'json' else list(csv.DictReader(io.StringIO(data.decode('utf-8-sig'))))
    assert rows == [{'organization': 'Contoso GmbH', 'country': 'DE'}]


def test_a_report_is_kept_with_everything_of_its_row(rig, contoso):
    report = ok(rig, 'report', 'show', generate(rig, contoso, '--to', 'ops@msp.example'))
    assert set(report) == REPORT and set(ok(rig, 'report', 'list')[0]) == REPORT
    assert (report['kind'], report['format'], report['customer'], report['organization'], report['template'], report['schedule']) == (
        'template', 'xlsx', contoso, 'Contoso GmbH', 'monthly', None)
    assert recipients(rig, report['id']).keys() == {'ops@msp.example'}
    name, data = attachment(mail(rig, 'ops@msp.example'))
    assert (name, hashlib.sha256(data).hexdigest()) == (report['file_name'], report['sha256'])
    cells = [cell.value for sheet in openpyxl.load_workbook(io.BytesIO(data)) for row in sheet.iter_rows() for cell in row]
    assert 'Contoso GmbH' in cells and 'admin@contoso.example' in cells
    assert recipients(rig, report['id']) == {'ops@msp.example': ('sent', None)}


def test_a_pdf_by_the_shipped_template(rig, contoso):
    report = ok(rig, 'report', 'generate', contoso, '--template', 'monthly', '--to', 'ops@msp.example')['id']
    name, data = attachment(mail(rig, 'ops@msp.example'))
    assert name.endswith('.pdf') and data.startswith(b'%PDF-') and ok(rig, 'report', 'show', report)['format'] == 'pdf'
    (rig.folder / 'x.pdf').write_bytes(data)
    text = subprocess.run(['pdftotext', rig.folder / 'x.pdf', '-'], capture_output=True, text=True, check=True).stdout
    assert 'Contoso GmbH' in text and 'admin@contoso.example' in text and 'Subscriptions by state' in text


def test_the_same_data_gives_the_same_bytes(rig, contoso):
    first, second = (ok(rig, 'report', 'show', generate(rig, contoso)) for _ in range(2))
    assert first['id'] != second['id'] and first['sha256'] == second['sha256']


@pytest.mark.parametrize('kind', ['jobs', 'storage', 'subscriptions'])
def test_what_has_no_data_yet_comes_with_its_columns_and_no_rows(rig, contoso, kind):
    columns = {'jobs': 'organization tenant service module type status total successful failed skipped warning bytes start end external_id message customer id',
               'storage': 'organization service module date bytes_stored bytes_byos objects_scanned objects_protected customer',
               'subscriptions': 'organization service type source seats state expires customer id'}[kind].split()
    done = rig.ctl('report', 'export', kind, '--format', 'csv', '--no-bom', '--output', '-')
    assert done.returncode == 0 and done.stdout == ','.join(columns) + '\n', done.stderr
    ok(rig, 'report', 'export', kind, contoso, '--format', 'xlsx', '--output', rig.folder / 'x.xlsx')
    assert [c.value.split(' (')[0] for c in openpyxl.load_workbook(rig.folder / 'x.xlsx').worksheets[0][1]] == columns


# ---- who gets it ----

def test_a_customers_address_gets_nothing_until_it_is_verified(rig, contoso):
    report = generate(rig, contoso, '--to-customer')
    assert recipients(rig, report) == {a: ('waiting-verification', None) for a in ('c@contoso.example', 'd@contoso.example')}
    asked = mail(rig, 'c@contoso.example')
    assert not list(asked.iter_attachments()) and 'Contoso GmbH' in text_of(asked) and 'http://localhost:8480/verify/' in text_of(asked)
    code = codes(rig, 'c@contoso.example')[0]
    wrong = f'{(int(code) + 1) % 10**8:08}'
    refused(rig, 5, 'code-wrong', 'report', 'verify', contoso, 'c@contoso.example', wrong)
    assert len(mails(rig, 'c@contoso.example')) == 1
    answer = ok(rig, 'report', 'verify', contoso, 'c@contoso.example', code)
    assert answer['state'] == 'verified'
    arrived = [m for m in mails(rig, 'c@contoso.example') if list(m.iter_attachments())]
    assert len(arrived) == 1 and attachment(arrived[0])[0] == ok(rig, 'report', 'show', report)['file_name']
    assert recipients(rig, report) == {'c@contoso.example': ('sent', None), 'd@contoso.example': ('waiting-verification', None)}
    # From now on there is nothing to wait for.
    second = generate(rig, contoso, '--to-customer')
    quiet(rig)
    assert recipients(rig, second)['c@contoso.example'] == ('sent', None)
    # It is verified for this customer, and the code is spent.
    refused(rig, 5, 'code-expired', 'report', 'verify', contoso, 'c@contoso.example', code)


def test_an_address_is_a_customers_wherever_it_is_named(rig, contoso):
    """Also in an export for everybody, and in any spelling; an address of nobody is not asked."""
    identity = create(rig, '--export', 'customers', '--frequency', 'daily', '--recipients', 'C@Contoso.Example;admin@contoso.example;x@nobody.example', '--run-now')
    report = end_of_runs(rig, identity)[0]['report']
    quiet(rig)
    assert {a: s for a, (s, _) in recipients(rig, report).items()} == {
        'C@Contoso.Example': 'waiting-verification', 'admin@contoso.example': 'waiting-verification', 'x@nobody.example': 'sent'}
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', codes(rig, 'C@Contoso.Example')[0])
    quiet(rig)
    assert recipients(rig, report)['C@Contoso.Example'] == ('sent', None)


def test_the_sixth_try_is_too_many(rig, contoso):
    generate(rig, contoso, '--to-customer')
    code = codes(rig, 'c@contoso.example')[0]
    wrong = [f'{(int(code) + i) % 10**8:08}' for i in range(1, 6)]
    for i, guess in enumerate(wrong):
        assert str(4 - i) in refused(rig, 5, 'code-wrong', 'report', 'verify', contoso, 'c@contoso.example', guess)['message']
    refused(rig, 5, 'code-expired', 'report', 'verify', contoso, 'c@contoso.example', code)
    # The count is on disk.
    rig.kill()
    rig.start()
    refused(rig, 5, 'code-expired', 'report', 'verify', contoso, 'c@contoso.example', code)
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    fresh = [c for c in codes(rig, 'c@contoso.example') if c != code]
    assert ok(rig, 'report', 'verify', contoso, 'c@contoso.example', fresh[0])['state'] == 'verified'


def test_no_code_is_tried_by_a_dry_run(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    code, = codes(rig, 'c@contoso.example')
    wrong = f'{(int(code) + 1) % 10**8:08}'
    told = [refused(rig, 2, 'code-in-dry-run', 'report', 'verify', contoso, 'c@contoso.example', guess, '--dry-run') for guess in [wrong] * 6 + [code]]
    assert all(each == told[0] for each in told)
    assert ok(rig, 'report', 'verify', contoso, 'c@contoso.example', '--dry-run')['dry_run'] is True
    assert ok(rig, 'report', 'verify', contoso, 'c@contoso.example', code)['state'] == 'verified'


def test_three_codes_an_hour_and_no_more(rig, contoso):
    for _ in range(3):
        assert ok(rig, 'report', 'verify', contoso, 'c@contoso.example')['state'] == 'sent'
    refused(rig, 5, 'too-many-codes', 'report', 'verify', contoso, 'c@contoso.example')
    assert len(mails(rig, 'c@contoso.example')) == 3
    # Another pair has its own three, and an old code is no good beside a newer one.
    ok(rig, 'report', 'verify', contoso, 'd@contoso.example')
    # A report that waits meanwhile does not ask once more, and waits.
    report = generate(rig, contoso, '--to-customer')
    assert recipients(rig, report)['c@contoso.example'] == ('waiting-verification', None)
    assert len(mails(rig, 'c@contoso.example')) == 3


def test_only_the_newest_code_counts(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    old = codes(rig, 'c@contoso.example')[0]
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    new = [c for c in codes(rig, 'c@contoso.example') if c != old][0]
    refused(rig, 5, 'code-wrong', 'report', 'verify', contoso, 'c@contoso.example', old)
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', new)


def test_a_code_is_for_one_customer_and_one_address(rig, contoso):
    other = rig.json('Customers', 'Describe', 's', 'b@y.example')['id']
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    code = codes(rig, 'c@contoso.example')[0]
    refused(rig, 5, 'code-expired', 'report', 'verify', other, 'c@contoso.example', code)
    refused(rig, 5, 'code-expired', 'report', 'verify', contoso, 'd@contoso.example', code)
    refused(rig, 3, 'no-such-customer', 'report', 'verify', 'Nobody', 'c@contoso.example', code)
    refused(rig, 2, 'bad-address', 'report', 'verify', contoso, 'c', code)
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', code)


def test_a_code_is_in_no_file_in_clear_once_it_was_mailed(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    code = codes(rig, 'c@contoso.example')[0]
    for path in rig.state.glob('tenantd.db*'):
        assert code.encode() not in path.read_bytes()
    row = ok(rig, 'message', 'list')[0]
    assert code not in json.dumps(row) and row['event'] == 'verification'
    assert code not in json.dumps(ok(rig, 'audit', 'list'))


def test_reports_that_are_switched_off_fail_by_name(rig, contoso):
    ok(rig, 'customer', 'edit', contoso, '--service-reports', 'off')
    report = generate(rig, contoso, '--to', 'c@contoso.example', '--to', 'ops@msp.example')
    quiet(rig)
    assert recipients(rig, report) == {'c@contoso.example': ('failed', 'service-reports-off'), 'ops@msp.example': ('sent', None)}
    assert mails(rig, 'c@contoso.example') == []


def test_the_switch_is_read_again_when_the_mail_leaves(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', codes(rig, 'c@contoso.example')[0])
    report = generate(rig, contoso)
    ok(rig, 'task', 'pause')
    ok(rig, 'report', 'send', report, '--to', 'c@contoso.example')
    assert recipients(rig, report)['c@contoso.example'] == ('queued', None)
    ok(rig, 'customer', 'edit', contoso, '--service-reports', 'off')
    ok(rig, 'task', 'resume')
    quiet(rig)
    assert recipients(rig, report)['c@contoso.example'] == ('failed', 'service-reports-off')
    assert not any(list(m.iter_attachments()) for m in mails(rig, 'c@contoso.example'))


def test_what_waits_while_reports_are_switched_off_does_not_go_out(rig, contoso):
    report = generate(rig, contoso, '--to-customer')
    code = codes(rig, 'c@contoso.example')[0]
    ok(rig, 'customer', 'edit', contoso, '--service-reports', 'off')
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', code)
    quiet(rig)
    assert recipients(rig, report)['c@contoso.example'] == ('failed', 'service-reports-off')


def test_another_account_is_verified_anew(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'admin@contoso.example')
    ok(rig, 'report', 'verify', contoso, 'admin@contoso.example', codes(rig, 'admin@contoso.example')[0])
    assert rig.customer(contoso)['account_verified'] is True
    ok(rig, 'customer', 'edit', contoso, '--account', 'boss@contoso.example')
    assert rig.customer(contoso)['account_verified'] is False
    ok(rig, 'customer', 'edit', contoso, '--account', 'admin@contoso.example')
    report = generate(rig, contoso, '--to', 'admin@contoso.example')
    assert recipients(rig, report)['admin@contoso.example'][0] == 'waiting-verification'


def test_an_account_that_comes_back_by_a_revert_is_verified_anew(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'admin@contoso.example')
    ok(rig, 'report', 'verify', contoso, 'admin@contoso.example', codes(rig, 'admin@contoso.example')[0])
    changed = ok(rig, 'customer', 'edit', '--filter', 'account ~ "admin@"', '--account', 'boss@contoso.example')
    assert rig.wait_operation(changed['id'])['ok'] == 1
    assert rig.wait_operation(rig.json('Operations', 'Revert', 'sa{sv}', changed['id'], {})['id'])['ok'] == 1
    assert rig.customer(contoso)['registered_account'] == 'admin@contoso.example'
    report = generate(rig, contoso, '--to', 'admin@contoso.example')
    assert recipients(rig, report)['admin@contoso.example'][0] == 'waiting-verification'


def test_an_address_that_bounced_gets_nothing_until_that_is_lifted(rig, contoso):
    assert ok(rig, 'report', 'bounce', 'Ops@msp.example')['state'] == 'suppressed'
    report = generate(rig, contoso, '--to', 'ops@MSP.example')
    assert recipients(rig, report)['ops@MSP.example'][0] == 'suppressed' and mails(rig) == []
    assert ok(rig, 'report', 'bounce', 'ops@msp.example', '--clear')['state'] == 'lifted'
    refused(rig, 3, 'not-suppressed', 'report', 'bounce', 'ops@msp.example', '--clear')
    refused(rig, 2, 'bad-address', 'report', 'bounce', 'ops')
    ok(rig, 'report', 'send', report, '--to', 'ops@msp.example')
    assert len(mails(rig, 'ops@msp.example')) == 1


BOUNCE = ('From: MAILER-DAEMON@x.example\nTo: reports@msp.example\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
          '--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.1.1\n\n'
          '--b\nContent-Type: message/rfc822\n\nMessage-ID: {id}\n\ntext\n--b--\n')


@needs_root
def test_one_bounce_that_cannot_be_read_does_not_keep_the_others(folder):
    with unprivileged(folder) as house:
        folder.chmod(0o755)
        gone = ['a@gone.example', 'b@gone.example']
        for address in gone:
            ok(house, 'admin', 'test-mail', address)
        ids = {address: str(mail(house, address)['Message-ID']) for address in gone}
        house.stop()
        bounces = house.state / 'bounces'
        for name, address in zip(('1', '3'), gone):
            (bounces / name).write_text(BOUNCE.format(to=address, id=ids[address]))
            (bounces / name).chmod(0o644)
        (bounces / '2').write_text('closed')
        (bounces / '2').chmod(0)
        house.start()
        wait_until('the bounces', lambda: [p.name for p in bounces.iterdir()] == ['unmatched'])
        assert [p.name for p in (bounces / 'unmatched').iterdir()] == ['2'] and 'the bounce 2 cannot be read' in house.log.read_text()
        for address in gone:
            assert ok(house, 'report', 'bounce', address, '--clear')['state'] == 'lifted'


def test_a_report_can_be_sent_again_and_to_others(rig, contoso):
    report = generate(rig, contoso, '--to', 'ops@msp.example')
    ok(rig, 'report', 'send', report, '--to', 'ops@msp.example;two@msp.example')
    assert len(mails(rig, 'ops@msp.example')) == 2 and len(mails(rig, 'two@msp.example')) == 1
    assert len({m['Message-ID'] for m in mails(rig)}) == 3
    ok(rig, 'report', 'send', report, '--to-customer')
    assert recipients(rig, report)['c@contoso.example'][0] == 'waiting-verification'
    refused(rig, 2, 'missing', 'report', 'send', report)
    refused(rig, 2, 'bad-address', 'report', 'send', report, '--to', 'ops')
    refused(rig, 3, 'no-such-report', 'report', 'send', 'nothing', '--to', 'ops@msp.example')
    export = ok(rig, 'report', 'export', 'customers', '--output', rig.folder / 'x.xlsx')['id']
    refused(rig, 5, 'no-customer', 'report', 'send', export, '--to-customer')
    ok(rig, 'report', 'send', export, '--to', 'three@msp.example')
    assert attachment(mail(rig, 'three@msp.example'))[1] == (rig.folder / 'x.xlsx').read_bytes()


def test_generate_refuses_by_name(rig, contoso):
    refused(rig, 2, 'missing', 'report', 'generate', contoso, field='template')
    refused(rig, 3, 'no-such-report-template', 'report', 'generate', contoso, '--template', 'nothing')
    refused(rig, 3, 'no-such-customer', 'report', 'generate', 'Nobody', '--template', 'monthly')
    refused(rig, 2, 'bad-address', 'report', 'generate', contoso, '--template', 'monthly', '--to', 'ops')
    refused(rig, 2, 'unknown-word', 'report', 'generate', contoso, '--template', 'monthly', '--format', 'csv')
    ok(rig, 'report-template', 'create', 'theirs', '--customer', contoso)
    refused(rig, 5, 'has-customers', 'report', 'generate', contoso, '--template', 'theirs')
    assert ok(rig, 'report', 'list') == []


# ---- report templates ----

def test_report_templates(rig, contoso):
    shipped = ok(rig, 'report-template', 'show', 'monthly')
    assert set(shipped) == TEMPLATE and {k: shipped[k] for k in ('name', 'sections', 'customers', 'selector', 'language', 'format')} == {
        'name': 'monthly', 'sections': SECTIONS, 'customers': [], 'selector': None, 'language': None, 'format': 'pdf'}
    identity = ok(rig, 'report-template', 'create', 'für Größere', '--section', 'jobs,facts', '--filter', 'tag = gold', '--language', 'de', '--format', 'xlsx')['id']
    made = ok(rig, 'report-template', 'show', 'für Größere')
    assert ok(rig, 'report-template', 'show', identity) == made
    assert (made['sections'], made['selector'], made['language'], made['format']) == (['jobs', 'facts'], 'tag = gold', 'de', 'xlsx')
    assert [t['name'] for t in ok(rig, 'report-template', 'list')] == ['für Größere', 'monthly']
    assert ok(rig, 'report-template', 'preview', 'für Größere')['customers'] == ['Contoso GmbH']
    ok(rig, 'report-template', 'edit', 'für Größere', '--name', 'large', '--section', 'facts')
    assert ok(rig, 'report-template', 'show', 'large')['revision'] == 2
    refused(rig, 3, 'no-such-report-template', 'report-template', 'show', 'für Größere')
    refused(rig, 5, 'report-template-exists', 'report-template', 'create', 'monthly')
    refused(rig, 5, 'report-template-exists', 'report-template', 'edit', 'large', '--name', 'monthly')
    refused(rig, 2, 'unknown-word', 'report-template', 'create', 'x', '--section', 'facts,nonsense', field='sections')
    refused(rig, 2, 'doubled-section', 'report-template', 'create', 'x', '--section', 'facts,facts', field='sections')
    refused(rig, 2, 'bad-selector', 'report-template', 'create', 'x', '--filter', 'tag =', field='selector')
    refused(rig, 2, 'two-kinds', 'report-template', 'create', 'x', '--filter', 'tag = gold', '--customer', contoso)
    refused(rig, 2, 'bad-language', 'report-template', 'create', 'x', '--language', 'klingon!', field='language')
    refused(rig, 3, 'no-such-customer', 'report-template', 'create', 'x', '--customer', 'Nobody')
    assert rig.ctl('report-template', 'delete', 'large').returncode == 2
    ok(rig, 'report-template', 'delete', 'large', '--yes')
    assert [t['name'] for t in ok(rig, 'report-template', 'list')] == ['monthly']


def test_a_report_that_waits_is_not_made_by_the_next_template(rig, contoso):
    """The new one has the number of the one that was deleted."""
    ok(rig, 'report-template', 'create', 'short', '--section', 'facts')
    ok(rig, 'task', 'pause')
    identity = rig.json('Reports', 'Generate', 'sa{sv}', contoso, {'template': ('s', 'short'), 'format': ('s', 'xlsx')})['id']
    ok(rig, 'report-template', 'delete', 'short', '--yes')
    ok(rig, 'report-template', 'create', 'other', '--section', 'jobs')
    ok(rig, 'task', 'resume')
    quiet(rig)
    refused(rig, 3, 'no-such-report', 'report', 'show', identity)
    assert [(t['state'], t['error']) for t in ok(rig, 'task', 'list', '--filter', 'kind = generate')] == [('failed', 'its report template was deleted')]


def test_a_region_of_a_language_has_the_words_of_the_language(rig, contoso):
    """de-CH is German, in every part of a report and in mails; den is another language."""
    def words(tag):
        ok(rig, 'customer', 'edit', contoso, '--language', tag)
        report = generate(rig, contoso)
        ok(rig, 'report', 'save', report, '--output', rig.folder / 'x.xlsx')
        sheet = openpyxl.load_workbook(rig.folder / 'x.xlsx').worksheets[0]
        mailed = ok(rig, 'mail-template', 'preview', 'report', '--customer', contoso)
        return sheet.title, sheet['A2'].value, mailed['language']
    for tag in ('de', 'de-CH', 'DE', 'de-Latn-AT'):
        assert words(tag) == ('Kunde', 'Organisation', 'de'), tag
    assert words('den') == ('Customer', 'Organization', 'en')
    (rig.folder / 'body').write_text('Grüezi {organization}')
    ok(rig, 'mail-template', 'create', 'report', '--language', 'de-CH', '--subject', '{title}', '--body', rig.folder / 'body')
    assert words('de-CH')[2] == 'de-CH' and words('de-AT')[2] == 'de'


def test_a_template_with_customers_runs_for_each_of_them_in_their_language(rig, contoso):
    """And, by a schedule, for the recipients of their service reports, too."""
    second = rig.json('Customers', 'Describe', 's', 'b@y.example')['id']
    ok(rig, 'customer', 'edit', contoso, '--language', 'de')
    ok(rig, 'report-template', 'create', 'both', '--customer', contoso, '--customer', second, '--section', 'facts', '--format', 'xlsx')
    assert ok(rig, 'report-template', 'preview', 'both')['customers'] == ['Contoso GmbH', 'Προκοπίου']
    identity = create(rig, '--template', 'both', '--frequency', 'monthly', '--format', 'xlsx', '--recipients', 'ops@msp.example', '--run-now')
    assert end_of_runs(rig, identity)[0]['state'] == 'done'
    quiet(rig)
    # Who waits for a code was not sent anything.
    assert end_of_runs(rig, identity)[0]['messages'] == 2
    reports = {r['organization']: r for r in ok(rig, 'report', 'list')}
    assert set(reports) == {'Contoso GmbH', 'Προκοπίου'} and {r['schedule'] for r in reports.values()} == {identity}
    assert {a: s for a, (s, _) in recipients(rig, reports['Contoso GmbH']['id']).items()} == {
        'ops@msp.example': 'sent', 'c@contoso.example': 'waiting-verification', 'd@contoso.example': 'waiting-verification'}
    assert {a: s for a, (s, _) in recipients(rig, reports['Προκοπίου']['id']).items()} == {'ops@msp.example': 'sent'}
    cells = {}
    for m in mails(rig, 'ops@msp.example'):
        values = [c.value for sheet in openpyxl.load_workbook(io.BytesIO(attachment(m)[1])) for row in sheet.iter_rows() for c in row]
        cells['Contoso GmbH' if 'Contoso GmbH' in values else 'Προκοπίου'] = values
    assert 'Registriertes Konto' in cells['Contoso GmbH'] and 'Registered account' in cells['Προκοπίου']
    assert 'Ihr Code' in str(mail(rig, 'c@contoso.example')['Subject'])


# ---- the texts of mails ----

def test_each_mail_ships_in_english_and_german(rig):
    rows = ok(rig, 'mail-template', 'list')
    assert {(r['event'], r['language']) for r in rows} == {(e, l) for e in EVENTS for l in ('en', 'de')}
    assert all(set(r) == MAIL_TEMPLATE and r['shipped'] is True for r in rows)
    for event in EVENTS:
        assert ok(rig, 'mail-template', 'show', event)['language'] == 'en'
        for language in ('en', 'de'):
            shown = ok(rig, 'mail-template', 'preview', event, '--language', language)
            assert shown['language'] == language and shown['subject'] and not re.search(r'\{[a-z_]+\}', shown['subject'] + shown['body'])


@pytest.mark.parametrize('language', ['en', 'de'])
def test_a_text_is_changed_used_and_taken_back(rig, contoso, language):
    ok(rig, 'customer', 'edit', contoso, '--language', language)
    shipped = ok(rig, 'mail-template', 'show', f'report/{language}')
    body = rig.folder / 'body.txt'
    body.write_text('Für {organization}:\n{title} vom {date}, {rows} Zeilen, {unbekannt-es} {}\n{partner}\n')
    ok(rig, 'mail-template', 'edit', 'report', '--language', language, '--subject', '{title} – {organization}', '--body', body)
    shown = ok(rig, 'mail-template', 'show', f'report/{language}')
    assert (shown['subject'], shown['body'], shown['shipped']) == ('{title} – {organization}', body.read_text().strip(), False)
    preview = ok(rig, 'mail-template', 'preview', 'report', '--customer', contoso)
    assert preview['subject'].endswith('– Contoso GmbH') and preview['body'].startswith('Für Contoso GmbH:\n') and 'Müller & Söhne MSP' in preview['body']
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', codes(rig, 'c@contoso.example')[0])
    generate(rig, contoso, '--to', 'c@contoso.example')
    arrived = [m for m in mails(rig, 'c@contoso.example') if list(m.iter_attachments())][0]
    assert arrived['Subject'] == 'monthly – Contoso GmbH' and '{unbekannt-es} {}' in text_of(arrived)
    ok(rig, 'mail-template', 'delete', 'report', '--language', language, '--yes')
    assert ok(rig, 'mail-template', 'show', f'report/{language}') == shipped
    refused(rig, 5, 'shipped', 'mail-template', 'delete', 'report', '--language', language, '--yes')


def test_a_text_is_shown_line_by_line(rig):
    shown = rig.ctl('mail-template', 'show', 'report').stdout
    assert '\nGood day,\n\nattached is' in shown and shown.endswith('\n-- \n{partner}\n')
    assert '\nGood day,\n\n' in rig.ctl('mail-template', 'preview', 'report').stdout


def test_another_language_can_be_added(rig, contoso):
    ok(rig, 'mail-template', 'create', 'report', '--language', 'fr', '--subject', 'Rapport {title}', '--body', _file(rig, 'Bonjour {organization}'))
    refused(rig, 5, 'mail-template-exists', 'mail-template', 'create', 'report', '--language', 'fr', '--subject', 'x', '--body', _file(rig, 'x'))
    ok(rig, 'customer', 'edit', contoso, '--language', 'fr')
    preview = ok(rig, 'mail-template', 'preview', 'report', '--customer', contoso)
    assert (preview['language'], preview['subject'], preview['body']) == ('fr', 'Rapport customers', 'Bonjour Contoso GmbH')
    # An event that was not translated comes in the partner's language.
    ok(rig, 'partner', 'set', '--language', 'de')
    assert ok(rig, 'mail-template', 'preview', 'verification', '--customer', contoso)['language'] == 'de'
    ok(rig, 'mail-template', 'delete', 'report', '--language', 'fr', '--yes')
    refused(rig, 3, 'no-such-mail-template', 'mail-template', 'show', 'report/fr')


def _file(rig, text):
    path = rig.folder / 'text'
    path.write_text(text)
    return path


def test_texts_are_refused_by_what_is_wrong(rig):
    error = refused(rig, 2, 'unknown-variable', 'mail-template', 'edit', 'report', '--subject', '{organization} {code}', field='subject')
    assert '{code}' in error['message'] and 'organization' in error['message'].split('there are')[1]
    refused(rig, 2, 'unknown-variable', 'mail-template', 'edit', 'report', '--body', _file(rig, '{orgnization}'), field='body')
    refused(rig, 3, 'no-such-mail-template', 'mail-template', 'edit', 'nothing', '--subject', 'x')
    refused(rig, 3, 'no-such-mail-template', 'mail-template', 'edit', 'report', '--language', 'fr', '--subject', 'x')
    refused(rig, 2, 'missing', 'mail-template', 'create', 'report', '--language', 'fr', '--subject', 'x', field='body')
    assert rig.ctl('mail-template', 'edit', 'report').returncode == 2
    assert rig.ctl('mail-template', 'edit', 'report', '--subject', 'two\nlines').returncode == 2
    assert rig.ctl('mail-template', 'edit', 'report', '--subject', '').returncode == 2
    assert all(r['shipped'] for r in ok(rig, 'mail-template', 'list'))


# ---- test mails, the outbox ----

def test_a_test_mail_says_where_it_goes(rig):
    done = rig.ctl('admin', 'test-mail', 'noc@msp.example', '--json')
    assert done.returncode == 0 and 'outbox-mail' in done.stderr
    assert 'outbox-mail' not in rig.ctl('admin', 'test-mail', 'two@msp.example').stdout
    identity = json.loads(done.stdout)['id']
    m = mail(rig, 'noc@msp.example')
    assert 'Test mail' in m['Subject'] and 'arrived' in text_of(m)
    assert ok(rig, 'message', 'show', identity)['target'] == 'mail:noc@msp.example'
    refused(rig, 2, 'bad-address', 'admin', 'test-mail', 'noc')
    assert [d for d in ok(rig, 'admin', 'status')['defaults'] if d['key'] == 'mail.relay' and str(rig.state / 'outbox-mail') in d['message']]


def test_only_dead_messages_are_replayed(rig):
    identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
    quiet(rig)
    refused(rig, 5, 'not-dead', 'message', 'replay', identity)
    refused(rig, 3, 'no-such-message', 'message', 'replay', 'nothing')
    refused(rig, 3, 'no-such-message', 'message', 'show', 'nothing')


@pytest.mark.skipif(not has_ipv6(), reason='this machine has no ::1')
def test_a_relay_is_named_by_its_ipv6_address(folder, bus):
    with Relay(host='::1') as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = [::1]:{relay.port}\nstarttls = off\n').start()
        identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
        quiet(rig)
        assert ok(rig, 'message', 'show', identity)['state'] == 'delivered' and len(relay.messages) == 1
        # A host whose name has no dot says its address.
        names = {c.split()[1] for c in relay.commands if c.startswith(b'EHLO')}
        assert len(names) == 1 and all(b'.' in n or n == b'[IPv6:::1]' for n in names)
        rig.stop()


def test_a_token_is_what_the_command_prints(folder, bus):
    """The command begins as any other, and not with the signals that the daemon blocks or ignores."""
    with Relay(capabilities=('AUTH XOAUTH2',)) as relay:
        rig = Rig(folder, bus, f"[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\nuser = daemon\ntoken_command = grep ^Sig[BI] /proc/self/status >{folder}/signals && echo to-k-en\n").start()
        identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
        wait_until('the mail', lambda: ok(rig, 'message', 'show', identity)['state'] == 'delivered')
        said, = [c.split()[2] for c in relay.commands if c.startswith(b'AUTH')]
        assert base64.b64decode(said) == b'user=daemon\1auth=Bearer to-k-en\1\1'
        masks = {line.split()[0]: int(line.split()[1], 16) for line in (folder / 'signals').read_text().splitlines()}
        ours = sum(1 << number - 1 for number in signal.valid_signals() if number < 32)
        assert set(masks) == {'SigBlk:', 'SigIgn:'} and not any(mask & ours for mask in masks.values())
        rig.stop()


@pytest.mark.slow
@pytest.mark.parametrize('command, child', [('sleep 4242 | cat', '4242'), ('exec >&-; sleep 4243', '4243')])
def test_a_command_that_gives_no_token_is_ended_with_all_that_it_began(folder, bus, command, child):
    with Relay(capabilities=('AUTH XOAUTH2',)) as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\nuser = daemon\ntoken_command = {command}\n').start()
        identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
        wait_until('the refusal', lambda: ok(rig, 'message', 'show', identity)['error'], 60)
        assert 'mail.token_command gave no token' in ok(rig, 'message', 'show', identity)['error'] and relay.connections == 0
        wait_until('its end', lambda: not [p for p in Path('/proc').glob('[0-9]*/cmdline') if command_of(p) == [b'sleep', child.encode()]])
        rig.stop()


def command_of(path):
    try:
        return path.read_bytes().split(b'\0')[:-1]
    except OSError:
        return []


@pytest.mark.parametrize('text', ['[::1', '[::1]x', '[relay.example]:25', '[]:25', 'relay.example:0', 'relay.example:65536', ':25'])
def test_a_relay_that_is_none_waits_and_says_so(folder, bus, text):
    rig = Rig(folder, bus, f'[mail]\nrelay = {text}\nstarttls = off\n').start()
    identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
    wait_until('the refusal', lambda: ok(rig, 'message', 'show', identity)['error'])
    row = ok(rig, 'message', 'show', identity)
    assert row['state'] == 'queued' and row['error'] == 'mail.relay is no HOST[:PORT]'
    assert any('mail.relay is no HOST[:PORT]' in w for w in ok(rig, 'admin', 'status')['warnings'])
    rig.stop()


@pytest.mark.slow
def test_a_relay_that_falls_silent_holds_one_message_and_not_two(folder, bus):
    """At the final dot it may take ten minutes; what the courier has claimed ahead does not wait that long."""
    with Relay({'dot': [SILENT, b'250 taken\r\n']}) as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\n').start()
        ok(rig, 'task', 'pause')
        for n in range(20):
            ok(rig, 'admin', 'test-mail', f'a{n}@msp.example')
        ok(rig, 'task', 'resume')
        state = lambda word: len(ok(rig, 'message', 'list', '--filter', f'state = {word}'))
        wait_until('all but two', lambda: state('delivered') >= 18)
        wait_until('all but one', lambda: state('delivered') == 19, 120)
        assert state('sending') == 1 and len(relay.messages) == 20
        rig.stop()


def test_a_dead_message_is_replayed_as_it_was(folder, bus):
    answers = {'RCPT': [b'550 5.7.1 not today\r\n', b'250 ok\r\n']}
    with Relay(answers) as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\n').start()
        ok(rig, 'partner', 'set', '--sender', 'reports@msp.example')
        identity = ok(rig, 'admin', 'test-mail', 'noc@msp.example')['id']
        quiet(rig)
        dead = ok(rig, 'message', 'show', identity)
        assert dead['state'] == 'dead' and '5.7.1 not today' in dead['error'] and relay.messages == []
        assert any('message list' in w for w in ok(rig, 'admin', 'status')['warnings'])
        assert ok(rig, 'message', 'replay', identity)['state'] == 'queued'
        quiet(rig)
        assert ok(rig, 'message', 'show', identity)['state'] == 'delivered'
        arrived = email.message_from_bytes(relay.messages[0], policy=email.policy.default)
        assert arrived['Message-ID'] == f'<{dead["message_id"]}>' and arrived['To'].addresses[0].addr_spec == 'noc@msp.example'
        assert arrived['Date'].datetime.strftime('%Y-%m-%dT%H:%M:%SZ') == dead['created'] == ok(rig, 'message', 'show', identity)['created']
        rig.stop()


def test_an_unknown_mailbox_gets_no_mail_any_more(folder, bus):
    with Relay({'RCPT': [b'550 5.1.1 no such user\r\n', b'250 ok\r\n']}) as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\n').start()
        ok(rig, 'partner', 'set', '--sender', 'reports@msp.example')
        ok(rig, 'admin', 'test-mail', 'noc@msp.example')
        quiet(rig)
        second = ok(rig, 'admin', 'test-mail', 'NOC@msp.example')['id']
        quiet(rig)
        assert ok(rig, 'message', 'show', second)['state'] == 'dead' and relay.messages == []
        ok(rig, 'report', 'bounce', 'noc@msp.example', '--clear')
        ok(rig, 'message', 'replay', second)
        quiet(rig)
        assert len(relay.messages) == 1 and ok(rig, 'message', 'show', second)['state'] == 'delivered'
        rig.stop()


def test_a_code_that_could_not_be_delivered_is_not_replayed(folder, bus):
    with Relay({'RCPT': b'550 5.7.1 never\r\n'}) as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\n').start()
        customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
        ok(rig, 'report', 'verify', customer, 'c@contoso.example')
        quiet(rig)
        refused(rig, 5, 'wiped', 'message', 'replay', ok(rig, 'message', 'list')[0]['id'])
        rig.stop()


# ---- hand-over, the end ----

@pytest.mark.parametrize('language, word', [('en', 'itself'), ('de', 'selbst')])
def test_a_customer_that_takes_over_gets_a_letter(rig, contoso, language, word):
    ok(rig, 'customer', 'edit', contoso, '--language', language)
    assert rig.ctl('customer', 'mode', contoso, 'customer', '--dry-run').returncode == 0 and mails(rig) == []
    ok(rig, 'customer', 'mode', contoso, 'customer')
    letter = mail(rig, 'admin@contoso.example')
    assert 'Contoso GmbH' in letter['Subject'] and word in letter['Subject'] and 'Müller & Söhne MSP' in text_of(letter)
    assert ok(rig, 'message', 'list')[0]['event'] == 'hand-over'
    ok(rig, 'customer', 'mode', contoso, 'customer')
    assert len(mails(rig)) == 1


def test_a_customer_on_its_way_out_gets_no_reports(rig, contoso):
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example')
    ok(rig, 'report', 'verify', contoso, 'c@contoso.example', codes(rig, 'c@contoso.example')[0])
    ok(rig, 'customer', 'disconnect', contoso, '--confirm', 'Contoso GmbH', '--yes')
    export = ok(rig, 'report', 'export', 'customers', '--output', rig.folder / 'x.xlsx')['id']
    ok(rig, 'report', 'send', export, '--to', 'c@contoso.example')
    assert recipients(rig, export) == {'c@contoso.example': ('failed', 'service-reports-off')}
    ok(rig, 'customer', 'reconnect', contoso)
    ok(rig, 'report', 'send', export, '--to', 'c@contoso.example')
    quiet(rig)
    assert [r['state'] for r in ok(rig, 'report', 'show', export)['recipients']] == ['failed', 'sent']
