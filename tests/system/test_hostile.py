# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every string of tests/hostile.txt through every field: refused by the field's name, or kept as it was meant and found
again in every output. What is meant, which strings a text refuses and what a search finds is decided here a second time,
by Python's Unicode tables and not by tenantd's."""
import csv
import io
import json
import os
import re
import shutil
import tempfile
import unicodedata
from pathlib import Path

import openpyxl
import pytest

import hostile
from conftest import BusError, PrivateBus, Rig

STRINGS = hostile.valid()
BLANKS = ''.join(c for c in map(chr, range(0x110000)) if unicodedata.category(c) == 'Zs')
FILLERS = '\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0'
LIMITS = {'organization': 200, 'first_name': 100, 'last_name': 100, 'phone': 50}
WORDS = ('registered_account', 'country', 'language', 'time_zone', 'cloud', 'account_type', 'management_mode', 'data_center', 'notification',
         'deliveries.billing.profile', 'email')
ACTING = '=+-@\t\r'
together = pytest.mark.xdist_group('hostile')


# ---- the second opinion ----

def meant(text):
    return unicodedata.normalize('NFC', text.strip(BLANKS))


def is_noncharacter(c):
    return 0xfdd0 <= ord(c) <= 0xfdef or ord(c) & 0xfffe == 0xfffe


def is_refused(c):
    return unicodedata.category(c) in ('Cc', 'Zl', 'Zp') or '\u202a' <= c <= '\u202e' or '\u2066' <= c <= '\u2069' or is_noncharacter(c)


def takes(text, limit, least=1):
    """True, False, or None where the contract leaves it open: a text of nothing but marks and the like."""
    text = meant(text)
    if any(map(is_refused, text)) or not least <= len(text) <= limit:
        return False
    if least == 0 or any(unicodedata.category(c)[0] in 'LNPS' and c not in FILLERS for c in text):
        return True
    return False if all(unicodedata.category(c) in ('Zs', 'Cf') or c in FILLERS for c in text) else None


def key(text):
    text = ''.join(c for c in unicodedata.normalize('NFD', text) if not '\u0300' <= c <= '\u036f')
    return unicodedata.normalize('NFC', text).casefold().replace('\u0131', 'i')


def in_csv(text):
    return "'" + text if text.lstrip("'")[:1] in tuple(ACTING) else text


def in_excel(text):
    """What Excel shows for a string of a workbook: _xHHHH_ is a character there."""
    return re.sub('_x([0-9A-Fa-f]{4})_', lambda m: chr(int(m[1], 16)), text)


# ---- how to ask ----

def attempt(rig, field, interface, member, signature, *arguments):
    """The reply, or None if it was refused as a refusal has to be. field None: what is named is looked for, not judged."""
    try:
        return rig.call(interface, member, signature, *arguments, timeout=120)
    except BusError as e:
        assert e.kind in ('InvalidArgument', 'NotFound', 'Refused', 'Exists', 'Ambiguous'), e
        assert e.code != 'internal' and len(e.message) < 2000 and all(c in '\n\t' or not is_refused(c) for c in e.message), e
        # The library that reads messages refuses noncharacters, and does not say where.
        assert field is None or e.code == 'noncharacter' or f'\nfield: {field}' in e.message, (field, e)
        return None


def edit(rig, identity, name, value, field=None):
    return attempt(rig, field or name, 'Customers', 'Edit', 'asa{sv}a{sv}', [identity], {name: value}, {})


def agrees(reply, verdict, what):
    assert verdict is None or (reply is not None) == verdict, (what, verdict)
    return reply is not None


def base(i):
    return {k: ('s', v) for k, v in dict(organization=f'Base {i}', registered_account=f'h{i}@x.example', first_name='A', last_name='B', country='DE').items()}


@pytest.fixture(scope='module')
def world():
    """A daemon of this module's own, because what told() puts into it takes a while and is only read."""
    folder = Path(tempfile.mkdtemp(prefix='tenantd-test-', dir='/var/tmp'))
    folder.chmod(0o755)
    bus = PrivateBus(folder).start()
    rig = Rig(folder, bus).start()
    yield rig
    rig.stop()
    bus.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope='module')
def told(world):
    """A customer for every string, with the string in whatever takes it: [(id, what it must show), …]."""
    rig, told = world, []
    for i, text in enumerate(STRINGS):
        identity = json.loads(rig.call('Customers', 'Onboard', 'a{sv}a{sv}', base(i), {})[0])['id']
        shown = {'organization': f'Base {i}', 'first_name': 'A', 'last_name': 'B', 'phone': None, 'tags': [], 'custom': {}, 'contacts': []}
        for name, limit in LIMITS.items():
            if agrees(edit(rig, identity, name, ('s', text)), takes(text, limit), (name, text)):
                shown[name] = meant(text)
        if agrees(edit(rig, identity, 'tags', ('as', [text])), takes(text, 64) and not set(text) & set(',;'), ('tags', text)):
            shown['tags'] = [meant(text)]
        if agrees(edit(rig, identity, 'custom', ('a{ss}', {text: 'v', 'k': 'w'})), takes(text, 64), ('custom key', text)):
            shown['custom'] = {meant(text): 'v', 'k': 'w'}
        if takes(text, 1000, 0) and agrees(edit(rig, identity, 'custom', ('a{ss}', {**shown['custom'], 'value': text})), True, ('custom value', text)):
            shown['custom'] = {**shown['custom'], 'value': meant(text)}
        else:
            agrees(edit(rig, identity, 'custom', ('a{ss}', {'value': text})), takes(text, 1000, 0), ('custom value', text))
        contact = {'name': text, 'address': 'a@x.example', 'role': 'billing'}
        if agrees(edit(rig, identity, 'contacts', ('aa{ss}', [contact])), takes(text, 200, 0) and (not text or takes(text, 200)), ('contact', text)):
            shown['contacts'] = [{**contact, 'name': meant(text) or None, 'language': None}]
        told.append((identity, shown))
    assert sum(s['organization'] != f'Base {i}' for i, (_, s) in enumerate(told)) > 90
    return told


def cut(shown, row):
    return {k: row[k] for k in shown}


# ---- kept ----

@together
def test_what_is_kept_is_what_was_meant_in_every_answer(world, told):
    rig = world
    typed = {'organization': 's', 'first_name': 's', 'last_name': 's', 'phone': 's', 'tags': 'as', 'custom': 'a{ss}', 'contacts': 'aa{ss}'}
    for identity, shown in told:
        assert cut(shown, rig.customer(identity)) == shown
        got = rig.call('Customers', 'Get', 's', identity)[0]
        plain = [{k: v for k, v in c.items() if v is not None} for c in shown['contacts']]
        assert {k: got[k] for k in shown if k in got} == {k: (typed[k], plain if k == 'contacts' else shown[k]) for k in shown if shown[k] is not None}
    wanted = [shown for _, shown in told]
    query = {'sort': ('s', 'created'), 'columns': ('as', list(wanted[0]))}
    rows, cursor = [], ''
    while not rows or cursor:
        page, cursor = rig.call('Customers', 'List', 'a{sv}', {**query, 'limit': ('u', 50), 'cursor': ('s', cursor)})
        rows += json.loads(page)
    assert sorted(rows, key=str) == sorted(wanted, key=str)
    for name, read in (('jsonl', lambda text: [json.loads(line) for line in text.split('\n') if line]), ('csv', None)):
        with os.fdopen(rig.call('Customers', 'Query', 'a{sv}s', query, name)[0].to_raw_fd(), 'rb') as file:
            text = file.read().decode()
        assert read is None or sorted(read(text), key=str) == sorted(wanted, key=str)
    cells = list(csv.reader(io.StringIO(text, newline='')))[1:]
    assert sorted(c[0] for c in cells) == sorted(in_csv(s['organization']) for s in wanted)
    printed = json.loads(rig.ctl('customer', 'list', '--json', '--columns', ','.join(wanted[0])).stdout)
    assert sorted(printed, key=str) == sorted(wanted, key=str)
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


@together
def test_text_on_a_terminal_is_one_row_a_line_and_acts_on_nothing(world, told):
    rig = world
    done = rig.ctl('customer', 'list', '--columns', 'organization,first_name,phone,tags,custom,contacts')
    assert done.returncode == 0 and len(done.stdout.split('\n')) == len(told) + 2
    for identity, shown in told[::25]:
        block = rig.ctl('customer', 'show', identity)
        assert len(block.stdout.split('\n')) == len(rig.customer(identity)) + 1
        assert json.loads(rig.ctl('customer', 'show', identity, '--json').stdout)['organization'] == shown['organization']
        done.stdout += block.stdout + rig.ctl('customer', 'dashboard', identity).stdout
    done.stdout += rig.ctl('audit', 'list').stdout
    assert all(c == '\n' or not is_refused(c) for c in done.stdout)


@together
def test_every_export_holds_what_was_meant_and_nothing_that_acts(world, told):
    rig = world
    columns = ['organization', 'registered_account', 'first_name', 'last_name', 'country', 'phone', 'tags']
    found = {}
    for kind in ('json', 'csv', 'xlsx'):
        fields = {'kind': ('s', 'customers'), 'format': ('s', kind), 'columns': ('as', columns), 'sort': ('s', 'registered_account')}
        with os.fdopen(rig.call('Reports', 'Export', 'a{sv}a{sv}', fields, {}, timeout=120)[1].to_raw_fd(), 'rb') as file:
            found[kind] = file.read()
    wanted = {f'h{i}@x.example': {**{k: v for k, v in shown.items() if k in columns}, 'registered_account': f'h{i}@x.example', 'country': 'DE'}
              for i, (_, shown) in enumerate(told)}
    rows = json.loads(found['json'])
    assert {r['registered_account']: r for r in rows} == wanted
    text = lambda v: ';'.join(v) if isinstance(v, list) else v or ''
    lines = list(csv.reader(io.StringIO(found['csv'].decode('utf-8-sig'), newline='')))
    assert lines[0] == columns
    assert lines[1:] == [[in_csv(text(r[c])) for c in columns] for r in rows]
    assert not any(cell[:1] in tuple(ACTING) for line in lines for cell in line)
    cells = list(openpyxl.load_workbook(io.BytesIO(found['xlsx'])).active.iter_rows(min_row=2))
    assert all(c.data_type != 'f' and (c.value is None or isinstance(c.value, str)) for row in cells for c in row)
    # A list is told in a cell as people write it.
    assert [[in_excel(c.value or '') for c in row[:6]] for row in cells] == [[text(r[c]) for c in columns[:6]] for r in rows]
    assert [in_excel(row[6].value or '') for row in cells] == [', '.join(r['tags']) for r in rows]
    path = rig.folder / 'again.csv'
    path.write_bytes(found['csv'])
    with open(path, 'rb') as file:
        again = rig.wait_operation(rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
    assert {i['reason'] for i in again['items']} == {'exists'}, [i for i in again['items'] if i['reason'] != 'exists'][:3]


# ---- found ----

@together
def test_searches_and_selectors_find_what_the_rules_say(world, told):
    rig = world
    names = {identity: shown['organization'] for identity, shown in told}

    def found(**query):
        reply = attempt(rig, next(iter(query)), 'Customers', 'List', 'a{sv}', {**{k: ('s', v) for k, v in query.items()}, 'columns': ('as', ['id']), 'limit': ('u', 500)})
        return reply and {r['id'] for r in json.loads(reply[0])}

    quoted = lambda text: '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'
    for text in STRINGS:
        if any(map(is_noncharacter, text)):
            continue
        hits = found(search=text)
        if hits is not None and text.strip(BLANKS + '\t\r\n') != '':
            assert hits == {i for i, name in names.items() if key(text) in key(name)}, text
        exact = unicodedata.normalize('NFC', text)
        hits = found(selector=f'organization = {quoted(text)}')
        assert hits is None or hits == {i for i, name in names.items() if name == exact}, text
        hits = found(selector=f'organization ~ {quoted(text)}')
        assert hits is None or hits == {i for i, name in names.items() if key(text) in key(name)}, text
        hits = found(selector=f'not tag = {quoted(text)}')
        assert hits is None or hits == {i for i, shown in told if exact not in shown['tags']}, text


# ---- words, names and what is only looked for ----

def test_words_are_refused_by_name_or_kept(rig):
    for i, text in enumerate(STRINGS):
        for field in WORDS:
            fields = {**base(f'{i}-{field}'), field: ('s', text)}
            reply = attempt(rig, field, 'Customers', 'Onboard', 'a{sv}a{sv}', fields, {})
            if reply:
                shown = rig.customer(json.loads(reply[0])['id'])
                assert field == 'email' or shown[field].lower() == meant(text).lower(), (field, text)
    identity = rig.onboard('One', 'one@x.example')
    contact = {'name': 'N', 'address': 'a@x.example', 'role': 'billing'}
    for text in STRINGS:
        for part in ('address', 'language', 'role'):
            edit(rig, identity, 'contacts', ('aa{ss}', [{**contact, part: text}]))
        for kind in ('billing', 'service_reports'):
            edit(rig, identity, f'deliveries.{kind}.recipients', ('as', [text]))
        edit(rig, identity, 'clear', ('as', [text]))
        # A key that is not known is named itself, as far as it can be shown.
        attempt(rig, None, 'Customers', 'Edit', 'asa{sv}a{sv}', [identity], {text or 'x': ('s', '1')}, {})
    assert rig.customer(identity)['organization'] == 'One'


def test_names_of_views_files_and_the_partner(rig):
    saved = set()
    for text in STRINGS:
        reply = attempt(rig, 'name', 'Views', 'Save', 'a{sv}a{sv}', {'name': ('s', text)}, {})
        if agrees(reply, takes(text, 200) and meant(text) not in saved, ('view', text)):
            saved.add(meant(text))
            assert rig.json('Views', 'Describe', 's', text)['name'] == meant(text)
            assert rig.json('Views', 'Describe', 's', json.loads(reply[0])['id'])['name'] == meant(text)
        if agrees(attempt(rig, 'name', 'Partner', 'Set', 'sa{sv}', '', {'name': ('s', text)}), takes(text, 200), ('partner', text)):
            assert rig.json('Partner', 'Describe', 's', '')['name'] == meant(text)
        for field in ('account', 'sender', 'language', 'time_zone', 'currency'):
            attempt(rig, field, 'Partner', 'Set', 'sa{sv}', '', {field: ('s', text)})
        for option in ('request_id', 'on_behalf_of'):
            attempt(rig, option, 'Partner', 'Set', 'sa{sv}', '', {option: ('s', text)})
        taken = takes(text, 200) and len(meant(text).encode()) <= 200 and '/' not in text and not meant(text).startswith('.')
        fields = {'kind': ('s', 'audit'), 'format': ('s', 'csv'), 'selector': ('s', 'n = 1'), 'file_name': ('s', text)}
        reply = attempt(rig, 'file_name', 'Reports', 'Export', 'a{sv}a{sv}', fields, {})
        if agrees(reply, taken, ('file name', text)):
            os.close(reply[1].to_raw_fd())
            assert json.loads(reply[0])['file_name'] == meant(text)
    assert {v['name'] for v in json.loads(rig.ctl('view', 'list', '--json').stdout)} == saved and len(saved) > 90
    assert len(rig.ctl('view', 'list').stdout.split('\n')) == len(saved) + 2
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


@pytest.mark.slow
def test_what_is_only_looked_for(rig):
    identity = rig.onboard('One', 'one@x.example')
    for text in STRINGS:
        for query in ('selector', 'search', 'sort', 'cursor', 'view'):
            for interface in ('Customers', 'Views', 'Audit'):
                attempt(rig, query, interface, 'List', 'a{sv}', {query: ('s', text)})
        attempt(rig, 'columns', 'Customers', 'List', 'a{sv}', {'columns': ('as', [text])})
        attempt(rig, 'format', 'Customers', 'Query', 'a{sv}s', {'limit': ('u', 1)}, text)
        attempt(rig, 'selector', 'Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', text), 'dry_run': ('b', True)})
        for interface in ('Customers', 'Views', 'Operations', 'Tasks', 'Reports'):
            attempt(rig, None, interface, 'Describe', 's', text)
        attempt(rig, None, 'Customers', 'Edit', 'asa{sv}a{sv}', [text], {'phone': ('s', '1')}, {})
        attempt(rig, 'confirm' if text.strip(BLANKS) else None, 'Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', text)})
    assert rig.customer(identity)['state'] == 'active'


@pytest.mark.slow
def test_files_with_anything_in_them_are_refused_or_told_line_by_line(rig):
    path = rig.folder / 'raw.csv'
    for i, raw in enumerate(hostile.strings()):
        quoted = b'"' + raw.replace(b'"', b'""') + b'"'
        for header, line in ((b'organization,registered_account,account_type,notes', quoted + b',r%d@x.example,m365,x' % i),
                             (b'organization,registered_account,account_type,' + quoted, b'Of a header,%s,m365,x' % quoted)):
            path.write_bytes(header + b'\n' + line + b'\n')
            for options in ({'dry_run': ('b', True)}, {}):
                with open(path, 'rb') as file:
                    reply = attempt(rig, None, 'Customers', 'Import', 'ha{sv}a{sv}', file, {}, options)
                if reply and not options:
                    items = rig.wait_operation(json.loads(reply[0])['id'])['items']
                    assert len(items) == 1 and (items[0]['outcome'] == 'ok' or items[0]['message']), items
                elif reply:
                    assert json.loads(reply[0])['count'] == 1
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
