# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every string of tests/hostile.txt through every field: refused by name, or back as it was meant, in every output."""
import csv
import io
import json
import os
import unicodedata

import openpyxl
import pytest

import hostile
from conftest import BusError

FIELDS = ('organization', 'registered_account', 'first_name', 'last_name', 'country', 'phone', 'language', 'time_zone', 'cloud', 'account_type',
          'management_mode', 'data_center', 'notification', 'deliveries.billing.profile')


def meant(text):
    return unicodedata.normalize('NFC', text.strip(' \t\r\n\u00a0\u3000')).strip()


def base(i):
    return {k: ('s', v) for k, v in dict(organization=f'Base {i}', registered_account=f'h{i}@x.example', first_name='A', last_name='B', country='DE').items()}


def refusal(e):
    assert e.kind in ('InvalidArgument', 'NotFound', 'Refused', 'Exists', 'Ambiguous', 'LimitExceeded'), e
    assert e.code != 'internal' and len(e.message) < 2000 and all(c >= ' ' or c in '\n\t' for c in e.message), e


def test_every_text_field_of_a_customer(rig):
    i = 0
    for text in hostile.valid():
        for field in FIELDS:
            i += 1
            try:
                answer = rig.json('Customers', 'Onboard', 'a{sv}a{sv}', {**base(i), field: ('s', text)}, {})
            except BusError as e:
                refusal(e)
                continue
            shown = rig.customer(answer['id'])[field]
            assert shown is None or shown == meant(text) or (field in ('country', 'language') and shown.lower() == meant(text).lower()), (field, text)
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


def test_lists_pairs_views_partner_and_selectors(rig):
    identity = rig.onboard('One', 'one@x.example')
    for text in hostile.valid():
        attempts = [
            ('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'tags': ('as', [text])}, {}),
            ('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'custom': ('a{ss}', {text: text})}, {}),
            ('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'contacts': ('aa{ss}', [{'name': text, 'address': 'a@x.example', 'role': 'billing'}])}, {}),
            ('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'deliveries.service_reports.recipients': ('as', [text])}, {}),
            ('Customers', 'Edit', 'asa{sv}a{sv}', [text], {'phone': ('s', '1')}, {}),
            ('Customers', 'Edit', 'asa{sv}a{sv}', [], {'phone': ('s', '1')}, {'selector': ('s', text), 'dry_run': ('b', True)}),
            ('Customers', 'List', 'a{sv}', {'selector': ('s', text)}), ('Customers', 'List', 'a{sv}', {'search': ('s', text)}),
            ('Customers', 'List', 'a{sv}', {'sort': ('s', text)}), ('Customers', 'List', 'a{sv}', {'cursor': ('s', text)}),
            ('Customers', 'Describe', 's', text), ('Views', 'Save', 'a{sv}a{sv}', {'name': ('s', text)}, {}),
            ('Partner', 'Set', 'sa{sv}', '', {'name': ('s', text)}), ('Partner', 'Set', 'sa{sv}', '', {'sender': ('s', text)}),
            ('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', 'csv'), 'file_name': ('s', text)}, {})]
        for interface, member, signature, *args in attempts:
            try:
                reply = rig.call(interface, member, signature, *args)
            except BusError as e:
                refusal(e)
                continue
            if member == 'Export':
                os.close(reply[1].to_raw_fd())
                assert '/' not in json.loads(reply[0])['file_name']
        shown = rig.customer(identity)
        assert all(t == meant(t) for t in shown['tags'])


def outputs(rig):
    found = {}
    for kind in ('json', 'csv', 'xlsx'):
        _, fd = rig.call('Reports', 'Export', 'a{sv}a{sv}', {'kind': ('s', 'customers'), 'format': ('s', kind), 'sort': ('s', 'created'),
                                                            'columns': ('as', ['organization', 'registered_account', 'created'])}, {}, timeout=120)
        with os.fdopen(fd.to_raw_fd(), 'rb') as file:
            found[kind] = file.read()
    return found


def test_every_output_holds_what_was_meant_and_nothing_that_acts(rig):
    names = []
    for i, text in enumerate(hostile.valid()):
        try:
            rig.json('Customers', 'Onboard', 'a{sv}a{sv}', {**base(i), 'organization': ('s', text)}, {})
        except BusError as e:
            refusal(e)
            continue
        names.append(meant(text))
    assert len(names) > 60
    found = outputs(rig)
    assert [r['organization'] for r in json.loads(found['json'])] == names
    rows = list(csv.reader(io.StringIO(found['csv'].decode('utf-8-sig'), newline='')))[1:]
    assert not any(cell[:1] in '=+-@\t\r' for row in rows for cell in row if cell)
    cells = list(openpyxl.load_workbook(io.BytesIO(found['xlsx'])).active.iter_rows(min_row=2))
    assert all(c.data_type != 'f' for row in cells for c in row)
    assert [row[0].value.replace('_x005F_', '_') for row in cells] == names
    path = rig.folder / 'again.csv'
    path.write_bytes(found['csv'])
    with open(path, 'rb') as file:
        again = rig.wait_operation(rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {})['id'])
    assert {i['reason'] for i in again['items']} == {'exists'}, [i for i in again['items'] if i['reason'] != 'exists'][:3]
    printed = rig.ctl('customer', 'list', '--columns', 'organization,registered_account').stdout
    assert all(c == '\n' or (c >= ' ' and not '\x7f' <= c < '\xa0' and c not in '\u2028\u2029\u202e') for c in printed)


def test_bytes_that_are_no_text_come_in_by_file_only_and_fail(rig):
    for raw in hostile.strings():
        path = rig.folder / 'raw.csv'
        path.write_bytes(b'organization,registered_account,account_type\n"' + raw.replace(b'"', b'""') + b'",r@x.example,m365\n')
        try:
            with open(path, 'rb') as file:
                answer = rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, {}, {'dry_run': ('b', True)})
        except BusError as e:
            refusal(e)
            continue
        assert answer['count'] == 1
