# SPDX-License-Identifier: LGPL-2.1-or-later
"""From one schema to the next: an older database becomes a newer one while work is under way in it, whole or not at all.

The second schema is made up and known to test builds that are told so (TENANTD_SCHEMA=2; the step to 3 fails).
"""
import hashlib
import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

from checker import check
from conftest import BusError, Client, Rig, wait_until
from test_restore import audit, backup, kind, restart, restore, status

NEXT = {'TENANTD_SCHEMA': '2'}
TEXT = b'organization,registered_account,first_name,last_name,country\n' + b''.join(
    b'Org %d,a%d@x.example,A,B,DE\n' % (i, i) for i in range(300))


def import_file(rig, data, **options):
    fd = os.memfd_create('import')
    os.write(fd, data)
    os.lseek(fd, 0, 0)
    with os.fdopen(fd, 'rb') as file:
        return rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, options)


def files(rig):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in rig.state.iterdir() if p.name.startswith('tenantd.db')}


def version(path):
    db = sqlite3.connect(f'file:{path}?mode=ro', uri=True)
    try:
        tables = {name for name, in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'tried%'")}
        columns = {row[1] for row in db.execute('PRAGMA table_info(task)')}
        assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)
        return db.execute('PRAGMA user_version').fetchone()[0], tables, 'tried' in columns
    finally:
        db.close()
        for suffix in ('-shm',):
            Path(f'{path}{suffix}').unlink(missing_ok=True)


OLD, NEW = (1, set(), False), (2, {'tried', 'tried_by_id'}, True)


def in_flight(rig):
    """Customers, remembered requests, and work that was begun and not ended, then a death."""
    one = rig.onboard('One', 'one@x.example')
    answer = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [one], {'phone': ('s', '1')}, {'request_id': ('s', 'edit')})
    refused = kind(lambda: rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [one], {'country': ('s', 'XX')}, {'request_id': ('s', 'refused')}))
    rig.wait_operation(import_file(rig, TEXT)['id'])
    rig.json('Tasks', 'Pause', 'sa{sv}', '', {})
    tasks = rig.call('Tasks', 'Enqueue', 'as', ['noop'] * 20)[0]
    bulk = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'last_name': ('s', 'Bulk')}, {'selector': ('s', 'country = DE'), 'request_id': ('s', 'bulk')})['id']
    more = import_file(rig, TEXT.replace(b'Org', b'More').replace(b',a', b',m'))['id']
    rig.json('Manager', 'TestMail', 'sa{sv}', 'noc@x.example', {})
    rig.kill()
    return one, answer, refused, tasks, bulk, more


def goes_on(rig, seen):
    one, answer, refused, tasks, bulk, more = seen
    assert rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [one], {'phone': ('s', '1')}, {'request_id': ('s', 'edit')}) == answer
    assert kind(lambda: rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [one], {'country': ('s', 'XX')}, {'request_id': ('s', 'refused')})) == refused
    assert rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'last_name': ('s', 'Bulk')},
                    {'selector': ('s', 'country = DE'), 'request_id': ('s', 'bulk')})['id'] == bulk
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    assert rig.wait_operation(bulk)['ok'] >= 301
    assert rig.wait_operation(more)['ok'] == 300
    wait_until('the tasks', lambda: all(rig.json('Tasks', 'Describe', 's', t)['state'] == 'done' for t in tasks))
    wait_until('the mail', lambda: list((rig.state / 'outbox-mail').glob('*.eml')))
    assert rig.customer(one)['last_name'] == 'Bulk' and rig.customer(one)['phone'] == '1'
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


def test_work_in_flight_goes_on_in_the_next_schema(folder, bus):
    rig = Rig(folder, bus).start()
    seen = in_flight(rig)
    rig.start(**NEXT)
    assert status(rig)['schema'] == 2
    kept = list((rig.state / 'backups').iterdir())
    assert [re.sub(r'\dT?', 'N', p.name) for p in kept] == ['before-schema-N-NNNN-NN-NNNN-NN-NNZ.db']
    assert version(kept[0]) == OLD and kept[0].stat().st_mode & 0o777 == 0o600
    goes_on(rig, seen)
    rig.stop()
    assert version(rig.state / 'tenantd.db') == NEW
    db = sqlite3.connect(rig.state / 'tenantd.db')
    assert db.execute('SELECT count(*) FROM tried').fetchone() == (301,)
    db.close()
    # Once is enough; and its own backups and the older ones come back to it.
    rig.start(**NEXT)
    assert len(list((rig.state / 'backups').iterdir())) == 1
    restore(rig, kept[0])
    restart(rig, 2)
    assert status(rig)['schema'] == 2 and len(json.loads(rig.call('Operations', 'List', 'a{sv}', {})[0])) == 3
    restore(rig, backup(rig))
    restart(rig, 3)
    rig.stop()
    assert version(rig.state / 'tenantd.db') == NEW
    # The import that was under way in the older backup is told that its file is gone.
    assert [f for f in check(rig.state) if not f.endswith('is gone')] == []


@pytest.mark.parametrize('point', ['before_backup', 'backup_written', 'after_rename', 'before_steps', 'after_step', 'before_version', 'after_version'])
def test_killed_on_the_way_it_is_the_old_one_or_the_new_one(folder, bus, point):
    rig = Rig(folder, bus).start()
    seen = in_flight(rig)
    process = rig.spawn(TENANTD_CRASH=point, **NEXT)
    assert process.wait(30) == -9
    copy = folder / 'copy'
    copy.mkdir()
    for name in files(rig):
        (copy / name).write_bytes((rig.state / name).read_bytes())
    assert version(copy / 'tenantd.db') == (NEW if point == 'after_version' else OLD)
    rig.start(**NEXT)
    assert status(rig)['schema'] == 2
    goes_on(rig, seen)
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    rig.stop()
    assert version(rig.state / 'tenantd.db') == NEW and check(rig.state) == []


@pytest.mark.parametrize('folded', [True, False])
def test_a_newer_database_is_refused_untouched(folder, bus, folded):
    rig = Rig(folder, bus).start()
    rig.onboard('One', 'one@x.example')
    rig.stop()
    if folded:
        rig.start(**NEXT)
        rig.stop()
    else:
        # Committed, and in the WAL alone: the file itself still tells the old version.
        assert rig.spawn(TENANTD_CRASH='after_version', **NEXT).wait(30) == -9
        assert (rig.state / 'tenantd.db').read_bytes()[60:64] == b'\0\0\0\1'
    before = files(rig)
    process = rig.spawn()
    assert process.wait(30) == 78
    assert files(rig) == before
    assert 'has schema 2, this tenantd knows up to 1' in rig.log.read_text() and 'install the newer tenantd again' in rig.log.read_text()
    rig.start(**NEXT)
    assert status(rig)['schema'] == 2
    rig.stop()


def test_a_step_that_fails_leaves_the_old_one(folder, bus):
    rig = Rig(folder, bus).start()
    seen = in_flight(rig)
    process = rig.spawn(TENANTD_SCHEMA='3')
    assert process.wait(30) == 78
    text = rig.log.read_text()
    assert 'could not be brought from schema 1 to 3' in text
    assert version(rig.state / 'tenantd.db') == OLD
    # It is tried again at every start: the copies of those that came to nothing do not pile up.
    assert list((rig.state / 'backups').iterdir()) == []
    rig.start()
    goes_on(rig, seen)
    rig.stop()
    assert check(rig.state) == []


def test_without_a_backup_there_is_no_step(folder, bus):
    rig = Rig(folder, bus, f'[admin]\nbackup_directory = {folder}/nowhere\n').start()
    rig.stop()
    before = files(rig)
    process = rig.spawn(**NEXT)
    assert process.wait(30) == 74
    assert 'the backup directory' in rig.log.read_text() and 'create it' in rig.log.read_text() and files(rig) == before
    (folder / 'nowhere').mkdir()
    rig.start(**NEXT)
    assert status(rig)['schema'] == 2
    rig.stop()


def test_a_new_database_is_what_an_old_one_becomes(folder, bus):
    schemas = []
    for name, first in (('grown', {}), ('new', NEXT)):
        (folder / name).mkdir()
        rig = Rig(folder / name, bus).start(**first)
        rig.stop()
        rig.start(**NEXT)
        rig.stop()
        db = sqlite3.connect(rig.state / 'tenantd.db')
        schemas.append(db.execute('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').fetchall())
        db.close()
    assert schemas[0] == schemas[1]
