# SPDX-License-Identifier: LGPL-2.1-or-later
"""Planted secrets are looked for everywhere they must not be: in all files of the state directory, backups, the log at its most talkative,
a capture of the whole bus, what the kernel tells of the processes, memory that a core dump would hold, and all that tenantctl prints.

Secrets: {name: needles}; what was looked through: {name of a place: bytes}; leaks(places, secrets) -> [(place, secret)].
"""
import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import os
import re
import secrets
import signal
import subprocess

import pytest

from conftest import NAME, PrivateBus, Rig, wait_until
from relay import Relay, ehlo, make_certificates, tls_context
from test_rotate import credentials, give, rotate  # noqa: F401
from test_schedule import ok, refused

pytestmark = pytest.mark.slow

ACCOUNT = 'c@contoso.example'


# ---- what is looked for ----

def forms(secret):
    """As it is, and within base64 wherever it begins."""
    found = {secret}
    for shift in range(3):
        coded = base64.b64encode(b'\0' * shift + secret)
        found.add(coded[-(-shift * 8 // 6) + (shift > 0):-4])
    return found


def key_forms(text):
    master = bytes.fromhex(text)
    derived = [hmac.new(master, f'tenantd {what} 1'.encode(), hashlib.sha256).digest() for what in ('seal', 'hash')]
    return {text.encode(), text.upper().encode(), master, *derived, *(d.hex().encode() for d in derived)}


def code_forms(code):
    """Eight digits that no other digit touches: longer numbers are times and ids."""
    return {(code.encode(), rb'(?<![0-9a-f])' + code.encode() + rb'(?![0-9a-f])')}


def holds(data, needle):
    if isinstance(needle, bytes):
        return needle in data
    return needle[0] in data and re.search(needle[1], data) is not None


def leaks(places, planted):
    return [(place, name) for place, data in places.items() for name, needles in planted.items() if any(holds(data, n) for n in needles)]


# ---- where ----

MONITOR = '<policy user="root"><allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/></policy>'


@pytest.fixture
def bus(folder):
    """One on which root may listen."""
    bus = PrivateBus(folder, MONITOR).start()
    yield bus
    bus.stop()


class Capture:
    """Everything that crosses the bus, as root may see it."""

    def __init__(self, bus, folder):
        self.path = folder / 'capture'
        self.process = subprocess.Popen(['dbus-monitor', '--address', bus.address, '--binary'], stdout=open(self.path, 'wb'), stderr=subprocess.DEVNULL)
        wait_until('the monitor', lambda: self.path.stat().st_size > 0 or self.process.poll() is not None)
        assert self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return self.path.read_bytes()


GONE = (FileNotFoundError, ProcessLookupError)


def tree(pid):
    """A process and its children, while they are there."""
    yield pid
    with contextlib.suppress(*GONE):
        for task in os.listdir(f'/proc/{pid}/task'):
            with contextlib.suppress(*GONE):
                for child in open(f'/proc/{pid}/task/{task}/children').read().split():
                    yield from tree(int(child))


def told_by_the_kernel(pid):
    places = {}
    for p in tree(pid):
        with contextlib.suppress(*(GONE if p != pid else ())):
            for what in ('cmdline', 'environ', 'maps', 'status'):
                places[f'/proc/{p}/{what}'] = open(f'/proc/{p}/{what}', 'rb').read()
    return places


def core_of(rig):
    """What a debugger of root's writes of the living process. A sanitizer's memory has terabytes, and keeps what was freed: of such a build
    there is nothing to see."""
    if b'__asan_init' in (rig.build / 'tenantd').read_bytes():
        return b''
    done = subprocess.run(['gcore', '-o', rig.folder / 'core', str(rig.process.pid)], capture_output=True)
    path = rig.folder / f'core.{rig.process.pid}'
    assert done.returncode == 0 and path.exists(), done
    data = path.read_bytes()
    path.unlink()
    return data


def files_of(folder, but=()):
    return {str(p): p.read_bytes() for p in folder.rglob('*') if p.is_file() and p.name not in but}


class Teller:
    """A rig whose every word of tenantctl is kept."""

    def __init__(self, rig):
        self.rig, self.said = rig, []

    def ctl(self, *words, **more):
        done = self.rig.ctl(*words, **more)
        self.said.append((done.stdout + done.stderr).encode())
        return done

    def __getattr__(self, name):
        return getattr(self.rig, name)


# ---- the sweep ----

CONFIG = '[mail]\nrelay = localhost:{port}\nuser = mailer@msp.example\nca_file = {ca}\n'


def mailed(relay):
    """Code and link of each mail that the relay has."""
    found = []
    for raw in relay.messages:
        text = email.message_from_bytes(raw, policy=email.policy.default).get_body(('plain',)).get_content()
        if re.search(r'\b(\d{8})\b', text):
            found.append((re.search(r'\b(\d{8})\b', text)[1], re.search(r'/verify/([0-9a-f]{64})', text)[1]))
    return found


def live(rig, relay):
    """A day of it: codes sent, guessed and used, reports, a backup, a rotation, and everything that shows something."""
    ok(rig, 'admin', 'log-level', 'debug')
    identity = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    ok(rig, 'partner', 'set', '--name', 'MSP', '--sender', 'reports@msp.example')
    ok(rig, 'customer', 'edit', identity, '--service-reports', 'on', '--service-recipients', ACCOUNT)
    ok(rig, 'report', 'generate', identity, '--template', 'monthly', '--format', 'xlsx', '--to-customer')
    wait_until('the code', lambda: mailed(relay))
    code = mailed(relay)[0][0]
    refused(rig, 5, 'code-wrong', 'report', 'verify', identity, ACCOUNT, f'{(int(code) + 1) % 10**8:08}')
    ok(rig, 'admin', 'rotate-key', '--yes')
    ok(rig, 'report', 'verify', identity, ACCOUNT, code)
    ok(rig, 'report', 'verify', identity, 'admin@contoso.example')
    wait_until('another code', lambda: len(mailed(relay)) == 2)
    wait_until('their settling', lambda: not ok(rig, 'message', 'list', '--filter', 'state in (queued, sending)'))
    for noun in ('task', 'message', 'report', 'audit', 'operation', 'customer'):
        ok(rig, noun, 'list')
    for message in ok(rig, 'message', 'list'):
        ok(rig, 'message', 'show', message['id'])
    rig.ctl('admin', 'status')
    ok(rig, 'admin', 'backup', rig.folder / 'backup.db')


@pytest.fixture
def planted():
    return {'password': f'Pw-{secrets.token_hex(16)}', 'token': f'ya29.{secrets.token_hex(16)}', 'key': secrets.token_hex(32), 'new key': secrets.token_hex(32)}


@pytest.mark.parametrize('mechanism', ['PLAIN', 'XOAUTH2', 'refused', pytest.param('LOGIN', marks=pytest.mark.slow)])
def test_no_secret_is_anywhere_it_must_not_be(folder, bus, credentials, planted, mechanism):  # noqa: F811
    make_certificates(folder)
    give(credentials, 'key', planted['key'])
    give(credentials, 'key-new', planted['new key'])
    give(credentials, 'smtp-password', planted['password'])
    if mechanism == 'XOAUTH2':
        give(credentials, 'smtp-token', planted['token'])
    capture = Capture(bus, folder)
    # One that repeats what it hears, and one that takes us only the second time.
    auth = [lambda c: b'535 5.7.8 no: ' + c.relay.commands[-1].split()[-1] + b'\r\n', b'235 welcome\r\n'] if mechanism == 'refused' else b'235 welcome\r\n'
    offered = 'PLAIN' if mechanism == 'refused' else mechanism
    answers = {'AUTH': auth}
    if mechanism == 'LOGIN':
        said = {b'mailer@msp.example': b'334 UGFzc3dvcmQ6\r\n', planted['password'].encode(): b'235 welcome\r\n'}
        answers = {'AUTH': b'334 VXNlcm5hbWU6\r\n', **{base64.b64encode(word).decode().upper(): answer for word, answer in said.items()}}
    with Relay(answers, capabilities=(f'AUTH {offered}',), tls=tls_context(folder)) as relay:
        rig = Teller(Rig(folder, bus, CONFIG.format(port=relay.port, ca=folder / 'ca.crt')).start(CREDENTIALS_DIRECTORY=str(credentials)))
        places = told_by_the_kernel(rig.process.pid)
        if mechanism == 'refused':
            ok(rig, 'admin', 'test-mail', 'x@nobody.example')
            wait_until('the refusal', lambda: any('takes nothing' in w for w in ok(rig, 'admin', 'status')['warnings']))
            rig.stop()
            rig.rig.start(CREDENTIALS_DIRECTORY=str(credentials))
        else:
            live(rig, relay)
            assert relay.messages and any(line.startswith(b'AUTH ' + mechanism.encode()) for line in relay.commands)
        places |= told_by_the_kernel(rig.process.pid)
        places['core'] = core_of(rig)
        found = mailed(relay)
        rig.stop()
    places |= files_of(rig.state) | files_of(folder / 'state')
    places |= {p: (folder / p).read_bytes() for p in ('tenantd.log', 'backup.db', 'tenantd.conf', 'bus.log') if (folder / p).exists()}
    places['capture'] = capture.stop()
    places['tenantctl'] = b'\n'.join(rig.said)
    looked_for = {name: key_forms(text) if 'key' in name else forms(text.encode()) for name, text in planted.items()}
    assert leaks(places, looked_for) == []
    # A code that was used is nothing any more, and stood in the call that used it.
    for number, (code, link) in enumerate(found):
        looked_for = {f'code {number}': code_forms(code), f'link {number}': {link.encode(), bytes.fromhex(link)}}
        used = {'capture'} if number == 0 else set()
        assert [leak for leak in leaks(places, looked_for) if leak[0] not in used] == []
        assert not used or len(re.findall(code.encode(), places['capture'])) == 1
    # And the search finds what is there.
    assert leaks({'the relay': b'\n'.join(relay.commands)}, {'password': forms(planted['password'].encode()), 'token': forms(planted['token'].encode())})
    assert mechanism == 'refused' or leaks({'credentials': (credentials / 'key').read_bytes()}, {'key': key_forms(planted['key'])})


def test_codes_in_files_stand_in_their_one_mail_alone(folder, bus):
    """Without a relay, and with the key beside the database: key files and the mails themselves are what may hold something."""
    rig = Teller(Rig(folder, bus).start())
    ok(rig, 'admin', 'log-level', 'debug')
    first = (rig.state / 'key').read_text().strip()
    identity = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    ok(rig, 'customer', 'edit', identity, '--service-reports', 'on', '--service-recipients', ACCOUNT)
    for to in (ACCOUNT, 'admin@contoso.example'):
        ok(rig, 'report', 'verify', identity, to)
    wait_until('the mails', lambda: len(list((rig.state / 'outbox-mail').glob('*.eml'))) == 2)
    wait_until('their settling', lambda: not ok(rig, 'message', 'list', '--filter', 'state in (queued, sending)'))
    mails = {p: email.message_from_bytes(p.read_bytes(), policy=email.policy.default).get_content() for p in (rig.state / 'outbox-mail').glob('*.eml')}
    codes = {p: re.search(r'\b(\d{8})\b', text)[1] for p, text in mails.items()}
    rotate(rig)
    second = (rig.state / 'key').read_text().strip()
    ok(rig, 'admin', 'backup', folder / 'backup.db')
    core = core_of(rig)
    rig.kill()                               # the WAL stays
    old = next(p for p in rig.state.glob('key.*'))
    keys = {'key': key_forms(first), 'new key': key_forms(second)}
    assert set(leaks(files_of(folder) | {'core': core}, keys)) == {(str(rig.state / 'key'), 'new key'), (str(old), 'key')}
    for path, code in codes.items():
        places = files_of(folder, but=(path.name,)) | {'core': core, 'tenantctl': b'\n'.join(rig.said)}
        assert leaks(places, {'code': code_forms(code) | forms(code.encode() + b'\n')}) == []


def test_the_search_finds_what_is_planted(folder, bus):
    """A sweep that found nothing because it looks at nothing would be silent, too."""
    rig = Rig(folder, bus).start()
    secret = f'Pw-{secrets.token_hex(16)}'
    rig.onboard(secret, 'admin@contoso.example')
    capture = Capture(bus, folder)
    said = rig.ctl('customer', 'list').stdout.encode()
    ok(rig, 'admin', 'backup', folder / 'backup.db')
    core = core_of(rig)
    kernel = told_by_the_kernel(rig.process.pid)
    rig.kill()
    places = files_of(folder) | {'core': core, 'capture': capture.stop(), 'tenantctl': said}
    found = {place for place, _ in leaks(places, {'password': forms(secret.encode())})}
    assert {str(folder / 'backup.db'), 'capture', 'tenantctl'} | ({'core'} if core else set()) <= found and any('tenantd.db' in place for place in found), found
    assert any(str(folder).encode() in data for data in kernel.values())
    # Within base64, too, wherever it begins there.
    for shift in range(3):
        coded = base64.b64encode(b'x' * shift + secret.encode() + b'end')
        assert leaks({'mail': coded}, {'password': forms(secret.encode())})
    assert leaks({'x': b'code 73548903.'}, {'code': code_forms('73548903')}) and not leaks({'x': b'173548903'}, {'code': code_forms('73548903')})


# ---- the process ----

def limits(pid):
    return open(f'/proc/{pid}/limits').read()


def test_it_cannot_be_dumped(rig):
    """Neither by the limit nor by a handler, which looks at dumpable alone; and a fault leaves no file."""
    pid = rig.process.pid
    assert re.search(r'Max core file size\s+0\s+0\s', limits(pid))
    # What belongs to nobody but root is what dumpable 0 looks like from outside.
    assert os.stat(f'/proc/{pid}/mem').st_uid == 0
    probe = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'cat', f'/proc/{pid}/environ']
    assert subprocess.run(probe, capture_output=True).returncode != 0


AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']


def test_a_user_cannot_look_into_its_own_daemon_which_works_all_the_same(folder):
    """dumpable 0 gives what stands in /proc to root; what the daemon itself needs of it must not miss."""
    folder.chmod(0o777)
    bus = PrivateBus(folder, f'<policy user="nobody"><allow own="{NAME}"/></policy>').start()
    try:
        rig = Rig(folder, bus)
        rig.spawn = lambda: subprocess.Popen([*AS_NOBODY, rig.build / 'tenantd', f'--bus={bus.address}', f'--state={rig.state}', f'--config={rig.config}'],
                                             stderr=open(rig.log, 'ab'))
        rig.start()
        pid = rig.process.pid
        assert os.stat(f'/proc/{pid}/mem').st_uid == 0 and open(f'/proc/{pid}/status').read().split('Uid:')[1].split()[0] == '65534'
        for what in ('environ', 'mem', 'maps'):
            assert subprocess.run([*AS_NOBODY, 'cat', f'/proc/{pid}/{what}'], capture_output=True).returncode != 0
        # The helper beside the program, and a file that is opened once more for reading only.
        rig.onboard('Contoso GmbH', 'admin@contoso.example')
        ok(rig, 'report', 'export', 'customers', '--format', 'xlsx', '--output', folder / 'x.xlsx')
        assert (folder / 'x.xlsx').read_bytes().startswith(b'PK')
        rig.stop()
    finally:
        bus.stop()


# ---- the configuration ----

@pytest.mark.parametrize('line,credential', [
    ('[mail]\npassword = {}', 'smtp-password'), ('[mail]\nsmtp_password = {}', 'smtp-password'), ('[mail]\ntoken = {}', 'smtp-token'),
    ('[mail]\nxoauth2_token = {}', 'smtp-token'), ('[admin]\nkey = {}', 'key'), ('[mail]\nrelay = user:{}@relay.example:587', 'smtp-password'),
    ('[portal]\nurl = https://user:{}@portal.example', 'smtp-password')])
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(folder, bus, line, credential):
    secret = secrets.token_hex(32)
    rig = Rig(folder, bus, line.format(secret) + '\n')
    process = rig.spawn()
    assert process.wait(30) == 78
    said = rig.log.read_text()
    assert f'{rig.config}:2: ' in said and credential in said and secret not in said and len(said.splitlines()) == 1


def test_status_says_that_a_secret_is_missing(folder, bus, credentials):  # noqa: F811
    rig = Rig(folder, bus, '[mail]\nrelay = 127.0.0.1:9\nstarttls = off\nuser = u\n').start(CREDENTIALS_DIRECTORY=str(credentials))
    assert any('smtp-password' in w for w in ok(rig, 'admin', 'status')['warnings'])
    rig.stop()
    give(credentials, 'smtp-password', 'x')
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    assert not any('smtp-password' in w for w in ok(rig, 'admin', 'status')['warnings'])
    rig.stop()


def test_a_secret_that_others_can_read_is_not_used(folder, bus, credentials):  # noqa: F811
    give(credentials, 'smtp-password', 'x')
    (credentials / 'smtp-password').chmod(0o444)
    with Relay() as relay:
        rig = Rig(folder, bus, f'[mail]\nrelay = 127.0.0.1:{relay.port}\nstarttls = off\nuser = u\n').start(CREDENTIALS_DIRECTORY=str(credentials))
        ok(rig, 'admin', 'test-mail', 'a@x.example')
        wait_until('the warning', lambda: any('readable by others' in w for w in ok(rig, 'admin', 'status')['warnings']))
        assert relay.connections == 0
        rig.stop()
