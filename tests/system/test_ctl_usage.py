# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tenantctl says of itself and of a wrong command line; no daemon is needed for it."""
import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, TOP

NOUNS = ('partner', 'customer', 'view', 'operation', 'task', 'report', 'report-template', 'schedule', 'message', 'mail-template', 'role', 'group', 'audit', 'event', 'admin')


def ctl(*words, **keywords):
    return subprocess.run([BUILD / 'tenantctl', *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **keywords)


def block(text, title):
    """The indented lines under a title of help, first words only."""
    match = re.search(rf'^{title}:\n((?:  .*\n)*)', text, re.MULTILINE)
    return [line.split()[0] for line in match.group(1).splitlines()] if match else []


def all_verbs():
    for noun in NOUNS:
        for verb in block(ctl(noun, '--help').stdout, 'Verbs'):
            yield noun, verb


def test_without_arguments_usage_goes_to_stderr():
    r = ctl()
    assert r.returncode == 2 and r.stdout == '' and 'Nouns:' in r.stderr


def test_noun_alone_lists_its_verbs():
    r = ctl('customer')
    assert r.returncode == 2 and r.stdout == ''
    assert 'onboard' in block(r.stderr, 'Verbs')


@pytest.mark.slow
def test_help_of_program_noun_and_every_verb():
    top = ctl('--help')
    assert top.returncode == 0 and tuple(block(top.stdout, 'Nouns')) == NOUNS
    n = 0
    for noun, verb in all_verbs():
        r = ctl(noun, verb, '--help')
        assert r.returncode == 0 and r.stderr == '' and r.stdout.startswith(f'tenantctl {noun} {verb}')
        starts = {len(m.group(1)) for m in re.finditer(r'^(  --\S+ +)\S', r.stdout.split('Common options')[0], re.MULTILINE)}
        assert len(starts) <= 1, f'{noun} {verb}: help is not aligned'
        n += 1
    assert n == 92


def test_manual_page_names_every_verb_and_common_option():
    page = (TOP / 'docs' / 'tenantctl.1').read_text().replace('\\-', '-')
    for noun, verb in all_verbs():
        assert re.search(rf'^\.B {noun}$', page, re.MULTILINE)
        assert re.search(rf'\b{verb}\b', page), f'{noun} {verb}'
    for option in block(ctl('--help').stdout, 'Options'):
        assert option.split('=')[0].split('[')[0] in page


@pytest.mark.parametrize('words, candidate', [
    (['custmer', 'list'], 'customer'), (['customer', 'lst'], 'list'), (['customer', 'list', '--contry', 'DE'], '--country'),
    (['--jsn', 'customer', 'list'], '--json'),
])
def test_did_you_mean(words, candidate):
    r = ctl(*words)
    assert r.returncode == 2 and r.stdout == '' and f'did you mean "{candidate}"?' in r.stderr


@pytest.mark.parametrize('words', [
    ['invitation', 'list'], ['customer', 'open', 'x'], ['overview'], ['customer', 'list', 'surplus'], ['customer', 'show'],
    ['customer', 'show', ''], ['customer', 'list', '--filter', ''], ['customer', 'list', '--filter', '  '], ['customer', 'list', '--limit', '0'],
    ['customer', 'list', '--limit', '-1'], ['customer', 'list', '--limit', '٣'], ['customer', 'list', '--limit'], ['customer', 'list', '--tag', ''],
    ['customer', 'list', '--pinned', 'maybe'], ['customer', 'list', '--no-legend=1'],
    ['customer', 'show', '--sort', 'x', 'y'], ['customer', 'show', '--filter', 'a = b', 'y'], ['customer', 'list', '--dry-run'],
    ['customer', 'edit', 'x'], ['customer', 'edit', '--tag', 'x'], ['customer', 'edit', 'a', '--filter', 'tag = b', '--tag', 'x'],
    ['customer', 'edit', 'x', '--custom', 'novalue'], ['customer', 'edit', 'x', '--contact', 'billing'], ['customer', 'mode', 'x', 'nobody'],
    ['customer', 'edit', 'x', '--custom', 'a=1', '--custom', 'a=2'], ['customer', 'edit', 'x', '--billing-reports', 'yes'],
    ['customer', 'import', '/does/not/exist'], ['customer', 'import', '/'], ['partner', 'set'], ['--bus', 'nonsense', 'customer', 'list'],
    ['customer', 'show', b'\xff'], ['audit', 'list', '--since', 'yesterday'],
    ['report', 'export', 'customers', '--output', '/'], ['-x'], ['customer', 'list', '-q'], ['admin', 'log-level', 'loud'],
    ['customer', 'list', '--columns', ','], ['--host', '-oProxyCommand=true', 'customer', 'list'],
])
def test_wrong_command_lines_end_with_2_and_say_why(words):
    plain = ctl(*words)
    assert plain.returncode == 2 and plain.stdout == '' and plain.stderr.startswith('tenantctl: ')
    as_json = ctl('--json', *words) if words[-1] != '--limit' else ctl('--json', 'customer', 'list', '--limit')
    assert as_json.returncode == 2 and as_json.stdout == ''
    error = json.loads(as_json.stderr)['error']
    assert set(error) == {'code', 'message', 'field', 'candidates'} and error['code'] and error['message']


def test_no_daemon_is_6_with_the_next_step(tmp_path):
    for address in (f'unix:path={tmp_path}/none', None):
        words = [f'--bus={address}'] if address else []
        env = {**os.environ, 'DBUS_SYSTEM_BUS_ADDRESS': f'unix:path={tmp_path}/none'}
        r = ctl(*words, 'customer', 'list', env=env)
        assert r.returncode == 6 and r.stdout == '' and 'cannot be reached' in r.stderr
        assert ('--bus' if address else 'systemctl start tenantd') in r.stderr
        assert json.loads(ctl(*words, '--json', 'customer', 'list', env=env).stderr)['error']['code'] == 'unreachable'


def test_version_without_a_daemon(tmp_path):
    r = ctl(f'--bus=unix:path={tmp_path}/none', '--version')
    lines = r.stdout.splitlines()
    assert r.returncode == 0 and re.fullmatch(r'tenantctl \S+', lines[0]) and 'cannot be reached' in lines[1]
    assert json.loads(ctl(f'--bus=unix:path={tmp_path}/none', '--version', '--json').stdout)['tenantd'] is None


def test_links_no_library_that_only_costs_time():
    needed = subprocess.run(['readelf', '-d', BUILD / 'tenantctl'], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r'NEEDED.*\[(.*?)\.so', needed)) - {'libasan', 'libubsan', 'libc', 'libm', 'libgcc_s'}
    assert libraries <= {'libsystemd', 'libjansson'}


def test_program_started_without_descriptors_does_not_take_its_socket_for_stdout(rig):
    r = subprocess.run(['bash', '-c', f'exec 0<&- 1>&- 2>&-; exec {BUILD}/tenantctl --bus={rig.bus.address} customer list'], timeout=60)
    assert r.returncode in (0, 1)
    assert rig.ctl('admin', 'status').returncode == 0


def test_unknown_json_mode():
    r = ctl('customer', 'list', '--json=prety')
    assert r.returncode == 2 and json.loads(r.stderr)['error']['candidates'] == ['pretty']
