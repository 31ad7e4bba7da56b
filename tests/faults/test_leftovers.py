# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files in the state directory: none is left that nothing refers to, whatever became of the call that brought it."""
import json
import os

import pytest

from conftest import BusError, Client, wait_until

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
    assert spool(rig) == []
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
    rig.start()
    assert len(spool(rig)) == 1
    assert list((rig.state / 'reports').iterdir()) == []
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
