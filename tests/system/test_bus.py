# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may ask, what the interfaces look like, limits, and life and death of the daemon."""
import json
import os
import re
import signal
import subprocess
import threading
import xml.etree.ElementTree as tree
from pathlib import Path

import pytest
from jeepney import DBusAddress, HeaderFields, MatchRule, new_method_call
from jeepney.io.blocking import Proxy

from conftest import BUILD, DEADLINE, NAME, PATH, PREFIX, TOP, BusError, Client, Rig, wait_until

TEST_ONLY = {('Tasks', 'Enqueue'), ('Manager', 'QuietHour')}


def shape(interface):
    members = {}
    for kind in ('method', 'signal', 'property'):
        for m in interface.findall(kind):
            members[(kind, m.get('name'))] = [(a.get('type'), a.get('name')) for a in m.findall('arg')] or m.get('type')
    return members


def test_introspection_equals_the_documented_interfaces(rig):
    message = new_method_call(DBusAddress(PATH, NAME, 'org.freedesktop.DBus.Introspectable'), 'Introspect')
    found = {i.get('name'): shape(i) for i in tree.fromstring(rig.client.connection.send_and_get_reply(message).body[0]).findall('interface')
             if i.get('name').startswith(PREFIX)}
    for name, members in found.items():
        for test_only in TEST_ONLY:
            if PREFIX + test_only[0] == name:
                members.pop(('method', test_only[1]), None)
    documented = {}
    for path in (TOP / 'dbus').glob('org.tenantd.Tenant1.*.xml'):
        interface = tree.parse(path).getroot().find('interface')
        documented[interface.get('name')] = shape(interface)
    assert found == documented


def test_only_root_and_the_daemons_own_user_are_answered(rig):
    script = f'''
import sys; sys.path.insert(0, {str(TOP / "tests")!r})
from conftest import Client, BusError
c = Client({rig.bus.address!r})
for member, args in (("List", ("a{{sv}}", {{}})), ("Onboard", ("a{{sv}}a{{sv}}", {{"organization": ("s", "X")}}, {{}}))):
    try:
        c.call("Customers", member, *args); print("answered")
    except BusError as e:
        print(e.kind)
'''
    out = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '/usr/bin/python3', '-B', '-c', script],
                         capture_output=True, text=True)
    assert out.stdout.split() == ['NotAuthorized', 'NotAuthorized'], out.stderr
    assert json.loads(rig.call('Audit', 'List', 'a{sv}', {})[0]) == []


def test_a_stranger_cannot_take_the_name(rig):
    out = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', str(BUILD / 'tenantd'), f'--bus={rig.bus.address}',
                          f'--state={rig.folder}/other'], capture_output=True, text=True)
    assert out.returncode in (73, 75)


@pytest.mark.parametrize('query, field', [
    ({'limit': ('u', 0)}, 'limit'), ({'limit': ('u', 501)}, 'limit'), ({'limit': ('s', '5')}, 'limit'), ({'nonsense': ('s', 'x')}, 'nonsense'),
    ({'selector': ('s', 'organization = ')}, 'selector'), ({'selector': ('s', '')}, 'selector'), ({'sort': ('s', 'nothing')}, 'sort'),
    ({'columns': ('as', ['organization', 'wrong'])}, 'columns'), ({'cursor': ('s', 'abc')}, 'cursor')])
def test_bad_queries_name_the_key(rig, query, field):
    with pytest.raises(BusError) as e:
        rig.call('Customers', 'List', 'a{sv}', query)
    assert e.value.kind == 'InvalidArgument' and f'field: {field}' in e.value.message


def test_a_second_daemon_is_refused_at_once(rig):
    other = subprocess.run([str(BUILD / 'tenantd'), f'--bus={rig.bus.address}', f'--state={rig.state}'], capture_output=True, text=True, timeout=DEADLINE)
    assert other.returncode == 73 and 'another tenantd uses' in other.stderr


@pytest.mark.parametrize('text, words', [
    ('[queue]\nworkerz = 3\n', 'tenantd.conf:2: unknown key queue.workerz (did you mean queue.workers?)'),
    ('[queue]\nworkers = many\n', 'tenantd.conf:2: queue.workers must be a whole number'),
    ('[queue]\nworkers = 3\nworkers = 4\n', 'tenantd.conf:3: queue.workers was set on line 2 already'),
    ('workers = 3\n', 'tenantd.conf:1: the first setting stands before any'),
    ('[admin]\nquiet_hour = 2:30 ; a comment\n', 'tenantd.conf:2: admin.quiet_hour must be a time HH:MM')])
def test_bad_configuration_names_file_and_line(folder, bus, text, words):
    rig = Rig(folder, bus, text)
    process = rig.spawn()
    assert process.wait(DEADLINE) == 78 and words in rig.log.read_text()


def test_many_calls_in_flight_are_all_answered(rig):
    identity = rig.onboard('One', 'a@x.example')
    connection = rig.client.connection
    replies = []
    with connection.filter(MatchRule(type='method_return'), bufsize=400) as queue:
        for i in range(100):
            message = new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Customers'), 'Edit', 'asa{sv}a{sv}', ([identity], {'phone': ('s', str(i))}, {}))
            connection.send(message, serial=1000 + i)
        for _ in range(100):
            replies.append(connection.recv_until_filtered(queue, timeout=30))
    assert len(replies) == 100
    assert rig.customer(identity)['revision'] == 101 and rig.customer(identity)['phone'] == '99'


def test_signals_go_to_subscribers_with_ids_only(rig):
    listener = Client(rig.bus.address)
    listener.call('Manager', 'Subscribe', 'as', ['customer'])
    with listener.connection.filter(MatchRule(type='signal', interface=PREFIX + 'Manager', member='Changed'), bufsize=10) as queue:
        identity = rig.onboard('Secret Name', 'a@x.example')
        signal_message = listener.connection.recv_until_filtered(queue, timeout=30)
    assert signal_message.body == ('customer', [identity])
    listener.call('Manager', 'Subscribe', 'as', ['partner'])
    with listener.connection.filter(MatchRule(type='signal', interface=PREFIX + 'Manager', member='Changed'), bufsize=10) as queue:
        rig.call('Partner', 'Set', 'sa{sv}', '', {'name': ('s', 'MSP')})
        assert listener.connection.recv_until_filtered(queue, timeout=30).body == ('partner', [''])
    listener.close()


def test_stops_on_sigterm(rig):
    rig.onboard('One', 'a@x.example')
    rig.stop()


def test_a_lost_bus_ends_the_daemon_and_loses_nothing(folder, bus):
    rig = Rig(folder, bus).start()
    identity = rig.onboard('One', 'a@x.example')
    bus.process.kill()
    bus.process.wait(DEADLINE)
    bus.process = None
    assert rig.process.wait(DEADLINE) == 75
    rig.process = rig.client = None
    bus.stop()
    bus.start()
    rig.start()
    assert rig.customer(identity)['organization'] == 'One'
    rig.stop()


def test_log_level_and_status(rig):
    rig.json('Manager', 'LogLevel', 'sa{sv}', '', {'level': ('s', 'error'), 'dry_run': ('b', True)})
    assert rig.json('Manager', 'LogLevel', 'sa{sv}', '', {}) == {'level': 'info'}
    assert rig.json('Manager', 'LogLevel', 'sa{sv}', '', {'level': ('s', 'debug')}) == {'level': 'debug'}
    assert rig.json('Manager', 'LogLevel', 'sa{sv}', '', {}) == {'level': 'debug'}
    status = rig.json('Manager', 'Status', 'sa{sv}', '', {})
    assert status['log_level'] == 'debug' and status['queue']['dead'] == 0 and status['state_directory'] == str(rig.state)


def test_the_queue_pauses_durably(rig):
    rig.json('Tasks', 'Pause', 'sa{sv}', '', {})
    ids = rig.call('Tasks', 'Enqueue', 'as', ['noop'] * 3)[0]
    rig.kill()
    rig.start()
    assert {t['state'] for t in json.loads(rig.call('Tasks', 'List', 'a{sv}', {})[0])} == {'queued'}
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    wait_until('the tasks', lambda: {t['state'] for t in json.loads(rig.call('Tasks', 'List', 'a{sv}', {})[0])} == {'done'})
    assert len(ids) == 3


def test_what_begins_in_a_paused_queue_says_so(rig):
    both = [rig.onboard(name, f'{name}@x.example') for name in ('a', 'b')]
    edit = lambda: rig.json('Customers', 'Edit', 'asa{sv}a{sv}', both, {'phone': ('s', '1')}, {})
    assert 'warnings' not in edit()
    rig.json('Tasks', 'Pause', 'sa{sv}', '', {})
    started = edit()
    assert started['state'] == 'running' and ['task resume' in w for w in started['warnings']] == [True]
    report = rig.json('Reports', 'Generate', 'sa{sv}', both[0], {'template': ('s', 'monthly'), 'to': ('as', ['a@x.example'])})
    assert ['task resume' in w for w in report['warnings']] == [False, True]     # the first is about the relay
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    wait_until('the operation', lambda: rig.json('Operations', 'Describe', 's', started['id'])['state'] == 'finished')


def test_the_log_goes_where_stderr_is(folder, bus):
    """Terminals of a desktop hand down JOURNAL_STREAM, whatever stderr is."""
    rig = Rig(folder, bus).start(JOURNAL_STREAM='9:12345')
    rig.stop()
    assert 'is up' in rig.log.read_text()


def test_callers_that_deliver_nothing_do_not_keep_all_workers(rig):
    """What is asked after six imports whose files never come is answered before them."""
    ends = [os.pipe() for _ in range(6)]
    connection, serials, order = rig.client.connection, [], []
    calls = [('Customers', 'Import', 'ha{sv}a{sv}', (os.fdopen(r, 'rb'), {}, {})) for r, _ in ends] + [('Audit', 'Verify', 'sa{sv}', ('', {}))]
    for interface, member, signature, body in calls:
        serials.append(next(connection.outgoing_serial))
        connection.send(new_method_call(DBusAddress(PATH, NAME, PREFIX + interface), member, signature, body), serial=serials[-1])
    while len(order) < len(calls):
        message = connection.receive(timeout=60)
        if message.header.fields.get(HeaderFields.reply_serial) in serials:
            order.append(serials.index(message.header.fields[HeaderFields.reply_serial]))
        if len(order) == 1:
            for _, w in ends:
                os.close(w)
            ends = []
    assert order[0] == 6 and sorted(order) == list(range(7))
