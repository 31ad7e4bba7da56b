# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every method, driven by introspection: wrong signatures, values nobody would send, and calls that are right but for one thing. Each call is answered,
nothing crashes, hangs, fails inside or stays open, and what is kept is sound."""
import contextlib
import itertools
import json
import os
import random
import shutil
import socket
import struct
import time
import xml.etree.ElementTree as tree
from collections import Counter

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call

from checker import check
from conftest import NAME, PATH, PREFIX, Client, Rig, wait_until

TEXTS = ['', ' ', 'a', 'Org 1', 'a@x.example', 'ä' * 300, 'x' * 70000, '\u202eevil', '\x01', "'; DROP TABLE customer;--", '%n%s', '../../etc/passwd',
         '=1+1', 'tag = gold', 'tag = (', '(' * 40, 'not ' * 40 + 'tag = a', 'organization ~ "a" and created > 2020-01-01', '-organization', 'jsonl', 'csv',
         'customers', 'xlsx', 'audit', '0' * 32, 'f' * 32, 'deadbe', 'true', '2026-02-30', '9' * 40, '\u0000'[:0], '😀' * 50, 'Europe/Berlin', 'UTC']
NUMBERS = {'y': 8, 'n': 16, 'q': 16, 'i': 32, 'u': 32, 'x': 64, 't': 64}
VARIANTS = ['s', 'b', 'u', 't', 'x', 'i', 'd', 'as', 'a{ss}', 'aa{ss}', 'a{sv}', 'v', 'ay', 'aas', '(si)', 'o', 'g', 'h', 'a(ss)']
KEYS = ['columns', 'selector', 'sort', 'cursor', 'limit', 'view', 'search', 'all', 'since', 'until', 'organization', 'registered_account', 'country', 'tags',
        'custom', 'contacts', 'symbol', 'logo', 'clear', 'mode', 'management_mode', 'request_id', 'revision', 'dry_run', 'confirm', 'on_behalf_of', 'kind',
        'format', 'file_name', 'name', 'map', 'set', 'update', 'level', 'sample', 'deliveries.billing.enabled', 'deliveries.billing.recipients', 'time_zone',
        'account_type', 'nonsense', '', 'operation']


FIELDS = {'organization': 's', 'registered_account': 's', 'account_type': 's', 'cloud': 's', 'first_name': 's', 'last_name': 's', 'country': 's', 'phone': 's',
          'language': 's', 'time_zone': 's', 'management_mode': 's', 'tags': 'as', 'custom': 'a{ss}', 'contacts': 'aa{ss}', 'symbol': 'h', 'clear': 'as',
          'deliveries.service_reports.enabled': 'b', 'deliveries.service_reports.recipients': 'as', 'deliveries.billing.recipients': 'as'}
OPTIONS = {'request_id': 's', 'revision': 't', 'dry_run': 'b', 'on_behalf_of': 's'}
QUERY = {'columns': 'as', 'selector': 's', 'sort': 's', 'limit': 'u', 'search': 's', 'all': 'b', 'since': 't', 'until': 't', 'cursor': 's', 'view': 's'}
VIEW = {'name': 's', 'selector': 's', 'columns': 'as', 'sort': 's'}
PARTNER = {'name': 's', 'account': 's', 'sender': 's', 'language': 's', 'time_zone': 's', 'currency': 's', 'contacts': 'aa{ss}', 'logo': 'h', **OPTIONS}
EXPORT = {'kind': 's', 'format': 's', 'columns': 'as', 'selector': 's', 'file_name': 's', 'no_bom': 'b', 'all_columns': 'b', 'sort': 's', 'operation': 's'}

# What the dictionaries of a method hold, in their order, when it is asked nearly right.
DICTIONARIES = {'List': [QUERY], 'Query': [QUERY], 'Count': [QUERY], 'ListEvents': [QUERY], 'Onboard': [FIELDS, OPTIONS],
                'Edit': [FIELDS, {**OPTIONS, 'selector': 's'}], 'Mode': [{'mode': 's'}, {**OPTIONS, 'selector': 's'}], 'Set': [PARTNER],
                'Disconnect': [{**OPTIONS, 'confirm': 's'}], 'Export': [EXPORT, OPTIONS], 'Import': [{'update': 'b', 'map': 'a{ss}', 'set': 'a{ss}'}, OPTIONS],
                'LogLevel': [{'level': 's', **OPTIONS}], 'Save': [VIEW, OPTIONS], 'Dashboard': [{'sample': 'b'}]}
WORDS = {'account_type': ['local', 'm365', 'google'], 'cloud': ['gcc', 'commercial'], 'country': ['DE', 'at', 'XK', 'GB'], 'language': ['de', 'en-GB'],
         'time_zone': ['Europe/Berlin', 'UTC'], 'management_mode': ['partner', 'customer', 'unset'], 'mode': ['partner', 'customer', 'unset'],
         'columns': ['organization', 'tags', 'status', 'id', 'created', 'name', 'state', 'kind', 'n', 'verb'], 'sort': ['organization', '-created', 'id', '-n', 'name'],
         'selector': ['tag = gold', 'organization = "Org 1"', 'country in (DE, AT) and not tag = x', 'state = running', 'verb = customer.edit', 'pinned = yes'],
         'kind': ['customers', 'audit', 'operation'], 'format': ['csv', 'json', 'json', 'csv', 'xlsx'], 'file_name': ['list.csv', 'ä b.json'],
         'currency': ['EUR', 'CHF'], 'level': ['error', 'warning'], 'clear': ['phone', 'tags', 'language', 'custom'], 'confirm': ['Org 1', 'Org 2'],
         'search': ['org', 'ß', 'x'], 'cursor': [''], 'view': ['v1'], 'tags': ['gold', 'silver', 'größe'], 'symbol': [], 'logo': []}


class Descriptor:
    """What jeepney takes for a file: anything with a fileno()."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.open, self.known = [], ['Org 0', 'Org 1', 'Org 2', 'a3@x.example', '']
        self.number = itertools.count()

    def descriptor(self):
        kind = self.random.randrange(6)
        if kind == 0:
            fd = os.open('/dev/zero' if self.random.random() < 0.05 else '/dev/null', os.O_RDONLY)
        elif kind == 1:
            a, b = socket.socketpair()
            b.close()
            fd = a.detach()
        elif kind == 2:
            r, w = os.pipe()
            os.write(w, b'organization,registered_account\n' + bytes(self.random.randbytes(200)))
            os.close(w)
            fd = r
        elif kind == 3:
            fd = os.open('/', os.O_RDONLY | os.O_DIRECTORY)
        elif kind == 4:
            fd = os.open('/dev/null', os.O_WRONLY)
        else:
            fd = os.memfd_create('fuzz')
            n = next(self.number)
            os.write(fd, self.random.choice([b'', b'\x89PNG\r\n\x1a\n' + b'\0' * 50, b'organization\n"open', b'\xff\xfe' + b'x' * 33, b'a,b\n' * 500,
                                             b'organization,registered_account,first_name,last_name,country\nLine %d,l%d@x.example,A,B,DE\n' % (n, n)]))
            os.lseek(fd, 0, 0)
        self.open.append(fd)
        return Descriptor(fd)

    def close(self):
        for fd in self.open:
            os.close(fd)
        self.open.clear()

    # ---- anything ----

    def value(self, signature, depth=0):
        r, c = self.random, signature[0]
        if signature == 'a{sv}':
            pairs = [(k, self.variant(depth + 1)) for k in (r.sample(KEYS, r.randrange(0, 5)) if depth < 3 else [])]
            return pairs + pairs[:1] if r.random() < 0.1 else pairs
        if signature.startswith('a{'):
            return [(self.value('s'), self.value(signature[3:-1], depth + 1)) for _ in range(r.randrange(3))]
        if c == 'a':
            return [self.value(signature[1:], depth + 1) for _ in range(r.choice([0, 1, 2, 3, 30]))]
        if c == '(':
            return tuple(self.value(x, depth + 1) for x in signature[1:-1])
        if c == 'v':
            return self.variant(depth + 1)
        if c == 's':
            return r.choice(TEXTS)
        if c == 'o':
            return '/' + '/'.join('a' * r.randrange(1, 9) for _ in range(r.randrange(1, 40)))
        if c == 'g':
            return 'a' * r.randrange(0, 30) + 's'
        if c == 'b':
            return r.random() < 0.5
        if c == 'd':
            return r.choice([0.0, -1.5, float('nan'), float('inf'), 1e308])
        if c == 'h':
            return self.descriptor()
        bits = NUMBERS[c]
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if c in 'nix' else (0, (1 << bits) - 1)
        return r.choice([low, high, 0, 1, 5, min(500, high), r.randint(low, high)])

    def variant(self, depth):
        if self.random.random() < 0.03:
            value = ('s', 'deep')
            for _ in range(self.random.choice([5, 20, 50])):
                value = ('v', value)
            return value
        signature = self.random.choice(VARIANTS if depth < 8 else ['s', 'b'])
        return signature, self.value(signature, depth)

    # ---- nearly right ----

    def word(self, key):
        if WORDS.get(key):
            return self.random.choice(WORDS[key])
        if key in ('registered_account', 'account', 'sender') or 'recipients' in key:
            return f'f{next(self.number)}@x.example'
        return f'{key} {next(self.number)}'[:60]

    def right(self, key, signature):
        r = self.random
        if signature == 's':
            return self.word(key)
        if signature == 'as':
            return [self.word(key) for _ in range(r.randrange(1, 4))]
        if signature == 'a{ss}':
            return [(f'k{i}', 'v') for i in range(r.randrange(3))]
        if signature == 'aa{ss}':
            return [[('address', self.word('account')), ('role', 'billing')]]
        if signature == 'b':
            return r.random() < 0.5
        if signature == 'h':
            return self.descriptor()
        return r.choice([1, 2, 100])

    def dictionary(self, keys, few):
        r = self.random
        chosen = [k for k in keys if r.random() < (0.15 if few else 0.8 if k in ('organization', 'registered_account', 'first_name', 'last_name', 'country', 'kind', 'name',
                                                                                 'confirm', 'mode') else 0.12)]
        pairs = [(k, (keys[k], self.right(k, keys[k]))) for k in chosen]
        if pairs and r.random() < 0.15:
            i = r.randrange(len(pairs))
            pairs[i] = (pairs[i][0], self.variant(1))
        if r.random() < 0.03:
            pairs += pairs[:1]
        return pairs

    def nearly_right(self, member, signature):
        dictionaries, out = iter(DICTIONARIES.get(member, [OPTIONS, OPTIONS])), []
        for i, part in enumerate(split(signature)):
            if part == 'a{sv}':
                keys = next(dictionaries, OPTIONS)
                out.append(self.dictionary(keys, keys is OPTIONS or keys is QUERY))
            elif part == 's' and member == 'Query':
                out.append(self.random.choice(['jsonl', 'csv']))
            elif part == 's':
                out.append(self.random.choice(self.known))
            elif part == 'as':
                out.append(['noop'] if member == 'Enqueue' else self.random.sample(self.known, self.random.choice([0, 1, 1, 1, 2, 3])))
            else:
                out.append(self.value(part))
        return signature, tuple(out)

    def call(self, member, signature):
        chance = self.random.random()
        if chance < 0.15:
            signature = ''.join(self.random.choice(['s', 'u', 'as', 'a{sv}', 'v', 'h']) for _ in range(self.random.randrange(0, 4)))
        elif chance < 0.6:
            return self.nearly_right(member, signature)
        return signature, tuple(self.value(s) for s in split(signature))


def split(signature):
    out, i = [], 0
    while i < len(signature):
        start = i
        while signature[i] == 'a':
            i += 1
        level = 0
        while True:
            level += signature[i] in '({'
            level -= signature[i] in ')}'
            i += 1
            if level == 0:
                break
        out.append(signature[start:i])
    return out


def methods(client):
    message = new_method_call(DBusAddress(PATH, NAME, 'org.freedesktop.DBus.Introspectable'), 'Introspect')
    root = tree.fromstring(client.connection.send_and_get_reply(message, timeout=30).body[0])
    for interface in root.findall('interface'):
        if interface.get('name').startswith(PREFIX):
            for method in interface.findall('method'):
                signature = ''.join(a.get('type') for a in method.findall('arg') if a.get('direction') == 'in')
                yield interface.get('name'), method.get('name'), signature


class Caller:
    """Some calls in flight at a time; each must be answered."""

    def __init__(self, rig, maker, seed):
        self.rig, self.maker, self.seed, self.connection = rig, maker, seed, rig.client.connection
        self.waiting, self.counts, self.internal = {}, {}, []

    def send(self, interface, member, signature, args):
        message = new_method_call(DBusAddress(PATH, NAME, interface), member, signature or None, args)
        serial = next(self.connection.outgoing_serial)
        try:
            self.connection.send_message(message, serial=serial)
        finally:
            self.maker.close()
        self.waiting[serial] = f'{interface}.{member} {signature} {args!r:.300}'

    def receive(self, most):
        while len(self.waiting) > most:
            try:
                reply = self.connection.receive(timeout=100)
            except (TimeoutError, OSError) as e:
                log = self.rig.log.read_text(errors='replace')[-3000:]
                pytest.fail(f'seed {self.seed}: {e!r}, the daemon {self.rig.process.poll()}, not answered: {list(self.waiting.values())}\n{log}')
            if reply.header.message_type == MessageType.signal:
                continue
            what = self.waiting.pop(reply.header.fields[HeaderFields.reply_serial])
            error = reply.header.message_type == MessageType.error
            kind = reply.header.fields[HeaderFields.error_name].rsplit('.', 1)[-1] if error else 'ok'
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if kind in ('Failed', 'NoReply', 'Disconnected') and not reply.body[0].startswith(('chain-broken', 'export-failed')):
                self.internal.append((what, reply.body[0]))
            for value in reply.body if not error else ():
                if hasattr(value, 'close'):
                    value.close()


def descriptors(rig):
    folder = f'/proc/{rig.process.pid}/fd'
    found = []
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):     # closed since
            found.append(os.readlink(f'{folder}/{fd}'))
    return sorted(found)


def learn(rig, maker):
    """Ids of what there is, so that calls meet something."""
    for interface in ('Customers', 'Operations', 'Tasks', 'Reports', 'Views'):
        rows = json.loads(rig.call(interface, 'List', 'a{sv}', {'limit': ('u', 5), 'columns': ('as', ['id'])})[0])
        maker.known += [row['id'] for row in rows] + [row['id'][:8] for row in rows[:1]]
    maker.known = maker.known[:5] + maker.known[-60:]


def one_life(rig, maker, seed, calls):
    """So many calls of every method, from the start of a daemon to its end."""
    rig.start()
    for i in range(5):
        rig.onboard(f'Org {i}', f'a{i}@x.example', tags=('as', ['gold']))
    caller, before = Caller(rig, maker, seed), descriptors(rig)
    everything = [m for m in methods(rig.client) if m[:2] != (PREFIX + 'Tasks', 'Pause')]
    assert len(everything) > 40
    for _ in range(0, calls, 20):
        for interface, member, signature in everything:
            for _ in range(20):
                caller.send(interface, member, *maker.call(member, signature))
                caller.receive(16)
        caller.receive(0)
        learn(rig, maker)
        assert rig.process.poll() is None
    print(caller.counts)
    assert caller.internal == []
    assert caller.counts['ok'] > sum(caller.counts.values()) / 10, 'nearly everything was refused: this tests little'
    wait_until('the queue running dry', lambda: all(rig.json('Manager', 'Status', 'sa{sv}', '', {})['queue'][k] == 0 for k in ('queued', 'running', 'waiting')) or
               all(t['kind'] == 'erase' for t in json.loads(rig.call('Tasks', 'List', 'a{sv}', {'selector': ('s', 'state in (queued, running, waiting)')})[0])), 120)
    # Each worker opens the database and its WAL when it first works; a quiet hour that was asked for ends with a backup.
    wait_until('the rest to be closed', lambda: all('tenantd.db' in name for name in Counter(descriptors(rig)) - Counter(before)))
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    rig.stop()
    assert check(rig.state) == []


A_LIFE = 200     # calls a method with one state directory: the more is in it, the longer takes each


@pytest.mark.parametrize('calls', [20, pytest.param(2000, marks=pytest.mark.slow)])
def test_no_call_crashes_or_hangs(folder, bus, calls):
    seed = int(os.environ.get('SEED', time.time_ns() % 10**9))
    print(f'seed {seed}')
    for life in range(0, calls, A_LIFE):
        place = folder / f'life-{life}'
        place.mkdir()
        # A life can be had again by its own seed.
        one_life(Rig(place, bus), Maker(seed + life), seed, min(calls, A_LIFE))
        shutil.rmtree(place)


@pytest.mark.slow
def test_descriptors_that_never_end(rig):
    """Pipes nobody writes to: refused after their time, and nobody else waits for them."""
    ends = [os.pipe() for _ in range(6)]
    seen = []
    for r, _ in ends:
        message = new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Customers'), 'Import', 'ha{sv}a{sv}', (Descriptor(r), {}, {}))
        rig.client.connection.send_message(message)
    other = Client(rig.bus.address)
    for i in range(20):
        other.call('Customers', 'Onboard', 'a{sv}a{sv}', {'organization': ('s', f'Org {i}'), 'account_type': ('s', 'google')}, {}, timeout=20)
    while len(seen) < len(ends):
        reply = rig.client.connection.receive(timeout=100)
        if reply.header.message_type == MessageType.error:
            seen.append(reply.body[0].split(':')[0])
    assert seen == ['too-slow'] * len(ends)
    other.close()
    for pair in ends:
        for fd in pair:
            os.close(fd)
