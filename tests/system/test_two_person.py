# SPDX-License-Identifier: LGPL-2.1-or-later
"""admin.two_person: a call that waits until another user approves it, and all that may come between."""
import contextlib
import json
import signal

import pytest

from conftest import BusError, Client, wait_until
from doors import ADMIN_GID, BOSS, GOLD, SILVER, STRANGER, House, bus, needs_root
from pictures import png
from test_grants import at, needs_faketime, release

pytestmark = [pytest.mark.slow, needs_root]

CONFIG = '[admin]\ntwo_person = customer.edit, customer.mode, customer.disconnect, role.grant, view.delete, report.generate\n'


@pytest.fixture
def house(folder, bus):
    house = House(folder, bus, CONFIG).start()
    yield house
    if house.process:
        house.stop()


def edit(person, identity, phone='1', **options):
    return person.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', phone)}, {k: ('s', v) for k, v in options.items()})


def approve(person, operation):
    return person.json('Operations', 'Approve', 'sa{sv}', operation, {})


def ended(house, operation):
    shown = {}

    def over():
        shown.update(house.json('Operations', 'Describe', 's', operation))
        return shown['state'] not in ('running', 'pending-approval')
    wait_until('the end of the operation', over)
    return shown


def records(house, verb):
    return [(r['actor']['uid'], r['outcome'], r['code']) for r in house.json('Audit', 'List', 'a{sv}', {'selector': ('s', f'verb = {verb}')})]


def test_another_user_approves_and_then_it_is_done_once(house):
    boss, identity = house.person(BOSS, (ADMIN_GID,)), house.onboard('Contoso', 'a@x.example')
    pending = edit(house.person(0), identity)
    assert (pending['kind'], pending['state'], pending['done'], pending['total'], pending['actor']['uid']) == ('customer.edit', 'pending-approval', 0, 1, 0)
    assert house.customer(identity)['phone'] is None
    assert approve(boss, pending['id'])['state'] == 'running'
    done = ended(house, pending['id'])
    item, = done['items']
    assert (done['state'], done['ok'], item['outcome'], item['after']) == ('finished', 1, 'ok', {'id': identity, 'revision': 2})
    assert house.customer(identity)['phone'] == '1' and house.customer(identity)['revision'] == 2
    for person in (boss, house.person(SILVER, (ADMIN_GID,))):
        assert person.refusal('Operations', 'Approve', 'sa{sv}', pending['id'], {}).code == 'not-pending'
    assert house.customer(identity)['revision'] == 2
    # That it was asked for, that it was approved, and that it was done, each with who it was.
    assert records(house, 'customer.edit') == [(0, 'ok', None), (0, 'ok', None)]
    assert records(house, 'operation.approve') == [(SILVER, 'refused', 'not-pending'), (BOSS, 'refused', 'not-pending'), (BOSS, 'ok', None)]


def test_ones_own_is_refused_over_any_connection_and_in_anybodys_name(house):
    identity = house.onboard('Contoso', 'a@x.example')
    pending = edit(house.person(BOSS, (ADMIN_GID,)), identity, on_behalf_of='ada@msp.example')['id']
    for options in ({}, {'on_behalf_of': ('s', 'bob@msp.example')}, {'dry_run': ('b', True)}):
        answer = house.person(BOSS, (ADMIN_GID,)).answers([('Operations', 'Approve', 'sa{sv}', (pending, options))])[0]
        if 'dry_run' in options:
            assert json.loads(answer[0])['items'][0]['reason'] == 'own-operation'
        else:
            assert (answer.kind, answer.code) == ('Refused', 'own-operation')
    assert house.json('Operations', 'Describe', 's', pending)['state'] == 'pending-approval' and house.customer(identity)['phone'] is None


@pytest.mark.parametrize('name', ['boss', 'Boss', str(BOSS)])
def test_a_gateway_does_not_approve_for_who_asked(house, name):
    boss, root, identity = house.person(BOSS, (ADMIN_GID,)), house.person(0), house.onboard('Contoso', 'a@x.example')
    as_boss, as_ada = {'on_behalf_of': ('s', name)}, {'on_behalf_of': ('s', 'ada@msp.example')}
    own = edit(boss, identity, '1')['id']
    by_gateway = edit(root, identity, '2', on_behalf_of=name)['id']
    for person, operation, options in ((root, own, as_boss), (boss, by_gateway, {}), (root, by_gateway, as_ada)):
        assert person.refusal('Operations', 'Approve', 'sa{sv}', operation, options).code == 'own-operation'
    for_ada = edit(root, identity, '3', on_behalf_of='ada@msp.example')['id']
    assert boss.refusal('Operations', 'Approve', 'sa{sv}', for_ada, {'on_behalf_of': ('s', 'ADA@msp.example')}).code == 'own-operation'
    assert house.customer(identity)['phone'] is None
    root.json('Operations', 'Approve', 'sa{sv}', own, as_ada)
    assert ended(house, own)['state'] == 'finished' and house.customer(identity)['phone'] == '1'


def test_who_approves_needs_a_right_and_sees_what_it_is(house):
    identity = house.onboard('Contoso', 'a@x.example', tags=('as', ['gold']))
    pending = edit(house.person(0), identity)['id']
    assert house.person(STRANGER).refusal('Operations', 'Approve', 'sa{sv}', pending, {}).kind == 'NotAuthorized'
    house.client.close()
    house.client = Client(house.bus.address)
    for uid, verbs, selector in ((GOLD, ['customer.*', 'operation.list', 'operation.show'], None), (SILVER, ['*'], 'tag = gold')):
        house.call('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', str(uid)), 'verbs': ('as', verbs)} | ({'selector': ('s', selector)} if selector else {}), {})
        grant = house.json('Access', 'Grant', 'sa{sv}', str(uid), {'who': ('s', f'user:{uid}')})
        approve(house.person(BOSS, (ADMIN_GID,)), grant['id'])
        assert ended(house, grant['id'])['state'] == 'finished'
    assert house.person(GOLD).refusal('Operations', 'Approve', 'sa{sv}', pending, {}).kind == 'NotAuthorized'
    # To approve is for all customers: a role for some does not give it, and hides other people's operations.
    assert house.person(SILVER).refusal('Operations', 'Approve', 'sa{sv}', pending, {}).kind == 'NotAuthorized'
    assert house.person(SILVER).refusal('Operations', 'Describe', 's', pending).kind == 'NotFound'
    assert house.customer(identity)['phone'] is None


def test_what_would_be_refused_does_not_wait(house):
    identity = house.onboard('Contoso', 'a@x.example')
    root = house.person(0)
    assert root.refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'country': ('s', 'QQ')}, {}).kind == 'InvalidArgument'
    assert root.refusal('Customers', 'Edit', 'asa{sv}a{sv}', ['nobody'], {'phone': ('s', '1')}, {}).kind == 'NotFound'
    assert root.refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', '1')}, {'revision': ('t', 9)}).code == 'stale-revision'
    dry = root.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', '1')}, {'dry_run': ('b', True)})
    assert dry['dry_run'] is True and dry['items'][0]['after'] == {'phone': '1'}
    # But it says that the call itself would; and so does that of a batch and of one thing that is no customer.
    root.call('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'v'), 'selector': ('s', 'country = DE')}, {})
    view = ('Views', 'Delete', 'sa{sv}', 'v')
    batch = ('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')})
    for call, more in ((view, {}), (batch, {'selector': ('s', 'country = DE or not country = DE')})):
        assert 'second person' in root.json(*call, {'dry_run': ('b', True), **more})['note']
    assert 'second person' in dry['note'] and 'note' not in root.json('Customers', 'Pin', 'asa{sv}a{sv}', [identity], {}, {'dry_run': ('b', True)})
    assert house.json('Operations', 'List', 'a{sv}', {}) == []


def test_a_call_that_brings_a_file_cannot_wait(house):
    identity = house.onboard('Contoso', 'a@x.example')
    path = house.folder / 'a.png'
    path.write_bytes(png([bytes(24)] * 8))
    with open(path, 'rb') as file:
        error = house.person(0).refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'symbol': ('h', file)}, {})
    assert (error.kind, error.code) == ('Refused', 'cannot-wait')
    assert house.customer(identity)['symbol'] is None and house.json('Operations', 'List', 'a{sv}', {}) == []


def test_changed_meanwhile_it_is_refused_when_its_turn_comes(house):
    boss, root = house.person(BOSS, (ADMIN_GID,)), house.person(0)
    identity = house.onboard('Contoso', 'a@x.example')
    first = root.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', '1')}, {'revision': ('t', 1)})['id']
    second = root.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', '2')}, {'revision': ('t', 1)})['id']
    approve(boss, second)
    assert ended(house, second)['state'] == 'finished'
    approve(boss, first)
    done = ended(house, first)
    assert (done['state'], done['refused'], done['items'][0]['reason']) == ('failed', 1, 'stale-revision') and house.customer(identity)['phone'] == '2'


def test_rights_lost_meanwhile_are_lost(house):
    boss, root, operator = house.person(BOSS, (ADMIN_GID,)), house.person(0), house.person(GOLD)
    identity = house.onboard('Contoso', 'a@x.example', tags=('as', ['gold']))
    house.call('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'r'), 'verbs': ('as', ['customer.*', 'operation.show'])}, {})
    grant = root.json('Access', 'Grant', 'sa{sv}', 'r', {'who': ('s', f'user:{GOLD}')})['id']
    assert operator.refusal('Customers', 'Count', 'a{sv}', {}).kind == 'NotAuthorized'         # a grant that waits is none yet
    approve(boss, grant)
    assert ended(house, grant)['state'] == 'finished'
    gone, hidden, stays = (edit(operator, identity, phone)['id'] for phone in ('1', '2', '3'))
    assert operator.json('Operations', 'Describe', 's', gone)['state'] == 'pending-approval'
    for operation, fields, code in ((hidden, {'selector': ('s', 'tag = silver')}, 'no-such-customer'), (gone, {'verbs': ('as', ['view.*'])}, 'not-authorized')):
        house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], fields, {})
        approve(boss, operation)
        done = ended(house, operation)
        assert (done['state'], done['refused'], done['items'][0]['reason']) == ('failed', 1, code), done
        assert house.customer(identity)['phone'] is None
        assert records(house, 'customer.edit')[0] == (GOLD, 'refused', code)
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'verbs': ('as', ['customer.edit']), 'selector': ('s', 'tag = gold')}, {})
    approve(boss, stays)
    assert ended(house, stays)['state'] == 'finished' and house.customer(identity)['phone'] == '3'


def test_a_batch_that_was_approved_runs_as_its_own_operation(house):
    boss, root = house.person(BOSS, (ADMIN_GID,)), house.person(0)
    ids = [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(3)]
    pending = root.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'country = DE')})
    assert pending['state'] == 'pending-approval'
    approve(boss, pending['id'])
    batch = ended(house, pending['id'])['items'][0]['after']['id']
    assert ended(house, batch)['ok'] == 3 and {house.customer(i)['phone'] for i in ids} == {'1'}
    # What was approved was one call; what it did is an operation of its own.
    for verb, code in (('Retry', 'cannot-retry'), ('Revert', 'cannot-revert')):
        assert root.refusal('Operations', verb, 'sa{sv}', pending['id'], {}).code == code
    ended(house, root.json('Operations', 'Revert', 'sa{sv}', batch, {})['id'])
    assert {house.customer(i)['phone'] for i in ids} == {None}


def test_what_was_approved_once_needs_no_approval_for_what_is_in_it(house):
    root, ids = house.person(0), [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(3)]
    pending = root.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'management_mode': ('s', 'customer')}, {'selector': ('s', 'country = DE')})
    approve(house.person(BOSS, (ADMIN_GID,)), pending['id'])
    batch = ended(house, pending['id'])['items'][0]['after']['id']
    assert ended(house, batch)['ok'] == 3 and {house.customer(i)['management_mode'] for i in ids} == {'customer'}
    # Nor does that go on to what is asked for afterwards.
    back = ended(house, root.json('Operations', 'Revert', 'sa{sv}', batch, {})['id'])
    assert {i['reason'] for i in back['items']} == {'second-person'} and {house.customer(i)['management_mode'] for i in ids} == {'customer'}


def test_an_operation_that_is_over_cannot_be_tried_again_or_taken_back(house):
    boss, root, identity = house.person(BOSS, (ADMIN_GID,)), house.person(0), house.onboard('Contoso', 'a@x.example')
    done, stale = edit(root, identity, '1')['id'], edit(root, identity, '2')['id']
    for operation, state in ((done, 'finished'), (stale, 'failed')):
        for verb, code in (('Retry', 'cannot-retry'), ('Revert', 'cannot-revert')):
            assert root.refusal('Operations', verb, 'sa{sv}', operation, {}).code == code
        approve(boss, operation)
        assert ended(house, operation)['state'] == state
        for verb, code in (('Retry', 'cannot-retry'), ('Revert', 'cannot-revert')):
            assert root.refusal('Operations', verb, 'sa{sv}', operation, {}).code == code
    assert house.customer(identity)['phone'] == '1'


def test_what_was_approved_may_be_withdrawn_until_it_is_done(house):
    root, identity = house.person(0), house.onboard('Contoso', 'a@x.example')
    root.call('Tasks', 'Pause', 'sa{sv}', '', {})
    pending = edit(root, identity)['id']
    assert approve(house.person(BOSS, (ADMIN_GID,)), pending)['state'] == 'running'
    root.json('Operations', 'Cancel', 'sa{sv}', pending, {})
    root.call('Tasks', 'Resume', 'sa{sv}', '', {})
    done = ended(house, pending)
    assert (done['state'], done['canceled'], done['items'][0]['reason']) == ('canceled', 1, 'withdrawn')
    assert house.customer(identity)['phone'] is None and records(house, 'customer.edit') == [(0, 'ok', None)]


def test_its_maker_may_withdraw_it_and_then_nobody_approves(house):
    boss, root = house.person(BOSS, (ADMIN_GID,)), house.person(0)
    identity = house.onboard('Contoso', 'a@x.example')
    pending = edit(root, identity)['id']
    assert root.json('Operations', 'Cancel', 'sa{sv}', pending, {})['state'] == 'canceled'
    assert boss.refusal('Operations', 'Approve', 'sa{sv}', pending, {}).code == 'not-pending'
    assert house.customer(identity)['phone'] is None


def test_what_waits_keeps_its_object_when_the_name_goes_to_another(house):
    boss, root = house.person(BOSS, (ADMIN_GID,)), house.person(0)

    def save(name):
        return root.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', name), 'selector': ('s', 'country = DE')}, {})['id']
    old = save('old')
    pending = root.json('Views', 'Delete', 'sa{sv}', 'old', {})['id']
    item, = root.json('Operations', 'Describe', 's', pending)['items']
    assert (item['outcome'], item['after']['id']) == ('pending', old)
    root.json('Views', 'Edit', 'asa{sv}a{sv}', [old], {'name': ('s', 'kept')}, {})
    new = save('old')
    approve(boss, pending)
    done = ended(house, pending)
    # It is another one by now, if only by its name: who approved has seen the old one.
    assert (done['state'], done['items'][0]['reason']) == ('failed', 'stale-revision')
    assert {v['id'] for v in json.loads(root.call('Views', 'List', 'a{sv}', {})[0])} == {old, new}
    again = root.json('Views', 'Delete', 'sa{sv}', 'kept', {})['id']
    approve(boss, again)
    assert ended(house, again)['state'] == 'finished'
    assert [v['id'] for v in json.loads(root.call('Views', 'List', 'a{sv}', {})[0])] == [new]


def test_what_changed_since_it_was_asked_for_is_not_done(house):
    boss, root, identity = house.person(BOSS, (ADMIN_GID,)), house.person(0), house.onboard('Contoso', 'a@x.example')
    house.call('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'r'), 'verbs': ('as', ['customer.list'])}, {})
    grant = root.json('Access', 'Grant', 'sa{sv}', 'r', {'who': ('s', f'user:{GOLD}')})['id']
    gone = root.json('Customers', 'Disconnect', 'sa{sv}', 'Contoso', {'confirm': ('s', 'Contoso')})['id']
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'verbs': ('as', ['*'])}, {})
    house.call('Customers', 'HideExpired', 'asa{sv}a{sv}', [identity], {}, {})
    for operation in (grant, gone):
        approve(boss, operation)
        assert (ended(house, operation)['state'], ended(house, operation)['items'][0]['reason']) == ('failed', 'stale-revision')
    assert house.person(GOLD).refusal('Customers', 'Count', 'a{sv}', {}).kind == 'NotAuthorized' and house.customer(identity)['state'] == 'active'


def test_what_fields_and_options_name_is_kept_by_its_id(folder, bus):
    house = House(folder, bus, '[admin]\ntwo_person = report.generate, schedule.create, role.create, report-template.create\n').start()
    boss, root = house.person(BOSS, (ADMIN_GID,)), house.person(0)
    one, other = house.onboard('One', 'a@x.example'), house.onboard('Other', 'b@x.example')

    def make(interface, **fields):
        pending = root.json(interface, 'Create', 'a{sv}a{sv}', fields, {})['id']
        approve(boss, pending)
        return ended(house, pending)['items'][0]['after']['id']
    sections = ('as', ['facts'])
    template, role = make('ReportTemplates', name=('s', 't'), sections=sections), make('Access', name=('s', 'r'), verbs=('as', ['view.list']))
    waiting = [root.json('Reports', 'Generate', 'sa{sv}', 'One', {'template': ('s', 't')}),
               root.json('Schedules', 'Create', 'a{sv}a{sv}', {'template': ('s', 't'), 'customer': ('s', 'One'), 'frequency': ('s', 'weekly'),
                                                              'recipients': ('as', ['n@msp.example'])}, {}),
               root.json('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'copy'), 'from': ('s', 'r')}, {}),
               root.json('ReportTemplates', 'Create', 'a{sv}a{sv}', {'name': ('s', 'two'), 'sections': sections, 'customers': ('as', ['One', 'Other'])}, {})]
    shown = [house.json('Operations', 'Describe', 's', w['id'])['items'][0]['after'] for w in waiting]
    assert shown[0]['options']['template'] == template and (shown[1]['fields']['template'], shown[1]['fields']['customer']) == (template, one)
    assert shown[2]['fields']['from'] == role and shown[3]['fields']['customers'] == [one, other]
    # Their names go to others.
    root.json('ReportTemplates', 'Edit', 'asa{sv}a{sv}', ['t'], {'name': ('s', 't0')}, {})
    root.json('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'name': ('s', 'r0')}, {})
    for old, new in (('One', 'Zero'), ('Other', 'One')):
        root.json('Customers', 'Edit', 'asa{sv}a{sv}', [old], {'organization': ('s', new)}, {})
    make('Access', name=('s', 'r'), verbs=('as', ['*']))
    for w in waiting:
        approve(boss, w['id'])
        assert ended(house, w['id'])['state'] == 'finished'
    schedule, = house.json('Schedules', 'List', 'a{sv}', {})
    assert house.json('Access', 'Describe', 's', 'copy')['verbs'] == ['view.list']
    assert house.json('ReportTemplates', 'Describe', 's', 'two')['customers'] == [one, other]
    assert house.json('Schedules', 'Describe', 's', schedule['id'])['customer'] == one
    house.stop()


def test_who_approves_is_shown_whom_and_what_it_is_about(house):
    root, identity = house.person(0), house.onboard('Contoso', 'a@x.example')
    item, = root.json('Operations', 'Describe', 's', edit(root, 'Contoso', '+49 7')['id'])['items']
    assert (item['outcome'], item['organization'], item['customer'], item['finished']) == ('pending', 'Contoso', identity, None)
    assert item['after']['ids'] == [identity] and item['after']['fields'] == {'phone': '+49 7'}


def test_a_call_that_is_repeated_waits_once(house):
    identity = house.onboard('Contoso', 'a@x.example')
    first, again = edit(house.person(0), identity, request_id='r1'), edit(house.person(0), identity, request_id='r1')
    assert first == again and len(house.json('Operations', 'List', 'a{sv}', {})) == 1


def test_no_other_call_does_what_waits(house):
    """A mode that needs a second person is not changed by what does not wait; here edit waits, too, so an import is tried."""
    identity = house.onboard('Contoso', 'a@x.example')
    path = house.folder / 'a.csv'
    path.write_text('organization,registered_account,first_name,last_name,country,management_mode\nContoso,a@x.example,Ada,Example,DE,customer\n')
    with open(path, 'rb') as file:
        answer = house.person(0).answers([('Customers', 'Import', 'ha{sv}a{sv}', (file, {'update': ('b', True)}, {}))])[0]
    if not isinstance(answer, BusError):
        ended(house, json.loads(answer[0])['id'])
    assert house.customer(identity)['management_mode'] == 'partner'


def test_a_mode_that_needs_a_second_person_is_not_set_by_an_edit_that_needs_none(folder, bus):
    house = House(folder, bus, '[admin]\ntwo_person = customer.mode\n').start()
    identity = house.onboard('Contoso', 'a@x.example')
    error = house.person(0).refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'management_mode': ('s', 'customer')}, {})
    assert (error.kind, error.code) == ('Refused', 'second-person') and 'customer mode' in error.message
    edited = house.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'management_mode': ('s', 'partner'), 'phone': ('s', '1')}, {})
    assert edited['revision'] == 2
    pending = house.json('Customers', 'Mode', 'asa{sv}a{sv}', [identity], {'mode': ('s', 'customer')}, {})
    assert pending['state'] == 'pending-approval' and house.customer(identity)['management_mode'] == 'partner'
    approve(house.person(BOSS, (ADMIN_GID,)), pending['id'])
    assert ended(house, pending['id'])['state'] == 'finished' and house.customer(identity)['management_mode'] == 'customer'
    house.stop()


@pytest.mark.parametrize('verbs, words', [('customer.edti', 'there is no verb'), ('customer.list', 'cannot wait'), ('operation.approve', 'cannot wait'),
                                          ('customer.import', 'cannot wait'), ('admin.act-for', 'cannot wait'), ('admin.restore', 'cannot wait'),
                                          ('admin.rotate-key', 'cannot wait'), ('report.verify', 'cannot wait')])
def test_what_cannot_wait_is_refused_at_the_start(folder, bus, verbs, words):
    house = House(folder, bus, f'[admin]\ntwo_person = customer.edit, {verbs}\n')
    assert house.spawn().wait(20) == 78 and words in house.log.read_text() and 'tenantd.conf:2' in house.log.read_text()


@pytest.mark.parametrize('how', [signal.SIGTERM, signal.SIGKILL])
def test_it_waits_through_a_restart(house, how):
    identity = house.onboard('Contoso', 'a@x.example')
    pending = edit(house.person(0), identity)['id']
    if how == signal.SIGTERM:
        house.stop()
    else:
        house.people.pop().close()
        house.kill()
    house.start()
    assert house.json('Operations', 'Describe', 's', pending)['state'] == 'pending-approval' and house.customer(identity)['phone'] is None
    approve(house.person(BOSS, (ADMIN_GID,)), pending)
    assert ended(house, pending)['state'] == 'finished' and house.customer(identity)['revision'] == 2


@pytest.mark.parametrize('point', [f'{where}:{n}' for n in range(1, 8) for where in ('before_commit', 'after_commit')] + ['after_claim:1', 'after_claim:2'])
def test_killed_at_any_step_of_the_approval_it_is_done_once_or_waits(house, point):
    identity = house.onboard('Contoso', 'a@x.example')
    pending = edit(house.person(0), identity)['id']
    house.stop()
    with contextlib.suppress(AssertionError):          # it may have died before it was seen on the bus
        house.start(TENANTD_CRASH=point)
    boss = house.person(BOSS, (ADMIN_GID,))
    try:
        approve(boss, pending)
    except (BusError, ConnectionError):
        pass
    try:
        wait_until('the death or the end', lambda: house.process.poll() is not None or house.json('Operations', 'Describe', 's', pending)['state'] == 'finished')
    except (BusError, ConnectionError):
        house.process.wait(30)
    if house.process.poll() is None:
        house.process.kill()
    house.process.wait(30)
    while house.people:
        house.people.pop().close()
    house.client.close()
    house.start()
    if house.json('Operations', 'Describe', 's', pending)['state'] == 'pending-approval':
        approve(house.person(BOSS, (ADMIN_GID,)), pending)
    assert ended(house, pending)['state'] == 'finished'
    assert house.customer(identity)['revision'] == 2 and records(house, 'customer.edit') == [(0, 'ok', None)] * 2


@needs_faketime
@pytest.mark.slow
@pytest.mark.xdist_group('release')
@pytest.mark.parametrize('down', [False, True])
def test_nobody_within_24_hours_cancels_it(folder, bus, release, down):
    house = House(folder, bus, CONFIG, build=release).start(**at('2026-12-01 10:00:00'))
    identity = house.onboard('Contoso', 'a@x.example')
    pending = edit(house.person(0), identity)['id']
    house.stop()
    if not down:
        house.start(**at('2026-12-02 09:59:50'))             # up before the end on a busy machine, too
        assert house.json('Operations', 'Describe', 's', pending)['state'] == 'pending-approval'
    else:
        house.start(**at('2026-12-02 10:59:00'))
    done = ended(house, pending)
    assert (done['state'], done['canceled'], done['items'][0]['reason']) == ('canceled', 1, 'not-approved') and done['finished'] >= '2026-12-02T10:00:00Z'
    assert house.person(BOSS, (ADMIN_GID,)).refusal('Operations', 'Approve', 'sa{sv}', pending, {}).code == 'not-pending'
    assert house.customer(identity)['phone'] is None
    house.stop()


@needs_faketime
@pytest.mark.slow
@pytest.mark.xdist_group('release')
def test_nobody_approves_after_24_hours_though_the_queue_is_paused(folder, bus, release):
    house = House(folder, bus, CONFIG, build=release).start(**at('2026-12-01 10:00:00'))
    identity = house.onboard('Contoso', 'a@x.example')
    house.call('Tasks', 'Pause', 'sa{sv}', '', {})
    pending = edit(house.person(0), identity)['id']
    house.stop()
    house.start(**at('2026-12-02 10:00:01'))
    assert house.json('Operations', 'Describe', 's', pending)['state'] == 'pending-approval'
    assert house.person(BOSS, (ADMIN_GID,)).refusal('Operations', 'Approve', 'sa{sv}', pending, {}).code == 'not-approved'
    house.call('Tasks', 'Resume', 'sa{sv}', '', {})
    done = ended(house, pending)
    assert (done['state'], done['items'][0]['reason']) == ('canceled', 'not-approved') and house.customer(identity)['phone'] is None
    house.stop()


def test_what_waits_is_shown_by_name_and_by_id(house):
    house.role('readers', ['*.list'])
    pending = house.person(0).json('Access', 'Grant', 'sa{sv}', 'readers', {'who': ('s', f'user:{GOLD}')})
    asked = house.json('Operations', 'Describe', 's', pending['id'])['items'][0]['after']
    assert (asked['name'], asked['id']) == ('readers', house.json('Access', 'Describe', 's', 'readers')['id'])
    assert asked['options']['who'] == f'user:{GOLD}'
