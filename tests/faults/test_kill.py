# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 under mixed load, again and again: what was acknowledged is there once, what was not is there once at most and
gives the same answer when it is asked for again with its request_id."""
import json
import os
import random
import shutil
import sqlite3
import threading
import time

import pytest

from checker import check
from conftest import BusError, Client, Rig, wait_until

LOST = (ConnectionError, OSError, TimeoutError, EOFError)
POINTS = ['', '', '', 'before_commit', 'after_commit', 'after_claim', 'after_rename']


def text(**values):
    return {k: ('s', v) for k, v in values.items()}


class File:
    """An argument that is a file: opened anew for every call."""

    def __init__(self, data):
        self.data = data

    def open(self):
        fd = os.memfd_create('kill')
        os.write(fd, self.data)
        os.lseek(fd, 0, 0)
        return os.fdopen(fd, 'rb')


def call(client, method, signature, args, options, **keywords):
    files = [a.open() if isinstance(a, File) else a for a in args]
    try:
        body = client.call(*method, signature, *files, options, **keywords)
        for value in body[1:]:
            value.close()
        return body[0]
    finally:
        for file in files:
            if hasattr(file, 'fileno'):
                file.close()


class Worker(threading.Thread):
    """One client that writes down what it asked for, and what it was told."""

    def __init__(self, address, seed, cycle, number):
        super().__init__(daemon=True)
        self.address, self.random, self.tag = address, random.Random(seed), f'{cycle}-{number}'
        self.log = []                       # [method, arguments, options, answer or None]
        self.stopped = False

    def ask(self, client, method, signature, *args):
        options = {'request_id': ('s', f'{self.tag}-{len(self.log)}')}
        entry = [method, signature, args, options, None]
        self.log.append(entry)
        try:
            entry[4] = ('ok', call(client, method, signature, args, options, timeout=10))
        except BusError as e:
            if e.name.startswith('org.freedesktop.DBus.Error'):
                raise ConnectionError from e
            entry[4] = (e.kind, e.code)

    def run(self):
        try:
            client = Client(self.address)
            while not self.stopped:
                self.step(client)
        except LOST:
            pass
        except BusError as e:
            assert e.name.startswith('org.freedesktop.DBus.Error'), e

    def step(self, client):
        n, r = len(self.log), self.random.random()
        account = f'{self.tag}-{n}@kill.example'
        if r < 0.45 or not n:
            self.ask(client, ('Customers', 'Onboard'), 'a{sv}a{sv}',
                     {**text(organization=f'Org {self.tag} {n}', registered_account=account, first_name='A', last_name='B', country='DE'),
                      'tags': ('as', self.random.sample(['gold', 'silver', 'bronze'], 2))})
        elif r < 0.8:
            target = f'{self.tag}-{self.random.randrange(n)}@kill.example'
            self.ask(client, ('Customers', 'Edit'), 'asa{sv}a{sv}', [target], text(phone=f'{self.tag} {n}'))
        elif r < 0.88:
            self.ask(client, ('Customers', 'Edit'), 'asa{sv}a{sv}', [], {**text(last_name=f'L{n}'), 'clear': ('as', ['phone'])})
        elif r < 0.91:
            lines = ''.join(f'Imported {self.tag} {n} {i},{"no address" if i % 9 == 8 else f"i{i}.{account}"},A,B,DE\n' for i in range(self.random.choice([1, 30, 300])))
            self.ask(client, ('Customers', 'Import'), 'ha{sv}a{sv}', File(b'organization,registered_account,first_name,last_name,country\n' + lines.encode()), {})
        elif r < 0.95:
            client.call('Tasks', 'Enqueue', 'as', ['noop'] * 5, timeout=10)
        else:
            self.ask(client, ('Reports', 'Export'), 'a{sv}a{sv}', text(kind='customers', format=self.random.choice(['csv', 'json'])))


def bulk(rig, cycle):
    return rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], text(first_name=f'Bulk {cycle}'), {'selector': ('s', 'tag = gold')})['id']


def look(rig):
    """The state directory, as an independent program finds it while no daemon runs."""
    copy = rig.folder / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(rig.state, copy)
    return check(copy), copy


def verify(rig, workers, copy):
    db = sqlite3.connect(copy / 'tenantd.db')
    try:
        for worker in workers:
            for method, _, args, options, answer in worker.log:
                request = options['request_id'][1]
                records = db.execute('SELECT outcome, object FROM audit WHERE request_id = ?', (request,)).fetchall()
                assert len(records) <= 1, f'{request} was done {len(records)} times'
                if answer is None:
                    continue
                assert len(records) == 1, f'{request} was acknowledged ({answer}) and is gone'
                assert (records[0][0] == 'ok') == (answer[0] == 'ok')
                if method[1] == 'Onboard' and answer[0] == 'ok':
                    identity = json.loads(answer[1])['id']
                    assert records[0][1] == identity
                    assert db.execute('SELECT count(*) FROM customer WHERE id = ?', (bytes.fromhex(identity),)).fetchone() == (1,)
    finally:
        db.close()


def repeat(rig, workers):
    """Every call once more: the same answer, whether it was heard the first time or not."""
    for worker in workers:
        for method, signature, args, options, answer in worker.log[-3:]:
            try:
                again = ('ok', call(rig, method, signature, args, options))
            except BusError as e:
                again = (e.kind, e.code)
            assert answer is None or again == answer, f'{options}: first {answer}, now {again}'


def one_cycle(rig, seed, cycle, chance):
    point = chance.choice(POINTS)
    environment = {'TENANTD_CRASH': f'{point}:{chance.randrange(1, 60)}'} if point else {}
    try:
        rig.start(**environment)
    except AssertionError:
        assert rig.process.poll() == -9         # at the crash point, before it was up
        rig.start()
    workers = [Worker(rig.bus.address, f'{seed}-{cycle}-{i}', cycle, i) for i in range(4)]
    for worker in workers:
        worker.start()
    try:
        if chance.random() < 0.4:
            bulk(rig, cycle)
    except (BusError, *LOST):
        pass
    end = time.monotonic() + chance.uniform(0.05, 0.4)
    while time.monotonic() < end and rig.process.poll() is None:
        time.sleep(0.005)
    rig.process.kill()
    rig.process.wait(30)
    for worker in workers:
        worker.stopped = True
    for worker in workers:
        worker.join(30)
    rig.client.close()
    rig.client = rig.process = None
    faults, copy = look(rig)
    assert faults == [], f'cycle {cycle}, seed {seed}: {faults}'
    verify(rig, workers, copy)
    return workers


def run_dry(rig):
    """Started once more, everything that was begun comes to its end."""
    rig.start()
    wait_until('the queue running dry', lambda: all(rig.json('Manager', 'Status', 'sa{sv}', '', {})['queue'][k] == 0 for k in ('queued', 'running', 'waiting')), 120)
    status = rig.json('Manager', 'Status', 'sa{sv}', '', {})
    assert status['queue']['dead'] == 0
    rows = json.loads(rig.call('Operations', 'List', 'a{sv}', {'limit': ('u', 500)})[0])
    assert all(o['state'] in ('finished', 'partially-failed') for o in rows), rows
    rig.stop()
    assert look(rig)[0] == []
    assert [p.name for p in (rig.state / 'spool').iterdir()] == []
    assert [p.name for p in (rig.state / 'reports').iterdir() if p.suffix == '.part'] == []


A_LIFE = 12      # cycles of one state directory: looking at it takes longer the more has happened in it


@pytest.mark.parametrize('cycles', [8, pytest.param(204, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(folder, bus, cycles):
    seed = int(os.environ.get('SEED', time.time_ns() % 10**9))
    print(f'seed {seed}')
    chance = random.Random(seed)
    for life in range(0, cycles, A_LIFE):
        place = folder / f'life-{life}'
        place.mkdir()
        rig = Rig(place, bus, '[queue]\nworkers = 3\n')
        for cycle in range(life, min(life + A_LIFE, cycles)):
            workers = one_cycle(rig, seed, cycle, chance)
            if cycle % 5 == 4:
                rig.start()
                repeat(rig, workers)
                rig.kill()
                assert look(rig)[0] == []
        run_dry(rig)
        shutil.rmtree(place)
