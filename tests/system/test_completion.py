# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a shell offers for a line of tenantctl: bash by calling its function, zsh by pressing a key in a terminal.

Nothing is said and no name is ever run. A person is kept waiting for 0.7 seconds at most; here, where machines are busy, for longer.
"""
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, TOP, wait_until
from fake_tenantd import ALLOW_INTERACTIVE, FakeDaemon

pytestmark = pytest.mark.slow

COMPLETION = TOP / 'data' / 'completion'
ENVIRONMENT = {**os.environ, 'PATH': f'{BUILD}:{os.environ["PATH"]}', 'LC_ALL': 'C.UTF-8', 'TENANTCTL_COMPLETION_SECONDS': '30'}
WHO = ('--first-name', 'Ada', '--last-name', 'Example', '--country', 'DE')

BASH = '''
source {completion}
COMP_LINE=$1; read -ra COMP_WORDS <<<"${{1//=/ = }}"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_tenantctl
printf '%s\\n' "${{COMPREPLY[@]}}"
'''

# What compadd would show is written down; what the line became, too.
ZSH = '''
fpath=({completion} $fpath)
autoload -Uz compinit; compinit -D -u
unsetopt beep; setopt nonomatch; PROMPT=; LISTMAX=1000
compadd() {{
        local -a hits
        if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi
        builtin compadd -A hits "$@"
        (( $#hits )) && print -rl -- $hits >> {folder}/hits
        builtin compadd "$@"
}}
press() {{ zle complete-word; print -r -- $BUFFER >{folder}/buffer; print >{folder}/over }}
zle -N press; bindkey '^T' press
print >{folder}/ready
'''


def bash(line, folder=None):
    script = BASH.format(completion=COMPLETION / 'tenantctl')
    r = subprocess.run(['bash', '-c', script, 'bash', line], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert r.stderr == ''
    return [x for x in r.stdout.splitlines() if x]


class Zsh:
    """The words offered; .buffer is the line after the key, .said what the terminal showed beside it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / 'rc').write_text(ZSH.format(completion=COMPLETION, folder=folder))
        self.ours, theirs = pty.openpty()
        self.shell = subprocess.Popen(['zsh', '-f', '-i'], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                      env={**ENVIRONMENT, 'TERM': 'dumb', 'HOME': str(folder)})
        os.close(theirs)
        os.write(self.ours, f'source {folder}/rc\n'.encode())
        wait_until('zsh', (folder / 'ready').exists)

    def __call__(self, line):
        for name in ('hits', 'over', 'buffer'):
            (self.folder / name).unlink(missing_ok=True)
        os.write(self.ours, b'\x15' + line.encode() + b'\x14')
        wait_until('the completion', (self.folder / 'over').exists)
        self.buffer = (self.folder / 'buffer').read_text().rstrip('\n')
        hits = self.folder / 'hits'
        return hits.read_text().splitlines() if hits.exists() else []

    def end(self):
        self.shell.kill()
        self.shell.wait()
        os.close(self.ours)


@pytest.fixture
def zsh(tmp_path):
    if not shutil.which('zsh'):
        pytest.skip('no zsh')
    shell = Zsh(tmp_path)
    yield shell
    shell.end()


@pytest.fixture(params=['bash', 'zsh'])
def complete(request):
    return bash if request.param == 'bash' else request.getfixturevalue('zsh')


def onboard(rig, name, account):
    r = rig.ctl('customer', 'onboard', '--organization', name, '--account', account, *WHO)
    assert r.returncode == 0, r.stderr


def test_completion_knows_nouns_verbs_options_and_words(complete):
    assert complete('tenantctl cus') == ['customer']
    assert 'hide-expired' in complete('tenantctl customer ')
    assert complete('tenantctl customer list --cou') == ['--country']
    assert {'--no-pager', '--status'} <= set(complete('tenantctl customer list --'))
    assert complete('tenantctl customer list --status fini') == ['finished-with-exception']
    assert complete('tenantctl customer list --status=fini') == ['finished-with-exception']
    assert complete('tenantctl customer edit x --billing-reports ') == ['on', 'off']
    assert complete('tenantctl customer show ') == []
    assert complete('tenantctl schedule create --freq') == ['--frequency']
    assert complete('tenantctl schedule create --missed ') == ['latest', 'all', 'none']
    assert complete('tenantctl mail-template show hand') == ['hand-over']
    assert complete('tenantctl report export s') == ['storage', 'subscriptions']
    assert complete('tenantctl customer mode x un') == ['unset']
    assert complete('tenantctl --json=pretty admin log-level --utc in') == ['info']


def test_every_noun_and_verb_is_offered(complete):
    """The tables that tenantctl parses by are the ones that are offered."""
    def block(title, *words):
        text = subprocess.run([BUILD / 'tenantctl', *words, '--help'], capture_output=True, text=True, check=True).stdout
        return [line.split()[0] for line in text.split(f'\n{title}:\n')[1].split('\n\n')[0].splitlines()]
    nouns = block('Nouns')
    assert sorted(complete('tenantctl ')) == sorted(nouns) and len(nouns) > 10
    for noun in nouns:
        assert sorted(complete(f'tenantctl {noun} ')) == sorted(block('Verbs', noun))


def test_completion_knows_what_the_daemon_has(complete, rig):
    schedule = json.loads(rig.ctl('schedule', 'create', '--export', 'customers', '--frequency', 'daily', '--recipients', 'a@x.example', '--json').stdout)['id']
    onboard(rig, 'Contoso', 'a@x.example')
    for bus in (f'tenantctl --bus={rig.bus.address}', f'tenantctl --bus {rig.bus.address}'):
        assert complete(f'{bus} schedule pause {schedule[:4]}') == [schedule]
        assert complete(f'{bus} report-template edit mon') == ['monthly'] == complete(f'{bus} schedule create --template mon')
        assert complete(f'{bus} report export storage Con') == ['Contoso']
    assert rig.ctl('role', 'create', 'operators', '--verbs', 'customer.*').returncode == 0
    for words in ('show op', 'edit op', 'delete op', 'grant op', 'revoke op', 'create x --from op', 'create x --from=op'):
        assert complete(f'tenantctl --bus={rig.bus.address} role {words}') == ['operators']
    message = json.loads(rig.ctl('admin', 'test-mail', 'a@x.example', '--json').stdout)['id']
    assert complete(f'tenantctl --bus={rig.bus.address} message show ') == [message]


def test_names_are_offered_and_never_run_by_bash(rig, tmp_path):
    trap = tmp_path / 'trap'
    onboard(rig, f'Evil $(touch {trap}) `touch {trap}`;x', 'e@x.example')
    onboard(rig, 'Evil & Söhne', 'e2@x.example')
    names = bash(f'tenantctl --bus={rig.bus.address} customer show Evil')
    assert len(names) == 2 and not trap.exists()
    for name in names:
        r = subprocess.run(['bash', '-c', f'printf %s {name}'], capture_output=True, text=True, timeout=60)
        assert rig.customer(r.stdout) and not trap.exists()


def test_names_are_offered_and_never_run_by_zsh(rig, zsh, tmp_path):
    trap = tmp_path / 'trap'
    evil = f'Evil $(touch {trap}) `touch {trap}`;x'
    onboard(rig, evil, 'e@x.example')
    onboard(rig, 'Bad & Söhne', 'e2@x.example')
    begin = f'tenantctl --bus={rig.bus.address} customer show '
    for typed, name in (('Ev', evil), ('Bad\\ ', 'Bad & Söhne'), ("'Bad ", 'Bad & Söhne')):
        assert len(zsh(begin + typed)) == 1 and not trap.exists()
        # The line that the key made, as the shell would run it.
        line = zsh.buffer.removeprefix(begin)
        r = subprocess.run(['zsh', '-f', '-c', f'print -rn -- {line}' + ("'" if typed[0] == "'" and line.count("'") % 2 else '')], capture_output=True, text=True)
        assert (r.stdout.rstrip(), r.stderr) == (name, '') and not trap.exists()


@pytest.mark.parametrize('script', ['tenantctl', '_tenantctl'])
def test_a_person_waits_less_than_a_second(script):
    limits = re.findall(r'\btimeout\b.*?:-([\d.]+)\}" tenantctl', (COMPLETION / script).read_text())
    assert len(limits) == 1 and float(limits[0]) < 1


def test_without_a_daemon_there_is_nothing_to_offer(complete, folder):
    for words in ('customer show ', 'customer show Con', 'schedule pause ', 'report export storage '):
        assert complete(f'tenantctl --bus=unix:path={folder}/none {words}') == []


def test_completion_asks_nobody_for_a_password(complete, bus):
    """A key pressed is no reason for polkit to open a window."""
    class Listener(FakeDaemon):
        flags = []

        def _answer(self, message):
            self.flags.append(int(message.header.flags))
            super()._answer(message)
    daemon = Listener(bus.address, {'Views.List': ('ss', ('[{"name":"gold"}]', ''))})
    try:
        assert complete(f'tenantctl --bus={bus.address} view show ') == ['gold']
    finally:
        daemon.stop()
    assert daemon.flags and not any(flags & ALLOW_INTERACTIVE for flags in daemon.flags)
