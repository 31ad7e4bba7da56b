# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of schedules and mail.

Schedules are put straight into a stopped daemon's database. What is due at any second, not at full minutes alone, needs a zone
that is so many seconds from UTC: they are made here, and TZDIR names their folder.
"""
import os
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

from bench import LOAD, MEDIANS, QUICK, ROUNDS, SECONDS, SQL, Place, figures, limit, number, row, with_stopped
from conftest import BUILD, NAME, wait_until

TIMER, PLAN, DUE, MAIL, SINK = (BUILD / 'tests/bench' / p for p in ('yard-timer', 'yard-plan', 'yard-due', 'yard-mail', 'sink'))
ZONEINFO = '/usr/share/zoneinfo'
SOON = 5                                        # seconds until the first one is due: the daemon starts meanwhile
PAUSE = "INSERT OR REPLACE INTO setting(name, value) VALUES('queue-paused', '{}')"
CLEAR = 'DELETE FROM run', 'DELETE FROM task', 'DELETE FROM schedule'


# ---- schedules ----

def zones(folder):
    """Zones that are 0 to 59 seconds ahead of UTC, and the list of the real ones."""
    (folder / 'Second').mkdir(parents=True)
    os.symlink(f'{ZONEINFO}/tzdata.zi', folder / 'tzdata.zi')
    for ahead in range(60):
        block = struct.pack('>4sc15x6l', b'TZif', b'2', 0, 0, 0, 0, 1, 4) + struct.pack('>lBB4s', ahead, 0, 0, b'SEC\0')
        (folder / 'Second' / f'{ahead:02d}').write_bytes(block + block + f'\n<SEC>-0:00:{ahead:02d}\n'.encode())
    return folder


def schedule(n, due):
    """Daily, and due at this second, since 1970."""
    ahead = -due % 60
    local = datetime.fromtimestamp(due + ahead, timezone.utc)
    return (n, os.urandom(16), f'{local:%H:%M}', f'Second/{ahead:02d}', f'{local - timedelta(days=1):%Y-%m-%d}', due * 1000000, int(time.time() * 1e6))


def put_schedules(rig, instants):
    """Behind the stopped daemon's back."""
    db = sqlite3.connect(rig.state / 'tenantd.db', isolation_level=None)
    db.execute('BEGIN')
    for statement in CLEAR:
        db.execute(statement)
    db.executemany('''INSERT INTO schedule(n, id, revision, export, frequency, at, zone, start, missed, recipients, format, state, next_due, settled_due, owner,
        created) VALUES(?1, ?2, 1, 'customers', 'daily', ?3, ?4, ?5, 'latest', '["a@x.example"]', 'csv', 'active', ?6, ?7, 0, ?7)''',
                   (schedule(n, due) for n, due in enumerate(instants, 1)))
    db.execute('COMMIT')
    db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()


class Noon(Place):
    """A daemon with one customer, stopped, that believes in the zones above."""

    def __enter__(self):
        super().__enter__()
        self.daemon = self.rig()
        self.customer = self.daemon.onboard('One', 'a@x.example')
        self.daemon.stop()
        self.zones = zones(self.folder / 'zoneinfo')
        return self

    def start(self, instants, paused):
        """The schedules are there, and the daemon is up before the first of them is due."""
        with_stopped(self.daemon, PAUSE.format(int(paused)))
        put_schedules(self.daemon, instants)
        self.daemon.start(TZDIR=str(self.zones))
        if time.time() > min(instants) - 0.5:
            raise RuntimeError('the daemon was not up in time')

    def runs(self, instants, most=30):
        """Waits until each has its run. Then the daemon is stopped."""
        time.sleep(max(max(instants) + 0.3 - time.time(), 0))
        wait_until('the runs', lambda: self.tasks() >= len(instants), most)

    def tasks(self):
        time.sleep(0.1)
        queue = self.daemon.json('Manager', 'Status', 'sa{sv}', '', {}, timeout=60)['queue']
        return queue['queued'] + queue['running'] + queue.get('waiting', 0)


RUNS_RATE, RUNS_BESIDE = 'runs created/s, 10,000 schedules due at once', 'Customers.Get every 4 ms while 10,000 schedules are due, p99'


def due_at_once(place, count):
    """Runs a second, and p99 of another caller's round trip in ms. By the times of the turns: what was committed before the last began."""
    due = int(time.time()) + SOON
    place.start([due] * count, paused=True)
    with open(place.folder / 'probes', 'w+') as file:
        probe = subprocess.Popen([LOAD, 'probe', place.address, NAME, place.customer, '4000'], stdout=file)
        place.runs([due] * count, 60)
        probe.send_signal(signal.SIGTERM)
        if probe.wait() != 0:
            raise RuntimeError('the probe failed')
        file.seek(0)
        probes = [tuple(map(int, text.split())) for text in file]
    created = [r[0] for r in with_stopped(place.daemon, 'SELECT created FROM run WHERE local IS NOT NULL')[0]]
    last, due = max(created), due * 1000000
    times = sorted(spent for sent, spent in probes if due <= sent <= last)
    return sum(c < last for c in created) / ((last - due) / 1e6), times[len(times) * 99 // 100] / 1000


@figures(RUNS_RATE, RUNS_BESIDE)
def runs_at_once():
    count = 10000
    with Noon() as place:
        yard = place.yard()
        a, b, beside = [], [], []
        for _ in range(ROUNDS):
            rate, p99 = due_at_once(place, count)
            a.append(rate)
            beside.append(p99)
            b.append(number(SQL, 'runs', yard, count))
        row(RUNS_RATE, a, b, 0.4, '/s', more=True)
        limit(RUNS_BESIDE, beside, 50, 'ms')


RUN_LATE, EXPORT_LATE = 'run created after its due instant, p50, against a bare timerfd', 'first export starts after its due instant'


def lateness(place, count):
    """p50 of both sides, in µs. The timerfd's instants lie halfway between the schedules'."""
    first = int(time.time()) + SOON
    instants = range(first, first + count)
    yard = subprocess.Popen([TIMER, str(first * 1000000 + 500000), str(count)], stdout=subprocess.PIPE, text=True)
    place.start(instants, paused=True)
    place.runs(instants)
    late = [r[0] for r in with_stopped(place.daemon, 'SELECT created - due FROM run')[0]]
    bare = [int(x) for x in yard.communicate()[0].split()]
    return statistics.median(late), statistics.median(bare)


@figures(RUN_LATE)
def run_late():
    with Noon() as place:
        pairs = [lateness(place, 20 if QUICK else 30) for _ in range(ROUNDS)]
        row(RUN_LATE, [a for a, _ in pairs], [b for _, b in pairs], 1.2, 'µs')


@figures(EXPORT_LATE)
def export_late():
    with Noon() as place:
        first = int(time.time()) + SOON
        instants = range(first, first + (5 if QUICK else 20))
        place.start(instants, paused=False)
        time.sleep(max(max(instants) + 1 - time.time(), 0))
        wait_until('the exports', lambda: place.tasks() == 0)
        late = [r[0] / 1000 for r in with_stopped(place.daemon, 'SELECT t.started - r.due FROM run r JOIN task t ON t.n = r.task WHERE t.started IS NOT NULL')[0]]
        if len(late) != len(instants):
            raise RuntimeError(f'{len(late)} exports of {len(instants)} began')
        limit(EXPORT_LATE, late, 200, 'ms')


NEXT_DUE = 'next_due/s with a zone, against libical'


@figures(NEXT_DUE)
def next_due():
    a, b = [], []
    for _ in range(2 * ROUNDS):
        a.append(number(PLAN, 'ours', f'{ZONEINFO}/Europe/Berlin', MEDIANS))
        b.append(number(PLAN, 'ical', 'Europe/Berlin', MEDIANS))
    row(NEXT_DUE, a, b, 1, '/s', more=True)


NOTHING_DUE = 'asking when nothing is due at 1,000,000 schedules'


@figures(NOTHING_DUE)
def nothing_due():
    with Place() as place:
        rig = place.rig()
        rig.stop()
        db = sqlite3.connect(rig.state / 'tenantd.db', isolation_level=None)
        db.execute('PRAGMA synchronous=OFF')
        db.execute('PRAGMA cache_size=-200000')
        db.execute('''WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 1000000)
            INSERT INTO schedule(n, id, revision, export, frequency, at, zone, start, missed, recipients, format, state, next_due, settled_due, owner, created)
            SELECT n, randomblob(16), 1, 'customers', 'daily', '12:00', 'UTC', '2026-01-01', 'latest', '["a@x.example"]', 'csv', 'active',
            4102444800000000 + n % 86400 * 1000000, 0, 0, n FROM many''')
        db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        db.close()
        limit(NOTHING_DUE, [number(DUE, rig.state, MEDIANS) for _ in range(ROUNDS)], 50, 'µs')


# ---- mail ----

MAIL_RATE, MAIL_COMMITS = 'mail/s at 1 kB against libcurl, 4 connections each', 'mail/s at 1 kB against FULL commits/s of one row'
BIG_COMMITS = 'mail/s with 30 kB against FULL commits/s of one row'
BODY = ('The report is there. ' * 3 + '\n') * 4     # with its header about 1 kB


class Sink:
    def __enter__(self):
        self.process = subprocess.Popen([SINK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def taken(self):
        """How many messages, and their bytes. It ends with that."""
        return tuple(map(int, self.process.communicate()[0].split()))

    def __exit__(self, *failure):
        self.process.kill()
        self.process.wait()


def put_mail(rig, count, size=0):
    """Messages, and the couriers that would have been called with them. size: of the report that is attached to each, in bytes."""
    db = sqlite3.connect(rig.state / 'tenantd.db', isolation_level=None)
    db.execute('BEGIN')
    db.execute('DELETE FROM message')
    db.execute('DELETE FROM task')
    db.execute('DELETE FROM report')
    now, report = int(time.time() * 1e6), None
    if size:
        (rig.state / 'reports' / 'bench.xlsx').write_bytes(os.urandom(size))
        report = db.execute('''INSERT INTO report(id, kind, format, file_name, path, rows, bytes, sha256, data_date, created, owner) VALUES(randomblob(16), 'customers',
            'xlsx', 'customers.xlsx', 'reports/bench.xlsx', 1, ?1, zeroblob(32), '2026-12-01', ?2, 0)''', (size, now)).lastrowid
    db.executemany('''INSERT INTO message(n, id, target, event, address, address_key, sender, message_id, language, subject, body, report, state, next_attempt,
        created, begun) VALUES(?1, ?2, 'mail:' || ?3, 'report', ?3, ?3, 'msp@x.example', hex(?2) || '@x.example', 'en', 'Your report', ?4, ?6, 'queued', ?5, ?5, ?5)''',
                   ((n, os.urandom(16), f'r{n}@y.example', BODY, now, report) for n in range(1, count + 1)))
    db.executemany('''INSERT INTO task(n, id, kind, state, lane, due, created, owner, format, arguments) VALUES(?1, ?2, 'mail', 'queued', 'people', ?3, ?3, 0, 1, '{}')''',
                   ((n, os.urandom(16), now) for n in range(1, 5)))
    db.execute('COMMIT')
    db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()


def mail_rate(rig, count, size=0):
    """From the start of the daemon to the last one delivered."""
    put_mail(rig, count, size)
    begin = time.time()
    rig.start()

    def sent():
        time.sleep(0.2)
        queue = rig.json('Manager', 'Status', 'sa{sv}', '', {}, timeout=60)['queue']
        return queue['queued'] + queue['running'] == 0
    wait_until('the mails', sent, 120)
    (delivered, last), = with_stopped(rig, 'SELECT count(delivered), max(delivered) FROM message')[0]
    if delivered != count:
        raise RuntimeError(f'{delivered} of {count} mails were delivered')
    return count / (last / 1e6 - begin)


@figures(MAIL_RATE, MAIL_COMMITS, BIG_COMMITS)
def mails():
    """The first one is bound by the disk: four connections, each waiting for the commit of its last mail, are at most four mails a commit. With
    the state in memory it is met; on a disk
    it is where fdatasync takes less than about 150 µs (a commit 250). The others are twice what Postfix makes of the same
    disk: it delivers 0.41 mails a commit, and 0.30 with 30 kB."""
    count = 2000 if QUICK else 5000
    with Place() as place, Sink() as sink:
        rig = place.rig(f'[mail]\nrelay = 127.0.0.1:{sink.port}\nstarttls = off\n')
        rig.stop()
        yard = place.yard()
        a, b, commits, big, big_commits = [], [], [], [], []
        for _ in range(ROUNDS):
            a.append(mail_rate(rig, count))
            b.append(number(MAIL, sink.port, count, 1000))
            commits.append(number(SQL, 'enqueue', yard, 1, SECONDS))
            big.append(mail_rate(rig, count // 2, 30000))
            big_commits.append(number(SQL, 'enqueue', yard, 1, SECONDS))
        messages, size = sink.taken()
        expected = ROUNDS * (2 * count + count // 2)
        if messages != expected or size < ROUNDS * count // 2 * 40000:
            print(f'the sink took {messages} messages of {expected}, {size} bytes', file=sys.stderr)
        row(MAIL_RATE, a, b, 0.4, '/s', more=True)
        row(MAIL_COMMITS, a, commits, 0.82, '/s', more=True)
        row(BIG_COMMITS, big, big_commits, 0.6, '/s', more=True)
