# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files in the state directory: none is left that nothing refers to, whatever became of the call that brought it."""
import json
import os
import sqlite3

import pytest

from conftest import BusError, Rig, wait_until

pytestmark = pytest.mark.slow

LINES = b'organization,registered_account,first_name,last_name,country\nOne,one@x.example,A,B,DE\nTwo,two@x.example,A,B,DE\n'


def start_import(rig, data=LINES, fields=None, **options):
    fd = os.memfd_create('test')
    os.write(fd, data)
    os.lseek(fd, 0, 0)
    with os.fdopen(fd, 'rb') as file:
        return rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, fields or {}, options)


def spool(rig):
    return sorted(p.name for p in (rig.state / 'spool').iterdir())


def test_repeated_and_refused_imports_leave_no_file(rig):
    first = start_import(rig, request_id=('s', 'r'))
    rig.wait_operation(first['id'])
    assert start_import(rig, request_id=('s', 'r'))['id'] == first['id']
    for data, options in [(LINES + b'x', {'request_id': ('s', 'r')}), (LINES, {'request_id': ('s', '')}), (LINES, {'nonsense': ('s', 'x')}),
                          (LINES, {'request_id': ('u', 7)})]:
        with pytest.raises(BusError):
            start_import(rig, data, **options)
    start_import(rig, dry_run=('b', True))
    wait_until('an empty spool', lambda: spool(rig) == [])       # a reply leaves before the call's file goes
    assert len(json.loads(rig.call('Operations', 'List', 'a{sv}', {})[0])) == 1


def test_a_paused_import_keeps_its_file_over_a_restart(rig):
    rig.call('Tasks', 'Pause', 'sa{sv}', '', {})
    operation = start_import(rig)['id']
    assert len(spool(rig)) == 1
    rig.kill()
    for name in ('0' * 32 + '.csv', '0' * 32 + '.csv.Ab12Cd', 'backup-' + '0' * 32 + '.db'):
        (rig.state / 'spool' / name).write_bytes(b'left')
    for name in ('1' * 32 + '.xlsx.part', '1' * 32 + '.csv'):
        (rig.state / 'reports' / name).write_bytes(b'left')
    for name in ('2' * 32 + '@x.example.eml.part', '2' * 32 + '@x.example.eml'):
        (rig.state / 'outbox-mail' / name).write_bytes(b'left')
    rig.start()
    assert len(spool(rig)) == 1
    # What is whole may be of a database that comes back.
    assert [str(p.relative_to(rig.state)) for p in sorted((rig.state / 'reports').rglob('*'))] == ['reports/unknown', 'reports/unknown/' + '1' * 32 + '.csv']
    assert [p.name for p in (rig.state / 'outbox-mail').iterdir()] == ['2' * 32 + '@x.example.eml']
    rig.call('Tasks', 'Resume', 'sa{sv}', '', {})
    assert rig.wait_operation(operation)['ok'] == 2
    wait_until('the file to go', lambda: spool(rig) == [])


def test_reports_are_kept_over_a_restart(rig):
    rig.onboard('One', 'one@x.example')
    answer, fd = rig.call('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', 'csv')}, {})
    os.close(fd.to_raw_fd())
    rig.kill()
    rig.start()
    with os.fdopen(rig.call('Reports', 'Save', 's', json.loads(answer)['id'])[0].to_raw_fd(), 'rb') as file:
        assert len(file.read()) == json.loads(answer)['bytes']


def export(rig):
    answer, fd = rig.call('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', 'csv')}, {})
    os.close(fd.to_raw_fd())
    return json.loads(answer)['id']


def test_reports_wait_for_the_database_that_was_moved_away(rig):
    rig.onboard('One', 'one@x.example')
    report = export(rig)
    rig.stop()
    away = rig.folder / 'away'
    away.mkdir()
    for path in rig.state.glob('tenantd.db*'):
        path.rename(away / path.name)
    rig.start()
    assert json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0]) == []
    assert [p.suffix for p in (rig.state / 'reports' / 'unknown').iterdir()] == ['.csv']
    rig.stop()
    for path in rig.state.glob('tenantd.db*'):
        path.unlink()
    for path in away.iterdir():
        path.rename(rig.state / path.name)
    rig.start()
    os.close(rig.call('Reports', 'Save', 's', report)[0].to_raw_fd())
    assert list((rig.state / 'reports' / 'unknown').iterdir()) == []


@pytest.mark.parametrize('swapped', [False, True])
def test_of_two_files_of_one_name_the_right_one_is_the_report(rig, swapped):
    """A death after the rename and before the commit leaves a file, and the work is done again under the same name."""
    rig.onboard('One', 'one@x.example')
    report = export(rig)
    rig.stop()
    here, = (rig.state / 'reports').iterdir()
    there = rig.state / 'reports' / 'unknown' / here.name
    there.parent.mkdir()
    good = here.read_bytes()
    there.write_bytes(good if swapped else b'half')
    if swapped:
        here.write_bytes(b'half')
    rig.start()
    with os.fdopen(rig.call('Reports', 'Save', 's', report)[0].to_raw_fd(), 'rb') as file:
        assert file.read() == good
    assert here.read_bytes() == good and there.read_bytes() == b'half'


def test_mails_without_a_message_go_when_they_are_old(folder, bus):
    rig = Rig(folder, bus).start()
    rig.json('Manager', 'TestMail', 'sa{sv}', 'noc@x.example', {})
    mails = rig.state / 'outbox-mail'
    wait_until('the mail', lambda: list(mails.glob('*.eml')))
    kept = [p.name for p in mails.iterdir()] + ['young@x.example.eml', 'note.txt']
    for name in ('old@x.example.eml', 'young@x.example.eml', 'note.txt'):
        (mails / name).write_text('x')
    for path in mails.iterdir():
        if not path.name.startswith('young'):
            os.utime(path, (1, 1))
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the night', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['last_backup'])
    assert sorted(p.name for p in mails.iterdir()) == sorted(kept)
    rig.stop()


def about(rig):
    return [p for name in ('reports', 'outbox-mail') for p in (rig.state / name).rglob('*') if p.is_file()]


@pytest.mark.parametrize('moved', [False, True])
def test_death_between_an_erasure_and_its_files(folder, bus, moved):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    gone = rig.onboard('Gone', 'gone@x.example')
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [gone], {'deliveries.service_reports.enabled': ('b', True),
                                                          'deliveries.service_reports.recipients': ('as', ['to@x.example'])}, {})
    rig.json('Reports', 'Generate', 'sa{sv}', gone, {'template': ('s', 'monthly')})
    rig.json('Reports', 'Verify', 'sa{sv}', gone, {'address': ('s', 'to@x.example')})
    wait_until('a mail and a report', lambda: list((rig.state / 'outbox-mail').glob('*.eml')) and json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0]))
    rig.stop()
    rig.start(TENANTD_CRASH='before_unlink')
    rig.json('Customers', 'Disconnect', 'sa{sv}', gone, {'confirm': ('s', 'Gone')})
    assert rig.process.wait(30) == -9
    rig.client.close()
    assert len(about(rig)) >= 2
    if moved:
        # By a start that knew nothing of it.
        unknown = rig.state / 'reports' / 'unknown'
        unknown.mkdir()
        for path in (rig.state / 'reports').glob('*.*'):
            path.rename(unknown / path.name)
    rig.start()
    assert about(rig) == []
    rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    assert db.execute("SELECT count(*) FROM setting WHERE name = 'files-going'").fetchone() == (0,)
    db.close()


def test_what_a_database_names_to_be_deleted_is_no_file_of_others(rig):
    names = ['key', 'reports/../key', 'reports/unknown/../../key', 'outbox-mail/../lock', '/etc/hostname', 'reports/', 'outbox-mail/.x', 'reports/a/b', '']
    (rig.state / 'outbox-mail' / '.x').write_text('x')
    rig.stop()
    before = (rig.state / 'key').read_bytes()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    db.execute("INSERT INTO setting(name, value) VALUES('files-going', ?)", ('\n'.join(names) + '\n',))
    db.commit()
    db.close()
    rig.start()
    assert (rig.state / 'key').read_bytes() == before and (rig.state / 'lock').exists() and (rig.state / 'outbox-mail' / '.x').exists()
    assert (rig.state / 'reports').is_dir()


@pytest.mark.parametrize('point', ['before_commit', 'after_commit', 'after_rename', 'after_claim'])
def test_death_during_an_import(rig, point):
    """At every turn of it: afterwards it is done once, by whichever of the two calls, and its file is gone."""
    rig.stop()
    for n in range(1, 40):
        data = LINES.replace(b'One', b'One %d' % n).replace(b'Two', b'Two %d' % n).replace(b'@', b'%d@' % n)
        died, rig.process = False, None
        try:
            rig.start(TENANTD_CRASH=f'{point}:{n}')
            rig.wait_operation(start_import(rig, data, request_id=('s', f'r{n}'))['id'])
            rig.kill()
        except (BusError, OSError, AssertionError):
            assert rig.process.wait(30) == -9
            rig.client.close()
            died = True
        rig.start()
        done = rig.wait_operation(start_import(rig, data, request_id=('s', f'r{n}'))['id'])
        assert (done['ok'], done['total']) == (2, 2)
        assert rig.call('Customers', 'Count', 'a{sv}', {}) == (2 * n,)
        assert len(json.loads(rig.call('Operations', 'List', 'a{sv}', {})[0])) == n
        wait_until('an empty spool', lambda: spool(rig) == [])
        rig.kill()
        if not died:
            break
    rig.start()
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
