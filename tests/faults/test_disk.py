# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are full or read-only, state directories that are somebody else's: what is told, what is kept, what goes on."""
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest
from jeepney import DBusAddress, new_method_call

from checker import check
from conftest import BUILD, DEADLINE, NAME, PATH, PREFIX, BusError, Client, PrivateBus, Rig, wait_until

pytestmark = pytest.mark.slow

needs_mounts = pytest.mark.skipif(os.geteuid() != 0 or subprocess.run(['unshare', '-m', 'true'], stderr=subprocess.DEVNULL).returncode != 0,
                                  reason='mounting needs root')


class Disk:
    """A small file system of its own on the state directory, which daemons started with `inside` see."""

    def __init__(self, where, options):
        where.mkdir(exist_ok=True)
        ready, told = os.pipe()
        self.holder = subprocess.Popen(['unshare', '-m', '--propagation', 'private', 'sh', '-c', f'mount -t tmpfs -o {options} tmpfs "$1" && echo && exec sleep 1000000',
                                        'sh', where], stdout=told)
        os.close(told)
        assert os.read(ready, 1) == b'\n'
        os.close(ready)
        self.where = where
        self.inside = ['nsenter', f'-t{self.holder.pid}', '-m', '--']
        self.seen = Path(f'/proc/{self.holder.pid}/root{where}')    # the same from outside

    def remount(self, options):
        subprocess.run([*self.inside, 'mount', '-o', f'remount,{options}', self.where], check=True)

    def fill(self):
        with open(self.seen / 'ballast', 'ab', buffering=0) as f:
            for size in (1 << 16, 4096, 1):
                try:
                    while f.write(b'\0' * size) == size:
                        pass
                except OSError:
                    pass

    def free(self):
        (self.seen / 'ballast').unlink()

    def close(self):
        self.holder.kill()
        self.holder.wait(DEADLINE)


class DiskRig(Rig):
    disk = None

    def spawn(self, **environment):
        return subprocess.Popen([*self.disk.inside, BUILD / 'tenantd', f'--bus={self.bus.address}', f'--state={self.state}', f'--config={self.config}'],
                                stderr=open(self.log, 'ab'), stdout=subprocess.DEVNULL, env={**os.environ, **environment})


@pytest.fixture
def small(folder, bus):
    rig = DiskRig(folder, bus)
    rig.disk = Disk(rig.state, 'size=48M,mode=0700')
    yield rig
    if rig.process:
        rig.stop()
    rig.disk.close()


def text(**values):
    return {k: ('s', v) for k, v in values.items()}


def customer(n):
    return text(organization=f'Org {n}', registered_account=f'o{n}@x.example', first_name='A', last_name='B', country='DE')


def memfd(data):
    fd = os.memfd_create('test')
    os.write(fd, data)
    os.lseek(fd, 0, 0)
    return os.fdopen(fd, 'rb')


def csv_lines(n):
    return ('organization,registered_account,first_name,last_name,country\n' + ''.join(f'Imported {i},i{i}@x.example,A,B,DE\n' for i in range(n))).encode()


def wait_end(rig, process):
    """Its status and what it had to say."""
    code = process.wait(DEADLINE)
    return code, [line for line in rig.log.read_text().splitlines() if line]


def attempt(rig, interface, member, signature, *args):
    """True: done. False: refused for want of room, and it says so."""
    try:
        rig.call(interface, member, signature, *args)
    except BusError as e:
        assert (e.kind, e.code) == ('Unavailable', 'disk-full'), (member, e)
        return False
    return True


def until_full(rig):
    """Onboards until the disk has no room for another, and the WAL, written back, has none either. Returns how many are there."""
    n = refused = 0
    while refused < 3:
        assert n < 5000, 'the disk never became full'
        if attempt(rig, 'Customers', 'Onboard', 'a{sv}a{sv}', customer(n), {'request_id': ('s', f'r{n}')}):
            n, refused = n + 1, 0
        else:
            refused += 1
            time.sleep(1.1)
    return n


def sound(rig):
    """SQLite follows the link by which the small disk is seen from outside: it gets a copy."""
    copy = rig.folder / 'copy'
    shutil.copytree(rig.disk.seen, copy)
    assert check(copy) == []


@needs_mounts
def test_full_disk_is_told_and_the_same_daemon_goes_on(small):
    small.start()
    small.onboard('Before', 'before@x.example')
    small.disk.fill()
    n = until_full(small)
    lines = len(small.log.read_text().splitlines())

    # What changes is told so (a small change may still find room in the WAL); what reads is answered.
    calls = [('Customers', 'Onboard', 'a{sv}a{sv}', customer(n), {'request_id': ('s', f'r{n}')}),
             ('Customers', 'Edit', 'asa{sv}a{sv}', ['Before'], text(phone='1'), {'request_id': ('s', 'e')}),
             ('Customers', 'Edit', 'asa{sv}a{sv}', [], text(last_name='1'), {'selector': ('s', 'country = DE'), 'request_id': ('s', 'b')}),
             ('Customers', 'Pin', 'asa{sv}a{sv}', ['Before'], {}, {'request_id': ('s', 'p')}),
             ('Views', 'Save', 'a{sv}a{sv}', text(name='v'), {'request_id': ('s', 'v')}),
             ('Partner', 'Set', 'sa{sv}', '', text(name='MSP', request_id='m'))]
    done = [attempt(small, *call) for call in calls]
    assert not done[0]
    with memfd(csv_lines(200)) as file:
        assert not attempt(small, 'Customers', 'Import', 'ha{sv}a{sv}', file, {}, {'request_id': ('s', 'i')})
    assert small.call('Customers', 'Count', 'a{sv}', {}) == (n + 1,)
    assert (small.customer('Before')['phone'] == '1') == done[1]
    # It does not say it without end.
    time.sleep(1)
    assert len(small.log.read_text().splitlines()) - lines < 60

    small.disk.free()
    pid = small.process.pid
    for call in calls:
        assert attempt(small, *call), 'a full disk was remembered'
    with memfd(csv_lines(200)) as file:
        imported = small.wait_operation(small.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {'request_id': ('s', 'i')})['id'])
    assert imported['ok'] == 200
    operations = json.loads(small.call('Operations', 'List', 'a{sv}', {})[0])
    assert sorted(small.wait_operation(o['id'])['kind'] for o in operations) == ['customer.edit', 'customer.import']
    assert small.process.pid == pid and small.process.poll() is None
    assert small.call('Customers', 'Count', 'a{sv}', {}) == (n + 2 + 200,)
    assert small.customer('Before')['phone'] == '1'
    assert [v['name'] for v in json.loads(small.call('Views', 'List', 'a{sv}', {})[0])] == ['v']
    small.stop()
    sound(small)
    assert list((small.disk.seen / 'spool').iterdir()) == []


@needs_mounts
def test_work_waits_for_room_and_is_done_once(small):
    """An operation in full course, and a queue that goes on, when the disk becomes full under them."""
    small.start()
    with memfd(csv_lines(2000)) as file:
        operation = small.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id']
    small.disk.fill()
    small.call('Customers', 'Count', 'a{sv}', {})

    def stuck_or_over():
        return 'disk is full' in small.log.read_text() or small.json('Operations', 'Describe', 's', operation)['state'] != 'running'
    wait_until('the full disk or the end of the import', stuck_or_over, 60)
    lines = len(small.log.read_text().splitlines())
    time.sleep(1.0)
    assert len(small.log.read_text().splitlines()) - lines < 30, 'it spins'
    small.disk.free()
    done = small.wait_operation(operation)
    assert (done['state'], done['ok']) == ('finished', 2000)
    assert small.call('Customers', 'Count', 'a{sv}', {}) == (2000,)
    small.stop()
    sound(small)


@needs_mounts
def test_starts_on_a_full_disk(small):
    small.start()
    small.onboard('Kept', 'kept@x.example')
    small.kill()
    small.disk.fill()
    small.start()
    assert small.customer('Kept')['organization'] == 'Kept'
    until_full(small)
    small.disk.free()
    small.onboard('After', 'after@x.example')
    small.stop()
    sound(small)


@needs_mounts
def test_no_room_for_the_quiet_hour(small):
    """The nightly rewrite needs the size of the database once more. Where that is not there the service goes on, and the erasure stays open."""
    small.config.write_text('[customer]\ngrace_days = 0\n')
    small.start()
    fill_customers(small, 3000)
    small.onboard('Erased', 'erased@x.example')
    small.call('Customers', 'Disconnect', 'sa{sv}', 'Erased', text(confirm='Erased'))
    wait_until('the erasure', lambda: small.json('Manager', 'Status', 'sa{sv}', '', {})['erasures_open'] == 1)
    small.stop()                            # and with it goes the WAL, in which there would be room
    small.start()
    small.disk.fill()
    os.truncate(small.disk.seen / 'ballast', (small.disk.seen / 'ballast').stat().st_size - (2 << 20))
    small.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the refusal in the log', lambda: 'rewritten' in small.log.read_text())
    assert small.process.poll() is None
    small.onboard('Meanwhile', 'meanwhile@x.example')
    assert small.json('Manager', 'Status', 'sa{sv}', '', {})['erasures_open'] == 1
    small.disk.free()
    small.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the quiet hour', lambda: small.json('Manager', 'Status', 'sa{sv}', '', {})['erasures_open'] == 0)
    small.stop()
    sound(small)


def take_wal_room(path):
    """The WAL's file has room ahead for some commits, also where the disk has none: without it nothing can be written."""
    frames = path.read_bytes()
    end, salts = 32, frames[16:24]
    while frames[end + 8:end + 16] == salts:
        end += 24 + 4096
    os.truncate(path, end)


@needs_mounts
def test_no_room_to_recover(small):
    """It died in the middle of a task, and there is no room to write that down: told at once, and done when there is."""
    small.start(TENANTD_CRASH='after_claim')
    with pytest.raises((BusError, OSError)):
        small.call('Reports', 'Export', 'a{sv}a{sv}', text(kind='customers', format='csv'), {})
    assert small.process.wait(DEADLINE) == -9
    small.client.close()
    take_wal_room(small.disk.seen / 'tenantd.db-wal')
    small.disk.fill()
    small.log.write_text('')
    code, lines = wait_end(small, small.spawn())
    assert code == 74 and str(small.state) in lines[-1] and 'free some space' in lines[-1], lines
    small.disk.free()
    small.start()
    wait_until('the export', lambda: [t['state'] for t in json.loads(small.call('Tasks', 'List', 'a{sv}', {})[0])] == ['done'])


@needs_mounts
@pytest.mark.parametrize('room', [0, 4096, 40960, 131072])
def test_no_room_for_a_first_database(small, room):
    small.disk.fill()
    if room:
        os.truncate(small.disk.seen / 'ballast', (small.disk.seen / 'ballast').stat().st_size - room)
    code, lines = wait_end(small, small.spawn())
    assert code in (73, 74) and len(lines) >= 1 and str(small.state) in lines[-1], lines
    small.disk.free()
    small.start()
    small.onboard('One', 'one@x.example')


@needs_mounts
def test_read_only(small):
    small.start()
    small.onboard('Kept', 'kept@x.example')
    small.stop()
    before = (small.disk.seen / 'tenantd.db').read_bytes()
    small.log.write_text('')
    small.disk.remount('ro')
    code, lines = wait_end(small, small.spawn())
    assert code == 73 and len(lines) == 1 and str(small.state) in lines[0] and 'writable' in lines[0], lines
    assert (small.disk.seen / 'tenantd.db').read_bytes() == before
    small.disk.remount('rw')
    small.start()
    assert small.customer('Kept')['organization'] == 'Kept'


def test_not_the_owners_directory(folder, bus):
    rig = Rig(folder, bus)
    rig.state.mkdir(mode=0o555)
    if os.geteuid() == 0:
        rig.config.chmod(0o644)
        command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    else:
        command = []
    process = subprocess.Popen([*command, BUILD / 'tenantd', f'--bus={bus.address}', f'--state={rig.state}', f'--config={rig.config}'], stderr=open(rig.log, 'wb'))
    code, lines = wait_end(rig, process)
    assert code == 73 and len(lines) == 1 and str(rig.state) in lines[0], lines


def test_second_daemon(rig, folder):
    """On the same state directory, by another bus; and on the same bus, with another state directory."""
    (folder / 'second').mkdir()
    bus = PrivateBus(folder / 'second').start()
    try:
        second = Rig(folder / 'second', bus)
        second.state = rig.state
        code, lines = wait_end(second, second.spawn())
        assert code == 73 and len(lines) == 1 and 'another tenantd' in lines[0] and str(rig.state) in lines[0], lines
        third = Rig(folder / 'second', rig.bus)
        third.log.write_text('')
        code, lines = wait_end(third, third.spawn())
        assert code == 75 and len(lines) == 1 and 'another tenantd' in lines[0], lines
    finally:
        bus.stop()
    rig.onboard('Unharmed', 'unharmed@x.example')
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


def damage(name, path):
    data = bytearray(path.read_bytes())
    if name == 'newer':
        data[60:64] = (99).to_bytes(4, 'big')
    elif name == 'foreign':
        data[68:72] = bytes(4)
    elif name == 'garbage':
        data[:] = os.urandom(len(data))
    elif name == 'truncated':
        data = data[:len(data) // 2]
    elif name == 'empty':
        data = bytearray()
    elif name == 'schema':
        data[100:2000] = bytes(1900)
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize('name, word', [('newer', 'newer'), ('foreign', 'another program'), ('garbage', 'restore it from a backup'), ('truncated', 'restore it from a backup'),
                                        ('empty', 'restore it from a backup'), ('schema', 'restore it from a backup')])
def test_database_that_is_not_ours(folder, bus, name, word):
    rig = Rig(folder, bus).start()
    rig.onboard('One', 'one@x.example')
    rig.stop()
    rig.log.write_text('')
    path = rig.state / 'tenantd.db'
    expected = damage(name, path)
    code, lines = wait_end(rig, rig.spawn())
    assert code == 78 and str(path) in lines[-1] and word in lines[-1], lines
    assert path.read_bytes() == expected
    assert sorted(p.name for p in rig.state.iterdir()) == ['backups', 'bounces', 'key', 'lock', 'outbox-mail', 'reports', 'spool', 'tenantd.db']


def test_wrong_configuration(folder, bus):
    rig = Rig(folder, bus, '[queue]\nworkes = 3\n')
    code, lines = wait_end(rig, rig.spawn())
    assert code == 78 and len(lines) == 1 and f'{rig.config}:2:' in lines[0] and 'workers' in lines[0], lines
    assert not rig.state.exists()


# ---- ends ----

def children(pid):
    try:
        return [int(p) for task in Path(f'/proc/{pid}/task').iterdir() for p in (task / 'children').read_text().split()]
    except FileNotFoundError:
        return []


def opened(pid):
    """What its descriptors lead to."""
    found = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):     # closed since
            found.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
    return found


def fill_customers(rig, n):
    with memfd(csv_lines(n)) as file:
        assert rig.wait_operation(rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])['ok'] == n


class Exporter(threading.Thread):
    def __init__(self, rig, form, **options):
        super().__init__(daemon=True)
        self.client, self.form, self.options, self.result = Client(rig.bus.address), form, options, None

    def run(self):
        try:
            answer, fd = self.client.call('Reports', 'Export', 'a{sv}a{sv}', text(kind='customers', format=self.form), self.options, timeout=120)
            with os.fdopen(fd.to_raw_fd(), 'rb') as file:
                self.result = json.loads(answer), file.read()
        except Exception as e:
            self.result = e


def test_stops_when_told(rig):
    rig.onboard('One', 'one@x.example')
    rig.stop()
    rig.start()
    assert rig.customer('One')['organization'] == 'One'


def test_stops_in_order_under_load(rig):
    """Calls, an operation and an export under way: it ends by itself, with 0, and the next start goes on with all of it."""
    fill_customers(rig, 3000)
    export = Exporter(rig, 'xlsx')
    export.start()
    wait_until('the renderer', lambda: children(rig.process.pid))
    bulk = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], text(phone='1'), {'selector': ('s', 'country = DE')})['id']
    told, stop = [], threading.Event()

    def load(i):
        client, n = Client(rig.bus.address), 0
        try:
            while not stop.is_set():
                told.append((f'l{i}-{n}', client.call('Customers', 'Onboard', 'a{sv}a{sv}', customer(f'l{i}-{n}'), {'request_id': ('s', f'l{i}-{n}')})))
                n += 1
        except (BusError, OSError):
            pass
    threads = [threading.Thread(target=load, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    wait_until('some load', lambda: len(told) > 20)
    rig.client.close()
    rig.client = None
    process, rig.process = rig.process, None
    process.terminate()
    assert process.wait(60) == 0
    stop.set()
    for thread in threads:
        thread.join(DEADLINE)
    assert children(process.pid) == []
    rig.check_log()
    db = sqlite3.connect(f'file:{rig.state}/tenantd.db?mode=ro', uri=True)
    assert db.execute('SELECT count(*) FROM task WHERE deaths > 0 OR state = "running"').fetchone() == (0,)
    db.close()
    rig.start()
    for name, (answer,) in told:
        assert rig.json('Customers', 'Describe', 's', json.loads(answer)['id'])['organization'] == f'Org {name}'
    assert rig.wait_operation(bulk)['state'] == 'finished'
    wait_until('the export', lambda: [t['state'] for t in json.loads(rig.call('Tasks', 'List', 'a{sv}', {'selector': ('s', 'kind = export')})[0])] == ['done'], 120)
    report, = json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0])
    assert report['rows'] >= 3000
    rig.stop()
    assert check(rig.state) == []


def test_stops_while_a_descriptor_is_slow(rig):
    """A worker waits for what nobody writes: the daemon does not wait for the worker."""
    r, w = os.pipe()
    with os.fdopen(r, 'rb') as file:
        for _ in range(2):
            rig.client.connection.send_message(new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Customers'), 'Import', 'ha{sv}a{sv}', (file, {}, {})))
    other = Client(rig.bus.address)
    other.call('Customers', 'Count', 'a{sv}', {})
    wait_until('the pipe in the daemon', lambda: os.readlink(f'/proc/self/fd/{w}') in opened(rig.process.pid))
    other.close()
    process, rig.process = rig.process, None
    process.terminate()
    assert process.wait(60) == 0
    os.close(w)
    rig.check_log()


def test_bus_dies_under_load(folder, bus):
    """Calls in every stage when the bus goes: told from the rest by its exit status, and no error of memory."""
    rig = Rig(folder, bus).start()
    fill_customers(rig, 300)
    for i in range(60):
        method = [('Customers', 'Query', 'a{sv}s', ({}, 'jsonl')), ('Customers', 'Onboard', 'a{sv}a{sv}', (customer(i), {})),
                  ('Reports', 'Export', 'a{sv}a{sv}', (text(kind='customers', format='xlsx'), {}))][i % 3]
        rig.client.connection.send_message(new_method_call(DBusAddress(PATH, NAME, PREFIX + method[0]), method[1], method[2], method[3]))
    wait_until('the calls', lambda: children(rig.process.pid))
    process, rig.process = rig.process, None
    bus.process.kill()
    bus.process.wait(DEADLINE)
    bus.process = None
    assert process.wait(60) == 75, rig.log.read_text()[-3000:]
    rig.check_log()
    assert check(rig.state) == []


def test_bus_dies(folder, bus):
    rig = Rig(folder, bus).start()
    identity = rig.onboard('Kept', 'kept@x.example')
    task, = rig.call('Tasks', 'Enqueue', 'as', ['noop'])[0]
    process, rig.process = rig.process, None
    bus.process.kill()
    bus.process.wait(DEADLINE)
    bus.process = None
    assert process.wait(DEADLINE) == 75
    rig.check_log()
    assert 'bus is gone' in rig.log.read_text()
    bus.socket.unlink()
    bus.start()
    rig.start()
    assert rig.customer('Kept')['id'] == identity
    wait_until('the task', lambda: rig.json('Tasks', 'Describe', 's', task)['state'] == 'done')
    rig.stop()
    assert check(rig.state) == []


def test_renderer_is_killed(rig):
    """Twice while it works: the export comes all the same, and is a whole workbook."""
    fill_customers(rig, 3000)
    export = Exporter(rig, 'xlsx')
    export.start()
    killed = set()
    while len(killed) < 2 and export.is_alive():
        for pid in set(children(rig.process.pid)) - killed:
            try:
                os.kill(pid, 9)
                killed.add(pid)
            except ProcessLookupError:
                pass
    assert len(killed) == 2
    export.join(120)
    assert isinstance(export.result, tuple), export.result
    answer, data = export.result
    assert answer['rows'] == 3000 and hashlib.sha256(data).hexdigest() == answer['sha256'] and data[:2] == b'PK'
    task, = json.loads(rig.call('Tasks', 'List', 'a{sv}', {'selector': ('s', 'kind = export')})[0])
    assert (task['state'], task['attempt']) == ('done', 3)
