# SPDX-License-Identifier: LGPL-2.1-or-later
"""12:00 UTC, end to end: the release under libfaketime, a real relay on loopback, what arrives is opened and compared; down over
noon; forty days in fast motion; and kill -9 at every step of one export."""
import csv
import datetime
import email
import email.policy
import io
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from conftest import TOP, BusError, Client, Rig, wait_until
from listening import Listening

LIBFAKETIME = next(Path('/usr/lib').glob('*/faketime/libfaketime.so.1'), None)


class Relay:
    """Takes everything and keeps it: [(sender, recipient, message)]."""

    def __init__(self):
        self.mails = []
        self.controller = Listening(self, server_hostname='relay.example')
        self.port = self.controller.port

    async def handle_DATA(self, server, session, envelope):
        assert len(envelope.rcpt_tos) == 1
        self.mails.append((envelope.mail_from, envelope.rcpt_tos[0], email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return '250 2.0.0 taken'

    @property
    def config(self):
        return f'[mail]\nrelay = 127.0.0.1:{self.port}\nstarttls = off\n'

    def ids(self):
        return [str(m['Message-ID']) for _, _, m in self.mails]


@pytest.fixture
def relay():
    relay = Relay()
    relay.controller.start()
    yield relay
    relay.controller.stop()


@pytest.fixture(scope='module')
def release():
    done = subprocess.run([TOP / 'dev', 'build'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return TOP / 'build'


def at(moment, **more):
    """The environment in which the program's clock shows this; monotonic time stays real."""
    return {'LD_PRELOAD': str(LIBFAKETIME), 'FAKETIME': f'@{moment}', 'FAKETIME_DONT_FAKE_MONOTONIC': '1', 'TZ': 'UTC', **more}


def create(rig, **fields):
    typed = {k: ('as', v) if isinstance(v, list) else ('s', v) for k, v in fields.items()}
    return rig.json('Schedules', 'Create', 'a{sv}a{sv}', typed, {})['id']


def runs(rig, schedule):
    return rig.json('Schedules', 'Runs', 'sa{sv}', schedule, {})


def ended(rig, schedule, n=1):
    def over():
        rows = runs(rig, schedule)
        return len(rows) >= n and all(r['state'] not in ('queued', 'running') for r in rows)
    wait_until('the end of the runs', over, 60)
    return runs(rig, schedule)


def attachment(message):
    part = next(iter(message.iter_attachments()))
    return part.get_filename(), part.get_content()


def rows_of(name, data):
    if name.endswith('.xlsx'):
        sheet = openpyxl.load_workbook(io.BytesIO(data)).active
        return [[c if c is not None else '' for c in row] for row in sheet.iter_rows(values_only=True)]
    return list(csv.reader(io.StringIO(data.decode('utf-8-sig') if isinstance(data, bytes) else data.lstrip('\ufeff'), newline='')))


@pytest.mark.slow
@pytest.mark.xdist_group('release')
@pytest.mark.skipif(not LIBFAKETIME, reason='libfaketime is not there')
def test_three_schedules_at_noon(folder, bus, release, relay):
    rig = Rig(folder, bus, relay.config, build=release).start(**at('2026-11-30 10:00:00'))
    names = ['Ärzte & Söhne GmbH', '=SUM(1)', 'שלום בע"מ', '株式会社テスト']
    for i, name in enumerate(names):
        rig.onboard(name, f'owner{i}@c{i}.example')
    made = [create(rig, export='customers', frequency='daily', start='2026-12-01', recipients=['a@ops.example', 'b@ops.example']),
            create(rig, export='customers', frequency='weekly', start='2026-12-01', recipients=['c@ops.example'], format='csv',
                   columns=['organization', 'country']),
            create(rig, export='audit', frequency='monthly', on='day:1', start='2026-12-01', recipients=['d@ops.example'], format='json')]
    rig.stop()
    rig.start(**at('2026-12-01 11:59:50'))                # up before noon on a busy machine, too
    for schedule in made:
        run, = ended(rig, schedule)
        assert (run['local'], run['due'], run['state'], run['count']) == ('2026-12-01T12:00', '2026-12-01T12:00:00Z', 'done', 1)
        assert '2026-12-01T12:00:00Z' <= run['started'] <= '2026-12-01T12:00:20Z'
        assert rig.json('Schedules', 'Describe', 's', schedule)['next_due'] in ('2026-12-02T12:00:00Z', '2026-12-08T12:00:00Z', '2027-01-01T12:00:00Z')
    wait_until('four mails', lambda: len(relay.mails) == 4)
    assert sorted(to for _, to, _ in relay.mails) == ['a@ops.example', 'b@ops.example', 'c@ops.example', 'd@ops.example']
    assert len(set(relay.ids())) == 4
    by = {to: message for _, to, message in relay.mails}
    for to in ('a@ops.example', 'b@ops.example'):
        name, data = attachment(by[to])
        assert name == 'customers-2026-12-01.xlsx'
        table = rows_of(name, data)
        assert table[0][0] == 'organization' and {row[0] for row in table[1:]} == set(names)
        assert {row[1] for row in table[1:]} == {f'owner{i}@c{i}.example' for i in range(4)}
    name, data = attachment(by['c@ops.example'])
    assert rows_of(name, data)[0] == ['organization', 'country'] and ["'=SUM(1)", 'DE'] in rows_of(name, data)
    rig.stop()


@pytest.mark.slow
@pytest.mark.xdist_group('release')
@pytest.mark.skipif(not LIBFAKETIME, reason='libfaketime is not there')
def test_down_over_noon(folder, bus, release):
    rig = Rig(folder, bus, build=release).start(**at('2026-11-30 10:00:00'))
    rig.onboard('One', 'one@x.example')
    made = {policy: create(rig, export='customers', frequency='daily', start='2026-12-01', format='csv', missed=policy, recipients=[f'{policy}@ops.example'])
            for policy in ('latest', 'all', 'none')}
    rig.stop()
    rig.start(**at('2026-12-03 13:00:00'))
    states = {}
    for policy, schedule in made.items():
        wait_until('the runs', lambda: len(runs(rig, schedule)) == 3)
        states[policy] = [(r['local'][:10], r['state']) for r in reversed(ended(rig, schedule, 3))]
    assert states == {
        'latest': [('2026-12-01', 'missed'), ('2026-12-02', 'missed'), ('2026-12-03', 'done')],
        'all': [('2026-12-01', 'late'), ('2026-12-02', 'late'), ('2026-12-03', 'done')],
        'none': [('2026-12-01', 'missed'), ('2026-12-02', 'missed'), ('2026-12-03', 'missed')]}
    rig.stop()
    # The same clock again makes nothing twice.
    rig.start(**at('2026-12-03 13:00:30'))
    assert [len(runs(rig, s)) for s in made.values()] == [3, 3, 3]
    rig.stop()


@pytest.mark.slow
@pytest.mark.xdist_group('release')
@pytest.mark.skipif(not LIBFAKETIME, reason='libfaketime is not there')
def test_forty_days_in_fast_motion(folder, bus, release):
    rig = Rig(folder, bus, build=release).start(**at('2026-11-30 10:00:00'))
    rig.onboard('One', 'one@x.example')
    create(rig, export='customers', frequency='daily', start='2026-12-01', end='2027-01-09', format='csv', missed='all', recipients=['a@ops.example'])
    rig.stop()
    # Both clocks run 20,000 times as fast, so this is no jump. Whatever waits for an answer waits too short a time: what comes of it is
    # seen in the files, and afterwards in the database. The bus may be too slow for such a clock: then the daemon ends with 75 and is
    # started again, as its unit would.
    fast = {**at('2026-11-30 11:00:00 x20000'), 'FAKETIME_DONT_FAKE_MONOTONIC': '0'}
    mails = rig.state / 'outbox-mail'
    process = rig.spawn(**fast)
    begun = time.monotonic()

    def forty():
        nonlocal process
        if process.poll() is not None:
            assert process.returncode == 75, rig.log.read_text()[-2000:]
            moment = datetime.datetime(2026, 11, 30, 11) + datetime.timedelta(seconds=20000 * (time.monotonic() - begun))
            process = rig.spawn(**{**fast, **at(f'{moment:%Y-%m-%d %H:%M:%S} x20000'), 'FAKETIME_DONT_FAKE_MONOTONIC': '0'})
        return len(list(mails.glob('*.eml'))) == 40
    wait_until('forty mails', forty, 400)
    process.kill()
    process.wait()
    db = sqlite3.connect(rig.state / 'tenantd.db')
    rows = db.execute('SELECT local, state, report FROM run ORDER BY local').fetchall()
    days = [(datetime.date(2026, 12, 1) + datetime.timedelta(n)).isoformat() for n in range(40)]
    assert [local for local, _, _ in rows] == [f'{day}T12:00' for day in days]
    # The last one's mail may have been written by a death before its commit; all before it are settled.
    assert {state for _, state, _ in rows[:-1]} <= {'done', 'late'} and len({report for _, _, report in rows}) == 40
    assert db.execute('SELECT state FROM schedule').fetchone()[0] == 'ended'
    sent = [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in mails.glob('*.eml')]
    assert {str(m['To']) for m in sent} == {'a@ops.example'} and len({str(m['Message-ID']) for m in sent}) == 40


STEPS = ([f'before_commit:{n}' for n in range(3, 12)] + [f'after_commit:{n}' for n in range(3, 12)] +
         ['after_claim:1', 'after_claim:2', 'after_rename:1', 'after_dot:1', 'after_dot:2'])


@pytest.mark.slow
@pytest.mark.parametrize('step', STEPS)
def test_kill_at_every_step_of_an_export(folder, bus, relay, step):
    """One run for two recipients: one report, one mail each. Only a death between the relay's answer and our commit repeats one."""
    rig = Rig(folder, bus, relay.config).start()
    rig.onboard('One', 'one@x.example')
    schedule = create(rig, export='customers', frequency='daily', start='2099-01-01', format='csv', recipients=['a@ops.example', 'b@ops.example'])
    rig.stop()
    # It may die before it is up: then the call finds nobody.
    rig.process, rig.client = rig.spawn(TENANTD_CRASH=step), Client(bus.address)
    wait_until('the start, or the death', lambda: rig.process.poll() is not None or rig._has_owner())
    options = {'request_id': ('s', 'run-1')}
    try:
        rig.call('Schedules', 'Run', 'sa{sv}', schedule, options, timeout=20)
    except (BusError, OSError, ConnectionError, TimeoutError):
        pass
    wait_until('the death, or the end', lambda: rig.process.poll() is not None or len(relay.mails) == 2, 60)
    if rig.process.poll() is None:
        wait_until('what leads to the death, or nothing more', lambda: rig.process.poll() is not None or settled(rig), 60)
    rig.kill()
    rig.start()
    rig.call('Schedules', 'Run', 'sa{sv}', schedule, options)
    row, = ended(rig, schedule)
    assert row['state'] == 'done'
    wait_until('both mails settled', lambda: settled(rig), 60)
    reports = rig.json('Reports', 'List', 'a{sv}', {})
    assert len(reports) == 1 and [r['state'] for r in reports[0]['recipients']] == ['sent', 'sent']
    messages = rig.json('Messages', 'List', 'a{sv}', {})
    assert len(messages) == 2
    assert set(relay.ids()) == {f"<{m['message_id']}>" for m in messages}
    # What a connection had handed over when death came and was not on disk as delivered is repeated, under its old name: once.
    assert max(Counter(relay.ids()).values()) <= 2, relay.ids()
    if step.startswith(('after_claim', 'after_rename')):
        assert len(relay.mails) == 2
    # What a death left under its last name before its row was there is nobody's, and aside.
    assert [p.suffix for p in (rig.state / 'reports').iterdir() if p.name != 'unknown'] == ['.csv']
    rig.stop()


MANY = 60
STEPS_OF_MANY = [f'{step}:{n}' for step in ('after_dot', 'before_commit', 'after_commit') for n in (9, 14, 20, 27, 33)]


@pytest.mark.slow
@pytest.mark.parametrize('step', STEPS_OF_MANY)
def test_kill_among_many_mails(folder, bus, relay, step):
    """Four connections, each with one message claimed ahead: at most one of each connection is repeated, none is lost."""
    rig = Rig(folder, bus, relay.config).start()
    rig.onboard('One', 'one@x.example')
    schedule = create(rig, export='customers', frequency='daily', start='2099-01-01', format='csv', recipients=[f'r{i}@ops.example' for i in range(MANY)])
    rig.stop()
    rig.start(TENANTD_CRASH=step)
    try:
        rig.call('Schedules', 'Run', 'sa{sv}', schedule, {'request_id': ('s', 'run-1')}, timeout=20)
    except (BusError, OSError, ConnectionError, TimeoutError):
        pass
    wait_until('the death, or the end', lambda: rig.process.poll() is not None or (len(relay.mails) == MANY and settled(rig, MANY)), 60)
    sent = len(relay.mails)
    rig.kill()
    rig.start()
    rig.call('Schedules', 'Run', 'sa{sv}', schedule, {'request_id': ('s', 'run-1')})
    wait_until('all mails settled', lambda: settled(rig, MANY), 60)
    messages = rig.json('Messages', 'List', 'a{sv}', {'limit': ('u', 500)})
    times = Counter(relay.ids())
    assert set(times) == {f"<{m['message_id']}>" for m in messages} and len(times) == MANY
    assert {to for _, to, _ in relay.mails} == {f'r{i}@ops.example' for i in range(MANY)}
    repeated = [i for i, n in times.items() if n > 1]
    assert max(times.values()) <= 2 and len(repeated) <= 4, (sent, repeated)
    # What the relay never heard was not tried.
    assert {m['attempt'] for m in messages} <= {1, 2}
    rig.stop()


def settled(rig, n=2):
    try:
        rows = rig.json('Messages', 'List', 'a{sv}', {'limit': ('u', 500)})
    except (BusError, OSError, ConnectionError, TimeoutError):
        return True
    return len(rows) == n and all(m['state'] == 'delivered' for m in rows)
