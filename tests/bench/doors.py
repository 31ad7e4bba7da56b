# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of access: what others notice when one user of the host floods the daemon."""
import json
import os
import signal
import subprocess

from bench import LOAD, QUICK, ROUNDS, Place, figures, limit, write_ids
from conftest import NAME

FLOOD = 'one user floods edits, 256 in flight: p99 of another user\'s Get'
STRANGER = 'a stranger floods, 256 in flight: p99 of another user\'s Get'
FLOODER = 65534
CONNECTIONS = 4                                 # of 64 calls in flight: as many as one user may have


def as_flooder():
    os.setgroups([])
    os.setgid(FLOODER)
    os.setuid(FLOODER)


def p99_beside_flood(place, customer, ids, seconds):
    """ms; calls from before the flood's begin and after its end are not counted."""
    with open(place.folder / 'probes', 'w+') as file:
        flood = [subprocess.Popen([LOAD, 'edit', place.address, NAME, 'phone', ids, str(seconds), '64'], preexec_fn=as_flooder, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) for _ in range(CONNECTIONS)]
        probe = subprocess.Popen([LOAD, 'probe', place.address, NAME, customer, '4000'], stdout=file)
        for process in flood:
            process.wait()
        probe.send_signal(signal.SIGTERM)
        if probe.wait() != 0:
            raise RuntimeError('the probe failed')
        file.seek(0)
        times = sorted(int(text.split()[1]) for text in file)
    return times[len(times) * 99 // 100] / 1000


@figures(FLOOD, STRANGER)
def flood():
    with Place() as place:
        rig = place.filled(20000)
        ids = write_ids(rig, place.folder / 'ids')
        customer = json.loads(rig.call('Customers', 'List', 'a{sv}', {'limit': ('u', 1)})[0])[0]['id']
        seconds = 2 if QUICK else 5
        limit(STRANGER, [p99_beside_flood(place, customer, ids, seconds) for _ in range(ROUNDS)], 50, 'ms')
        rig.call('Access', 'Create', 'a{sv}a{sv}', {'name': ('s', 'flood'), 'verbs': ('as', ['*'])}, {})
        rig.call('Access', 'Grant', 'sa{sv}', 'flood', {'who': ('s', f'user:{FLOODER}')})
        limit(FLOOD, [p99_beside_flood(place, customer, ids, seconds) for _ in range(ROUNDS)], 50, 'ms')
