# SPDX-License-Identifier: LGPL-2.1-or-later
"""Callers of other users, a daemon that sees users and groups of its own, and what the sources say about rights.

Nothing is written to the host: users, groups and polkit's folders are bind mounts in a mount namespace of the program that
shall see them. A caller is a connection made while this process is that user: the bus keeps who one was then.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import time
import xml.etree.ElementTree as tree
from pathlib import Path

import pytest
from jeepney import DBusAddress, HeaderFields, MessageFlag, MessageType, new_method_call

from conftest import BUS_CONFIG, NAME, PATH, PREFIX, TOP, BusError, Client, PrivateBus, Rig, wait_until

ADMIN_GROUP, ADMIN_GID, OPS_GID = 'tenantd-admin', 60990, 60991
BOSS, GOLD, SILVER, SCRIBE, STRANGER, DAEMON = 60001, 60002, 60003, 60004, 60009, 60010
ONE_EACH = range(61000, 61200)               # a user for each verb
TEST_ONLY_VERBS = {'admin.quiet-hour', 'task.enqueue'}

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='needs root to be somebody else')


# ---- being somebody else ----

@contextlib.contextmanager
def being(uid, groups=()):
    """This process is that user until the end of the block."""
    mine = os.getgroups()
    os.setgroups(list(groups))
    os.setresgid(uid, uid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(mine)


class Person(Client):
    """A client that the bus knows as the user uid with these groups besides."""

    def __init__(self, address, uid, groups=()):
        with being(uid, groups):
            super().__init__(address)
        self.uid, self.who = uid, f'user:{uid}'

    def json(self, *arguments, **keywords):
        return json.loads(self.call(*arguments, **keywords)[0])

    def refusal(self, *arguments, **keywords):
        with pytest.raises(BusError) as e:
            self.call(*arguments, **keywords)
        return e.value

    def send(self, interface, member, signature, *arguments, interactive=False):
        """Only asks; reply() waits for the answer of this number."""
        message = new_method_call(DBusAddress(PATH, NAME, PREFIX + interface), member, signature, arguments)
        if interactive:
            message.header.flags |= MessageFlag.allow_interactive_authorization
        serial = next(self.connection.outgoing_serial)
        self.connection.send(message, serial=serial)
        return serial

    def reply(self, serial, timeout=30):
        """The body, or the BusError."""
        end = time.monotonic() + timeout
        while True:
            message = self.connection.receive(timeout=max(end - time.monotonic(), 0.01))
            if message.header.fields.get(HeaderFields.reply_serial) == serial:
                if message.header.message_type == MessageType.error:
                    return BusError(message.header.fields[HeaderFields.error_name], message.body[0] if message.body else '')
                return message.body

    def answers(self, calls, window=32, timeout=30):
        """Answers of many calls [(interface, member, signature, arguments)], in their order, several on the way at a time: bodies or BusErrors.
        timeout: between two of them."""
        found, serials = [None] * len(calls), {}
        sent = 0
        while sent < len(calls) or serials:
            while sent < len(calls) and len(serials) < window:
                interface, member, signature, arguments = calls[sent]
                serial = next(self.connection.outgoing_serial)
                serials[serial] = sent
                self.connection.send(new_method_call(DBusAddress(PATH, NAME, PREFIX + interface), member, signature or None, arguments), serial=serial)
                sent += 1
            message = self.connection.receive(timeout=timeout)
            n = serials.pop(message.header.fields.get(HeaderFields.reply_serial), None)
            if n is None:
                continue
            if message.header.message_type == MessageType.error:
                found[n] = BusError(message.header.fields[HeaderFields.error_name], message.body[0] if message.body else '')
            else:
                found[n] = message.body
        return found


# ---- programs that see something else than the host has ----

def seeing(mounts):
    """The words before a program that sees source in the place of target, for {target: source}. It keeps its process id."""
    script = ''.join(f"mount --bind '{source}' '{target}' && " for target, source in mounts.items())
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script + 'exec "$@"', 'sh'] if mounts else []


def private_etc(folder, users, groups):
    """passwd and group with the host's entries and these: {name: uid}, {name: (gid, [member])}."""
    own = {*users, *groups}
    etc = Path(folder) / 'etc'
    etc.mkdir(exist_ok=True)
    kept = {name: [line for line in Path('/etc', name).read_text().splitlines() if line.split(':')[0] not in own] for name in ('passwd', 'group')}
    kept['passwd'] += [f'{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin' for name, uid in users.items()]
    kept['group'] += [f'{name}:x:{gid}:{",".join(members)}' for name, (gid, members) in groups.items()]
    for name, lines in kept.items():
        (etc / name).write_text('\n'.join(lines) + '\n')
        (etc / name).chmod(0o644)
    return {f'/etc/{name}': etc / name for name in kept}


OURS = {f'u{uid}': uid for uid in (*range(60001, 60020), *ONE_EACH)}


class HouseBus(PrivateBus):
    """The bus turns away whom it does not find in its user database: it finds all of ours there, and nobody else does."""

    def start(self):
        etc = self.folder / 'of-bus'
        etc.mkdir(exist_ok=True)
        config = self.folder / 'bus.conf'
        config.write_text(BUS_CONFIG.format(socket=self.socket, policy=TOP / 'dbus' / 'org.tenantd.Tenant1.conf', extra=self.extra))
        log = open(self.folder / 'bus.log', 'ab')
        self.process = subprocess.Popen([*seeing(private_etc(etc, OURS, {})), 'dbus-daemon', f'--config-file={config}', '--nofork', '--nopidfile'], stderr=log, stdout=log)

        def listening():
            with socket.socket(socket.AF_UNIX) as s:
                return s.connect_ex(str(self.socket)) == 0
        wait_until('the private bus', listening)
        return self


class House(Rig):
    """A daemon with users and groups of its own: boss is an administrator; the group ops has scribe in it."""

    def __init__(self, folder, bus, config='', mounts=None, before=(), **keywords):
        super().__init__(folder, bus, config, **keywords)
        self.mounts = {**private_etc(folder, {'boss': BOSS, 'scribe': SCRIBE}, {ADMIN_GROUP: (ADMIN_GID, ['boss']), 'ops': (OPS_GID, ['scribe'])}),
                       **(mounts or {})}
        self.before = list(before)
        self.people = []

    def spawn(self, **environment):
        words = [self.build / 'tenantd', f'--bus={self.bus.address}', f'--state={self.state}', f'--config={self.config}']
        faked = [f'{k}={environment.pop(k)}' for k in ('LD_PRELOAD',) if k in environment]     # not for sh and mount
        return subprocess.Popen([*seeing(self.mounts), *self.before, *(['env', *faked] if faked else []), *words],
                                stderr=open(self.log, 'ab'), stdout=subprocess.DEVNULL, env={**os.environ, **environment})

    def person(self, uid, groups=()):
        self.people.append(Person(self.bus.address, uid, groups))
        return self.people[-1]

    def stop(self):
        while self.people:
            self.people.pop().close()
        super().stop()

    # What tests say most.

    def role(self, name, verbs, *who, **fields):
        typed = {'name': ('s', name), 'verbs': ('as', list(verbs)), **{k: ('s', v) for k, v in fields.items()}}
        self.call('Access', 'Create', 'a{sv}a{sv}', typed, {})
        for each in who:
            self.grant(name, each)
        return name

    def grant(self, role, who, **options):
        return self.json('Access', 'Grant', 'sa{sv}', role, {'who': ('s', str(who) if ':' in str(who) else f'user:{who}'), **{k: ('s', v) for k, v in options.items()}})

    def revoke(self, role, who):
        return self.json('Access', 'Revoke', 'sa{sv}', role, {'who': ('s', str(who) if ':' in str(who) else f'user:{who}')})


# Tests that import these have the house in the place of the plain rig.
@pytest.fixture
def bus(folder):
    bus = HouseBus(folder).start()
    yield bus
    bus.stop()


@pytest.fixture
def house(folder, bus):
    house = House(folder, bus).start()
    yield house
    if house.process:
        house.stop()


@contextlib.contextmanager
def unprivileged(folder, **keywords):
    """A house whose daemon is not root, who may read whatever is closed."""
    bus = HouseBus(folder, f'<policy user="u{DAEMON}"><allow own="{NAME}"/></policy>').start()
    house = House(folder, bus, before=['setpriv', f'--reuid={DAEMON}', f'--regid={DAEMON}', '--clear-groups'], **keywords)
    house.state.mkdir()
    os.chown(house.state, DAEMON, DAEMON)
    try:
        yield house.start()
        if house.process:
            house.stop()
    finally:
        bus.stop()


# ---- what the sources say ----

def rights():
    """{verb: group} of daemon/model/right.c."""
    text = (TOP / 'daemon/model/right.c').read_text()
    return dict(re.findall(r'\{ "([a-z-]+\.[a-z-]+)", RIGHT_([A-Z_]+) \}', text))


def method_rows():
    """{(interface, member): verb} of the tables in daemon/bus."""
    rows = {}
    for path in sorted((TOP / 'daemon/bus').glob('*-bus.c')):
        text = path.read_text()
        tables = dict(re.findall(r'static const MethodRow (\w+)\[\] = \{\n(.*?)\n\};', text, re.S))
        for interface, table in re.findall(r'const InterfaceRows \w+ = \{ "(\w+)", (\w+) \}', text):
            for member, verb in re.findall(r'\{ "(\w+)", FORM_\w+, [^,]+, (NULL|"[^"]*")', tables[table]):
                rows[interface, member] = verb.strip('"')
    return rows


def documented():
    """{(interface, member): verb or None} of the annotations in dbus/*.xml."""
    found = {}
    for path in (TOP / 'dbus').glob('org.tenantd.Tenant1.*.xml'):
        interface = tree.parse(path).getroot().find('interface')
        for method in interface.findall('method'):
            right = [a.get('value') for a in method.findall('annotation') if a.get('name') == 'org.tenantd.Right']
            found[interface.get('name').removeprefix(PREFIX), method.get('name')] = right[0] if len(right) == 1 else None
    return found


def introspected(client):
    """{(interface, member): signature of what it takes}."""
    message = new_method_call(DBusAddress(PATH, NAME, 'org.freedesktop.DBus.Introspectable'), 'Introspect')
    root = tree.fromstring(client.connection.send_and_get_reply(message).body[0])
    return {(i.get('name').removeprefix(PREFIX), m.get('name')): ''.join(a.get('type') for a in m.findall('arg') if a.get('direction') == 'in')
            for i in root.findall('interface') if i.get('name').startswith(PREFIX) for m in i.findall('method')}
