# SPDX-License-Identifier: LGPL-2.1-or-later
"""The nightly backup: whole or not there, the newest kept, nothing of others touched, and what fails is told."""
import json
import re
import sqlite3
import time
from pathlib import Path

import pytest

from conftest import Rig, wait_until
from test_restore import restart, restore, status, verify


def nightly(folder):
    return sorted(p.name for p in Path(folder).glob('nightly-*.db'))


def made(rig, n):
    wait_until(f'{n} backups', lambda: len(nightly(rig.state / 'backups')) >= n and status(rig)['last_backup'])


def test_it_is_whole_private_and_restores(rig):
    rig.onboard('One', 'one@x.example')
    assert nightly(rig.state / 'backups') == [] and status(rig)['last_backup'] is None and status(rig)['backup_error'] is None
    rig.json('Tasks', 'Pause', 'sa{sv}', '', {})
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    made(rig, 1)
    last = status(rig)['last_backup']
    path = Path(last['path'])
    assert path.parent == rig.state / 'backups' and last['bytes'] == path.stat().st_size and path.stat().st_mode & 0o777 == 0o600
    assert not any('backup' in w for w in status(rig)['warnings'])
    assert verify(rig, path.read_bytes())['customers'] == 1
    rig.onboard('Two', 'two@x.example')
    restore(rig, path)
    restart(rig, 2)
    assert len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == 1
    # What was restored is backed up at once.
    wait_until('its backup', lambda: status(rig)['last_backup'])
    text = rig.ctl('admin', 'status').stdout
    assert 'last_backup' in text and 'epoch' in text


def test_the_newest_fourteen_are_kept_and_others_files_left_alone(rig):
    folder = rig.state / 'backups'
    old = sorted(time.strftime('nightly-%Y-%m-%dT%H-%M-%SZ.db', time.gmtime(time.time() - i * 43200)) for i in range(1, 21))
    recent = time.strftime('%Y-%m-%dT%H-%M-%SZ', time.gmtime(time.time() - 13 * 86400))
    gone = ['replaced-2020-01-01T02-30-00Z.db', 'replaced-2020-01-01T02-30-00Z.db-wal', 'before-schema-7-2020-01-01T02-30-00Z.db', '.nightly-2020-01-01T02-30-00Z.db.part']
    stays = ['tenantd.db', f'replaced-{recent}.db-wal', 'nightly-2020-01-01T02-30-00Z.db-wal', 'replaced-2020-01-01T02-30-00Z.db-shm', 'nightly-2020-01-01T02-30-00Z.db.bak', 'nightly-2020-13-01T02-30-00Z.db', 'nightly-2020-02-30T02-30-00Z.db', 'Nightly-2020-01-01T02-30-00Z.db',
             'nightly-2020-01-01T02-30-00Z', 'nightly-20-01-01T02-30-00Z.db', 'my-nightly-2020-01-01T02-30-00Z.db', 'before-schema--2020-01-01T02-30-00Z.db',
             'before-schema-x-2020-01-01T02-30-00Z.db', '.nightly-2020-01-01T02-30-00Z.db', f'replaced-{recent}.db', f'before-schema-2-{recent}.db', 'notes.txt']
    for name in old + gone + stays:
        (folder / name).write_text(name)
    (folder / 'nightly-2019-01-01T02-30-00Z.db').mkdir()
    # Where one was kept that the backup directory had no room for.
    for name in ('replaced-2020-01-01T02-30-00Z.db', f'replaced-{recent}.db'):
        (rig.state / name).write_text(name)
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('a backup', lambda: status(rig)['last_backup'])
    there = nightly(folder)
    # The new one and the newest thirteen; a folder of such a name is no file, and three names are no date.
    assert [n for n in there if n in old] == old[-13:] and len(there) == 14 + 1 + 3
    assert {p.name for p in folder.iterdir()} == set(there) | set(stays)
    assert (folder / 'notes.txt').read_text() == 'notes.txt'
    assert [p.name for p in rig.state.glob('replaced-*')] == [f'replaced-{recent}.db'] and (rig.state / 'tenantd.db').exists()


def test_of_those_that_are_too_old_three_are_kept(rig):
    """After nights without a backup: what was erased meanwhile is gone from all of them in time, and there is more than one."""
    folder = rig.state / 'backups'
    names = sorted(time.strftime('nightly-%Y-%m-%dT%H-%M-%SZ.db', time.gmtime(time.time() - days * 86400)) for days in (40, 30, 20, 15))
    for name in names:
        (folder / name).write_text(name)
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('a backup', lambda: status(rig)['last_backup'])
    assert nightly(folder)[:-1] == names[-2:]


def test_what_fails_is_told_and_tried_again(folder, bus):
    place = folder / 'elsewhere'
    rig = Rig(folder, bus, f'[admin]\nbackup_directory = {place}\n').start()
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the failure', lambda: status(rig)['backup_error'])
    now = status(rig)
    assert 'elsewhere is not there: create it' in now['backup_error'] and now['last_backup'] is None
    assert any('the last nightly backup failed' in w for w in now['warnings'])
    assert 'the nightly backup failed' in rig.log.read_text()
    place.mkdir()
    # A start looks at once for what is still wanted.
    rig.kill()
    rig.start()
    wait_until('the backup', lambda: status(rig)['last_backup'])
    assert status(rig)['backup_error'] is None and len(nightly(place)) == 1
    rig.stop()
    # And nothing more is wanted.
    rig.start()
    rig.stop()
    assert len(nightly(place)) == 1


@pytest.mark.parametrize('point', ['before_backup', 'backup_written'])
def test_killed_on_the_way_there_is_none_and_then_a_whole_one(folder, bus, point):
    rig = Rig(folder, bus).start(TENANTD_CRASH=point)
    rig.onboard('One', 'one@x.example')
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    assert rig.process.wait(30) == -9
    rig.client.close()
    assert nightly(rig.state / 'backups') == []
    rig.start()
    made(rig, 1)
    assert [p.name for p in (rig.state / 'backups').iterdir()] == nightly(rig.state / 'backups')
    assert verify(rig, Path(status(rig)['last_backup']['path']).read_bytes())['customers'] == 1
    rig.stop()


@pytest.mark.parametrize('name, words', [('backup-last-time', 'the newest nightly backup is of'), ('backup-since', 'there is no nightly backup yet')])
def test_an_old_one_is_warned_of(folder, bus, name, words):
    rig = Rig(folder, bus).start()
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    for days, expected in ((1, False), (3, True)):
        db.execute('INSERT OR REPLACE INTO setting(name, value) VALUES(?, ?)', (name, str(int((time.time() - days * 86400) * 1e6))))
        db.commit()
        db.close()
        rig.start()
        assert any(words in w for w in status(rig)['warnings']) is expected
        if expected and name == 'backup-last-time':                  # people see all times in one form
            rig.ctl('partner', 'set', '--zone', 'Asia/Kolkata')
            assert re.search(words + r' \d{4}-\d\d-\d\d \d\d:\d\d:\d\d IST: the log', rig.ctl('admin', 'status').stdout)
        rig.stop()
        db = sqlite3.connect(rig.state / 'tenantd.db')
    db.close()
