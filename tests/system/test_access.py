# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what, over the bus: every method for every kind of caller, then roles, groups, grants and their ends.

There is no polkit on this bus, so what no role gives is refused. See doors.py for callers, test_polkit.py for polkit.
"""
import contextlib
import json
import os
import re

import pytest
from jeepney import HeaderFields

from conftest import BusError, wait_until
from doors import ADMIN_GID, BOSS, GOLD, OPS_GID, SCRIBE, SILVER, STRANGER, House, bus, house, introspected, method_rows, needs_root, rights
from test_report_mail import codes, mails, quiet, recipients

pytestmark = [pytest.mark.slow, needs_root]

# Whoever has a role may look at what came of their own calls.
ABOUT_OWN = {'event.monitor', 'operation.list', 'operation.show', 'report.list', 'report.save', 'report.show', 'task.list', 'task.show'}
# Called in vain on purpose, these would do something all the same: a file is written, or rights are all they look at.
NOTHING = {'nonsense': ('s', 'x')}
UNKNOWN = '0123456789abcdef0123456789abcdef'


def arguments(signature, nothing, reference='', options=None, query=None):
    """What a call of this signature takes; (values, files to close)."""
    options, query = options or {}, query or {}
    return {'a{sv}': (query,), 'a{sv}s': (query, 'jsonl'), 's': (reference,), 'a{sv}a{sv}': ({}, options), 'asa{sv}a{sv}': ([reference], {}, options),
            'sa{sv}': (reference, options), 'ha{sv}a{sv}': (nothing, {}, options), 'as': ([],)}[signature]


def malformed(signature, nothing):
    """Refused by every method, whoever calls it: an unknown key, an unknown id, a kind that is too long."""
    return {'s': (UNKNOWN,), 'as': (['x' * 80],)}.get(signature) or arguments(signature, nothing, UNKNOWN, NOTHING, NOTHING)


def refused_for_rights(answer):
    return isinstance(answer, BusError) and answer.kind == 'NotAuthorized'


def verb_named(error):
    found = re.match(r'not-authorized: you have no right to ([a-z-]+\.[a-z-]+) \(', error.message)
    assert found, error
    return found.group(1)


# ---- the matrix: verbs ----

def test_each_verb_opens_its_methods_and_no_others(house):
    """Every method for a role of each single verb: 10,000 cells. Arguments are malformed, so that nothing happens."""
    members, rows = introspected(house.client), method_rows()
    verbs = sorted(rights())
    for n, verb in enumerate(verbs):
        house.role(verb, [verb], 61000 + n)
    with open(os.devnull, 'rb') as nothing:
        calls = [(*key, signature, malformed(signature, nothing)) for key, signature in members.items()]
        for n, verb in enumerate(verbs):
            person = house.person(61000 + n)
            for call, answer in zip(calls, person.answers(calls)):
                needed = rows[call[:2]]
                if needed == verb or needed in ABOUT_OWN:
                    assert not refused_for_rights(answer), (verb, call[:2], answer)
                else:
                    assert refused_for_rights(answer) and verb_named(answer) == needed, (verb, call[:2], answer)
            house.people.remove(person)
            person.close()
    assert not [r for r in house.json('Audit', 'List', 'a{sv}', {'selector': ('s', 'outcome = ok and verb != task.enqueue'), 'limit': ('u', 500)}) if r['actor']['uid'] >= 61000]


@pytest.mark.parametrize('uid, groups', [(0, ()), (BOSS, (ADMIN_GID,)), (STRANGER, (ADMIN_GID,))])
def test_root_and_administrators_may_everything(house, uid, groups):
    """Membership is what the bus says of the connection: also of one whose group is not in the user database."""
    person = house.person(uid, groups)
    with open(os.devnull, 'rb') as nothing:
        calls = [(*key, signature, malformed(signature, nothing)) for key, signature in introspected(house.client).items()]
        answers = dict(zip((c[:2] for c in calls), person.answers(calls)))
    assert {key: a.message for key, a in answers.items() if refused_for_rights(a)} == {}
    assert sum(isinstance(a, BusError) and a.kind == 'InvalidArgument' for a in answers.values()) > 60


@pytest.mark.parametrize('uid, groups', [(STRANGER, ()), (STRANGER, (OPS_GID, 4, 27)), (BOSS, ())])
def test_a_stranger_may_nothing_and_learns_nothing(house, uid, groups):
    """Also an administrator whose connection is not in the group. The answer does not depend on what was asked: rights come first."""
    customer = house.onboard('Contoso', 'a@x.example')
    person, rows = house.person(uid, groups), method_rows()
    with open(os.devnull, 'rb') as nothing:
        calls = []
        for key, signature in introspected(house.client).items():
            for values in (malformed(signature, nothing), arguments(signature, nothing, customer), arguments(signature, nothing, 'Contoso', {'dry_run': ('b', True)}),
                           arguments(signature, nothing, '\x01' * 300, {'request_id': ('t', 1), 'on_behalf_of': ('s', 'x')})):
                calls.append((*key, signature, values))
        for call, answer in zip(calls, person.answers(calls)):
            assert refused_for_rights(answer), (call, answer)
            assert answer.message == (f'not-authorized: you have no right to {rows[call[:2]]} (no role has it, and polkit could not be asked): '
                                      'ask an administrator of this tenantd for a role that has it'), call
    assert [r['verb'] for r in house.json('Audit', 'List', 'a{sv}', {})] == ['customer.onboard']
    assert house.log.read_text().count(f'(uid {uid}) has no right to') in range(1, len(calls) // 4)       # in the journal, and not for each call


# ---- the matrix: objects ----

@pytest.fixture
def furnished(house):
    """Things of the gold operator and of his customer: {noun: id}; silver's operator may see none of them."""
    house.gold = house.person(GOLD)
    house.silver = house.person(SILVER)
    house.boss = house.person(BOSS, (ADMIN_GID,))
    house.role('golden', ['*'], GOLD, selector='tag = gold')
    house.role('silvern', ['*'], SILVER, selector='tag = silver')
    mine = {'customer': house.onboard('Gold Digger', 'dig@gold.example', tags=('as', ['gold']))}
    house.onboard('Silver Spoon', 'spoon@silver.example', tags=('as', ['silver']))
    gold = house.gold
    mine['schedule'] = gold.json('Schedules', 'Create', 'a{sv}a{sv}', {k: ('s', v) for k, v in dict(export='customers', frequency='daily', start='2999-01-01').items()}
                                 | {'recipients': ('as', ['ops@msp.example'])}, {})['id']
    mine['operation'] = gold.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'tag = gold')})['id']
    house.wait_operation(mine['operation'])
    mine['task'] = gold.json('Tasks', 'List', 'a{sv}', {})[0]['id']
    gold.call('Reports', 'Generate', 'sa{sv}', mine['customer'], {'template': ('s', 'monthly'), 'to': ('as', ['ops@msp.example'])}, timeout=60)
    wait_until('the report', lambda: gold.json('Reports', 'List', 'a{sv}', {}))
    mine['report'] = gold.json('Reports', 'List', 'a{sv}', {})[0]['id']
    wait_until('its mail', lambda: gold.json('Messages', 'List', 'a{sv}', {}))
    mine['message'] = gold.json('Messages', 'List', 'a{sv}', {})[0]['id']
    mine['report-template'] = gold.json('ReportTemplates', 'Create', 'a{sv}a{sv}', {'name': ('s', 'golden'), 'sections': ('as', ['facts']),
                                                                                     'customers': ('as', [mine['customer']])}, {})['id']
    return mine


NOUNS = {'Customers': 'customer', 'Schedules': 'schedule', 'Operations': 'operation', 'Tasks': 'task', 'Reports': 'report', 'Messages': 'message',
         'ReportTemplates': 'report-template'}
OF_NO_OBJECT = {('Reports', 'Bounce'), ('Tasks', 'Pause'), ('Tasks', 'Resume'), ('Operations', 'Approve')}        # the last one is for all customers
BY_CUSTOMER = {('Reports', 'Generate'), ('Reports', 'Verify')}


def on_objects(members, mine):
    """(interface, member, signature, id) of what is asked of one object."""
    for (interface, member), signature in members.items():
        if interface in NOUNS and signature in ('s', 'sa{sv}', 'asa{sv}a{sv}') and (interface, member) not in OF_NO_OBJECT:
            yield interface, member, signature, mine['customer' if (interface, member) in BY_CUSTOMER else NOUNS[interface]]


def dry(interface, member):
    more = {('Reports', 'Verify'): {'address': ('s', 'q@x.example')}, ('Customers', 'Disconnect'): {'confirm': ('s', 'Gold Digger')},
            ('Reports', 'Send'): {'to': ('as', ['q@x.example'])}, ('Reports', 'Generate'): {'template': ('s', 'monthly')}}
    return {'dry_run': ('b', True), **more.get((interface, member), {})} if member not in (
        'Dashboard', 'Preview', 'Runs') else {}


def test_a_hidden_object_is_told_apart_from_none_by_nothing(house, furnished):
    members, checked = introspected(house.client), 0
    for interface, member, signature, identity in on_objects(members, furnished):
        values = lambda reference: arguments(signature, None, reference, dry(interface, member))
        hidden, unknown = house.silver.answers([(interface, member, signature, values(identity)), (interface, member, signature, values(UNKNOWN))])
        assert isinstance(hidden, BusError) and hidden.kind == 'NotFound', (interface, member, hidden)
        assert hidden.name == unknown.name and hidden.message == unknown.message.replace(UNKNOWN, identity), (interface, member)
        checked += 1
        for person in (house.gold, house.boss):
            answer, = person.answers([(interface, member, signature, values(identity))])
            assert not isinstance(answer, BusError) or answer.kind not in ('NotFound', 'NotAuthorized') or answer.code == 'no-symbol', (interface, member, answer)
    assert checked >= 35


def test_a_hidden_customer_is_hidden_by_all_its_names(house, furnished):
    identity = furnished['customer']
    for member, more in (('Describe', ()), ('Get', ()), ('GetSymbol', ()), ('Dashboard', ({},)), ('Disconnect', ({'confirm': ('s', 'Gold Digger')},))):
        signature = 'sa{sv}' if more else 's'
        for name, unknown in ((identity, UNKNOWN), (identity[:8], UNKNOWN[:8]), ('dig@gold.example', 'dag@gold.example'), ('Gold Digger', 'Gold Dagger')):
            hidden, none = (house.silver.refusal('Customers', member, signature, reference, *more) for reference in (name, unknown))
            assert (hidden.kind, hidden.message) == ('NotFound', none.message.replace(unknown, name)), (member, name)
            assert 'candidates' not in hidden.message


def test_the_object_of_a_change_may_also_stand_in_its_fields(house, furnished):
    """Exports, schedules and templates name customers, templates and operations beside the object that they make."""
    def both(interface, member, fields, key, code):
        signature = 'a{sv}a{sv}'
        identity = fields[key][1]
        text = identity[0] if isinstance(identity, list) else identity
        hidden = house.silver.refusal(interface, member, signature, fields, {})
        none = house.silver.refusal(interface, member, signature, {**fields, key: ('as', [UNKNOWN]) if isinstance(identity, list) else ('s', UNKNOWN)}, {})
        assert (hidden.kind, hidden.code) == ('NotFound', code) and hidden.message == none.message.replace(UNKNOWN, text), (member, hidden, none)
    both('Reports', 'Export', {'kind': ('s', 'storage'), 'customer': ('s', furnished['customer'])}, 'customer', 'no-such-customer')
    both('Reports', 'Export', {'kind': ('s', 'operation'), 'operation': ('s', furnished['operation'])}, 'operation', 'no-such-operation')
    both('Operations', 'Export', {'operation': ('s', furnished['operation'])}, 'operation', 'no-such-operation')
    when = {k: ('s', v) for k, v in dict(frequency='daily', start='2999-01-01').items()} | {'recipients': ('as', ['ops@msp.example'])}
    both('Schedules', 'Create', {**when, 'template': ('s', furnished['report-template'])}, 'template', 'no-such-report-template')
    both('Schedules', 'Create', {**when, 'template': ('s', 'monthly'), 'customer': ('s', furnished['customer'])}, 'customer', 'no-such-customer')
    both('ReportTemplates', 'Create', {'name': ('s', 'x'), 'sections': ('as', ['facts']), 'customers': ('as', [furnished['customer']])}, 'customers', 'no-such-customer')


def test_a_selector_does_not_reach_beyond_the_customer_that_it_stands_beside(house, furnished):
    """What is kept as a customer's report is shown to whoever may see that customer."""
    gold = house.gold
    for kind, selector in (('customers', 'id = 1) or (country = DE'), ('storage', 'service = x) or (service != x'), ('jobs', 'service = x) or (service != x'),
                           ('subscriptions', 'service = x) or (service != x')):
        error = gold.refusal('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', kind), 'customer': ('s', furnished['customer']), 'selector': ('s', selector)}, {})
        assert (error.kind, error.code) == ('InvalidArgument', 'bad-selector') and 'field: selector' in error.message
    error = gold.refusal('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'jobs'), 'selector': ('s', 'service = x) or (service != x')}, {})
    assert error.code == 'bad-selector'


def test_a_template_for_all_is_not_changed_by_a_role_for_some(house, furnished):
    """It is there for everybody, and everybody's schedules make what it says."""
    root, gold, silver = house.person(0), house.gold, house.silver
    when = {k: ('s', v) for k, v in dict(frequency='daily', start='2999-01-01').items()} | {'recipients': ('as', ['ops@msp.example'])}
    schedule = lambda person, template, customer: person.json('Schedules', 'Create', 'a{sv}a{sv}', {**when, 'template': ('s', template), 'customer': ('s', customer)}, {})['id']
    edit = ('ReportTemplates', 'Edit', 'asa{sv}a{sv}')
    delete = lambda person, name, **options: person.refusal('ReportTemplates', 'Delete', 'sa{sv}', name, {k: ('b', v) for k, v in options.items()})
    foreign, own = schedule(root, 'monthly', 'Silver Spoon'), schedule(gold, 'monthly', 'Gold Digger')
    before = house.json('ReportTemplates', 'Describe', 's', 'monthly')
    for fields in ({'sections': ('as', ['facts'])}, {'customers': ('as', [furnished['customer']])}, {'name': ('s', 'mine')}):
        error = gold.refusal(*edit, ['monthly'], fields, {})
        assert (error.kind, error.code) == ('Refused', 'not-yours') and foreign not in error.message
    for force in (False, True):
        error = delete(gold, 'monthly', force=force)
        assert (error.kind, error.code) == ('Refused', 'not-yours') and foreign not in error.message
    assert house.json('ReportTemplates', 'Describe', 's', 'monthly') == before
    assert {house.json('Schedules', 'Describe', 's', s)['state'] for s in (foreign, own)} == {'active'}
    # One's own that others use, too, stays; who uses it is not told.
    gold.call('ReportTemplates', 'Create', 'a{sv}a{sv}', {'name': ('s', 'lent'), 'sections': ('as', ['facts'])}, {})
    foreign, own = schedule(silver, 'lent', 'Silver Spoon'), schedule(gold, 'lent', 'Gold Digger')
    for force in (False, True):
        error = delete(gold, 'lent', force=force)
        assert (error.kind, error.code) == ('Refused', 'in-use') and own in error.message and foreign not in error.message
    assert {house.json('Schedules', 'Describe', 's', s)['state'] for s in (foreign, own)} == {'active'}
    silver.call('Schedules', 'Delete', 'sa{sv}', foreign, {})
    assert '--force' in delete(gold, 'lent').message
    gold.call('ReportTemplates', 'Delete', 'sa{sv}', 'lent', {'force': ('b', True)})
    assert house.json('Schedules', 'Describe', 's', own)['state'] == 'paused'


def test_a_template_that_schedules_of_others_use_is_edited_by_its_maker_and_administrators(house):
    """Who has a role for all customers would else have the rights of these schedules' owners."""
    root, clerk = house.person(0), house.person(GOLD)
    house.role('clerk', ['report-template.*', 'schedule.*', 'report.generate'], GOLD)
    house.onboard('Contoso', 'a@x.example')
    edit = ('ReportTemplates', 'Edit', 'asa{sv}a{sv}', ['monthly'], {'selector': ('s', 'country = DE')}, {})
    clerk.call(*edit)
    clerk.call(*edit[:4], {'selector': ('s', '')}, {})
    when = {k: ('s', v) for k, v in dict(frequency='daily', start='2999-01-01', template='monthly', customer='Contoso').items()} | {'recipients': ('as', ['ops@msp.example'])}
    clerk.call('Schedules', 'Create', 'a{sv}a{sv}', when, {})
    clerk.call(*edit[:4], {'language': ('s', 'de')}, {})
    roots = root.json('Schedules', 'Create', 'a{sv}a{sv}', when, {})['id']
    error = clerk.refusal(*edit)
    assert (error.kind, error.code) == ('Refused', 'not-yours') and 'schedules of others use it' in error.message
    error = clerk.refusal('ReportTemplates', 'Delete', 'sa{sv}', 'monthly', {})
    assert error.code == 'in-use' and roots in error.message
    house.call('ReportTemplates', 'Edit', 'asa{sv}a{sv}', ['monthly'], {'language': ('s', 'en')}, {})


# ---- mails ----

def addressees(house):
    """Two customers of gold's operator; and of silver's one for each thing that can be said of an address: {what: address}."""
    house.role('golden', ['*'], GOLD, selector='tag = gold')
    house.role('silvern', ['*'], SILVER, selector='tag = silver')
    edit = lambda customer, **fields: house.call('Customers', 'Edit', 'asa{sv}a{sv}', [customer], {'deliveries.service_reports.' + k: v for k, v in fields.items()}, {})
    found = {}
    for what in ('verified', 'waiting', 'off', 'bounced', 'shared', 'own'):
        tag = 'gold' if what == 'own' else 'silver'
        found[what] = f'{what}@{tag}.example'
        customer = house.onboard(f'{tag} {what}', f'{tag}-{what}@x.example', tags=('as', [tag]))
        edit(customer, enabled=('b', True), recipients=('as', [found[what]]))
        if what in ('verified', 'bounced', 'own'):
            house.call('Reports', 'Verify', 'sa{sv}', customer, {'address': ('s', found[what])})
            house.call('Reports', 'Verify', 'sa{sv}', customer, {'address': ('s', found[what]), 'code': ('s', codes(house, found[what])[0])})
        if what == 'bounced':
            house.call('Reports', 'Bounce', 'sa{sv}', found[what], {})
        if what == 'off':
            edit(customer, enabled=('b', False))
    other = house.onboard('gold other', 'gold-other@x.example', tags=('as', ['gold']))
    edit(other, enabled=('b', True), recipients=('as', [found['shared']]))
    return found | {'nobody': 'ops@msp.example'}


@pytest.mark.parametrize('how', ['send', 'generate', 'schedule', 'export'])
def test_an_address_tells_nothing_of_a_customer_that_is_hidden(house, how):
    """Its own customer, whoever else has the address, decides for whom it is visible; what hidden ones allow is not said, and not used."""
    to = addressees(house)
    gold = house.person(GOLD)
    quiet(house)
    before = {m['id'] for m in house.json('Messages', 'List', 'a{sv}', {'limit': ('u', 500)})}
    when = {k: ('s', v) for k, v in dict(frequency='daily', start='2999-01-01').items()} | {'recipients': ('as', list(to.values()))}
    if how in ('send', 'generate'):
        more = {'to': ('as', list(to.values()))} if how == 'generate' else {}
        gold.call('Reports', 'Generate', 'sa{sv}', 'gold own', {'template': ('s', 'monthly'), 'format': ('s', 'xlsx'), **more})
    else:
        what = {'template': ('s', 'monthly'), 'customer': ('s', 'gold own'), 'format': ('s', 'xlsx')} if how == 'schedule' else {'export': ('s', 'customers'), 'format': ('s', 'csv')}
        gold.call('Schedules', 'Create', 'a{sv}a{sv}', when | what, {'run_now': ('b', True)})
    wait_until('the report', lambda: gold.json('Reports', 'List', 'a{sv}', {}))
    report = gold.json('Reports', 'List', 'a{sv}', {})[0]['id']
    if how == 'send':
        gold.call('Reports', 'Send', 'sa{sv}', report, {'to': ('as', list(to.values()))})
    quiet(house)
    found = {address: state for address, state in recipients(house, report).items() if address in to.values()}
    hidden = ('failed', 'not-yours')
    assert found == {to['nobody']: ('sent', None), to['own']: ('sent', None), to['shared']: ('waiting-verification', None), to['verified']: hidden, to['waiting']: hidden,
                     to['off']: hidden, to['bounced']: hidden}
    # Nothing went to them, and no code: only the one who is gold's, too, was asked.
    made = [m for m in house.json('Messages', 'List', 'a{sv}', {'limit': ('u', 500)}) if m['id'] not in before]
    assert {(m['event'], m['target'].removeprefix('mail:')) for m in made if m['event'] == 'verification'} == {('verification', to['shared'])}
    assert {m['target'].removeprefix('mail:') for m in made if m['report']} == {to['nobody'], to['own']}


def test_a_message_is_seen_by_those_who_see_the_customer_that_it_tells_of(house):
    to = addressees(house)
    gold, silver = house.person(GOLD), house.person(SILVER)
    quiet(house)
    listed = lambda person: {m['target']: m for m in person.json('Messages', 'List', 'a{sv}', {'selector': ('s', 'event in (report, schedule)')})}
    for customer, address in (('gold own', to['verified']), ('silver verified', to['own'])):
        report = house.json('Reports', 'Generate', 'sa{sv}', customer, {'template': ('s', 'monthly'), 'format': ('s', 'xlsx'), 'to': ('as', [address])})['id']
        wait_until('the report', lambda: [r for r in house.json('Reports', 'List', 'a{sv}', {}) if r['id'] == report])
        quiet(house)
        assert recipients(house, report) == {address: ('sent', None)}
    of_gold, of_silver = (m for _, m in sorted(listed(house.person(0)).items(), key=lambda row: 'silver verified' in row[1]['subject']))
    assert 'gold own' in of_gold['subject'] and of_gold['target'] == f"mail:{to['verified']}" and 'silver verified' in of_silver['subject']
    assert list(listed(gold).values()) == [of_gold] and list(listed(silver).values()) == [of_silver]
    for person, hidden in ((gold, of_silver), (silver, of_gold)):
        for member, signature, more in (('Describe', 's', ()), ('Replay', 'sa{sv}', ({},))):
            assert person.refusal('Messages', member, signature, hidden['id'], *more).kind == 'NotFound'


# ---- batches ----

def test_a_batch_with_one_forbidden_customer_does_nothing_to_it(house):
    operator = house.person(GOLD)
    house.role('golden', ['customer.*'], GOLD, selector='tag = gold')
    mine = [house.onboard(f'Gold {n}', f'g{n}@x.example', tags=('as', ['gold'])) for n in range(19)]
    other = house.onboard('Silver', 's@x.example', tags=('as', ['silver']))
    error = operator.refusal('Customers', 'Edit', 'asa{sv}a{sv}', mine[:10] + [other] + mine[10:], {'phone': ('s', '1')}, {})
    assert (error.kind, error.code) == ('NotFound', 'no-such-customer') and other in error.message
    assert {house.customer(c)['phone'] for c in mine + [other]} == {None}
    operation = operator.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '2')}, {'selector': ('s', 'country = DE or not tag = gold')})
    assert house.wait_operation(operation['id'])['ok'] == 19
    assert {house.customer(c)['phone'] for c in mine} == {'2'} and house.customer(other)['phone'] is None
    dry = operator.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '3')}, {'selector': ('s', 'country = DE'), 'dry_run': ('b', True)})
    assert dry['count'] == 19 and 'Silver' not in json.dumps(dry)


def test_a_customer_that_leaves_the_scope_while_its_turn_is_awaited_is_refused(house):
    """The item is judged when it is changed, not when it was asked for."""
    operator = house.person(GOLD)
    house.role('golden', ['customer.edit', 'operation.*'], GOLD, selector='tag = gold')
    stays, leaves = (house.onboard(name, f'{name}@x.example', tags=('as', ['gold'])) for name in ('stays', 'leaves'))
    house.call('Tasks', 'Pause', 'sa{sv}', '', {})
    operation = operator.json('Customers', 'Edit', 'asa{sv}a{sv}', [stays, leaves], {'phone': ('s', '1')}, {})['id']
    house.call('Customers', 'Edit', 'asa{sv}a{sv}', [leaves], {'tags': ('as', ['silver'])}, {})
    house.call('Tasks', 'Resume', 'sa{sv}', '', {})
    done = house.wait_operation(operation)
    assert (done['state'], done['ok'], done['refused']) == ('partially-failed', 1, 1)
    assert {i['customer']: (i['outcome'], i['reason']) for i in done['items']} == {stays: ('ok', None), None: ('refused', 'no-such-customer')}
    assert house.customer(leaves)['phone'] is None and house.customer(stays)['phone'] == '1'
    seen = operator.json('Operations', 'Describe', 's', operation)
    assert [i['customer'] for i in seen['items']] == [stays] and 'leaves' not in json.dumps(seen) and leaves not in json.dumps(seen)


def test_ones_own_operation_is_shown_with_its_items_also_without_a_right_to_show(house):
    """Those of the customers whom its verb covers at the moment of looking, and of no others."""
    operator, other = house.person(GOLD), house.person(SILVER)
    house.role('golden', ['customer.edit'], GOLD, selector='tag = gold')
    house.role('silvern', ['customer.edit'], SILVER)
    ids = [house.onboard(f'Gold {n}', f'g{n}@x.example', tags=('as', ['gold'])) for n in range(3)]
    operation = operator.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'phone': ('s', '1')}, {})['id']
    house.wait_operation(operation)
    items = lambda: [i['customer'] for i in operator.json('Operations', 'Describe', 's', operation)['items']]
    assert sorted(items()) == sorted(ids)
    assert other.refusal('Operations', 'Describe', 's', operation).kind == 'NotFound'
    house.call('Customers', 'Edit', 'asa{sv}a{sv}', ids[:1], {'tags': ('as', ['silver'])}, {})
    seen = operator.json('Operations', 'Describe', 's', operation)
    assert sorted(i['customer'] for i in seen['items']) == sorted(ids[1:]) and ids[0] not in json.dumps(seen) and 'Gold 0' not in json.dumps(seen)
    # A right to show adds what it is for; without either the counts are left.
    house.role('viewer', ['operation.show', 'customer.list'], GOLD, selector='tag = silver')
    assert sorted(items()) == sorted(ids)
    house.revoke('viewer', GOLD)
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['golden'], {'verbs': ('as', ['customer.list'])}, {})
    assert items() == [] and operator.json('Operations', 'Describe', 's', operation)['ok'] == 3


def test_nobody_changes_a_customer_so_that_it_is_somebody_elses(house):
    operator = house.person(GOLD)
    house.role('golden', ['*'], GOLD, selector='tag = gold')
    identity = house.onboard('Contoso', 'a@x.example', tags=('as', ['gold']))
    error = operator.refusal('Customers', 'Onboard', 'a{sv}a{sv}', {k: ('s', v) for k, v in dict(organization='New', registered_account='n@x.example', first_name='A',
                             last_name='B', country='DE').items()}, {})
    assert (error.kind, error.code) == ('Refused', 'outside-scope')
    assert house.call('Customers', 'Count', 'a{sv}', {})[0] == 1
    made = operator.json('Customers', 'Onboard', 'a{sv}a{sv}', {k: ('s', v) for k, v in dict(organization='New', registered_account='n@x.example', first_name='A',
                         last_name='B', country='DE').items()} | {'tags': ('as', ['gold'])}, {})
    assert operator.json('Customers', 'Describe', 's', made['id'])['organization'] == 'New'
    assert operator.json('Customers', 'Describe', 's', identity)['organization'] == 'Contoso'


def test_the_one_exception_is_the_registered_account_and_tells_no_more(house):
    operator = house.person(GOLD)
    house.role('golden', ['*'], GOLD, selector='tag = gold')
    house.onboard('Hidden Name', 'taken@x.example')
    local = {k: ('s', v) for k, v in dict(organization='New', registered_account='Taken@x.example', first_name='A', last_name='B', country='DE').items()}
    error = operator.refusal('Customers', 'Onboard', 'a{sv}a{sv}', local | {'tags': ('as', ['gold'])}, {})
    assert (error.kind, error.code) == ('Exists', 'account-exists') and 'Hidden' not in error.message
    path = house.folder / 'a.csv'
    path.write_text('organization,registered_account,first_name,last_name,country,tags\nNew,taken@x.example,A,B,DE,gold\nMine,mine@x.example,A,B,DE,gold\n'
                    'Lost,lost@x.example,A,B,DE,silver\nBad,bad@x.example,A,B,QQ,gold\n')
    with open(path, 'rb') as file:
        operation = operator.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id']
    house.wait_operation(operation)
    seen = operator.json('Operations', 'Describe', 's', operation)
    assert (seen['ok'], seen['refused'], seen['state']) == (1, 3, 'partially-failed')
    assert 'Hidden' not in json.dumps(seen)
    # One's own operation tells of each line, also of those that made no customer.
    assert [(i['line'], i['outcome'], i['reason']) for i in seen['items']] == [
        (2, 'refused', 'already-managed'), (3, 'ok', None), (4, 'refused', 'failed'), (5, 'refused', 'failed')]


def test_a_line_for_the_name_of_a_hidden_customer_makes_ones_own(house):
    """Names are not unique, so another's tells nothing."""
    operator = house.person(GOLD)
    house.role('golden', ['*'], GOLD, selector='tag = gold')
    house.onboard('Twin', 'twin@x.example')
    path = house.folder / 'a.csv'
    path.write_text('organization,account_type,tags\nTwin,m365,gold\nSingle,m365,gold\n')
    with open(path, 'rb') as file:
        operation = operator.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id']
    done = house.wait_operation(operation)
    assert [(i['outcome'], i['reason']) for i in done['items']] == [('ok', None), ('ok', None)]
    assert operator.json('Customers', 'Describe', 's', 'Twin')['registered_account'] is None


# ---- roles and grants ----

def test_rights_of_several_roles_add_up(house):
    operator = house.person(GOLD, (OPS_GID,))
    names = {}
    for tag in ('gold', 'silver', 'lead'):
        names[tag] = house.onboard(tag, f'{tag}@x.example', tags=('as', [tag]))
    count = lambda: operator.call('Customers', 'Count', 'a{sv}', {})[0]
    assert operator.refusal('Customers', 'Count', 'a{sv}', {}).kind == 'NotAuthorized'
    house.role('a', ['customer.list'], GOLD, selector='tag = gold')
    assert count() == 1
    house.role('b', ['customer.*'], f'group:{OPS_GID}', selector='tag = silver')
    assert count() == 2
    # The selector of a role is for its own verbs only.
    assert operator.refusal('Customers', 'Describe', 's', 'gold').kind == 'NotFound'
    assert operator.json('Customers', 'Describe', 's', 'silver')['id'] == names['silver']
    house.role('c', ['*.list'], GOLD)
    assert count() == 3 and operator.refusal('Customers', 'Describe', 's', 'lead').kind == 'NotFound'
    house.revoke('c', GOLD)
    house.revoke('b', f'group:{OPS_GID}')
    assert count() == 1 and operator.refusal('Customers', 'Describe', 's', 'silver').kind == 'NotAuthorized'


def test_one_user_never_has_all_workers(folder, bus):
    """Of two slow files one is read, and a grant, for which a worker looks up a name, does not wait for it."""
    house = House(folder, bus, '[queue]\nworkers = 2\n').start()
    operator = house.person(GOLD)
    house.role('r', ['customer.import'], GOLD)
    ends = [os.pipe() for _ in range(2)]
    for r, _ in ends:
        with os.fdopen(r, 'rb') as file:
            operator.send('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})
    operator.refusal('Customers', 'Count', 'a{sv}', {})
    house.grant('r', SILVER)
    house.person(SILVER).refusal('Customers', 'Count', 'a{sv}', {})
    with pytest.raises(TimeoutError):
        operator.connection.receive(timeout=0.1)                                       # neither file was given up before that
    for _, w in ends:
        os.close(w)
    house.stop()


def test_calls_of_somebody_whose_name_is_not_known_yet_are_counted(folder, bus):
    """All workers are busy reading what never comes, so nobody finds the caller's name: what is too much is told so at once."""
    house = House(folder, bus, '[queue]\nworkers = 2\n').start()
    operators = [house.person(GOLD), house.person(SILVER)]                             # one of each: a user never has all workers
    house.role('r', ['customer.import'], GOLD)
    house.grant('r', SILVER)
    for operator in operators:
        operator.refusal('Customers', 'Count', 'a{sv}', {})                            # their names are known
    ends = [os.pipe() for _ in range(2)]
    for operator, (r, _) in zip(operators, ends):
        with os.fdopen(r, 'rb') as file:
            operator.send('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})
        operator.refusal('Customers', 'Count', 'a{sv}', {})                            # the import has begun
    strangers, answers = [house.person(STRANGER) for _ in range(3)], []
    asked = [{stranger.send('Customers', 'Count', 'a{sv}', {}) for _ in range(100)} for stranger in strangers]

    def look():
        for stranger, serials in zip(strangers, asked):
            with contextlib.suppress(TimeoutError):
                message = stranger.connection.receive(timeout=0.01)
                if message.header.fields.get(HeaderFields.reply_serial) in serials:
                    answers.append(message.header.fields[HeaderFields.error_name].rpartition('.')[2])
        return len(answers)
    wait_until('44 of 300 refusals', lambda: look() == 44, 20)
    assert set(answers) == {'LimitExceeded'}
    for _, w in ends:
        os.close(w)
    wait_until('all answers', lambda: look() == 300)
    assert set(answers[44:]) <= {'NotAuthorized', 'LimitExceeded'} and 'NotAuthorized' in answers
    house.stop()


def test_many_roles_with_selectors_add_up_and_too_many_are_told(house):
    """Each of them as deep as a selector may be."""
    operator = house.person(GOLD)
    deep = lambda tag: 'not (' * 8 + f'country = DE and tag = {tag}' + ')' * 8 if tag.endswith('0') else f'tag = {tag}'
    for n in (0, 30, 59, 63, 64):
        house.onboard(f'c{n}', f'c{n}@x.example', tags=('as', [f't{n}']))
    house.onboard('none', 'none@x.example')
    seen = lambda: [c['organization'] for c in operator.json('Customers', 'List', 'a{sv}', {'columns': ('as', ['organization'])})]
    for n in range(60):
        house.role(f'r{n}', ['customer.*', 'audit.list'], GOLD, selector=deep(f't{n}'))
    assert seen() == ['c0', 'c30', 'c59']
    assert operator.call('Customers', 'Count', 'a{sv}', {'selector': ('s', 'tag = t30')}) == (1,)
    assert operator.json('Customers', 'Describe', 's', 'c59')['tags'] == ['t59'] and operator.refusal('Customers', 'Describe', 's', 'none').kind == 'NotFound'
    assert {r['verb'] for r in operator.json('Audit', 'List', 'a{sv}', {})} == {'customer.onboard'}
    assert 'more than 64 roles' not in house.log.read_text()
    for n in range(60, 65):
        house.role(f'r{n}', ['customer.*'], GOLD, selector=deep(f't{n}'))
    assert seen() == ['c0', 'c30', 'c59', 'c63']
    assert 'has more than 64 roles: "r64" and what comes after it give nothing' in house.log.read_text()


def test_exclude_takes_away_from_its_role_and_a_clone_is_a_copy(house):
    operator = house.person(GOLD)
    for name in ('one', 'two', 'three'):
        house.onboard(name, f'{name}@x.example', tags=('as', ['gold']))
    seen = lambda: [c['organization'] for c in operator.json('Customers', 'List', 'a{sv}', {'columns': ('as', ['organization'])})]
    house.role('base', ['customer.list'], GOLD, selector='tag = gold', exclude='organization = two')
    assert seen() == ['one', 'three']
    house.call('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'copy'), 'from': ('s', 'base'), 'exclude': ('s', 'organization in (one, three)')}, {})
    copy = house.json('Access', 'Describe', 's', 'copy')
    assert (copy['verbs'], copy['selector'], copy['exclude'], copy['grants']) == (['customer.list'], 'tag = gold', 'organization in (one, three)', [])
    house.grant('copy', GOLD)
    assert seen() == ['one', 'three', 'two']                # what one role excludes another may give
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['base'], {'selector': ('s', 'organization = nobody')}, {})
    assert seen() == ['two'] and house.json('Access', 'Describe', 's', 'copy')['selector'] == 'tag = gold'
    house.call('Access', 'Delete', 'sa{sv}', 'copy', {})
    assert seen() == []
    error = house.person(0).refusal('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'x'), 'from': ('s', 'copy')}, {})
    assert (error.kind, error.code) == ('NotFound', 'no-such-role')


@pytest.mark.parametrize('fields, code', [
    ({'verbs': ('as', ['customer.edti'])}, 'unknown-verb'), ({'verbs': ('as', ['nothing.*'])}, 'unknown-verb'), ({'verbs': ('as', [''])}, 'unknown-verb'),
    ({'verbs': ('as', ['customer'])}, 'unknown-verb'), ({'verbs': ('as', ['*.*.*'])}, 'unknown-verb'), ({'verbs': ('as', ['CUSTOMER.LIST'])}, 'unknown-verb'),
    ({'verbs': ('as', [])}, 'missing'), ({}, 'missing'), ({'verbs': ('s', 'customer.list')}, 'wrong-type'),
    ({'verbs': ('as', ['*']), 'selector': ('s', 'tag = ')}, 'bad-selector'), ({'verbs': ('as', ['*']), 'exclude': ('s', 'nothing = 1')}, 'bad-selector'),
    ({'verbs': ('as', ['*']), 'selector': ('s', 'group = none')}, 'bad-selector'), ({'verbs': ('as', ['*']), 'grants': ('as', [])}, 'unknown-key')])
def test_a_role_that_means_nothing_is_refused(house, fields, code):
    error = house.person(0).refusal('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'x'), **fields}, {})
    assert (error.kind, error.code) == ('InvalidArgument', code), error
    if fields.get('verbs') == ('as', ['customer.edti']):
        assert 'candidates: customer.edit' in error.message
    assert house.json('Access', 'List', 'a{sv}', {}) == []


@pytest.mark.parametrize('who', ['', 'root', 'user:', 'user:no-such-user-here', 'group:no-such-group-here', 'uid:0', 'user:-1', 'user:4294967295', 'user:4294967296', 'user:1e3',
                                 'user: 60001', 'USER:boss'])
def test_who_is_a_user_or_group_of_this_host(house, who):
    house.role('r', ['*'])
    error = house.person(0).refusal('Access', 'Grant', 'sa{sv}', 'r', {'who': ('s', who)})
    assert error.kind == 'InvalidArgument' and error.code in ('bad-who', 'no-such-who', 'missing'), error
    assert house.json('Access', 'Describe', 's', 'r')['grants'] == []


def test_users_and_groups_by_their_names(house):
    house.onboard('one', 'one@x.example')
    house.role('r', ['customer.list'], 'user:scribe')
    scribe = house.person(SCRIBE)
    assert scribe.call('Customers', 'Count', 'a{sv}', {})[0] == 1
    house.revoke('r', 'user:scribe')
    assert scribe.refusal('Customers', 'Count', 'a{sv}', {}).kind == 'NotAuthorized'
    house.grant('r', 'group:ops')
    # A connection has the groups that it had when it was made.
    assert scribe.refusal('Customers', 'Count', 'a{sv}', {}).kind == 'NotAuthorized'
    assert house.person(SCRIBE, (OPS_GID,)).call('Customers', 'Count', 'a{sv}', {})[0] == 1
    error = house.person(0).refusal('Access', 'Revoke', 'sa{sv}', 'r', {'who': ('s', 'user:scribe')})
    assert (error.kind, error.code) == ('NotFound', 'no-such-grant')


def test_groups_in_selectors_and_roles(house):
    operator, root = house.person(GOLD), house.person(0)
    for n, tag in enumerate(('gold', 'gold', 'silver', 'lead')):
        house.onboard(f'{tag} {n}', f'c{n}@x.example', tags=('as', [tag]))
    house.call('Access', 'CreateGroup', 'a{sv}a{sv}', {'name': ('s', 'Noble'), 'selector': ('s', 'tag in (gold, silver)')}, {})
    house.role('r', ['customer.*', 'group.*'], GOLD, selector='group = noble', exclude='organization = "gold 1"')
    assert operator.call('Customers', 'Count', 'a{sv}', {})[0] == 2
    for selector, n in (('group = NOBLE', 2), ('not group = noble', 0), ('group != noble or tag = silver', 1), ('group in (noble)', 2)):
        assert operator.call('Customers', 'Count', 'a{sv}', {'selector': ('s', selector)})[0] == n, selector
        assert root.call('Customers', 'Count', 'a{sv}', {'selector': ('s', selector)})[0] == {2: 3, 0: 1, 1: 2}[n], selector
    # How many there are of them is told of those that one may see.
    assert [g['customers'] for g in operator.json('Access', 'ListGroups', 'a{sv}', {})] == [2]
    assert operator.json('Access', 'DescribeGroup', 's', 'noble')['customers'] == 2 and root.json('Access', 'DescribeGroup', 's', 'noble')['customers'] == 3
    # A change of the group counts for the role from the next call on.
    house.call('Access', 'EditGroup', 'asa{sv}a{sv}', ['Noble'], {'selector': ('s', 'tag = lead')}, {})
    assert [c['organization'] for c in operator.json('Customers', 'List', 'a{sv}', {})] == ['lead 3']
    for member, signature, values in (('DeleteGroup', 'sa{sv}', ('Noble', {})), ('EditGroup', 'asa{sv}a{sv}', (['Noble'], {'name': ('s', 'Other')}, {}))):
        error = root.refusal('Access', member, signature, *values)
        assert (error.kind, error.code) == ('Refused', 'group-in-use') and '"r"' in error.message or 'r' in error.message.split(), error
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'selector': ('s', '')}, {})
    house.call('Access', 'DeleteGroup', 'sa{sv}', 'Noble', {})
    assert operator.call('Customers', 'Count', 'a{sv}', {})[0] == 3
    assert root.refusal('Customers', 'Count', 'a{sv}', {'selector': ('s', 'group = noble')}).code == 'bad-selector'
    for selector in ('group = other', 'group ~ "x"', 'tag = gold or group > x'):
        error = root.refusal('Access', 'CreateGroup', 'a{sv}a{sv}', {'name': ('s', 'x'), 'selector': ('s', selector)}, {})
        assert error.kind == 'InvalidArgument' and error.code in ('bad-selector', 'group-in-group'), error


def test_a_mode_is_a_right_of_its_own(house):
    operator = house.person(GOLD)
    house.role('editors', ['customer.edit'], GOLD)
    identity = house.onboard('Contoso', 'a@x.example')
    error = operator.refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'management_mode': ('s', 'customer'), 'phone': ('s', '1')}, {})
    assert error.kind == 'NotAuthorized' and 'customer.mode' in error.message
    assert (house.customer(identity)['management_mode'], house.customer(identity)['phone']) == ('partner', None)
    operator.call('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'management_mode': ('s', 'partner'), 'phone': ('s', '1')}, {})
    house.role('mode', ['customer.mode'], GOLD, selector='tag = gold')
    assert operator.refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'management_mode': ('s', 'customer')}, {}).kind == 'NotAuthorized'
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['mode'], {'selector': ('s', 'organization = Contoso')}, {})
    operator.call('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'management_mode': ('s', 'customer')}, {})
    assert house.customer(identity)['management_mode'] == 'customer'


def test_a_role_for_some_customers_opens_nothing_that_is_for_all(house):
    """Its holder would soon have everything: by granting a role, by a backup, by mails' texts."""
    operator = house.person(GOLD)
    house.role('gold', ['*'], GOLD, selector='tag = gold')
    for call in (('Access', 'Grant', 'sa{sv}', 'gold', {'who': ('s', 'user:1')}), ('Access', 'Edit', 'asa{sv}a{sv}', ['gold'], {'selector': ('s', '')}, {}),
                 ('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'x')}), ('Manager', 'Status', 'sa{sv}', '', {}), ('Audit', 'Verify', 'sa{sv}', '', {}),
                 ('MailTemplates', 'Edit', 'asa{sv}a{sv}', ['report'], {'subject': ('s', 'x')}, {})):
        refused = operator.refusal(*call)
        assert refused.kind == 'NotAuthorized' and 'your role is for some customers' in refused.message, (call, refused.message)
    operator.call('Views', 'List', 'a{sv}', {})
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['gold'], {'selector': ('s', '')}, {})
    operator.call('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'x')})


def test_to_speak_for_somebody_is_a_right_of_its_own(house):
    gateway = house.person(GOLD)
    house.role('portal', ['customer.*', 'view.*'], GOLD)
    identity = house.onboard('Contoso', 'a@x.example')
    edit = lambda phone: gateway.call('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'phone': ('s', phone)}, {'on_behalf_of': ('s', 'ada@msp.example')})
    with pytest.raises(BusError) as e:
        edit('1')
    assert e.value.kind == 'NotAuthorized' and 'admin.act-for' in e.value.message
    # It is in the audit once, as its own: nobody has said that it may be anybody else's.
    newest = lambda n: [(r['actor']['uid'], r['actor']['on_behalf_of'], r['verb'], r['outcome'], r['code']) for r in house.json('Audit', 'List', 'a{sv}', {'limit': ('u', n)})]
    before = house.json('Audit', 'Verify', 'sa{sv}', '', {})['records']
    assert newest(1) == [(GOLD, None, 'customer.edit', 'refused', 'not-authorized')]
    for text in ('a\nb', 'x' * 201, 'x' * (1 << 20), ''):
        assert gateway.refusal('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {}, {'on_behalf_of': ('s', text)}).kind == 'InvalidArgument'
    assert all(r[:4] == (GOLD, None, 'customer.edit', 'refused') for r in newest(5))
    assert house.json('Audit', 'Verify', 'sa{sv}', '', {})['records'] == before + 4
    assert house.customer(identity)['phone'] is None
    house.role('speaker', ['admin.act-for'], GOLD)
    edit('2')
    assert house.customer(identity)['phone'] == '2'
    assert house.json('Audit', 'List', 'a{sv}', {'limit': ('u', 1)})[0]['actor'] == {'uid': GOLD, 'name': str(GOLD), 'on_behalf_of': 'ada@msp.example'}
    # And it gives no other.
    house.revoke('portal', GOLD)
    with pytest.raises(BusError) as e:
        edit('3')
    assert e.value.kind == 'NotAuthorized' and 'customer.edit' in e.value.message


def test_a_remembered_answer_belongs_to_its_caller(house):
    one, two = house.person(GOLD), house.person(SILVER)
    house.role('r', ['view.save'], GOLD, SILVER)
    save = lambda person, name: person.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', name)}, {'request_id': ('s', 'same')})['id']
    first = save(one, 'a')
    assert save(one, 'a') == first and save(two, 'b') != first
    house.revoke('r', GOLD)
    with pytest.raises(BusError) as e:
        save(one, 'a')
    assert e.value.kind == 'NotAuthorized'


def test_every_refusal_of_somebody_with_rights_is_in_the_audit_and_no_strangers(house):
    house.role('editors', ['customer.edit'], GOLD, selector='tag = gold')
    hidden = house.onboard('Contoso', 'a@x.example')
    house.person(GOLD).refusal('Customers', 'Edit', 'asa{sv}a{sv}', [hidden], {'phone': ('s', '1')}, {})
    house.person(STRANGER).refusal('Customers', 'Edit', 'asa{sv}a{sv}', [hidden], {'phone': ('s', '1')}, {})
    house.person(GOLD).refusal('Views', 'Save', 'a{sv}a{sv}', {}, {})
    records = [(r['actor']['uid'], r['verb'], r['outcome'], r['code']) for r in house.json('Audit', 'List', 'a{sv}', {}) if r['actor']['uid']]
    assert records == [(GOLD, 'customer.edit', 'refused', 'no-such-customer')]
