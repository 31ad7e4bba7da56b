# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configuration read again: what holds at once, what waits for a restart, what is refused and then changes nothing.

Types: tenantctl admin reload --json: {"applied": [key], "restart": [key], "warnings": [sentence]}.
"""
import base64
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, Rig, wait_until
from doors import needs_root, seeing
from test_schedule import ok, refused

pytestmark = pytest.mark.slow

BEFORE = '[portal]\nurl = https://one.example\n[customer]\ngrace_days = 3\n[keep]\nreports_days = 10\n'


@pytest.fixture
def configured(folder, bus):
    rig = Rig(folder, bus, BEFORE).start()
    yield rig
    if rig.process:
        rig.stop()


def link_host(rig):
    """Where the links of a mail lead that is written now."""
    count = len(list((rig.state / 'outbox-mail').glob('*.eml')))
    identity = rig.onboard(f'Customer {count}', f'admin{count}@x.example')
    ok(rig, 'report', 'verify', identity, f'admin{count}@x.example')
    wait_until('the mail', lambda: len(list((rig.state / 'outbox-mail').glob('*.eml'))) > count)

    newest = max((rig.state / 'outbox-mail').glob('*.eml'), key=lambda p: p.stat().st_mtime_ns)
    text = base64.b64decode(newest.read_bytes().split(b'\r\n\r\n', 1)[1]).decode()
    return text.split('/verify/')[0].split()[-1]


def defaults(rig):
    return {d['key'] for d in ok(rig, 'admin', 'status')['defaults']}


def test_what_may_change_holds_at_once_and_the_rest_is_named(configured):
    rig = configured
    assert link_host(rig) == 'https://one.example' and 'keep.outbox_days' in defaults(rig) and 'customer.grace_days' not in defaults(rig)
    rig.config.write_text('[portal]\nurl = https://two.example/\n[keep]\nreports_days = 10\noutbox_days = 9\n[queue]\nworkers = 3\n[mail]\nuser = u\n')
    answer = ok(rig, 'admin', 'reload')
    assert (answer['applied'], answer['restart']) == (['customer.grace_days', 'keep.outbox_days', 'portal.url'], ['queue.workers', 'mail.user'])
    assert 'next start' in answer['warnings'][0]
    assert link_host(rig) == 'https://two.example'
    # What is given now is no default any more, and what is no longer given is one again; what waits is what it was.
    assert {'customer.grace_days', 'queue.workers'} <= defaults(rig) and 'keep.outbox_days' not in defaults(rig)
    again = ok(rig, 'admin', 'reload')
    assert (again['applied'], again['restart']) == ([], ['queue.workers', 'mail.user'])
    record = ok(rig, 'audit', 'list', '--filter', 'verb = "admin.reload"')
    assert [r['after']['applied'] for r in record] == [[], ['customer.grace_days', 'keep.outbox_days', 'portal.url']]
    rig.stop()
    rig.start()
    assert ok(rig, 'admin', 'reload') == {'applied': [], 'restart': []}


def test_nothing_new_is_nothing_to_say(configured):
    assert ok(configured, 'admin', 'reload') == {'applied': [], 'restart': []}
    configured.config.write_text(BEFORE + 'outbox_days = 90\n')
    assert ok(configured, 'admin', 'reload') == {'applied': [], 'restart': []}
    assert 'keep.outbox_days' in defaults(configured)


@pytest.mark.parametrize('text,says', [
    ('[portal]\nurl = https://two.example\nurl = https://three.example\n', ':3: portal.url was set on line 2 already'),
    ('[portal]\nurl = https://two.example\n[keep]\nreport_days = 1\n', ':4: unknown key keep.report_days (did you mean keep.reports_days?)'),
    ('[portal]\nurl = https://two.example\n[keep]\nreports_days = 0\n', ':4: keep.reports_days must be'),
    ('[portal]\nurl = https://two.example\n[keep] reports_days = 7\n', ':3: after [keep] the line ends'),
    ('[portal] ; ours\nurl = https://two.example\n[keep]#x\nreport_days = 7\n', ':4: unknown key keep.report_days'),
    ('[portal]\nurl = https://two.example\n[mail]\npassword = hidden-42\n', ':4: mail.password: a secret does not stand here')])
def test_a_broken_file_changes_nothing(configured, text, says):
    rig = configured
    rig.config.write_text(text)
    error = refused(rig, 5, error_code(says), 'admin', 'reload')
    assert str(rig.config) + says in error['message'] and 'hidden-42' not in error['message']
    rig.process.send_signal(signal.SIGHUP)
    wait_until('the log', lambda: says in rig.log.read_text())
    assert 'hidden-42' not in rig.log.read_text()
    assert link_host(rig) == 'https://one.example'
    rig.config.write_text(text.split('url = https://three')[0].split('[keep]')[0].split('[mail]')[0])
    assert 'portal.url' in ok(rig, 'admin', 'reload')['applied']
    assert link_host(rig) == 'https://two.example'


def error_code(says):
    return 'bad-section' if 'line ends' in says else 'doubled-key' if 'already' in says else 'unknown-key' if 'unknown' in says else 'secret-here' if 'secret' in says else 'bad-value'


def test_a_file_that_is_gone_or_no_file_is_refused(configured):
    rig = configured
    rig.config.unlink()
    assert str(rig.config) in refused(rig, 5, 'unreadable', 'admin', 'reload')['message']
    os.mkfifo(rig.config)
    assert 'restart' in refused(rig, 5, 'unreadable', 'admin', 'reload')['message']
    rig.config.unlink()
    rig.config.write_text(BEFORE)
    assert ok(rig, 'admin', 'reload')['applied'] == []


def test_drop_ins_are_read_too(configured):
    rig = configured
    folder = rig.folder / 'tenantd.conf.d'
    folder.mkdir()
    (folder / 'a.conf').write_text('[portal]\nurl = https://two.example\n')
    (folder / 'b.conf').write_text('[portal]\nurl = https://three.example\n')
    assert ok(rig, 'admin', 'reload')['applied'] == ['portal.url']
    assert link_host(rig) == 'https://three.example'


def test_what_is_there_and_cannot_be_read_is_not_passed_over(folder, bus):
    """Neither at the start nor later: it may say what must not be missed. A file in the folder's place is no folder."""
    rig = Rig(folder, bus, BEFORE)
    dropins = rig.folder / 'tenantd.conf.d'
    dropins.write_text('')
    rig.start()
    dropins.unlink()
    dropins.symlink_to(dropins)
    assert str(dropins) in refused(rig, 5, 'unreadable', 'admin', 'reload')['message']
    dropins.unlink()
    dropins.mkdir()
    for n in range(65):
        (dropins / f'{n:03}.conf').write_text('')
    assert 'more than 64 files' in refused(rig, 5, 'too-many', 'admin', 'reload')['message']
    (dropins / '064.conf').unlink()
    (dropins / '063.conf').write_text('[portal]\nurl = https://two.example\n')
    (dropins / 'another').write_text('')
    assert ok(rig, 'admin', 'reload')['applied'] == ['portal.url']
    rig.stop()


@needs_root
@pytest.mark.parametrize('closed', ['file', 'folder', 'folder of both'])
def test_a_start_that_may_not_read_its_configuration_ends(folder, closed):
    """As a user who is not root, with an /etc of its own: where the default file cannot even be looked for, too."""
    etc = folder / 'etc'
    own, dropins = etc / 'tenantd', etc / 'tenantd' / 'tenantd.conf.d'
    dropins.mkdir(parents=True)
    folder.chmod(0o755)
    for name in ('passwd', 'group', 'nsswitch.conf', 'ld.so.cache'):
        if Path('/etc', name).exists():
            shutil.copy(Path('/etc', name), etc)
    (own / 'tenantd.conf').write_text('')
    {'file': own / 'tenantd.conf', 'folder': dropins, 'folder of both': own}[closed].chmod(0)
    state = folder / 'state'
    state.mkdir()
    os.chown(state, 65534, 65534)
    done = subprocess.run([*seeing({'/etc': etc}), 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', BUILD / 'tenantd',
                           '--bus=unix:path=/nonexistent', f'--state={state}'], capture_output=True, text=True, timeout=60)
    assert done.returncode == 78 and 'cannot be read' in done.stderr and 'make it readable' in done.stderr, done.stderr


def test_a_signal_does_the_same_and_is_audited(configured):
    rig = configured
    rig.config.write_text(BEFORE.replace('one', 'two') + '[queue]\nworkers = 4\n')
    rig.process.send_signal(signal.SIGHUP)
    wait_until('the record', lambda: ok(rig, 'audit', 'list', '--filter', 'verb = "admin.reload"'))
    record = ok(rig, 'audit', 'list', '--filter', 'verb = "admin.reload"')
    assert [(r['actor']['name'], r['outcome'], r['after']) for r in record] == [('system', 'ok', {'applied': ['portal.url'], 'restart': ['queue.workers']})]
    assert link_host(rig) == 'https://two.example' and 'queue.workers' in rig.log.read_text()


def test_a_dry_run_applies_nothing(configured):
    rig = configured
    rig.config.write_text(BEFORE.replace('one', 'two'))
    dry = rig.json('Manager', 'Reload', 'sa{sv}', '', {'dry_run': ('b', True)})
    assert dry['items'][0]['after']['applied'] == ['portal.url']
    assert link_host(rig) == 'https://one.example'
    assert ok(rig, 'admin', 'reload')['applied'] == ['portal.url']


def test_a_stranger_reloads_nothing(configured):
    assert configured.ctl('admin', 'reload', uid=65534).returncode == 4


def test_signals_in_a_row_end_nothing(configured):
    """Under load: whatever is under way goes on with what it began with."""
    rig = configured
    for i in range(50):
        rig.config.write_text(BEFORE.replace('one', f'h{i}'))
        rig.process.send_signal(signal.SIGHUP)
        if i % 10 == 0:
            ok(rig, 'report', 'export', 'customers', '--format', 'csv', '--output', rig.folder / f'{i}.csv')
    ok(rig, 'admin', 'reload')
    assert link_host(rig) == 'https://h49.example'
