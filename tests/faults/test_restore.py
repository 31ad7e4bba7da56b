# SPDX-License-Identifier: LGPL-2.1-or-later
"""A backup takes the database's place: what is refused, what comes of it, what it leaves behind."""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
from jeepney import DBusAddress, HeaderFields, new_method_call

from checker import check
from conftest import NAME, PATH, PREFIX, BusError, Client, Rig, wait_until


def restart(rig, epoch):
    """Waits for the daemon that comes after a restore, on a new connection."""
    def up():
        try:
            return rig.json('Manager', 'Status', 'sa{sv}', '', {})['epoch'] == epoch
        except (BusError, ConnectionError, OSError, TimeoutError):
            return False
    wait_until(f'the daemon with epoch {epoch}', up)


def backup(rig, name='backup.db'):
    path = rig.folder / name
    out = rig.ctl('admin', 'backup', path)
    assert out.returncode == 0, out.stderr
    return path


def spool_empties(rig):
    """The reply leaves before the call's file goes."""
    wait_until('the spool to be empty', lambda: not list((rig.state / 'spool').iterdir()))


def status(rig):
    return rig.json('Manager', 'Status', 'sa{sv}', '', {})


def audit(rig, **query):
    return json.loads(rig.call('Audit', 'List', 'a{sv}', {'limit': ('u', 500), **query})[0])


def test_restore_brings_back_what_was(rig):
    one = rig.onboard('Before', 'before@x.example')
    path = backup(rig)
    rig.onboard('After', 'after@x.example')
    records = len(audit(rig))
    pid = rig.process.pid
    out = rig.ctl('admin', 'restore', path, '--yes', '--json')
    assert out.returncode == 0, out.stderr
    answer = json.loads(out.stdout)
    assert answer['epoch'] == 2 and answer['queue'] == 'paused' and answer['backup']['customers'] == 1
    restart(rig, 2)
    assert rig.process.poll() is None and rig.process.pid == pid
    assert rig.customer(one)['organization'] == 'Before'
    with pytest.raises(BusError):
        rig.customer('After')
    now = status(rig)
    assert now['queue']['paused'] and now['restored'] and any('was restored' in w and 'task resume' in w for w in now['warnings'])
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    told = [r for r in audit(rig) if r['verb'] == 'admin.restore']
    assert len(told) == 1 and told[0]['outcome'] == 'ok' and told[0]['actor']['uid'] == os.getuid() and told[0]['after']['epoch'] == 2
    # The one that went is there, whole, with the record of who asked.
    replaced = list((rig.state / 'backups').glob('replaced-*.db'))
    assert len(replaced) == 1 and re.fullmatch(r'replaced-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.db', replaced[0].name)
    assert replaced[0].stat().st_mode & 0o777 == 0o600
    old = sqlite3.connect(f'file:{replaced[0]}?immutable=1', uri=True)
    assert old.execute('SELECT count(*) FROM customer').fetchone() == (2,)
    assert old.execute('SELECT count(*) FROM audit').fetchone() == (records + 1,)
    old.close()
    assert not (rig.state / 'restore.db').exists() and list((rig.state / 'spool').iterdir()) == []
    # And back again: one more epoch.
    assert rig.ctl('admin', 'restore', replaced[0], '--yes').returncode == 0
    # It is back when the command ends.
    assert json.loads(rig.ctl('admin', 'status', '--json').stdout)['queue']['paused']
    restart(rig, 3)
    assert rig.customer('After')['organization'] == 'After' and len([r for r in audit(rig) if r['verb'] == 'admin.restore']) == 2
    assert rig.ctl('task', 'resume').returncode == 0
    assert not status(rig)['queue']['paused'] and not any('restored' in w for w in status(rig)['warnings'])
    rig.stop()
    assert check(rig.state) == []


def kind(call):
    with pytest.raises(BusError) as e:
        call()
    return e.value.kind, e.value.code


def restore(rig, data, **options):
    """data: bytes, a path or a descriptor's number."""
    if isinstance(data, bytes):
        fd = os.memfd_create('restore')
        os.write(fd, data)
        os.lseek(fd, 0, 0)
    else:
        fd = data if isinstance(data, int) else os.open(data, os.O_RDONLY)
    with os.fdopen(fd, 'rb') as file:
        return rig.json('Manager', 'Restore', 'ha{sv}a{sv}', file, {}, options)


def verify(rig, data):
    fd = os.memfd_create('verify')
    os.write(fd, data)
    os.lseek(fd, 0, 0)
    with os.fdopen(fd, 'rb') as file:
        return rig.json('Manager', 'Verify', 'sa{sv}', '', {'file': ('h', file)})


def patched(data, at, new):
    return data[:at] + new + data[at + len(new):]


def doctored(rig, path, *statements):
    """The backup after somebody had his way with it."""
    copy = rig.folder / 'doctored.db'
    copy.write_bytes(path.read_bytes())
    db = sqlite3.connect(copy)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return copy.read_bytes()


TRIGGER = 'CREATE TRIGGER sqlite_stat1 AFTER INSERT ON setting BEGIN DELETE FROM customer; END'


def test_statistics_are_no_reason_to_refuse(rig):
    path = backup(rig)
    answer = restore(rig, doctored(rig, path, 'ANALYZE'))
    assert answer['epoch'] == 2
    restart(rig, 2)


def test_a_note_that_cannot_be_read_ends_with_the_cure(rig):
    """No start would ever do better: systemd does not try."""
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    db.execute("INSERT INTO setting(name, value) VALUES('restore-note', '{\"epoch\":2}')")
    db.commit()
    db.close()
    assert rig.spawn().wait(30) == 78
    assert 'move it away' in rig.log.read_text() and 'replaced-*.db' in rig.log.read_text()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    db.execute("DELETE FROM setting WHERE name = 'restore-note'")
    db.commit()
    db.close()
    rig.start()
    assert status(rig)['epoch'] == 1


def test_a_key_without_its_database_is_told(rig):
    """A new host begins like that. So does one that has lost its database."""
    assert 'but a key is' not in rig.log.read_text()
    rig.stop()
    for path in rig.state.glob('tenantd.db*'):
        path.unlink()
    rig.start()
    assert 'tenantd.db is not there, but a key is' in rig.log.read_text()


def test_stopped_while_a_restore_is_on_its_way_it_stops(rig):
    path = backup(rig)
    data = path.read_bytes()
    r, w = os.pipe()
    other = Client(rig.bus.address)
    message = new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Manager'), 'Restore', 'ha{sv}a{sv}', (os.fdopen(r, 'rb'), {}, {}))
    other.connection.send(message, serial=77)
    os.write(w, data[:4096])
    wait_until('it to begin', lambda: list((rig.state / 'spool').iterdir()))
    rig.process.send_signal(signal.SIGTERM)
    wait_until('the end to begin', lambda: 'stopping' in rig.log.read_text())
    with os.fdopen(w, 'wb') as file:
        file.write(data[4096:])
    # Done or not by then: the process ends.
    assert rig.process.wait(30) == 0
    other.close()
    rig.client.close()
    happened = (rig.state / 'restore.db').exists()
    rig.start()
    assert status(rig)['epoch'] == (2 if happened else 1)


def test_refused_with_the_reason_and_nothing_changed(rig):
    rig.onboard('One', 'one@x.example')
    path = backup(rig)
    good = path.read_bytes()
    rig.onboard('Two', 'two@x.example')
    other = sqlite3.connect(rig.folder / 'other.db')
    other.execute('CREATE TABLE t(x)')
    other.close()
    digits = sqlite3.connect(path).execute("SELECT value FROM setting WHERE name = 'key-mark'").fetchone()[0]
    strange = ('f' if digits[0] != 'f' else '0') + digits[1:]
    half = len(good) // 2
    before, records = status(rig), len(audit(rig))
    cases = [
        (b'', 'InvalidArgument', 'not-a-backup', 'is empty'),
        (b'no database at all' * 100, 'InvalidArgument', 'not-a-backup', 'is no database'),
        ((rig.folder / 'other.db').read_bytes(), 'InvalidArgument', 'foreign-backup', 'another product'),
        (patched(good, 68, b'\0\0\0\1'), 'InvalidArgument', 'foreign-backup', 'another product'),
        (patched(good, 60, b'\0\0\0\x09'), 'InvalidArgument', 'newer-backup', 'install the newer tenantd'),
        (patched(good, 60, b'\0\0\0\0'), 'InvalidArgument', 'foreign-backup', 'another product'),
        (good[:half], 'InvalidArgument', 'backup-damaged', f'ends after {half} of {len(good)}'),
        (good + b'x', 'InvalidArgument', 'backup-damaged', 'longer than'),
        (patched(good, half // 4096 * 4096, os.urandom(4096)), 'InvalidArgument', 'backup-damaged', 'take another'),
        (patched(good, 100, os.urandom(2000)), 'InvalidArgument', 'backup-damaged', 'take another'),
        (doctored(rig, path, f"UPDATE setting SET value = '{strange}' WHERE name = 'key-mark'"), 'Refused', 'other-key', f'key {strange}'),
        *((doctored(rig, path, f"UPDATE setting SET value = '{epoch}' WHERE name = 'epoch'", f"INSERT OR IGNORE INTO setting(name, value) VALUES('epoch', '{epoch}')"),
           'InvalidArgument', 'backup-damaged', 'epoch') for epoch in (2 ** 63 - 1, 2 ** 53 + 1, 0, -1, 'x')),
        (doctored(rig, path, 'CREATE TRIGGER sqliteXstatX AFTER INSERT ON setting BEGIN DELETE FROM customer; END'), 'InvalidArgument', 'foreign-backup', 'another product'),
        (doctored(rig, path, 'CREATE VIEW sqliteXstat1 AS SELECT 1'), 'InvalidArgument', 'foreign-backup', 'another product'),
        (doctored(rig, path, 'PRAGMA writable_schema=ON', f"INSERT INTO sqlite_schema VALUES('trigger', 'sqlite_stat1', 'setting', 0, '{TRIGGER}')"),
         'InvalidArgument', 'foreign-backup', 'another product'),
        (doctored(rig, path, 'DROP TABLE view'), 'InvalidArgument', 'foreign-backup', 'another product'),
        (doctored(rig, path, 'CREATE TRIGGER evil AFTER INSERT ON setting BEGIN DELETE FROM customer; END'), 'InvalidArgument', 'foreign-backup', 'another product'),
    ]
    for data, name, code, words in cases:
        for what in (restore, verify):
            with pytest.raises(BusError) as e:
                what(rig, data)
            assert (e.value.kind, e.value.code) == (name, code) and words in e.value.message, e.value
    now = status(rig)
    assert now['epoch'] == before['epoch'] == 1 and now['started'] == before['started'] and not now['queue']['paused']
    told = audit(rig)
    assert len(told) == records + len(cases)
    assert [(r['verb'], r['outcome'], r['code']) for r in told[:len(cases)]] == [('admin.restore', 'refused', c[2]) for c in reversed(cases)]
    spool_empties(rig)
    assert not (rig.state / 'restore.db').exists()
    assert 'runtime error' not in rig.log.read_text()


def test_the_database_itself_is_no_backup(rig):
    """And looking at it from outside, however often, takes nothing of its locks away, and nothing of its caller's turns."""
    identity = rig.onboard('One', 'one@x.example')
    path = rig.state / 'tenantd.db'

    assert kind(lambda: restore(rig, path)) == ('InvalidArgument', 'own-database')
    for _ in range(20):
        with open(path, 'rb') as file:
            assert kind(lambda: rig.json('Manager', 'Verify', 'sa{sv}', '', {'file': ('h', file)})) == ('InvalidArgument', 'own-database')
    with open(path, 'rb') as file:
        assert kind(lambda: rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})) == ('InvalidArgument', 'own-database')
        assert kind(lambda: rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'symbol': ('h', file)}, {})) == ('InvalidArgument', 'own-database')
    with open(path, 'rb+') as file:
        assert kind(lambda: rig.json('Manager', 'Backup', 'ha{sv}a{sv}', file, {}, {})) == ('InvalidArgument', 'own-database')
    assert rig.call('Customers', 'Query', 'a{sv}s', {}, 'csv')
    assert rig.json('Manager', 'Verify', 'sa{sv}', '', {})
    other = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError):
        other.execute("UPDATE setting SET value = ''")
    other.close()


def test_endless_and_silent_files_are_refused(rig):
    path = backup(rig)
    assert kind(lambda: restore(rig, os.open('/dev/zero', os.O_RDONLY))) == ('InvalidArgument', 'not-a-backup')
    r, w = os.pipe()
    written = threading.Thread(target=lambda: (os.write(w, path.read_bytes()[:4096] + bytes(4096)), os.close(w)))
    written.start()
    assert kind(lambda: restore(rig, r)) == ('InvalidArgument', 'backup-damaged')
    written.join()
    spool_empties(rig)


def test_a_second_restore_is_refused_while_one_is_under_way(rig):
    path = backup(rig)
    r, w = os.pipe()
    other = Client(rig.bus.address)
    message = new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Manager'), 'Restore', 'ha{sv}a{sv}', (os.fdopen(r, 'rb'), {}, {}))
    other.connection.send(message, serial=77)
    os.write(w, path.read_bytes()[:4096])
    wait_until('the first one to begin', lambda: list((rig.state / 'spool').iterdir()))
    assert kind(lambda: restore(rig, path)) == ('Busy', 'restore-running')
    assert audit(rig)[0]['code'] == 'restore-running'
    os.close(w)
    while other.connection.receive(timeout=30).header.fields.get(HeaderFields.reply_serial) != 77:
        pass
    other.close()
    restore(rig, path)
    restart(rig, 2)


def test_who_was_erased_stays_erased(folder, bus):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    gone, stays = rig.onboard('Gone Xq7', 'gone@x.example'), rig.onboard('Stays', 'stays@x.example')
    path = backup(rig)
    rig.json('Customers', 'Disconnect', 'sa{sv}', gone, {'confirm': ('s', 'Gone Xq7')})
    wait_until('the erasure', lambda: kind_of(rig, gone) == 'NotFound')
    assert verify(rig, path.read_bytes())['erased'] == 1
    answer = restore(rig, path)
    assert 'erased again' in answer['warnings'][0]
    restart(rig, 2)
    # As long as the queue waits it is there, on its way out.
    assert rig.customer(gone)['state'] == 'disconnecting' and rig.customer(stays)['state'] == 'active'
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    wait_until('the second erasure', lambda: kind_of(rig, gone) == 'NotFound')
    assert rig.customer(stays)['organization'] == 'Stays' and rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    rig.stop()
    assert check(rig.state) == []


def test_however_many_were_erased_all_of_them_are_erased_again(folder, bus):
    """More than one would list by hand. What the erasures left is put there beside the daemon: they themselves are tried above."""
    many = 1003
    rig = Rig(folder, bus).start()
    lines = ['organization,registered_account,first_name,last_name,country'] + [f'Gone {n},gone{n}@x.example,Ada,Gone,DE' for n in range(many)]
    (rig.folder / 'many.csv').write_text('\n'.join(lines))
    assert rig.ctl('customer', 'import', rig.folder / 'many.csv').returncode == 0
    path = backup(rig)
    rig.stop()
    with sqlite3.connect(rig.state / 'tenantd.db') as db:
        db.execute('INSERT INTO erasure(n, id, customer, erased) SELECT n, id, n, 1 FROM customer')
        db.execute('DELETE FROM customer')
    db.close()
    rig.start()
    assert verify(rig, path.read_bytes())['erased'] == many
    assert str(many) in restore(rig, path)['warnings'][0]
    restart(rig, 2)
    assert rig.call('Customers', 'Count', 'a{sv}', {'selector': ('s', 'state = disconnecting')})[0] == many
    rig.stop()


def kind_of(rig, identity):
    try:
        rig.customer(identity)
    except BusError as e:
        return e.kind
    return None


def test_a_dry_run_tells_and_does_nothing(rig):
    path = backup(rig)
    rig.onboard('One', 'one@x.example')
    records = len(audit(rig))
    answer = restore(rig, path, dry_run=('b', True))
    assert answer['dry_run'] and answer['items'][0]['after']['backup']['customers'] == 0
    assert len(audit(rig)) == records and status(rig)['epoch'] == 1
    assert verify(rig, path.read_bytes())['customers'] == 0
    out = rig.ctl('admin', 'verify', path, '--json')
    assert out.returncode == 0 and json.loads(out.stdout)['schema'] == 1
    out = rig.ctl('admin', 'verify', '--json')
    assert out.returncode == 0 and json.loads(out.stdout)['state'] == 'intact'


def test_without_a_terminal_it_needs_a_yes(rig):
    out = rig.ctl('admin', 'restore', backup(rig))
    assert out.returncode == 2 and '--yes' in out.stderr and status(rig)['epoch'] == 1


def test_asked_twice_it_is_done_once(rig):
    """The reply may be lost with the daemon: the client asks again, with the same request_id, and is told the same."""
    path = backup(rig)
    first = restore(rig, path, request_id=('s', 'again'))
    restart(rig, 2)
    assert restore(rig, path, request_id=('s', 'again')) == first
    assert status(rig)['epoch'] == 2
    assert [r['request_id'] for r in audit(rig) if r['verb'] == 'admin.restore'] == ['again']
    spool_empties(rig)
    rig.onboard('One', 'one@x.example')
    assert kind(lambda: restore(rig, backup(rig, 'second.db'), request_id=('s', 'again'))) == ('Conflict', 'request-id-reused')


def test_nothing_is_sent_again_by_itself(folder, bus):
    rig = Rig(folder, bus).start()
    rig.json('Tasks', 'Pause', 'sa{sv}', '', {})
    rig.json('Manager', 'TestMail', 'sa{sv}', 'noc@x.example', {})
    path = backup(rig)
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    mails = rig.state / 'outbox-mail'
    wait_until('the mail', lambda: list(mails.glob('*.eml')))
    for mail in mails.glob('*.eml'):
        mail.unlink()
    restore(rig, path)
    restart(rig, 2)
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    rig.stop()
    rig.start()
    assert status(rig)['queue'] == {'queued': 1, 'running': 0, 'waiting': 0, 'dead': 0, 'paused': True}
    assert list(mails.glob('*.eml')) == []
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    wait_until('the mail, now that somebody wanted it', lambda: list(mails.glob('*.eml')))
    rig.stop()


def export(rig):
    answer, file = rig.call('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', 'csv')}, {})
    os.close(file.to_raw_fd())
    return json.loads(answer)['id']


def test_reports_whose_files_are_elsewhere(rig):
    rig.onboard('One', 'one@x.example')
    lost = export(rig)
    for file in (rig.state / 'reports').iterdir():
        file.unlink()
    path = backup(rig)
    later = export(rig)
    restore(rig, path)
    restart(rig, 2)
    assert [r['id'] for r in json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0])] == [lost]
    assert kind(lambda: rig.call('Reports', 'Save', 's', lost)) == ('NotFound', 'file-gone')
    assert kind(lambda: rig.json('Reports', 'Send', 'sa{sv}', lost, {'to': ('as', ['a@x.example'])})) == ('Refused', 'file-gone')
    assert kind(lambda: rig.call('Reports', 'Save', 's', later)) == ('NotFound', 'no-such-report')
    assert len(list((rig.state / 'reports' / 'unknown').iterdir())) == 1
    # Whoever goes back to the replaced database finds them.
    restore(rig, next((rig.state / 'backups').glob('replaced-*.db')))
    restart(rig, 3)
    os.close(rig.call('Reports', 'Save', 's', later)[0].to_raw_fd())
    assert list((rig.state / 'reports' / 'unknown').iterdir()) == []


@pytest.mark.parametrize('point, happened', [('before_stage', False), ('after_stage', True), ('before_exec', True)])
def test_killed_while_it_is_staged(folder, bus, point, happened):
    rig = Rig(folder, bus).start()
    rig.onboard('Before', 'before@x.example')
    path = backup(rig)
    rig.onboard('After', 'after@x.example')
    rig.stop()
    rig.start(TENANTD_CRASH=point)
    if point == 'before_exec':
        restore(rig, path, request_id=('s', 'r'))
    else:
        with pytest.raises((BusError, ConnectionError, OSError)):
            restore(rig, path, request_id=('s', 'r'))
    assert rig.process.wait(30) == -9
    rig.client.close()
    rig.start()
    assert status(rig)['epoch'] == (2 if happened else 1)
    assert len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == (1 if happened else 2)
    assert not (rig.state / 'restore.db').exists()
    if happened:
        restore(rig, path, request_id=('s', 'r'))
        assert status(rig)['epoch'] == 2
    rig.stop()
    assert check(rig.state) == [] and list((rig.state / 'spool').iterdir()) == []


@pytest.mark.parametrize('dirty', [False, True])
@pytest.mark.parametrize('point', ['old_folded', 'old_kept', 'new_placed', 'before_commit', 'after_commit', ''])
def test_killed_while_it_is_put_in_place(folder, bus, point, dirty):
    """At every step there is the old database or the new one; and the start after it goes on."""
    rig = Rig(folder, bus).start()
    rig.onboard('Before', 'before@x.example')
    path = backup(rig)
    rig.onboard('After', 'after@x.example')
    rig.stop()
    rig.start(TENANTD_CRASH='after_stage')
    with pytest.raises((BusError, ConnectionError, OSError)):
        restore(rig, path)
    assert rig.process.wait(30) == -9
    rig.client.close()
    # The old one's last changes are in its WAL still, or not.
    if not dirty:
        db = sqlite3.connect(rig.state / 'tenantd.db')
        db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        db.close()
    if point:
        process = rig.spawn(TENANTD_CRASH=point)
        assert process.wait(30) == -9
        db = sqlite3.connect(f'file:{rig.state}/tenantd.db?mode=ro', uri=True)
        assert db.execute('SELECT count(*) FROM customer').fetchone()[0] in (1, 2)
        assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)
        db.close()
        for leftover in ('-shm',):
            (rig.state / f'tenantd.db{leftover}').unlink(missing_ok=True)
    rig.start()
    assert status(rig)['epoch'] == 2 and status(rig)['queue']['paused']
    assert len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == 1
    assert len([r for r in audit(rig) if r['verb'] == 'admin.restore']) == 1
    replaced = list((rig.state / 'backups').glob('replaced-*.db'))
    assert len(replaced) == 1
    assert verify(rig, replaced[0].read_bytes())['customers'] == 2
    rig.stop()
    assert check(rig.state) == []


def test_the_watchdog_waits_for_the_start_after_it(folder, bus):
    """To systemd it is the same process: it would be killed in the middle, again and again."""
    rig = Rig(folder, bus)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(folder / 'notify'))
    told.settimeout(30)
    rig.start(NOTIFY_SOCKET=str(folder / 'notify'), WATCHDOG_USEC='180000000')
    path = backup(rig)
    while 'READY=1' not in told.recv(4096).decode().splitlines():
        pass
    told.recv(4096)
    restore(rig, path)
    waits = []
    while len(waits) < 2 or waits[-1] != 180000000:
        waits += [int(line.split('=')[1]) for line in told.recv(4096).decode().splitlines() if line.startswith('WATCHDOG_USEC=')]
    assert waits[0] > 180000000
    restart(rig, 2)
    told.close()
    rig.stop()


def test_stopped_while_it_restarts(rig):
    """A wish to stop is not lost on the way, and the next start goes on."""
    path = backup(rig)
    restore(rig, path)
    os.kill(rig.process.pid, signal.SIGTERM)
    assert rig.process.wait(30) == 0
    rig.client.close()
    rig.start()
    assert status(rig)['epoch'] == 2


def test_a_backup_of_another_key_is_restored_where_its_key_is(folder, bus):
    first = Rig(folder / 'a', bus) if (folder / 'a').mkdir() is None else None
    first.start()
    first.onboard('One', 'one@x.example')
    path, key = backup(first), (first.state / 'key').read_bytes()
    first.stop()
    (folder / 'b').mkdir()
    second = Rig(folder / 'b', bus).start()
    assert kind(lambda: restore(second, path)) == ('Refused', 'other-key')
    second.stop()
    (folder / 'c').mkdir()
    third = Rig(folder / 'c', bus)
    third.state.mkdir(mode=0o700)
    (third.state / 'key').write_bytes(key)
    (third.state / 'key').chmod(0o600)
    third.start()
    restore(third, path)
    restart(third, 2)
    assert third.customer('One')['organization'] == 'One'
    third.stop()


def test_started_by_hand_with_relative_names(folder, bus):
    rig = Rig(folder, bus)
    rig.process = subprocess.Popen([str(Path(rig.build).resolve() / 'tenantd'), f'--bus={bus.address}', '--state=state', '--config=tenantd.conf'], cwd=folder,
                                   stderr=open(rig.log, 'ab'))
    rig.client = Client(bus.address)
    wait_until('the daemon', rig._has_owner)
    rig.onboard('One', 'one@x.example')
    restore(rig, backup(rig))
    restart(rig, 2)
    rig.stop()


def test_the_backup_directory_on_another_disk_and_gone(folder, bus):
    if not os.access('/dev/shm', os.W_OK):
        pytest.skip('no second file system')
    import tempfile
    with tempfile.TemporaryDirectory(dir='/dev/shm') as elsewhere:
        rig = Rig(folder, bus, f'[admin]\nbackup_directory = {elsewhere}\n').start()
        rig.onboard('One', 'one@x.example')
        path = backup(rig)
        restore(rig, path)
        restart(rig, 2)
        wait_until('its backup', lambda: status(rig)['last_backup'])
        replaced = list(Path(elsewhere).glob('replaced-*'))
        assert [re.sub(r'\d', 'N', p.name) for p in replaced] == ['replaced-NNNN-NN-NNTNN-NN-NNZ.db'] and replaced[0].stat().st_mode & 0o777 == 0o600
        assert verify(rig, replaced[0].read_bytes())['customers'] == 1
        shutil.rmtree(elsewhere)
        restore(rig, path)
        restart(rig, 3)
        assert len(list(rig.state.glob('replaced-*.db'))) == 1 and 'could not be kept in' in rig.log.read_text()
        os.mkdir(elsewhere)
        rig.stop()
