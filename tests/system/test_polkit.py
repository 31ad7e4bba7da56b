# SPDX-License-Identifier: LGPL-2.1-or-later
"""Polkit, where no role decides: the real one with actions and rules of its own, and a stand-in that does what the real one never would.

Nothing but a well-formed yes lets a call through, once, and only if its caller is still there and what it is about is as it was.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, message_bus, new_error, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

from conftest import NAME, PATH, PREFIX, TOP, BusError, wait_until
from doors import DAEMON, GOLD, OURS, SILVER, STRANGER, House, HouseBus, introspected, method_rows, needs_root, private_etc, rights, seeing
from test_access import arguments, malformed, refused_for_rights

pytestmark = [pytest.mark.slow, needs_root]

POLKITD = next((p for p in (Path('/usr/lib/polkit-1/polkitd'), Path('/usr/libexec/polkitd')) if p.exists()), None)
needs_polkitd = pytest.mark.skipif(not POLKITD, reason='polkitd is not installed')
ACTION = 'org.tenantd.tenant1.'
AUTHORITY = DBusAddress('/org/freedesktop/PolicyKit1/Authority', 'org.freedesktop.PolicyKit1', 'org.freedesktop.PolicyKit1.Authority')
BUS_EXTRA = '''
  <include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
  <policy user="root"><allow own="org.freedesktop.PolicyKit1"/></policy>
  <policy context="default"><allow send_destination="org.freedesktop.PolicyKit1"/></policy>
  <policy user="u60010"><allow own="org.tenantd.Tenant1"/></policy>
'''


@pytest.fixture
def bus(folder):
    bus = HouseBus(folder, BUS_EXTRA.replace('<include>', '<include ignore_missing="yes">')).start()
    yield bus
    bus.stop()


@pytest.fixture
def house(folder, bus):
    house = House(folder, bus).start()
    yield house
    if house.process:
        house.stop()


def has_owner(connection, name):
    return connection.send_and_get_reply(message_bus.NameHasOwner(name)).body[0]


# ---- the real one ----

class Polkit:
    """polkitd with these rules and our actions; what it sees of the host is bind mounts of its own."""

    def __init__(self, folder, bus, rules='', owner='tenantd', policy=True):
        self.folder, self.bus = Path(folder) / 'polkit', bus
        own = {name: self.folder / name for name in ('actions', 'rules', 'etc-rules')}
        for path in own.values():
            path.mkdir(parents=True)
        shutil.copy('/usr/share/polkit-1/actions/org.freedesktop.policykit.policy', own['actions'])
        if policy:
            text = (TOP / 'dbus' / 'org.tenantd.tenant1.policy').read_text()
            (own['actions'] / 'org.tenantd.tenant1.policy').write_text(text.replace('unix-user:tenantd', f'unix-user:{owner}'))
        (own['rules'] / '50-default.rules').write_text('polkit.addAdminRule(function(action, subject) { return ["unix-user:0"]; });\n')
        (own['etc-rules'] / '10-test.rules').write_text(rules)
        for path in self.folder.rglob('*'):
            shutil.chown(path, 'polkitd')
        mounts = {'/usr/share/polkit-1/actions': own['actions'], '/usr/share/polkit-1/rules.d': own['rules'], '/etc/polkit-1/rules.d': own['etc-rules'],
                  **private_etc(self.folder, OURS, {})}
        self.process = subprocess.Popen([*seeing(mounts), POLKITD, '--no-debug'], stdout=subprocess.DEVNULL, stderr=open(self.folder / 'log', 'ab'),
                                        env={**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': bus.address})
        with open_dbus_connection(bus.address) as connection:
            wait_until('polkitd on the bus', lambda: self.process.poll() is None and has_owner(connection, 'org.freedesktop.PolicyKit1'))

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None


@pytest.fixture
def polkit(folder, bus):
    made = []

    def start(*arguments, **keywords):
        made.append(Polkit(folder, bus, *arguments, **keywords))
        return made[-1]
    yield start
    for each in made:
        each.stop()


def rule(uid, result, action=''):
    return (f'polkit.addRule(function(action, subject) {{ if (subject.user == "u{uid}" && action.id.indexOf("{ACTION}{action}") == 0)'
            f' return polkit.Result.{result}; }});\n')


def count(person):
    return person.call('Customers', 'Count', 'a{sv}', {})[0]


def refusal(person, *call):
    error = person.refusal(*(call or ('Customers', 'Count', 'a{sv}', {})))
    assert (error.kind, error.code) == ('NotAuthorized', 'not-authorized'), error
    return error.message


EDIT = ('Customers', 'Edit', 'asa{sv}a{sv}')


@needs_polkitd
def test_a_rule_says_yes_to_its_group_of_verbs_and_nothing_else(house, polkit):
    polkit(rule(GOLD, 'YES', 'read') + rule(SILVER, 'NO') + rule(60005, 'YES', 'manage') + rule(60006, 'YES', 'act-for') + rule(60006, 'YES', 'manage'))
    identity = house.onboard('Contoso', 'a@x.example')
    gold, silver = house.person(GOLD), house.person(SILVER)
    assert count(gold) == 1 and gold.json('Customers', 'Describe', 's', 'Contoso')['id'] == identity
    assert 'polkit wants a password' in refusal(gold, *EDIT, [identity], {'phone': ('s', '1')}, {})
    assert 'polkit says no' in refusal(silver) and 'customer.list' in refusal(silver)
    manager = house.person(60005)
    assert manager.json(*EDIT, [identity], {'phone': ('s', '2')}, {})['revision'] == 2
    refusal(manager, 'Access', 'List', 'a{sv}', {})
    assert 'admin.act-for' in refusal(manager, *EDIT, [identity], {'phone': ('s', '3')}, {'on_behalf_of': ('s', 'ada')})
    assert house.person(60006).json(*EDIT, [identity], {'phone': ('s', '4')}, {'on_behalf_of': ('s', 'ada')})['revision'] == 3
    assert house.customer(identity)['phone'] == '4'
    # A yes is for what is asked now: what runs later has its own rights, of which there are none.
    assert 'polkit wants a password' in refusal(house.person(STRANGER))


@needs_polkitd
def test_what_polkit_let_through_runs_to_its_end_also_later(house, polkit):
    """An operation of somebody whom polkit trusted goes on with that yes, and with no more than it."""
    polkit(rule(GOLD, 'YES', 'manage'))
    ids = [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(3)]
    gold = house.person(GOLD)
    done = house.wait_operation(gold.json(*EDIT, [], {'phone': ('s', '1')}, {'selector': ('s', 'country = DE')})['id'])
    assert done['ok'] == 3
    house.call('Tasks', 'Pause', 'sa{sv}', '', {})
    operation = gold.json(*EDIT, ids, {'phone': ('s', '2'), 'management_mode': ('s', 'customer')}, {})['id']
    house.call('Tasks', 'Resume', 'sa{sv}', '', {})
    done = house.wait_operation(operation)
    assert done['state'] == 'failed' and {i['reason'] for i in done['items']} == {'not-authorized'}       # a mode is a right of its own group
    assert {house.customer(i)['phone'] for i in ids} == {'1'}


@needs_polkitd
def test_an_action_that_polkit_does_not_know_is_refused(house, polkit):
    polkit(rule(GOLD, 'YES'), policy=False)
    assert 'polkit could not be asked' in refusal(house.person(GOLD))
    assert house.call('Customers', 'Count', 'a{sv}', {})[0] == 0


@needs_polkitd
@pytest.mark.parametrize('how', [signal.SIGTERM, signal.SIGKILL])
def test_without_polkit_strangers_are_refused_and_roles_go_on(house, polkit, how):
    running = polkit(rule(GOLD, 'YES'))
    gold, silver = house.person(GOLD), house.person(SILVER)
    house.role('r', ['customer.list'], SILVER)
    assert count(gold) == 0
    running.stop(how)
    assert 'polkit could not be asked' in refusal(gold)
    assert count(silver) == 0 and count(house.person(0)) == 0


@needs_polkitd
def test_polkit_killed_while_it_thinks_is_a_refusal(house, polkit, folder):
    marks = folder / 'marks'
    marks.mkdir()
    marks.chmod(0o777)
    running = polkit('polkit.addRule(function(action, subject) { if (action.id.indexOf("%s") == 0) { polkit.spawn(["sh", "-c", "touch %s/asked; exec sleep 60"]);'
                     ' return polkit.Result.YES; } });\n' % (ACTION, marks))
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', '1')}, {})
    wait_until('the question', lambda: (marks / 'asked').exists())
    assert house.customer(identity)['phone'] is None                                   # nobody else waits
    running.stop(signal.SIGKILL)
    answer = gold.reply(serial)
    assert refused_for_rights(answer) and 'polkit could not be asked' in answer.message
    assert house.customer(identity)['revision'] == 1


class Agent:
    """Says yes or no where a password would be asked for, for callers of this process; asked counts."""

    def __init__(self, bus, says):
        self.says, self.asked, self.stopping = says, [], False
        self.connection, self.helper = open_dbus_connection(bus.address), open_dbus_connection(bus.address)
        start = int(Path('/proc/self/stat').read_text().rsplit(')', 1)[1].split()[19])
        subject = ('unix-process', {'pid': ('u', os.getpid()), 'start-time': ('t', start), 'uid': ('i', 0)})
        reply = self.connection.send_and_get_reply(new_method_call(AUTHORITY, 'RegisterAuthenticationAgent', '(sa{sv})ss', (subject, 'C', '/agent')))
        assert reply.header.message_type != MessageType.error, reply.body
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopping:
            try:
                message = self.connection.receive(timeout=0.1)
            except TimeoutError:
                continue
            if message.header.message_type != MessageType.method_call:
                continue
            if message.header.fields[HeaderFields.member] == 'BeginAuthentication':
                action, _, _, _, cookie, identities = message.body
                self.asked.append(action)
                if self.says == 'yes':
                    self.helper.send_and_get_reply(new_method_call(AUTHORITY, 'AuthenticationAgentResponse2', 'us(sa{sv})', (0, cookie, identities[0])))
                if self.says == 'error':
                    self.connection.send(new_error(message, 'org.freedesktop.PolicyKit1.Error.Failed', 's', ('gone',)))
                    continue
            self.connection.send(new_method_return(message))

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.connection.close()
        self.helper.close()


@needs_polkitd
@pytest.mark.parametrize('says', ['yes', 'no', 'error'])
def test_a_password_is_asked_for_only_where_the_call_allows_it(house, polkit, says):
    polkit()
    identity = house.onboard('Contoso', 'a@x.example')
    agent, gold = Agent(house.bus, says), house.person(GOLD)
    call = (*EDIT, [identity], {'phone': ('s', '1')}, {})
    assert 'polkit wants a password, which this way of calling cannot ask for' in refusal(gold, *call)
    assert agent.asked == [] and house.customer(identity)['revision'] == 1
    answer = gold.reply(gold.send(*call, interactive=True))
    assert agent.asked == [ACTION + 'manage']
    if says == 'yes':
        assert not isinstance(answer, BusError) and house.customer(identity)['phone'] == '1'
    else:
        assert refused_for_rights(answer) and house.customer(identity)['revision'] == 1
    # What is destroyed is asked for each time; a verb that a role gives is not asked for at all.
    gold.reply(gold.send('Views', 'Delete', 'sa{sv}', 'none', {}, interactive=True))
    gold.reply(gold.send('Views', 'Delete', 'sa{sv}', 'none', {}, interactive=True))
    assert agent.asked[1:] == [ACTION + 'destroy'] * 2
    house.role('r', ['customer.edit'], GOLD)
    assert not isinstance(gold.reply(gold.send(*call, interactive=True)), BusError) and len(agent.asked) == 3
    agent.stop()


@needs_polkitd
def test_without_an_agent_nobody_waits_for_a_password(house, polkit):
    polkit()
    gold = house.person(GOLD)
    answer = gold.reply(gold.send('Customers', 'Count', 'a{sv}', {}, interactive=True))
    assert refused_for_rights(answer)


@needs_polkitd
@pytest.mark.parametrize('owner, works', [(f'u{DAEMON}', True), ('tenantd', False)])
def test_a_daemon_that_is_not_root_may_ask_because_the_action_is_its_own(folder, bus, polkit, owner, works):
    """Polkit answers questions about others only to root, and to whom the action's annotation names."""
    polkit(rule(GOLD, 'YES', 'read'), owner=owner)
    house = House(folder, bus, before=['setpriv', f'--reuid={DAEMON}', f'--regid={DAEMON}', '--clear-groups'])
    house.state.mkdir()
    os.chown(house.state, DAEMON, DAEMON)
    house.start()
    assert Path(f'/proc/{house.process.pid}/status').read_text().split('Uid:')[1].split()[:3] == [str(DAEMON)] * 3
    gold = house.person(GOLD)
    if works:
        assert count(gold) == 0
        assert 'polkit wants a password' in refusal(gold, 'Access', 'List', 'a{sv}', {})
    else:
        assert 'polkit could not be asked' in refusal(gold)
    assert 'no role' in refusal(house.person(SILVER))
    # Root and the daemon's own user need no answer.
    assert count(house.person(0)) == 0 and count(house.person(DAEMON)) == 0
    house.stop()


# ---- the stand-in ----

class Authority:
    """In polkit's place: take() gives the next question, and the test says what becomes of it."""

    def __init__(self, bus):
        self.connection = open_dbus_connection(bus.address)
        reply = self.connection.send_and_get_reply(message_bus.RequestName('org.freedesktop.PolicyKit1'))
        assert reply.body == (1,)

    def take(self, timeout=30):
        while True:
            message = self.connection.receive(timeout=timeout)
            if message.header.message_type == MessageType.method_call:
                assert message.header.fields[HeaderFields.member] == 'CheckAuthorization'
                return message

    def answer(self, question, yes=False, challenge=False, details=None):
        self.say(question, '(bba{ss})', ((yes, challenge, details or {}),))

    def say(self, question, signature, body):
        self.connection.send(new_method_return(question, signature, body))

    def fail(self, question, name='org.freedesktop.PolicyKit1.Error.Failed'):
        self.connection.send(new_error(question, name, 's', ('no such luck',)))

    def close(self):
        self.connection.close()


@pytest.fixture
def authority(bus):
    authority = Authority(bus)
    yield authority
    authority.close()


def test_polkit_is_asked_about_the_callers_name_for_the_group_of_the_verb(house, authority):
    """Every method, once; a yes lets it through, a no does not."""
    stranger, rows, groups = house.person(STRANGER), method_rows(), rights()
    with open(os.devnull, 'rb') as nothing:
        for key, signature in introspected(house.client).items():
            for yes in (False, True):
                serial = stranger.send(*key, signature, *malformed(signature, nothing))
                question = authority.take()
                subject, action, details, flags, cancellation = question.body
                assert subject == ('system-bus-name', {'name': ('s', stranger.connection.unique_name)}), key
                assert action == ACTION + groups[rows[key]].lower().replace('_', '-'), key
                assert (details, flags, cancellation) == ({}, 0, '')
                authority.answer(question, yes)
                answer = stranger.reply(serial)
                assert refused_for_rights(answer) is not yes, (key, answer)


def test_the_flag_of_the_call_is_the_flag_of_the_question(house, authority):
    gold = house.person(GOLD)
    for interactive in (True, False):
        serial = gold.send('Customers', 'Count', 'a{sv}', {}, interactive=interactive)
        question = authority.take()
        assert question.body[3] == int(interactive)
        authority.answer(question, True)
        assert gold.reply(serial) == (0,)


def test_a_yes_is_for_one_call(house, authority):
    gold = house.person(GOLD)
    for yes in (True, False, True):
        serial = gold.send('Customers', 'Count', 'a{sv}', {})
        authority.answer(authority.take(), yes)
        assert refused_for_rights(gold.reply(serial)) is not yes


def test_a_schedule_keeps_no_yes(house, authority):
    """It runs for years: what it exports needs a role of its owner's, when it is made and each time it runs."""
    for tag in ('gold', 'silver'):
        house.onboard(f'{tag}-one', f'{tag}@x.example', tags=('as', [tag]))
    gold = house.person(GOLD)

    def with_a_yes(member, signature, *values):
        serial = gold.send('Schedules', member, signature, *values)
        authority.answer(authority.take(), True)
        answer = gold.reply(serial)
        return answer if isinstance(answer, BusError) else json.loads(answer[0])
    fields = {k: ('s', v) for k, v in dict(export='customers', format='csv', frequency='daily', start='2999-01-01').items()}
    fields |= {'recipients': ('as', ['ops@msp.example']), 'columns': ('as', ['organization'])}
    for options in ({}, {'run_now': ('b', True)}, {'dry_run': ('b', True)}):
        error = with_a_yes('Create', 'a{sv}a{sv}', fields, options)
        assert (error.kind, error.code) == ('NotAuthorized', 'not-authorized') and 'has report.export: ask an administrator' in error.message
    assert house.json('Schedules', 'List', 'a{sv}', {}) == []
    house.role('exports', ['report.export'], GOLD, selector='tag = gold')
    schedule = with_a_yes('Create', 'a{sv}a{sv}', fields, {'run_now': ('b', True)})['id']
    runs = lambda: [r['state'] for r in house.json('Schedules', 'Runs', 'sa{sv}', schedule, {})]
    wait_until('the run', lambda: runs() == ['done'])
    with house.call('Reports', 'Save', 's', house.json('Reports', 'List', 'a{sv}', {})[0]['id'])[0].to_file('rb') as file:
        assert file.read().decode('utf-8-sig').split() == ['organization', 'gold-one']
    house.revoke('exports', GOLD)
    with_a_yes('Run', 'sa{sv}', schedule, {})
    wait_until('the end of the run', lambda: sorted(runs()) == ['done', 'skipped'])
    assert house.json('Schedules', 'Describe', 's', schedule)['state'] == 'paused'


@pytest.mark.parametrize('signature, body', [
    ('', ()), ('b', (True,)), ('s', ('yes',)), ('bba{ss}', (True, False, {})), ('(bb)', ((True, False),)), ('(bbb)', ((True, False, True),)),
    ('(bba{sv})', ((True, False, {}),)), ('(bba{ss}s)', ((True, False, {}, ''),)), ('(ssa{ss})', (('true', 'false', {}),)), ('(uua{ss})', ((1, 0, {}),)),
    ('(bba{ss})s', ((True, False, {}), 'x')), ('v', (('(bba{ss})', (True, False, {})),)), ('a(bba{ss})', ([(True, False, {})],)),
    ('(bba{ss})', ((False, False, {}),)), ('(bba{ss})', ((False, True, {}),)), ('(bba{ss})', ((True, True, {}),)), ('(bba{ss})', ((False, False, {'polkit.result': 'yes'}),))])
def test_anything_but_a_well_formed_yes_is_a_no(house, authority, signature, body):
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', '1')}, {})
    authority.say(authority.take(), signature or None, body)
    assert refused_for_rights(gold.reply(serial)) and house.customer(identity)['revision'] == 1


def test_a_well_formed_yes_may_have_details(house, authority):
    gold = house.person(GOLD)
    serial = gold.send('Customers', 'Count', 'a{sv}', {})
    authority.answer(authority.take(), True, details={'polkit.retains_authorization_after_challenge': 'true', 'x' * 300: 'y' * 300})
    assert gold.reply(serial) == (0,)


@pytest.mark.parametrize('name', ['org.freedesktop.PolicyKit1.Error.Failed', 'org.freedesktop.PolicyKit1.Error.NotAuthorized', 'org.freedesktop.DBus.Error.NoReply',
                                  'org.freedesktop.DBus.Error.AccessDenied', 'org.tenantd.Tenant1.Error.Refused'])
def test_an_error_of_polkit_is_a_no(house, authority, name):
    gold = house.person(GOLD)
    serial = gold.send('Customers', 'Count', 'a{sv}', {})
    authority.fail(authority.take(), name)
    answer = gold.reply(serial)
    assert refused_for_rights(answer) and 'no such luck' not in answer.message


def test_a_polkit_that_dies_with_the_question_is_a_no(house, authority):
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', '1')}, {})
    authority.take()
    authority.close()
    assert refused_for_rights(gold.reply(serial)) and house.customer(identity)['revision'] == 1


@pytest.mark.slow
def test_a_polkit_that_never_answers_is_a_no_and_its_late_yes_is_nothing(house, authority):
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', '1')}, {})
    question = authority.take()
    assert house.customer(identity)['revision'] == 1
    assert refused_for_rights(gold.reply(serial, timeout=60))
    authority.answer(question, True)
    serial = gold.send('Customers', 'Count', 'a{sv}', {})                              # what came after the late answer
    authority.answer(authority.take(), True)
    assert gold.reply(serial) == (1,) and house.customer(identity)['revision'] == 1


def test_a_second_answer_is_nothing(house, authority):
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', '1')}, {})
    question = authority.take()
    authority.answer(question, False)
    authority.answer(question, True)
    assert refused_for_rights(gold.reply(serial))
    assert house.customer(identity)['revision'] == 1


def test_who_asks_for_too_much_at_once_is_told_so_and_nobody_else_waits(house, authority):
    gold, silver = house.person(GOLD), house.person(SILVER)
    serials = [gold.send('Customers', 'Count', 'a{sv}', {}) for _ in range(32)]
    questions = [authority.take() for _ in serials]
    answer = gold.reply(gold.send('Customers', 'Count', 'a{sv}', {}))
    assert (answer.kind, answer.code) == ('LimitExceeded', 'too-many-questions')
    serial = silver.send('Customers', 'Count', 'a{sv}', {})
    authority.answer(authority.take(), True)
    assert silver.reply(serial) == (0,) and house.call('Customers', 'Count', 'a{sv}', {}) == (0,)
    for question in questions:
        authority.answer(question, True)
    assert gold.reply(serials[-1]) == (0,)


def test_the_right_to_speak_for_somebody_is_a_second_question(house, authority):
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    for first, second, revision in ((False, None, 1), (True, False, 1), (True, True, 2)):
        serial = gold.send(*EDIT, [identity], {'phone': ('s', '1')}, {'on_behalf_of': ('s', 'ada')})
        question = authority.take()
        assert question.body[1] == ACTION + 'manage'
        authority.answer(question, first)
        if second is not None:
            question = authority.take()
            assert question.body[1] == ACTION + 'act-for'
            authority.answer(question, second)
        assert refused_for_rights(gold.reply(serial)) is not bool(first and second)
        assert house.customer(identity)['revision'] == revision
    # Who has no right to the verb leaves nothing there; who has, one record, and in their own name unless they may speak for another.
    told = [r for r in house.json('Audit', 'List', 'a{sv}', {'selector': ('s', 'verb = customer.edit')}) if r['actor']['uid'] == GOLD]
    assert [(r['actor']['on_behalf_of'], r['outcome'], r['code']) for r in told] == [('ada', 'ok', None), (None, 'refused', 'not-authorized')]


def test_a_role_that_comes_while_polkit_thinks_is_for_the_next_call(house, authority):
    """And one that goes does not make a yes of polkit less: each call is decided once."""
    gold = house.person(GOLD)
    serial = gold.send('Customers', 'Count', 'a{sv}', {})
    question = authority.take()
    house.role('r', ['customer.list'], GOLD)
    authority.answer(question, False)
    assert refused_for_rights(gold.reply(serial)) and count(gold) == 0


# ---- what happens while polkit thinks ----

ROUNDS = [50, pytest.param(1000, marks=pytest.mark.slow)]


def child(path, uid, call):
    """A process that says all it has to say in one breath, and waits to be killed."""
    interface, member, signature, *body = call
    hello = message_bus.Hello().serialise(1)
    asked = new_method_call(DBusAddress(PATH, NAME, PREFIX + interface), member, signature, tuple(body)).serialise(2)
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setresuid(uid, uid, uid)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b'\0AUTH EXTERNAL %b\r\nBEGIN\r\n' % str(uid).encode().hex().encode() + hello + asked)
            signal.pause()
    finally:
        os._exit(1)


@pytest.mark.parametrize('rounds', ROUNDS)
def test_a_caller_that_is_killed_while_polkit_thinks_changes_nothing(house, authority, rounds):
    """Each is killed between question and yes; by turns for the verb, and for the right to speak for somebody."""
    identity = house.onboard('Contoso', 'a@x.example')
    watcher = open_dbus_connection(house.bus.address)
    for n in range(rounds):
        behalf = n % 5 == 0
        pid = child(house.bus.socket, GOLD, (*EDIT, [identity], {'phone': ('s', str(n))}, {'on_behalf_of': ('s', 'ada')} if behalf else {}))
        question = authority.take()
        if behalf:
            authority.answer(question, True)
            question = authority.take()
            assert question.body[1] == ACTION + 'act-for'
        subject, = question.body[0][1].values()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        # The bus tells the daemon before it tells us.
        wait_until('the end of the connection', lambda: not has_owner(watcher, subject[1]))
        authority.answer(question, True)
    watcher.close()
    assert house.customer(identity)['revision'] == 1 and house.customer(identity)['phone'] is None
    assert [r['verb'] for r in house.json('Audit', 'List', 'a{sv}', {})] == ['customer.onboard']
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', 'x')}, {})
    authority.answer(authority.take(), True)
    assert not isinstance(gold.reply(serial), BusError) and house.customer(identity)['phone'] == 'x'


@pytest.mark.parametrize('rounds', ROUNDS)
def test_what_was_changed_while_polkit_thought_is_not_acted_on(house, authority, rounds):
    """Whatever a call calls its customer."""
    ids = [house.onboard(f'Contoso {n}', f'a{n}@x.example') for n in range(3)]
    gold = house.person(GOLD)
    names = [[ids[0]], ['a0@x.example'], ['Contoso 0'], [ids[0][:12]], ids, [ids[2], ids[0]]]
    for n in range(rounds):
        serial = gold.send(*EDIT, names[n % len(names)], {'phone': ('s', 'gold')}, {})
        question = authority.take()
        house.call(*EDIT, [ids[0]], {'phone': ('s', str(n))}, {})
        authority.answer(question, True)
        answer = gold.reply(serial)
        assert isinstance(answer, BusError) and (answer.kind, answer.code) == ('Conflict', 'changed-meanwhile'), (names[n % len(names)], answer)
    assert house.customer(ids[0])['revision'] == rounds + 1 and house.customer(ids[0])['phone'] == str(rounds - 1)
    assert {house.customer(i)['revision'] for i in ids[1:]} == {1}
    refused = house.json('Audit', 'List', 'a{sv}', {'selector': ('s', 'code = changed-meanwhile'), 'limit': ('u', 500)})
    assert len(refused) == min(rounds, 500) and {(r['actor']['uid'], r['outcome']) for r in refused} == {(GOLD, 'refused')}


def test_what_was_changed_in_the_same_turn_counts_too(house, authority):
    """The change and the yes arrive together."""
    identity = house.onboard('Contoso', 'a@x.example')
    gold, root = house.person(GOLD), house.person(0)
    effects = 0
    for n in range(100):
        serial = gold.send(*EDIT, [identity], {'phone': ('s', 'gold')}, {})
        question = authority.take()
        other = root.send(*EDIT, [identity], {'phone': ('s', str(n))}, {})
        authority.answer(question, True)
        answer = gold.reply(serial)
        assert not isinstance(root.reply(other), BusError)
        # Which came first is the bus's to say; if it was the change, nothing was done.
        effects += not isinstance(answer, BusError)
        assert not isinstance(answer, BusError) or answer.code == 'changed-meanwhile', answer
    assert house.customer(identity)['revision'] == 101 + effects and house.customer(identity)['phone'] in ('99', 'gold')


WHEN = {k: ('s', v) for k, v in dict(export='customers', frequency='daily', start='2999-01-01').items()} | {'recipients': ('as', ['ops@msp.example'])}
KINDS = {
    'schedule': (('Schedules', 'Create', WHEN), ('Schedules', 'Pause', 'sa{sv}', '{id}', {}), ('Schedules', 'Edit', 'asa{sv}a{sv}', ['{id}'], {'at': ('s', '13:00')}, {})),
    'view': (('Views', 'Save', {'name': ('s', 'v')}), ('Views', 'Delete', 'sa{sv}', 'v', {}), ('Views', 'Edit', 'asa{sv}a{sv}', ['v'], {'sort': ('s', '-created')}, {})),
    'report-template': (('ReportTemplates', 'Create', {'name': ('s', 't'), 'sections': ('as', ['facts'])}), ('ReportTemplates', 'Delete', 'sa{sv}', 't', {}),
                        ('ReportTemplates', 'Edit', 'asa{sv}a{sv}', ['t'], {'language': ('s', 'de')}, {})),
    'role': (('Access', 'Create', {'name': ('s', 'r'), 'verbs': ('as', ['view.list'])}), ('Access', 'Grant', 'sa{sv}', 'r', {'who': ('s', f'user:{SILVER}')}),
             ('Access', 'Edit', 'asa{sv}a{sv}', ['r'], {'verbs': ('as', ['*'])}, {})),
    'group': (('Access', 'CreateGroup', {'name': ('s', 'g'), 'selector': ('s', 'country = DE')}), ('Access', 'DeleteGroup', 'sa{sv}', 'g', {}),
              ('Access', 'EditGroup', 'asa{sv}a{sv}', ['g'], {'selector': ('s', 'country = AT')}, {})),
    'partner': (None, ('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'gold')}), ('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'MSP')})),
    'generate': (('Customers', 'Onboard', {k: ('s', v) for k, v in dict(organization='C', registered_account='c@x.example', first_name='A', last_name='B', country='DE').items()}),
                 ('Reports', 'Generate', 'sa{sv}', 'C', {'template': ('s', 'monthly')}), ('Customers', 'Edit', 'asa{sv}a{sv}', ['C'], {'tags': ('as', ['x'])}, {})),
    'selector': (('Customers', 'Onboard', {k: ('s', v) for k, v in dict(organization='C', registered_account='c@x.example', first_name='A', last_name='B', country='DE').items()}),
                 ('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', 'country = DE')}),
                 ('Customers', 'Edit', 'asa{sv}a{sv}', ['C'], {'tags': ('as', ['x'])}, {})),
    'customer of a schedule': (('Customers', 'Onboard', {k: ('s', v) for k, v in dict(organization='C', registered_account='c@x.example', first_name='A', last_name='B', country='DE').items()}),
                               ('Schedules', 'Create', 'a{sv}a{sv}', {**WHEN, 'customer': ('s', 'C')}, {}), ('Customers', 'Edit', 'asa{sv}a{sv}', ['C'], {'tags': ('as', ['x'])}, {})),
    'template of a report': (('Customers', 'Onboard', {k: ('s', v) for k, v in dict(organization='C', registered_account='c@x.example', first_name='A', last_name='B', country='DE').items()}),
                             ('Reports', 'Generate', 'sa{sv}', 'C', {'template': ('s', 'monthly')}), ('ReportTemplates', 'Edit', 'asa{sv}a{sv}', ['monthly'], {'language': ('s', 'de')}, {})),
    'disconnect': (('Customers', 'Onboard', {k: ('s', v) for k, v in dict(organization='C', registered_account='c@x.example', first_name='A', last_name='B', country='DE').items()}),
                   ('Customers', 'Disconnect', 'sa{sv}', 'C', {'confirm': ('s', 'C')}), ('Customers', 'Edit', 'asa{sv}a{sv}', ['C'], {'tags': ('as', ['x'])}, {})),
}


@pytest.mark.parametrize('kind', KINDS)
def test_a_change_of_any_kind_of_object_counts(house, authority, kind):
    make, asked, change = KINDS[kind]
    identity = house.json(make[0], make[1], 'a{sv}a{sv}', make[2], {})['id'] if make else ''
    fill = lambda call: [[identity] if x == ['{id}'] else identity if x == '{id}' else x for x in call]
    # What a schedule makes is its owner's by a role: polkit is asked for the schedule itself.
    house.role('exporters', ['report.export'], GOLD)
    gold = house.person(GOLD)
    serial = gold.send(*fill(asked))
    question = authority.take()
    house.call(*fill(change))
    authority.answer(question, True)
    answer = gold.reply(serial, timeout=60)
    assert isinstance(answer, BusError) and (answer.kind, answer.code) == ('Conflict', 'changed-meanwhile'), answer
    # Asked again it is done; a view is its maker's.
    serial = gold.send(*fill(asked))
    authority.answer(authority.take(), True)
    answer = gold.reply(serial, timeout=60)
    assert not isinstance(answer, BusError) or answer.code == 'not-yours', answer


@pytest.mark.parametrize('change, kind', [(True, 'Conflict'), (False, None)])
def test_what_was_changed_during_the_second_question_counts_too(house, authority, change, kind):
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', 'gold')}, {'on_behalf_of': ('s', 'ada')})
    authority.answer(authority.take(), True)
    question = authority.take()
    assert question.body[1] == ACTION + 'act-for'
    if change:
        house.call(*EDIT, [identity], {'phone': ('s', '1')}, {})
    authority.answer(question, True)
    answer = gold.reply(serial)
    assert getattr(answer, 'kind', None) == kind and house.customer(identity)['phone'] == ('1' if change else 'gold')


@pytest.mark.parametrize('verb', ['customer.edit', 'admin.act-for'])
def test_a_role_that_goes_during_the_second_question_is_gone(house, authority, verb):
    """Whichever of the two rights is the role's: polkit is asked for the other one."""
    identity = house.onboard('Contoso', 'a@x.example')
    gold = house.person(GOLD)
    house.role('r', [verb], GOLD)
    serial = gold.send(*EDIT, [identity], {'phone': ('s', 'gold')}, {'on_behalf_of': ('s', 'ada')})
    question = authority.take()
    house.revoke('r', GOLD)
    authority.answer(question, True)
    if verb == 'admin.act-for':
        authority.answer(authority.take(), False)
    answer = gold.reply(serial)
    assert refused_for_rights(answer) and verb in answer.message and house.customer(identity)['revision'] == 1


def test_a_role_takes_nothing_away_that_polkit_gives(house, authority):
    """Somebody who may read everything gets a role for something else: foreign operations stay to be seen. Nobody types a password for that."""
    ids = [house.onboard(f'c{n}', f'c{n}@x.example') for n in range(2)]
    foreign = house.json(*EDIT, ids, {'phone': ('s', '1')}, {})['id']
    house.wait_operation(foreign)
    gold = house.person(GOLD)
    house.role('r', ['view.list'], GOLD)
    for yes in (True, False):
        serial = gold.send('Operations', 'Describe', 's', foreign, interactive=True)
        question = authority.take()
        assert question.body[1] == ACTION + 'read' and question.body[3] == 0
        authority.answer(question, yes)
        answer = gold.reply(serial)
        assert json.loads(answer[0])['id'] == foreign if yes else answer.kind == 'NotFound'
        serial = gold.send('Manager', 'Subscribe', 'as', ['customer'])
        authority.answer(authority.take(), yes)
        assert gold.reply(serial) == ()
    # What the role has is not asked for.
    assert gold.json('Views', 'List', 'a{sv}', {}) == []


def test_what_waits_for_polkit_is_not_kept_without_limit(house, authority):
    """A stranger's large calls: some wait, the others are told so at once, and after the answers there is room again."""
    gold = house.person(GOLD)
    large = (*EDIT, ['x' * 1000] * 7000, {}, {})
    serials = [gold.send(*large) for _ in range(16)]
    refused = []
    while serials[-1] not in refused:        # they come in order: by then each call is refused, or its question is on its way
        message = gold.connection.receive(timeout=30)
        if message.header.message_type == MessageType.signal:
            continue
        assert message.header.fields.get(HeaderFields.error_name) == PREFIX + 'Error.LimitExceeded' and message.body[0].startswith('too-much-at-once:'), message
        refused.append(message.header.fields[HeaderFields.reply_serial])
    asked = [serial for serial in serials if serial not in refused]
    assert 4 < len(asked) < 12
    for serial in asked:
        authority.answer(authority.take())
    assert all(refused_for_rights(gold.reply(serial)) for serial in asked)
    serial = gold.send('Customers', 'Edit', 'asa{sv}a{sv}', ['x' * 1000] * 9000, {}, {})
    answer = gold.reply(serial)
    assert (answer.kind, answer.code) == ('LimitExceeded', 'too-big')
    serial = gold.send(*large)
    authority.answer(authority.take())
    assert refused_for_rights(gold.reply(serial))


def test_a_change_of_something_else_does_not_count(house, authority):
    one, other = house.onboard('One', 'a@x.example'), house.onboard('Other', 'b@x.example')
    gold = house.person(GOLD)
    serial = gold.send(*EDIT, [one], {'phone': ('s', 'gold')}, {})
    question = authority.take()
    house.call(*EDIT, [other], {'phone': ('s', '1')}, {})
    house.call('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'v')}, {})
    authority.answer(question, True)
    assert not isinstance(gold.reply(serial), BusError) and house.customer(one)['phone'] == 'gold'
