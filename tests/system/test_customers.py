# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator does to customers, over the bus."""
import json
import os
import tempfile

import pytest
from jeepney import DBusAddress, HeaderFields, new_method_call

from conftest import DEADLINE, NAME, PATH, PREFIX, BusError, wait_until


def edit(rig, reference, fields, **options):
    return rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [reference], fields, options)


def listed(rig, **query):
    typed = {'selector': 's', 'search': 's', 'sort': 's', 'view': 's', 'cursor': 's', 'limit': 'u', 'columns': 'as'}
    rows, following = rig.call('Customers', 'List', 'a{sv}', {k: (typed[k], v) for k, v in query.items()})
    return json.loads(rows), following


def test_onboarded_customer_is_shown_with_every_key(rig):
    identity = rig.onboard('Contoso GmbH', 'admin@contoso.example', tags=('as', ['gold']))
    shown = rig.customer(identity)
    assert shown['organization'] == 'Contoso GmbH' and shown['tags'] == ['gold'] and shown['state'] == 'active'
    assert shown['management_mode'] == 'partner' and shown['status'] == 'not-applicable'
    for key in ('cloud', 'phone', 'data_center', 'language', 'time_zone', 'symbol', 'next_expiration', 'notification'):
        assert shown[key] is None
    for reference in (identity[:8], 'ADMIN@contoso.EXAMPLE', ' Contoso GmbH '):
        assert rig.customer(reference)['id'] == identity


def test_missing_fields_are_named(rig):
    with pytest.raises(BusError) as e:
        rig.call('Customers', 'Onboard', 'a{sv}a{sv}', {'organization': ('s', 'X')}, {})
    assert (e.value.kind, e.value.code) == ('InvalidArgument', 'missing') and 'field: registered_account' in e.value.message


def test_account_is_unique_ignoring_case(rig):
    rig.onboard('One', 'a@one.example')
    with pytest.raises(BusError) as e:
        rig.onboard('Two', 'A@ONE.example')
    assert e.value.kind == 'Exists'


def test_ambiguous_and_unknown_names_list_candidates(rig):
    rig.onboard('Twin', 'a@twin.example')
    rig.onboard('Twin', 'b@twin.example')
    with pytest.raises(BusError) as e:
        rig.customer('Twin')
    assert e.value.kind == 'Ambiguous' and e.value.message.count('Twin (') == 2
    with pytest.raises(BusError) as e:
        rig.customer('Twi')
    assert e.value.kind == 'NotFound' and 'candidates: Twin' in e.value.message


def test_stale_revision_is_refused_and_nothing_changes(rig):
    identity = rig.onboard('One', 'a@one.example')
    assert edit(rig, identity, {'phone': ('s', '1')}, revision=('t', 1))['revision'] == 2
    with pytest.raises(BusError) as e:
        edit(rig, identity, {'phone': ('s', '2')}, revision=('t', 1))
    assert (e.value.kind, e.value.code) == ('Conflict', 'stale-revision')
    assert rig.customer(identity)['phone'] == '1'


def test_request_id_gives_the_first_answer_and_acts_once(rig):
    fields = {k: ('s', v) for k, v in dict(organization='One', registered_account='a@one.example', first_name='A', last_name='B', country='DE').items()}
    first = rig.json('Customers', 'Onboard', 'a{sv}a{sv}', fields, {'request_id': ('s', 'r1')})
    assert rig.json('Customers', 'Onboard', 'a{sv}a{sv}', fields, {'request_id': ('s', 'r1')}) == first
    assert len(listed(rig)[0]) == 1
    with pytest.raises(BusError) as e:
        rig.call('Customers', 'Onboard', 'a{sv}a{sv}', {**fields, 'country': ('s', 'AT')}, {'request_id': ('s', 'r1')})
    assert (e.value.kind, e.value.code) == ('Conflict', 'request-id-reused')
    refused = []
    for _ in range(2):
        with pytest.raises(BusError) as e:
            rig.call('Customers', 'Onboard', 'a{sv}a{sv}', fields, {'request_id': ('s', 'r2')})
        refused.append((e.value.kind, e.value.code))
    assert refused[0] == refused[1] == ('Exists', 'account-exists')


def test_every_change_and_refusal_leaves_one_audit_record(rig):
    identity = rig.onboard('One', 'a@one.example')
    edit(rig, identity, {'country': ('s', 'AT')})
    with pytest.raises(BusError):
        edit(rig, identity, {'country': ('s', 'UK')})
    with pytest.raises(BusError):
        edit(rig, identity, {'nonsense': ('s', 'x')})
    edit(rig, identity, {'phone': ('s', '5')}, dry_run=('b', True))
    records = json.loads(rig.call('Audit', 'List', 'a{sv}', {'sort': ('s', 'n')})[0])
    assert [(r['verb'], r['outcome'], r['code']) for r in records] == [
        ('customer.onboard', 'ok', None), ('customer.edit', 'ok', None),
        ('customer.edit', 'refused', 'unknown-country'), ('customer.edit', 'refused', 'unknown-key')]
    assert records[1]['before'] == {'country': 'DE'} and records[1]['after'] == {'country': 'AT'}
    assert records[1]['object'] == identity
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['records'] == 4


def test_modes_go_one_way(rig):
    identity = rig.onboard('One', 'a@one.example')
    mode = lambda m: rig.json('Customers', 'Mode', 'asa{sv}a{sv}', [identity], {'mode': ('s', m)}, {})
    mode('customer')
    with pytest.raises(BusError) as e:
        mode('partner')
    assert (e.value.kind, e.value.code) == ('Refused', 'take-back-needed')


def test_deliveries_need_recipients(rig):
    identity = rig.onboard('One', 'a@one.example')
    with pytest.raises(BusError) as e:
        edit(rig, identity, {'deliveries.service_reports.enabled': ('b', True)})
    assert (e.value.kind, e.value.code) == ('Refused', 'no-recipients')
    edit(rig, identity, {'deliveries.service_reports.enabled': ('b', True),
                         'deliveries.service_reports.recipients': ('as', ['Ada <c@x.example>; C@X.example', 'd@x.example'])})
    assert rig.customer(identity)['deliveries.service_reports.recipients'] == ['c@x.example', 'd@x.example']


def test_lists_and_pairs_replace_the_set_and_clear_empties(rig):
    identity = rig.onboard('One', 'a@one.example')
    contact = {'name': 'Ada', 'address': 'b@one.example', 'role': 'billing'}
    edit(rig, identity, {'tags': ('as', ['b', 'a', 'B']), 'custom': ('a{ss}', {'site': 'north'}), 'contacts': ('aa{ss}', [contact]),
                         'phone': ('s', '1'), 'time_zone': ('s', 'Europe/Berlin'), 'language': ('s', 'de')})
    shown = rig.customer(identity)
    assert shown['tags'] == ['a', 'b'] and shown['custom'] == {'site': 'north'}
    assert shown['contacts'] == [{**contact, 'language': None}]
    edit(rig, identity, {'clear': ('as', ['tags', 'custom', 'contacts', 'phone', 'time_zone', 'language'])})
    shown = rig.customer(identity)
    assert (shown['tags'], shown['custom'], shown['contacts'], shown['phone'], shown['time_zone']) == ([], {}, [], None, None)
    with pytest.raises(BusError) as e:
        edit(rig, identity, {'time_zone': ('s', 'europe/berlin')})
    assert e.value.code == 'unknown-zone' and 'Europe/Berlin' in e.value.message


def test_bulk_edit_by_selector_reports_each_customer_and_can_be_reverted(rig):
    ids = [rig.onboard(f'Org {i:02d}', f'a{i}@x.example', tags=('as', ['gold'])) for i in range(12)]
    row = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'country': ('s', 'CH')}, {'selector': ('s', 'tag = gold')})
    assert row['kind'] == 'customer.edit' and row['total'] == 12
    done = rig.wait_operation(row['id'])
    assert (done['state'], done['ok'], len(done['items'])) == ('finished', 12, 12)
    assert done['items'][0]['before'] == {'country': 'DE'} and done['items'][0]['after'] == {'country': 'CH'}
    edit(rig, ids[3], {'country': ('s', 'FR')})
    back = rig.wait_operation(rig.json('Operations', 'Revert', 'sa{sv}', row['id'], {})['id'])
    assert (back['state'], back['ok'], back['refused']) == ('partially-failed', 11, 1)
    assert [i['reason'] for i in back['items'] if i['outcome'] == 'refused'] == ['changed-since']
    assert rig.customer(ids[0])['country'] == 'DE' and rig.customer(ids[3])['country'] == 'FR'
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


def test_a_mode_is_taken_back_by_no_other_way_than_an_edit(rig):
    ids = [rig.onboard(f'Org {i}', f'a{i}@x.example') for i in range(2)]
    row = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'management_mode': ('s', 'customer'), 'phone': ('s', '1')}, {})
    assert rig.wait_operation(row['id'])['ok'] == 2
    back = rig.wait_operation(rig.json('Operations', 'Revert', 'sa{sv}', row['id'], {})['id'])
    assert (back['state'], {i['reason'] for i in back['items']}) == ('failed', {'take-back-needed'})
    assert {(rig.customer(i)['management_mode'], rig.customer(i)['phone']) for i in ids} == {('customer', '1')}


def test_bulk_dry_run_tells_refusals_and_leaves_nothing(rig):
    for i in range(15):
        rig.onboard(f'Org {i:02d}', f'a{i}@x.example')
    records = rig.json('Audit', 'Verify', 'sa{sv}', '', {})['records']
    answer = rig.json('Customers', 'Mode', 'asa{sv}a{sv}', [], {'mode': ('s', 'unset')}, {'selector': ('s', 'country = DE'), 'dry_run': ('b', True)})
    assert (answer['count'], answer['refused'], len(answer['items'])) == (15, 15, 15)
    answer = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'country = DE'), 'dry_run': ('b', True)})
    assert (answer['count'], answer['refused'], len(answer['items'])) == (15, 0, 10)
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['records'] == records


def test_bulk_dry_run_of_many_lets_others_be_served(rig):
    lines = ''.join(f'Org {i},a{i}@x.example,local,A,B,DE\n' for i in range(2000))
    with tempfile.TemporaryFile() as file:
        file.write(('organization,registered_account,account_type,first_name,last_name,country\n' + lines).encode())
        file.seek(0)
        rig.wait_operation(rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
    dry = {'selector': ('s', 'country = DE'), 'dry_run': ('b', True)}
    connection, serials, answers, both = rig.client.connection, [], [], b''
    for member, signature, body in (('Edit', 'asa{sv}a{sv}', ([], {'phone': ('s', '1')}, dry)), ('Count', 'a{sv}', ({},))):
        serials.append(next(connection.outgoing_serial))
        both += new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Customers'), member, signature, body).serialise(serials[-1])
    connection.sock.sendall(both)            # in one breath: else the first may be over before the second is there
    while len(answers) < 2:
        message = connection.receive(timeout=DEADLINE)
        if message.header.fields.get(HeaderFields.reply_serial) in serials:
            answers.append(message.body[0])
    assert answers[0] == 2000                # who asked later is answered first
    answer = json.loads(answers[1])
    assert (answer['count'], answer['refused'], len(answer['items'])) == (2000, 0, 10)
    names = [f'Org {i}' for i in range(300)]
    answer = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', names, {'phone': ('s', '1')}, {'dry_run': ('b', True)})
    assert (answer['count'], answer['refused']) == (300, 0)
    with pytest.raises(BusError) as e:
        rig.json('Customers', 'Edit', 'asa{sv}a{sv}', names + ['nobody'], {'phone': ('s', '1')}, {'dry_run': ('b', True)})
    assert e.value.kind == 'NotFound'
    with pytest.raises(BusError) as e:
        rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {**dry, 'confrim': ('s', 'x')})
    assert e.value.code == 'unknown-key'
    assert listed(rig, selector='phone = 1')[0] == []


@pytest.mark.slow
def test_pages_of_long_rows_are_shorter_than_asked(rig):
    """The bus drops who sends more than 32 MiB: 420 customers with all that custom fields may hold are more."""
    lines = ''.join(f'Org {i:03d},a{i}@x.example,local,A,B,DE\n' for i in range(420))
    with tempfile.TemporaryFile() as file:
        file.write(('organization,registered_account,account_type,first_name,last_name,country\n' + lines).encode())
        file.seek(0)
        rig.wait_operation(rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
    custom = {f'field {i}': '\U0001f600' * 1000 for i in range(20)}
    row = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'custom': ('a{ss}', custom)}, {'selector': ('s', 'country = DE')})
    wait_until('the end of the operation', lambda: listed(rig, limit=1, selector='"custom.field 19" ~ "\U0001f600"', sort='-organization', columns=['organization'])[0]
               == [{'organization': 'Org 419'}] and json.loads(rig.call('Operations', 'List', 'a{sv}', {})[0])[0]['state'] == 'finished', 4 * DEADLINE)
    seen, cursor, pages = [], '', 0
    while True:
        rows, cursor = listed(rig, limit=500, columns=['organization', 'custom'], cursor=cursor)
        assert all(r['custom'] == custom for r in rows)
        seen += [r['organization'] for r in rows]
        pages += 1
        if not cursor:
            break
    assert seen == [f'Org {i:03d}' for i in range(420)] and pages > 1
    shown = rig.json('Operations', 'Describe', 's', row['id'])
    assert shown['ok'] == 420 and 100 < len(shown['items']) < 420 and 'operation export' in shown['note']


def test_dictionaries_of_very_many_keys_are_refused(rig):
    """Each key is looked for among those before it: a message holds a million."""
    many = {f'key {i}': ('s', '') for i in range(20000)}
    for member, signature, body in (('Onboard', 'a{sv}a{sv}', (many, {})), ('List', 'a{sv}', (many,)),
                                    ('Onboard', 'a{sv}a{sv}', ({'custom': ('a{ss}', dict.fromkeys(many, ''))}, {}))):
        with pytest.raises(BusError) as e:
            rig.call('Customers', member, signature, *body)
        assert (e.value.kind, e.value.code) == ('LimitExceeded', 'too-many-keys')


def test_pages_walk_every_customer_once_in_both_directions(rig):
    for i in range(23):
        rig.onboard(f'Org {i % 5}', f'a{i}@x.example')
    for sort in ('organization', '-organization', 'created', '-country'):
        seen, cursor = [], ''
        while True:
            rows, cursor = listed(rig, sort=sort, limit=4, cursor=cursor)
            seen += [r['id'] for r in rows]
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 23
    with pytest.raises(BusError) as e:
        _, cursor = listed(rig, limit=4)
        listed(rig, limit=4, cursor=cursor, sort='-organization')
    assert e.value.kind == 'InvalidArgument'


def test_search_folds_letters_of_any_script(rig):
    for name, account in (('Müller & Söhne', 'm'), ('STRASSE Nord', 's'), ('Αρτοποιείο ΗΛΙΟΣ', 'g'), ('İnci Mobilya', 't')):
        rig.onboard(name, f'{account}@x.example')
    found = lambda word: [r['organization'] for r in listed(rig, search=word)[0]]
    assert found('muller') == ['Müller & Söhne'] and found('straße') == ['STRASSE Nord']
    assert found('ήλιος') == ['Αρτοποιείο ΗΛΙΟΣ'] and found('inci') == ['İnci Mobilya'] and found('%') == []


def test_views_keep_selector_columns_and_sort(rig):
    rig.onboard('Gold One', 'a@x.example', tags=('as', ['gold']))
    rig.onboard('Other', 'b@x.example')
    rig.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'golden'), 'selector': ('s', 'tag = gold'), 'columns': ('as', ['organization'])}, {})
    assert listed(rig, view='golden')[0] == [{'organization': 'Gold One'}]
    with pytest.raises(BusError) as e:
        rig.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'golden')}, {})
    assert e.value.kind == 'Exists'
    with pytest.raises(BusError) as e:
        rig.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'bad'), 'selector': ('s', 'tag = ')}, {})
    assert e.value.kind == 'InvalidArgument'
    rig.json('Views', 'Delete', 'sa{sv}', 'golden', {})
    with pytest.raises(BusError) as e:
        listed(rig, view='golden')
    assert e.value.kind == 'NotFound'


def test_pins_belong_to_the_caller_and_come_first_by_request(rig):
    identity = rig.onboard('One', 'a@x.example')
    rig.onboard('Two', 'b@x.example')
    rig.json('Customers', 'Pin', 'asa{sv}a{sv}', [identity], {}, {})
    assert [r['organization'] for r in listed(rig, selector='pinned = true')[0]] == ['One']
    assert rig.customer(identity)['pinned'] is True
    rig.json('Customers', 'Unpin', 'asa{sv}a{sv}', [identity], {}, {})
    assert listed(rig, selector='pinned = true')[0] == []


def test_other_kinds_wait_as_invited(rig):
    answer = rig.json('Customers', 'Onboard', 'a{sv}a{sv}', {'organization': ('s', 'Cloudy'), 'account_type': ('s', 'm365'), 'cloud': ('s', 'gcc')}, {})
    assert answer['url'] is None and 'not available' in answer['note']
    assert rig.customer('Cloudy')['state'] == 'invited'


def test_partner_settings(rig):
    assert rig.json('Partner', 'Describe', 's', '')['currency'] == 'EUR'
    rig.json('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'MSP'), 'time_zone': ('s', 'Asia/Tokyo')})
    shown = rig.json('Partner', 'Describe', 's', '')
    assert (shown['name'], shown['time_zone'], shown['revision']) == ('MSP', 'Asia/Tokyo', 1)


def test_names_of_later_parts_are_not_found(rig):
    identity = rig.onboard('One', 'a@x.example')
    for field in ('notification', 'data_center', 'deliveries.billing.profile'):
        with pytest.raises(BusError) as e:
            edit(rig, identity, {field: ('s', 'x')})
        assert e.value.kind == 'NotFound'
    assert listed(rig, selector='service = cloud-backup-m365')[0] == []


def test_many_that_are_named_are_all_found_or_none_is_changed(rig):
    """More than are looked up on the loop."""
    csv = 'organization,registered_account,first_name,last_name,country\n' + ''.join(f'C{i},c{i}@x.example,A,B,DE\n' for i in range(300))
    assert rig.ctl('customer', 'import', '-', input=csv).returncode == 0
    names = [f'c{i}@x.example' for i in range(300)]

    def edit(names, phone, **options):
        return rig.json('Customers', 'Edit', 'asa{sv}a{sv}', names, {'phone': ('s', phone)}, options)
    with pytest.raises(BusError) as e:
        edit([*names[:299], 'nobody@x.example'], '1')
    assert e.value.kind == 'NotFound' and 'nobody@x.example' in e.value.message
    assert rig.json('Audit', 'List', 'a{sv}', {'limit': ('u', 1)})[0]['code'] == 'no-such-customer'
    with pytest.raises(BusError) as e:
        edit(names, '1', revision=('t', 1))
    assert e.value.code == 'revision-of-many' and listed(rig, selector='phone = "1"')[0] == []
    begun = edit(names, '2', request_id=('s', 'r'))
    wait_until('the end of the operation', lambda: rig.json('Operations', 'Describe', 's', begun['id'])['state'] == 'finished')
    assert rig.call('Customers', 'Count', 'a{sv}', {'selector': ('s', 'phone = "2"')})[0] == 300
    # Asked again, it is the same answer, though one of them has another name by now.
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', ['c7@x.example'], {'registered_account': ('s', 'other@x.example')}, {})
    assert edit(names, '2', request_id=('s', 'r'))['id'] == begun['id']
    assert edit(names[8:], '3', dry_run=('b', True))['count'] == 292


def test_dashboard_says_what_is_missing(rig):
    identity = rig.onboard('One', 'a@x.example')
    answer = rig.json('Customers', 'Dashboard', 'sa{sv}', identity, {})
    assert answer['customer']['id'] == identity and answer['missing']['jobs'] == 'nothing reports jobs yet'
    assert answer['panels']['activity'][0]['verb'] == 'customer.onboard'
    assert rig.json('Customers', 'Dashboard', 'sa{sv}', identity, {'sample': ('b', True)})['panels']['sample'] is True


def test_state_survives_kill_minus_nine(rig):
    identity = rig.onboard('One', 'a@x.example')
    rig.kill()
    rig.start()
    assert rig.customer(identity)['organization'] == 'One'
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['records'] == 1
