# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts rely on: dry runs, options, answers and refusals have one shape everywhere."""
import json

import pytest
from jeepney import DBusAddress, new_method_call

from conftest import NAME, PATH, PREFIX, BusError, Client, Rig, wait_until

DRY = ['--dry-run', '--json']


def refused(rig, kind, code, interface, member, signature, *arguments):
    with pytest.raises(BusError) as e:
        rig.call(interface, member, signature, *arguments)
    assert (e.value.kind, e.value.code) == (kind, code), e.value
    return e.value.message


def dry(rig, *words, exit=0):
    done = rig.ctl(*words, *DRY)
    assert done.returncode == exit and done.stderr == '', done
    answer = json.loads(done.stdout)
    assert answer['dry_run'] is True and set(answer) == {'dry_run', 'count', 'refused', 'items'}
    for item in answer['items']:
        assert set(item) == {'n', 'line', 'customer', 'organization', 'before', 'after', 'outcome', 'reason', 'message', 'finished'}
    return answer


def records(rig):
    return rig.json('Audit', 'Verify', 'sa{sv}', '', {})['records']


def test_a_dry_run_of_any_verb_has_the_one_shape_and_leaves_nothing(rig):
    identity = rig.onboard('Contoso', 'a@x.example')
    rig.ctl('view', 'save', 'gold', '--filter', 'tag = gold')
    before, partner, views = records(rig), rig.json('Partner', 'Describe', 's', ''), rig.call('Views', 'List', 'a{sv}', {})
    for words in (['view', 'save', 'other'], ['view', 'edit', 'gold', '--sort', '-created'], ['view', 'delete', 'gold', '--yes'],
                  ['partner', 'set', '--name', 'MSP'], ['task', 'pause'], ['admin', 'log-level', 'debug'],
                  ['admin', 'backup', rig.folder / 'b.db'],
                  ['report', 'export', 'customers', '--output', rig.folder / 'r.xlsx'],
                  ['customer', 'disconnect', 'Contoso', '--confirm', 'Contoso'], ['customer', 'edit', 'Contoso', '--phone', '1']):
        answer = dry(rig, *words)
        assert answer['count'] == 1 and answer['refused'] == 0 and answer['items'][0]['outcome'] == 'ok', words
        if words[0] == 'customer':
            assert answer['items'][0]['customer'] == identity and answer['items'][0]['organization'] == 'Contoso'
    # Nobody has to type a name to see what would come of it; a wrong one is told.
    for typed in ([], ['--confirm', 'Contoso']):
        assert dry(rig, 'customer', 'disconnect', 'Contoso', *typed)['items'][0]['after'] == {'state': 'disconnecting'}
    assert not (rig.folder / 'b.db').exists() and not (rig.folder / 'r.xlsx').exists()
    assert records(rig) == before and rig.json('Partner', 'Describe', 's', '') == partner and rig.call('Views', 'List', 'a{sv}', {}) == views
    status = rig.json('Manager', 'Status', 'sa{sv}', '', {})
    assert status['log_level'] == 'info' and status['queue']['paused'] is False


def test_a_dry_run_that_finds_a_refusal_is_an_answer(rig):
    rig.onboard('Contoso', 'a@x.example')
    rig.ctl('view', 'save', 'gold')
    local = ['--first-name', 'A', '--last-name', 'B', '--country', 'DE']
    for code, words in (('account-exists', ['customer', 'onboard', '--organization', 'Two', '--account', 'A@x.example', *local]),
                        ('name-differs', ['customer', 'disconnect', 'Contoso', '--confirm', 'contoso']),
                        ('not-disconnecting', ['customer', 'reconnect', 'Contoso']),
                        ('view-exists', ['view', 'save', 'gold']), ('stale-revision', ['partner', 'set', '--name', 'X', '--revision', '7'])):
        answer = dry(rig, *words, exit=5)
        assert answer['refused'] == 1 and answer['items'][0]['reason'] == code and answer['items'][0]['message'], words
    assert dry(rig, 'customer', 'reconnect', 'Contoso', exit=5)['items'][0]['organization'] == 'Contoso'
    assert rig.ctl('view', 'show', 'none', '--json').returncode == 3
    done = rig.ctl('view', 'delete', 'none', '--yes', *DRY)
    assert done.returncode == 3 and json.loads(done.stderr)['error']['code'] == 'no-such-view'
    assert rig.ctl('view', 'edit', 'gold', '--columns', 'nothing', *DRY).returncode == 2


def test_a_dry_import_names_customers_as_the_import_does(rig):
    identity = rig.onboard('Old', 'old@x.example')
    path = rig.folder / 'a.csv'
    path.write_text('organization,registered_account,first_name,last_name,country\nOld,old@x.example,Ada,Example,DE\n'
                    'Old,old@x.example,Ada,Example,AT\nNew,new@x.example,A,B,DE\nBad,bad@x.example,A,B,ZZ\n')
    items = dry(rig, 'customer', 'import', path, '--update', exit=5)['items']
    assert [(i['line'], i['customer'], i['organization'], i['outcome'], i['reason']) for i in items] == [
        (2, identity, 'Old', 'ok', 'exists'), (3, None, 'Old', 'refused', 'failed'), (4, None, 'New', 'ok', None), (5, None, 'Bad', 'refused', 'failed')]
    path.write_text('organization,registered_account,first_name,last_name,country\nOld,old@x.example,Ada,Example,AT\n')
    item = dry(rig, 'customer', 'import', path, exit=5)['items'][0]
    assert (item['customer'], item['organization'], item['reason']) == (identity, 'Old', 'already-managed')
    item = dry(rig, 'customer', 'import', path, '--update')['items'][0]
    assert item['customer'] == identity and item['before'] == {'country': 'DE'} and item['after'] == {'country': 'AT'}


def every_change(identity):
    local = {k: ('s', v) for k, v in dict(organization='O', registered_account='o@x.example', first_name='A', last_name='B', country='DE').items()}
    return [('Customers', 'Onboard', 'a{sv}a{sv}', local), ('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', '1')}),
            ('Customers', 'Pin', 'asa{sv}a{sv}', [identity], {}), ('Customers', 'Disconnect', 'sa{sv}', identity),
            ('Customers', 'Reconnect', 'sa{sv}', identity), ('Customers', 'Dashboard', 'sa{sv}', identity), ('Partner', 'Set', 'sa{sv}', ''),
            ('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'v')}), ('Tasks', 'Pause', 'sa{sv}', ''), ('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'audit')}),
            ('Manager', 'LogLevel', 'sa{sv}', ''), ('Manager', 'Status', 'sa{sv}', ''), ('Audit', 'Verify', 'sa{sv}', '')]


@pytest.mark.parametrize('option, value', [('request_id', ('t', 1)), ('revision', ('s', 'x')), ('dry_run', ('s', 'yes')), ('confirm', ('b', True)),
                                           ('on_behalf_of', ('t', 1)), ('nonsense', ('s', 'x'))])
def test_an_option_is_refused_by_name_wherever_it_stands(rig, option, value):
    identity = rig.onboard('Contoso', 'a@x.example')
    for interface, member, signature, *arguments in every_change(identity):
        message = refused(rig, 'InvalidArgument', 'unknown-key' if option == 'nonsense' else 'wrong-type', interface, member, signature, *arguments, {option: value})
        assert f'field: {option}' in message, (member, message)
    with open('/dev/null') as file:
        refused(rig, 'InvalidArgument', 'unknown-key', 'Customers', 'Import', 'ha{sv}a{sv}', file, {}, {'dry_run': ('b', True), 'other': ('s', 'x')})
    assert len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == 1


@pytest.mark.parametrize('option', ['request_id', 'on_behalf_of'])
def test_who_and_which_are_one_line_of_text(rig, option):
    for text in ('', 'a\x07', 'a\nb', 'a\u202eb', 'x' * 201):
        with pytest.raises(BusError) as e:
            rig.call('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'MSP'), option: ('s', text)})
        assert e.value.kind == 'InvalidArgument' and f'field: {option}' in e.value.message
    assert rig.json('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'MSP'), option: ('s', 'Köln 7')})['revision'] == 1


def test_keys_that_mean_nothing_are_refused(rig):
    identity = rig.onboard('Contoso', 'a@x.example')
    for member in ('Pin', 'Unpin', 'HideExpired', 'ShowExpired'):
        refused(rig, 'InvalidArgument', 'unknown-key', 'Customers', member, 'asa{sv}a{sv}', [identity], {'phone': ('s', '1')}, {})
    for option in ('end_subscriptions', 'request_tenant_deletion'):
        message = refused(rig, 'InvalidArgument', 'wrong-type', 'Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', 'Contoso'), option: ('s', 'yes')})
        assert f'field: {option}' in message
    assert rig.customer(identity)['state'] == 'active' and rig.customer(identity)['pinned'] is False


def test_what_a_later_part_brings_is_not_found(rig):
    rig.onboard('Contoso', 'a@x.example')
    assert rig.ctl('customer', 'disconnect', 'Contoso', '--confirm', 'Contoso', '--request-tenant-deletion').returncode == 3
    for option, value in (('--notification', 'noc'), ('--billing-profile', 'standard'), ('--data-center', 'eu')):
        assert rig.ctl('customer', 'edit', 'Contoso', option, value).returncode == 3
    assert rig.customer('Contoso')['state'] == 'active'


def test_the_partners_contacts_have_their_type(rig):
    assert rig.call('Partner', 'Get', 's', '')[0]['contacts'] == ('aa{ss}', [])
    rig.call('Partner', 'Set', 'sa{sv}', '', {'contacts': ('aa{ss}', [{'role': 'billing', 'address': 'a@b.example'}])})
    assert rig.call('Partner', 'Get', 's', '')[0]['contacts'] == ('aa{ss}', [{'address': 'a@b.example', 'role': 'billing'}])


def onboard(rig, **fields):
    return rig.json('Customers', 'Onboard', 'a{sv}a{sv}', {k: ('s', v) for k, v in fields.items()}, {})


def test_every_kind_but_local_is_kept_as_invited(rig):
    for kind in ('m365', 'm365-gov', 'google', 'salesforce', 'link'):
        done = rig.ctl('customer', 'onboard', '--type', kind, '--organization', f'By {kind}', '--email', 'owner@x.example')
        assert done.returncode == 0 and 'invitations are not available yet' in done.stdout, done
        shown = rig.customer(f'By {kind}')
        assert (shown['state'], shown['account_type'], shown['management_mode']) == ('invited', kind, 'unset')


def test_an_email_is_an_address_and_belongs_to_an_invitation(rig):
    identity = rig.onboard('Contoso', 'a@x.example')
    fields = {'account_type': ('s', 'm365'), 'organization': ('s', 'M'), 'email': ('s', 'no address')}
    assert 'field: email' in refused(rig, 'InvalidArgument', 'bad-address', 'Customers', 'Onboard', 'a{sv}a{sv}', fields, {})
    assert rig.ctl('customer', 'onboard', '--organization', 'L', '--account', 'l@x.example', '--first-name', 'A', '--last-name', 'B', '--country', 'DE',
                   '--email', 'e@x.example').returncode == 2
    refused(rig, 'InvalidArgument', 'no-invitation', 'Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'email': ('s', 'e@x.example')}, {})


def test_the_partner_is_no_customer_of_its_own(rig):
    rig.call('Partner', 'Set', 'sa{sv}', '', {'account': ('s', 'ops@msp.example')})
    identity = rig.onboard('Contoso', 'a@x.example')
    with pytest.raises(BusError) as e:
        rig.onboard('Self', 'OPS@MSP.example')
    assert (e.value.kind, e.value.code) == ('Refused', 'same-as-partner')
    refused(rig, 'Refused', 'same-as-partner', 'Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'registered_account': ('s', 'ops@msp.example')}, {})
    path = rig.folder / 'self.csv'
    path.write_text('organization,registered_account,first_name,last_name,country\nSelf,Ops@msp.example,A,B,DE\n')
    done = rig.ctl('customer', 'import', path, '--json')
    assert done.returncode == 7 and json.loads(done.stdout)['items'][0]['reason'] == 'same-as-partner'


def test_exports_of_a_noun_are_its_own_method_and_right(rig):
    rig.onboard('Contoso', 'a@x.example')
    operation = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'country = DE')})['id']
    rig.wait_operation(operation)
    assert [i['organization'] for i in json.loads(rig.ctl('operation', 'export', operation, '--format', 'json', '--output', '-').stdout)] == ['Contoso']
    assert len(json.loads(rig.ctl('audit', 'export', '--verb', 'customer.onboard', '--format', 'json', '--output', '-').stdout)) == 1
    verbs = {r['verb'] for r in json.loads(rig.call('Audit', 'List', 'a{sv}', {})[0])}
    assert {'audit.export', 'operation.export'} <= verbs and 'report.export' not in verbs
    refused(rig, 'InvalidArgument', 'unknown-key', 'Audit', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers')}, {})
    refused(rig, 'NotFound', 'no-such-operation', 'Operations', 'Export', 'a{sv}a{sv}', {'operation': ('s', '0' * 32)}, {})


def test_text_shows_the_partners_zone_everywhere(rig):
    rig.call('Partner', 'Set', 'sa{sv}', '', {'time_zone': ('s', 'Asia/Tokyo')})
    assert rig.ctl('report', 'export', 'customers', '--output', rig.folder / 'r.csv').stdout.count(' JST\n') == 1
    report = json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0])[0]['id']
    for words in (['report', 'show', report], ['report', 'list'], ['report', 'save', report, '--output', rig.folder / 's.csv']):
        assert ' JST' in rig.ctl(*words).stdout, words


def test_a_selector_beside_a_view_stands_by_itself(rig):
    rig.onboard('Contoso', 'a@x.example', tags=('as', ['gold']))
    rig.onboard('Fabrikam', 'b@x.example')
    rig.ctl('view', 'save', 'gold', '--filter', 'tag = gold')
    query = lambda selector: {'view': ('s', 'gold'), 'selector': ('s', selector)}
    assert 'at character 1:' in refused(rig, 'InvalidArgument', 'bad-selector', 'Customers', 'List', 'a{sv}', query('nothing = 1'))
    refused(rig, 'InvalidArgument', 'bad-selector', 'Customers', 'List', 'a{sv}', query('country = DE) or (country = DE'))
    refused(rig, 'InvalidArgument', 'bad-selector', 'Customers', 'List', 'a{sv}', query(''))
    assert len(json.loads(rig.call('Customers', 'List', 'a{sv}', query('country = DE or country = AT'))[0])) == 1


def test_views_have_no_time(rig):
    rig.ctl('view', 'save', 'gold')
    assert 'field: since' in refused(rig, 'InvalidArgument', 'no-time', 'Views', 'List', 'a{sv}', {'since': ('t', 1)})
    assert rig.json('Audit', 'List', 'a{sv}', {})[0]['after'] == {'name': 'gold', 'selector': None, 'columns': [], 'sort': None}


def test_a_list_names_its_times_as_criteria(rig):
    rig.onboard('Contoso', 'a@x.example')
    assert rig.ctl('audit', 'list', '--since', '2999-01-01').stdout == 'audit records since 2999-01-01: 0\n'
    assert rig.ctl('audit', 'list', '--outcome', 'ok', '--since', '1h', '--columns', 'n').stdout.splitlines()[0] == 'audit records with outcome = ok since 1h: 1'


def test_status_is_read_by_people_a_line_each(rig):
    rig.call('Tasks', 'Pause', 'sa{sv}', '', {})
    lines = rig.ctl('admin', 'status').stdout.splitlines()
    assert lines[0].split() == ['version', '0.1'] and all(len(line) < 120 for line in lines), lines
    assert 'queue.workers' in [line.split(' ')[0] for line in lines[lines.index('defaults in force'):]]
    assert rig.ctl('admin', 'status', '--columns', 'version').stdout == 'version  0.1\n'
    assert 'the queue is paused: task resume lets it go on' in lines[lines.index('warnings'):]


def test_a_dashboard_names_who_did_what(rig):
    rig.onboard('Contoso', 'a@x.example')
    assert 'ACTOR' in rig.ctl('customer', 'dashboard', 'Contoso').stdout and '  root  ' in rig.ctl('customer', 'dashboard', 'Contoso').stdout


def test_a_dashboard_draws_what_is_counted_by_day_and_says_when_it_is_made_up(rig):
    identity = rig.onboard('Contoso', 'a@x.example')
    text, rows = (rig.ctl('customer', 'dashboard', 'Contoso', '--sample', *more).stdout for more in ([], ['--json']))
    assert text.startswith(f'Contoso\nid  {identity}\n\nfacts\n') and text.index('their figures are made up') < text.index('\njobs\n')
    bars = {line.split()[0]: line.split()[3:] for line in text[text.index('\njobs\n'):text.index('\nstorage\n')].splitlines() if line.startswith('20')}
    jobs = json.loads(rows)['panels']['jobs']
    longest = max(r['finished'] + r['failed'] for r in jobs)
    assert len(jobs) == len(bars) == 7
    for row in jobs:
        bar, = bars[row['day']]
        assert bar == '█' * bar.count('█') + '░' * bar.count('░') and (bar.count('░') > 0) == (row['failed'] > 0), row
        assert abs(len(bar) - 30 * (row['finished'] + row['failed']) / longest) <= 1 and abs(bar.count('█') - 30 * row['finished'] / longest) <= 1, (row, bar)
    assert '█' not in rig.ctl('customer', 'dashboard', 'Contoso').stdout


def test_status_lists_every_default_in_force_and_no_other(folder, bus):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 7\n[admin]\nquiet_hour = 04:05\n').start()
    keys = {d['key']: d['message'] for d in rig.json('Manager', 'Status', 'sa{sv}', '', {})['defaults']}
    rig.stop()
    assert set(keys) >= {'queue.workers', 'render.limit_minutes', 'keep.jobs_days', 'keep.reports_days', 'keep.outbox_days', 'keep.audit_days',
                         'admin.backup_directory'}
    assert 'customer.grace_days' not in keys and 'admin.quiet_hour' not in keys and 'config' not in keys
    assert str(rig.state) in keys['admin.backup_directory'] and '400' in keys['keep.jobs_days']


def test_a_user_has_so_many_calls_in_flight(rig):
    rig.onboard('Contoso', 'a@x.example')
    rig.call('Tasks', 'Pause', 'sa{sv}', '', {})
    clients = [Client(rig.bus.address) for _ in range(3)]
    for client in clients:
        client.call('Customers', 'Count', 'a{sv}', {})
    for client in clients:
        for i in range(100):                         # each waits for a task that does not start
            message = new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Reports'), 'Export', 'a{sv}a{sv}', ({'kind': ('s', 'customers'), 'format': ('s', 'csv')}, {}))
            client.connection.send(message, serial=1000 + i)
    def turned_away():
        try:
            rig.call('Customers', 'List', 'a{sv}', {})
        except BusError as e:
            return (e.kind, e.code) == ('LimitExceeded', 'too-many-calls')
    wait_until('the limit', turned_away)
    for client in clients:
        client.close()
    wait_until('room for the next call', lambda: rig.ctl('task', 'resume').returncode == 0)
    assert rig.customer('Contoso')['organization'] == 'Contoso'


def test_a_name_nobody_can_have_is_shown_and_has_nobody_near(rig):
    rig.onboard('Contoso', 'a@x.example')
    for name in ('x' * 900, 'ä' * 70000, '   '):
        message = refused(rig, 'NotFound', 'no-such-customer', 'Customers', 'Describe', 's', name)
        assert f'"{name[:20]}' in message and 'candidates' not in message and len(message) < 600
