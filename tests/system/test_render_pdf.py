# SPDX-License-Identifier: LGPL-2.1-or-later
"""tenantd-render's pdf, and the charts of its pdf and its workbooks: what can be read and seen in them."""
import base64
import datetime
import io
import json
import os
import random
import re
import resource
import subprocess
import time
import unicodedata
import zipfile

import openpyxl
import pytest

import hostile
from conftest import BUILD
from pictures import chunk, jpeg, png, png_header, SIGNATURE

# Half a minute in all: part of the whole run.
pytestmark = pytest.mark.slow

PROGRAM = BUILD / 'tenantd-render'
SANITIZED = '#define SANITIZERS 1' in (BUILD / 'config.h').read_text()
HOOKS = '#define TEST_HOOKS 1' in (BUILD / 'config.h').read_text()
A4 = (595, 842)


def section(sheet, columns, rows, **header):
    """Lines of one section. columns: ['name:type', …], or None for facts without."""
    first = {'sheet': sheet}
    if columns is not None:
        first['columns'] = [{'name': c.split(':')[0], 'type': c.split(':')[1]} for c in columns]
    return [json.dumps({**first, **header}, ensure_ascii=False)] + [json.dumps(row, ensure_ascii=False) for row in rows]


def document(*sections):
    return '\n'.join(line for s in sections for line in s + []).encode() + b'\n'


def about(**more):
    return {'document': {'title': 'Monthly report', 'partner': 'Example MSP', 'customer': 'Contoso GmbH', 'data_date': '2026-12-01', 'language': 'en', **more}}


class Pdf:
    def __init__(self, path, answer):
        self.path, self.answer = path, answer

    @property
    def data(self):
        return self.path.read_bytes()

    def info(self):
        out = subprocess.run(['pdfinfo', self.path], stdout=subprocess.PIPE, check=True).stdout.decode()
        return dict(line.split(':', 1) for line in out.splitlines() if ':' in line)

    def pages(self):
        """The text of each page, in the order in which it was drawn."""
        out = subprocess.run(['pdftotext', '-raw', self.path, '-'], stdout=subprocess.PIPE, check=True).stdout.decode()
        return out.split('\f')[:-1]

    def text(self):
        return '\n'.join(self.pages())

    def size(self, page):
        out = subprocess.run(['pdfinfo', '-f', str(page), '-l', str(page), self.path], stdout=subprocess.PIPE, check=True).stdout.decode()
        return tuple(round(float(x)) for x in re.search(r'size:\s+([\d.]+) x ([\d.]+)', out).groups())

    def pixels(self, page, dpi=50):
        """(width, height, rows of (r, g, b)) of a page."""
        out = subprocess.run(['pdftoppm', '-r', str(dpi), '-f', str(page), '-l', str(page), self.path], stdout=subprocess.PIPE, check=True).stdout
        _, size, _, data = out.split(b'\n', 3)
        width, height = map(int, size.split())
        return width, height, [[tuple(data[(y * width + x) * 3:(y * width + x) * 3 + 3]) for x in range(width)] for y in range(height)]

    def count(self, page, color, dpi=50):
        """How many pixels of a page have about this colour."""
        return sum(all(abs(a - b) < 24 for a, b in zip(p, color)) for row in self.pixels(page, dpi)[2] for p in row)


def run(path, data, mode='pdf', env=None, **options):
    source = {'input': data} if isinstance(data, bytes) else {'stdin': data}
    return subprocess.run(['/bin/sh', '-c', 'exec "$0" "$@" 3<>"$DOCUMENT"', str(PROGRAM), mode, str(path.parent)], env={'DOCUMENT': str(path), **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **source, **options)


@pytest.fixture
def pdf(tmp_path):
    """pdf(section, …) -> Pdf of a document that is to succeed."""
    made = []

    def make(*sections, **options):
        path = tmp_path / f'document{len(made)}.pdf'
        made.append(path)
        data = sections[0] if isinstance(sections[0], bytes) else document(*sections)
        done = run(path, data, **options)
        answer = json.loads(done.stdout)
        assert done.returncode == 0, answer
        assert done.stderr == b'' and answer['bytes'] == path.stat().st_size and set(tmp_path.iterdir()) == set(made)
        return Pdf(path, answer)
    return make


@pytest.fixture
def refusal(tmp_path):
    def make(data, mode='pdf'):
        done = run(tmp_path / 'document', data, mode)
        assert done.returncode == 1
        return json.loads(done.stdout)['error']['code']
    return make


def days(n):
    return [(datetime.date(2026, 1, 1) + datetime.timedelta(i)).isoformat() for i in range(n)]


# ---- pages ----

def test_a_report_names_itself_on_its_first_page(pdf):
    done = pdf(section('facts', None, [['Organization', 'Contoso GmbH'], {'label': 'Country', 'value': 'DE'}], facts=True, heading='Customer', **about()))
    assert done.answer['rows'] == 2 and done.answer['pages'] == 1 and done.answer['warnings'] == []
    text = done.text()
    for part in ('Monthly report', 'Contoso GmbH', 'Example MSP · Data as of 2026-12-01', 'Customer', 'Country DE'):
        assert part in text
    assert 'label' not in text and done.size(1) == A4
    info = done.info()
    assert info['Title'].strip() == 'Monthly report' and info['Author'].strip() == 'Example MSP'
    assert '2026' in info['CreationDate'] and 'Dec' in info['CreationDate']


def test_words_are_in_the_language_of_the_document(pdf):
    text = pdf(section('s', ['a:int', 'b:bool'], [[1234567, True]], **about(language='de')), section('t', ['a:text'], [])).text()
    assert 'Stand der Daten 2026-12-01' in text and '1.234.567 ja' in text and 'keine Einträge' in text
    assert 'Stand der Daten' in pdf(section('s', ['a:int'], [], **about(language='DE-at'))).text()
    assert 'Data as of' in pdf(section('s', ['a:int'], [], **about(language='den'))).text()
    text = pdf(section('s', ['a:int', 'b:bool'], [[1234567, False], [1234, None], [-98765, True]], **about(language='fr')), section('t', ['a:text'], [])).text()
    assert 'Data as of' in text and '1,234,567 no' in text and '1234' in text and '-98,765' in text and 'no rows' in text


def test_every_page_has_its_number_title_date_and_header(pdf):
    done = pdf(section('customers', ['organization:text', 'country:text'], [[f'Customer {i}', 'DE'] for i in range(200)], **about()))
    pages = done.pages()
    assert len(pages) == done.answer['pages'] > 3
    for i, page in enumerate(pages, 1):
        assert f'{i} / {len(pages)}' in page and '2026-12-01 · Monthly report' in page
        assert page.count('organization country') == 1
    assert [f'Customer {i} DE' for i in range(200)] == re.findall('Customer \\d+ DE', '\n'.join(pages))


def test_wide_tables_lie_on_their_side(pdf):
    narrow, wide = [f'c{i}:text' for i in range(6)], [f'c{i}:text' for i in range(7)]
    done = pdf(section('a', narrow, [['x'] * 6], **about()), section('b', wide, [['x'] * 7]), section('c', narrow, [['x'] * 6]))
    assert [done.size(i) for i in (1, 2, 3)] == [A4, A4[::-1], A4]


def test_a_heading_is_not_left_behind(pdf):
    """Whatever stands before it, a heading is on the page of its table's first row."""
    for n in range(38, 50):
        done = pdf(section('a', ['x:text'], [[f'row{i}'] for i in range(n)], **about()), section('b', ['y:text'], [['below']], heading='The heading'))
        assert all(('The heading' in p) == ('below' in p) for p in done.pages()) and 'below' in done.text()


def test_times_are_shown_in_the_zone_and_the_first_zone_counts_for_all(pdf):
    zone = {'name': 'Europe/Berlin', 'offsets': [[0, 3600]]}
    text = pdf(section('a', ['t:time', 'd:date'], [['2026-12-01T23:30:00Z', '2026-12-01'], ['soon', None]], zone=zone), section('b', ['t:time'], [['2026-06-01T10:00:00Z']]),
               section('c', ['t:time'], [['2026-06-01T10:00:00Z']], zone={'name': 'UTC', 'offsets': [[0, 0]]})).text()
    assert '2026-12-02 00:30:00 2026-12-01' in text and 'soon' in text and '2026-06-01 11:00:00' in text and '2026-06-01 10:00:00' in text


def test_labels_stand_for_names(pdf):
    head = json.dumps({'sheet': 's', 'columns': [{'name': 'registered_account', 'type': 'text'}, {'name': 'country', 'type': 'text', 'label': 'Land'}]})
    text = pdf(head.encode() + b'\n["a","b"]\n').text()
    assert 'registered account Land' in text and 'country' not in text


def test_long_texts_are_wrapped_in_their_cell(pdf):
    words = ' '.join(f'word{i}' for i in range(120))
    address = 'x' * 90 + '@example.example'
    pages = pdf(section('s', ['a:text', 'b:text', 'c:text'], [[words, address, 'after']])).pages()
    assert len(pages) == 1
    assert re.findall(r'word\d+', pages[0]) == words.split() and address in pages[0].replace('\n', '')


def test_a_row_higher_than_a_page_goes_on(pdf):
    lines = [f'line {i}' for i in range(300)]
    done = pdf(section('s', ['n:int', 'text:text'], [[1, 'before'], [2, '\n'.join(lines)], [3, 'after']], **about()))
    pages = done.pages()
    assert len(pages) >= 4 and all('n text' in p for p in pages)
    assert re.findall(r'line \d+', '\n'.join(pages)) == lines and 'after' in pages[-1]


def test_a_text_longer_than_a_cell_is_cut_with_a_warning(pdf):
    done = pdf(section('s', ['text:text'], [['x'], ['ab ' * 12000]]))
    assert [w['code'] for w in done.answer['warnings']] == ['text-cut'] and '36000' in done.answer['warnings'][0]['message']
    assert done.text().rstrip().count('…') == 1


def test_25_columns_are_readable(pdf):
    """Side by side they would be too small to read: they go on several tables, the first column in front of each."""
    names = [f'column_{chr(97 + i)}' for i in range(25)]
    rows = [[f'Contoso Holding {r}'] + [f'value {r} {n[-1]}' for n in names[1:]] for r in range(40)]
    done = pdf(section('s', [n + ':text' for n in names], rows, **about()))
    text = done.text()
    assert all(text.count(' '.join(n.split('_'))) >= 1 for n in names)
    for r in range(40):
        for n in names[1:]:
            assert f'value {r} {n[-1]}' in text
    assert 'columns 1–' in text and 'of 25' in text and len(re.findall(r'Contoso Holding 7\b', text)) > 1
    box = subprocess.run(['pdftotext', '-bbox', done.path, '-'], stdout=subprocess.PIPE, check=True).stdout.decode()
    words = [[float(x) for x in w] for w in re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">', box)]
    assert words and max(w[2] for w in words) < A4[1] - 30 and min(w[3] - w[1] for w in words) > 7
    for page in box.split('<page')[1:]:
        spots = sorted((round(float(y)), float(a), float(b)) for a, y, b in re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)"', page))
        assert all(q[1] >= p[2] - 0.5 for p, q in zip(spots, spots[1:]) if p[0] == q[0])        # no word lies over another


def test_many_columns_end(pdf):
    done = pdf(section('s', [f'c{i}:int' for i in range(300)], [list(range(300))] * 3))
    assert 'c299' in done.text() and done.answer['rows'] == 3


# ---- scripts ----

def fonts_cover(character):
    out = subprocess.run(['fc-list', f':charset={ord(character):x}', 'file'], stdout=subprocess.PIPE).stdout
    return bool(out.strip())


@pytest.mark.parametrize('text', ['Zażółć gęślą jaźń', 'Ελληνικά', 'Кириллица', 'שלום עולם', 'مرحبا بالعالم', '日本語テキスト'],
                         ids=['polish', 'greek', 'cyrillic', 'hebrew', 'arabic', 'japanese'])
def test_scripts(pdf, text):
    if not all(fonts_cover(c) for c in text if c != ' '):
        pytest.skip('no font for it here')
    done = pdf(section('s', ['a:text', 'b:text'], [[text, 'after']], heading=text))
    assert done.answer['warnings'] == []
    shown = done.text()
    # Arabic comes back as presentation forms, or in the order of the eye: what counts is that letters were drawn.
    def letters(s):
        return sorted(c for c in unicodedata.normalize('NFKC', s) if not c.isspace() and unicodedata.category(c) != 'Cf')
    assert set(letters(text)) <= set(letters(shown))


def test_right_to_left_is_set_from_the_right(pdf):
    done = pdf(section('s', ['a:text', 'b:text'], [['שלום', 'x'], ['latin text of some length that is wider', 'x']]))
    box = subprocess.run(['pdftotext', '-bbox', done.path, '-'], stdout=subprocess.PIPE, check=True).stdout.decode()
    start = {w: float(x) for x, w in re.findall(r'xMin="([\d.]+)"[^>]*>([^<]*)<', box)}
    hebrew = [x for w, x in start.items() if any('\u0590' <= c <= '\u05ff' for c in w)]
    assert hebrew and hebrew[0] > start['latin'] + 50


def test_what_no_font_has_is_a_box_and_a_warning(pdf):
    done = pdf(section('s', ['a:text'], [['\U0001f468\u200d\U0001f469'], ['\ue000\ue000'], ['\ue000 again'], ['\x01'], ['a\0b'], ['\ufffe']]))
    told = {re.search(r'U\+([0-9A-F]{4,6})', w['message'])[1] for w in done.answer['warnings']}
    assert {w['code'] for w in done.answer['warnings']} == {'no-glyph'} and len(told) == len(done.answer['warnings'])
    assert {'E000', '0001', '0000', 'FFFE'} <= told
    assert sum(sum(p != (255, 255, 255) for p in row) for row in done.pixels(1, 30)[2]) > 100
    many = pdf(section('s', ['a:text'], [[chr(0xe000 + i)] for i in range(100)]))
    assert len(many.answer['warnings']) == 20


@pytest.mark.slow
def test_hostile_text_is_only_text(pdf):
    texts = hostile.valid()
    rows = [[i, t, f'after{i}.'] for i, t in enumerate(texts)]
    done = pdf(section('=1+1', ['n:int', 'text:text', 'c:text'], rows, heading=texts[0], **about(title='%PDF <b>&amp;\u202e ) /JS (', partner='a\\)b\ufffe', customer='\x01')))
    text = done.text()
    assert int(done.info()['Pages']) == done.answer['pages'] and done.answer['rows'] == len(texts)
    assert done.info()['JavaScript'].strip() == 'no' and done.info()['Form'].strip() == 'none'
    # Every row is where it belongs, whatever its middle holds.
    assert re.findall(r'after\d+\.', text) == [f'after{i}.' for i in range(len(texts))]
    plain = [t for t in texts if re.fullmatch('[!-~]+( [!-~]+)*', t) and len(t) < 40]
    assert len(plain) > 20 and [t for t in plain if t not in text.replace('\n', ' ')] == []


def test_piled_marks_stay_in_their_row(pdf):
    done = pdf(section('s', ['a:text'], [['x']] * 20 + [['a' + '\u0301' * 400]]))
    without = pdf(section('s', ['a:text'], [['x']] * 20 + [['á']]))
    _, height, rows = done.pixels(1)
    assert rows[:int(height * 0.3)] == without.pixels(1)[2][:int(height * 0.3)]


# ---- charts ----

BLUE, ORANGE, GREEN, VERMILLION = (0, 0x72, 0xb2), (0xe6, 0x9f, 0), (0, 0x9e, 0x73), (0xd5, 0x5e, 0)


def chart(kind, x='x', series=('finished', 'failed'), title='A chart'):
    return {'chart': {'kind': kind, 'title': title, 'x': x, 'series': list(series)}}


def test_stacked_bars(pdf):
    rows = [[d, 30 + i % 5, i % 7] for i, d in enumerate(days(30))]
    done = pdf(section('jobs', ['x:date', 'finished:int', 'failed:int'], rows, heading='Jobs', **chart('stacked-bars'), **about()))
    text = done.pages()[0]
    assert 'A chart' in text and '2026-01-01' in text and re.search(r'^40$', text, re.M)
    green, red = done.count(1, GREEN), done.count(1, VERMILLION)
    assert green > 10 * red / 3 > 100                        # what went well is green, and there is about ten times as much of it
    assert 'finished' in text and 'failed' in text


def test_lines_have_gaps_where_nothing_is_known(pdf):
    whole = [[f'2026-{m:02}', 10 ** 12 + m * 10 ** 11, 5 * 10 ** 11] for m in range(1, 13)]
    gap = [[x, a, b if i not in (4, 5, 6) else None] for i, (x, a, b) in enumerate(whole)]
    columns = ['x:text', 'bytes_stored:int', 'bytes_byos:int']
    shape = chart('lines', series=['bytes_stored', 'bytes_byos'])
    full = pdf(section('storage', columns, whole, **shape))
    assert 'TB' in full.text() and '2026-12' in full.text()
    n = full.count(1, ORANGE, 100)
    less = pdf(section('storage', columns, gap, **shape)).count(1, ORANGE, 100)
    assert full.count(1, BLUE, 100) > 100 and 0.4 * n < less < 0.85 * n
    alone = pdf(section('storage', columns, [[x, a, b if i == 5 else None] for i, (x, a, b) in enumerate(whole)], **shape)).count(1, ORANGE, 100)
    assert 5 < alone < n / 3


def test_bars(pdf):
    done = pdf(section('states', ['x:text', 'count:int'], [['trial', 3], ['active', 40], ['expired', 0]], **chart('bars', series=['count'])))
    text = done.text()
    assert done.count(1, BLUE) > 500 and all(w in text for w in ('trial', 'active', 'expired'))


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['stacked-bars', 'lines', 'bars'])
@pytest.mark.parametrize('n', [0, 1, 400])
def test_charts_of_any_length(pdf, kind, n):
    rows = [[d, i % 9 + 1, None if i % 5 == 4 else -(i % 4)] for i, d in enumerate(days(n))]
    done = pdf(section('s', ['x:date', 'finished:int', 'failed:int'], rows, heading='Head', **chart(kind)))
    first = done.pages()[0]
    assert 'A chart' in first and ('no data' in first) == (n == 0) and (days(1)[0] in first) == (n > 0)
    assert (done.count(1, GREEN, 100) > (20 if n == 1 else 400)) == (n > 0) or kind == 'lines' and n == 1
    if n:
        assert first.count('2026-') < 80 and days(n)[-1] in done.text()
    box = subprocess.run(['pdftotext', '-bbox', '-l', '1', done.path, '-'], stdout=subprocess.PIPE, check=True).stdout.decode()
    labels = sorted((round(float(y)), float(a), float(b)) for a, y, b in re.findall(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="[\d.]+">20[\d-]+<', box))
    assert all(q[1] > p[2] for p, q in zip(labels, labels[1:]) if p[0] == q[0])     # dates below do not touch


def test_numbers_of_any_size(pdf):
    for value in (0, 1, 3, 99999, 10 ** 6, 2 ** 63 - 1, -5):
        done = pdf(section('s', ['x:text', 'finished:int'], [['a', value]], **chart('bars', series=['finished'])))
        assert 'A chart' in done.text()


def test_more_points_than_a_chart_draws(pdf):
    done = pdf(section('s', ['x:int', 'finished:int'], [[i, i] for i in range(2001)], **chart('lines', series=['finished'])))
    assert [w['code'] for w in done.answer['warnings']] == ['chart-cut'] and '2000 of 2001' in done.answer['warnings'][0]['message']


def test_many_series_can_be_told_apart(pdf):
    names = [f's{i}' for i in range(24)]
    done = pdf(section('s', ['x:text'] + [n + ':int' for n in names], [['a'] + [10] * 24] * 3, **chart('stacked-bars', series=names)))
    assert all(re.search(rf'\b{n}\b', done.pages()[0]) for n in names)


def workbook(tmp_path, *sections):
    path = tmp_path / 'document.xlsx'
    done = run(path, document(*sections), 'xlsx')
    assert done.returncode == 0, done.stdout
    return openpyxl.load_workbook(io.BytesIO(path.read_bytes())), json.loads(done.stdout), path


def test_sections_of_a_workbook_are_sheets_with_charts(tmp_path):
    rows = [[d, i, None if i == 3 else i % 3] for i, d in enumerate(days(10))]
    columns = ['x:date', 'finished:int', 'failed:int']
    book, answer, path = workbook(
        tmp_path, section('facts', None, [['Organization', 'Contoso'], {'label': 'Country', 'value': 'DE'}], facts=True, **about()),
        section('jobs', columns, rows, **chart('stacked-bars', title='=1+1')), section('2024', columns, rows, **chart('lines')),
        section('jobs', columns, rows, **chart('bars')), section("it's", columns, [], **chart('bars')))
    assert book.sheetnames == ['facts', 'jobs', '2024', 'jobs (2)', "it's"] and answer['rows'] == 32 and answer['sheets'] == 5
    assert [[c.value for c in r] for r in book['facts']] == [['label', 'value'], ['Organization', 'Contoso'], ['Country', 'DE']]
    assert [len(book[s]._charts) for s in book.sheetnames] == [0, 1, 1, 1, 1]
    bars, lines, grouped = (book[s]._charts[0] for s in ('jobs', '2024', 'jobs (2)'))
    assert (type(bars).__name__, bars.grouping) == ('BarChart', 'stacked') and type(lines).__name__ == 'LineChart' and grouped.grouping == 'clustered'
    for sheet, one in (('jobs', bars), ('2024', lines), ('jobs (2)', grouped)):
        assert [s.val.numRef.f for s in one.series] == [f"'{sheet}'!$B$2:$B$11", f"'{sheet}'!$C$2:$C$11"]
        assert [s.tx.strRef.f for s in one.series] == [f"'{sheet}'!$B$1", f"'{sheet}'!$C$1"]
        assert one.anchor._from.col >= 4                     # beside the rows, not over them
    with zipfile.ZipFile(path) as z:
        titles = re.findall('<a:t>([^<]*)</a:t>', ''.join(z.read(n).decode() for n in z.namelist() if 'charts/chart' in n))
    assert titles.count('=1+1') == 1                         # a text, and no formula
    assert book.properties.created == datetime.datetime(2026, 12, 1)


# ---- pictures ----

RED = png([bytes([220, 20, 20] * 60)] * 30)


def encoded(data):
    return base64.b64encode(data).decode()


def test_logo_and_symbol(pdf):
    plain = pdf(section('s', ['a:text'], [['x']], **about()))
    assert plain.count(1, (220, 20, 20)) == 0
    blue = jpeg([[(29, 255, 107)] * 4] * 4)                  # blue, in luminance and colour
    done = pdf(section('s', ['a:text'], [['x']], **about(logo=encoded(RED), symbol=encoded(blue))))
    width, _, rows = done.pixels(1)
    def spots(color):
        return [x for row in rows for x, p in enumerate(row) if all(abs(a - b) < 40 for a, b in zip(p, color))]
    assert spots((220, 20, 20)) and max(spots((220, 20, 20))) < width / 2
    assert spots((0, 0, 255)) and min(spots((0, 0, 255))) > width / 2 and max(spots((0, 0, 255))) < width * 0.94
    assert pdf(section('s', ['a:text'], [['x']], **about(logo=None))).count(1, (220, 20, 20)) == 0


@pytest.mark.parametrize('depth, color, row, before, shown', [
    (8, 6, bytes([220, 20, 20, 255] * 60), b'', True), (8, 6, bytes([220, 20, 20, 0] * 60), b'', False),
    (1, 3, b'\0' * 8, chunk(b'PLTE', bytes([220, 20, 20, 0, 0, 0])), True),
    (8, 2, bytes([220, 20, 20] * 60), chunk(b'tRNS', b'\0\xdc\0\x14\0\x14'), False)], ids=['alpha', 'clear', 'palette', 'clear colour'])
def test_kinds_of_png_look_as_they_should(pdf, depth, color, row, before, shown):
    logo = png([row] * 30, depth, color, before, width=60)
    assert (pdf(section('s', ['a:text'], [['x']], **about(logo=encoded(logo)))).count(1, (220, 20, 20)) > 100) == shown


@pytest.mark.parametrize('data, code', [
    (RED[:-20], 'bad-image'), (b'GIF89a', 'wrong-type'), (SIGNATURE + png_header(4000, 4000) + chunk(b'IEND', b''), 'too-big'), (b'x' * 300000, 'wrong-type')],
    ids=['cut', 'gif', 'large', 'long'])
def test_hostile_pictures_are_refused(refusal, data, code):
    assert refusal(document(section('s', ['a:text'], [['x']], **about(symbol=encoded(data))))) == code


# ---- equal bytes ----

def sample():
    rows = [[f'Customer {i}', 'Müller', i, '2026-11-01T10:00:00Z'] for i in range(120)]
    return (section('facts', None, [['a', 'b']], facts=True, **about(logo=encoded(RED))), section('s', ['a:text', 'b:text', 'n:int', 't:time'], rows, heading='Rows'),
            section('c', ['x:date', 'finished:int', 'failed:int'], [[d, i, i % 3] for i, d in enumerate(days(30))], heading='Chart', **chart('stacked-bars')))


@pytest.mark.parametrize('mode', ['pdf', 'xlsx'])
def test_equal_rows_give_equal_bytes(tmp_path, mode):
    seen = set()
    data = document(*sample())
    for i, env in enumerate([{'TZ': 'UTC', 'LANG': 'C'}, {'TZ': 'Asia/Tokyo', 'LANG': 'ja_JP.UTF-8', 'LANGUAGE': 'ja'}, {'TZ': 'America/New_York', 'LC_ALL': 'de_DE.UTF-8'},
                             {'SOURCE_DATE_EPOCH': '1', 'PANGO_LANGUAGE': 'ar', 'FC_LANG': 'ja', 'HOME': '/nonexistent'}, {}]):
        path = tmp_path / f'document{i}'
        if i == 1:
            start = int(time.time())
            while int(time.time()) == start:                 # the next second: a time inside would be another one
                time.sleep(0.05)
        done = run(path, data, mode, env)
        assert done.returncode == 0
        seen.add(path.read_bytes())
    assert len(seen) == 1


def test_a_pipe_and_a_file_give_the_same(tmp_path):
    data = document(*sample())
    (tmp_path / 'rows').write_bytes(b'skipped\n' + data)
    with open(tmp_path / 'rows', 'rb', buffering=0) as f:
        f.seek(8)
        assert run(tmp_path / 'a', f).returncode == 0
    assert run(tmp_path / 'b', data).returncode == 0
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()


def test_other_data_is_another_date(pdf):
    one = pdf(section('s', ['a:text'], [['x']], **about())).data
    two = pdf(section('s', ['a:text'], [['x']], **about(data_date='2026-12-02'))).data
    assert one != two and b'20261201' in one and b'20261202' in two


# ---- size ----

@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path):
    if SANITIZED:
        pytest.skip('the sanitizers keep what was freed')
    r = random.Random(1)

    def peak(n):
        path = tmp_path / 'rows'
        with open(path, 'w') as f:
            f.write(section('jobs', ['organization:text', 'service:text', 'status:text', 'bytes:int', 'start:time', 'message:text'], [])[0] + '\n')
            for i in range(n):
                f.write(json.dumps([f'Contoso {r.randrange(10 ** 6)} GmbH', 'cloud-backup-m365', r.choice(['failed', 'finished']), r.randrange(10 ** 12),
                                    '2026-11-01T10:00:00Z', r.choice(['', 'Müller', 'throttled, 3 items were left out and are tried again tomorrow'])]) + '\n')
        program = ('import resource, subprocess, sys; r = subprocess.run(sys.argv[1:], pass_fds=[3]);'
                   'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(r.returncode)')
        with open(path, 'rb') as f:
            done = subprocess.run(['/bin/sh', '-c', 'exec "$0" "$@" 3<>"$DOCUMENT"', '/usr/bin/python3', '-c', program, str(PROGRAM), 'pdf', str(tmp_path)],
                                  env={'DOCUMENT': str(tmp_path / 'document')}, stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        answer = json.loads(done.stdout)
        assert answer['rows'] == n
        return int(done.stderr.split()[-1]), answer['pages']

    few, many = peak(1000), peak(100_000)
    print(f'1,000 rows: {few[0]} KiB, {few[1]} pages; 100,000 rows: {many[0]} KiB, {many[1]} pages')
    assert many[1] > 50 * few[1] and many[0] < 128 * 1024 and many[0] - few[0] < 48 * 1024


# ---- what is refused ----

def head(**changes):
    return (json.dumps({'sheet': 's', 'columns': [{'name': 'x', 'type': 'text'}, {'name': 'n', 'type': 'int'}], **changes}) + '\n["a",1]\n').encode()


WRONG = {
    'empty': (b'', 'bad-input'), 'no sheet': (b'{}\n', 'bad-input'), 'a row first': (b'[1]\n', 'bad-input'), 'no UTF-8': (b'\xff\n', 'bad-input'),
    'an object as a row': (head() + b'{"x":"a","n":1}\n', 'bad-input'), 'too few values': (head() + b'["a"]\n', 'bad-input'), 'cut': (head() + b'["a', 'bad-input'),
    'a second header that is none': (head() + b'{"sheet":"t"}\n', 'bad-input'), 'an unknown chart': (head(chart={'kind': 'pie', 'x': 'x', 'series': ['n']}), 'bad-input'),
    'a chart of no column': (head(chart={'kind': 'bars', 'x': 'y', 'series': ['n']}), 'bad-input'), 'a series of text': (head(chart={'kind': 'bars', 'x': 'x', 'series': ['x']}), 'bad-input'),
    'no series': (head(chart={'kind': 'bars', 'x': 'x', 'series': []}), 'bad-input'), 'facts with three columns': (document(section('s', ['a:text'] * 3, [], facts=True)), 'bad-input'),
    'facts of another key': (document(section('s', None, [{'label': 'a', 'wert': 'b'}], facts=True)), 'bad-input'), 'a wrong date': (head(document={'data_date': '2026-02-30'}), 'bad-input'),
    'a logo that is no base64': (head(document={'logo': '!!!!'}), 'bad-input'), 'a title that is no text': (head(document={'title': 1}), 'bad-input'),
    'too many columns': (document(section('s', [f'c{i}:int' for i in range(1025)], [])), 'too-many-columns'),
    'a long row': (head() + b'["' + b'x' * (17 << 20) + b'",1]\n', 'row-too-long'), 'too many sections': (head() * 201, 'too-many-sections')}


@pytest.mark.parametrize('case', WRONG)
def test_broken_input_is_refused(refusal, case):
    data, code = WRONG[case]
    assert refusal(data) == code


def test_a_series_that_is_no_number_is_refused(refusal):
    assert refusal(head(chart={'kind': 'bars', 'x': 'x', 'series': ['n']}) + b'["a","1"]\n') == 'bad-input'


def test_a_refusal_names_the_line(tmp_path):
    done = run(tmp_path / 'document', head() + head() + b'["a",oops]\n')
    assert 'line 5' in json.loads(done.stdout)['error']['text']


@pytest.mark.slow
def test_a_full_disk_is_told(tmp_path):
    r = random.Random(1)
    data = document(section('s', ['a:text'], [[r.randbytes(300).hex()] for _ in range(3000)]))
    (tmp_path / 'rows').write_bytes(data)
    with open(tmp_path / 'rows', 'rb') as f:
        done = run(tmp_path / 'document', f, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)))
    assert json.loads(done.stdout)['error']['code'] == 'no-space'


def test_without_a_font_it_says_so(tmp_path):
    (tmp_path / 'none').mkdir()
    (tmp_path / 'fonts.conf').write_text(f'<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{tmp_path}/none</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>')
    done = run(tmp_path / 'document', head(), env={'FONTCONFIG_FILE': str(tmp_path / 'fonts.conf')})
    assert done.returncode == 1 and json.loads(done.stdout)['error']['code'] == 'no-fonts' and 'fonts-dejavu-core' in done.stdout.decode()


# ---- the walls ----

def probe(name):
    if not HOOKS:
        pytest.skip('built without test hooks')
    return subprocess.run([PROGRAM, 'probe-pdf', name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).returncode


@pytest.mark.parametrize('name', ['read', 'write', 'unlink', 'kill', 'code', 'memory'])
def test_what_it_may_not_do_fails(name):
    if SANITIZED and name in ('read', 'memory'):
        pytest.skip('the sanitizers need that')
    assert probe(name) == 3


@pytest.mark.parametrize('name', ['socket', 'exec', 'fork', 'ptrace'])
def test_what_only_an_attacker_does_kills(name):
    assert probe(name) == -31                                # SIGSYS


def test_fonts_are_read_though_no_file_can_be_opened(pdf):
    done = pdf(section('s', ['a:text'], [['letters']]))
    fonts = subprocess.run(['pdffonts', done.path], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[2:]
    assert fonts and all(f.split()[-5] == 'yes' for f in fonts)      # embedded
    assert 'letters' in done.text()
