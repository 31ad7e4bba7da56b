# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports and imports: what comes out is what went in."""
import csv
import hashlib
import io
import json
import os
import sqlite3
import struct
import subprocess
import zlib
from random import Random

import openpyxl
import pytest
from jeepney import DBusAddress, new_method_call

import pictures
from conftest import NAME, PATH, PREFIX, TOP, BusError, Client, wait_until


def import_file(rig, data, fields=None, timeout=120, **options):
    path = rig.folder / 'import.csv'
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with open(path, 'rb') as file:
        return rig.json('Customers', 'Import', 'ha{sv}a{sv}', file, fields or {}, options, timeout=timeout)


def imported(rig, data, fields=None):
    return rig.wait_operation(import_file(rig, data, fields)['id'])


def export(rig, **fields):
    typed = {'columns': 'as', 'all_columns': 'b', 'no_bom': 'b'}
    answer, fd = rig.call('Reports', 'Export', 'a{sv}a{sv}', {k: (typed.get(k, 's'), v) for k, v in fields.items()}, {})
    with os.fdopen(fd.to_raw_fd(), 'rb') as file:
        data = file.read()
    answer = json.loads(answer)
    assert answer['bytes'] == len(data) and answer['sha256'] == hashlib.sha256(data).hexdigest()
    return answer, data


HEADER = 'organization,registered_account,account_type,first_name,last_name,country,phone,tags\r\n'


def test_the_shipped_list_imports_with_its_two_wrong_lines(rig):
    data = (TOP / 'examples' / 'customers.csv').read_bytes()
    dry = import_file(rig, data, dry_run=('b', True))
    assert (dry['count'], dry['refused']) == (225, 2)
    assert json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0]) == []
    done = imported(rig, data)
    assert (done['state'], done['ok'], done['refused']) == ('partially-failed', 223, 2)
    assert [(i['line'], i['reason']) for i in done['items'] if i['outcome'] == 'refused'] == [(34, 'missing'), (175, 'failed')]
    again = imported(rig, data)
    assert {i['reason'] for i in again['items'] if i['outcome'] == 'ok'} == {'exists'}
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'


@pytest.mark.slow
def test_a_dry_run_of_more_refusals_than_the_bus_can_carry(rig):
    """A wrong header refuses every line. The bus drops who sends more than 32 MiB."""
    answer = import_file(rig, 'organization\n' + 'x\n' * 150000, dry_run=('b', True))
    assert (answer['count'], answer['refused']) == (150000, 150000)
    assert 1000 < len(answer['items']) < 150000 and 'more refusals' in answer['note']
    assert json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0]) == []


def test_differing_lines_need_update(rig):
    rig.onboard('One', 'a@x.example')
    line = HEADER + 'One,A@X.example,local,Ada,Example,AT,,gold\r\n'
    done = imported(rig, line)
    assert [(i['outcome'], i['reason']) for i in done['items']] == [('refused', 'already-managed')] and 'country' in done['items'][0]['message']
    done = imported(rig, line, {'update': ('b', True)})
    assert done['state'] == 'finished' and rig.customer('One')['country'] == 'AT' and rig.customer('One')['tags'] == ['gold']
    assert rig.customer('One')['registered_account'] == 'a@x.example'


@pytest.mark.parametrize('name, mapping, fixed, expected', [
    ('partner-center.csv', {'organization': 'Company name', 'registered_account': 'Primary contact email', 'country': 'Country/region'}, {'account_type': 'm365'}, 10),
    ('elements-export.csv', {'registered_account': 'Registered account', 'country': 'Country or region', 'tags': 'Tag'}, {'account_type': 'm365'}, 10),
    ('psa-companies.csv', {'organization': 'Company Name', 'registered_account': 'Contact Email', 'first_name': 'Contact First Name',
                           'last_name': 'Contact Last Name', 'phone': 'Main Phone', 'country': 'Country'}, {}, 10)])
def test_lists_of_other_products_import_by_mapping(rig, name, mapping, fixed, expected):
    row = import_file(rig, (TOP / 'examples' / name).read_bytes(), {'map': ('a{ss}', mapping), 'set': ('a{ss}', fixed)})
    assert 'ignored' in row['warnings'][0]
    assert rig.wait_operation(row['id'])['ok'] == expected


@pytest.mark.parametrize('data, code', [
    (HEADER + '"One,a@x.example\r\n', 'bad-quoting'), (HEADER.encode() + b'M\xfcller,a@x.example\r\n', 'not-utf8'), (b'', 'empty-file'),
    ('organization,organization\r\nA,B\r\n', 'doubled-header'), (','.join('c%d' % i for i in range(10000)) + '\r\n', 'too-many-columns')])
def test_bad_files_are_refused_before_anything_is_written(rig, data, code):
    with pytest.raises(BusError) as e:
        import_file(rig, data)
    assert (e.value.kind, e.value.code) == ('InvalidArgument', code)
    assert json.loads(rig.call('Operations', 'List', 'a{sv}', {})[0]) == []
    assert [r['outcome'] for r in json.loads(rig.call('Audit', 'List', 'a{sv}', {})[0])] == ['refused']


def test_every_other_fault_fails_its_own_line(rig):
    body = ('Good,good@x.example,local,A,B,DE,,\n'
            'Twice,GOOD@x.example,local,A,B,DE,,\n'
            'Surplus,s@x.example,local,A,B,DE,,,more\n'
            'Bidi\u202e,b@x.example,local,A,B,DE,,\n'
            '\n'
            '"Two\nlines",t@x.example,local,A,B,DE,,\n'
            'Short,short@x.example,m365\n')
    done = imported(rig, HEADER.replace('\r\n', '\n') + body)
    assert [(i['line'], i['outcome']) for i in done['items']] == [(2, 'ok'), (3, 'refused'), (4, 'refused'), (5, 'refused'), (7, 'refused'), (9, 'ok')]


@pytest.mark.parametrize('delimiter, end, prefix, encoding', [
    (',', '\r\n', '', 'utf-8-sig'), (',', '\n', '', 'utf-16'), (';', '\r\n', 'sep=;\r\n', 'utf-8'), ('\t', '\r', '', 'utf-8'), ('|', '\n', '', 'utf-8')])
def test_encodings_delimiters_and_line_ends(rig, delimiter, end, prefix, encoding):
    lines = (HEADER.strip() + '\nÜbung,u@x.example,local,A,B,Germany,,a').split('\n')
    done = imported(rig, (prefix + end.join(lines).replace(',', delimiter) + end).encode(encoding))
    assert done['state'] == 'finished' and rig.customer('Übung')['country'] == 'DE'


HOSTILE = ['=1+1', '+49', '-5', '@x', "'=x", "''@y", '"quoted", and comma', 'line_x0041_', 'Ж ש ع 漢', '{"a":1}', "Robert'); DROP TABLE customer;--", '%s%n', '../../etc']


def test_csv_comes_back_unchanged_and_harmless(rig):
    for i, text in enumerate(HOSTILE):
        rig.onboard(text, f'h{i}@x.example')
    answer, data = export(rig, kind='customers', format='csv')
    assert data.startswith(b'\xef\xbb\xbf') and answer['rows'] == len(HOSTILE)
    rows = list(csv.reader(io.StringIO(data.decode('utf-8-sig'), newline='')))
    assert rows[0][:2] == ['organization', 'registered_account']
    assert not any(cell[:1] in '=+-@\t\r' for row in rows[1:] for cell in row if cell)
    done = imported(rig, data)
    assert {i['reason'] for i in done['items']} == {'exists'}, [i for i in done['items'] if i['reason'] != 'exists']


def test_workbook_holds_text_as_typed_and_no_formula(rig):
    for i, text in enumerate(HOSTILE):
        rig.onboard(text, f'h{i}@x.example')
    answer, data = export(rig, kind='customers', format='xlsx', columns=['organization', 'registered_account', 'created'], sort='created')
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    rows = list(sheet.iter_rows())
    assert [c.value for c in rows[0]] == ['organization', 'registered_account', 'created (UTC)']
    # What looks like an escape is escaped itself, as the format asks; this reader does not take that off again.
    assert [r[0].value.replace('_x005F_', '_') for r in rows[1:]] == HOSTILE
    assert all(c.data_type != 'f' for row in rows for c in row)
    assert sheet.freeze_panes == 'A2' and sheet.auto_filter.ref


def test_json_is_one_array_with_values_unchanged(rig):
    for i, text in enumerate(HOSTILE):
        rig.onboard(text, f'h{i}@x.example')
    _, data = export(rig, kind='customers', format='json', columns=['organization'])
    assert sorted(r['organization'] for r in json.loads(data)) == sorted(HOSTILE)


def test_operation_and_audit_exports(rig):
    done = imported(rig, HEADER + 'One,a@x.example,local,A,B,DE,,\r\nTwo,b@x.example,local,A,B,ZZ,,\r\n')
    _, data = export(rig, kind='operation', format='json', operation=done['id'])
    assert [(i['line'], i['outcome']) for i in json.loads(data)] == [(2, 'ok'), (3, 'refused')]
    _, data = export(rig, kind='audit', format='csv')
    assert b'customer.import' in data


def test_kept_reports_can_be_saved_again(rig):
    rig.onboard('One', 'a@x.example')
    answer, data = export(rig, kind='customers', format='csv')
    assert rig.json('Reports', 'Describe', 's', answer['id'])['sha256'] == answer['sha256']
    fd, = rig.call('Reports', 'Save', 's', answer['id'])
    with os.fdopen(fd.to_raw_fd(), 'rb') as file:
        assert file.read() == data


def test_query_streams_everything_into_a_sealed_file(rig):
    imported(rig, (TOP / 'examples' / 'customers.csv').read_bytes())
    fd, = rig.call('Customers', 'Query', 'a{sv}s', {'columns': ('as', ['organization', 'tags'])}, 'jsonl')
    raw = fd.to_raw_fd()
    with os.fdopen(raw, 'rb') as file:
        rows = [json.loads(line) for line in file]
        assert len(rows) == 223 and set(rows[0]) == {'organization', 'tags'}
        with pytest.raises(OSError):
            os.write(raw, b'x')


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


PNG = (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(b'\0\xff\0\0')) +
       chunk(b'IEND', b''))


def test_symbol_is_decoded_again_and_given_back(rig):
    identity = rig.onboard('One', 'a@x.example')
    path = rig.folder / 'logo'
    path.write_bytes(PNG)
    with open(path, 'rb') as file:
        rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'symbol': ('h', file)}, {})
    symbol = rig.customer(identity)['symbol']
    assert (symbol['type'], symbol['width'], symbol['height']) == ('png', 1, 1)
    fd, = rig.call('Customers', 'GetSymbol', 's', identity)
    with os.fdopen(fd.to_raw_fd(), 'rb') as file:
        data = file.read()
    assert hashlib.sha256(data).hexdigest() == symbol['sha256'] and data.startswith(b'\x89PNG')
    path.write_bytes(b'GIF89a not a picture')
    with pytest.raises(BusError) as e:
        with open(path, 'rb') as file:
            rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'symbol': ('h', file)}, {})
    assert e.value.kind == 'InvalidArgument'
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'clear': ('as', ['symbol'])}, {})
    assert rig.customer(identity)['symbol'] is None


def test_a_picture_that_was_taken_is_in_every_pdf(rig):
    """Written anew it may be larger than what may come in: PNG by other filters, JPEG in better quality."""
    random = Random(7)
    rows = [random.randbytes(3072) for _ in range(3)]
    rig.onboard('One', 'a@x.example')
    (rig.folder / 'logo').write_bytes(pictures.png([rows[random.randrange(3)] for _ in range(1024)]))
    assert (rig.folder / 'logo').stat().st_size < 256 * 1024
    assert rig.ctl('customer', 'edit', 'One', '--symbol', rig.folder / 'logo').returncode == 0
    assert rig.customer('One')['symbol']['bytes'] > 256 * 1024
    assert rig.ctl('partner', 'set', '--logo', rig.folder / 'logo').returncode == 0
    r = rig.ctl('report', 'generate', 'One', '--template', 'monthly')
    assert r.returncode == 0, r.stderr
    (rig.folder / 'logo').write_bytes(bytes(300000))
    r = rig.ctl('--json', 'partner', 'set', '--logo', rig.folder / 'logo')
    error = json.loads(r.stderr)['error']
    assert (error['code'], error['field']) == ('too-big', 'logo') and error['message'].startswith('logo has more')


def render_by(rig, script):
    """Starts the daemon anew with another program in place of tenantd-render."""
    program = rig.folder / 'render'
    program.write_text('#!/bin/sh\n' + script)
    program.chmod(0o755)
    rig.stop()
    rig.start(TENANTD_RENDER=str(program))


def test_a_picture_that_kills_its_decoder_is_refused(rig):
    identity = rig.onboard('One', 'a@x.example')
    (rig.folder / 'logo').write_bytes(PNG)
    render_by(rig, 'kill -SEGV $$\n')
    with open(rig.folder / 'logo', 'rb') as file, pytest.raises(BusError) as e:
        rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'symbol': ('h', file)}, {})
    assert (e.value.kind, e.value.code) == ('InvalidArgument', 'bad-image') and 'field: symbol' in e.value.message
    assert rig.customer(identity)['symbol'] is None


def test_a_workbook_that_lacks_rows_is_no_report(rig):
    rig.onboard('One', 'a@x.example')
    rig.onboard('Two', 'b@x.example')
    render_by(rig, 'cat > /dev/null\necho workbook >&3\necho \'{"rows":1,"warnings":[]}\'\n')
    other = Client(rig.bus.address)
    other.connection.send(new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Reports'), 'Export', 'a{sv}a{sv}', ({'kind': ('s', 'customers')}, {})))
    wait_until('the fault', lambda: [t['error'] for t in json.loads(rig.call('Tasks', 'List', 'a{sv}', {})[0]) if t['state'] == 'waiting'] == ['Input/output error'])
    assert json.loads(rig.call('Reports', 'List', 'a{sv}', {})[0]) == []
    other.close()


def test_backup_is_a_whole_database(rig):
    rig.onboard('One', 'a@x.example', tags=('as', ['gold']), custom=('a{ss}', {'site': 'north'}))
    rig.json('Customers', 'Pin', 'asa{sv}a{sv}', ['One'], {}, {'request_id': ('s', 'r')})
    path = rig.folder / 'backup.db'
    with open(path, 'wb') as file:
        rig.json('Manager', 'Backup', 'ha{sv}a{sv}', file, {}, {})
    db = sqlite3.connect(path)
    assert db.execute('SELECT organization FROM customer').fetchall() == [('One',)]
    assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)


def test_backup_flows_into_a_pipe(rig):
    """However slowly it is read, if only it is."""
    rig.onboard('One', 'a@x.example')
    reader, writer = os.pipe()
    path = rig.folder / 'backup.db'
    with open(path, 'wb') as file:
        cat = subprocess.Popen(['dd', 'bs=1000', 'status=none'], stdin=reader, stdout=file)
    os.close(reader)
    with os.fdopen(writer, 'wb') as file:
        answer = rig.json('Manager', 'Backup', 'ha{sv}a{sv}', file, {}, {})
    assert cat.wait(30) == 0 and path.stat().st_size == answer['bytes'] > 100000
    db = sqlite3.connect(path)
    assert db.execute('SELECT organization FROM customer').fetchall() == [('One',)]
    db.close()


@pytest.mark.slow
def test_backup_into_a_pipe_that_nobody_reads_gives_up(rig):
    """A worker that waited for it would be lost for good, and the queue with the last of them."""
    reader, writer = os.pipe()
    with os.fdopen(writer, 'wb') as file, pytest.raises(BusError) as e:
        rig.call('Manager', 'Backup', 'ha{sv}a{sv}', file, {}, {}, timeout=90)
    assert (e.value.kind, e.value.code) == ('InvalidArgument', 'too-slow')
    os.close(reader)
    wait_until('an empty spool', lambda: os.listdir(rig.state / 'spool') == [])       # a reply leaves before the call's file goes
