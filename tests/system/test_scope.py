# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two operators whose customers have nothing in common, and everything that can be read: nothing of a foreign customer is ever in an answer.

Each customer has a word of its own (zq0042) in its name, account, contacts and whatever else of it is shown, and an id; each answer
of any kind is searched for both. The seed is printed; TENANTD_SEED repeats it.
"""
import base64
import io
import itertools
import json
import os
import random
import re
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from jeepney import MatchRule

from conftest import PREFIX, BusError, wait_until
from doors import GOLD, SILVER, House, HouseBus, needs_root
from pictures import png

pytestmark = [pytest.mark.slow, needs_root, pytest.mark.xdist_group('scope')]

CUSTOMERS, TAGS, COUNTRIES = 330, [f't{n}' for n in range(10)], ['DE', 'AT', 'CH', 'FR']
WORD, ID = re.compile(r'zq(\d{4})', re.I), re.compile(r'(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])')
EXPORTS = ['customers', 'jobs', 'storage', 'subscriptions', 'audit', 'operation']


class Operator:
    """What one may see, and everything one is told."""

    def __init__(self, world, uid, selector):
        self.world, self.uid, self.selector = world, uid, selector
        self.person = world.house.person(uid)
        self.mine = {n for n, c in world.customers.items() if self.picks(c)}

    def picks(self, customer):
        rows = self.world.rows_of(self.selector)
        return customer['id'] in rows

    @property
    def foreign(self):
        return sorted(set(self.world.customers) - self.mine)

    def look(self, text, what, asked=''):
        """Fails if the text tells of a foreign customer; what was asked for may be said again."""
        if isinstance(text, bytes):
            text = text.decode('utf-8', 'replace')
        told = text.replace(asked, '') if asked else text
        # The record of one's own refused call keeps the id that was given, whether there is anything of that id or not.
        told = re.sub(r'"object":"[0-9a-f]{32}","outcome":"refused","code":"no-such-', '', told)
        words = {int(n) for n in WORD.findall(told)} | {self.world.by_id[i] for i in ID.findall(told) if i in self.world.by_id}
        leaked = words - self.mine
        assert not leaked, (f'seed {self.world.seed}: uid {self.uid} was told of customers {sorted(leaked)[:5]} by {what}', told[:2000])
        self.world.looked += 1
        return words

    def call(self, interface, member, signature, *arguments, asked=''):
        """The reply's values; files become their bytes. A refusal is looked at, too, and given back."""
        try:
            body = self.person.call(interface, member, signature, *arguments, timeout=60)
        except BusError as e:
            self.look(e.message, (interface, member, arguments, 'error'), asked)
            return e
        values = []
        for n, value in enumerate(body):
            if hasattr(value, 'to_file'):
                with value.to_file('rb') as file:
                    value = file.read()
                self.look(flat(value), (interface, member, arguments))
            elif n == 1 and isinstance(value, str):
                # A cursor is base64, in which the word of a customer may stand by chance; what is in it is what it tells.
                self.look(base64.urlsafe_b64decode(value + '=' * (-len(value) % 4)), (interface, member, arguments))
            else:
                self.look(value if isinstance(value, str) else repr(value), (interface, member, arguments), asked)
            values.append(value)
        return values

    def walk(self, interface, member, query, limit=100):
        """All rows of a list, page by page."""
        rows, cursor = [], None
        while True:
            answer = self.call(interface, member, 'a{sv}', {**query, 'limit': ('u', limit)} | ({'cursor': ('s', cursor)} if cursor else {}))
            if isinstance(answer, BusError):
                return answer
            rows += json.loads(answer[0])
            cursor = answer[1]
            if not cursor:
                return rows


def flat(data):
    """The text of a document, whatever kind it is."""
    if data[:4] == b'PK\3\4':
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            return '\n'.join(z.read(name).decode('utf-8', 'replace') for name in z.namelist())
    if data[:5] == b'%PDF-':
        return subprocess.run(['pdftotext', '-raw', '-', '-'], input=data, capture_output=True, timeout=60, check=True).stdout.decode().replace('\u00ad', '')
    return data.decode('utf-8', 'replace')


class World:
    def __init__(self, folder):
        self.seed = int(os.environ.get('TENANTD_SEED', 0)) or secrets.randbelow(10 ** 9) + 1
        self.random = random.Random(self.seed)
        print('seed', self.seed)
        self.looked, self.picked = 0, {}
        self.bus = HouseBus(folder).start()
        self.house = House(folder, self.bus).start()
        self._import(folder)
        self._rows_of_later_parts()
        self._operators()
        self._things()

    def rows_of(self, selector):
        if selector not in self.picked:
            root = self.house.person(0)
            with root.call('Customers', 'Query', 'a{sv}s', {'selector': ('s', selector), 'columns': ('as', ['id'])}, 'jsonl')[0].to_file('rb') as file:
                self.picked[selector] = {json.loads(line)['id'] for line in file}
        return self.picked[selector]

    def _import(self, folder):
        self.customers = {n: {'tags': self.random.sample(TAGS, self.random.randint(1, 3)), 'country': self.random.choice(COUNTRIES)} for n in range(CUSTOMERS)}
        lines = ['organization,registered_account,first_name,last_name,country,phone,tags']
        lines += [f'Müller zq{n:04} & Söhne,zq{n:04}@c{n}.example,Ada zq{n:04},Beta zq{n:04},{c["country"]},+49 zq{n:04},{";".join(c["tags"])}'
                  for n, c in self.customers.items()]
        (folder / 'all.csv').write_text('\n'.join(lines) + '\n')
        with open(folder / 'all.csv', 'rb') as file:
            done = self.house.wait_operation(self.house.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
        assert done['ok'] == CUSTOMERS, done['items'][:1]
        with self.house.call('Customers', 'Query', 'a{sv}s', {'columns': ('as', ['id', 'organization'])}, 'jsonl')[0].to_file('rb') as file:
            for row in map(json.loads, file):
                self.customers[int(WORD.search(row['organization'])[1])]['id'] = row['id']
        self.by_id = {c['id']: n for n, c in self.customers.items()}

    def _rows_of_later_parts(self):
        """Jobs, storage and subscriptions, which nothing makes yet."""
        self.house.stop()
        db = sqlite3.connect(self.house.state / 'tenantd.db')
        keys = {row[1].hex(): row[0] for row in db.execute('SELECT n, id FROM customer')}
        now = time.time_ns() // 1000
        for n, c in self.customers.items():
            key = keys[c['id']]
            for k in range(2):
                db.execute("INSERT INTO job(id, customer, tenant, service, module, type, status, total, external_id, message, start, end, moment)"
                           " VALUES(?,?,?,'cloud-backup-m365','exchange','backup','finished',3,?,?,?,?,?)",
                           (secrets.token_bytes(16), key, f'tenant zq{n:04}', f'job-zq{n:04}-{k}', f'of zq{n:04}', now - 10 ** 9, now, now - k))
            db.execute("INSERT INTO storage_sample(customer, service, module, date, bytes_stored) VALUES(?,'cloud-backup-m365',?,'2026-11-20',?)", (key, f'm zq{n:04}', n))
            db.execute("INSERT INTO subscription(id, customer, service, type, source, seats, state) VALUES(?,?,'cloud-backup-m365','enterprise','pool',5,'active')",
                       (secrets.token_bytes(16), key))
        db.commit()
        db.close()
        self.house.start()

    def _operators(self):
        """One by a selector and an exclusion, the other by what is left of two roles; some customers belong to nobody."""
        first, second, third = (self.random.sample(TAGS, 3) for _ in range(3))
        inside = f'tag in ({", ".join(first)}) and not country = {COUNTRIES[0]}'
        outside = f'registered_account ~ "zq00{self.random.randint(0, 9)}"'
        one = f'({inside}) and not ({outside})'
        pieces = [f'tag in ({", ".join(second)}) and not ({one})', f'country = {self.random.choice(COUNTRIES)} and tag = {third[0]} and not ({one})']
        self.house.call('Access', 'CreateGroup', 'a{sv}a{sv}', {'name': ('s', 'theirs'), 'selector': ('s', pieces[0])}, {})
        self.house.role('one', ['*'], GOLD, selector=inside, exclude=outside)
        self.house.role('two', ['*'], SILVER, selector='group = theirs')
        self.house.role('more', ['*.*'], SILVER, selector=pieces[1])
        self.one = Operator(self, GOLD, one)
        self.two = Operator(self, SILVER, f'({pieces[0]}) or ({pieces[1]})')
        self.operators = [self.one, self.two]
        assert not self.one.mine & self.two.mine and min(len(self.one.mine), len(self.two.mine)) > 5, self.seed
        assert len(self.one.mine | self.two.mine) < CUSTOMERS

    def _things(self):
        """Of root and of both: symbols, pins, views, templates, schedules, operations, reports, mails, and their audit."""
        house, picture = self.house, house_picture(self.house.folder)
        when = {'frequency': ('s', 'daily'), 'start': ('s', '2999-01-01'), 'recipients': ('as', ['ops@msp.example'])}
        self.chosen = chosen = {o: self.random.sample(sorted(o.mine), 4) for o in self.operators}
        for owner, who in ((house.person(0), None), (self.one.person, self.one), (self.two.person, self.two)):
            some = [self.customers[n]['id'] for n in (chosen[who] if who else [x for o in self.operators for x in chosen[o][:2]])]
            mark = who.uid if who else 0
            with open(picture, 'rb') as file:
                owner.call('Customers', 'Edit', 'asa{sv}a{sv}', some[:1], {'symbol': ('h', file)}, {})
            owner.call('Customers', 'Pin', 'asa{sv}a{sv}', some[:1], {}, {})
            word = f'zq{self.by_id[some[0]]:04}'
            owner.call('ReportTemplates', 'Create', 'a{sv}a{sv}', {'name': ('s', f'template {mark}'), 'sections': ('as', ['facts', 'jobs', 'storage', 'subscriptions']),
                                                                   'customers': ('as', some)}, {})
            owner.call('Schedules', 'Create', 'a{sv}a{sv}', {**when, 'export': ('s', 'jobs'), 'customer': ('s', some[0]), 'file_name': ('s', f'{word}.xlsx')}, {})
            schedule = json.loads(owner.call('Schedules', 'Create', 'a{sv}a{sv}', {**when, 'template': ('s', f'template {mark}')}, {})[0])['id']
            owner.call('Schedules', 'Run', 'sa{sv}', schedule, {})
            house.wait_operation(json.loads(owner.call('Customers', 'Edit', 'asa{sv}a{sv}', [], {'last_name': ('s', f'Gamma {mark}')},
                                                       {'selector': ('s', 'organization ~ "zq00" or country = FR')})[0])['id'])
            for identity in some[:2]:
                owner.call('Reports', 'Generate', 'sa{sv}', identity, {'template': ('s', 'monthly'), 'to': ('as', ['ops@msp.example']), 'to_customer': ('b', True)}, timeout=60)
            owner.call('Reports', 'Verify', 'sa{sv}', some[1], {'address': ('s', f'zq{self.by_id[some[1]]:04}@c.example')})
            for fields in ({'phone': ('s', '+1 ' + word)}, {'country': ('s', 'QQ')}):
                try:
                    owner.call('Customers', 'Edit', 'asa{sv}a{sv}', some[:1], fields, {})
                except BusError as e:
                    assert e.kind == 'InvalidArgument'
        wait_until('everything that was begun', lambda: not [t for t in house.json('Tasks', 'List', 'a{sv}', {'limit': ('u', 500)})
                                                             if t['state'] in ('queued', 'running') and t['kind'] != 'courier'], 120)
        # What a list says of a report changes as long as its mails are on their way.
        wait_until('the last mail', lambda: not house.json('Messages', 'List', 'a{sv}', {'selector': ('s', 'state in (queued, sending)')}), 120)
        self.root_operation = next(o for o in house.json('Operations', 'List', 'a{sv}', {'limit': ('u', 500)}) if o['actor']['uid'] == 0 and o['kind'] == 'customer.edit')

    def close(self):
        if self.house.process:
            self.house.stop()
        self.bus.stop()


def house_picture(folder):
    path = folder / 'a.png'
    path.write_bytes(png([bytes(24)] * 8))
    return path


@pytest.fixture(scope='module')
def world():
    path = Path(tempfile.mkdtemp(prefix='tenantd-test-', dir='/var/tmp'))
    path.chmod(0o755)
    world = World(path)
    yield world
    world.close()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=['one', 'two'])
def operator(world, request):
    return getattr(world, request.param)


# ---- selectors ----

def words(world):
    n = world.random.randrange(CUSTOMERS)
    return n, f'zq{n:04}', world.customers[n]['id']


def selector(world, terms, depth=0):
    """A random one; terms makes a term."""
    kind = world.random.choice(['term'] * 2 + ['or', 'and', 'not'] * (depth < 3))
    if kind == 'term':
        return terms(*words(world))
    if kind == 'not':
        return f'not ({selector(world, terms, depth + 1)})'
    return f' {kind} '.join(f'({selector(world, terms, depth + 1)})' for _ in range(world.random.randint(2, 3)))


def of_customers(world):
    pick = world.random.choice
    return lambda n, word, identity: pick([
        f'tag = {pick(TAGS)}', f'tag != {pick(TAGS)}', f'country = {pick(COUNTRIES)}', f'country in ({", ".join(COUNTRIES)})', f'organization ~ "{word[:4]}"',
        f'organization ~ "{word}"', f'id = {identity}', f'registered_account ~ "{word[2:5]}"', f'registered_account = "{word}@c{n}.example"', 'pinned = true', 'pinned = false',
        f'phone = "+49 {word}"', 'group = theirs', 'group != theirs', f'organization > "m"', f'last_name ~ "{word}"', 'state = active', f'created > 2020-01-01', 'status = working'])


def of_rows(world, kind):
    """Rows of customers, and others."""
    pick = world.random.choice
    own = {'operations': ['kind = customer.edit', 'state != running'], 'tasks': ['kind = bulk', 'state = done'], 'reports': ['kind = customers', 'format = pdf', 'bytes > 0'],
           'messages': ['event = report', 'state = delivered'], 'schedules': ['frequency = daily', 'state = active'], 'audit': ['verb = customer.edit', 'outcome = ok', 'n > 3'],
           'report-templates': ['format = pdf'], 'views': ['name ~ "v"'], 'groups': ['name ~ "the"']}[kind]
    named = {'reports', 'schedules'}

    def term(n, word, identity):
        more = [f'customer = {identity}', f'organization ~ "{word}"', f'customer.organization ~ "{word[:4]}"', f'customer.tag = {pick(TAGS)}'] if kind in named else []
        more += [f'object = "{identity}"'] if kind == 'audit' else []
        return pick(own + more)
    return term


LISTS = {'operations': ('Operations', 'List'), 'tasks': ('Tasks', 'List'), 'reports': ('Reports', 'List'), 'messages': ('Messages', 'List'), 'schedules': ('Schedules', 'List'),
         'audit': ('Audit', 'List'), 'report-templates': ('ReportTemplates', 'List'), 'views': ('Views', 'List'), 'groups': ('Access', 'ListGroups')}


# ---- the reads ----

def test_the_union_of_both_views_is_what_each_may_see(world):
    seen = []
    for operator in world.operators:
        rows = operator.walk('Customers', 'List', {'columns': ('as', ['id', 'organization'])}, limit=37)
        assert {world.by_id[r['id']] for r in rows} == operator.mine and len(rows) == len(operator.mine)
        assert operator.call('Customers', 'Count', 'a{sv}', {}) == [len(operator.mine)]
        seen += [world.by_id[r['id']] for r in rows]
    assert len(seen) == len(set(seen)) == len(world.one.mine | world.two.mine)


def test_no_question_about_customers_finds_a_foreign_one(world, operator):
    sorts = ['organization', '-organization', 'created', '-created', 'country', 'tags', 'status', 'pinned', 'id', 'registered_account', '-last_name']
    answered = 0
    for _ in range(60):
        query = {}
        if world.random.random() < 0.9:
            query['selector'] = ('s', selector(world, of_customers(world)))
        if world.random.random() < 0.3:
            query['search'] = ('s', world.random.choice(['zq0', 'MULLER', words(world)[1], 'soh']))
        whole = {**query, 'sort': ('s', world.random.choice(sorts))}
        rows = operator.walk('Customers', 'List', whole, limit=world.random.choice([1, 7, 50, 500]) if len(operator.mine) < 60 else 50)
        if isinstance(rows, BusError):
            assert rows.kind == 'InvalidArgument', (rows, whole)
            continue
        answered += 1
        assert operator.call('Customers', 'Count', 'a{sv}', query) == [len(rows)], query
        lines = operator.call('Customers', 'Query', 'a{sv}s', {**whole, 'columns': ('as', ['id'])}, world.random.choice(['jsonl', 'csv']))[0].decode().split('\n')
        assert [ID.findall(line)[0] for line in lines if ID.findall(line)] == [r['id'] for r in rows], whole
        # It is what an administrator finds of them; but pins are everybody's own.
        if 'pinned' not in query.get('selector', ('s', ''))[1]:
            with world.house.call('Customers', 'Query', 'a{sv}s', {**query, 'columns': ('as', ['id'])}, 'jsonl')[0].to_file('rb') as file:
                everybody = {world.by_id[json.loads(line)['id']] for line in file}
            assert {world.by_id[r['id']] for r in rows} == everybody & operator.mine, (world.seed, query)
    assert answered > 40, world.seed


@pytest.mark.parametrize('kind', LISTS)
def test_no_list_of_anything_tells_of_a_foreign_customer(world, operator, kind):
    interface, member = LISTS[kind]
    rows = operator.walk(interface, member, {})
    assert not isinstance(rows, BusError)
    if kind in ('operations', 'tasks', 'schedules'):
        assert rows                          # of one's own there are some
    answered = 0
    for _ in range(12):
        query = {'selector': ('s', selector(world, of_rows(world, kind)))}
        found = operator.walk(interface, member, query)
        if not isinstance(found, BusError):
            answered += 1
            assert {json.dumps(r, sort_keys=True) for r in found if kind != 'messages'} <= {json.dumps(r, sort_keys=True) for r in operator.walk(interface, member, {})}
            if kind not in ('groups',):
                operator.call(interface, 'Query', 'a{sv}s', query, 'jsonl')
                operator.call(interface, 'Query', 'a{sv}s', query, 'csv')
    assert answered > 4, (kind, world.seed)


def test_events_are_those_of_ones_own(world, operator):
    rows = operator.walk('Manager', 'ListEvents', {})
    assert rows and {r['actor']['uid'] for r in rows} >= {operator.uid}


def test_no_name_brings_a_foreign_customer(world, operator):
    for n in world.random.sample(operator.foreign, 25):
        customer = world.customers[n]
        for name in (customer['id'], customer['id'][:8], customer['id'].upper(), f'zq{n:04}@c{n}.example', f'ZQ{n:04}@C{n}.example', f'Müller zq{n:04} & Söhne', f'zq{n:04}', f'Müller zq{n:04}'):
            for member, signature, more in (('Describe', 's', ()), ('Get', 's', ()), ('GetSymbol', 's', ()), ('Dashboard', 'sa{sv}', ({},)),
                                            ('Disconnect', 'sa{sv}', ({'confirm': ('s', name), 'dry_run': ('b', True)},))):
                answer = operator.call('Customers', member, signature, name, *more, asked=name)
                if isinstance(answer, BusError):
                    assert answer.kind in ('NotFound', 'Ambiguous') or answer.code == 'no-symbol' or answer.code == 'name-differs', answer
    for text in ('zq', 'zq0', 'Müller', 'muller zq', 'e', '000000', 'ffffff'):
        operator.call('Customers', 'Describe', 's', text)


def test_ones_own_are_shown_whole_and_alone(world, operator):
    for n in world.random.sample(sorted(operator.mine), 5):
        customer = world.customers[n]
        shown = json.loads(operator.call('Customers', 'Describe', 's', f'zq{n:04}@c{n}.example')[0])
        assert shown['id'] == customer['id']
        for member in ('Get', 'GetSymbol'):
            operator.call('Customers', member, 's', customer['id'])
        activity = json.loads(operator.call('Customers', 'Dashboard', 'sa{sv}', customer['id'], {'sample': ('b', True)})[0])['panels']['facts']
        assert activity['organization'] == f'Müller zq{n:04} & Söhne'


def test_things_are_found_by_id_only_by_whom_they_are_for(world, operator):
    """Every object there is, asked for by each operator: a foreign one is not there, one's own tells of nobody else."""
    for interface, member in (('Operations', 'List'), ('Tasks', 'List'), ('Reports', 'List'), ('Messages', 'List'), ('Schedules', 'List'), ('ReportTemplates', 'List')):
        own = {r['id'] for r in operator.walk(interface, member, {})}
        for row in world.house.json(interface, member, 'a{sv}', {'limit': ('u', 500)}):
            for how in ('Describe', 'Get'):
                answer = operator.call(interface, how, 's', row['id'])
                assert isinstance(answer, BusError) is (row['id'] not in own) and (row['id'] in own or answer.kind == 'NotFound'), (interface, row)
            if interface == 'Reports':
                answer = operator.call('Reports', 'Save', 's', row['id'])
                assert isinstance(answer, BusError) is (row['id'] not in own)
            if interface == 'Schedules':
                answer = operator.call('Schedules', 'Runs', 'sa{sv}', row['id'], {})
                assert isinstance(answer, BusError) is (row['id'] not in own)


def test_counts_of_groups_are_of_ones_own(world, operator):
    group, = json.loads(operator.call('Access', 'ListGroups', 'a{sv}', {})[0])
    expected = operator.call('Customers', 'Count', 'a{sv}', {'selector': ('s', 'group = theirs')})[0]
    assert group['customers'] == expected and json.loads(operator.call('Access', 'DescribeGroup', 's', 'theirs')[0])['customers'] == expected


@pytest.mark.slow
@pytest.mark.parametrize('form', ['csv', 'json', 'xlsx', 'pdf'])
@pytest.mark.parametrize('kind', EXPORTS)
def test_no_export_holds_a_foreign_customer(world, operator, kind, form):
    fields = {'kind': ('s', kind), 'format': ('s', form), 'all_columns': ('b', True)}
    if kind == 'operation':
        hidden = operator.call('Reports', 'Export', 'a{sv}a{sv}', fields | {'operation': ('s', world.root_operation['id'])}, {})
        assert hidden.kind == 'NotFound'
        own = [o for o in operator.walk('Operations', 'List', {}) if o['kind'] == 'customer.edit'][0]
        fields['operation'] = ('s', own['id'])
    answer = operator.call('Reports', 'Export', 'a{sv}a{sv}', fields, {})
    assert not isinstance(answer, BusError), answer
    if kind != 'operation' and kind != 'audit':
        told = operator.look(flat(answer[1]), (kind, form))
        assert told == operator.mine or form == 'pdf' and told, (kind, form, len(told), len(operator.mine))
        rows = json.loads(answer[0])['rows']
        assert rows == len(operator.mine) * (2 if kind == 'jobs' else 1)
    # A selector that picks the others picks nobody.
    if kind in ('customers', 'jobs', 'storage', 'subscriptions') and form in ('csv', 'json'):
        foreign = world.customers[world.random.choice(operator.foreign)]['id']
        term = f'id = {foreign}' if kind == 'customers' else f'customer = {foreign} or customer.id = {foreign}'
        answer = operator.call('Reports', 'Export', 'a{sv}a{sv}', fields | {'selector': ('s', term)}, {}, asked=foreign)
        assert json.loads(answer[0])['rows'] == 0
        hidden = operator.call('Reports', 'Export', 'a{sv}a{sv}', fields | {'customer': ('s', foreign)}, {}, asked=foreign)
        assert hidden.kind == 'NotFound'


@pytest.mark.parametrize('form', ['pdf', 'xlsx'])
def test_a_report_for_a_customer_tells_of_that_customer(world, operator, form):
    own, foreign = world.random.choice(sorted(operator.mine)), world.random.choice(operator.foreign)
    options = {'template': ('s', 'monthly'), 'format': ('s', form)}
    report = json.loads(operator.call('Reports', 'Generate', 'sa{sv}', world.customers[own]['id'], options)[0])['id']
    wait_until('the report', lambda: not isinstance(operator.call('Reports', 'Describe', 's', report), BusError), 60)
    assert operator.look(flat(operator.call('Reports', 'Save', 's', report)[0]), 'a report') == {own}
    identity = world.customers[foreign]['id']
    assert operator.call('Reports', 'Generate', 'sa{sv}', identity, options, asked=identity).kind == 'NotFound'


def test_signals_tell_of_ones_own(world):
    """Root changes some of both, one by one and many at once."""
    rules = [MatchRule(type='signal', interface=PREFIX + 'Manager', member=m) for m in ('Changed', 'OperationProgress', 'OperationFinished')]
    listeners = {}
    for operator in world.operators:
        person = world.house.person(operator.uid)
        person.call('Manager', 'Subscribe', 'as', [])
        listeners[operator] = person
    for n in world.random.sample(range(CUSTOMERS), 40):
        world.house.call('Customers', 'Edit', 'asa{sv}a{sv}', [world.customers[n]['id']], {'first_name': ('s', f'D zq{n:04}')}, {})
    operation = world.house.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'last_name': ('s', 'E')}, {'selector': ('s', 'state = active')})['id']
    world.house.wait_operation(operation)
    own = json.loads(world.one.person.call('Customers', 'Edit', 'asa{sv}a{sv}', [], {'last_name': ('s', 'F')}, {'selector': ('s', 'state = active')})[0])['id']
    world.house.wait_operation(own)
    last = world.house.json('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', 'the end of it')}, {})['id']             # for everybody to see
    world.house.call('Views', 'Delete', 'sa{sv}', last, {})
    for operator, person in listeners.items():
        heard = []
        while True:
            message = person.connection.receive(timeout=30)
            if not any(rule.matches(message) for rule in rules):
                continue
            operator.look(repr(message.body), 'a signal')
            heard.append(message.body)
            if message.body == ('view', [last]):
                break
        operations = {body[0] for body in heard if ID.fullmatch(body[0])}
        assert operations <= {own} and (operator is not world.one or operations == {own})
        assert not [b for b in heard if b[0] == 'operation' and operation in b[1]]


def test_a_customer_that_moves_is_the_others_from_the_next_call_on(world):
    """Also what was told about it before: items, reports, audit."""
    # One that the operator's own batch has changed. Those that they named themselves stay in the records of what they said.
    n = max(n for n in world.one.mine - set(world.chosen[world.one]) if world.customers[n]['country'] == 'FR')
    tags = json.loads(world.one.person.call('Customers', 'Describe', 's', world.customers[n]['id'])[0])['tags']
    identity = world.customers[n]['id']
    world.house.call('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'tags': ('as', ['elsewhere'])}, {})
    world.one.mine.discard(n)
    try:
        for interface, member in [*LISTS.values(), ('Customers', 'List'), ('Manager', 'ListEvents')]:
            world.one.walk(interface, member, {})
        for row in world.one.walk('Operations', 'List', {}):
            world.one.call('Operations', 'Describe', 's', row['id'])
            world.one.call('Operations', 'Export', 'a{sv}a{sv}', {'operation': ('s', row['id']), 'format': ('s', 'json')}, {})
    finally:
        world.house.call('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'tags': ('as', tags)}, {})
        world.one.mine.add(n)
