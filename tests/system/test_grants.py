# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rights over time: the last day of a grant, and what is under way when a right is taken away."""
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from jeepney import HeaderFields, MatchRule, message_bus
from jeepney.io.blocking import open_dbus_connection

from conftest import PREFIX, TOP, BusError, wait_until
from doors import ADMIN_GID, BOSS, GOLD, OPS_GID, SCRIBE, SILVER, House, Person, bus, house, needs_root, unprivileged

pytestmark = [pytest.mark.slow, needs_root]

LIBFAKETIME = next(Path('/usr/lib').glob('*/faketime/libfaketime.so.1'), None)
needs_faketime = pytest.mark.skipif(not LIBFAKETIME, reason='libfaketime is not there')
LOCAL = {k: ('s', v) for k, v in dict(first_name='A', last_name='B', country='DE').items()}


@pytest.fixture(scope='module')
def release():
    """Sanitizers and libfaketime do not go together."""
    done = subprocess.run([TOP / 'dev', 'build'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return TOP / 'build'


def at(moment):
    return {'LD_PRELOAD': str(LIBFAKETIME), 'FAKETIME': f'@{moment}', 'FAKETIME_DONT_FAKE_MONOTONIC': '1', 'TZ': 'UTC'}


def many(house, n, tag='gold'):
    path = house.folder / 'many.csv'
    path.write_text('organization,registered_account,first_name,last_name,country,tags\n' +
                    ''.join(f'{tag} {i:05},{tag}{i}@x.example,A,B,DE,{tag}\n' for i in range(n)))
    with open(path, 'rb') as file:
        done = house.wait_operation(house.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
    assert done['ok'] == n
    return path


def refused_at_all(person, *call):
    try:
        person.call(*call)
        return False
    except BusError:
        return True


def refused(person, *call):
    try:
        person.call(*call)
        return False
    except BusError as e:
        assert e.kind == 'NotAuthorized', e
        return True


# ---- the last day ----

@needs_faketime
@pytest.mark.slow
@pytest.mark.xdist_group('release')
@pytest.mark.parametrize('zone, before, midnight', [('UTC', '2026-12-01 23:59:48', '2026-12-02T00:00:00Z'), ('Asia/Tokyo', '2026-12-01 14:59:48', '2026-12-01T15:00:00Z')])
def test_a_grant_ends_with_its_last_day_in_the_partners_zone(folder, bus, release, zone, before, midnight):
    house = House(folder, bus, build=release).start(**at(before))          # some seconds are left for what must be said before midnight
    house.call('Partner', 'Set', 'sa{sv}', '', {'time_zone': ('s', zone)})
    operator, group = house.person(GOLD), house.person(SILVER, (OPS_GID,))
    house.role('r', ['customer.*'])
    house.grant('r', GOLD, end='2026-12-01')
    house.grant('r', f'group:{OPS_GID}', end='2026-12-01')
    house.role('stays', ['view.*'])
    house.grant('stays', GOLD, end='2026-12-02')
    count = ('Customers', 'Count', 'a{sv}', {})
    assert operator.call(*count)[0] == 0 and group.call(*count)[0] == 0
    wait_until('the end of the day', lambda: refused(operator, *count))
    assert refused(group, *count)
    operator.call('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'v')}, {})
    saved = house.json('Audit', 'List', 'a{sv}', {'limit': ('u', 1)})[0]
    assert saved['verb'] == 'view.save' and midnight <= saved['time'] < midnight.replace('00:00Z', '01:00Z')
    # One that is over is told as what it was, and a new end, or none, brings it back.
    assert {g['who']: g['end'] for g in house.json('Access', 'Describe', 's', 'r')['grants']} == {f'user:{GOLD}': '2026-12-01', f'group:{OPS_GID}': '2026-12-01'}
    house.grant('r', GOLD)
    assert operator.call(*count)[0] == 0
    assert house.json('Access', 'Describe', 's', 'r')['grants'] == [{'who': f'group:{OPS_GID}', 'end': '2026-12-01'}, {'who': f'user:{GOLD}', 'end': None}]
    house.stop()


@pytest.mark.parametrize('end, code', [('2020-01-01', 'end-past'), ('2999-02-30', None), ('2999-1-1', None), ('tomorrow', None), ('', None), ('2999-01-01T00:00', None)])
def test_an_end_is_a_day_that_is_still_to_come(house, end, code):
    house.role('r', ['*'])
    error = house.person(0).refusal('Access', 'Grant', 'sa{sv}', 'r', {'who': ('s', f'user:{GOLD}'), 'end': ('s', end)})
    assert error.kind == 'InvalidArgument' and 'field: end' in error.message and (not code or error.code == code), error
    assert house.json('Access', 'Describe', 's', 'r')['grants'] == []


@pytest.mark.parametrize('zone', ['UTC', 'Asia/Tokyo', 'America/Havana'])              # in Havana a day may begin at one
def test_an_end_may_be_given_whatever_the_partners_zone(house, zone):
    house.call('Partner', 'Set', 'sa{sv}', '', {'time_zone': ('s', zone)})
    house.role('r', ['customer.list'])
    for end in ('2999-12-31', '2038-03-13', '2100-02-28'):
        house.grant('r', GOLD, end=end)
        assert house.json('Access', 'Describe', 's', 'r')['grants'] == [{'who': f'user:{GOLD}', 'end': end}]
    assert house.person(GOLD).call('Customers', 'Count', 'a{sv}', {})[0] == 0


# ---- taken away while something is under way ----

def test_what_was_asked_for_before_is_judged_by_the_rights_of_now(house):
    operator = house.person(GOLD)
    house.role('r', ['*'], GOLD)
    ids = [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(3)]
    house.call('Tasks', 'Pause', 'sa{sv}', '', {})
    edits = [operator.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'phone': ('s', '1')}, {})['id'],
             operator.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'country = DE')})['id']]
    path = house.folder / 'a.csv'
    path.write_text('organization,registered_account,first_name,last_name,country\nNew,new@x.example,A,B,DE\n')
    with open(path, 'rb') as file:
        edits.append(operator.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
    house.revoke('r', GOLD)
    assert refused(operator, 'Customers', 'Count', 'a{sv}', {})
    house.call('Tasks', 'Resume', 'sa{sv}', '', {})
    for operation in edits:
        done = house.wait_operation(operation)
        assert (done['state'], done['ok'], done['done']) == ('failed', 0, done['total']) and done['refused'] + done['failed'] == done['total'] > 0, done
    assert {house.customer(i)['phone'] for i in ids} == {None} and house.call('Customers', 'Count', 'a{sv}', {})[0] == 3
    assert not [r for r in house.json('Audit', 'List', 'a{sv}', {}) if r['actor']['uid'] == GOLD and r['verb'] == 'customer.edit' and r['outcome'] == 'ok' and r['after']]


@pytest.mark.parametrize('how', ['revoke', 'delete', 'selector', 'verbs'])
def test_a_running_operation_stops_when_its_right_is_taken_away(house, how):
    """Nothing of it stands in the audit after the record of that."""
    many(house, 3000)
    operator, root = house.person(GOLD), house.person(0)
    house.role('r', ['*'], GOLD, selector='tag = gold')
    root.call('Manager', 'Subscribe', 'as', ['operation'])
    with root.connection.filter(MatchRule(type='signal', interface=PREFIX + 'Manager', member='OperationProgress'), bufsize=100) as queue:
        operation = operator.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'tag = gold')})['id']
        root.connection.recv_until_filtered(queue, timeout=30)
        {'revoke': lambda: house.revoke('r', GOLD), 'delete': lambda: house.call('Access', 'Delete', 'sa{sv}', 'r', {}),
         'selector': lambda: house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'selector': ('s', 'tag = silver')}, {}),
         'verbs': lambda: house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'verbs': ('as', ['customer.list'])}, {})}[how]()
    done = house.wait_operation(operation)
    taken, = house.json('Audit', 'List', 'a{sv}', {'selector': ('s', f'verb = role.{"edit" if how in ("selector", "verbs") else how}'), 'columns': ('as', ['n'])})
    after = house.call('Audit', 'List', 'a{sv}', {'selector': ('s', f'verb = customer.edit and outcome = ok and n > {taken["n"]}'), 'limit': ('u', 1)})[0]
    assert json.loads(after) == []
    changed = house.call('Customers', 'Count', 'a{sv}', {'selector': ('s', 'phone = "1"')})[0]
    assert 0 < changed == done['ok'] < 3000 and done['state'] == 'partially-failed' and done['done'] == done['total'] == 3000
    assert done['refused'] + done['failed'] == 3000 - changed


def test_a_running_import_stops_when_its_right_is_taken_away(house):
    operator, root = house.person(GOLD), house.person(0)
    house.role('r', ['*'], GOLD, selector='tag = gold')
    path = house.folder / 'a.csv'
    path.write_text('organization,registered_account,first_name,last_name,country,tags\n' + ''.join(f'G {i},g{i}@x.example,A,B,DE,gold\n' for i in range(3000)))
    root.call('Manager', 'Subscribe', 'as', ['operation'])
    with root.connection.filter(MatchRule(type='signal', interface=PREFIX + 'Manager', member='OperationProgress'), bufsize=100) as queue, open(path, 'rb') as file:
        operation = operator.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id']
        root.connection.recv_until_filtered(queue, timeout=30)
        house.revoke('r', GOLD)
    done = house.wait_operation(operation)
    taken, = house.json('Audit', 'List', 'a{sv}', {'selector': ('s', 'verb = role.revoke'), 'columns': ('as', ['n'])})
    assert house.json('Audit', 'List', 'a{sv}', {'selector': ('s', f'verb = customer.import and outcome = ok and n > {taken["n"]}')}) == []
    there = house.call('Customers', 'Count', 'a{sv}', {})[0]
    assert 0 < there == done['ok'] < 3000 and done['done'] == done['total'] == 3000 and done['state'] == 'partially-failed'


def test_a_call_that_waited_is_judged_by_the_rights_of_now(house):
    """Three imports whose files are slow: two are being read, one waits for these. The right goes, then the files come."""
    operator = house.person(GOLD)
    house.role('r', ['customer.import', 'customer.list'], GOLD)
    ends = [os.pipe() for _ in range(3)]
    files = [os.fdopen(r, 'rb') for r, _ in ends]
    serials = [operator.send('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {}) for file in files]
    query = operator.send('Customers', 'Query', 'a{sv}s', {}, 'csv')
    for file in files:
        file.close()
    assert operator.call('Customers', 'Count', 'a{sv}', {}) == (0,)                    # they have all arrived
    house.revoke('r', GOLD)
    for n, (_, w) in enumerate(ends):
        os.write(w, f'organization,registered_account,first_name,last_name,country\nG {n},g{n}@x.example,A,B,DE\n'.encode())
        os.close(w)
    answers = {}
    while not {*serials, query} <= set(answers):
        message = operator.connection.receive(timeout=30)
        answers[message.header.fields.get(HeaderFields.reply_serial)] = message.header.fields.get(HeaderFields.error_name)
    assert {answers[serial] for serial in (*serials, query)} == {PREFIX + 'Error.NotAuthorized'}
    assert house.call('Customers', 'Count', 'a{sv}', {}) == (0,)
    # And they are over: as many may begin again.
    house.grant('r', GOLD)
    assert operator.call('Customers', 'Query', 'a{sv}s', {}, 'csv')


@pytest.mark.parametrize('how', ['delete', 'selector'])
def test_a_read_that_waited_for_a_worker_is_judged_by_the_rights_of_now(folder, bus, how):
    """Both workers wait for the files of somebody else; the right goes, or is for fewer customers, and then the files come."""
    house = House(folder, bus, '[queue]\nworkers = 2\n').start()
    operator, root = house.person(GOLD), house.person(0)
    mine = house.onboard('mine', 'a@x.example', tags=('as', ['gold']))
    house.onboard('other', 'b@x.example')
    house.role('r', ['customer.list'], GOLD)
    assert operator.call('Customers', 'Count', 'a{sv}', {}) == (2,)                    # its name was looked up, by a worker
    ends = [os.pipe() for _ in range(2)]
    for somebody, (r, _) in zip((root, house.person(BOSS, (ADMIN_GID,))), ends):       # one of each: a user never has all of them
        with os.fdopen(r, 'rb') as file:
            somebody.send('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})
        assert somebody.call('Customers', 'Count', 'a{sv}', {}) == (2,)
    query = operator.send('Customers', 'Query', 'a{sv}s', {'columns': ('as', ['id'])}, 'csv')
    assert operator.call('Customers', 'Count', 'a{sv}', {}) == (2,)
    if how == 'delete':
        house.call('Access', 'Delete', 'sa{sv}', 'r', {})
    else:
        house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'selector': ('s', 'tag = gold')}, {})
    for _, w in ends:
        os.close(w)
    answer = operator.reply(query)
    if how == 'delete':
        assert isinstance(answer, BusError) and answer.kind == 'NotAuthorized'
    else:
        with answer[0].to_file('rb') as file:
            assert file.read().decode().split()[1:] == [mine]
    house.stop()


def test_a_user_that_leaves_a_unix_group_loses_what_the_group_gave(house):
    """What runs later looks at the user database of then; a connection has the groups that it was made with."""
    scribe = house.person(SCRIBE, (OPS_GID,))
    house.role('r', ['*'], 'group:ops')
    ids = [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(2)]
    first = scribe.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'phone': ('s', '1')}, {})['id']
    assert house.wait_operation(first)['ok'] == 2
    group = house.folder / 'etc' / 'group'
    group.write_text(group.read_text().replace(f'ops:x:{OPS_GID}:scribe', f'ops:x:{OPS_GID}:'))
    second = scribe.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'phone': ('s', '2')}, {})['id']
    assert house.wait_operation(second)['state'] == 'failed'
    assert {house.customer(i)['phone'] for i in ids} == {'1'}


def test_an_administrators_operation_goes_on_as_long_as_they_are_one(house):
    boss = house.person(BOSS, (ADMIN_GID,))
    ids = [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(2)]
    assert house.wait_operation(boss.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'phone': ('s', '1')}, {})['id'])['ok'] == 2
    group = house.folder / 'etc' / 'group'
    group.write_text(group.read_text().replace(f':{ADMIN_GID}:boss', f':{ADMIN_GID}:'))
    assert house.wait_operation(boss.json('Customers', 'Edit', 'asa{sv}a{sv}', ids, {'phone': ('s', '2')}, {})['id'])['state'] == 'failed'
    assert {house.customer(i)['phone'] for i in ids} == {'1'}


def test_a_subscriber_hears_nothing_after_its_right_is_gone(house):
    operator = house.person(GOLD)
    house.role('r', ['event.monitor', 'customer.list'], GOLD)
    operator.call('Manager', 'Subscribe', 'as', [])
    with operator.connection.filter(MatchRule(type='signal', interface=PREFIX + 'Manager', member='Changed'), bufsize=100) as queue:
        first = house.onboard('one', 'one@x.example')
        assert operator.connection.recv_until_filtered(queue, timeout=30).body == ('customer', [first])
        house.revoke('r', GOLD)
        house.onboard('two', 'two@x.example')
        house.grant('r', GOLD)
        third = house.onboard('three', 'three@x.example')
        heard = operator.connection.recv_until_filtered(queue, timeout=30).body
        while heard[0] != 'customer':                # that the role was granted
            heard = operator.connection.recv_until_filtered(queue, timeout=30).body
        assert heard == ('customer', [third])


def test_a_subscriber_with_some_customers_hears_of_those_alone(house):
    """Not of roles and groups, and of many that are changed at once only if one of them is theirs."""
    operator = house.person(GOLD)
    house.role('r', ['event.monitor', 'customer.*', 'view.*'], GOLD, selector='tag = gold')
    house.role('lists groups', ['group.list'], GOLD)
    many(house, 60, 'silver')
    operator.call('Manager', 'Subscribe', 'as', [])
    with operator.connection.filter(MatchRule(type='signal', interface=PREFIX + 'Manager', member='Changed'), bufsize=2000) as queue:
        def heard():
            """Until something that everybody hears of."""
            last = house.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', f'v{len(marks)}')}, {})['id']
            marks.append(last)
            got = []
            while (body := operator.connection.recv_until_filtered(queue, timeout=30).body) != ('view', [last]):
                got.append(body)
            return got
        marks = []
        assert heard() == []
        change = lambda phone: house.wait_operation(house.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', phone)}, {'selector': ('s', 'country = DE')})['id'])
        assert change('1')['ok'] == 60 and heard() == []
        house.role('another', ['view.list'])
        group = house.json('Access', 'CreateGroup', 'a{sv}a{sv}', {'name': ('s', 'g'), 'selector': ('s', 'country = DE')}, {})['id']
        assert heard() == [('group', [group])]
        gold = house.onboard('gold', 'gold@x.example', tags=('as', ['gold']))
        assert heard() == [('customer', [gold])]
        assert change('2')['ok'] == 61 and heard() == [('customer', [gold])]
        many(house, 60)
        theirs = {c['id'] for c in operator.json('Customers', 'List', 'a{sv}', {'columns': ('as', ['id'])})}
        told = heard()
        assert len(theirs) == 61 and told and all(kind == 'customer' and set(ids) <= theirs for kind, ids in told)


def test_who_leaves_in_the_moment_of_subscribing_is_not_counted(house):
    """The question and the news that its caller has left are read together."""
    house.role('r', ['event.monitor'], GOLD)
    people = [Person(house.bus.address, GOLD) for _ in range(64)]
    for person in people:
        person.call('Manager', 'Subscribe', 'as', [])
    last = Person(house.bus.address, GOLD)
    assert last.refusal('Manager', 'Subscribe', 'as', []).code == 'too-many-subscriptions'
    for person in people:
        person.close()
    wait_until('room for one more', lambda: not refused_at_all(last, 'Manager', 'Subscribe', 'as', []))
    people = [Person(house.bus.address, GOLD) for _ in range(70)]
    for person in people:
        person.refusal('Manager', 'Subscribe', 'as', ['x' * 65])                       # known, and not subscribed
    house.process.send_signal(signal.SIGSTOP)
    names = [person.connection.unique_name for person in people]
    for person in people:
        person.send('Manager', 'Subscribe', 'as', [])
        person.close()
    with open_dbus_connection(house.bus.address) as connection:
        left = lambda: not set(names) & set(connection.send_and_get_reply(message_bus.ListNames()).body[0])
        wait_until('all of them have left', left)
    house.process.send_signal(signal.SIGCONT)
    people = [house.person(GOLD) for _ in range(63)]
    for person in people:
        person.call('Manager', 'Subscribe', 'as', [])


# ---- schedules ----

def create(person, **fields):
    typed = {k: ('as', v) if isinstance(v, list) else ('s', v) for k, v in fields.items()}
    return person.json('Schedules', 'Create', 'a{sv}a{sv}', {'frequency': ('s', 'daily'), 'start': ('s', '2999-01-01'), 'recipients': ('as', ['ops@msp.example'])} | typed, {})['id']


@pytest.mark.parametrize('what', [{'export': 'customers', 'format': 'csv'}, {'export': 'audit', 'format': 'json'}, {'template': 'monthly', 'customer': 'gold one'}])
def test_a_schedule_of_an_owner_without_rights_pauses_with_the_reason(house, what):
    operator = house.person(GOLD)
    house.role('r', ['*'], GOLD, selector='tag = gold')
    house.onboard('gold one', 'g@x.example', tags=('as', ['gold']))
    schedule = create(operator, **what)
    house.call('Tasks', 'Pause', 'sa{sv}', '', {})
    operator.call('Schedules', 'Run', 'sa{sv}', schedule, {})
    house.revoke('r', GOLD)
    house.call('Tasks', 'Resume', 'sa{sv}', '', {})
    wait_until('the end of the run', lambda: house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})[0]['state'] not in ('queued', 'running'))
    run, = house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})
    assert run['state'] == 'skipped' and 'no right' in run['error'] and run['report'] is None and run['messages'] == 0
    shown = house.json('Schedules', 'Describe', 's', schedule)
    assert (shown['state'], shown['next_due'], shown['owner']) == ('paused', None, GOLD) and str(GOLD) in shown['reason'] and 'no-right' in shown['reason']
    assert house.json('Reports', 'List', 'a{sv}', {}) == [] and house.json('Messages', 'List', 'a{sv}', {}) == []
    # With a role again it may be resumed, and runs.
    house.grant('r', GOLD)
    operator.call('Schedules', 'Resume', 'sa{sv}', schedule, {})
    operator.call('Schedules', 'Run', 'sa{sv}', schedule, {})
    wait_until('the second run', lambda: house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})[0]['state'] == 'done')
    assert house.json('Schedules', 'Describe', 's', schedule)['state'] == 'active'


def test_a_name_service_that_fails_takes_no_right_away(folder):
    """Whose task it is cannot be said then: it is tried again, and its schedule goes on."""
    switch = folder / 'nsswitch.conf'
    switch.write_text('passwd: files\ngroup: files\n')
    with unprivileged(folder, mounts={'/etc/nsswitch.conf': switch}) as house:
        scribe, passwd = house.person(SCRIBE, (OPS_GID,)), folder / 'etc' / 'passwd'
        house.role('r', ['*'], f'group:{OPS_GID}')
        schedule = create(scribe, export='customers', format='csv')
        passwd.chmod(0)
        scribe.call('Schedules', 'Run', 'sa{sv}', schedule, {})
        tried = lambda: house.json('Tasks', 'List', 'a{sv}', {'selector': ('s', 'kind = export and attempt > 0')})
        wait_until('a fault', lambda: tried() and tried()[0]['error'])
        assert tried()[0]['error'] == 'Permission denied' and house.json('Schedules', 'Describe', 's', schedule)['state'] == 'active'
        passwd.chmod(0o644)
        wait_until('the run', lambda: house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})[0]['state'] == 'done')


def test_a_schedule_tells_what_its_owner_may_see_when_it_runs(house):
    operator = house.person(GOLD)
    house.role('r', ['*'], GOLD, selector='tag = gold')
    for name, tag in (('gold one', 'gold'), ('silver one', 'silver')):
        house.onboard(name, f'{tag}@x.example', tags=('as', [tag]))
    schedule = create(operator, export='customers', format='csv', columns=['organization'])

    def run():
        known = len(house.json('Schedules', 'Runs', 'sa{sv}', schedule, {}))
        house.call('Schedules', 'Run', 'sa{sv}', schedule, {})                         # whoever starts it, it is its owner's
        wait_until('the run', lambda: [r['state'] for r in house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})] == ['done'] * (known + 1))
        with house.call('Reports', 'Save', 's', house.json('Reports', 'List', 'a{sv}', {})[0]['id'])[0].to_file('rb') as file:
            return file.read().decode('utf-8-sig').split()
    assert run() == ['organization', 'gold', 'one']
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'selector': ('s', 'tag = silver')}, {})
    assert run() == ['organization', 'silver', 'one']
    house.call('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'selector': ('s', '')}, {})
    assert run() == ['organization', 'gold', 'one', 'silver', 'one']


def test_whoever_edits_a_schedule_answers_for_it_with_their_own_rights(house):
    """The owner's rights are not lent to somebody who says what is exported and who gets it."""
    operator = house.person(GOLD)
    house.role('clerk', ['schedule.*'], GOLD)
    schedule = create(house.person(0), export='audit', format='json')
    edit = lambda person, **fields: person.call('Schedules', 'Edit', 'asa{sv}a{sv}', [schedule], {k: ('as', v) if isinstance(v, list) else ('s', v) for k, v in fields.items()}, {})
    shown = lambda: house.json('Schedules', 'Describe', 's', schedule)
    before = shown()
    for fields, verb in (({'recipients': ['me@msp.example']}, 'audit.export'), ({'export': 'customers'}, 'report.export'), ({'template': 'monthly'}, 'report.generate')):
        error = operator.refusal('Schedules', 'Edit', 'asa{sv}a{sv}', [schedule], {k: ('as', v) if isinstance(v, list) else ('s', v) for k, v in fields.items()}, {})
        assert (error.kind, error.code) == ('NotAuthorized', 'not-authorized') and f'has {verb}' in error.message
    assert shown() == before
    # What changes nothing of it is a verb like any other: it is still root's.
    operator.call('Schedules', 'Run', 'sa{sv}', schedule, {})
    wait_until('the run', lambda: house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})[0]['state'] == 'done')
    operator.call('Schedules', 'Pause', 'sa{sv}', schedule, {})
    operator.call('Schedules', 'Resume', 'sa{sv}', schedule, {})
    assert shown()['owner'] == 0
    # With a right to it the schedule is the editor's from then on, and tells what they may see.
    house.role('exports', ['report.export'], GOLD, selector='tag = gold')
    for name, tag in (('gold one', 'gold'), ('silver one', 'silver')):
        house.onboard(name, f'{tag}@x.example', tags=('as', [tag]))
    error = operator.refusal('Schedules', 'Edit', 'asa{sv}a{sv}', [schedule], {'export': ('s', 'customers'), 'customer': ('s', 'silver one')}, {})
    assert (error.kind, error.code) == ('NotAuthorized', 'not-authorized')
    edit(operator, export='customers', format='csv', columns=['organization'])
    assert shown()['owner'] == GOLD
    record, = house.json('Audit', 'List', 'a{sv}', {'selector': ('s', 'verb = schedule.edit and outcome = ok')})
    assert (record['before']['owner'], record['after']['owner']) == (0, GOLD)
    house.call('Schedules', 'Run', 'sa{sv}', schedule, {})
    wait_until('the run', lambda: [r['state'] for r in house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})] == ['done', 'done'])
    newest = house.json('Reports', 'List', 'a{sv}', {'sort': ('s', '-created'), 'limit': ('u', 1)})[0]
    assert newest['kind'] == 'customers'
    with house.call('Reports', 'Save', 's', newest['id'])[0].to_file('rb') as file:
        assert file.read().decode('utf-8-sig').split() == ['organization', 'gold', 'one']
    # An administrator mends it for its owner.
    edit(house.person(0), recipients=['other@msp.example'])
    assert (shown()['owner'], shown()['recipients']) == (GOLD, ['other@msp.example'])
