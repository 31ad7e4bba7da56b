# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages as they are built and as a relay takes them: real servers on loopback, and a scripted one that refuses, drops, lies and is
silent at every stage. Everything goes through tests/unit/mail-send, which is the builder and the client and nothing else."""
import base64
import email
import email.policy
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult

from conftest import BUILD, DEADLINE, wait_until
from listening import Listening
from relay import DROP, SILENT, Relay, ehlo, has_ipv6, make_certificates, tls_context

# aiosmtpd does not see that implicit TLS is TLS.
pytestmark = pytest.mark.filterwarnings('ignore:Requiring AUTH')

MESSAGE = {'sender_name': 'Example MSP', 'sender': 'reports@msp.example', 'recipient': 'ada@contoso.example', 'subject': 'Report',
           'date': 1796212800000000, 'id': '0123@msp.example', 'language': 'en', 'text': 'Hello\n'}
PIPED, PLAIN = ('PIPELINING',), ()


class Driver:
    def __init__(self, log, **environment):
        self.log = Path(log)
        self.process = subprocess.Popen([BUILD / 'tests' / 'unit' / 'mail-send'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(self.log, 'wb'), env={**os.environ, 'LC_ALL': 'C', **environment})

    def ask(self, **request):
        self.tell(**request)
        return self.hear()

    def tell(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b'\n')
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        assert line, f'mail-send ended:\n{self.log.read_text(errors="replace")[-4000:]}'
        return json.loads(line)

    def relay(self, port, **settings):
        assert self.ask(op='relay', port=port, **{'host': '127.0.0.1', 'security': 'off', 'ehlo': 'msp.example', 'wait_ms': 20000, **settings}) == {}

    def send(self, **changes):
        return self.ask(op='send', **{**MESSAGE, **changes})

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(DEADLINE)
        text = self.log.read_text(errors='replace')
        assert code == 0 and 'Sanitizer' not in text and 'runtime error' not in text, f'{code}\n{text[-4000:]}'


@pytest.fixture(scope='module')
def driver():
    """One for all: a new relay is a new connection. It must end well, whatever the relays did to it."""
    path = Path(tempfile.mkdtemp(prefix='tenantd-test-', dir='/var/tmp'))
    driver = Driver(path / 'mail-send.log')
    yield driver
    driver.stop()
    shutil.rmtree(path)


@pytest.fixture
def own_driver(folder):
    driver = Driver(folder / 'mail-send.log')
    yield driver
    driver.stop()


@pytest.fixture(scope='module')
def certificates():
    path = Path(tempfile.mkdtemp(prefix='tenantd-test-', dir='/var/tmp'))
    make_certificates(path)
    yield path
    shutil.rmtree(path)


def parse(data):
    message = email.message_from_bytes(data, policy=email.policy.default)
    for part in message.walk():
        assert not part.defects, part.defects
    return message


# --- real servers ---------------------------------------------------------------------------------------------------


class Mailbox:
    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return '250 2.0.0 taken'


class Server:
    """aiosmtpd: STARTTLS or TLS, and AUTH."""

    def __init__(self, certificates, implicit=False, **options):
        self.mailbox, self.logins = Mailbox(), []
        context = tls_context(certificates)
        tls = {'ssl_context': context} if implicit else {'tls_context': context, 'require_starttls': True}
        self.controller = Listening(self.mailbox, authenticator=self._login, auth_required=True, enable_SMTPUTF8=True,
                                    auth_require_tls=not implicit, **tls, **options)

    def _login(self, server, session, envelope, mechanism, data):
        self.logins.append((mechanism, data.login, data.password))
        return AuthResult(success=data.password == b'secret', handled=False)

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()

    @property
    def port(self):
        return self.controller.port


def write(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize('security', ['starttls', 'tls'])
def test_what_arrives_is_what_was_meant(driver, folder, certificates, security):
    files = {'Bericht März.csv': ('text/csv; charset=utf-8', '\ufeffa,b\r\n.\r\n..\r\n'.encode()),
             'x' * 60 + '表' * 40 + '.xlsx': ('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', bytes(range(256)) * 700),
             'empty.txt': ('text/plain', b'')}
    attachments = [{'name': name, 'type': kind, 'path': write(folder, f'file-{n}', data)} for n, (name, (kind, data)) in enumerate(files.items())]
    text = 'Grüße,\n.\nFrom here\n\n' + 'x' * 3000 + '\nno line end'
    with Server(certificates, implicit=security == 'tls') as server:
        driver.relay(server.port, security=security, ca_file=str(certificates / 'ca.crt'), user='daemon', password='secret')
        result = driver.send(sender_name='Müller & Söhne, "MSP"', subject='Bericht für März – ' + '漢字' * 30, recipient='ada@bücher.example', language='de',
                             text=text, attachments=attachments)
    assert (result['outcome'], result['code'], result['enhanced'], result['reason']) == ('delivered', 250, '2.0.0', '')
    assert server.logins == [('PLAIN', b'daemon', b'secret')]
    [envelope] = server.mailbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ('reports@msp.example', ['ada@xn--bcher-kva.example'])
    message = parse(envelope.content)
    assert message['From'].addresses[0].display_name == 'Müller & Söhne, "MSP"' and message['From'].addresses[0].addr_spec == 'reports@msp.example'
    assert message['To'] == 'ada@xn--bcher-kva.example' and message['Subject'] == 'Bericht für März – ' + '漢字' * 30
    assert message['Date'].datetime.isoformat() == '2026-12-02T12:00:00+00:00' and message['Message-ID'] == '<0123@msp.example>'
    assert message['Auto-Submitted'] == 'auto-generated' and message['Content-Language'] == 'de'
    assert sorted(k.lower() for k in message.keys()) == ['auto-submitted', 'content-language', 'content-type', 'date', 'from', 'message-id',
                                                         'mime-version', 'subject', 'to']
    body, *parts = message.iter_parts()
    assert body.get_content_type() == 'text/plain' and body.get_payload(decode=True).decode() == text.replace('\n', '\r\n')
    assert [(p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in parts] == \
        [(name, kind.split(';')[0], data) for name, (kind, data) in files.items()]
    # Programs that know only the name of Content-Type read the same.
    names = [str(email.header.make_header(email.header.decode_header(p.get_param('name')))) for p in email.message_from_bytes(envelope.content).get_payload()[1:]]
    assert [n.replace('\n ', '').replace('\r', '') for n in names] == list(files)


def test_a_wrong_password_pauses_the_relay(driver, certificates):
    with Server(certificates) as server:
        driver.relay(server.port, security='starttls', ca_file=str(certificates / 'ca.crt'), user='daemon', password='wrong')
        result = driver.send()
    assert (result['outcome'], result['code'], result['relay']) == ('no-auth', 535, True)
    assert 'wrong' not in result['reason'] and not server.mailbox.envelopes


def test_login_where_plain_is_not_offered(driver, certificates):
    with Server(certificates, auth_exclude_mechanism=['PLAIN']) as server:
        driver.relay(server.port, security='starttls', ca_file=str(certificates / 'ca.crt'), user='daemon', password='secret')
        assert driver.send()['outcome'] == 'delivered'
    assert server.logins == [('LOGIN', b'daemon', b'secret')]


def test_a_local_part_beyond_ascii_where_it_is_taken(driver, certificates):
    with Server(certificates) as server:
        driver.relay(server.port, security='starttls', ca_file=str(certificates / 'ca.crt'), user='daemon', password='secret')
        assert driver.send(recipient='jürgen@bücher.example')['outcome'] == 'delivered'
    [envelope] = server.mailbox.envelopes
    assert envelope.rcpt_tos == ['jürgen@xn--bcher-kva.example'] and 'SMTPUTF8' in envelope.mail_options
    message = email.message_from_string(envelope.content.decode(), policy=email.policy.SMTPUTF8)
    assert message['To'].addresses[0].addr_spec == 'jürgen@xn--bcher-kva.example'


def test_many_messages_go_over_one_connection(driver, certificates):
    with Server(certificates) as server:
        driver.relay(server.port, security='starttls', ca_file=str(certificates / 'ca.crt'), user='daemon', password='secret')
        for n in range(20):
            assert driver.send(id=f'{n}@msp.example')['outcome'] == 'delivered'
    assert len(server.logins) == 1 and [parse(e.content)['Message-ID'] for e in server.mailbox.envelopes] == [f'<{n}@msp.example>' for n in range(20)]


# --- TLS, and who may be talked to without ---------------------------------------------------------------------------


@pytest.mark.parametrize('name, ca, why', [('stranger', 'ca', 'host name'), ('old', 'ca', 'expired'), ('server', 'other', 'issuer')])
@pytest.mark.parametrize('implicit', [False, True])
def test_a_certificate_that_is_not_right(driver, certificates, name, ca, why, implicit):
    with Relay(tls=tls_context(certificates, name), implicit=implicit) as relay:
        driver.relay(relay.port, security='tls' if implicit else 'starttls', ca_file=str(certificates / f'{ca}.crt'), user='daemon', password='secret')
        result = driver.send()
    assert (result['outcome'], result['relay']) == ('temporary', True) and why in result['reason'], result
    assert not [c for c in relay.commands if not c.startswith((b'EHLO', b'STARTTLS'))]


@pytest.mark.parametrize('answers', [{'EHLO': ehlo('PIPELINING')}, {'STARTTLS': b'454 not now\r\n'}, {'STARTTLS': b'500 what?\r\n'},
                                     {'STARTTLS': b'220 go on\r\n250 injected\r\n'}, {'STARTTLS': DROP}, {'EHLO': b'500 what?\r\n'}])
def test_nothing_goes_without_starttls(driver, certificates, answers):
    with Relay({'EHLO': ehlo('STARTTLS'), **answers}, tls=tls_context(certificates)) as relay:
        driver.relay(relay.port, security='starttls', ca_file=str(certificates / 'ca.crt'), user='daemon', password='secret')
        result = driver.send()
    assert (result['outcome'], result['relay']) == ('temporary', True), result
    assert not [c for c in relay.commands if not c.startswith((b'EHLO', b'HELO', b'STARTTLS'))]


def test_what_is_said_before_tls_does_not_count(driver, certificates):
    """AUTH that is offered in the clear only is not there."""
    with Relay({'EHLO': [ehlo('STARTTLS', 'AUTH PLAIN'), ehlo('SIZE')]}, tls=tls_context(certificates)) as relay:
        driver.relay(relay.port, security='starttls', ca_file=str(certificates / 'ca.crt'), user='daemon', password='secret')
        assert driver.send()['outcome'] == 'no-auth'
    assert not [c for c in relay.commands if not c.startswith((b'EHLO', b'STARTTLS'))]


def test_off_is_for_this_host_alone(driver):
    with Relay() as relay:
        driver.relay(relay.port, host='0.0.0.0')
        result = driver.send()
        assert (result['outcome'], result['relay']) == ('no-auth', True) and 'this host alone' in result['reason']
        assert relay.connections == 0
        driver.relay(relay.port, host='localhost')
        assert driver.send()['outcome'] == 'delivered'


@pytest.mark.skipif(not has_ipv6(), reason='this machine has no ::1')
@pytest.mark.parametrize('security', ['off', 'starttls', 'tls'])
def test_a_relay_by_its_ipv6_address(driver, certificates, security):
    """Its certificate is compared with the address; one that is for names alone is none for it."""
    def send(name):
        tls = {'tls': tls_context(certificates, name), 'implicit': security == 'tls'} if security != 'off' else {}
        with Relay(host='::1', **tls) as relay:
            driver.relay(relay.port, host='::1', security=security, ca_file=str(certificates / 'ca.crt'), ehlo='[IPv6:::1]')
            result = driver.send()
            return relay, result
    relay, result = send('server')
    assert result['outcome'] == 'delivered' and len(relay.messages) == 1
    assert b'EHLO [IPv6:::1]\r\n' in relay.commands
    if security != 'off':
        relay, result = send('stranger')
        assert result['outcome'] == 'temporary' and relay.messages == [] and result['reason'].startswith(f'[::1]:{relay.port} ')


@pytest.mark.parametrize('settings', [{'host': 'a/b'}, {'host': 'a@127.0.0.1'}, {'host': ''}, {'host': '127.0.0.1\r\n'}, {'ehlo': 'a b'}, {'ehlo': 'a\r\nMAIL'},
                                      {'ehlo': ''}, {'host': '::zz'}])
def test_settings_that_cannot_work_pause_the_relay(driver, settings):
    with Relay() as relay:
        driver.relay(relay.port, **settings)
        assert driver.send()['outcome'] == 'no-auth'
    assert relay.connections == 0


def test_who_we_are_may_be_an_address_literal(driver):
    with Relay() as relay:
        driver.relay(relay.port, ehlo='[127.0.0.1]')
        assert driver.send()['outcome'] == 'delivered'
    assert set(c for c in relay.commands if c.startswith(b'EHLO')) == {b'EHLO [127.0.0.1]\r\n'}


# --- AUTH ------------------------------------------------------------------------------------------------------------

PASSWORD = {'password': 'pass-word-1234'}
TOKEN = {'token': 'token-5678-token'}


def b64(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize('offered, secrets, expected', [
    (['AUTH LOGIN PLAIN XOAUTH2'], TOKEN, 'XOAUTH2'), (['AUTH LOGIN PLAIN XOAUTH2'], {**TOKEN, **PASSWORD}, 'XOAUTH2'),
    (['AUTH LOGIN PLAIN XOAUTH2'], PASSWORD, 'PLAIN'), (['AUTH LOGIN'], PASSWORD, 'LOGIN'), (['AUTH=LOGIN PLAIN'], PASSWORD, 'PLAIN'),
    (['AUTH=LOGIN'], PASSWORD, 'LOGIN'), (['auth login', 'AUTH CRAM-MD5 plain'], PASSWORD, 'PLAIN'), (['AUTH PLAIN'], {**TOKEN, **PASSWORD}, 'PLAIN'),
    (['AUTH CRAM-MD5'], PASSWORD, None), (['AUTH PLAIN LOGIN'], TOKEN, None), (['AUTH XOAUTH2'], PASSWORD, None), ([], PASSWORD, None),
    (['AUTH PLAIN'], {}, None), (['AUTHPLAIN', 'X-AUTH PLAIN', 'AUTH PLAINER'], PASSWORD, None)])
def test_the_mechanism(driver, offered, secrets, expected):
    said = []

    def auth(connection):
        said.append(connection.relay.commands[-1].split()[1].decode())
        if said[-1] == 'LOGIN':
            connection.send(b'334 VXNlcm5hbWU6\r\n')
            said.append(connection.line().decode().strip())
            connection.send(b'334 UGFzc3dvcmQ6\r\n')
            said.append(connection.line().decode().strip())
        else:
            said.append(connection.relay.commands[-1].split()[2].decode())
        return b'235 welcome\r\n'

    with Relay({'AUTH': auth}, capabilities=[*offered, 'PIPELINING']) as relay:
        driver.relay(relay.port, user='daemon', **secrets)
        result = driver.send()
    if not expected:
        assert (result['outcome'], result['code'], result['relay']) == ('no-auth', 0, True)
        assert not said and not [c for c in relay.commands if c.startswith((b'MAIL', b'DATA'))]
        return
    assert result['outcome'] == 'delivered'
    assert said == {'XOAUTH2': ['XOAUTH2', b64(b'user=daemon\1auth=Bearer token-5678-token\1\1')],
                    'PLAIN': ['PLAIN', b64(b'\0daemon\0pass-word-1234')],
                    'LOGIN': ['LOGIN', b64(b'daemon'), b64(b'pass-word-1234')]}[expected]


def test_nothing_goes_unauthenticated_where_a_secret_is_set(driver):
    with Relay(capabilities=['AUTH PLAIN']) as relay:
        driver.relay(relay.port, **PASSWORD)
        assert driver.send()['outcome'] == 'no-auth'
        driver.relay(relay.port)
        assert driver.send()['outcome'] == 'delivered'           # nobody is configured, so nobody is asked for


def test_a_refused_token_is_asked_why(driver):
    """XOAUTH2 refuses in two steps: 334 with details, an empty line, then the code."""
    def auth(connection):
        connection.send(b'334 ' + b64(b'{"status":"400"}').encode() + b'\r\n')
        assert connection.line() == b'\r\n'
        return b'535 5.7.8 token has expired\r\n'

    with Relay({'AUTH': auth}, capabilities=['AUTH XOAUTH2']) as relay:
        driver.relay(relay.port, user='daemon', **TOKEN)
        result = driver.send()
    assert (result['outcome'], result['code'], result['enhanced']) == ('no-auth', 535, '5.7.8') and 'token has expired' in result['reason']


@pytest.mark.parametrize('echo', [lambda c: c.split()[-1], lambda c: base64.b64decode(c.split()[-1]).replace(b'\0', b' ').replace(b'\1', b' '),
                                  lambda c: b'pass-word-1234', lambda c: b64(b'pass-word-1234').encode()])
@pytest.mark.parametrize('secrets, offered', [(PASSWORD, 'AUTH PLAIN'), (TOKEN, 'AUTH XOAUTH2')])
def test_no_reason_repeats_a_secret(driver, echo, secrets, offered):
    def auth(connection):
        return b'535 5.7.8 I do not know ' + echo(connection.relay.commands[-1]) + b'\r\n'

    with Relay({'AUTH': auth}, capabilities=[offered]) as relay:
        driver.relay(relay.port, user='daemon', **secrets)
        result = driver.send()
    [secret] = secrets.values()
    for form in (secret, b64(secret.encode()), b64(b'\0daemon\0' + secret.encode())[12:], secret[:8], b64(b'user=daemon\1auth=Bearer ' + secret.encode())[:20]):
        assert form not in result['reason']
    assert (result['outcome'], result['code']) == ('no-auth', 535)


@pytest.mark.parametrize('stage', ['MAIL', 'RCPT', 'DATA', 'dot'])
def test_nor_does_one_of_a_message_that_is_too_big(driver, stage):
    """Once it has been told who we are, a relay may say that back at any time."""
    with Relay({stage: b'552 5.3.4 too big for pass-word-1234\r\n'}, capabilities=['AUTH PLAIN']) as relay:
        driver.relay(relay.port, user='daemon', **PASSWORD)
        result = driver.send()
    assert result['outcome'] == 'too-big' and 'pass-word' not in result['reason'] and 'repeats our credentials' in result['reason']


# --- refusals --------------------------------------------------------------------------------------------------------

STAGES = {'connect': 'temporary', 'EHLO': 'temporary', 'AUTH': 'no-auth', 'MAIL': 'permanent', 'RCPT': 'permanent', 'DATA': 'permanent', 'dot': 'permanent'}


def refuse_at(driver, stage, answer, capabilities, **settings):
    relay = Relay({stage: answer}, capabilities=['AUTH PLAIN', *capabilities])
    with relay:
        driver.relay(relay.port, user='daemon', **PASSWORD, **settings)
        return relay, driver.send()


@pytest.mark.parametrize('capabilities', [PIPED, PLAIN])
@pytest.mark.parametrize('stage', STAGES)
def test_refused_for_good(driver, stage, capabilities):
    answer = b'554-5.7.1 this is\r\n554 5.7.1 not wanted\x1b[31m\r\n'
    relay, result = refuse_at(driver, stage, answer, capabilities)
    # A relay that does not know EHLO may do without; ours asks for a login, which it then cannot offer.
    assert result['outcome'] == ('no-auth' if stage == 'EHLO' else STAGES[stage]), result
    assert result['relay'] == (stage in ('connect', 'EHLO', 'AUTH'))
    if stage != 'EHLO':
        assert result['code'] == 554 and 'not wanted' in result['reason'] and '\x1b' not in result['reason']
    if stage not in ('connect', 'EHLO'):
        assert result['enhanced'] == '5.7.1'
    assert len(relay.messages) == (stage == 'dot')


@pytest.mark.parametrize('capabilities', [PIPED, PLAIN])
@pytest.mark.parametrize('code', [421, 450, 451, 499])
@pytest.mark.parametrize('stage', STAGES)
def test_refused_for_now(driver, stage, code, capabilities):
    relay, result = refuse_at(driver, stage, b'%d 4.3.0 not now\r\n' % code, capabilities)
    if stage == 'EHLO':
        assert result['outcome'] in ('temporary', 'no-auth')
        return
    assert (result['outcome'], result['code']) == ('temporary', code), result
    assert 'not now' in result['reason'] and result['relay'] == (code == 421 or stage in ('connect', 'AUTH'))


@pytest.mark.parametrize('answer, outcome, enhanced', [
    (b'550 5.1.1 unknown\r\n', 'permanent', '5.1.1'), (b'550 unknown\r\n', 'permanent', ''), (b'552 5.2.2 full\r\n', 'permanent', '5.2.2'),
    (b'552 5.3.4 too big\r\n', 'too-big', '5.3.4'), (b'554 5.3.4 too big\r\n', 'too-big', '5.3.4'), (b'530 5.7.0 log in\r\n', 'no-auth', '5.7.0'),
    (b'450 5.1.1 of two minds\r\n', 'temporary', ''), (b'550 5.1.1234567890 odd\r\n', 'permanent', '')])
@pytest.mark.parametrize('stage', ['MAIL', 'RCPT', 'DATA', 'dot'])
def test_what_a_refusal_says(driver, stage, answer, outcome, enhanced):
    relay, result = refuse_at(driver, stage, answer, PIPED)
    assert (result['outcome'], result['enhanced'], result['code']) == (outcome, enhanced, int(answer[:3]))


def test_a_refused_recipient_does_not_hurt_the_next(driver):
    for capabilities in (PIPED, PLAIN):
        with Relay({'RCPT': [b'550 5.1.1 unknown\r\n', b'451 4.0.0 later\r\n', b'250 ok\r\n'], 'DATA': [b'503 no recipient\r\n', b'503 no recipient\r\n', b'354 go on\r\n']}
                   if capabilities else {'RCPT': [b'550 5.1.1 unknown\r\n', b'451 4.0.0 later\r\n', b'250 ok\r\n']}, capabilities=capabilities) as relay:
            driver.relay(relay.port)
            assert [driver.send(id=f'{n}@msp.example')['outcome'] for n in range(4)] == ['permanent', 'temporary', 'delivered', 'delivered']
        assert relay.connections == 1 and relay.commands.count(b'RSET\r\n') == 2
        assert [parse(m)['Message-ID'] for m in relay.messages] == ['<2@msp.example>', '<3@msp.example>']


def test_data_is_not_sent_after_a_refusal(driver):
    """The relay refuses the recipient, and still waits for the message: it gets none, and no next one on this connection."""
    with Relay({'RCPT': [b'550 5.1.1 unknown\r\n', b'250 ok\r\n']}) as relay:
        driver.relay(relay.port)
        result = driver.send()
        assert (result['outcome'], result['enhanced']) == ('permanent', '5.1.1')
        assert driver.send()['outcome'] == 'delivered'
    assert relay.connections == 2 and len(relay.messages) == 1


# --- drops, silence, nonsense ----------------------------------------------------------------------------------------


ODD = [DROP, SILENT, b'hello\r\n', b'\r\n', b'\0\xff\0\r\n', b'250-a\r\n251 b\r\n', b'99\r\n', b'250', b'250-and\r\n' * 20000, b'x' * 200000,
       b'250 ' + b'x' * 200000, b'\n' * 1000]


@pytest.mark.slow
@pytest.mark.parametrize('capabilities', [PIPED, PLAIN])
@pytest.mark.parametrize('stage', STAGES)
def test_no_answer_or_none_that_is_one(driver, stage, capabilities):
    def odd(connection):
        reached.append(stage)
        if isinstance(how, str):
            return how
        connection.send(how)
        connection.wait()

    for how in ODD:
        reached = []
        for patience in (300, 3000, 30000):              # on a busy machine an answer before that one may come too late, too
            relay, result = refuse_at(driver, stage, odd, capabilities, wait_ms=patience)
            if reached:
                break
        assert result['outcome'] == ('unknown' if stage == 'dot' else 'temporary'), (how[:20], result)
        assert result['relay'] == (stage != 'dot') and result['reason'].isprintable() and len(result['reason'].encode()) < 600, (how[:20], result)
        assert len(relay.messages) == (stage == 'dot')


@pytest.mark.parametrize('stage', STAGES)
@pytest.mark.parametrize('chunk', [b'x' * 65536, b'250-x\r\n' * 8192], ids=['line', 'lines'])
def test_an_answer_that_never_ends(driver, stage, chunk):
    """As fast as it can be sent, until we hang up."""
    def flood(connection):
        while True:
            connection.send(chunk)

    relay, result = refuse_at(driver, stage, flood, PIPED)
    assert result['outcome'] == ('unknown' if stage == 'dot' else 'temporary'), result


def test_a_drop_in_the_middle_of_the_message(driver, folder):
    """Not unknown: the final dot had not left."""
    def data(connection):
        connection.send(b'354 go on\r\n')
        connection.more()
        return DROP

    write(folder, 'big', bytes(30 << 20))
    attachment = [{'name': 'big', 'type': 'text/plain', 'path': str(folder / 'big')}]
    with Relay({'DATA': [data, b'354 go on\r\n']}) as relay:
        driver.relay(relay.port)
        result = driver.send(attachments=attachment)
        assert (result['outcome'], result['relay']) == ('temporary', True)
        assert driver.send(attachments=attachment)['outcome'] == 'delivered'
    assert relay.connections == 2 and len(relay.messages) == 1


@pytest.mark.parametrize('then', ['reads on', 'stops reading', 'hangs up'])
def test_a_refusal_in_the_middle_of_the_message(driver, folder, then):
    def data(connection):
        connection.send(b'354 go on\r\n')
        connection.more()
        connection.send(b'552 5.3.4 that is enough\r\n')
        if then == 'reads on':
            connection.wait()
        if then == 'stops reading':
            heard.wait(DEADLINE)
        return DROP

    heard = threading.Event()
    write(folder, 'big', bytes(30 << 20))
    with Relay({'DATA': data}) as relay:
        driver.relay(relay.port)
        result = driver.send(attachments=[{'name': 'big', 'type': 'text/plain', 'path': str(folder / 'big')}])
        heard.set()
    assert (result['outcome'], result['code']) == ('too-big', 552) and 'that is enough' in result['reason']


def test_an_answer_too_many_is_not_taken_for_the_next(driver):
    """The relay says yes once more than it was asked: the next recipient's refusal is still that."""
    for capabilities in (PIPED, PLAIN):
        with Relay({'dot': b'250 taken\r\n250 yes\r\n250 yes\r\n', 'RCPT': [b'250 ok\r\n', b'550 5.1.1 unknown\r\n']}, capabilities=capabilities) as relay:
            driver.relay(relay.port)
            assert [driver.send()['outcome'] for _ in range(2)] == ['delivered', 'permanent']
        assert relay.connections == 2 and len(relay.messages) == 1


def test_a_relay_that_stops_reading(driver, folder):
    def data(connection):
        connection.send(b'354 go on\r\n')
        silent.wait(DEADLINE)
        return DROP

    silent = threading.Event()
    write(folder, 'big', bytes(30 << 20))
    with Relay({'DATA': data}) as relay:
        driver.relay(relay.port, wait_ms=500)
        result = driver.send(attachments=[{'name': 'big', 'type': 'text/plain', 'path': str(folder / 'big')}])
        silent.set()
    assert (result['outcome'], result['relay']) == ('temporary', True) and 'in time' in result['reason']


def test_an_idle_connection_that_was_dropped_is_opened_again(driver):
    with Relay() as relay:
        driver.relay(relay.port)
        for n in range(4):
            assert driver.send()['outcome'] == 'delivered'
            relay.hang_up()
            wait_until('the relay has hung up', lambda: not relay.open)
    assert relay.connections == 4 and len(relay.messages) == 4


@pytest.mark.parametrize('capabilities', [PIPED, PLAIN])
@pytest.mark.parametrize('how', [DROP, b'421 4.4.2 idle for too long\r\n'])
def test_a_connection_that_ends_at_the_next_message_is_opened_again(driver, how, capabilities):
    with Relay({'MAIL': [b'250 ok\r\n', how, b'250 ok\r\n']}, capabilities=capabilities) as relay:
        driver.relay(relay.port)
        assert driver.send()['outcome'] == 'delivered'
        assert driver.send()['outcome'] == 'delivered'
    assert relay.connections == 2 and len(relay.messages) == 2


def test_a_relay_that_is_not_there(driver):
    with socket.socket() as taken:           # and does not listen: nobody else can, meanwhile
        taken.bind(('127.0.0.1', 0))
        driver.relay(taken.getsockname()[1])
        result = driver.send()
    assert (result['outcome'], result['code'], result['relay']) == ('temporary', 0, True) and '127.0.0.1' in result['reason']
    driver.relay(25, host='relay.invalid', security='starttls')
    assert driver.send()['outcome'] == 'temporary'


# --- size, SMTPUTF8, what is no message ------------------------------------------------------------------------------


@pytest.mark.parametrize('size, outcome', [(100, 'too-big'), (100000, 'delivered'), (0, 'delivered')])
def test_the_announced_size(driver, size, outcome):
    with Relay(capabilities=[f'SIZE {size}', 'PIPELINING']) as relay:
        driver.relay(relay.port)
        built = driver.ask(op='build', **MESSAGE)['size']
        result = driver.send()
    assert result['outcome'] == outcome
    if outcome == 'too-big':
        assert str(built) in result['reason'] and '100' in result['reason'] and not relay.messages and not [c for c in relay.commands if b'MAIL' in c]
    else:
        assert b'MAIL FROM:<reports@msp.example> SIZE=%d\r\n' % built in relay.commands and len(relay.messages[0]) == built


def test_a_local_part_beyond_ascii_where_it_is_not_taken(driver):
    with Relay() as relay:
        driver.relay(relay.port)
        result = driver.send(recipient='jürgen@contoso.example')
        assert (result['outcome'], result['relay']) == ('permanent', False) and 'SMTPUTF8' in result['reason']
        assert driver.send(recipient='ada@bücher.example')['outcome'] == 'delivered'
    assert [c for c in relay.commands if c.startswith(b'RCPT')] == [b'RCPT TO:<ada@xn--bcher-kva.example>\r\n'] and relay.connections == 1


@pytest.mark.parametrize('data', [b'', b'a: b\r\n\r\nno end', b'a: b\n\nc\n', b'a\r\n\r\nb\rc\r\n', b'a\r\n.\r\nb\n.\nc\r\n', b'a\0b\r\n', b'x' * 2000 + b'\r\n',
                                  b'a\r\n\n.\r\nMAIL FROM:<x@y.z>\r\n', b'a\r\r\n', b'y' * 65535 + b'\r', (b'x' * 62 + b'\r\n') * 1023 + b'z' * 63 + b'\rb\r\n'], ids=lambda v: repr(v[:16]))
def test_what_is_no_message_is_not_sent(driver, folder, data):
    with Relay() as relay:
        driver.relay(relay.port)
        assert driver.send(raw=write(folder, 'raw', data), envelope_sender='a@b.example', envelope_recipient='c@d.example') == {'fault': -74}
        assert driver.send()['outcome'] == 'delivered'
    assert len(relay.messages) == 1 and relay.connections == 2


@pytest.mark.parametrize('data', [b'a: b\r\n\r\n.\r\n..\r\n.x\r\n', b'.\r\n', (b'.' * 63 + b'\r\n') * 5000, b'x' * 998 + b'\r\n', b'\r\n', b'x' * 65535 + b'\r\n'], ids=lambda v: repr(v[:16]))
def test_dots_arrive(driver, folder, data):
    with Relay() as relay:
        driver.relay(relay.port)
        result = driver.send(raw=write(folder, 'raw', data), envelope_sender='a@b.example', envelope_recipient='c@d.example')
    if len(max(data.split(b'\r\n'))) > 998:
        assert result == {'fault': -74}
        return
    assert result['outcome'] == 'delivered'
    assert b''.join(line[1:] if line.startswith(b'.') else line for line in relay.messages[0].splitlines(keepends=True)) == data


@pytest.mark.parametrize('address', ['a@b.example\r\nRCPT TO:<x@y.z>', 'a@b.example> SIZE=1', '<a@b.example>', '', 'a', 'a@b.example\0x', 'a@b c.example'])
def test_an_envelope_that_is_none_is_not_said(driver, folder, address):
    raw = write(folder, 'raw', b'a: b\r\n\r\nc\r\n')
    with Relay() as relay:
        driver.relay(relay.port)
        for envelope in ({'envelope_sender': address, 'envelope_recipient': 'c@d.example'}, {'envelope_sender': 'c@d.example', 'envelope_recipient': address}):
            if '\0' in address:
                envelope = {k + '_hex' if '\0' in v else k: v.replace('\0', '\x01').encode().hex() if '\0' in v else v for k, v in envelope.items()}
            result = driver.send(raw=raw, **envelope)
            assert (result['outcome'], result['code'], result['relay']) == ('permanent', 0, False)
    assert relay.connections == 0


# --- canceled, killed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('stage', ['connect', 'MAIL', 'DATA'])
def test_canceled_before_the_dot(own_driver, stage):
    asked = threading.Event()
    with Relay({stage: lambda connection: (asked.set(), connection.wait())}) as relay:
        own_driver.relay(relay.port)
        own_driver.tell(op='send', **MESSAGE)
        assert asked.wait(DEADLINE)
        own_driver.process.send_signal(signal.SIGUSR1)
        assert own_driver.hear() == {'fault': -125}
        assert not relay.messages


@pytest.mark.parametrize('answer, outcome', [(b'250 taken\r\n', 'delivered'), (b'451 later\r\n', 'temporary'), (SILENT, 'unknown')])
def test_canceled_after_the_dot_still_hears_the_answer(own_driver, answer, outcome):
    asked = threading.Event()

    def dot(connection):
        asked.set()
        threading.Event().wait(0.5)         # a slow relay: canceled before it answers
        return answer

    with Relay({'dot': dot}) as relay:
        own_driver.relay(relay.port, wait_ms=3000 if answer == SILENT else 20000)
        own_driver.tell(op='send', **MESSAGE)
        assert asked.wait(DEADLINE)
        own_driver.process.send_signal(signal.SIGUSR1)
        assert own_driver.hear()['outcome'] == outcome
        assert len(relay.messages) == 1


def test_killed_when_the_relay_has_taken_it(folder):
    driver = Driver(folder / 'killed.log', TENANTD_CRASH='after_dot:2')
    with Relay() as relay:
        driver.relay(relay.port)
        assert driver.send()['outcome'] == 'delivered'
        driver.tell(op='send', **MESSAGE)
        assert driver.process.wait(DEADLINE) == -signal.SIGKILL
        assert len(relay.messages) == 2


def test_a_large_attachment_takes_no_memory(own_driver, folder):
    def most():
        lines = Path(f'/proc/{own_driver.process.pid}/status').read_text().splitlines()
        return int(next(line for line in lines if line.startswith('VmHWM')).split()[1])

    with open(folder / 'big', 'wb') as f:
        f.truncate(100 << 20)
    attachment = [{'name': 'big', 'type': 'application/octet-stream', 'path': str(folder / 'big')}]
    small = own_driver.ask(op='build', **MESSAGE, output=str(folder / 'out'))['size']
    before = most()
    size = own_driver.ask(op='build', **MESSAGE, output=str(folder / 'out'), attachments=attachment)['size']
    assert size == os.stat(folder / 'out').st_size and size > small + (100 << 20) * 4 // 3
    assert most() - before < 8192, 'kB'
