# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tenantctl prints: tables, JSON, files, errors; on a terminal and in a pipe."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import unicodedata

import pytest

from conftest import BUILD
from ctl import on_terminal


@pytest.fixture
def some(rig):
    rig.onboard('Contoso GmbH', 'admin@contoso.example', tags=('as', ['gold', 'wide']))
    rig.onboard('株式会社北風', 'kita@kita.example', country='JP')
    rig.onboard('Ünïcode — Ltd', 'u@u.example', country='AT')
    return rig


def cells(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in 'WF' else 1 for c in text)


def test_list_is_one_aligned_row_a_line_in_every_locale(some):
    for locale in ('C', 'C.UTF-8', 'de_DE.UTF-8', 'tr_TR'):
        r = some.ctl('customer', 'list', '--columns', 'organization,country,open_tickets', env={'LC_ALL': locale})
        assert r.returncode == 0 and r.stderr == ''
        lines = r.stdout.splitlines()
        assert len(lines) == 4 and lines[0].split() == ['ORGANIZATION', 'COUNTRY', 'OPEN_TICKETS']
        column = lines[0].index('COUNTRY')
        for line in lines[1:]:
            country = next(c for c in ('DE', 'JP', 'AT') if f' {c} ' in line)
            assert cells(line[:line.index(f' {country} ') + 1]) == column


def test_default_columns_legend_and_criteria(some):
    lines = some.ctl('customer', 'list').stdout.splitlines()
    assert lines[0].split() == ['ORGANIZATION', 'REGISTERED_ACCOUNT', 'STATUS', 'COUNTRY', 'SERVICES', 'OPEN_TICKETS']
    lines = some.ctl('customer', 'list', '--tag', 'gold').stdout.splitlines()
    assert lines[0] == 'customers with tag = gold: 1 of 3' and len(lines) == 3
    assert some.ctl('customer', 'list', '--tag', 'gold', '--no-legend').stdout.count('\n') == 1
    assert some.ctl('customer', 'list', '--tag', 'none').stdout == 'customers with tag = none: 0 of 3\n'
    limited = some.ctl('customer', 'list', '--country', 'DE,JP', '--limit', '1').stdout.splitlines()
    assert limited[0] == 'customers with country in (DE, JP): 2 of 3' and len(limited) == 3


def test_short_forms_are_terms_beside_the_filter(some):
    def names(*words):
        return {r['organization'] for r in json.loads(some.ctl('customer', 'list', '--json', *words).stdout)}
    assert names('--country', 'DE,AT') == names('--country', 'DE', '--country', 'AT') == {'Contoso GmbH', 'Ünïcode — Ltd'}
    assert names('--country', 'DE,AT', '--filter', 'tag = gold or country = JP') == {'Contoso GmbH'}
    assert names('--account', 'kita@kita.example') == {'株式会社北風'}
    assert names('--search', 'unicode') == {'Ünïcode — Ltd'}
    assert names('--mode', 'partner', '--state', 'active', '--open-tickets', 'no', '--pinned', 'no') == names()
    assert names('--tag', 'with "quotes" \\') == set() and names('--tag', 'and') == set()


def test_json_is_what_the_daemon_says_cut_to_the_columns(some):
    shown = json.loads(some.ctl('customer', 'show', 'Contoso GmbH', '--json').stdout)
    assert shown == some.customer('Contoso GmbH')
    rows = json.loads(some.ctl('customer', 'list', '--json=pretty', '--columns', 'organization,tags').stdout)
    assert rows[0] == {'organization': 'Contoso GmbH', 'tags': ['gold', 'wide']}
    assert json.loads(some.ctl('customer', 'list', '--json', '--tag', 'none').stdout) == []
    assert json.loads(some.ctl('customer', 'show', 'Contoso GmbH', '--json', '--columns', 'country,tags').stdout) == {'country': 'DE', 'tags': ['gold', 'wide']}
    wrong = some.ctl('customer', 'show', 'Contoso GmbH', '--columns', 'contry')
    assert wrong.returncode == 2 and 'did you mean "country"' in wrong.stderr


def test_a_long_list_is_whole_and_ordered(rig):
    names = [f'Customer {i:04}' for i in range(1203)]
    csv = 'organization,registered_account,first_name,last_name,country\n' + ''.join(f'{n},c{i}@x.example,A,B,DE\n' for i, n in enumerate(names))
    assert rig.ctl('customer', 'import', '-', input=csv).returncode == 0
    assert [r['organization'] for r in json.loads(rig.ctl('customer', 'list', '--json').stdout)] == names
    assert [r['organization'] for r in json.loads(rig.ctl('customer', 'list', '--json', '--limit', '777').stdout)] == names[:777]
    text = rig.ctl('customer', 'list', '--no-legend', '--columns', 'organization', '--sort', '-organization').stdout.splitlines()
    assert text == names[::-1]


def test_times_stand_in_the_partners_zone_and_json_in_utc(some):
    assert some.ctl('partner', 'set', '--zone', 'Asia/Kolkata').stdout == 'revision  1\n'
    created = json.loads(some.ctl('customer', 'show', 'Contoso GmbH', '--json').stdout)['created']
    assert created.endswith('Z')
    for words in (['customer', 'show', 'Contoso GmbH'], ['customer', 'list', '--columns', 'created']):
        assert ' IST' in some.ctl(*words, env={'TZ': 'America/Lima'}).stdout
        assert f'{created[:10]} {created[11:19]} UTC' in some.ctl(*words, '--utc', env={'TZ': 'America/Lima'}).stdout


def test_what_an_edit_of_many_would_change_is_seen_before_and_after(some):
    words = ['customer', 'edit', '--filter', 'country in (DE, AT)', '--phone', '+49 1', '--tag', 'gold,new']
    rows = ['Contoso GmbH ok phone: - -> +49 1; tags: gold, wide -> gold, new', 'Ünïcode — Ltd ok phone: - -> +49 1; tags: - -> gold, new']

    def table(text):
        head, *lines = text.split('\n\n')[-1].strip().split('\n')
        return head.split(), sorted(' '.join(line.split()[1:]) for line in lines)
    assert table(some.ctl(*words, '--dry-run').stdout) == (['N', 'ORGANIZATION', 'OUTCOME', 'CHANGE'], rows)
    assert some.customer('Contoso GmbH')['tags'] == ['gold', 'wide']
    assert some.ctl(*words).returncode == 0
    operation = json.loads(some.ctl('operation', 'list', '--json').stdout)[0]['id']
    assert table(some.ctl('operation', 'show', operation).stdout) == (['N', 'ORGANIZATION', 'OUTCOME', 'CHANGE'], rows)
    # Where something is refused, its reason stands beside; where nothing was there before, nothing is told of it.
    csv = 'organization,registered_account,first_name,last_name,country\nNew,new@x.example,A,B,DE\nBad,bad@x.example,A,B,QQ\n'
    done = some.ctl('customer', 'import', '-', '--dry-run', input=csv)
    head, lines = table(done.stdout)
    assert done.returncode == 5 and head == ['LINE', 'ORGANIZATION', 'OUTCOME', 'REASON', 'MESSAGE'] and lines[0].startswith('Bad refused') and lines[1] == 'New ok - -'


def test_errors_have_codes_candidates_and_leave_stdout_empty(some):
    r = some.ctl('customer', 'show', 'Contoso')
    assert r.returncode == 3 and r.stdout == '' and 'no-such-customer' in r.stderr and 'did you mean "Contoso GmbH"?' in r.stderr
    r = some.ctl('customer', 'show', 'Contoso', '--json')
    assert r.returncode == 3 and r.stdout == ''
    error = json.loads(r.stderr)['error']
    assert error['code'] == 'no-such-customer' and 'Contoso GmbH' in error['candidates']
    r = some.ctl('customer', 'list', '--json', '--filter', 'contry = DE')
    assert r.returncode == 2 and r.stdout == '' and json.loads(r.stderr)['error']['message']


def test_strangers_are_4(some):
    if os.geteuid() != 0:
        pytest.skip('needs root to be somebody else')
    subprocess.run(['chmod', '-R', 'a+rX', BUILD], check=False)
    r = some.ctl('customer', 'list', uid=65534)
    assert r.returncode == 4 and r.stdout == ''


def test_a_pipe_is_never_paged_coloured_or_cut(some):
    r = some.ctl('customer', 'list', '--columns', 'organization,registered_account,id,created,tags,status,country',
                 env={'PAGER': 'false', 'TERM': 'xterm', 'COLUMNS': '20'})
    assert r.returncode == 0 and '\033' not in r.stdout and 'admin@contoso.example' in r.stdout
    assert all(len(line) > 80 for line in r.stdout.splitlines())


def test_a_terminal_is_paged_coloured_and_cut(some):
    columns = ['--columns', 'organization,registered_account,state,created']
    r = on_terminal(some, 'customer', 'list', *columns, env={'PAGER': 'sed s/^/paged:/', 'COLUMNS': '60'})
    assert r.returncode == 0 and 'paged:ORGANIZATION' in r.output
    lines = [re.sub(r'\033\[[0-9;]*m', '', line).rstrip() for line in r.output.splitlines()]
    assert all(cells(line) <= 60 + len('paged:') for line in lines)
    assert 'paged' not in on_terminal(some, 'customer', 'list', '--no-pager', env={'PAGER': 'sed s/^/paged:/'}).output
    assert 'paged' not in on_terminal(some, 'customer', 'list', env={'PAGER': 'sed s/^/paged:/', 'TERM': 'dumb'}).output
    for nonsense in ('0', 'wide', '-5'):
        assert on_terminal(some, 'customer', 'list', *columns, env={'COLUMNS': nonsense}).returncode == 0


def plain_lines(output):
    return [re.sub(r'\033\[[0-9;]*m', '', line).rstrip() for line in output.splitlines()]


def test_a_narrow_terminal_cuts_names_last(rig):
    names = ['Adviesbureau IJsvogel', 'Förderverein Grundschule Süd', '税理士法人やまびこ北風の会']
    for n, name in enumerate(names):
        rig.onboard(name, f'somebody.with.a.long.address.{n}@customers.example')
    lines = plain_lines(on_terminal(rig, 'customer', 'list', env={'COLUMNS': '80'}).output)
    assert len(lines) == 4 and all(cells(line) <= 80 for line in lines)
    assert [line.split('  ')[0] for line in lines[1:]] == names and all(re.search(r' somebod\S*… ', line) for line in lines[1:])
    # Still narrower: what one can tell them apart by, and no line is broken.
    for width, shown in ((60, 15), (40, 9)):
        lines = plain_lines(on_terminal(rig, 'customer', 'list', env={'COLUMNS': str(width)}).output)
        assert all(cells(line) <= width for line in lines) and lines[1].startswith(names[0][:shown])
    # Digits and ids are never cut: half of one is another one.
    rows = json.loads(rig.ctl('customer', 'list', '--json').stdout)
    lines = plain_lines(on_terminal(rig, 'customer', 'list', '--columns', 'id,created,open_tickets', env={'COLUMNS': '50'}).output)
    assert [line.split()[0] for line in lines[1:]] == [r['id'] for r in rows] and all(line.endswith(' 0') for line in lines[1:])


def test_colours_only_where_they_are_wanted(some):
    some.ctl('customer', 'import', '-', input='organization,country\nNobody,ZZ\n')
    assert '\033[31m' in on_terminal(some, 'operation', 'list').output
    assert '\033[31m' in on_terminal(some, 'operation', 'list', env={'NO_COLOR': ''}).output
    assert '\033[' not in on_terminal(some, 'operation', 'list', env={'NO_COLOR': '1'}).output
    assert '\033[' not in on_terminal(some, 'operation', 'list', env={'TERM': 'dumb'}).output


@pytest.mark.parametrize('words', [['customer', 'list'], ['customer', 'list', '--json'], ['customer', 'show', 'Contoso GmbH'], ['--help']])
def test_a_closed_pipe_ends_it_silently(some, words):
    read, write = os.pipe()
    os.close(read)
    for inherited in (True, False):                  # False: SIGPIPE is ignored by whoever starts it
        r = subprocess.run([BUILD / 'tenantctl', f'--bus={some.bus.address}', *words], stdout=write, stderr=subprocess.PIPE, timeout=60,
                           restore_signals=inherited)
        assert r.returncode == -signal.SIGPIPE and r.stderr == b''
    os.close(write)


def test_stdout_that_cannot_be_written_is_1_with_the_id_on_stderr(some):
    with open('/dev/full', 'w') as full:
        words = ['customer', 'onboard', '--organization', 'Full Disk', '--account', 'f@f.example', '--first-name', 'A', '--last-name', 'B', '--country', 'DE']
        r = subprocess.run([BUILD / 'tenantctl', f'--bus={some.bus.address}', *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert r.returncode == 1 and some.customer('Full Disk')['id'] in r.stderr
        for words in (['customer', 'list'], ['customer', 'list', '--json'], ['customer', 'show', 'Full Disk'], ['--help'], ['--version']):
            r = subprocess.run([BUILD / 'tenantctl', f'--bus={some.bus.address}', *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            assert r.returncode == 1 and 'cannot be written' in r.stderr, words


def test_export_goes_by_the_suffix_and_replaces_whole_files(some, tmp_path):
    out = tmp_path / 'customers.csv'
    out.write_text('old')
    link = tmp_path / 'link.csv'
    link.symlink_to(out)
    r = some.ctl('report', 'export', 'customers', '--output', link, '--columns', 'organization')
    assert r.returncode == 0 and link.is_symlink()
    assert out.read_bytes() == '\ufefforganization\r\nContoso GmbH\r\nÜnïcode — Ltd\r\n株式会社北風\r\n'.encode()
    assert some.ctl('report', 'export', 'customers', '--output', tmp_path / 'c.JSON', '--columns', 'organization').returncode == 0
    assert len(json.loads((tmp_path / 'c.JSON').read_text())) == 3
    assert sorted(os.listdir(tmp_path)) == ['c.JSON', 'customers.csv', 'link.csv']


def test_export_to_stdout_is_the_bytes_alone(some):
    r = some.ctl('report', 'export', 'customers', '--format', 'csv', '--no-bom', '--columns', 'organization,country', '--output', '-', '--filter', 'country = DE')
    assert r.returncode == 0 and r.stderr == '' and r.stdout.splitlines() == ['organization,country', 'Contoso GmbH,DE']
    report = json.loads(some.ctl('report', 'list', '--json', '--limit', '1').stdout)[0]
    saved = some.ctl('report', 'save', report['id'], '--output', '-')
    assert saved.stdout == r.stdout


def test_export_without_output_is_named_by_kind_and_date(some, tmp_path):
    r = subprocess.run([BUILD / 'tenantctl', f'--bus={some.bus.address}', 'report', 'export', 'customers', '--format', 'json', '--json'],
                       cwd=tmp_path, capture_output=True, text=True, timeout=60)
    row = json.loads(r.stdout)
    assert os.listdir(tmp_path) == [f"customers-{row['data_date']}.json"] and row['rows'] == 3


def test_output_that_fails_leaves_the_old_file_and_nothing_else(some, tmp_path):
    if os.geteuid() == 0:
        target = '/proc/sys/kernel/nothing.csv'
        assert some.ctl('report', 'export', 'customers', '--output', target).returncode == 1
    old = tmp_path / 'old.csv'
    old.write_text('old')
    assert some.ctl('report', 'export', 'customers', '--output', old, '--filter', 'nonsense = 1').returncode == 2
    assert some.ctl('report', 'export', 'nonsense', '--output', old).returncode == 2
    assert some.ctl('report', 'export', 'customers', '--output', tmp_path / 'no' / 'x.csv').returncode == 1
    assert old.read_text() == 'old' and os.listdir(tmp_path) == ['old.csv']


def test_a_disk_that_is_full_in_the_middle_leaves_the_old_file_too(some, tmp_path):
    old = tmp_path / 'old.json'
    old.write_text('old')
    script = f'trap "" XFSZ; ulimit -f 1; exec {BUILD}/tenantctl --bus={some.bus.address} report export customers --output {old}'
    r = subprocess.run(['bash', '-c', script], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and 'cannot be written' in r.stderr and 'report save' in r.stderr
    assert old.read_text() == 'old' and os.listdir(tmp_path) == ['old.json']


def test_where_a_report_cannot_be_written_its_id_is_said_in_json_too(some):
    r = some.ctl('--json', 'report', 'export', 'customers', '--format', 'csv', '--output', '/dev/full')
    newest = json.loads(some.ctl('report', 'list', '--json', '--limit', '1').stdout)[0]
    assert r.returncode == 1 and r.stdout == '' and newest['id'] in json.loads(r.stderr)['error']['message']


@pytest.mark.parametrize('words', [['customer', 'list'], ['customer', 'list', '--json'], ['report', 'export', 'customers', '--format', 'csv', '--output', '-']])
def test_an_answer_that_nobody_gets_is_a_failure(some, words):
    """stdout is closed: what would be said there is lost."""
    r = subprocess.run(['bash', '-c', f'exec {BUILD}/tenantctl --bus={some.bus.address} {" ".join(words)} >&-'], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and 'cannot be written' in r.stderr


def test_a_backup_on_stdout_is_the_backup_alone(some, tmp_path):
    target = tmp_path / 'backup.db'
    with open(target, 'wb') as out:
        r = subprocess.run([BUILD / 'tenantctl', f'--bus={some.bus.address}', 'admin', 'backup', '-'], stdout=out, stderr=subprocess.PIPE, text=True, timeout=60)
    assert r.returncode == 0 and r.stderr == ''
    r = some.ctl('admin', 'verify', target)
    assert r.returncode == 0, r.stderr


def test_where_there_is_no_pager_nothing_is_paged(some, tmp_path):
    (tmp_path / 'cat').symlink_to('/bin/cat')
    r = on_terminal(some, 'customer', 'list', env={'PAGER': None, 'PATH': str(tmp_path)})
    assert r.returncode == 0 and 'Contoso GmbH' in r.output and 'not found' not in r.output


def test_a_backup_may_come_by_a_pipe_however_large_it_is(some, tmp_path):
    large = some.folder / 'large.db'
    assert some.ctl('admin', 'backup', large).returncode == 0
    with sqlite3.connect(large) as db:               # free pages
        db.execute('CREATE TABLE room(b)')
        db.executemany('INSERT INTO room VALUES(zeroblob(?))', [(1 << 20,)] * 66)
        db.execute('DROP TABLE room')
    db.close()
    assert large.stat().st_size > 64 << 20
    with subprocess.Popen(['cat', large], stdout=subprocess.PIPE) as pipe:
        r = subprocess.run([BUILD / 'tenantctl', f'--bus={some.bus.address}', 'admin', 'verify', '-'], stdin=pipe.stdout, capture_output=True, text=True,
                           env={**os.environ, 'TMPDIR': str(tmp_path)}, timeout=60)
    assert r.returncode == 0 and r.stdout == some.ctl('admin', 'verify', large).stdout, r.stderr
    assert os.listdir(tmp_path) == []


def test_binary_never_goes_to_a_terminal(some):
    r = on_terminal(some, 'report', 'export', 'customers', '--output', '-')
    assert r.returncode == 2 and 'terminal' in r.output
    assert json.loads(some.ctl('report', 'list', '--json').stdout) == []


def test_version_names_both(some):
    lines = some.ctl('--version').stdout.splitlines()
    assert lines[0].startswith('tenantctl ') and lines[1].startswith('tenantd ') and 'cannot' not in lines[1]


def test_backup_is_a_private_whole_file(some, tmp_path):
    target = tmp_path / 'backup.db'
    r = some.ctl('admin', 'backup', target)
    assert r.returncode == 0, r.stderr
    assert target.read_bytes()[:15] == b'SQLite format 3' and target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ['backup.db']
    some.ctl('partner', 'set', '--zone', 'Asia/Kolkata')
    assert re.search(r'^newest +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d IST$', some.ctl('admin', 'verify', target).stdout, re.M)
