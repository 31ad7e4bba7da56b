# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the figures share: the table they are printed in, places with a bus and daemons, and customers to fill these with."""
import contextlib
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / 'tests'))
sys.dont_write_bytecode = True
from conftest import BUILD, PrivateBus, Rig, wait_until  # noqa: E402

QUICK = '--quick' in sys.argv
WORD = next((a for a in sys.argv[1:] if not a.startswith('-')), '')
ROUNDS = 3 if QUICK else 5
SECONDS = 0.5 if QUICK else 2                   # of a round
MEDIANS = 0.1 if QUICK else 0.2                 # of rounds whose calls take well under a millisecond; there are three times as many of them
LOAD, SQL, BUS = (BUILD / 'tests/bench' / p for p in ('load', 'yard-sql', 'yard-bus'))
POLICY = '<policy user="root"><allow own_prefix="org.tenantd"/><allow send_destination="*"/></policy>'      # the yardsticks are services too
COUNTRIES = 'AT BE BG CA CH CZ DE DK ES FI FR GB GR HU IE IT JP MX NL NO PL PT SE US'.split()
STATUSES = ['working'] * 6 + ['failed', 'multiple-issues', 'not-applicable', 'waiting-for-configuration']
WIDTHS = (62, 24, 24, 6, 9, 6)
INDEX_DDL = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('customer', 'customer_tag')"


# ---- the table ----

def line(*cells):
    print(' | '.join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, WIDTHS))).rstrip(), flush=True)


def shown(values, unit):
    digits = 2 if statistics.median(values) < 10 else 1 if statistics.median(values) < 1000 else 0
    return f'{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f}) {unit}'


def row(figure, ours, yard, goal, unit, more=False):
    """Rounds of both sides. more: the ratio shall be at least the goal, else at most. The ratio is the median of the rounds' own: a
    virtual machine's cores run at half their speed for seconds when their neighbours work, and then both sides of a round do."""
    ratio = statistics.median(a / b for a, b in zip(ours, yard, strict=True))
    met = ratio >= goal if more else ratio <= goal
    line(figure, shown(ours, unit), shown(yard, unit), f'{ratio:.2f}', f'{"≥" if more else "≤"} {goal}', 'ok' if met else 'below')


def limit(figure, ours, most, unit):
    line(figure, shown(ours, unit), '', '', f'≤ {most} {unit}', 'ok' if statistics.median(ours) <= most else 'below')


def wanted(figure):
    return WORD in figure


@contextlib.contextmanager
def one_core():
    """Both sides' processes, begun inside, on one core: a virtual core that waits longer than its host polls for it (about 0.1 ms) wakes
    late, and of two sides that take 0.15 and 0.25 ms it is only the longer one that pays."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def figures(*names):
    """The rows a function prints, so that it runs only if one of them is wanted."""
    def mark(function):
        function.figures = names
        BENCHES.append(function)
        return function
    return mark


BENCHES = []


def machine():
    model = next((x.split(':', 1)[1].strip() for x in open('/proc/cpuinfo') if x.startswith('model name')), os.uname().machine)
    kind = subprocess.run(['stat', '-f', '-c', '%T', '/var/tmp'], capture_output=True, text=True).stdout.strip()
    return (f'{model}, {os.cpu_count()} cores, Linux {os.uname().release}, SQLite {sqlite3.sqlite_version}, /var/tmp on {kind}, load {os.getloadavg()[0]:.1f}; '
            f'{ROUNDS} rounds, medians (min-max)')


# ---- places ----

def numbers(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{Path(str(command[0])).name} {command[1]}: {done.stderr.strip() or done.returncode}')
    return [float(x) for x in done.stdout.split()]


def number(*command):
    return numbers(*command)[0]


class Place:
    """A bus with the limits of a system bus, and daemons on it, in a folder that goes."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='tenantd-bench-', dir='/var/tmp'))
        self.folder.chmod(0o755)
        self.bus = PrivateBus(self.folder, POLICY).start()
        self.address = self.bus.address
        self.rigs, self.processes = [], []
        return self

    def rig(self, config=''):
        rig = Rig(self.folder, self.bus, config)
        self.rigs.append(rig)
        return rig.start()

    def filled(self, count, config=''):
        """A daemon with so many customers."""
        rig = self.rig(config)
        rig.stop()
        fill(rig.state, count)
        return rig.start()

    def yard(self, name='yard'):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def service(self, kind, *arguments):
        name = f'org.tenantd.Yard{len(self.processes)}'
        process = subprocess.Popen([str(BUS), kind, self.address, name, *map(str, arguments)])
        self.processes.append(process)

        def owned():
            if process.poll() is not None:
                raise RuntimeError(f'the yardstick {kind} ended with {process.returncode}')
            return subprocess.run(['busctl', f'--address={self.address}', 'status', name], capture_output=True).returncode == 0
        wait_until(f'the yardstick {kind}', owned)
        return name

    def __exit__(self, *failure):
        for process in self.processes:
            process.kill()
            process.wait()
        for rig in self.rigs:
            if rig.process:
                try:
                    rig.stop()
                except AssertionError as e:
                    print(e, file=sys.stderr)
        self.bus.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def names(count, first=0):
    words = 'Alpine Harbor Cedar Nord Quick Blue Stone River Sun Moon Iron Gold Fern Lake Wind Fox'.split()
    chance = random.Random(5 + first)
    for i in range(first, first + count):
        yield i, f'{chance.choice(words)} {chance.choice(words)} {i:07d}', chance


def customers(count):
    base = 1767225600_000000
    for i, name, chance in names(count):
        account = f'c{i}@x{i % 977}.example'
        yield (i + 1, chance.randbytes(16), name, name.lower(), account, account, 'm365' if i % 10 == 3 else 'local', f'Ada{i % 31}', f'Example{i % 57}',
               chance.choice(COUNTRIES), f'+49 30 {i:07d}', '["gold"]' if i % 4 == 0 else '[]', 'disconnecting' if i % 1000 == 7 else 'active',
               'customer' if i % 20 == 11 else 'partner', chance.choice(STATUSES), base + i * 1000000)


def fill(state, count):
    """count customers, put straight into a database that the daemon made; the indexes are made afterwards, as one does."""
    db = sqlite3.connect(state / 'tenantd.db', isolation_level=None)
    db.execute('PRAGMA synchronous=OFF')
    db.execute('PRAGMA cache_size=-200000')
    db.execute('BEGIN')
    indexes = db.execute(INDEX_DDL).fetchall()
    for name, _ in indexes:
        db.execute(f'DROP INDEX {name}')
    db.executemany('''INSERT INTO customer(n, id, revision, organization, organization_key, registered_account, account_key, account_type, first_name, last_name,
        country, phone, tags, state, management_mode, status, status_reason, created) VALUES(?,?,1,?,?,?,?,?,?,?,?,?,?,?,?,?,'no backup subscription',?)''',
                   customers(count))
    db.execute('''INSERT INTO customer_tag(tag, organization_key, organization, id, tag_key, customer)
        SELECT 'gold', organization_key, organization, id, 'gold', n FROM customer WHERE tags <> '[]' ORDER BY organization_key, organization, id''')
    for _, sql in indexes:
        db.execute(sql)
    db.execute('COMMIT')
    db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()


def backup(rig, path):
    """The database as it is now; the daemon goes on."""
    with open(path, 'wb') as file:
        rig.json('Manager', 'Backup', 'ha{sv}a{sv}', file, {}, {}, timeout=120)
    return path


def write_ids(rig, path):
    copy = sqlite3.connect(backup(rig, path.with_suffix('.db')))
    path.write_text('\n'.join(r[0].hex() for r in copy.execute('SELECT id FROM customer')))
    copy.close()
    return path


def with_stopped(rig, *statements):
    """Changes the database behind the daemon's back: it is stopped, and started again."""
    if rig.process:
        rig.stop()
    db = sqlite3.connect(rig.state / 'tenantd.db', isolation_level=None)
    results = [db.execute(s).fetchall() for s in statements]
    db.close()
    return results


def status_kib(pid, key, name='tenantd'):
    """Of a program by this name: before its exec a child shows the memory of its parent."""
    try:
        lines = open(f'/proc/{pid}/status').read().splitlines()
        for text in lines if lines[0] == f'Name:\t{name}' else []:
            if text.startswith(key + ':'):
                return int(text.split()[1])
    except OSError:
        pass
    return 0


def helpers(pid):
    """Children of the daemon."""
    found = []
    for task in Path(f'/proc/{pid}/task').iterdir():
        try:
            found += [int(x) for x in (task / 'children').read_text().split()]
        except OSError:
            pass
    return found
