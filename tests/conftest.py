# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private bus with the shipped policy and a daemon on it: what every system test stands on.

Types: rig.call(interface, member, signature, *args) -> tuple of the reply's body; a D-Bus error raises BusError with
.name and .message. rig.ctl(*words) -> subprocess.CompletedProcess of tenantctl. Source of the names: dbus/*.xml.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get('BUILD', TOP / 'build-test'))
NAME, PATH, PREFIX = 'org.tenantd.Tenant1', '/org/tenantd/Tenant1', 'org.tenantd.Tenant1.'
DEADLINE = 30.0

BUS_CONFIG = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/>
    <allow receive_type="error"/><allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <include>{policy}</include>{extra}
</busconfig>
'''


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f'{name}: {message}')
        self.name, self.message = name, message

    @property
    def kind(self):
        return self.name.rsplit('.', 1)[-1]

    @property
    def code(self):
        return self.message.split(':', 1)[0]


def wait_until(what, condition, seconds=DEADLINE):
    """Polls an outcome that has no event to wait for; fails with its name."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f'{what} did not happen within {seconds} s'
        time.sleep(0.005)


class PrivateBus:
    def __init__(self, folder, extra=''):
        self.folder, self.extra = Path(folder), extra
        self.socket = self.folder / 'bus_socket'
        self.address = f'unix:path={self.socket}'
        self.process = None

    def start(self):
        config = self.folder / 'bus.conf'
        config.write_text(BUS_CONFIG.format(socket=self.socket, policy=TOP / 'dbus' / 'org.tenantd.Tenant1.conf', extra=self.extra))
        log = open(self.folder / 'bus.log', 'ab')
        self.process = subprocess.Popen(['dbus-daemon', f'--config-file={config}', '--nofork', '--nopidfile'], stderr=log, stdout=log)

        def listening():
            try:
                socket.socket(socket.AF_UNIX).connect(str(self.socket))
            except OSError:
                return False
            return True
        wait_until('the private bus', listening)
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(DEADLINE)
            self.process = None
        self.socket.unlink(missing_ok=True)


class Client:
    """One connection. Descriptors: give open files, get FileDescriptor objects."""

    def __init__(self, address):
        self.connection = open_dbus_connection(address, enable_fds=True)

    def call(self, interface, member, signature=None, *args, timeout=DEADLINE):
        message = new_method_call(DBusAddress(PATH, NAME, PREFIX + interface), member, signature, args)
        reply = self.connection.send_and_get_reply(message, timeout=timeout)
        if reply.header.message_type == MessageType.error:
            raise BusError(reply.header.fields[HeaderFields.error_name], reply.body[0] if reply.body else '')
        return reply.body

    def close(self):
        self.connection.close()


class Rig:
    def __init__(self, folder, bus, config='', build=BUILD):
        self.folder, self.bus, self.build = Path(folder), bus, Path(build)
        self.state = self.folder / 'state'
        self.config = self.folder / 'tenantd.conf'
        self.config.write_text(config)
        self.log = self.folder / 'tenantd.log'
        self.process = None
        self.client = None

    def spawn(self, **environment):
        return subprocess.Popen([self.build / 'tenantd', f'--bus={self.bus.address}', f'--state={self.state}', f'--config={self.config}'],
                                stderr=open(self.log, 'ab'), stdout=subprocess.DEVNULL, env={**os.environ, **environment})

    def start(self, **environment):
        self.process = self.spawn(**environment)
        self.client = Client(self.bus.address)

        def up():
            assert self.process.poll() is None, f'tenantd ended with {self.process.returncode}:\n{self.log.read_text()}'
            return self._has_owner()
        wait_until('the daemon on the bus', up)
        return self

    def _has_owner(self):
        message = new_method_call(DBusAddress('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'org.freedesktop.DBus'), 'NameHasOwner', 's', (NAME,))
        return self.client.connection.send_and_get_reply(message, timeout=DEADLINE).body[0]

    def stop(self):
        """Ends it as systemd does, and looks for what a sanitizer had to say."""
        if self.client:
            self.client.close()
            self.client = None
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(DEADLINE)
            self.process = None
            assert code == 0, f'tenantd ended with {code}:\n{self.log.read_text()[-4000:]}'
        self.check_log()

    def kill(self):
        self.client.close()
        self.client = None
        self.process.kill()
        self.process.wait(DEADLINE)
        self.process = None

    def check_log(self):
        text = self.log.read_text(errors='replace')
        assert 'Sanitizer' not in text and 'runtime error' not in text, text[-8000:]

    def call(self, *args, **keywords):
        return self.client.call(*args, **keywords)

    def json(self, *args, **keywords):
        """The first value of the reply, read as JSON."""
        return json.loads(self.call(*args, **keywords)[0])

    def onboard(self, organization, account, **fields):
        values = {'organization': organization, 'registered_account': account, 'first_name': 'Ada', 'last_name': 'Example', 'country': 'DE', **fields}
        typed = {k: v if isinstance(v, tuple) else ('s', v) for k, v in values.items()}
        return self.json('Customers', 'Onboard', 'a{sv}a{sv}', typed, {})['id']

    def customer(self, reference):
        return self.json('Customers', 'Describe', 's', reference)

    def wait_operation(self, identity):
        result = {}

        def over():
            result.update(self.json('Operations', 'Describe', 's', identity))
            return result['state'] != 'running'
        wait_until(f'the end of operation {identity}', over)
        return result

    def ctl(self, *words, uid=None, input=None, env=None, timeout=60):
        command = [str(self.build / 'tenantctl'), f'--bus={self.bus.address}', *map(str, words)]
        if uid is not None:
            command = ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups', *command]
        return subprocess.run(command, capture_output=True, text=True, input=input, timeout=timeout,
                              env={**os.environ, 'LC_ALL': 'C.UTF-8', **(env or {})}, stdin=subprocess.DEVNULL if input is None else None)


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix='tenantd-test-', dir='/var/tmp'))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def bus(folder):
    bus = PrivateBus(folder).start()
    yield bus
    bus.stop()


@pytest.fixture
def rig(folder, bus):
    """A daemon with nothing in it."""
    rig = Rig(folder, bus).start()
    yield rig
    if rig.process:
        rig.stop()


# ---- choosing ----

@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(items):
    """The tests of the booted machine tell one story, from the first installation to the last removal: one of them brings those before it."""
    story = [item for item in items if item.path.parent.name == 'boot' and 'machine' in getattr(item, 'fixturenames', ())]
    whole = list(items)
    yield
    chosen = set(items)
    told = [i for i, item in enumerate(story) if item in chosen]
    if told:
        chosen.update(story[:told[-1]])
        items[:] = [item for item in whole if item in chosen]
