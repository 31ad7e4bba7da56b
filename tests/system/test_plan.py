# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calendar of schedules against another one: dateutil's recurrence rules over zoneinfo's zones.

The model shares nothing with daemon/model/plan.c but the promises: it walks through every occurrence, and finds instants
by trying them. plan-list asks the C code. Both read the zones of /usr/share/zoneinfo.
"""
import multiprocessing
import os
import random
import subprocess
import zoneinfo
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from conftest import BUILD
from dateutil import rrule

PROGRAM = BUILD / 'tests' / 'unit' / 'plan-list'
ODD_ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'Pacific/Kwajalein', 'Antarctica/Troll', 'Africa/Casablanca',
             'Africa/El_Aaiun', 'Europe/Dublin', 'America/Nuuk', 'America/Havana', 'Asia/Beirut', 'Asia/Gaza', 'Asia/Kathmandu', 'Asia/Manila', 'America/Juneau',
             'Pacific/Kiritimati', 'Pacific/Fakaofo', 'Africa/Monrovia', 'America/Caracas', 'Asia/Pyongyang', 'Pacific/Chatham', 'America/St_Johns']
WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
PERIOD = {'daily': 1, 'weekly': 7, 'monthly': 30.4, 'quarterly': 91.3, 'yearly': 365.2}
EPOCH = datetime(1970, 1, 1)
AWARE_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
CHUNK, BATCH = 5000, 50


# ---- the model ----

def seconds(naive):
    return (naive - EPOCH) // timedelta(seconds=1)


def local_at(zone, t):
    return (AWARE_EPOCH + timedelta(seconds=t)).astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=20000)
def due(name, local):
    """(seconds since 1970, note) of a civil time."""
    zone = ZoneInfo(name)
    early, late = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    t = seconds(local - early)
    if early == late:
        return t, '-'
    if local_at(zone, t) == local:
        return t, 'first-pass'
    low, high = seconds(local - late), t
    while high - low > 1:
        middle = (low + high) // 2
        if local_at(zone, middle) < local:
            low = middle
        else:
            high = middle
    return high, 'after-gap'


def occurrences(s):
    """Every civil time that the schedule names, from its start on."""
    start, on = s['start'], s['on']
    hour, minute = s['at']
    last = {} if s['end'] is None else {'until': datetime(s['end'].year, s['end'].month, s['end'].day, 23, 59)}
    begin = datetime(start.year, start.month, start.day, hour, minute)
    kind = s['frequency']
    if kind == 'daily':
        return iter(rrule.rrule(rrule.DAILY, dtstart=begin, **last))
    if kind == 'weekly':
        return iter(rrule.rrule(rrule.WEEKLY, dtstart=begin, byweekday=start.weekday() if on is None else WEEKDAYS.index(on), **last))
    if kind == 'yearly':
        month, day = (start.month, start.day) if on is None else map(int, on.split('-'))
        days = {'bymonthday': (28, 29), 'bysetpos': -1} if (month, day) == (2, 29) else {'bymonthday': day}
        rule = rrule.rrule(rrule.YEARLY, dtstart=begin.replace(month=1, day=1), bymonth=month, **days, **last)
    else:
        day = start.day if on is None else int(on.split(':')[1])
        days = {'bymonthday': range(28, day + 1), 'bysetpos': -1} if day > 28 else {'bymonthday': day}
        rule = rrule.rrule(rrule.MONTHLY, interval=3 if kind == 'quarterly' else 1, dtstart=begin.replace(day=1), **days, **last)
    return (o for o in rule if o >= begin.replace(hour=0, minute=0))


def expected(s):
    if s['end'] is not None and s['end'] < s['start']:
        return 'refused end-before-start'
    count, listed = 0, []
    far = EPOCH + timedelta(seconds=s['instant']) - timedelta(days=4)
    for local in occurrences(s):
        if local < far or (s['local'] is not None and local <= s['local']):
            continue
        t, note = due(s['zone'], local)
        if t <= s['instant']:
            continue
        if t > s['until'] and len(listed) == s['count']:
            break
        count += t <= s['until']
        if len(listed) < s['count']:
            listed.append(f'{local:%Y-%m-%dT%H:%M}/{t}/{note}')
    return ' '.join([str(count), *listed])


# ---- questions ----

def a_change(r, zone):
    """An instant at which the zone's offset changes; None if a few looks found none."""
    for _ in range(4):
        low = r.randrange(-70 * 365, 80 * 365) * 86400
        high = low + r.choice([40, 200]) * 86400
        before = local_at(zone, low) - timedelta(seconds=low)
        if local_at(zone, high) - timedelta(seconds=high) != before:
            while high - low > 1:
                middle = (low + high) // 2
                if local_at(zone, middle) - timedelta(seconds=middle) == before:
                    low = middle
                else:
                    high = middle
            return high
    return None


def a_day_on(r, kind):
    if kind == 'daily' or r.random() < 0.4:
        return None
    if kind == 'weekly':
        return r.choice(WEEKDAYS)
    if kind == 'yearly':
        return r.choice(['02-29', '02-28', '12-31', '01-01', (date(2000, 1, 1) + timedelta(days=r.randrange(366))).strftime('%m-%d')])
    return f'day:{r.choice([28, 29, 30, 31, r.randint(1, 31)])}'


def a_moment(r, zone):
    """Near a change of the zone's offset, a leap day or a year's end, where calendars go wrong; or anywhere."""
    what = r.random()
    t = a_change(r, zone) if what < 0.6 else None
    if t is not None:
        return t, True
    if what < 0.8:
        return seconds(datetime(r.randint(1880, 2199), *r.choice([(2, 28), (3, 1), (12, 31), (1, 1)]))) + r.randrange(86400), False
    return seconds(datetime(r.randint(1880, 2199) if r.random() < 0.9 else r.randint(2200, 9900), 1, 1)) + r.randrange(366 * 86400), False


def a_schedule(r, name):
    t, change = a_moment(r, ZoneInfo(name))
    middle = local_at(ZoneInfo(name), t)
    kind = r.choice(list(PERIOD))
    period = PERIOD[kind]
    s = {'zone': name, 'frequency': kind, 'on': a_day_on(r, kind), 'at': (r.randrange(24), r.randrange(60)), 'end': None, 'local': None, 'count': r.randint(1, 4),
         'start': (middle - timedelta(days=r.choice([0, 1, period, r.uniform(0, 8 * period), r.uniform(-2, 0) * period]))).date(),
         'instant': t + r.choice([0, -1, 1, r.randint(-3, 3) * 3600, r.randint(-2 * 86400, 2 * 86400), int(r.uniform(-4, 4) * period * 86400)])}
    if change and r.random() < 0.7:
        # Aimed: one of the next times is one that the clock skips or repeats, or the minute beside it.
        aim = middle + timedelta(minutes=r.choice([0, 1, 30, 59, 60, -1, -30, -60, -90, r.randint(-1440, 120)]))
        s.update(at=(aim.hour, aim.minute), on=None, instant=t - r.choice([0, 1, r.randint(0, 3 * 86400), r.randint(-7200, 3600)]))
        s['start'] = aim.date() - timedelta(days=r.randint(0, 2) if kind == 'daily' else 7 * r.randint(0, 2) if kind == 'weekly' else 0)
    s['until'] = s['instant'] + int(r.choice([2, 2, 6]) * r.uniform(-0.2, 1) * period * 86400)
    if r.random() < 0.2:
        s['local'] = r.choice([*islice(occurrences(s), 5), middle.replace(second=0)])
    if r.random() < 0.3:
        s['end'] = r.choice([*(o.date() for o in islice(occurrences(s), 5)), middle.date(), s['start']]) + timedelta(days=r.choice([0, 0, -1, 1]))
    return s


def line(s):
    fields = [s['zone'], s['frequency'], s['on'] or '-', '%02d:%02d' % s['at'], s['start'], s['end'] or '-', s['instant'],
              '-' if s['local'] is None else f'{s["local"]:%Y-%m-%dT%H:%M}', s['count'], s['until']]
    return '\t'.join(map(str, fields))


def run_chunk(seed):
    """The differences of one chunk of schedules, and what was seen in it."""
    r = random.Random(seed)
    names = sorted(zoneinfo.available_timezones() - {'localtime', 'Factory'})
    schedules = []
    while len(schedules) < CHUNK:
        name = r.choice(ODD_ZONES) if r.random() < 0.5 else r.choice(names)
        schedules += [a_schedule(r, name) for _ in range(BATCH)]
    lines = [line(s) for s in schedules]
    done = subprocess.run([PROGRAM], input='\n'.join(lines) + '\n', capture_output=True, text=True, check=True)
    wanted = [expected(s) for s in schedules]
    got = done.stdout.splitlines()
    assert len(got) == len(wanted)
    seen = {word: sum(word in w for w in wanted) for word in ('after-gap', 'first-pass', 'refused', '02-29T')}
    return [f'{q}\n  wanted {w}\n  got    {g}' for q, w, g in zip(lines, wanted, got) if w != g], seen


@pytest.mark.parametrize('schedules', [5000, pytest.param(200000, marks=pytest.mark.slow)])
def test_equals_another_calendar(schedules):
    seed = int(os.environ.get('SEED', random.randrange(1 << 30)))
    print('seed', seed)
    with multiprocessing.Pool(2) as pool:
        results = pool.map(run_chunk, [seed * 1000 + i for i in range(schedules // CHUNK)], chunksize=1)
    differences = [d for found, _ in results for d in found]
    assert not differences, f'{len(differences)} of {schedules} differ (seed {seed}):\n' + '\n'.join(differences[:20])
    # The questions met what they are for.
    for word in results[0][1]:
        assert sum(seen[word] for _, seen in results) > schedules // 1000, word
