# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages on a machine that boots: built from a copy of this tree, installed under a real systemd, used, upgraded, removed.
BOOT_PACKAGES=FOLDER takes those that were built before.

One machine for all tests, in the order in which they stand; `rig` beside this file says on what it boots and why nothing of
this machine is touched. Nothing of it can be had in a container that lets root make no mounts: then the tests say so and are skipped.
"""
import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest

import conftest
from conftest import TOP

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('boot')]
HERE = Path(__file__).parent
ENVIRONMENT = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8']
# What builds leave at the top of the tree, and below debian/.
MADE = re.compile(r'build.*|\.git|m4|autom4te\.cache|aclocal\.m4|configure~?|config\.h\.in~?|Makefile\.in')
PACKAGED = re.compile(r'\.debhelper|debhelper-build-stamp|files|tmp|tenant(d|ctl)|autoreconf\..*|.*\.(debhelper(\.log)?|substvars)')


def run(*words, **keywords):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, **keywords)


def wait_until(what, condition):
    conftest.wait_until(what, condition, 120)            # a whole machine is slower than a daemon


def leader_of(rig):
    """The booted system's process 1, by its number here: the one below the rig that is 1 in the namespace below the rig's own."""
    parents, numbers = {}, {}
    for status in Path('/proc').glob('[0-9]*/status'):
        try:
            text = status.read_text()
        except OSError:
            continue
        pid = int(status.parent.name)
        parents[pid] = int(re.search(r'(?m)^PPid:\s+(\d+)', text)[1])
        numbers[pid] = re.search(r'(?m)^NSpid:\s+(.*)', text)[1].split()

    def below(pid):
        while pid and pid != rig:
            pid = parents.get(pid, 0)
        return pid == rig
    depth = len(numbers[rig])
    found = [pid for pid, n in numbers.items() if len(n) == depth + 2 and n[-1] == '1' and below(pid)]
    assert len(found) == 1, found
    return found[0]


def is_made(folder, name):
    return bool(MADE.fullmatch(name) and folder == TOP or PACKAGED.fullmatch(name) and folder == TOP / 'debian' or name == '__pycache__')


def found_in(folder):
    found = {path.name.split('_')[0]: path for path in folder.glob('*.deb')}
    return {**found, 'changes': next(folder.glob('*.changes'))}


class Machine:
    def __init__(self):
        self.process = subprocess.Popen([HERE / 'rig'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = self.process.stdout.readline().strip()
        if not said.startswith('up '):
            code = self.process.wait(60)
            if code == 77:
                pytest.skip(f'no system can be booted: {said}')
            pytest.fail(f'{said}: {self.process.stderr.read()}')
        self.leader = leader_of(self.process.pid)
        self.root = Path(f'/proc/{self.leader}/root')

    def run(self, *words, user=None, input=None, timeout=120):
        as_user = ['runuser', '-u', user, '--'] if user else []
        return run('nsenter', '-t', self.leader, '-a', *ENVIRONMENT, *as_user, *words, input=input, timeout=timeout,
                   stdin=subprocess.DEVNULL if input is None else None)

    def ok(self, *words, **keywords):
        done = self.run(*words, **keywords)
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def ctl(self, *words, **keywords):
        """tenantctl's JSON, as root unless told otherwise."""
        return json.loads(self.ok('tenantctl', *words, '--json', **keywords))

    def service(self, key):
        return self.ok('systemctl', 'show', '-P', key, 'tenantd.service').strip()

    def is_up(self):
        return self.service('ActiveState') == 'active' and self.service('SubState') == 'running'

    def log(self, *words):
        return [json.loads(line) for line in self.ok('journalctl', '-u', 'tenantd.service', '-o', 'json', '--no-pager', *words).splitlines()]

    def starts(self):
        return len([line for line in self.log() if ' is up: ' in str(line['MESSAGE'])])

    def install(self, *packages):
        for package in packages:
            shutil.copy(package, self.root / 'var/cache')
        return self.ok('dpkg', '-i', *(f'/var/cache/{package.name}' for package in packages))

    def off(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        assert code == 0, self.process.stderr.read()


@pytest.fixture(scope='module')
def machine(packages):
    machine = Machine()
    yield machine
    machine.off()


@pytest.fixture(scope='module')
def packages(tmp_path_factory):
    """{'tenantd': path, 'tenantctl': path}, of an empty copy of the tree."""
    if os.getuid() != 0:
        pytest.skip('only root can install packages')
    if before := os.environ.get('BOOT_PACKAGES'):
        return found_in(Path(before))
    if not shutil.which('dpkg-buildpackage') or not shutil.which('dh'):
        pytest.skip('no packages can be built: debhelper is not installed')
    copy = tmp_path_factory.mktemp('deb') / 'tenantd'
    shutil.copytree(TOP, copy, symlinks=True, ignore=lambda folder, names: [n for n in names if is_made(Path(folder), n)])
    done = run('dpkg-buildpackage', '-us', '-uc', '-b', cwd=copy, env={**os.environ, 'DEB_BUILD_OPTIONS': 'nocheck noautodbgsym'})
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return found_in(copy.parent)


def test_packages_are_what_debian_wants(packages):
    done = run('lintian', '--allow-root', '--fail-on', 'error,warning', packages['changes'])
    assert (done.returncode, done.stdout) == (0, ''), done.stdout + done.stderr


def test_package_names_what_is_loaded_at_run_time(packages):
    depends = run('dpkg-deb', '-f', packages['tenantd'], 'Depends').stdout
    assert all(re.search(rf'(^|, ){name}\b', depends) for name in ('libcurl4', 'fonts-dejavu-core', 'tzdata', 'tenantctl')), depends
    assert 'polkitd' in run('dpkg-deb', '-f', packages['tenantd'], 'Recommends').stdout
    assert 'libsmartcols1' in run('dpkg-deb', '-f', packages['tenantctl'], 'Depends').stdout


def test_first_start_works(machine, packages):
    assert 'rror' not in machine.install(packages['tenantctl'], packages['tenantd'])
    wait_until('the service', machine.is_up)
    # Not by a second try: the bus knew the user when the name was asked for.
    assert (machine.service('NRestarts'), machine.service('UnitFileState')) == ('0', 'enabled')
    status = machine.ctl('admin', 'status')
    assert status['state_directory'] == '/var/lib/tenantd'


def test_service_is_nobody_but_itself(machine):
    pid = machine.service('MainPID')
    status = machine.ok('cat', f'/proc/{pid}/status')
    uid = machine.ok('id', '-u', 'tenantd').strip()
    assert uid != '0' and re.search(rf'(?m)^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$', status)
    assert all(re.search(pattern, status) for pattern in (r'(?m)^Seccomp:\s+2', r'(?m)^NoNewPrivs:\s+1', r'(?m)^CapEff:\s+0+$', r'(?m)^CapBnd:\s+0+$'))
    assert machine.ok('stat', '-c', '%a %U:%G', '/var/lib/tenantd', '/var/lib/tenantd/key', '/var/cache/tenantd').splitlines() == \
        ['700 tenantd:tenantd', '600 tenantd:tenantd', '700 tenantd:tenantd']
    assert machine.ok('stat', '-c', '%a %U', '/etc/tenantd').strip() == '755 root'


def test_journal_has_fields(machine):
    up = next(line for line in machine.log() if ' is up: ' in line['MESSAGE'])
    assert up['PRIORITY'] == '6' and up['SYSLOG_IDENTIFIER'] == 'tenantd' and up['CODE_FUNC'] == 'app_run' and up['_SYSTEMD_UNIT'] == 'tenantd.service'


def test_a_call_starts_it(machine):
    machine.ok('systemctl', 'stop', 'tenantd')
    assert machine.service('ActiveState') == 'inactive'
    assert machine.ctl('admin', 'status')['queue']['dead'] == 0
    assert machine.is_up()
    # Unless an administrator wants it to stay down.
    machine.ok('systemctl', 'mask', '--runtime', '--now', 'tenantd')
    done = machine.run('tenantctl', 'admin', 'status')
    assert done.returncode == 6 and 'masked' in done.stderr
    machine.ok('systemctl', 'unmask', '--runtime', 'tenantd')
    assert machine.ctl('admin', 'status') and machine.is_up()


def test_a_stranger_is_told_so(machine):
    done = machine.run('tenantctl', 'customer', 'list', user='nobody')
    assert (done.returncode, done.stdout) == (4, '')
    done = machine.run('busctl', 'call', 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'RequestName', 'su',
                       'org.tenantd.Tenant1', '4', user='nobody')
    assert done.returncode != 0 and 'denied' in done.stderr


def test_administrators_and_those_whom_polkit_lets_are_answered(machine):
    machine.ok('useradd', '--no-create-home', '--groups', 'tenantd-admin', 'alice')
    machine.ok('useradd', '--no-create-home', 'bob')
    assert machine.ctl('customer', 'list', user='alice') == []
    # Somebody polkit knows nothing of. It is asked by the service's own user, which it would not answer without the owner's annotation.
    assert machine.run('tenantctl', 'customer', 'list', user='bob').returncode == 4
    (machine.root / 'etc/polkit-1/rules.d/50-bob.rules').write_text(
        'polkit.addRule(function(action, subject) {'
        ' if (action.id == "org.tenantd.tenant1.read" && subject.user == "bob") return polkit.Result.YES; });')
    wait_until('the rule', lambda: machine.run('tenantctl', 'customer', 'list', user='bob').returncode == 0)
    assert machine.run('tenantctl', 'partner', 'set', '--name', 'Bob', user='bob').returncode == 4


def test_customers_come_in_and_documents_go_out(machine):
    assert machine.run('tenantctl', 'customer', 'import', '/usr/share/doc/tenantd/examples/customers.csv').returncode == 7
    for name in ('out.xlsx', 'out.pdf', 'out.csv'):
        machine.ok('tenantctl', 'report', 'export', 'customers', '--output', f'/var/tmp/{name}')
    sheet = openpyxl.load_workbook(machine.root / 'var/tmp/out.xlsx').active
    assert sheet.max_row == 224 and 'Bókabúð Þór ehf.' in [cell.value for cell in sheet['A']]
    assert 'Bókabúð Þór ehf.' in run('pdftotext', '-layout', machine.root / 'var/tmp/out.pdf', '-').stdout
    # A picture is decoded by the confined program, too.
    run('pdftoppm', '-png', '-r', '20', '-singlefile', machine.root / 'var/tmp/out.pdf', machine.root / 'var/tmp/page', check=True)
    customer = machine.ctl('customer', 'list', '--limit', '1', '--columns', 'id')[0]['id']
    machine.ok('tenantctl', 'customer', 'edit', customer, '--symbol', '/var/tmp/page.png')
    assert machine.ctl('customer', 'show', customer)['symbol']['type'] == 'png'


def test_mail_leaves_by_name_with_tls_and_a_credential(machine):
    folder = '/var/tmp/mail'
    machine.ok('mkdir', '-p', f'{folder}/program', '/etc/credstore')
    for path in (HERE / 'mail_host.py', TOP / 'tests/system/relay.py'):
        shutil.copy(path, machine.root / folder[1:] / 'program')
    machine.ok('systemd-run', '--unit=mail-host', '/usr/bin/python3', f'{folder}/program/mail_host.py', folder)
    wait_until('the relay', (machine.root / folder[1:] / 'up').exists)
    shutil.copy(machine.root / folder[1:] / 'ca.crt', machine.root / 'etc/tenantd/ca.crt')
    (machine.root / 'etc/tenantd/tenantd.conf.d/mail.conf').write_text('[mail]\nrelay = relay.example\nuser = daemon\nca_file = /etc/tenantd/ca.crt\n')
    secret = machine.root / 'etc/credstore/tenantd.smtp-password'
    secret.write_text('the secret\n')
    secret.chmod(0o600)
    machine.ok('systemctl', 'restart', 'tenantd')
    message = machine.ctl('admin', 'test-mail', 'noc@msp.example')['id']
    wait_until('the mail', lambda: machine.ctl('message', 'show', message)['state'] not in ('queued', 'sending'))
    assert machine.ctl('message', 'show', message)['state'] == 'delivered'
    assert b'To: noc@msp.example' in (machine.root / folder[1:] / 'messages').read_bytes()
    login = (machine.root / folder[1:] / 'logins').read_bytes().split()
    assert login[:2] == [b'AUTH', b'PLAIN'] and base64.b64decode(login[2]) == b'\0daemon\0the secret'


def test_it_comes_back_however_it_dies(machine):
    before = machine.ctl('audit', 'list', '--limit', '1')
    pid = machine.service('MainPID')
    machine.ok('kill', '-9', pid)
    wait_until('the next start', lambda: machine.service('NRestarts') == '1' and machine.is_up())
    assert machine.service('MainPID') != pid
    assert machine.ctl('audit', 'list', '--limit', '1') == before
    # A daemon that hangs is ended, too.
    # A restore may copy from disk to disk, and an upgrade rewrites everything, before it is up.
    assert machine.service('TimeoutStartUSec') == 'infinity'
    assert machine.service('WatchdogUSec') == '3min' and machine.service('Restart') == 'always'


def test_configuration_is_read_again(machine):
    (machine.root / 'etc/tenantd/tenantd.conf.d/keep.conf').write_text('[keep]\nreports_days = 30\n')
    pid = machine.service('MainPID')
    machine.ok('systemctl', 'reload', 'tenantd')
    assert machine.service('MainPID') == pid
    # Nothing is left that the command would have to apply.
    wait_until('the reload', lambda: machine.ctl('admin', 'reload') == {'applied': [], 'restart': []})


def test_key_moves_from_the_file_to_a_credential(machine):
    credential, key = (machine.root / 'etc/credstore' / name for name in ('tenantd.key-new', 'tenantd.key'))
    credential.write_text('5e' * 32 + '\n')
    credential.chmod(0o600)
    machine.ok('systemctl', 'restart', 'tenantd')
    machine.ok('tenantctl', 'admin', 'rotate-key', '--yes')
    credential.rename(key)
    machine.ok('systemctl', 'restart', 'tenantd')
    assert machine.is_up() and machine.ctl('audit', 'verify')
    # That one it is: without it there is nothing to open the database with.
    key.rename(credential.with_name('away'))
    assert machine.run('systemctl', 'restart', 'tenantd').returncode != 0
    assert machine.service('ExecMainStatus') == '78' and not machine.is_up()
    credential.with_name('away').rename(key)
    machine.ok('systemctl', 'restart', 'tenantd')


def test_backup_is_put_back(machine):
    before = machine.ctl('customer', 'list', '--columns', 'id,organization')
    machine.ok('tenantctl', 'admin', 'backup', '/root/backup.db')
    machine.ok('cp', '-p', '/etc/credstore/tenantd.key', '/root/key')
    machine.ok('tenantctl', 'customer', 'onboard', '--organization', 'Later', '--account', 'l@x.example', '--first-name', 'A', '--last-name', 'B',
               '--country', 'DE')
    machine.ok('tenantctl', 'admin', 'restore', '/root/backup.db', '--yes')
    wait_until('the restored database', lambda: machine.run('tenantctl', 'customer', 'show', 'Later').returncode == 3)
    assert machine.is_up() and machine.ctl('customer', 'list', '--columns', 'id,organization') == before
    assert any('the queue is paused' in warning for warning in machine.ctl('admin', 'status')['warnings'])
    machine.ok('tenantctl', 'task', 'resume')
    assert 'replaced-' in machine.ok('ls', '/var/lib/tenantd/backups')


def test_wrong_configuration_is_said_once(machine):
    wrong = machine.root / 'etc/tenantd/tenantd.conf.d/wrong.conf'
    wrong.write_text('[mail]\nrelai = x\n')
    assert machine.run('systemctl', 'restart', 'tenantd').returncode != 0
    assert machine.service('ActiveState') == 'failed' and machine.service('ExecMainStatus') == '78'
    assert machine.service('NRestarts') == '0'
    assert any('/etc/tenantd/tenantd.conf.d/wrong.conf:2: unknown key mail.relai' in line['MESSAGE'] for line in machine.log())
    wrong.unlink()
    machine.ok('systemctl', 'restart', 'tenantd')
    assert machine.is_up()


def test_upgrade_restarts_once_and_keeps_everything(machine, packages, tmp_path):
    customers = machine.ctl('customer', 'list', '--columns', 'id,organization')
    newer = []
    for name in ('tenantctl', 'tenantd'):
        run('dpkg-deb', '-R', packages[name], tmp_path / name, check=True)
        control = tmp_path / name / 'DEBIAN/control'
        control.write_text(re.sub(r'(?m)^Version: (.*)$', r'Version: \1+next', control.read_text()).replace('tenantctl (= 0.1)', 'tenantctl (= 0.1+next)'))
        newer.append(tmp_path / f'{name}.deb')
        run('dpkg-deb', '-b', '--root-owner-group', tmp_path / name, newer[-1], check=True)
    starts, pid = machine.starts(), machine.service('MainPID')
    machine.install(*newer)
    wait_until('the service', machine.is_up)
    assert machine.service('MainPID') != pid and machine.starts() == starts + 1 and machine.service('NRestarts') == '0'
    assert machine.ok('dpkg-query', '-W', '-f', '${Version}', 'tenantd').endswith('+next')
    assert machine.ctl('customer', 'list', '--columns', 'id,organization') == customers


def test_removal_keeps_state(machine, packages):
    customers = machine.ctl('customer', 'list', '--columns', 'id,organization')
    machine.ok('dpkg', '--remove', 'tenantd')
    assert machine.service('LoadState') == 'not-found'
    assert machine.run('pgrep', '-x', 'tenantd').returncode == 1
    assert machine.run('tenantctl', 'admin', 'status').returncode == 6
    machine.install(packages['tenantctl'], packages['tenantd'])
    wait_until('the service', machine.is_up)
    assert machine.ctl('customer', 'list', '--columns', 'id,organization') == customers and len(customers) == 223
    assert machine.ctl('audit', 'verify')


def test_purge_deletes_all_but_user_and_group(machine):
    # A state directory that is a disk of its own is emptied, and no reason to fail.
    machine.ok('mount', '--bind', '/var/lib/tenantd', '/var/lib/tenantd')
    machine.ok('dpkg', '--purge', 'tenantd')
    assert machine.ok('ls', '-A', '/var/lib/tenantd') == ''
    machine.ok('umount', '/var/lib/tenantd')
    machine.ok('rmdir', '/var/lib/tenantd')
    for folder in ('/var/lib/tenantd', '/var/cache/tenantd', '/etc/tenantd', '/etc/systemd/system/multi-user.target.wants/tenantd.service'):
        assert machine.run('test', '-e', folder).returncode == 1, folder
    assert machine.run('pgrep', '-x', 'tenantd').returncode == 1
    machine.ok('getent', 'passwd', 'tenantd')
    machine.ok('getent', 'group', 'tenantd', 'tenantd-admin')
    # What an administrator put elsewhere is not ours.
    machine.ok('test', '-e', '/etc/credstore/tenantd.smtp-password')


def test_a_new_host_begins_with_the_key_and_a_backup(machine, packages):
    """The last lines of the operator's guide."""
    machine.install(packages['tenantctl'], packages['tenantd'])
    machine.ok('systemctl', 'stop', 'tenantd')
    machine.ok('rm', '/etc/credstore/tenantd.key')
    machine.ok('install', '-o', 'tenantd', '-g', 'tenantd', '-m', '600', '/root/key', '/var/lib/tenantd/key')
    machine.ok('sh', '-c', 'rm -f /var/lib/tenantd/tenantd.db*')
    machine.ok('tenantctl', 'admin', 'restore', '/root/backup.db', '--yes')
    wait_until('the customers', lambda: len(machine.ctl('customer', 'list', '--columns', 'id')) == 223)
    assert machine.ctl('audit', 'verify')
    machine.ok('tenantctl', 'task', 'resume')
