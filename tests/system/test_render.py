# SPDX-License-Identifier: LGPL-2.1-or-later
"""tenantd-render by itself: what stands in its documents, what it refuses, and the walls around it."""
import csv
import datetime
import io
import json
import os
import random
import re
import resource
import select
import shutil
import struct
import subprocess
import zipfile
import zlib
from xml.etree import ElementTree

import openpyxl
import pytest

import hostile
from conftest import BUILD
from pictures import (ADOBE_CMYK, JFIF, SIGNATURE, TABLES, chunk, chunks, exif, frame, jpeg, jpeg_of_scans, jpeg_segments, png, png_header,
                      read_jpeg, read_png, segment)

PROGRAM = BUILD / 'tenantd-render'
SANITIZED = '#define SANITIZERS 1' in (BUILD / 'config.h').read_text()
HOOKS = '#define TEST_HOOKS 1' in (BUILD / 'config.h').read_text()
NAMESPACE = {'m': 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'}


class Rendered:
    def __init__(self, process, path):
        self.code, self.path, self.stderr = process.returncode, path, process.stderr
        self.answer = json.loads(process.stdout) if process.stdout else None

    @property
    def data(self):
        return self.path.read_bytes()

    @property
    def refusal(self):
        assert self.code == 1
        return self.answer['error']['code']


@pytest.fixture
def render(tmp_path):
    """render(MODE, bytes or an open file, prepare) -> Rendered; the document is tmp_path/document, and nothing else is left."""
    def run(mode, data, **options):
        path, spool = tmp_path / 'document', tmp_path / 'spool'
        spool.mkdir(exist_ok=True)
        words = [mode, str(spool)] if mode == 'xlsx' else [mode]
        source = {'input': data} if isinstance(data, bytes) else {'stdin': data}
        process = subprocess.run(['/bin/sh', '-c', 'exec "$0" "$@" 3<>"$DOCUMENT"', str(PROGRAM), *words], env={'DOCUMENT': str(path)},
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, **source, **options)
        assert not list(spool.iterdir())
        return Rendered(process, path)
    return run


def lines(columns, rows, sheet='customers', **header):
    columns = [{'name': c.split(':')[0], 'type': c.split(':')[1]} for c in columns]
    first = json.dumps({'sheet': sheet, 'columns': columns, **header})
    return '\n'.join([first] + [json.dumps(row, ensure_ascii=False) for row in rows] + ['']).encode()


@pytest.fixture
def book(render):
    """book(columns, rows, …) -> (openpyxl workbook, Rendered) of a table that is to succeed."""
    def make(columns, rows, **header):
        done = render('xlsx', lines(columns, rows, **header))
        assert done.code == 0, done.answer
        assert done.answer['rows'] == len(rows) and done.answer['bytes'] == len(done.data)
        return openpyxl.load_workbook(io.BytesIO(done.data)), done
    return make


def unescape(text):
    """ST_Xstring of ECMA-376: what a program shows of what a cell holds."""
    return re.sub('_x([0-9A-Fa-f]{4})_', lambda m: chr(int(m[1], 16)), text)


def sheet_rows(done, n=1):
    """The cells of a sheet by the format's own rules, read by another XML parser: {(row, column letters): value}."""
    with zipfile.ZipFile(done.path) as z:
        root = ElementTree.fromstring(z.read(f'xl/worksheets/sheet{n}.xml'))
    cells = {}
    for c in root.iterfind('.//m:c', NAMESPACE):
        letters, row = re.fullmatch('([A-Z]+)([0-9]+)', c.get('r')).groups()
        kind = c.get('t', 'n')
        assert c.find('m:f', NAMESPACE) is None and kind in ('inlineStr', 'n', 'b')
        if kind == 'inlineStr':
            t = c.find('m:is/m:t', NAMESPACE)
            preserved = t.get('{http://www.w3.org/XML/1998/namespace}space') == 'preserve'
            value = unescape(t.text if preserved else t.text.strip(' \t\n'))
        else:
            value = float(c.find('m:v', NAMESPACE).text)
        cells[int(row), letters] = value
    return cells


# ---- workbooks: text ----

TEXTS = ['=1+1', '=HYPERLINK("http://x.example";"x")', '+49', '-5', '@SUM(A1)', "'=x", '＝1+1', '\t=1', '123', '1e5', 'TRUE', '2026-12-01', '12:30',
         'http://x.example/', 'mailto:a@x.example', 'a@x.example', '_x0041_', '_x005F_x0041_', '__x0041__', '_x0041', '_xZZZZ_', ' lead', 'trail ',
         '  ', '\n', 'two\nlines', 'cr\rlf\r\n', '\ttab\t', '漢字', 'שלום עולם', 'مرحبا', '😀👨‍👩‍👧', 'e\u0301', '<b>&amp;</b>', ']]>', '"quoted"', '\u00a0nbsp\u00a0',
         '\u2028', '\ufeffmark', '\ufffe\uffff', '\x7f', '\x85', '\x01\x1f', 'a' * 32767, '😀' * 16383, '_x0041_' * 4681, '\x01' * 32767]


def test_every_text_stays_as_typed(book):
    texts = TEXTS + [t for t in hostile.valid() if t and len(t.encode('utf-16-le')) // 2 <= 32767]
    workbook, done = book(['a:text', 'b:text'], [[t, 'x'] for t in texts])
    cells = sheet_rows(done)
    shown = [cells.get((i, 'A')) for i in range(2, len(texts) + 2)]
    assert [t for t, s in zip(texts, shown) if t != s] == []
    assert all(c.data_type == 's' for row in workbook.active.iter_rows(max_col=1) for c in row)
    assert done.answer['warnings'] == [] and workbook.sheetnames == ['customers']


def test_null_characters_do_not_end_a_text(book):
    _, done = book(['a:text', 'b:text'], [['a\0b', 'x'], ['\0', 'y']])
    cells = sheet_rows(done)
    assert (cells[2, 'A'], cells[2, 'B'], cells[3, 'A']) == ('a\0b', 'x', '\0')


def test_random_text_stays_as_typed(book):
    seed = int(os.environ.get('SEED', random.randrange(10 ** 9)))
    print('SEED', seed)
    r = random.Random(seed)
    alphabet = [chr(c) for c in range(0x21)] + list('_x0041_&<>"\'=') + ['\x7f', '\x85', 'ä', '漢', '\ufffe', '😀', '_x0041_', '\r\n']
    texts = [''.join(r.choices(alphabet, k=r.randrange(1, 30))) for _ in range(3000)]
    _, done = book(['a:text'], [[t] for t in texts])
    cells = sheet_rows(done)
    assert [t for i, t in enumerate(texts, 2) if cells[i, 'A'] != t] == []


def test_nothing_runs_or_calls_out(render, book):
    _, done = book(['a:text', 'b:json', 'c:list'], [[t, {'x': t}, [t]] for t in TEXTS[:20]])
    with zipfile.ZipFile(done.path) as z:
        assert z.testzip() is None
        for name in z.namelist():
            text = z.read(name).decode()
            ElementTree.fromstring(text)
            assert '<f>' not in text and 'TargetMode="External"' not in text and '<hyperlink ' not in text, name


@pytest.mark.parametrize('character', ['x', '漢', '😀', '_x0041_', '\x01'], ids=['latin', 'han', 'pair', 'escape', 'control'])
@pytest.mark.parametrize('before', ['', '.'], ids=['even', 'odd'])
def test_long_text_is_cut_with_a_note(book, before, character):
    text = before + character * (40000 // len(character))
    workbook, done = book(['id:id', 'notes:text'], [['1', 'short'], ['2', text]])
    shown = sheet_rows(done)[3, 'B']
    units = len(shown.encode('utf-16-le')) // 2
    assert shown.endswith('…') and text.startswith(shown[:-1]) and units in (32766, 32767)
    assert workbook.sheetnames == ['customers', 'Notes']
    note = [c.value for c in list(workbook['Notes'].iter_rows())[1]]
    assert note[0] == 'customers!B3' and 'notes' in note[1] and str(len(text.encode('utf-16-le')) // 2) in note[1]
    assert [w['code'] for w in done.answer['warnings']] == ['text-cut'] and 'customers!B3' in done.answer['warnings'][0]['message']


def test_many_cuts_are_counted(book):
    workbook, done = book(['a:text'], [['x' * 33000]] * 103)
    assert len(done.answer['warnings']) == 101 and '3 more' in done.answer['warnings'][-1]['message']
    assert workbook['Notes'].max_row == 102


# ---- workbooks: values ----

def test_numbers_words_and_lists(book):
    rows = [[2 ** 53, True, ['gold', 'eu'], {'a': [1, 'ä']}, 'ab'], [2 ** 53 + 1, False, [], [], ''], [-(2 ** 53) - 1, None, None, None, None],
            [0, True, ['a, b'], {}, '=']]
    workbook, _ = book(['n:int', 'b:bool', 'l:list', 'j:json', 't:text'], rows)
    values = [[c.value for c in row] for row in workbook.active.iter_rows(min_row=2)]
    assert values == [[2 ** 53, True, 'gold, eu', '{"a": [1, "ä"]}', 'ab'], [str(2 ** 53 + 1), False, None, '[]', None],
                      [str(-(2 ** 53) - 1), None, None, None, None], [0, True, 'a, b', '{}', '=']]


def test_long_numbers_show_all_their_digits(book):
    workbook, _ = book(['n:int'], [[99999999999], [100000000000], [-100000000000], [1.5]])
    assert [c.number_format for c in workbook.active['A']] == ['General', 'General', '0', '0', 'General']


def test_lines_are_shown_below_each_other(book):
    workbook, _ = book(['a:text', 'b:text'], [['two\nlines', 'one']])
    assert [bool(c.alignment.wrap_text) for c in workbook.active[2]] == [True, False]
    assert workbook.active.row_dimensions[2].height == 30


def test_times_are_real_dates_in_the_zone_that_the_header_names(book):
    zone = {'name': 'Europe/Berlin', 'offsets': [[1761440400, 3600], [1774746000, 7200], [1792890000, 3600]]}
    rows = [['2026-03-29T00:59:59Z', '2026-12-01'], ['2026-03-29T01:00:00Z', '1900-03-01'], ['2026-12-31T23:30:00Z', None], ['1850-01-01T00:00:00Z', '1850-01-01'],
            ['soon', 'tomorrow'], [None, '9999-12-31']]
    workbook, _ = book(['created:time', 'expires:date'], rows, zone=zone)
    cells = list(workbook.active.iter_rows())
    assert [c.value for c in cells[0]] == ['created (Europe/Berlin)', 'expires']
    d = datetime.datetime
    assert [c[0].value for c in cells[1:]] == [d(2026, 3, 29, 1, 59, 59), d(2026, 3, 29, 3), d(2027, 1, 1, 0, 30), '1850-01-01 01:00:00', 'soon', None]
    assert [c[1].value for c in cells[1:]] == [d(2026, 12, 1), d(1900, 3, 1), None, '1850-01-01', 'tomorrow', d(9999, 12, 31)]
    assert cells[1][0].number_format == 'yyyy-mm-dd hh:mm:ss' and cells[1][1].number_format == 'yyyy-mm-dd'


def test_without_a_zone_times_are_utc(book):
    workbook, _ = book(['created:time'], [['2026-12-01T12:00:00+02:00']])
    assert [c.value for c in workbook.active['A']] == ['created (UTC)', datetime.datetime(2026, 12, 1, 10)]


# ---- workbooks: how they look ----

def test_sheets_are_ready_to_read_and_print(book):
    rows = [['Contoso GmbH', 'DE', 'x' * 500]] * 5 + [['漢' * 20, 'AT', '']]
    workbook, _ = book(['organization:text', 'country:text', 'notes:text'], rows, properties={'title': 'Kunden & <mehr>', 'created': '2026-12-01T12:00:00Z'})
    sheet = workbook.active
    assert sheet.freeze_panes == 'A2' and sheet.auto_filter.ref == 'A1:C7'
    assert all(c.font.b for c in sheet[1]) and not any(c.font.b for c in sheet[2])
    assert sheet.page_setup.orientation == 'landscape' and sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.print_area in ('$A$1:$C$7', ['$A$1:$C$7'])       # long texts run over on the screen only
    assert sheet.page_setup.fitToHeight == 0 and sheet.print_title_rows in ('1:1', '$1:$1')
    widths = [sheet.column_dimensions[c].width for c in 'ABC']
    assert 40 <= widths[0] <= 45 and 8 <= widths[1] <= 12 and 60 <= widths[2] <= 62
    assert workbook.properties.title == 'Kunden & <mehr>' and workbook.properties.created == datetime.datetime(2026, 12, 1, 12)


def test_a_table_without_rows_is_a_workbook(book):
    workbook, _ = book(['a:text', 'b:int'], [])
    assert [[c.value for c in row] for row in workbook.active.iter_rows()] == [['a', 'b']] and workbook.active.auto_filter.ref == 'A1:B1'


@pytest.mark.parametrize('name, expected', [
    ('a/b\\c?d*e[f]g:h', 'a_b_c_d_e_f_g_h'), ("'x'", '_x_'), ('x' * 40, 'x' * 31), ('😀' * 20, '😀' * 15), ('2024', '2024'), ('A1', 'A1'), ("it's", "it's"),
    ('', '_'), ('History', 'History_'), ('&<>"', '&<>"')])
def test_sheet_names_are_mended(book, name, expected):
    workbook, done = book(['a:text'], [['x' * 33000]], sheet=name)
    assert workbook.sheetnames == [expected, 'Notes'] and workbook.active.print_title_rows in ('1:1', '$1:$1')
    with zipfile.ZipFile(done.path) as z:
        names = re.findall('<definedName [^>]*>([^<]*)</definedName>', z.read('xl/workbook.xml').decode())
    assert names and all(n.startswith("'") for n in names)


def test_notes_beside_a_sheet_of_that_name(book):
    workbook, _ = book(['a:text'], [['x' * 33000]], sheet='notes')
    assert workbook.sheetnames == ['notes', 'Notes (2)']


def test_many_columns(book):
    names = [f'c{i}' for i in range(1000)]
    workbook, _ = book([f'{n}:int' for n in names], [list(range(1000))])
    assert [c.value for c in workbook.active[1]] == names and [c.value for c in workbook.active[2]] == list(range(1000))


def test_equal_rows_give_equal_bytes(render):
    data = lines(['a:text', 't:time'], [['x', '2026-12-01T12:00:00Z']] * 1000)
    first = render('xlsx', data).data
    assert render('xlsx', data).data == first


def test_memory_does_not_grow_with_the_rows(render, tmp_path):
    if SANITIZED:
        pytest.skip('the sanitizers keep what was freed')

    def peak(n):
        path = tmp_path / 'rows'
        with open(path, 'wb') as f:
            f.write(lines([f'c{i}:text' for i in range(25)], []))
            row = (json.dumps(['some text of a usual length'] * 25) + '\n').encode()
            for _ in range(n):
                f.write(row)
        with open(path, 'rb') as f:
            # The peak of one child, not of all that came before it.
            program = ('import resource, subprocess, sys; r = subprocess.run(sys.argv[1:], pass_fds=[3]);'
                       'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(r.returncode)')
            done = subprocess.run(['/bin/sh', '-c', 'exec "$0" "$@" 3<>"$DOCUMENT"', '/usr/bin/python3', '-c', program, str(PROGRAM), 'xlsx', str(tmp_path)],
                                  env={'DOCUMENT': str(tmp_path / 'document')}, stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        assert json.loads(done.stdout)['rows'] == n
        return int(done.stderr.split()[-1])
    # python forks before it executes; its own size is a floor of both figures.
    assert peak(60000) - peak(100) < 8 * 1024


@pytest.mark.slow
def test_more_rows_than_a_sheet_holds_go_on_a_next_one(render, tmp_path):
    rows, path = 1048575 + 3, tmp_path / 'rows'
    with open(path, 'wb') as f:
        f.write(lines(['n:int'], []))
        f.write(''.join(f'[{i}]\n' for i in range(rows)).encode())
    with open(path, 'rb') as f:
        done = render('xlsx', f)
    assert done.code == 0 and done.answer['rows'] == rows and done.answer['sheets'] == 2
    workbook = openpyxl.load_workbook(io.BytesIO(done.data), read_only=True)
    assert workbook.sheetnames == ['customers', 'customers (2)']
    expected = 0
    for sheet in workbook.worksheets:
        for i, row in enumerate(sheet.iter_rows(values_only=True)):
            if i == 0:
                assert row == ('n',)
            else:
                assert row == (expected,)
                expected += 1
    assert expected == rows


@pytest.mark.slow
def test_another_program_reads_the_same(book, tmp_path):
    if not shutil.which('soffice'):
        pytest.skip('LibreOffice is not installed')
    texts = [t for t in TEXTS if len(t) < 1000 and not re.search('[\x00-\x08\x0b-\x1f\ufffe\uffff]', t)]
    book(['t:text', 'n:int', 'c:time'], [[t, i, '2026-12-01T12:00:00Z'] for i, t in enumerate(texts)], zone={'name': 'Asia/Tokyo', 'offsets': [[0, 32400]]})
    (tmp_path / 'document').rename(tmp_path / 'document.xlsx')
    subprocess.run(['soffice', f'-env:UserInstallation=file://{tmp_path}/office', '--headless', '--convert-to', 'csv:Text - txt - csv (StarCalc):44,34,76',
                    '--outdir', str(tmp_path), str(tmp_path / 'document.xlsx')], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={**os.environ, 'HOME': str(tmp_path)}, timeout=300)
    rows = list(csv.reader(io.StringIO((tmp_path / 'document.csv').read_text(encoding='utf-8'), newline='')))
    assert rows[0] == ['t', 'n', 'c (Asia/Tokyo)']
    wrong = [(t, r[0]) for t, r in zip(texts, rows[1:]) if r[0] != t]
    assert wrong == []
    assert [r[1] for r in rows[1:]] == [str(i) for i in range(len(texts))] and {r[2] for r in rows[1:]} == {'2026-12-01 21:00:00'}


# ---- workbooks: what is refused ----

WRONG = {
    'empty': (b'', 'bad-input'), 'no sheet': (b'{}\n', 'bad-input'), 'a row first': (b'[1]\n', 'bad-input'), 'no UTF-8': (b'\xff\n', 'bad-input'),
    'too many values': (lines(['a:int'], [[1, 2]]), 'bad-input'), 'too few values': (lines(['a:int', 'b:int'], [[1]]), 'bad-input'),
    'cut': (lines(['a:int'], [[1]]) + b'[2', 'bad-input'), 'a value without UTF-8': (lines(['a:int'], []) + b'["\xff"]\n', 'bad-input'),
    'an empty line': (lines(['a:int'], []) + b'\n', 'bad-input'), 'an unknown type': (lines(['a:money'], []), 'bad-input'),
    'no columns': (lines([], []), 'bad-input'), 'too many columns': (lines([f'c{i}:int' for i in range(1025)], []), 'too-many-columns'),
    'a long row': (lines(['a:text'], []) + b'["' + b'x' * (17 << 20) + b'"]\n', 'row-too-long')}


@pytest.mark.parametrize('case', WRONG)
def test_wrong_tables_are_refused(render, case):
    data, code = WRONG[case]
    assert render('xlsx', data).refusal == code


def test_the_last_line_may_lack_its_end(render):
    assert render('xlsx', lines(['a:int'], [[1], [2]])[:-1]).answer['rows'] == 2


def test_a_full_disk_is_told(render):
    """A limit on the size of files ends writes as a full disk does; nothing but noise fills it through the compression."""
    r = random.Random(1)
    data = lines(['a:text'], [[r.randbytes(300).hex()] for _ in range(3000)])
    done = render('xlsx', data, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)))
    assert done.refusal == 'no-space'


def test_a_document_that_cannot_be_read_again_is_refused():
    done = subprocess.run(['/bin/sh', '-c', 'exec "$0" xlsx /tmp 3>/dev/null', str(PROGRAM)], input=b'', stdout=subprocess.PIPE)
    assert done.returncode == 1 and json.loads(done.stdout)['error']['code'] == 'fault'


@pytest.mark.parametrize('words', [[], ['svg'], ['xlsx', '/tmp', 'more'], ['pdf', '/tmp', 'more'], ['image', '/tmp'], ['--help']])
def test_wrong_usage(words):
    assert subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 2


# ---- pictures ----

RGB = [bytes([255, 0, 0, 0, 255, 0]), bytes([0, 0, 255, 9, 9, 9]), bytes([1, 2, 3, 4, 5, 6])]
PIXELS = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (9, 9, 9)], [(1, 2, 3), (4, 5, 6)]]


def cleaned(render, data):
    done = render('image', data)
    assert done.code == 0, done.answer
    assert done.answer['bytes'] == len(done.data)
    return done


def test_a_png_keeps_its_pixels_and_nothing_else(render):
    more = (chunk(b'tEXt', b'Author\0secret') + chunk(b'zTXt', b'x\0\0' + zlib.compress(b'secret' * 100)) + chunk(b'tIME', b'\x07\xea\1\1\1\1\1')
            + chunk(b'pHYs', b'\0\0\1\0\0\0\1\0\1') + chunk(b'prVt', b'secret'))
    done = cleaned(render, png(RGB, before=more, after=b'<script>secret</script>'))
    assert done.answer == {'type': 'png', 'width': 2, 'height': 3, 'bytes': len(done.data)}
    assert [name for name, _ in chunks(done.data)] == [b'IHDR', b'IDAT', b'IEND']
    assert read_png(done.data) == (2, 3, PIXELS) and b'secret' not in done.data
    assert cleaned(render, png(RGB)).data == done.data
    assert cleaned(render, done.data).data == done.data


@pytest.mark.parametrize('color, depth, rows, before, pixels', [
    (0, 1, [b'\xa0'], b'', [(1,), (0,), (1,)]), (0, 2, [b'\x1b'], b'', [(0,), (1,), (2,)]), (0, 4, [b'\x12\x30'], b'', [(1,), (2,), (3,)]),
    (0, 8, [b'\1\2\3'], b'', [(1,), (2,), (3,)]), (0, 16, [b'\x10\0\x20\0\xff\xff'], b'', [(16,), (32,), (255,)]),
    (3, 2, [b'\x18'], chunk(b'PLTE', bytes(range(9))) + chunk(b'tRNS', b'\0\x80'), [(0,), (1,), (2,)]),
    (4, 8, [b'\1\2\3\4\5\6'], b'', [(1, 2), (3, 4), (5, 6)]), (6, 8, [bytes(range(12))], b'', [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)]),
    (6, 16, [bytes([x for i in range(12) for x in (i, i)])], b'', [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)]),
    (0, 8, [b'\1\2\3'], chunk(b'tRNS', b'\0\2'), [(1,), (2,), (3,)]),
    (2, 16, [b'\1\1\2\2\3\3' * 3], chunk(b'tRNS', b'\1\1\2\2\3\3'), [(1, 2, 3, 0)] * 3)])
def test_every_kind_of_png(render, color, depth, rows, before, pixels):
    done = cleaned(render, png(rows, depth, color, before, width=3))
    assert read_png(done.data) == (3, 1, [pixels])
    kept = dict(chunks(done.data))
    for name, body in chunks(SIGNATURE + before):
        if depth <= 8:
            assert kept[name][:len(body)] == body


def test_an_interlaced_png(render):
    """Adam7 of 4 × 2 pixels: passes of 1, 0, 0, 1, 2 (second row: none yet), 2 and 4 pixels."""
    passes = [[b'\x01'], [], [], [b'\x03'], [], [b'\x02\x04'], [b'\x05\x06\x07\x08']]
    raw = zlib.compress(b''.join(b'\0' + row for p in passes for row in p))
    data = SIGNATURE + png_header(4, 2, 8, 0, 1) + chunk(b'IDAT', raw) + chunk(b'IEND', b'')
    assert read_png(cleaned(render, data).data)[2] == [[(1,), (2,), (3,), (4,)], [(5,), (6,), (7,), (8,)]]


def test_of_an_animation_the_first_picture(render):
    control = struct.pack('>IIIIIHHBB', 0, 2, 3, 0, 0, 1, 10, 0, 0)
    second = struct.pack('>IIIIIHHBB', 1, 2, 3, 0, 0, 1, 10, 0, 0)
    data = (SIGNATURE + png_header(2, 3) + chunk(b'acTL', struct.pack('>II', 2, 0)) + chunk(b'fcTL', control)
            + chunk(b'IDAT', zlib.compress(b''.join(b'\0' + r for r in RGB))) + chunk(b'fcTL', second)
            + chunk(b'fdAT', struct.pack('>I', 2) + zlib.compress(b'\0\xff\xff\xff\xff\xff\xff' * 3)) + chunk(b'IEND', b''))
    done = cleaned(render, data)
    assert read_png(done.data) == (2, 3, PIXELS) and [n for n, _ in chunks(done.data)] == [b'IHDR', b'IDAT', b'IEND']


def test_a_turned_png(render):
    turn = chunk(b'eXIf', b'MM\0*' + struct.pack('>IHHHIHHI', 8, 1, 0x0112, 3, 1, 6, 0, 0))
    done = cleaned(render, png(RGB, before=turn))
    assert read_png(done.data) == (3, 2, [[PIXELS[2 - x][y] for x in range(3)] for y in range(2)])


def damaged_pngs():
    good = png(RGB)
    yield 'cut', good[:-1]
    yield 'cut in the data', good[:50]
    yield 'the signature alone', SIGNATURE
    yield 'a wrong checksum', good[:45] + bytes([good[45] ^ 1]) + good[46:]
    yield 'a wrong checksum of what is dropped', png(RGB, before=chunk(b'tEXt', b'a\0b')[:-1] + b'x')
    yield 'too little data', png(RGB, raw=zlib.compress(b'\0' + RGB[0]))
    yield 'too much data', png(RGB, raw=zlib.compress(b''.join(b'\0' + r for r in RGB) + b'\0' * 100))
    yield 'broken data', png(RGB, raw=zlib.compress(b''.join(b'\0' + r for r in RGB))[:-4] + b'\0\0\0\0')
    yield 'no data', SIGNATURE + png_header(2, 3) + chunk(b'IEND', b'')
    yield 'no size', SIGNATURE + png_header(0, 3) + chunk(b'IEND', b'')
    yield 'a filter that does not exist', png(RGB, raw=zlib.compress(b''.join(b'\x07' + r for r in RGB)))
    yield 'no palette', png([b'\0'], 8, 3)
    yield 'beyond the palette', png([b'\5'], 8, 3, chunk(b'PLTE', b'\1\2\3'))
    yield 'two headers', SIGNATURE + png_header(2, 3) * 2 + chunk(b'IEND', b'')
    yield 'no header', SIGNATURE + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')
    yield 'a critical chunk of others', png(RGB, before=chunk(b'CgBI', b'\0\0\0\0'))
    yield 'a chunk longer than the file', SIGNATURE + png_header(2, 3) + struct.pack('>I', 0xfffffff0) + b'IDAT'
    yield 'an unknown depth', SIGNATURE + png_header(2, 3, 5, 2) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')


@pytest.mark.parametrize('data', [pytest.param(d, id=n) for n, d in damaged_pngs()])
def test_a_damaged_png_is_refused(render, data):
    assert render('image', data).refusal == 'bad-image'


def test_sizes_are_looked_at_before_anything_is_unpacked(render):
    sides = [(1025, 1), (1, 1025), (2 ** 31 - 1, 2 ** 31 - 1), (2 ** 32 - 1, 1)]
    for width, height in sides:
        assert render('image', SIGNATURE + png_header(width, height) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')).refusal == 'too-big'
    for width, height in [(1025, 8), (8, 1025), (65500, 65500)]:
        assert render('image', jpeg([[(128,)]], size=(width, height))).refusal == 'too-big'
    largest = png([bytes(1024)] * 1024, 8, 0)
    assert cleaned(render, largest).answer['width'] == 1024


def test_bombs_are_not_unpacked(render):
    bomb = zlib.compress(bytes(100 << 20), 9)
    assert len(bomb) < 256 * 1024
    done = cleaned(render, png(RGB, before=chunk(b'zTXt', b'x\0\0' + bomb) + chunk(b'iCCP', b'x\0\0' + bomb[:1000])))
    assert read_png(done.data)[2] == PIXELS
    assert render('image', png(RGB, raw=bomb)).refusal == 'bad-image'
    assert render('image', jpeg_of_scans(100, 512)).refusal == 'bad-image'
    assert cleaned(render, jpeg_of_scans(60, 64)).answer['type'] == 'jpeg'


@pytest.mark.parametrize('data', [b'', b'\x89', b'GIF89a\1\0\1\0', b'<svg xmlns="http://www.w3.org/2000/svg"/>', b'RIFF\0\0\0\0WEBP', b'BM', b'\xff\xd8', b'P6 1 1 255 abc',
                                  b'\n' + SIGNATURE, b'%PDF-1.7'])
def test_other_types_are_refused_by_content(render, data):
    assert render('image', data).refusal == 'wrong-type'


def test_the_size_limit_is_on_bytes_that_come_in(render):
    edge = png(RGB) + b'x' * (256 * 1024 - len(png(RGB)))
    assert cleaned(render, edge).answer['type'] == 'png'
    assert render('image', edge + b'x').refusal == 'too-big'
    with open('/dev/zero', 'rb') as endless:
        assert render('image', endless).refusal == 'too-big'


def near(a, b, by=4):
    return len(a) == len(b) and all(len(r) == len(s) and all(abs(x - y) <= by for p, q in zip(r, s) for x, y in zip(p, q)) for r, s in zip(a, b))


def test_a_jpeg_stays_one_and_loses_what_it_told(render):
    blocks = [[(76, 85, 255), (150, 44, 21)]]                # red, green
    told = JFIF + segment(0xfe, b'secret') + segment(0xe2, b'ICC_PROFILE\0\1\1secret') + segment(0xed, b'Photoshop 3.0\0secret') + segment(0xe1, b'http://ns.adobe.com/xap/1.0/\0secret')
    done = cleaned(render, jpeg(blocks, told, end=b'\xff\xd9secret'))
    assert done.answer == {'type': 'jpeg', 'width': 16, 'height': 8, 'bytes': len(done.data)}
    width, height, pixels = read_jpeg(done.data)
    assert (width, height) == (16, 8) and near(pixels, [[(254, 0, 0), (0, 255, 1)]])
    assert b'secret' not in done.data and {m for m, _ in jpeg_segments(done.data)} == {0xe0, 0xdb, 0xc0, 0xc4, 0xda}
    assert cleaned(render, jpeg(blocks, told)).data == done.data


def test_a_grey_jpeg(render):
    assert near(read_jpeg(cleaned(render, jpeg([[(10,), (200,)]])).data)[2], [[(10,), (200,)]])


@pytest.mark.parametrize('header, ink', [(b'', lambda v: v), (ADOBE_CMYK, lambda v: 255 - v)])
def test_four_inks_become_three_lights(render, header, ink):
    inks = [(0, 0, 0, 0), (0, 255, 255, 0), (255, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 128)]
    done = cleaned(render, jpeg([[tuple(ink(v) for v in i) for i in inks]], header))
    assert near(read_jpeg(done.data)[2], [[(255, 255, 255), (255, 0, 0), (0, 255, 255), (0, 0, 0), (127, 127, 127)]], 6)


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('orientation, corner', [(1, (0, 0)), (2, (2, 0)), (3, (2, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 2)), (8, (0, 2))])
def test_a_jpeg_is_shown_upright(render, orientation, corner, order):
    """The stored picture is 3 × 2 blocks, black but for its first one, which is to be seen at `corner`."""
    stored = [[(250,), (5,), (5,)], [(5,), (5,), (5,)]]
    done = cleaned(render, jpeg(stored, exif(orientation, order)))
    width, height, pixels = read_jpeg(done.data)
    assert (width, height) == ((24, 16) if orientation < 5 else (16, 24))
    assert [(x, y) for y, row in enumerate(pixels) for x, p in enumerate(row) if p[0] > 128] == [corner]
    assert b'Exif' not in done.data


def damaged_jpegs():
    good = jpeg([[(10,), (200,)]] * 4)
    yield 'no end', good[:-2]
    yield 'cut in the data', good[:-6]
    yield 'cut in the header', good[:40]
    yield 'the first marker alone', good[:3]
    yield 'no data', b'\xff\xd8' + JFIF + b'\xff\xd9'
    yield 'no tables', good.replace(TABLES, b'')
    yield 'no size', jpeg([[(1,)]], size=(0, 8))
    yield 'no height', jpeg([[(1,)]], size=(8, 0))
    yield 'garbage in the data', good[:-8] + b'\xff\x41\xff\x42garbage!' + good[-2:]
    yield 'lossless', good.replace(b'\xff\xc0', b'\xff\xc3')
    yield 'two components', b'\xff\xd8' + TABLES + frame(0xc0, 8, 8, 2) + segment(0xda, b'\2\1\0\2\0\0\x3f\0') + b'\0\0\xff\xd9'


@pytest.mark.parametrize('data', [pytest.param(d, id=n) for n, d in damaged_jpegs()])
def test_a_damaged_jpeg_is_refused(render, data):
    assert render('image', data).refusal == 'bad-image'


def test_bytes_turned_at_random_never_hurt(render):
    """Whatever it is: a document or a refusal, never a death; and what is accepted is a picture."""
    seed = int(os.environ.get('SEED', random.randrange(10 ** 9)))
    print('SEED', seed)
    r = random.Random(seed)
    good = [png(RGB), png([b'\x18'], 2, 3, chunk(b'PLTE', bytes(range(9))), width=3), jpeg([[(76, 85, 255), (150, 44, 21)]], exif(6)), jpeg_of_scans(5, 16), jpeg([[(1, 2, 3, 4)]], ADOBE_CMYK)]
    for _ in range(60 if SANITIZED else 200):
        data = bytearray(r.choice(good))
        for _ in range(r.randrange(1, 6)):
            at = r.randrange(len(data))
            data[at:at + r.randrange(0, 3)] = r.randbytes(r.randrange(0, 3))
        done = render('image', bytes(data))
        assert done.code in (0, 1) and done.stderr == b'', (bytes(data), done.stderr)
        if done.code == 0:
            read_png(done.data) if done.answer['type'] == 'png' else read_jpeg(done.data)


# ---- the walls ----

def probe(name, **options):
    if not HOOKS:
        pytest.skip('built without test hooks')
    return subprocess.run([PROGRAM, 'probe', name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options).returncode


@pytest.mark.parametrize('name', ['read', 'write', 'unlink', 'kill', 'code', 'memory'])
def test_what_it_may_not_do_fails(name):
    if SANITIZED and name in ('read', 'memory'):
        pytest.skip('the sanitizers need that')
    assert probe(name) == 3


@pytest.mark.parametrize('name', ['socket', 'exec', 'fork', 'ptrace'])
def test_what_only_an_attacker_does_kills(name):
    assert probe(name) == -31                                # SIGSYS


def test_it_can_still_abort():
    assert probe('abort') == -6


def test_its_time_on_the_processor_is_limited():
    def little():
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    assert probe('spin', preexec_fn=little) in (-24, -9)     # SIGXCPU, or SIGKILL at the hard limit


def test_it_dies_with_the_thread_that_started_it(tmp_path):
    """The parent leaves while the helper waits for rows that never come; the helper's end closes its standard output."""
    rows, writer = os.pipe()
    told, told_end = os.pipe()
    script = ('import os, subprocess, sys; p = subprocess.Popen([sys.argv[1], "xlsx", sys.argv[2]], stdin=int(sys.argv[3]), stdout=int(sys.argv[4]), pass_fds=[3]);'
              'sys.stdin.read()')
    parent = subprocess.Popen(['/bin/sh', '-c', 'exec "$0" "$@" 3<>"$DOCUMENT"', '/usr/bin/python3', '-c', script, str(PROGRAM), str(tmp_path), str(rows), str(told_end)],
                              env={'DOCUMENT': str(tmp_path / 'document')}, stdin=subprocess.PIPE, pass_fds=[rows, told_end])
    os.close(rows)
    os.close(told_end)
    header = lines(['a:int'], [])
    # More than a pipe holds: it has been taken only when the helper reads.
    os.write(writer, header)
    os.set_blocking(writer, True)
    block = b'[1]\n' * 16384
    for _ in range(2):
        os.write(writer, block)
    parent.kill()
    parent.wait()
    # Its standard output ends when it does, and not before.
    assert select.select([told], [], [], 60)[0] and os.read(told, 100) == b''
    os.close(told)
    os.close(writer)
