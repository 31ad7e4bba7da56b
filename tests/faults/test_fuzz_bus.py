# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every method, driven by introspection with values nobody would send: each call is answered, nothing crashes or hangs."""
import os
import random
import socket
import struct
import time
import xml.etree.ElementTree as tree

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call

from conftest import NAME, PATH, PREFIX, Client, Rig

TEXTS = ['', ' ', 'a', 'Org 1', 'a@x.example', 'ä' * 300, 'x' * 70000, '\u202eevil', '\x01', "'; DROP TABLE customer;--", '%n%s', '../../etc/passwd',
         '=1+1', 'tag = gold', 'tag = (', '(' * 40, 'not ' * 40 + 'tag = a', 'organization ~ "a" and created > 2020-01-01', '-organization', 'jsonl', 'csv',
         'customers', 'xlsx', 'audit', '0' * 32, 'f' * 32, 'deadbe', 'true', '2026-02-30', '9' * 40, '\u0000'[:0], '😀' * 50, 'Europe/Berlin', 'UTC']
NUMBERS = {'y': 8, 'n': 16, 'q': 16, 'i': 32, 'u': 32, 'x': 64, 't': 64}
VARIANTS = ['s', 'b', 'u', 't', 'x', 'i', 'd', 'as', 'a{ss}', 'aa{ss}', 'a{sv}', 'v', 'ay', 'aas', '(si)', 'o', 'g', 'h', 'a(ss)']
KEYS = ['columns', 'selector', 'sort', 'cursor', 'limit', 'view', 'search', 'all', 'since', 'until', 'organization', 'registered_account', 'country', 'tags',
        'custom', 'contacts', 'symbol', 'logo', 'clear', 'mode', 'management_mode', 'request_id', 'revision', 'dry_run', 'confirm', 'on_behalf_of', 'kind',
        'format', 'file_name', 'name', 'map', 'set', 'update', 'level', 'sample', 'deliveries.billing.enabled', 'deliveries.billing.recipients', 'time_zone',
        'account_type', 'nonsense', '', 'operation']


class Descriptor:
    """What jeepney takes for a file: anything with a fileno()."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.open = []

    def descriptor(self):
        kind = self.random.randrange(5)
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
        else:
            fd = os.memfd_create('fuzz')
            os.write(fd, self.random.choice([b'', b'\x89PNG\r\n\x1a\n' + b'\0' * 50, b'organization\n"open', b'\xff\xfe' + b'x' * 33, b'a,b\n' * 500]))
            os.lseek(fd, 0, 0)
        self.open.append(fd)
        return Descriptor(fd)

    def close(self):
        for fd in self.open:
            os.close(fd)
        self.open.clear()

    def value(self, signature, depth=0):
        r, c = self.random, signature[0]
        if signature == 'a{sv}':
            keys = r.sample(KEYS, r.randrange(0, 5)) if depth < 3 else []
            return {k: self.variant(depth + 1) for k in keys}
        if signature.startswith('a{'):
            return {self.value('s'): self.value(signature[3:-1], depth + 1) for _ in range(r.randrange(3))}
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
        signature = self.random.choice(VARIANTS if depth < 8 else ['s', 'b'])
        return signature, self.value(signature, depth)


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


@pytest.mark.parametrize('calls', [15, pytest.param(2000, marks=pytest.mark.slow)])
def test_no_call_crashes_or_hangs(folder, bus, calls):
    seed = int(os.environ.get('SEED', time.time_ns() % 10**9))
    print(f'seed {seed}')
    rig = Rig(folder, bus).start()
    for i in range(5):
        rig.onboard(f'Org {i}', f'a{i}@x.example', tags=('as', ['gold']))
    maker, counts = Maker(seed), {}
    internal = []
    for interface, member, signature in methods(rig.client):
        if (interface, member) == (PREFIX + 'Tasks', 'Pause'):
            continue
        for n in range(calls):
            chosen = signature
            if maker.random.random() < 0.15:
                chosen = ''.join(maker.random.choice(['s', 'u', 'as', 'a{sv}', 'v', 'h']) for _ in range(maker.random.randrange(0, 4)))
            args = tuple(maker.value(s) for s in split(chosen))
            message = new_method_call(DBusAddress(PATH, NAME, interface), member, chosen or None, args)
            try:
                reply = rig.client.connection.send_and_get_reply(message, timeout=60)
            except TimeoutError:
                pytest.fail(f'{interface}.{member} was not answered: seed {seed}, call {n}, {chosen} {args!r:.300}')
            finally:
                maker.close()
            assert rig.process.poll() is None, f'{interface}.{member} ended the daemon: seed {seed}, call {n}, {chosen} {args!r:.300}'
            kind = 'ok' if reply.header.message_type != MessageType.error else reply.header.fields[HeaderFields.error_name].rsplit('.', 1)[-1]
            counts[kind] = counts.get(kind, 0) + 1
            if kind in ('Failed', 'NoReply') and not reply.body[0].startswith(('chain-broken', 'export-failed')):
                internal.append((interface, member, reply.body[0], repr(args)[:300]))
    print(counts)
    assert internal == []
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    rig.stop()
