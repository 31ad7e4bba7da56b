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
        if salt is not None and hashlib.sha256(salt + part(before) + part(after)).digest() != digest:
            faults.append(f'the values of audit record {n} were changed')
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


def check(state):
    state = Path(state)
    db = sqlite3.connect(state / 'tenantd.db')
    try:
        faults = [f'integrity: {row[0]}' for row in db.execute('PRAGMA integrity_check') if row[0] != 'ok']
        return faults + audit_chain(db) + operations(db) + reports(db, state) + children(db)
    finally:
        db.close()
