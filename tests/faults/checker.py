# SPDX-License-Identifier: LGPL-2.1-or-later
"""An independent look at a database that no daemon has open: it shares no code with the daemon.

check(state) returns a list of sentences about what is wrong; [] is a sound state directory.
"""
import hashlib
import json
import sqlite3
import struct
from pathlib import Path


def part(value):
    if value is None:
        return struct.pack('<q', -1)
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack('<q', len(data)) + data


def audit_chain(db):
    faults, chain, expected = [], bytes(32), None
    rows = db.execute('''SELECT a.n, format, time, uid, user, behalf, verb, object, outcome, code, request_id, operation, digest, chain,
                         v.salt, v.before, v.after FROM audit a LEFT JOIN audit_value v ON v.audit = a.n ORDER BY a.n''')
    for n, form, time, uid, user, behalf, verb, obj, outcome, code, request, operation, digest, link, salt, before, after in rows:
        if expected is not None and n != expected:
            faults.append(f'audit record {expected} is missing')
        expected = n + 1
        header = struct.pack('<qqqq', form, n, time, uid) + b''.join(part(x) for x in (user, behalf, verb, obj, outcome, code, request, operation))
        chain = hashlib.sha256(chain + header + digest).digest()
        if chain != link:
            faults.append(f'audit record {n} breaks the chain')
            chain = link
        # A seal, which only the key can judge, stands for what was erased.
        erased = salt is not None and len(salt) == 32 and before is None and after is None
        if not erased and hashlib.sha256((salt or bytes(16)) + part(before) + part(after)).digest() != digest:
            faults.append(f'the values of audit record {n} are not what was written')
    return faults


def operations(db):
    faults = []
    for n, identity, state, done, total, ok, refused, failed, canceled in db.execute(
            'SELECT n, hex(id), state, done, total, ok, refused, failed, canceled FROM operation'):
        outcomes = dict(db.execute('SELECT outcome, count(*) FROM operation_item WHERE operation = ? GROUP BY outcome', (n,)))
        if (outcomes.get('ok', 0), outcomes.get('refused', 0), outcomes.get('failed', 0)) != (ok, refused, failed):
            faults.append(f'operation {identity}: its counts {ok}/{refused}/{failed} are not those of its items {outcomes}')
        if state != 'running' and done != total:
            faults.append(f'operation {identity} is {state} with {done} of {total}')
        audited = db.execute("SELECT count(*) FROM audit WHERE hex(operation) = ?", (identity,)).fetchone()[0]
        if audited != sum(outcomes.values()):
            faults.append(f'operation {identity}: {sum(outcomes.values())} items, {audited} audit records')
    return faults


def reports(db, state):
    faults, known = [], set()
    for identity, path, size, digest in db.execute('SELECT hex(id), path, bytes, sha256 FROM report'):
        file = state / path
        known.add(file.name)
        if not file.is_file():
            faults.append(f'report {identity}: {path} is gone')
        elif file.stat().st_size != size or hashlib.sha256(file.read_bytes()).digest() != digest:
            faults.append(f'report {identity}: {path} is not what was written')
    if db.execute('SELECT count(*) - count(DISTINCT task) FROM report WHERE task IS NOT NULL').fetchone()[0]:
        faults.append('a task made two reports')
    return faults


def children(db):
    faults = []
    for n, tags, custom in db.execute('SELECT n, tags, custom FROM customer'):
        found = sorted(t for t, in db.execute('SELECT tag FROM customer_tag WHERE customer = ?', (n,)))
        if found != sorted(json.loads(tags)):
            faults.append(f'customer {n}: tags {tags} but rows {found}')
        if dict(db.execute('SELECT name, value FROM customer_custom WHERE customer = ?', (n,))) != json.loads(custom):
            faults.append(f'customer {n}: custom fields differ from their rows')
    wrong = db.execute('''SELECT count(*) FROM customer_tag t LEFT JOIN customer c ON c.n = t.customer
                          WHERE c.n IS NULL OR c.organization <> t.organization OR c.id <> t.id''').fetchone()[0]
    if wrong:
        faults.append(f'{wrong} tag rows belong to nobody or to another name')
    computed = db.execute("SELECT count(*) FROM customer WHERE status <> 'not-applicable' OR services <> '[]' OR open_tickets <> 0").fetchone()[0]
    if computed:
        faults.append(f'{computed} customers have computed columns that their inputs do not give')
    return faults


COLUMNS = {'deliveries.billing.enabled': 'billing_enabled', 'deliveries.billing.recipients': 'billing_recipients', 'deliveries.billing.profile': 'billing_profile',
           'deliveries.service_reports.enabled': 'service_reports_enabled', 'deliveries.service_reports.recipients': 'service_reports_recipients'}
LISTS = {'tags', 'contacts', 'custom', 'symbol', 'billing_recipients', 'service_reports_recipients'}
CHANGES = {'customer.onboard', 'customer.edit', 'customer.mode', 'customer.hide-expired', 'customer.show-expired', 'customer.import', 'operation.revert',
           'customer.disconnect', 'customer.reconnect'}


def stored(column, value):
    """A column as the audit shows it."""
    if column in LISTS:
        return json.loads(value) if value is not None else None
    if column.endswith('_enabled') or column == 'expired_hidden':
        return bool(value)
    return (value or None) if column == 'country' else value


def replayed(db):
    """What the audit says was done, done again: it must give the customers that are there, each change counted once."""
    faults, made = [], {}
    db.row_factory = sqlite3.Row
    erased = {row[0] for row in db.execute('SELECT lower(hex(id)) FROM erasure')}
    for row in db.execute("SELECT verb, object, after, before FROM audit LEFT JOIN audit_value ON audit = n WHERE outcome = 'ok' ORDER BY n"):
        if row['verb'] not in CHANGES or row['after'] is None or row['object'] in erased:
            continue
        after = json.loads(row['after'])
        if row['object'] not in made:
            if row['before'] is not None:
                faults.append(f"{row['object']} was changed before it was made")
            made[row['object']] = [1, after]
        elif after:
            made[row['object']][0] += 1
            made[row['object']][1].update(after)
    for row in db.execute('SELECT *, lower(hex(id)) AS name FROM customer'):
        revision, fields = made.pop(row['name'], (0, {}))
        if revision != row['revision']:
            faults.append(f"customer {row['name']} has revision {row['revision']}, but was changed {revision} times")
        for key, value in fields.items():
            column = COLUMNS.get(key, key)
            if stored(column, row[column]) != value:
                faults.append(f"customer {row['name']}: {key} is {row[column]!r}, the audit says {value!r}")
    db.row_factory = None
    return faults + [f'customer {name} was made and is gone' for name in made]


def work(db):
    faults = []
    for what, sql in [('a customer had two items of one operation', "SELECT count(*) FROM (SELECT 1 FROM operation_item WHERE customer IS NOT NULL AND outcome = 'ok'"
                                                                    " AND reason IS NULL GROUP BY operation, customer HAVING count(*) > 1)"),
                      ('an operation runs that no task works on', "SELECT count(*) FROM operation o WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM task t"
                                                                  " WHERE t.operation = o.n AND t.state IN ('queued', 'running', 'waiting'))"),
                      ('an operation is over that a task still works on', "SELECT count(*) FROM operation o JOIN task t ON t.operation = o.n WHERE o.state <> 'running'"
                                                                          " AND t.state IN ('queued', 'waiting')"),
                      ('an export is done without its report', "SELECT count(*) FROM task t WHERE kind = 'export' AND state = 'done' AND NOT EXISTS"
                                                               " (SELECT 1 FROM report r WHERE r.task = t.n)"),
                      ('a request was remembered that left no audit record', "SELECT count(*) FROM request r WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE"
                                                                             " a.request_id = r.id AND a.verb = r.method)"),
                      ('a request was done that is not remembered', "SELECT count(*) FROM audit a WHERE outcome = 'ok' AND request_id IS NOT NULL AND NOT EXISTS"
                                                                    " (SELECT 1 FROM request r WHERE r.id = a.request_id AND r.method = a.verb)")]:
        n = db.execute(sql).fetchone()[0]
        if n:
            faults.append(f'{what} ({n})')
    return faults


def spooled(db, state):
    wanted = {json.loads(a)['spool'] for a, in db.execute("SELECT arguments FROM operation WHERE state = 'running' AND kind = 'customer.import'")}
    there = {f'spool/{p.name}' for p in (state / 'spool').iterdir()}
    return [f'{name} is gone' for name in wanted - there]


def check(state):
    state = Path(state)
    db = sqlite3.connect(state / 'tenantd.db')
    try:
        faults = [f'integrity: {row[0]}' for row in db.execute('PRAGMA integrity_check') if row[0] != 'ok']
        return faults + audit_chain(db) + operations(db) + reports(db, state) + children(db) + replayed(db) + work(db) + spooled(db, state)
    finally:
        db.close()
