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
    wanted = set(re.findall(r'read_(?:secret|credential)\([^";{]*"([\w-]+)"', source))
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


def test_package_has_the_version_of_the_source():
    version = re.search(r'AC_INIT\(\[tenantd\], \[([\d.]+)\]', (TOP / 'configure.ac').read_text())[1]
    assert re.match(r'tenantd \((.*?)\)', (TOP / 'debian/changelog').read_text())[1] == version


def refused(root, xpath):
    return [tree.tostring(found, encoding='unicode').strip() for found in root.findall(xpath)]


def test_bus_policy_opens_this_service_and_no_other():
    root = tree.parse(POLICY).getroot()
    allowed = root.findall('./policy/allow')
    # A rule for sending that names no destination would open every service; by type, interface or path alone it does.
    senders = [rule for rule in allowed if any(key.startswith('send_') for key in rule.keys())]
    assert senders and all(rule.get('send_destination') == NAME for rule in senders)
    # What is not about sending is about this one name.
    assert all(rule.attrib == {'own': NAME} for rule in allowed if rule not in senders)
    # The name is the service's: for everybody it is denied, and allowed to two users.
    assert not refused(root, './policy[@context="default"]/allow[@own]') and refused(root, f'./policy[@context="default"]/deny[@own="{NAME}"]')
    assert not refused(root, './policy/allow[@own_prefix]')
    owners = [p for p in root.findall('./policy') if p.find('allow[@own]') is not None]
    assert sorted(tuple(p.attrib.items()) for p in owners) == [(('user', 'root'),), (('user', 'tenantd'),)]
    # "mandatory" would go before what an administrator wrote into /etc/dbus-1; what hangs on a console or a group is not ours to decide.
    assert {tuple(p.attrib.items()) for p in root.findall('./policy')} <= {(('context', 'default'),), (('user', 'root'),), (('user', 'tenantd'),)}
    assert {e.tag for e in root.iter()} == {'busconfig', 'policy', 'allow', 'deny'}


@pytest.mark.parametrize('uid, answer', [(0, 'u 1'), (65534, 'Access denied')])
def test_name_is_given_to_the_service_alone(bus, uid, answer):
    done = subprocess.run(['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', 'busctl', f'--address={bus.address}', 'call',
                           'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'RequestName', 'su', NAME, '4'],
                          capture_output=True, text=True, env={**os.environ, 'LC_ALL': 'C'})
    assert answer in done.stdout + done.stderr and (done.returncode == 0) == (uid == 0)


def test_anybody_may_ask_and_the_daemon_says_no_itself(rig):
    assert rig.ctl('customer', 'list', uid=65534).returncode == 4
    assert 'Rejected' not in (rig.bus.folder / 'bus.log').read_text()
