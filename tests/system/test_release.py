# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is shipped: a build without sanitizers and test hooks, what it installs, and what a release holds."""
import os
import re
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as tree
from pathlib import Path

import openpyxl
import pytest
from jeepney import DBusAddress, new_method_call

from conftest import NAME, PATH, PREFIX, TOP, BusError, Rig
from test_bus import shape

# One after the other: they share the folder of the build.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('release')]
RELEASE = TOP / 'build'


@pytest.fixture(scope='module')
def release():
    done = subprocess.run([TOP / 'dev', 'build'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return RELEASE


@pytest.fixture(scope='module')
def installed(release, tmp_path_factory):
    root = tmp_path_factory.mktemp('root')
    done = subprocess.run(['make', '-s', '-C', release, 'install', f'DESTDIR={root}'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / 'usr/local'                # what configure takes if it is told nothing


def test_release_has_nothing_that_only_tests_need(release, folder, bus):
    rig = Rig(folder, bus, build=release).start(TENANTD_CRASH='before_commit')
    assert rig.onboard('One', 'a@x.example')
    message = new_method_call(DBusAddress(PATH, NAME, 'org.freedesktop.DBus.Introspectable'), 'Introspect')
    found = {i.get('name'): shape(i) for i in tree.fromstring(rig.client.connection.send_and_get_reply(message).body[0]).findall('interface')
             if i.get('name').startswith(PREFIX)}
    documented = [tree.parse(path).getroot().find('interface') for path in (TOP / 'dbus').glob('*.xml')]
    assert found == {i.get('name'): shape(i) for i in documented}
    with pytest.raises(BusError) as e:
        rig.call('Tasks', 'Enqueue', 'as', ['noop'])
    assert e.value.kind == 'UnknownMethod'
    assert rig.ctl('--version').returncode == 0
    rig.stop()


@pytest.mark.parametrize('program, libraries', [
    # Each library more costs every start of tenantctl milliseconds.
    ('tenantctl', {'libsystemd', 'libjansson', 'libsmartcols', 'libc'}),
    ('tenantd', {'libsystemd', 'libuv', 'libsqlite3', 'libjansson', 'libcrypto', 'libunistring', 'libc'}),
    ('tenantd-render', {'libxlsxwriter', 'libpng16', 'libjpeg', 'libseccomp', 'libjansson', 'libcrypto', 'libc'}),
    ('tenantd-render-pdf', {'libpangocairo-1.0', 'libpango-1.0', 'libgobject-2.0', 'libglib-2.0', 'libcairo', 'libfontconfig', 'libpng16', 'libjpeg',
                            'libseccomp', 'libjansson', 'libcrypto', 'libc'})])
def test_programs_link_no_more_than_they_need(release, program, libraries):
    dynamic = subprocess.run(['readelf', '-d', release / program], capture_output=True, text=True, check=True).stdout
    needed = {name.split('.so')[0] for name in re.findall(r'NEEDED.*\[(.*)\]', dynamic)}
    assert needed <= libraries | {'libm', 'libz'}


def test_installed_tree_is_whole(installed):
    found = {str(p.relative_to(installed)) for p in installed.rglob('*') if p.is_file()}
    interfaces = {f'share/dbus-1/interfaces/{p.name}' for p in (TOP / 'dbus').glob('*.xml')}
    assert len(interfaces) > 12 and found >= interfaces | {
        'bin/tenantctl', 'sbin/tenantd', 'libexec/tenantd/tenantd-render', 'libexec/tenantd/tenantd-render-pdf',
        'lib/systemd/system/tenantd.service', 'lib/sysusers.d/tenantd.conf', 'lib/tmpfiles.d/tenantd.conf',
        'share/dbus-1/system.d/org.tenantd.Tenant1.conf', 'share/dbus-1/system-services/org.tenantd.Tenant1.service', 'share/polkit-1/actions/org.tenantd.tenant1.policy',
        'share/man/man1/tenantctl.1', 'share/doc/tenantd/operators-guide.md', 'share/man/man5/tenantd.conf.5', 'share/man/man5/org.tenantd.Tenant1.5', 'share/man/man8/tenantd.8',
        'share/bash-completion/completions/tenantctl', 'share/zsh/site-functions/_tenantctl'}
    for path in (RELEASE / 'systemd', TOP / 'dbus', installed / 'lib'):
        assert not any('@' + 'sbindir' in p.read_text() for p in path.rglob('*') if p.is_file())


def test_tour_ends_with_the_workbook(release):
    done = subprocess.run([TOP / 'dev', 'run', '--once'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    path = re.search(r'customer information report: (\S+)', done.stdout)[1]
    sheet = openpyxl.load_workbook(path).active
    assert sheet.max_row == 1 + 223 and 'Bókabúð Þór ehf.' in [cell.value for cell in sheet['A']]
    assert 'Atlantis' in done.stdout
    shutil.rmtree(Path(path).parent)


def test_release_holds_every_file(release):
    done = subprocess.run(['make', '-s', '-C', release, 'dist'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(next(release.glob('tenantd-*.tar.xz'))) as archive:
        held = {name.split('/', 1)[1] for name in archive.getnames() if '/' in name}
    known = subprocess.run(['git', '-c', 'safe.directory=*', '-C', TOP, 'ls-files'], capture_output=True, text=True)
    if known.returncode != 0:
        pytest.skip('not a clone')
    missing = set(known.stdout.split()) - held - {'.gitignore'}
    assert not missing
    assert not any('__pycache__' in name for name in held)


def test_release_builds_checks_and_installs_by_itself(release):
    done = subprocess.run(['make', '-s', '-C', release, f'-j{os.cpu_count()}', 'distcheck'], capture_output=True, text=True)
    logs = ''.join(log.read_text(errors='replace') for log in release.rglob('test-suite.log'))
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:] + logs[-6000:]
