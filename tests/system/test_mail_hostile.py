# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile texts and addresses, by thousands, through the builder and the client of test_mail: nothing of them becomes a header, a
recipient or a command."""
import base64
import email
import email.policy
import json
import os
import random
import subprocess
import unicodedata

import pytest

import hostile
from conftest import BUILD
from relay import Relay
from test_mail import MESSAGE, driver, write  # noqa: F401 a fixture

HEADERS = ['auto-submitted', 'content-language', 'content-transfer-encoding', 'content-type', 'date', 'from', 'message-id', 'mime-version', 'subject', 'to']
TRICKS = ['\r\nBcc: x@y.z', '\nBcc: x@y.z', '\r\n\r\n.\r\nMAIL FROM:<x@y.z>\r\n', '\r\n.\r\n', '>\r\nRCPT TO:<x@y.z>', '=?UTF-8?Q?=0D=0ABcc:_x@y.z?=', '" <x@y.z>, "',
          '<x@y.z>', ', x@y.z', '; x@y.z', '(', ')', ':', '\\', '"', '\u2028', '\x85', '\0', '\t', ' ', '  ', '.', '@', '%', '=?', '?=', '--=_', 'ü', '漢', '\U0001f600', 'é', '\u202e',
          'Subject: x', '\x1b[2J', '\x7f', '\ufeff', '\u2029', '\ufffe']


def hostile_text(rng, strings):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(strings)
    text = ''.join(rng.choice(TRICKS) if rng.random() < 0.25 else chr(rng.randrange(32, 127)) for _ in range(rng.randrange(1, 60)))
    if kind == 1:
        text = ''.join(c for c in text if c.isprintable())
    return (text if kind < 3 else text[:20] + rng.choice(TRICKS) + text[20:]).encode('utf-8', 'surrogatepass')


def hostile_address(rng, strings):
    if rng.random() < 0.5:
        return rng.choice([b'ada@contoso.example', 'ada@bücher.example'.encode(), b'"a b"@contoso.example', b'"a;b"@contoso.example', b'a+b=c@x.example',
                           'jürgen@contoso.example'.encode(), b"o'hara@contoso.example", b'x' * 64 + b'@contoso.example', b'ada@' + b'x' * 60 + b'.example'])
    address = bytearray(b'ada@contoso.example')
    at = rng.randrange(len(address) + 1)
    address[at:at + rng.randrange(3)] = hostile_text(rng, strings)[:200] if rng.random() < 0.7 else rng.choice(TRICKS).encode()
    return bytes(address)


def clean(data):
    """As a C string, which ends at the first NUL."""
    return data.split(b'\0')[0]


def hostile_request(rng, strings, n):
    fields = {'sender_name': hostile_text(rng, strings), 'subject': hostile_text(rng, strings), 'text': hostile_text(rng, strings),
              'recipient': hostile_address(rng, strings), 'sender': hostile_address(rng, strings) if rng.random() < 0.2 else b'reports@msp.example'}
    # Most messages have one hostile field, or all but few would be refused for another.
    if rng.random() < 0.7:
        keep = rng.choice(list(fields))
        fields = {k: v if k == keep else MESSAGE[k].encode() for k, v in fields.items()}
    request = {**MESSAGE, 'op': 'send', 'id': f'{n}@msp.example'}
    for key, value in fields.items():
        del request[key]
        request[key + '_hex'] = clean(value).hex()
    return request


def check_arrived(message, request):
    """The headers that were meant, each once, and what was meant in them."""
    meant = {k: bytes.fromhex(request[k + '_hex']).decode() for k in ('sender_name', 'subject', 'text', 'recipient', 'sender')}
    parsed = email.message_from_string(message.decode(), policy=email.policy.SMTPUTF8)
    assert sorted(k.lower() for k in parsed.keys()) == HEADERS, (request, message)
    head = email.message_from_string(message.decode(), policy=email.policy.compat32)
    assert unfold(head['Subject']) == meant['subject'], (request, message)
    name, bracket, address = head['From'].rpartition('<')
    assert (address.removesuffix('>') if bracket else address.strip()) == to_wire(meant['sender']), (request, message)
    assert bool(bracket) == bool(meant['sender_name']) and (not name or name[-1] == ' '), (request, message)
    name = name[:-1].removesuffix('\n').removesuffix('\r')
    assert (unquote(name) if name.startswith('"') else unfold(name)) == meant['sender_name'], (request, message)
    assert len(parsed['To'].addresses) == len(parsed['From'].addresses) == 1, (request, message)
    assert head['To'].strip() == to_wire(meant['recipient']), (request, message)
    lines = meant['text'].replace('\r\n', '\n').replace('\r', '\n').replace('\n', '\r\n')
    assert parsed.get_payload(decode=True).decode() == lines, (request, message)


def unfold(value):
    """RFC 2047, by the standard library's words but our own reading of blanks: those between words are not text."""
    value = value.replace('\r\n', '\n')
    if not value.startswith('=?'):
        return value.replace('\n', '')
    return ''.join(base64.b64decode(word[len('=?UTF-8?B?'):-2]).decode() for word in value.split('\n '))


def unquote(value):
    out, escaped = '', False
    for c in value[1:-1]:
        if c == '\\' and not escaped:
            escaped = True
            continue
        out, escaped = out + c, False
    return out


def to_wire(address):
    """An IDN's domain by Python's Punycode; its own idna is of 2003 and refuses or folds what is a name today."""
    local, domain = address.rsplit('@', 1)
    if not domain.isascii():
        lower = unicodedata.normalize('NFC', ''.join(c.lower() for c in unicodedata.normalize('NFKC', domain).replace('\u3002', '.')))
        domain = '.'.join(label if label.isascii() else 'xn--' + label.encode('punycode').decode() for label in lower.split('.'))
    return f'{local}@{domain}'


@pytest.mark.slow
def test_hostile_messages(folder):
    """20,000 of them: no header, recipient or command that was not meant, and every message that arrives says what was meant."""
    seed = int(os.environ.get('SEED', random.randrange(1 << 32)))
    print(f'SEED={seed}')
    rng, strings = random.Random(seed), hostile.strings()
    requests = [hostile_request(rng, strings, n) for n in range(20000)]
    with Relay(capabilities=['PIPELINING', 'SMTPUTF8']) as relay:
        # From file to file, so that nobody but the relay wants this interpreter.
        first = {'op': 'relay', 'host': '127.0.0.1', 'port': relay.port, 'security': 'off', 'ehlo': 'msp.example', 'wait_ms': 20000}
        (folder / 'requests').write_text(''.join(json.dumps(request) + '\n' for request in [first, *requests]))
        with open(folder / 'requests') as given, open(folder / 'answers', 'w') as taken:
            subprocess.run([BUILD / 'tests' / 'unit' / 'mail-send'], stdin=given, stdout=taken, check=True)
    answers = [json.loads(line) for line in (folder / 'answers').read_text().splitlines()][1:]
    assert len(answers) == len(requests)
    sent = [request for request, answer in zip(requests, answers) if answer.get('outcome') == 'delivered']
    # What does not go is refused by its text, and never by the relay.
    assert all(a.get('outcome') == 'delivered' or a.get('refused') in ('bad-header', 'bad-address') for a in answers), [a for a in answers if 'refused' not in a][:3]
    assert len(sent) > 5000 and len(sent) < 19000
    transactions = [c for c in relay.commands if not c.startswith((b'EHLO', b'QUIT'))]
    assert len(transactions) == 3 * len(sent) and len(relay.messages) == len(sent) and relay.connections == 1
    for n, request in enumerate(sent):
        mail, rcpt, data = transactions[3 * n:3 * n + 3]
        sender, recipient = (bytes.fromhex(request[k + '_hex']).decode() for k in ('sender', 'recipient'))
        extension = '' if sender.rsplit('@')[0].isascii() and recipient.rsplit('@')[0].isascii() else ' SMTPUTF8'
        assert mail.decode() == f'MAIL FROM:<{to_wire(sender)}>{extension}\r\n' and rcpt.decode() == f'RCPT TO:<{to_wire(recipient)}>\r\n' and data == b'DATA\r\n'
        check_arrived(relay.messages[n], request)


def test_hostile_envelopes(driver, folder):
    """The same for the client alone: whoever calls it, with whatever."""
    seed = int(os.environ.get('SEED', random.randrange(1 << 32)))
    print(f'SEED={seed}')
    rng, strings = random.Random(seed), hostile.strings()
    raw = write(folder, 'raw', b'a: b\r\n\r\nc\r\n')
    with Relay(capabilities=['PIPELINING', 'SMTPUTF8']) as relay:
        driver.relay(relay.port)
        delivered = 0
        for _ in range(2000):
            envelope = {k: clean(hostile_address(rng, strings)).hex() for k in ('envelope_sender_hex', 'envelope_recipient_hex')}
            result = driver.send(raw=raw, **envelope)
            assert result['outcome'] in ('delivered', 'permanent'), (envelope, result)
            delivered += result['outcome'] == 'delivered'
    commands = [c for c in relay.commands if not c.startswith((b'EHLO', b'QUIT'))]
    assert len(commands) == 3 * delivered and len(relay.messages) == delivered > 100
    assert all(c.startswith((b'MAIL FROM:<', b'RCPT TO:<', b'DATA')[n % 3]) and c.count(b'@') >= (n % 3 < 2) and c.count(b'>') == (n % 3 < 2) for n, c in enumerate(commands))
