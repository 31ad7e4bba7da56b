# SPDX-License-Identifier: LGPL-2.1-or-later
"""The key: what a start refuses, and its rotation, as a file and as a credential, through deaths at every step and back to a backup of
before.

Types: tenantctl admin rotate-key --json: {"key", "before", "resealed", "codes_until", "old_key", "warnings"}; key files hold 64 hex digits.
"""
import contextlib
import email
import email.policy
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess

import pytest
from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call

from conftest import BusError, Client, NAME, PATH, PREFIX, Rig, wait_until
from test_report_mail import contoso, quiet, text_of  # noqa: F401
from test_schedule import ok, refused

pytestmark = pytest.mark.slow

EARLY, LATE = 'c@contoso.example', 'd@contoso.example'


def mark(path):
    """Which key a file holds, computed from its definition."""
    return hmac.new(bytes.fromhex(path.read_text().strip()), b'tenantd mark 1', hashlib.sha256).hexdigest()[:8]


def rows(rig, sql):
    """Of a stopped daemon's database: a running one lets nobody in."""
    with contextlib.closing(sqlite3.connect(f'file:{rig.state}/tenantd.db?mode=ro', uri=True)) as db:
        return db.execute(sql).fetchall()


def settings(rig):
    return dict(rows(rig, 'SELECT name, value FROM setting'))


def marks_in_use(rig):
    """Every sealed value names its key."""
    sealed = [row[0] for row in rows(rig, 'SELECT sealed FROM message WHERE sealed IS NOT NULL')] + [bytes.fromhex(settings(rig)['key-lasting'])]
    return {bytes(each[:4]).hex() for each in sealed}


def key_files(rig):
    return {p.name: mark(p) for p in rig.state.iterdir() if p.name == 'key' or p.name.startswith('key.')}


@pytest.fixture
def secretive(rig, contoso):  # noqa: F811
    """One code has arrived and is good; the mail with another waits, sealed."""
    ok(rig, 'report', 'verify', contoso, EARLY)
    quiet(rig)
    ok(rig, 'task', 'pause')
    ok(rig, 'report', 'verify', contoso, LATE)
    return contoso


def both_codes_are_good(rig, contoso):  # noqa: F811
    assert rig.ctl('report', 'verify', contoso, EARLY, '00000000', '--json').returncode == 5
    assert ok(rig, 'report', 'verify', contoso, EARLY, codes(rig, EARLY)[0])['state'] == 'verified'
    ok(rig, 'task', 'resume')
    quiet(rig)
    assert ok(rig, 'report', 'verify', contoso, LATE, codes(rig, LATE)[0])['state'] == 'verified'
    ok(rig, 'audit', 'verify')


def codes(rig, to):
    """Of the mails that are there: the queue may be paused."""
    found = [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in (rig.state / 'outbox-mail').glob('*.eml')]
    return [re.search(r'\b(\d{8})\b', text_of(m))[1] for m in found if m['To'].addresses[0].addr_spec == to]


def rotate(rig, *words):
    return ok(rig, 'admin', 'rotate-key', '--yes', *words)


def test_a_new_key_and_nothing_is_lost(rig, secretive):
    old = mark(rig.state / 'key')
    answer = rotate(rig)
    new = mark(rig.state / 'key')
    assert old != new and (answer['key'], answer['before'], answer['resealed']) == (new, old, 1)
    assert answer['old_key'] == str(rig.state / f'key.{old}') and answer['codes_until'].endswith('Z')
    assert any(f'key.{old}' in w for w in answer['warnings'])
    assert key_files(rig) == {'key': new, f'key.{old}': old}
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in rig.state.glob('key*'))
    # It is one record, and tells which keys, not what they are.
    record = ok(rig, 'audit', 'list', '--filter', 'verb = "admin.rotate-key"')
    assert len(record) == 1 and (record[0]['before'], record[0]['after']) == ({'key': old}, {'key': new})
    rig.kill()
    rig.start()
    both_codes_are_good(rig, secretive)
    rig.stop()
    assert settings(rig)['key-mark'] == new and key_files(rig) == {'key': new, f'key.{old}': old}


def test_what_waits_is_sealed_anew_at_once(rig, secretive):
    old = mark(rig.state / 'key')
    rig.stop()
    assert marks_in_use(rig) == {old}
    rig.start()
    new = rotate(rig)['key']
    rig.stop()
    assert marks_in_use(rig) == {new}


def test_codes_stay_good_through_several_rotations_and_then_end(rig, secretive):
    for _ in range(3):
        rotate(rig)
    both_codes_are_good(rig, secretive)
    assert rotate(rig)['codes_until'] is None


def test_a_rotation_happens_once_for_one_request(rig):
    first = rotate(rig, '--request-id', 'r1')
    assert rotate(rig, '--request-id', 'r1') == first
    assert len(key_files(rig)) == 2


def test_a_call_of_before_is_known_after(rig):
    onboard = lambda country: rig.call('Customers', 'Onboard', 'a{sv}a{sv}', {
        'organization': ('s', 'Contoso'), 'registered_account': ('s', 'a@x.example'), 'first_name': ('s', 'Ada'), 'last_name': ('s', 'Example'),
        'country': ('s', country), 'account_type': ('s', 'local')}, {'request_id': ('s', 'r1')})
    first = onboard('DE')
    for restart in (False, True):
        rotate(rig)
        if restart:
            rig.stop()
            rig.start()
        assert onboard('DE') == first
        with pytest.raises(BusError) as e:
            onboard('AT')
        assert e.value.code == 'request-id-reused'


def test_a_dry_run_makes_nothing(rig):
    before = key_files(rig)
    dry = ok(rig, 'admin', 'rotate-key', '--dry-run')
    assert dry['dry_run'] is True and dry['refused'] == 0
    assert key_files(rig) == before


def test_without_a_terminal_it_needs_a_yes(rig):
    done = rig.ctl('admin', 'rotate-key')
    assert done.returncode == 2 and '--yes' in done.stderr and len(key_files(rig)) == 1


def test_a_stranger_rotates_nothing(rig):
    done = rig.ctl('admin', 'rotate-key', '--yes', uid=65534)
    assert done.returncode == 4 and len(key_files(rig)) == 1


def test_calls_at_once_leave_one_key(rig, secretive):
    """Whatever comes together in a turn: each is told what happened, and the files and the database agree."""
    connection = rig.client.connection
    calls = []
    for _ in range(8):
        message = new_method_call(DBusAddress(PATH, NAME, PREFIX + 'Manager'), 'RotateKey', 'sa{sv}', ('', {}))
        serial = next(connection.outgoing_serial)
        connection.send(message, serial=serial)
        calls.append(serial)
    answers = {}
    while len(answers) < len(calls):
        reply = connection.receive(timeout=30)
        answers[reply.header.fields.get(HeaderFields.reply_serial)] = reply
    done = [json.loads(r.body[0]) for s, r in answers.items() if s in calls and r.header.message_type == MessageType.method_return]
    others = [r.body[0].split(':')[0] for s, r in answers.items() if s in calls and r.header.message_type == MessageType.error]
    assert done and set(others) <= {'rotation-running'}, (done, others)
    chain = {a['before']: a['key'] for a in done}
    assert len(chain) == len(done) and mark(rig.state / 'key') in chain.values()
    rig.kill()
    rig.start()
    both_codes_are_good(rig, secretive)


# ---- deaths ----

POINTS = ['key_written', 'key_kept', 'after_rename:1', 'after_rename:2', *(
    pytest.param(f'{point}:{n}', marks=pytest.mark.slow) for point in ('before_commit', 'after_commit') for n in range(3, 9))]


@pytest.mark.parametrize('point', POINTS)
def test_a_death_leaves_one_key_that_opens_everything(rig, secretive, point):
    old = mark(rig.state / 'key')
    rig.stop()
    process = rig.spawn(TENANTD_CRASH=point)
    rig.client = client = Client(rig.bus.address)
    wait_until('the daemon, or its death', lambda: rig._has_owner() or process.poll() is not None)
    if process.poll() is None:
        answer = rig.ctl('admin', 'rotate-key', '--yes')
        if answer.returncode == 0:
            assert ':' in point, (point, answer)             # it went by that commit
            process.kill()
    assert process.wait(30) == -9
    client.close()
    rig.start()
    assert set(key_files(rig)) <= {'key'} | {f'key.{m}' for m in key_files(rig).values()}
    assert not (rig.state / 'key.new').exists()
    assert old in key_files(rig).values()
    both_codes_are_good(rig, secretive)
    # And it can be rotated again.
    again = rotate(rig)
    assert again['before'] != again['key'] == mark(rig.state / 'key')
    rig.stop()
    assert settings(rig)['key-mark'] == mark(rig.state / 'key')


def test_a_full_disk_leaves_the_old_key(rig, secretive):
    """No room for the new file: refused, and nothing is half done."""
    before = key_files(rig)
    (rig.state / 'key.new').mkdir()
    (rig.state / 'key.new' / 'x').write_text('')
    with pytest.raises(BusError) as e:
        rig.call('Manager', 'RotateKey', 'sa{sv}', '', {})
    assert e.value.code in ('unwritable', 'bad-key') and 'key.new' in e.value.message
    shutil.rmtree(rig.state / 'key.new')
    assert key_files(rig) == before
    both_codes_are_good(rig, secretive)


# ---- backups ----

def test_a_backup_of_before_opens_with_the_key_that_was_kept(rig, secretive):
    old = mark(rig.state / 'key')
    ok(rig, 'admin', 'backup', rig.folder / 'b.db')
    new = rotate(rig)['key']
    rig.stop()
    for p in rig.state.glob('tenantd.db*'):
        p.unlink()
    shutil.copy(rig.folder / 'b.db', rig.state / 'tenantd.db')
    rig.start()
    assert key_files(rig) == {'key': new, f'key.{old}': old}
    assert [(r['actor']['name'], r['before'], r['after']) for r in ok(rig, 'audit', 'list', '--filter', 'verb = "admin.rotate-key"')] == [
        ('system', {'key': old}, {'key': new})]
    both_codes_are_good(rig, secretive)
    rig.stop()
    assert settings(rig)['key-mark'] == new and marks_in_use(rig) <= {new}


def test_a_backup_whose_key_is_gone_is_refused_by_its_mark(rig):
    old = mark(rig.state / 'key')
    ok(rig, 'admin', 'backup', rig.folder / 'b.db')
    rotate(rig)
    rig.stop()
    (rig.state / f'key.{old}').unlink()
    for p in rig.state.glob('tenantd.db*'):
        p.unlink()
    shutil.copy(rig.folder / 'b.db', rig.state / 'tenantd.db')
    assert f'key.{old}' in start_refused(rig)


def test_a_restore_of_before_goes_by_the_kept_key_or_not_at_all(rig, secretive):
    old = mark(rig.state / 'key')
    ok(rig, 'admin', 'backup', rig.folder / 'b.db')
    new = rotate(rig)['key']
    kept = rig.state / f'key.{old}'
    kept.rename(rig.folder / 'away')
    error = refused(rig, 5, 'other-key', 'admin', 'restore', rig.folder / 'b.db', '--yes')
    assert f'key.{old}' in error['message'] and new in error['message']
    (rig.folder / 'away').rename(kept)
    ok(rig, 'admin', 'verify', rig.folder / 'b.db')
    assert rig.ctl('admin', 'restore', rig.folder / 'b.db', '--yes').returncode == 0

    def restored():
        done = rig.ctl('admin', 'status', '--json')
        return done.returncode == 0 and json.loads(done.stdout)['epoch'] == 2
    wait_until('the restored database', restored)
    records = ok(rig, 'audit', 'list', '--filter', 'verb = "admin.rotate-key"')
    assert [(r['actor']['name'], r['before'], r['after']) for r in records] == [('system', {'key': old}, {'key': new})]
    both_codes_are_good(rig, secretive)


def test_the_audit_is_whole_whenever_it_is_looked_at(rig):
    """By workers, which have a copy of the key, while it changes under them."""
    rig.onboard('Contoso GmbH', 'admin@contoso.example')
    for _ in range(5):
        verify = subprocess.Popen([rig.build / 'tenantctl', f'--bus={rig.bus.address}', 'audit', 'verify', '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        rotate(rig)
        _, error = verify.communicate(timeout=30)
        assert verify.returncode == 0 or b'interrupted' in error, error
        ok(rig, 'audit', 'verify')
        ok(rig, 'admin', 'verify')


# ---- credentials ----

@pytest.fixture
def credentials(folder):
    path = folder / 'credentials'
    path.mkdir(mode=0o700)
    return path


def give(credentials, name, text=None):
    path = credentials / name
    path.unlink(missing_ok=True)
    path.write_text((text or secrets.token_hex(32)) + '\n')
    path.chmod(0o400)
    return None if text else mark(path)


def test_a_credential_is_rotated_in_two_steps(folder, bus, credentials):
    first = give(credentials, 'key')
    rig = Rig(folder, bus).start(CREDENTIALS_DIRECTORY=str(credentials))
    assert not (rig.state / 'key').exists()
    error = refused(rig, 5, 'no-new-key', 'admin', 'rotate-key', '--yes')
    assert 'key-new' in error['message'] and 'LoadCredential' in error['message']
    rig.stop()
    second = give(credentials, 'key-new')
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    answer = rotate(rig)
    assert (answer['before'], answer['key'], answer['old_key']) == (first, second, None)
    assert 'key-new' in answer['warnings'][0] and any('key-new' in w for w in ok(rig, 'admin', 'status')['warnings'])
    refused(rig, 5, 'no-new-key', 'admin', 'rotate-key', '--yes')
    rig.kill()
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    assert any('key-new' in w for w in ok(rig, 'admin', 'status')['warnings'])
    rig.stop()
    # The second step: key-new becomes key.
    (credentials / 'key').unlink()
    (credentials / 'key-new').rename(credentials / 'key')
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    assert not any('key-new' in w for w in ok(rig, 'admin', 'status')['warnings'])
    assert not list(rig.state.glob('key*'))
    rig.stop()


def test_from_a_file_to_a_credential(folder, bus, credentials):
    rig = Rig(folder, bus).start()
    assert any(d['key'] == 'credential key' for d in ok(rig, 'admin', 'status')['defaults'])
    rig.stop()
    old, new = mark(rig.state / 'key'), give(credentials, 'key-new')
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    assert rotate(rig)['key'] == new
    rig.kill()
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    rig.stop()
    assert settings(rig)['key-mark'] == new and key_files(rig) == {'key': old}
    (credentials / 'key-new').rename(credentials / 'key')
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    assert not any(d['key'] == 'credential key' for d in ok(rig, 'admin', 'status')['defaults'])
    rig.stop()


def test_a_backup_of_before_with_credentials(folder, bus, credentials):
    give(credentials, 'key')
    give(credentials, 'key-new')
    rig = Rig(folder, bus).start(CREDENTIALS_DIRECTORY=str(credentials))
    ok(rig, 'admin', 'backup', rig.folder / 'b.db')
    new = rotate(rig)['key']
    rig.stop()
    (credentials / 'key').rename(credentials / 'key-old')
    (credentials / 'key-new').rename(credentials / 'key')
    for p in rig.state.glob('tenantd.db*'):
        p.unlink()
    shutil.copy(rig.folder / 'b.db', rig.state / 'tenantd.db')
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    rig.stop()
    assert settings(rig)['key-mark'] == new


# ---- what a start refuses ----

def start_refused(rig, **environment):
    """Exit 78, at once, one line that names path and cure; the key's digits are not in it."""
    before = rig.log.read_text() if rig.log.exists() else ''
    process = rig.spawn(**environment)
    assert process.wait(30) == 78
    said = rig.log.read_text()[len(before):]
    lines = [line for line in said.splitlines() if 'key' in line]
    assert len(lines) == 1 and len(said.splitlines()) == 1, said
    assert not re.search(r'[0-9a-f]{32}', lines[0].replace(str(rig.folder), ''))
    return lines[0]


def test_every_key_file_that_others_can_read_is_refused(rig):
    rotate(rig)
    rig.stop()
    for path in [*rig.state.glob('key*')]:
        for mode in (0o640, 0o604, 0o660):
            path.chmod(mode)
            line = start_refused(rig)
            assert str(path) in line and 'chmod 600' in line
        path.chmod(0o600)
    (rig.state / 'key.new').write_text(secrets.token_hex(32))
    (rig.state / 'key.new').chmod(0o644)
    assert str(rig.state / 'key.new') in start_refused(rig)
    (rig.state / 'key.new').chmod(0o600)
    rig.start()


def test_a_wrong_missing_or_bad_key_is_refused(rig):
    rig.stop()
    good = (rig.state / 'key').read_text()
    before = {p.name: p.read_bytes() for p in rig.state.glob('tenantd.db*')}
    for bad, says in (('', '64 hexadecimal'), ('x' * 64, '64 hexadecimal'), (good[:-3], '64 hexadecimal'), (secrets.token_hex(32), 'give that one back')):
        (rig.state / 'key').write_text(bad)
        line = start_refused(rig)
        assert str(rig.state / 'key') in line and says in line
    (rig.state / 'key').unlink()
    assert 'restore it from a backup' in start_refused(rig)
    (rig.state / 'key').mkdir()
    (rig.state / 'key').chmod(0o700)
    start_refused(rig)
    (rig.state / 'key').rmdir()
    os.mkfifo(rig.state / 'key', 0o600)
    start_refused(rig)
    (rig.state / 'key').unlink()
    # Nothing was made, and nothing was changed.
    assert not list(rig.state.glob('key*'))
    assert {p.name: p.read_bytes() for p in rig.state.glob('tenantd.db')} == {k: v for k, v in before.items() if k == 'tenantd.db'}
    (rig.state / 'key').write_text(good)
    (rig.state / 'key').chmod(0o600)
    rig.start()


def test_credentials_that_are_no_key_are_refused(folder, bus, credentials):
    give(credentials, 'key')
    rig = Rig(folder, bus).start(CREDENTIALS_DIRECTORY=str(credentials))
    rig.stop()
    good = (credentials / 'key').read_text().strip()
    give(credentials, 'key', 'zz' * 32)
    assert str(credentials / 'key') in start_refused(rig, CREDENTIALS_DIRECTORY=str(credentials))
    give(credentials, 'key')
    assert 'give that one back' in start_refused(rig, CREDENTIALS_DIRECTORY=str(credentials))
    give(credentials, 'key-new', 'short')
    assert str(credentials / 'key-new') in start_refused(rig, CREDENTIALS_DIRECTORY=str(credentials))
    (credentials / 'key-new').unlink()
    give(credentials, 'key', good)
    (credentials / 'key').chmod(0o444)
    assert 'readable by others' in start_refused(rig, CREDENTIALS_DIRECTORY=str(credentials))
    (credentials / 'key').chmod(0o400)
    rig.start(CREDENTIALS_DIRECTORY=str(credentials))
    rig.stop()


def test_a_bad_new_credential_is_refused_by_the_rotation(folder, bus, credentials):
    give(credentials, 'key')
    give(credentials, 'key-new', 'not a key')
    rig = Rig(folder, bus).start(CREDENTIALS_DIRECTORY=str(credentials))
    error = refused(rig, 5, 'bad-key', 'admin', 'rotate-key', '--yes')
    assert str(credentials / 'key-new') in error['message'] and 'not a key' not in error['message']
    rig.stop()
