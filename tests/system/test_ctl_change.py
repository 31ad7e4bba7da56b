# SPDX-License-Identifier: LGPL-2.1-or-later
"""tenantctl as the hand that changes things: options to fields, several at once, questions, replies that are lost."""
import json
import os
import re
import signal
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from conftest import BUILD, DEADLINE, wait_until
from ctl import Terminal, on_terminal

WHO = ['--first-name', 'Ada', '--last-name', 'Example', '--country', 'DE']


def onboard(rig, name, account, *more):
    r = rig.ctl('customer', 'onboard', '--json', '--organization', name, '--account', account, *WHO, *more)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)['id']


def png(side=8):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + b'\x10\x80\xf0' * side for _ in range(side))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


@pytest.fixture
def three(rig):
    for i, name in enumerate(('Alpha AG', 'Beta AG', 'Gamma AG')):
        onboard(rig, name, f'a{i}@x.example', '--tag', 'trial')
    return rig


def test_every_option_of_onboard_and_edit_arrives(rig, tmp_path):
    identity = onboard(rig, 'Contoso GmbH', 'admin@contoso.example', '--tag', 'gold,west', '--tag', 'north', '--custom', 'site=a=b', '--custom', 'room=1',
                       '--contact', 'billing:b@x.example:Bill: Ing', '--contact', 'technical:t@x.example', '--phone', '+49 30 1',
                       '--language', 'de', '--zone', 'Europe/Berlin', '--mode', 'unset')
    c = rig.customer(identity)
    assert sorted(c['tags']) == ['gold', 'north', 'west'] and c['custom'] == {'site': 'a=b', 'room': '1'}
    assert [(x['role'], x['address'], x['name']) for x in c['contacts']] == [('billing', 'b@x.example', 'Bill: Ing'), ('technical', 't@x.example', None)]
    assert (c['phone'], c['language'], c['time_zone'], c['management_mode']) == ('+49 30 1', 'de', 'Europe/Berlin', 'unset')

    logo = tmp_path / 'logo.png'
    logo.write_bytes(png())
    r = rig.ctl('customer', 'edit', 'Contoso GmbH', '--organization', 'Contoso AG', '--symbol', logo, '--service-reports', 'on',
                '--service-recipients', 'c@x.example;d@x.example', '--tag', 'silver', '--clear', 'phone,zone')
    assert r.returncode == 0, r.stderr
    c = rig.customer('Contoso AG')
    assert c['symbol']['type'] == 'png' and c['symbol']['width'] == 8
    assert c['deliveries.service_reports.enabled'] and c['deliveries.service_reports.recipients'] == ['c@x.example', 'd@x.example']
    assert c['tags'] == ['silver'] and c['phone'] is None and c['time_zone'] is None

    out = tmp_path / 'out.png'
    r = rig.ctl('customer', 'show', 'Contoso AG', '--symbol-output', out)
    assert r.returncode == 0 and 'Contoso AG' in r.stdout and out.read_bytes().startswith(b'\x89PNG')
    alone = subprocess.run([BUILD / 'tenantctl', f'--bus={rig.bus.address}', 'customer', 'show', 'Contoso AG', '--symbol-output', '-'], capture_output=True, timeout=60)
    assert alone.stdout == out.read_bytes()


def test_created_objects_print_their_id(rig):
    r = rig.ctl('customer', 'onboard', '--organization', 'One', '--account', 'one@x.example', *WHO)
    assert rig.customer('One')['id'] in r.stdout
    r = rig.ctl('view', 'save', 'gold', '--filter', 'tag = gold', '--columns', 'organization,tags', '--sort', '-organization')
    assert r.returncode == 0 and r.stdout.split()[1] in rig.ctl('view', 'list', '--columns', 'id').stdout


def test_exit_codes_of_refusals(three):
    assert three.ctl('customer', 'onboard', '--organization', 'X', '--account', 'a0@x.example', *WHO).returncode == 5
    assert three.ctl('customer', 'onboard', '--organization', 'X', '--account', 'nonsense', *WHO).returncode == 2
    assert three.ctl('customer', 'onboard', '--organization', 'X').returncode == 2
    assert three.ctl('customer', 'edit', 'Alpha AG', '--phone', '1', '--revision', '99').returncode == 5
    assert three.ctl('customer', 'edit', 'Nobody', '--phone', '1').returncode == 3
    same = ['--request-id', 'r1']
    assert three.ctl('customer', 'edit', 'Alpha AG', '--phone', '1', *same).returncode == 0
    assert three.ctl('customer', 'edit', 'Alpha AG', '--phone', '1', *same).returncode == 0
    assert three.ctl('customer', 'edit', 'Alpha AG', '--phone', '2', *same).returncode == 5
    assert three.customer('Alpha AG')['revision'] == 2


def test_a_name_that_looks_like_an_option(rig):
    onboard(rig, '--help', 'h@x.example')
    r = rig.ctl('customer', 'show', '--json', '--', '--help')
    assert r.returncode == 0 and json.loads(r.stdout)['organization'] == '--help'


def test_options_stand_anywhere(three):
    a = three.ctl('--country', 'DE', 'customer', '--json', 'list', '--limit=1')
    b = three.ctl('customer', 'list', '--json', '--country=DE', '--limit', '1')
    assert a.returncode == 0 and a.stdout == b.stdout


def test_several_are_an_operation_and_one_is_a_call(three):
    one = json.loads(three.ctl('customer', 'edit', 'Alpha AG', '--phone', '1', '--json').stdout)
    assert set(one) >= {'id', 'revision'} and 'kind' not in one
    several = json.loads(three.ctl('customer', 'edit', 'Alpha AG', 'Beta AG', '--phone', '2', '--json').stdout)
    assert several['kind'] == 'customer.edit' and several['state'] == 'finished' and several['ok'] == 2
    by_filter = three.ctl('customer', 'pin', '--filter', 'organization = "Gamma AG"', '--json')
    assert by_filter.returncode == 0 and json.loads(by_filter.stdout)['total'] == 1
    mode = three.ctl('customer', 'mode', 'Alpha AG', 'Beta AG', 'Gamma AG', 'customer', '--json')
    assert mode.returncode == 0 and json.loads(mode.stdout)['ok'] == 3
    again = three.ctl('customer', 'mode', 'Alpha AG', 'Beta AG', 'partner')
    assert again.returncode == 7 and 'take-back' in again.stdout


def test_no_wait_prints_the_operation_that_wait_waits_for(three):
    r = three.ctl('customer', 'edit', '--filter', 'tag = trial', '--phone', '3', '--no-wait', '--json')
    operation = json.loads(r.stdout)
    assert r.returncode == 0 and operation['kind'] == 'customer.edit'
    r = three.ctl('operation', 'wait', operation['id'], '--json')
    assert r.returncode == 0 and json.loads(r.stdout)['state'] == 'finished'


def test_a_dry_run_changes_nothing_and_is_5_when_it_finds_refusals(three):
    ok = three.ctl('customer', 'edit', '--filter', 'tag = trial', '--phone', '9', '--dry-run')
    assert ok.returncode == 0 and 'nothing was changed; of 3' in ok.stdout
    three.ctl('customer', 'mode', 'Beta AG', 'customer')
    bad = three.ctl('customer', 'mode', '--filter', 'tag = trial', 'partner', '--dry-run', '--json')
    answer = json.loads(bad.stdout)
    assert bad.returncode == 5 and bad.stderr == '' and answer['dry_run'] and answer['refused'] == 1
    assert three.customer('Alpha AG')['phone'] is None


def test_a_dry_run_of_what_is_no_customer_says_in_words_what_would_be(rig, tmp_path):
    def dry(*words):
        r = rig.ctl(*words, '--dry-run')
        answer = json.loads(rig.ctl(*words, '--dry-run', '--json').stdout)
        assert (answer['dry_run'], answer['count'], len(answer['items'])) == (True, 1, 1)
        assert r.stdout.startswith('dry run: nothing was changed; would be ') and 'ORGANIZATION' not in r.stdout
        return r.returncode, r.stdout.splitlines()
    code, lines = dry('role', 'create', 'night shift', '--verbs', 'customer.edit,customer.show')
    assert code == 0 and 'would be done: role create "night shift" (' in lines[0]
    assert [line.split(None, 1) for line in lines[2:]] == [['name', 'night shift'], ['verbs', 'customer.edit, customer.show']]
    assert rig.ctl('role', 'create', 'ops', '--verbs', 'customer.*').returncode == 0
    code, lines = dry('role', 'edit', 'ops', '--filter', 'country = DE')
    assert code == 0 and [line.split(None, 1) for line in lines[2:]] == [['selector', '- -> country = DE']]
    code, lines = dry('role', 'create', 'ops', '--verbs', 'customer.*')
    assert code == 5 and len(lines) == 1 and 'would be refused: role create ops (role-exists: ' in lines[0]
    code, lines = dry('admin', 'backup', str(tmp_path / 'b'))
    assert code == 0 and len(lines) == 1 and 'a verified copy of the database' in lines[0] and not (tmp_path / 'b').exists()
    assert [r['name'] for r in json.loads(rig.ctl('role', 'list', '--json').stdout)] == ['ops']


def test_import_reports_lines_and_ends_with_7(rig, tmp_path):
    file = tmp_path / 'customers.csv'
    file.write_text('organization,registered_account,first_name,last_name,country,extra\nA,a@x.example,A,B,DE,\nB,b@x.example,A,B,ZZ,\n')
    assert rig.ctl('customer', 'import', file, '--dry-run').returncode == 5
    r = rig.ctl('customer', 'import', file)
    assert r.returncode == 7 and 'extra' in r.stderr
    line = next(x for x in r.stdout.splitlines() if x.lstrip().startswith('3 '))
    assert 'refused' in line and 'country' in line
    with_map = 'Name;Mail\nC;c@x.example\n'
    r = rig.ctl('customer', 'import', '-', '--map', 'organization=Name', '--map', 'registered_account=Mail', '--set', 'country=AT', '--set', 'first_name=A',
                '--set', 'last_name=B', '--json', input=with_map)
    assert r.returncode == 0 and json.loads(r.stdout)['ok'] == 1 and rig.customer('C')['country'] == 'AT'


def test_bulk_asks_on_a_terminal(three):
    t = Terminal(three.bus.address, 'customer', 'edit', '--filter', 'tag = trial', '--phone', '5')
    t.read_until('[y/N]')
    t.type('n\n')
    assert t.end().returncode == 2 and three.customer('Alpha AG')['phone'] is None
    t = Terminal(three.bus.address, 'customer', 'edit', '--filter', 'tag = trial', '--phone', '5')
    seen = t.read_until('[y/N]')
    assert 'Alpha AG' in seen and 'Gamma AG' in seen and '3 of 3' in seen
    t.type('y\n')
    assert t.end().returncode == 0 and three.customer('Gamma AG')['phone'] == '5'
    assert on_terminal(three, 'customer', 'edit', '--filter', 'tag = trial', '--phone', '6', '--yes').returncode == 0
    assert on_terminal(three, 'customer', 'edit', 'Alpha AG', '--phone', '7').returncode == 0


def test_delete_needs_a_yes(three):
    three.ctl('view', 'save', 'v', '--filter', 'tag = x')
    r = three.ctl('view', 'delete', 'v')
    assert r.returncode == 2 and '--yes' in r.stderr
    t = Terminal(three.bus.address, 'view', 'delete', 'v')
    t.read_until('[y/N]')
    t.type('\n')
    assert t.end().returncode == 2
    assert three.ctl('view', 'delete', 'v', '--yes').returncode == 0
    assert three.ctl('view', 'show', 'v').returncode == 3


def test_disconnect_needs_the_typed_name(three):
    for words in ([], ['--yes']):
        r = three.ctl('customer', 'disconnect', 'Alpha AG', *words)
        assert r.returncode == 2 and '--confirm' in r.stderr
    assert three.ctl('customer', 'disconnect', 'Alpha AG', '--confirm', 'Alfa AG').returncode == 5
    t = Terminal(three.bus.address, 'customer', 'disconnect', 'Alpha AG')
    t.read_until('name: ')
    t.type('Alpha AG\n')
    assert t.end().returncode == 0 and three.customer('Alpha AG')['state'] == 'disconnecting'
    assert three.ctl('customer', 'reconnect', 'Alpha AG').returncode == 0
    assert three.ctl('customer', 'disconnect', 'Beta AG', '--confirm', 'Beta AG').returncode == 0


def test_audit_is_found_by_name_verb_and_outcome(three):
    three.ctl('customer', 'edit', 'Beta AG', '--country', 'ZZ')
    rows = json.loads(three.ctl('audit', 'list', '--customer', 'Beta AG', '--json').stdout)
    assert {r['verb'] for r in rows} >= {'customer.onboard'} and {r['object'] for r in rows} == {three.customer('Beta AG')['id']}
    rows = json.loads(three.ctl('audit', 'list', '--verb', 'customer.edit', '--outcome', 'refused', '--since', '1h', '--json').stdout)
    assert len(rows) == 1
    assert json.loads(three.ctl('audit', 'list', '--until', '1d', '--json').stdout) == []
    assert three.ctl('audit', 'list', '--customer', 'Nobody').returncode == 3
    assert three.ctl('audit', 'verify').returncode == 0


def test_queue_is_paused_and_resumed(three):
    assert three.ctl('task', 'pause').returncode == 0
    operation = json.loads(three.ctl('customer', 'pin', '--filter', 'tag = trial', '--no-wait', '--json').stdout)
    assert json.loads(three.ctl('operation', 'show', operation['id'], '--json').stdout)['done'] == 0
    assert three.ctl('task', 'resume').returncode == 0
    assert three.ctl('operation', 'wait', operation['id']).returncode == 0


@pytest.mark.slow
def test_who_waits_in_a_paused_queue_is_told_once(three, tmp_path):
    assert three.ctl('task', 'pause').returncode == 0
    operation = json.loads(three.ctl('customer', 'pin', '--filter', 'tag = trial', '--no-wait', '--json').stdout)['id']
    waiting = []
    for n, words in enumerate((['report', 'export', 'customers', '--format', 'csv', '--output', '-'], ['operation', 'wait', operation],
                               ['report', 'generate', 'Alpha AG', '--template', 'monthly'], ['customer', 'unpin', '--filter', 'tag = trial'])):
        said = tmp_path / str(n)
        with open(said, 'w') as stderr:
            waiting.append((subprocess.Popen([BUILD / 'tenantctl', f'--bus={three.bus.address}', *words], stdout=subprocess.DEVNULL, stderr=stderr), said))
    wait_until('a word to each of them', lambda: all(said.read_text() for _, said in waiting))
    assert three.ctl('task', 'resume').returncode == 0
    for p, said in waiting:
        assert p.wait(DEADLINE) == 0, p.args
        line, = said.read_text().splitlines()
        assert 'the queue is paused' in line and 'task resume' in line


def test_interrupt_while_waiting_says_how_to_go_on(three):
    three.ctl('task', 'pause')
    p = subprocess.Popen([BUILD / 'tenantctl', f'--bus={three.bus.address}', 'customer', 'pin', '--filter', 'tag = trial'], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    wait_until('the operation', lambda: json.loads(three.ctl('operation', 'list', '--json').stdout))
    # It knows of it when it catches the signal.
    wait_until('tenantctl to wait', lambda: int(re.search(r'SigCgt:\s*(\w+)', Path(f'/proc/{p.pid}/status').read_text())[1], 16) >> signal.SIGINT - 1 & 1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=DEADLINE)
    operation = json.loads(three.ctl('operation', 'list', '--json').stdout)[0]
    assert p.returncode == 130 and out == ''
    assert f"operation wait {operation['id']}" in err and f"operation cancel {operation['id']}" in err
    assert operation['state'] == 'running'
    assert three.ctl('operation', 'cancel', operation['id']).returncode == 0
    three.ctl('task', 'resume')
    assert three.ctl('operation', 'wait', operation['id']).returncode == 7


def start_dying(rig, point, attempt):
    """A daemon that dies at the attempt-th turn of its life; False if that was before anybody could call it."""
    try:
        rig.start(TENANTD_CRASH=f'{point}:{attempt}')
        return True
    except AssertionError:
        rig.process.wait(DEADLINE)
        rig.client.close()
        return False


@pytest.mark.slow
@pytest.mark.parametrize('point', ['before_commit', 'after_commit'])
def test_whenever_the_daemon_dies_a_call_is_done_once_or_not_at_all(rig, point):
    """It dies at its 1st, 2nd, 3rd … turn, until one call is through before that: so it died in each turn that the call takes."""
    rig.kill()
    done = 0
    for attempt in range(1, 50):
        if not start_dying(rig, point, attempt):
            continue
        name = f'Once {attempt}'
        p = subprocess.Popen([BUILD / 'tenantctl', f'--bus={rig.bus.address}', 'customer', 'onboard', '--json', '--organization', name, '--account',
                              f'once{attempt}@x.example', *WHO], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until('an end of daemon or client', lambda: rig.process.poll() is not None or p.poll() is not None)
        through = rig.process.poll() is None
        rig.kill()
        rig.start()
        out, err = p.communicate(timeout=DEADLINE)
        records = json.loads(rig.ctl('audit', 'list', '--verb', 'customer.onboard', '--json').stdout)
        if p.returncode == 6:
            assert 'it is not running' in err, 'a reply was lost and the call was not repeated'
        else:
            assert p.returncode == 0 and err == '', err
            done += 1
            assert json.loads(out)['id'] == rig.customer(name)['id']
        assert [r['outcome'] for r in records] == ['ok'] * done
        rig.stop()
        if through:
            break
    assert through and done > 1


def test_waiting_outlives_the_daemon_and_the_bus(rig):
    for i in range(3):
        onboard(rig, f'C{i}', f'c{i}@x.example', '--tag', 'x')
    rig.ctl('task', 'pause')
    p = subprocess.Popen([BUILD / 'tenantctl', f'--bus={rig.bus.address}', 'customer', 'pin', '--filter', 'tag = x', '--json'], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    wait_until('the operation', lambda: json.loads(rig.ctl('operation', 'list', '--json').stdout))
    rig.kill()
    rig.bus.stop()
    rig.bus.start()
    rig.start()
    rig.ctl('task', 'resume')
    out, err = p.communicate(timeout=DEADLINE)
    assert p.returncode == 0, err
    assert json.loads(out)['ok'] == 3


def test_event_monitor_tells_everything_once_and_in_order_across_a_restart(rig):
    onboard(rig, 'Before', 'before@x.example')
    p = subprocess.Popen([BUILD / 'tenantctl', f'--bus={rig.bus.address}', 'event', 'monitor', '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = []

    def see(n):
        while len(seen) < n:
            seen.append(json.loads(p.stdout.readline()))

    # Nothing tells from outside when the monitor listens: changes are made until one is seen.
    os.set_blocking(p.stdout.fileno(), False)
    first = b''
    made = 0
    while not first:
        made += 1
        rig.ctl('customer', 'edit', 'Before', '--phone', str(made))
        first = (p.stdout.buffer.read() or b'')
    os.set_blocking(p.stdout.fileno(), True)
    if not first.endswith(b'\n'):
        first += p.stdout.buffer.readline()
    seen += [json.loads(line) for line in first.splitlines()]
    start = seen[0]['n']
    rig.kill()
    rig.start()
    for i in range(3):
        onboard(rig, f'After {i}', f'after{i}@x.example')
    last = json.loads(rig.ctl('audit', 'list', '--json', '--limit', '1').stdout)[0]['n']
    see(last - start + 1)
    p.terminate()
    p.communicate(timeout=DEADLINE)
    assert [e['n'] for e in seen] == list(range(start, last + 1))
    assert [e['verb'] for e in seen][-3:] == ['customer.onboard'] * 3


def test_host_sends_the_command_by_ssh_and_keeps_files_here(rig, tmp_path):
    """A stand-in for ssh that runs the words through a shell, as the other side would."""
    bin = tmp_path / 'bin'
    bin.mkdir()
    (bin / 'ssh').write_text(f'#!/bin/bash\n[ "$1" = -t ] && shift\n[ "$1" = -- ] && shift\n[ "$1" = far ] || exit 255\nshift\ncd /\n'
                             f'export DBUS_SYSTEM_BUS_ADDRESS={rig.bus.address} PATH={BUILD}:$PATH\nexec bash -c "$*"\n')
    (bin / 'ssh').chmod(0o755)

    def far(*words, host='far', **keywords):
        return subprocess.run([BUILD / 'tenantctl', '-H', host, *words], capture_output=True, text=True, timeout=60, cwd=tmp_path,
                              env={**os.environ, 'PATH': f'{bin}:{os.environ["PATH"]}'}, **keywords)
    name = "O'Neil $(touch /var/tmp/never) & \"Söhne\""
    r = far('customer', 'onboard', '--organization', name, '--account', 'o@x.example', *WHO)
    assert r.returncode == 0 and rig.customer(name)
    assert far('customer', 'show', 'Nobody').returncode == 3
    (tmp_path / 'list.csv').write_text('organization,registered_account,first_name,last_name,country\nFar,far@x.example,A,B,DE\n')
    assert far('customer', 'import', 'list.csv').returncode == 0 and rig.customer('Far')
    assert far('report', 'export', 'customers', '--output', 'out.json').returncode == 0
    assert len(json.loads((tmp_path / 'out.json').read_text())) == 2
    for more in (['--output', 'out.json'], ['--format', 'csv']):
        r = far('report', 'export', 'customers', *more, '--dry-run')
        assert r.returncode == 0 and r.stdout.startswith('dry run: nothing was changed')
    assert len(json.loads((tmp_path / 'out.json').read_text())) == 2
    (tmp_path / 'logo.png').write_bytes(png())
    assert far('customer', 'edit', 'Far', '--symbol', 'logo.png').returncode == 0 and rig.customer('Far')['symbol']
    # So does a backup, which nobody else is to read; it is judged there, and stays here.
    assert far('admin', 'backup', 'b.db').returncode == 0 and (tmp_path / 'b.db').stat().st_mode & 0o777 == 0o600
    r = far('admin', 'verify', 'b.db', '--json')
    assert r.returncode == 0 and json.loads(r.stdout)['customers'] == 2
    (tmp_path / 'b.db').unlink()
    # A host that ssh does not reach is as good as one where no daemon answers.
    for words in (['customer', 'list'], ['report', 'export', 'customers', '--output', 'out.json']):
        assert far(*words, host='farther').returncode == 6
    assert len(json.loads((tmp_path / 'out.json').read_text())) == 2
    assert sorted(os.listdir(tmp_path)) == ['bin', 'list.csv', 'logo.png', 'out.json']


def test_a_file_from_another_host_passes_no_terminal(rig, tmp_path):
    """Where a person types, ssh is asked for a terminal there: it would change line ends, and is given nothing binary."""
    bin = tmp_path / 'bin'
    bin.mkdir()
    (bin / 'ssh').write_text(f'#!/bin/bash\n[ "$1" = -t ] && there=yes && shift\nshift 2\ncd /\n'
                             f'export DBUS_SYSTEM_BUS_ADDRESS={rig.bus.address} PATH={BUILD}:$PATH\n'
                             'if [ "$there" ]; then exec script -qec "$*" /dev/null; fi\nexec bash -c "$*"\n')
    (bin / 'ssh').chmod(0o755)
    rig.onboard('Contoso GmbH', 'a@x.example')
    environment = {'PATH': f'{bin}:{os.environ["PATH"]}'}
    for name in ('far.xlsx', 'far.csv'):
        ended = Terminal(None, '-H', 'far', 'report', 'export', 'customers', '--output', str(tmp_path / name), env=environment).end()
        assert ended.returncode == 0, ended.output
    assert (tmp_path / 'far.xlsx').read_bytes().startswith(b'PK')
    assert b'\r\r\n' not in (tmp_path / 'far.csv').read_bytes() and b'Contoso GmbH' in (tmp_path / 'far.csv').read_bytes()
    shown = Terminal(None, '-H', 'far', 'customer', 'list', '--columns', 'organization', env=environment).end()
    assert shown.returncode == 0 and 'Contoso GmbH' in shown.output
