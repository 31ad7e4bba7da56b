# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the machine is told about the daemon: its unit, its user, its name on the bus. Nothing of it is started here; tests/boot does."""
import os
import re
import subprocess
import xml.etree.ElementTree as tree

import pytest

from conftest import BUILD, NAME, TOP

UNIT = BUILD / 'systemd' / 'tenantd.service'
POLICY = TOP / 'dbus' / 'org.tenantd.Tenant1.conf'


def settings(section='Service'):
    """[(key, value)] of one section, in order."""
    found, current = [], None
    for line in UNIT.read_text().splitlines():
        if m := re.fullmatch(r'\[(\w+)\]', line):
            current = m[1]
        elif current == section and (m := re.fullmatch(r'(\w+)=(.*)', line)):
            found.append((m[1], m[2]))
    return found


@pytest.fixture
def unit(tmp_path):
    # There is no such program on this machine until it is installed: the one just built stands in.
    here = tmp_path / 'tenantd.service'
    text, n = re.subn(r'(?m)^ExecStart=\S+/sbin/tenantd$', f'ExecStart={BUILD}/tenantd', UNIT.read_text())
    assert n == 1
    here.write_text(text)
    return here


def test_systemd_has_nothing_to_say_about_the_unit(unit):
    # A key that it does not know is a line on stderr, and status 0.
    done = subprocess.run(['systemd-analyze', 'verify', '--man=no', unit], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, '')


def test_unit_is_confined(unit):
    done = subprocess.run(['systemd-analyze', 'security', '--offline=true', '--threshold=12', '--no-pager', unit], capture_output=True, text=True)
    level = re.search(r'exposure level for \S+: ([\d.]+)', done.stdout)
    assert done.returncode == 0 and level and float(level[1]) <= 1.2, done.stdout


def test_no_setting_of_the_unit_is_given_twice():
    keys = [key for key, value in settings()]
    assert {key for key in keys if keys.count(key) > 1} == {'LoadCredential', 'SystemCallFilter'}


def test_unit_answers_for_what_the_daemon_promises():
    service = dict(settings())
    assert service['Type'] == 'notify' and service['BusName'] == NAME and service['User'] == 'tenantd'
    assert service['Restart'] == 'always' and service['RestartPreventExitStatus'] == '78' and service['WatchdogSec'] == '180'
    assert ('StartLimitIntervalSec', '0') in settings('Unit')
    assert service['StateDirectory'] == service['CacheDirectory'] == service['ConfigurationDirectory'] == 'tenantd'
    assert service['StateDirectoryMode'] == service['CacheDirectoryMode'] == '0700'


def test_every_secret_that_is_read_comes_as_a_credential():
    source = ''.join(path.read_text() for path in (TOP / 'daemon').rglob('*.c'))
    wanted = set(re.findall(r'"%s/([\w-]+)", credentials', source)) | set(re.findall(r'read_secret\([^"]*"([\w-]+)"', source))
    given = {value.split(':')[0] for key, value in settings() if key == 'LoadCredential'}
    assert wanted == given and {'key', 'smtp-password'} <= given
    # By a relative name, which systemd looks for and does not miss: an absolute one that is not there keeps the service down.
    assert all(re.fullmatch(r'[\w-]+:tenantd\.[\w-]+', value) for key, value in settings() if key == 'LoadCredential')


def test_user_and_group_come_to_be(tmp_path):
    (tmp_path / 'etc').mkdir()
    subprocess.run(['systemd-sysusers', f'--root={tmp_path}', TOP / 'systemd/sysusers.d/tenantd.conf'], check=True)
    users, groups = (tmp_path / 'etc/passwd').read_text(), (tmp_path / 'etc/group').read_text()
    assert re.search('^tenantd:', users, re.M) and re.search('^tenantd-admin:', groups, re.M)
    # Nobody logs in as the service.
    assert re.search('^tenantd:.*:/usr/sbin/nologin$', users, re.M)
    subprocess.run(['systemd-tmpfiles', f'--root={tmp_path}', '--create', TOP / 'systemd/tmpfiles.d/tenantd.conf'], check=True)
    for folder in ('var/lib/tenantd', 'var/cache/tenantd'):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700


def test_bus_has_systemd_start_the_unit():
    activation = dict(re.findall(r'(?m)^(\w+)=(.*)$', (TOP / 'dbus/org.tenantd.Tenant1.service').read_text()))
    assert activation['Name'] == NAME and activation['SystemdService'] == UNIT.name
    # The bus itself never runs it, as whomever.
    assert activation['Exec'] == '/bin/false'
