# SPDX-License-Identifier: LGPL-2.1-or-later
"""A clock that is far ahead: nothing is thrown away by it, and nobody erased, before it is believed."""
import json
import os
import time

from conftest import Rig, wait_until
from test_restore import audit, status

TEN_YEARS = str(3653 * 86400)


def gone(rig, reference):
    return json.loads(rig.ctl('customer', 'list', '--json', '--filter', f'organization = "{reference}"').stdout) == []


def test_what_is_old_by_a_clock_that_is_held_stays(folder, bus):
    rig = Rig(folder, bus).start()
    leaves = rig.onboard('Leaves', 'leaves@x.example')
    rig.json('Customers', 'Disconnect', 'sa{sv}', leaves, {'confirm': ('s', 'Leaves')})
    answer, file = rig.call('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', 'csv')}, {})
    os.close(file.to_raw_fd())
    report = json.loads(answer)['id']
    rig.stop()
    unknown = rig.state / 'reports' / 'unknown' / 'x.csv'
    unknown.parent.mkdir(exist_ok=True)
    yesterday = time.strftime('%Y-%m-%dT%H-%M-%SZ', time.gmtime(time.time() - 86400))
    copies = [rig.state / 'backups' / f'{kind}-{yesterday}.db' for kind in ('replaced', 'before-schema-1')]
    for path in (unknown, *copies):
        path.write_text('kept')
    rig.start(TENANTD_CLOCK_AHEAD=TEN_YEARS)
    assert status(rig)['clock_held']
    records = {r['n'] for r in audit(rig)}
    # The night and a restart of the queue, too: whatever asks for what is due.
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    rig.json('Tasks', 'Pause', 'sa{sv}', '', {})
    rig.json('Tasks', 'Resume', 'sa{sv}', '', {})
    assert 'nothing is created or thrown away' in ' '.join(status(rig)['warnings'])
    assert rig.customer(leaves)['state'] == 'disconnecting'
    assert [t['state'] for t in json.loads(rig.call('Tasks', 'List', 'a{sv}', {'selector': ('s', 'kind = erase')})[0])] == ['queued']
    assert records <= {r['n'] for r in audit(rig)}
    os.close(rig.call('Reports', 'Save', 's', report)[0].to_raw_fd())
    assert unknown.exists() and all(c.exists() for c in copies) and len(list((rig.state / 'backups').iterdir())) == 2
    # What is not thrown away goes on.
    os.close(rig.call('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', 'csv')}, {})[1].to_raw_fd())
    # And that was why: it is believed now, and all of it goes.
    rig.json('Manager', 'AcceptClock', 'sa{sv}', '', {})
    wait_until('the erasure', lambda: gone(rig, 'Leaves'))
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the night', lambda: status(rig)['last_backup'])
    wait_until('the old copies to go', lambda: not any(c.exists() for c in copies))
    assert not unknown.exists() and report not in [r['id'] for r in json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0])]
    rig.stop()
