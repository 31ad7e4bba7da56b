# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roles, groups and approvals as tenantctl asks for and shows them, and how it lets polkit ask for a password."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import BUILD, PREFIX, Rig, wait_until
from ctl import Terminal
from fake_tenantd import ALLOW_INTERACTIVE, FakeDaemon, FakeError, fake

pytestmark = pytest.mark.slow

NOBODY = 65534
OPERATION = '0123456789abcdef0123456789abcdef'
PENDING = {'id': OPERATION, 'kind': 'customer.edit', 'state': 'pending-approval', 'done': 0, 'total': 12, 'ok': 0, 'refused': 0, 'failed': 0, 'canceled': 0,
           'actor': {'uid': 1000, 'name': 'ada', 'on_behalf_of': None}, 'created': '2026-12-01T12:00:00Z', 'finished': None}
ROLE = {'id': '1' * 32, 'revision': 3, 'name': 'operators', 'verbs': ['customer.*', '*.list'], 'selector': 'tag = gold', 'exclude': None,
        'grants': [{'who': 'group:ops', 'end': None}, {'who': 'user:ada', 'end': '2026-12-31'}]}


def unauthorized(text='you have no right to customer.list (no role has it): ask an administrator of this tenantd for a role that has it', code='not-authorized'):
    return FakeError(f'{PREFIX}Error.NotAuthorized', f'{code}: {text}')


def ctl(fake, *words, uid=None, **keywords):
    who = [] if uid is None else ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']
    return subprocess.run([*who, BUILD / 'tenantctl', f'--bus={fake.address}', *words], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **keywords)


def sent(daemon, name):
    """The last call of this name, without its request_id."""
    body = [body for n, body in daemon.calls if n == name][-1]
    return tuple({k: v for k, v in part.items() if k != 'request_id'} if isinstance(part, dict) else part for part in body)


# ---- roles and groups ----

@pytest.mark.parametrize('words, name, body', [
    (['role', 'create', 'operators', '--verbs', 'customer.*,*.list', '--verbs', 'job.show', '--filter', 'tag = gold', '--exclude', 'country = DE', '--from', 'basic'],
     'Access.Create', ({'name': ('s', 'operators'), 'verbs': ('as', ['customer.*', '*.list', 'job.show']), 'selector': ('s', 'tag = gold'),
                        'exclude': ('s', 'country = DE'), 'from': ('s', 'basic')}, {})),
    (['role', 'create', 'copy', '--from', 'operators'], 'Access.Create', ({'name': ('s', 'copy'), 'from': ('s', 'operators')}, {})),
    (['role', 'edit', 'operators', '--verbs', '*.show', '--revision', '3'], 'Access.Edit', (['operators'], {'verbs': ('as', ['*.show'])}, {'revision': ('t', 3)})),
    (['role', 'edit', 'operators', '--clear', 'exclude,selector', '--name', 'all'], 'Access.Edit',
     (['operators'], {'name': ('s', 'all'), 'exclude': ('s', ''), 'selector': ('s', '')}, {})),
    (['role', 'delete', 'operators', '--yes'], 'Access.Delete', ('operators', {})),
    (['role', 'grant', 'operators', 'group:ops'], 'Access.Grant', ('operators', {'who': ('s', 'group:ops')})),
    (['role', 'grant', 'operators', 'user:ada', '--end', '2026-12-31', '--dry-run'], 'Access.Grant',
     ('operators', {'who': ('s', 'user:ada'), 'end': ('s', '2026-12-31'), 'dry_run': ('b', True)})),
    (['role', 'revoke', 'operators', 'user:ada'], 'Access.Revoke', ('operators', {'who': ('s', 'user:ada')})),
    (['group', 'create', 'gold', '--filter', 'tag = gold'], 'Access.CreateGroup', ({'name': ('s', 'gold'), 'selector': ('s', 'tag = gold')}, {})),
    (['group', 'edit', 'gold', '--name', 'best'], 'Access.EditGroup', (['gold'], {'name': ('s', 'best')}, {})),
    (['group', 'delete', 'gold', '--yes'], 'Access.DeleteGroup', ('gold', {})),
])
def test_what_is_typed_is_what_is_asked_for(fake, words, name, body):
    daemon = fake(**{name.replace('.', '_'): ('s', ('{"id":"1","revision":4}',))})
    done = ctl(fake, *words, '--json')
    assert (done.returncode, done.stderr) == (0, '') and json.loads(done.stdout) == {'id': '1', 'revision': 4}
    assert sent(daemon, name) == body


def test_a_role_is_shown_with_a_line_for_each_who_has_it(fake):
    fake(Access_Describe=('s', (json.dumps(ROLE),)))
    lines = ctl(fake, 'role', 'show', 'operators').stdout.splitlines()
    assert 'verbs     customer.*, *.list' in lines and not any(line.startswith('grants') for line in lines)
    assert [line.split() for line in lines[lines.index('granted to') + 1:]] == [['WHO', 'END'], ['group:ops', '-'], ['user:ada', '2026-12-31']]
    assert json.loads(ctl(fake, 'role', 'show', 'operators', '--json').stdout) == ROLE
    assert ctl(fake, 'role', 'show', 'operators', '--columns', 'grants').stdout == 'grants  group:ops; user:ada until 2026-12-31\n'


def test_a_role_that_nobody_has_says_so(fake):
    fake(Access_Describe=('s', (json.dumps({**ROLE, 'grants': []}),)))
    assert ctl(fake, 'role', 'show', 'operators').stdout.endswith('\ngranted to nobody\n')


def test_lists_of_roles_and_groups(fake):
    group = {'id': '2' * 32, 'revision': 1, 'name': 'gold', 'selector': 'tag = gold', 'customers': 12}
    fake(Access_List=('ss', (json.dumps([ROLE]), '')), Access_ListGroups=('ss', (json.dumps([group]), '')), Access_DescribeGroup=('s', (json.dumps(group),)))
    [line] = ctl(fake, 'role', 'list', '--no-legend').stdout.splitlines()
    assert line.split('  ')[0] == 'operators' and 'group:ops; user:ada until 2026-12-31' in line
    [line] = ctl(fake, 'group', 'list', '--no-legend').stdout.splitlines()
    assert line.split() == ['gold', 'tag', '=', 'gold', '12']
    assert json.loads(ctl(fake, 'role', 'list', '--json').stdout) == [ROLE] and json.loads(ctl(fake, 'group', 'list', '--json').stdout) == [group]
    assert 'customers  12\n' in ctl(fake, 'group', 'show', 'gold').stdout


@pytest.mark.parametrize('words', [
    ['role', 'create'], ['role', 'grant', 'operators'], ['role', 'revoke', 'operators'], ['role', 'grant', 'operators', 'user:a', 'user:b'], ['role', 'edit', 'operators'],
    ['role', 'delete', 'operators'], ['group', 'delete', 'gold'], ['group', 'edit', 'gold'], ['group', 'create', 'gold', '--filter', ''],
    ['role', 'create', 'x', '--verbs', ''], ['role', 'edit', 'x', '--clear', 'verbs'], ['role', 'edit', 'x', '--clear', 'exclude', '--exclude', 'tag = a'], ['role', 'revoke', 'operators', 'user:a', '--end', '2026-12-31'], ['operation', 'approve'],
])
def test_half_a_command_is_2_and_nothing_is_asked(fake, words):
    daemon = fake()
    done = ctl(fake, *words)
    assert done.returncode == 2 and done.stdout == '' and done.stderr.startswith('tenantctl: ')
    assert daemon.calls == []


@pytest.fixture
def two(rig):
    """A daemon with a gold customer and another one, and nobody with a role."""
    if os.geteuid() != 0:
        pytest.skip('needs root to be somebody else')
    subprocess.run(['chmod', '-R', 'a+rX', BUILD], check=False)
    rig.onboard('Contoso', 'a@x.example', tags=('as', ['gold']))
    rig.onboard('Fabrikam', 'b@x.example')
    return rig


def ok(rig, *words, **keywords):
    done = rig.ctl(*words, **keywords)
    assert (done.returncode, done.stderr) == (0, ''), done
    return done.stdout


def names(rig):
    """The customers that nobody, the user, is shown; else the exit code."""
    done = rig.ctl('customer', 'list', '--json', uid=NOBODY)
    return [row['organization'] for row in json.loads(done.stdout)] if done.returncode == 0 else done.returncode


def test_a_role_lets_its_holder_see_what_it_is_for_until_it_is_revoked(two):
    assert names(two) == 4
    ok(two, 'role', 'create', 'operators', '--verbs', 'customer.list,customer.edit', '--filter', 'tag = gold')
    assert names(two) == 4
    ok(two, 'role', 'grant', 'operators', 'user:nobody')
    assert names(two) == ['Contoso']
    assert two.ctl('customer', 'edit', 'Contoso', '--phone', '1', uid=NOBODY).returncode == 0
    assert two.ctl('customer', 'edit', 'Fabrikam', '--phone', '1', uid=NOBODY).returncode == 3
    ok(two, 'role', 'edit', 'operators', '--clear', 'selector', '--exclude', 'tag = gold')
    assert names(two) == ['Fabrikam']
    ok(two, 'role', 'edit', 'operators', '--clear', 'exclude')
    assert names(two) == ['Contoso', 'Fabrikam']
    ok(two, 'role', 'revoke', 'operators', 'user:nobody')
    assert names(two) == 4
    done = two.ctl('customer', 'list', uid=NOBODY)
    assert 'no right to customer.list' in done.stderr and '"tenantctl role grant ROLE user:nobody"' in done.stderr


def test_who_edits_a_customer_out_of_ones_own_sight_is_told(two):
    ok(two, 'role', 'create', 'operators', '--verbs', 'customer.*', '--filter', 'tag = gold')
    ok(two, 'role', 'create', 'callers', '--verbs', 'customer.edit', '--filter', 'tag = silver or phone = "7"')
    ok(two, 'role', 'grant', 'operators', 'user:nobody')
    ok(two, 'customer', 'edit', 'Contoso', '--phone', '1', uid=NOBODY)
    # Still to be edited, by another role, but not to be seen; then neither; and where nothing is lost, nothing is said.
    ok(two, 'role', 'grant', 'callers', 'user:nobody')
    for tag, sentence in (('silver', 'you see it no longer'), ('bronze', 'do customer.edit with this customer'), ('iron', '')):
        done = two.ctl('customer', 'edit', 'Contoso', '--tag', tag, '--json', uid=NOBODY)
        assert done.returncode == 0 and json.loads(done.stdout)['revision'] > 2, done
        assert (sentence in done.stderr and done.stderr.count('warning: ') == 1) if sentence else done.stderr == '', done.stderr
        if tag == 'bronze':
            assert two.customer('Contoso')['tags'] == ['bronze'] and names(two) == []
            assert two.ctl('customer', 'edit', 'Contoso', '--phone', '9', uid=NOBODY).returncode == 3
            ok(two, 'customer', 'edit', 'Contoso', '--phone', '7')
    # Whoever may do everything loses nothing.
    assert list(json.loads(ok(two, 'customer', 'edit', 'Contoso', '--tag', 'lead', '--json'))) == ['id', 'revision']


def test_a_role_is_shown_copied_and_deleted(two):
    ok(two, 'role', 'create', 'operators', '--verbs', 'customer.*,*.list', '--filter', 'tag = gold', '--exclude', 'country = AT')
    ok(two, 'role', 'grant', 'operators', 'user:nobody', '--end', '2999-12-31')
    ok(two, 'role', 'grant', 'operators', 'group:nogroup')
    lines = ok(two, 'role', 'show', 'operators').splitlines()
    assert 'selector  tag = gold' in lines
    assert sorted(line.split() for line in lines[lines.index('granted to') + 2:]) == [['group:nogroup', '-'], ['user:nobody', '2999-12-31']]
    ok(two, 'role', 'create', 'copy', '--from', 'operators', '--exclude', 'country = CH')
    copy = json.loads(ok(two, 'role', 'show', 'copy', '--json'))
    assert (copy['verbs'], copy['selector'], copy['exclude'], copy['grants']) == (['customer.*', '*.list'], 'tag = gold', 'country = CH', [])
    assert ok(two, 'role', 'show', 'copy').endswith('\ngranted to nobody\n')
    assert [row['name'] for row in json.loads(ok(two, 'role', 'list', '--json'))] == ['copy', 'operators']
    assert 'user:nobody until 2999-12-31' in ok(two, 'role', 'list')
    ok(two, 'role', 'delete', 'operators', '--yes')
    assert two.ctl('role', 'show', 'operators').returncode == 3 and names(two) == 4


def test_a_group_is_named_in_selectors_and_kept_while_a_role_is_for_it(two):
    ok(two, 'group', 'create', 'best', '--filter', 'tag = gold')
    assert json.loads(ok(two, 'group', 'list', '--json'))[0]['customers'] == 1
    assert [row['organization'] for row in json.loads(ok(two, 'customer', 'list', '--filter', 'group = best', '--json'))] == ['Contoso']
    ok(two, 'role', 'create', 'operators', '--verbs', 'customer.list', '--filter', 'group = best')
    ok(two, 'role', 'grant', 'operators', 'user:nobody')
    assert names(two) == ['Contoso']
    ok(two, 'group', 'edit', 'best', '--filter', 'country = DE')
    assert names(two) == ['Contoso', 'Fabrikam'] and 'customers  2\n' in ok(two, 'group', 'show', 'best')
    done = two.ctl('group', 'delete', 'best', '--yes')
    assert done.returncode == 5 and 'operators' in done.stderr
    ok(two, 'role', 'delete', 'operators', '--yes')
    ok(two, 'group', 'delete', 'best', '--yes')
    assert json.loads(ok(two, 'group', 'list', '--json')) == []


@pytest.mark.parametrize('words, exit, code', [
    (['role', 'create', 'x', '--verbs', 'customer.edti'], 2, 'unknown-verb'), (['role', 'create', 'x'], 2, 'missing'),
    (['role', 'create', 'x', '--verbs', '*', '--filter', 'tagg = a'], 2, 'bad-selector'), (['role', 'create', 'x', '--from', 'none'], 3, 'no-such-role'),
    (['role', 'create', 'there', '--verbs', '*'], 5, 'role-exists'), (['role', 'grant', 'there', 'nobody'], 2, 'bad-who'),
    (['role', 'grant', 'there', 'user:no-such-user'], 2, 'no-such-who'), (['role', 'grant', 'there', 'user:nobody', '--end', '2020-01-01'], 2, 'end-past'),
    (['role', 'grant', 'there', 'user:nobody', '--end', '2027-02-30'], 2, 'bad-date'), (['role', 'revoke', 'there', 'user:nobody'], 3, 'no-such-grant'),
    (['group', 'create', 'x'], 2, 'missing'), (['group', 'create', 'x', '--filter', 'group = x'], 2, 'group-in-group'), (['group', 'show', 'x'], 3, 'no-such-group'),
])
def test_what_is_wrong_is_refused_with_its_name(rig, words, exit, code):
    ok(rig, 'role', 'create', 'there', '--verbs', '*')
    done = rig.ctl(*words, '--json')
    assert (done.returncode, done.stdout, json.loads(done.stderr)['error']['code']) == (exit, '', code)


# ---- approvals ----

@pytest.mark.parametrize('words, name', [
    (['customer', 'edit', '--filter', 'tag = gold', '--phone', '1'], 'Customers_Edit'), (['customer', 'disconnect', 'x', '--confirm', 'X'], 'Customers_Disconnect'),
    (['customer', 'onboard', '--organization', 'x'], 'Customers_Onboard'), (['role', 'grant', 'operators', 'user:ada'], 'Access_Grant'),
    (['report', 'generate', 'x', '--template', 'monthly'], 'Reports_Generate'), (['role', 'delete', 'x', '--yes'], 'Access_Delete'),
])
def test_what_waits_for_an_approval_says_for_whom_and_how(fake, words, name):
    daemon = fake(**{name: ('s', (json.dumps(PENDING),))})
    done = ctl(fake, *words)
    assert (done.returncode, done.stderr) == (0, '')
    assert f'\ncustomer.edit for 12 waits until another user than ada approves it, within 24 hours:\n  tenantctl operation approve {OPERATION}\n' in done.stdout
    done = ctl(fake, *words, '--json')
    assert (done.returncode, done.stderr, json.loads(done.stdout)) == (0, '', PENDING)
    assert {n.split('.')[0] for n, _ in daemon.calls} <= {name.split('_')[0], 'Partner'}              # nobody waited


def test_a_backup_that_waits_leaves_no_file(fake, tmp_path):
    fake(Manager_Backup=('s', (json.dumps({**PENDING, 'kind': 'admin.backup', 'total': 1}),)))
    done = ctl(fake, 'admin', 'backup', tmp_path / 'b.db')
    assert done.returncode == 0 and 'admin.backup waits until another user than ada' in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_waits_leaves_no_file(fake, tmp_path):
    with open('/dev/null') as nothing:
        fake(Audit_Export=('sh', (json.dumps({**PENDING, 'kind': 'audit.export'}), nothing)))
        done = ctl(fake, 'audit', 'export', '--output', tmp_path / 'a.csv')
    assert done.returncode == 0 and 'audit.export for 12 waits' in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_approved_operation_is_waited_for(fake):
    running = {**PENDING, 'state': 'running'}
    ended = {**PENDING, 'state': 'partially-failed', 'done': 12, 'ok': 11, 'refused': 1, 'items': [
        {'n': 1, 'line': None, 'customer': None, 'organization': 'One', 'before': None, 'after': None, 'outcome': 'refused', 'reason': 'gone', 'message': 'it is gone', 'finished': None}]}
    daemon = fake(Operations_Approve=('s', (json.dumps(running),)), Operations_List=('ss', (json.dumps([ended]), '')), Operations_Describe=('s', (json.dumps(ended),)),
                  Manager_Subscribe=('', ()))
    done = ctl(fake, 'operation', 'approve', OPERATION)
    assert done.returncode == 7 and 'partially-failed' in done.stdout and 'it is gone' in done.stdout
    assert sent(daemon, 'Operations.Approve') == (OPERATION, {})
    assert ctl(fake, 'operation', 'approve', OPERATION, '--no-wait').returncode == 0


def test_ones_own_operation_is_refused(fake):
    fake(Operations_Approve=FakeError(f'{PREFIX}Error.Refused', 'own-operation: you asked for it yourself: another user has to approve it'))
    done = ctl(fake, 'operation', 'approve', OPERATION)
    assert done.returncode == 5 and done.stderr == 'tenantctl: own-operation: you asked for it yourself: another user has to approve it\n'


@pytest.fixture
def careful(folder, bus):
    """Two customers, verbs that need a second person, and nobody, who may be that."""
    if os.geteuid() != 0:
        pytest.skip('needs root to be somebody else')
    subprocess.run(['chmod', '-R', 'a+rX', BUILD], check=False)
    rig = Rig(folder, bus, '[admin]\ntwo_person = customer.disconnect, customer.edit, role.delete\n').start()
    rig.onboard('Contoso', 'a@x.example', tags=('as', ['gold']))
    rig.onboard('Fabrikam', 'b@x.example')
    ok(rig, 'role', 'create', 'seconds', '--verbs', 'operation.*')
    ok(rig, 'role', 'grant', 'seconds', 'user:nobody')
    yield rig
    rig.stop()


def test_a_second_person_lets_it_be_done(careful):
    done = careful.ctl('customer', 'disconnect', 'Contoso', '--confirm', 'Contoso')
    assert (done.returncode, done.stderr) == (0, '') and 'customer.disconnect waits until another user than root approves it' in done.stdout
    words = done.stdout.split('\n  tenantctl ')[1].split('\n')[0].split()
    assert careful.customer('Contoso')['state'] == 'active'
    own = careful.ctl(*words)
    assert own.returncode == 5 and 'own-operation' in own.stderr
    for verb in ('wait', 'show'):
        assert f'waits until another user than root approves it, within 24 hours:\n  tenantctl operation approve {words[-1]}\n' in ok(careful, 'operation', verb, words[-1])
    approved = careful.ctl(*words, uid=NOBODY)
    assert approved.returncode == 0 and 'finished' in approved.stdout, approved
    assert careful.customer('Contoso')['state'] == 'disconnecting'
    again = careful.ctl(*words, uid=NOBODY)
    assert again.returncode == 5 and 'not-pending' in again.stderr


def test_what_an_approved_call_starts_is_waited_for_too(careful):
    row = json.loads(ok(careful, 'customer', 'edit', '--filter', 'country = DE', '--phone', '1', '--json'))
    assert row['state'] == 'pending-approval'
    approved = careful.ctl('operation', 'approve', row['id'], '--json', uid=NOBODY)
    edit = json.loads(approved.stdout)
    assert approved.returncode == 0 and (edit['kind'], edit['state'], edit['ok']) == ('customer.edit', 'finished', 2) and edit['id'] != row['id'], approved
    assert careful.customer('Fabrikam')['phone'] == '1'
    assert json.loads(ok(careful, 'operation', 'wait', row['id'], '--json')) == edit


def test_what_is_refused_after_its_approval_is_7(careful):
    row = json.loads(ok(careful, 'role', 'delete', 'seconds', '--yes', '--revision', '2', '--json'))
    ok(careful, 'role', 'edit', 'seconds', '--verbs', 'operation.*,customer.list')
    approved = careful.ctl('operation', 'approve', row['id'], uid=NOBODY)
    assert approved.returncode == 7 and 'stale-revision' in approved.stdout
    assert ok(careful, 'role', 'show', 'seconds')


def test_who_asked_may_take_it_back(careful):
    row = json.loads(ok(careful, 'role', 'delete', 'seconds', '--yes', '--json'))
    ok(careful, 'operation', 'cancel', row['id'])
    assert careful.ctl('operation', 'approve', row['id'], uid=NOBODY).returncode == 5
    assert ok(careful, 'role', 'show', 'seconds')


# ---- without rights ----

def test_a_missing_right_is_named_with_who_can_give_it(fake):
    fake(Customers_List=unauthorized(), Customers_Edit=unauthorized('you have no right to customer.mode: ask an administrator'))
    done = ctl(fake, 'customer', 'list')
    assert done.returncode == 4 and done.stdout == ''
    assert done.stderr == ('tenantctl: not-authorized: you have no right to customer.list (no role has it): ask an administrator of this tenantd for a role that has it '
                           '("tenantctl role grant ROLE user:root")\n')
    error = json.loads(ctl(fake, 'customer', 'edit', 'x', '--mode', 'partner', '--json').stderr)['error']
    assert error['code'] == 'not-authorized' and error['message'].endswith('; a role with customer.mode gives it ("tenantctl role grant ROLE user:root")')


def test_a_right_that_the_daemon_does_not_name_is_the_verbs(fake):
    fake(Customers_List=unauthorized('no'), Partner_Describe=unauthorized('no. More: none at all.', 'no-gateway'))
    assert 'a role with customer.list gives it' in ctl(fake, 'customer', 'list').stderr
    assert ctl(fake, 'partner', 'show').stderr == 'tenantctl: no-gateway: no. More: none at all.\n'


@pytest.mark.parametrize('hidden', ['List', 'Describe', 'rows'])
def test_an_operation_that_one_may_not_look_at_is_not_waited_for(fake, hidden):
    running, ended = {**PENDING, 'state': 'running'}, {**PENDING, 'state': 'finished'}
    answers = {'Operations_List': ('ss', (json.dumps([ended]), '')), 'Operations_Describe': ('s', (json.dumps(ended),))}
    if hidden == 'rows':
        answers['Operations_List'] = ('ss', ('[]', ''))
    else:
        answers[f'Operations_{hidden}'] = unauthorized()
    fake(Customers_Edit=('s', (json.dumps(running),)), Manager_Subscribe=unauthorized(), **answers)
    done = ctl(fake, 'customer', 'edit', 'a', 'b', '--phone', '1')
    assert done.returncode == 0 and 'running' in done.stdout
    assert OPERATION in done.stderr and 'operation.list' in done.stderr


def test_who_hears_no_events_looks_until_it_has_ended(fake):
    rows = iter([{**PENDING, 'state': 'running'}] * 3 + [{**PENDING, 'state': 'finished'}] * 9)
    fake(Customers_Edit=('s', (json.dumps({**PENDING, 'state': 'running'}),)), Manager_Subscribe=unauthorized(), Operations_List=lambda q: ('ss', (json.dumps([next(rows)]), '')),
         Operations_Describe=('s', (json.dumps({**PENDING, 'state': 'finished'}),)))
    done = ctl(fake, 'customer', 'edit', 'a', 'b', '--phone', '1')
    assert (done.returncode, done.stderr) == (0, '') and 'finished' in done.stdout


@pytest.mark.slow
def test_a_monitor_ends_with_the_right_to_it(fake):
    answers = iter([('ss', ('[]', ''))])
    fake(Manager_Subscribe=('', ()), Manager_ListEvents=lambda query: next(answers, unauthorized()))
    done = ctl(fake, 'event', 'monitor')
    assert done.returncode == 4 and 'event.monitor has ended' in done.stderr


# ---- pkttyagent ----

AGENT = '''#!/usr/bin/python3 -I
import os, signal, sys
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
def note(name, text=''):
    with open(f'{folder}/{name}', 'a') as f:
        f.write(text)
def end(*_):
    note('ended')
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print('pkttyagent prints this where nobody reads it', flush=True)
print('and this', file=sys.stderr, flush=True)
note('pid', str(os.getpid()))
note('open', ' '.join(sorted(fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}'))))
note('arguments', '\\n'.join(sys.argv[1:]))
fd = int(sys.argv[1].split('=')[1])
if os.isatty(0):
    os.write(0, b'==== Password: ')
note('ready')
os.close(fd)
while True:
    signal.pause()
'''


class Guard(FakeDaemon):
    """Lets a call through if polkit may ask for it and pkttyagent is there to ask; keeps the flags of all calls."""

    def __init__(self, address, answers, ready):
        self.ready, self.flags = ready, []
        super().__init__(address, answers)

    def _answer(self, message):
        asks = bool(int(message.header.flags) & ALLOW_INTERACTIVE)
        self.flags.append(asks)
        answers = self.answers
        if not (asks and self.ready()):
            self.answers = {name: unauthorized() for name in answers}
        super()._answer(message)
        self.answers = answers


class Desk:
    """A terminal of a user without rights, with a pkttyagent in PATH."""

    def __init__(self, folder, bus):
        self.bus, self.path = bus, folder / 'bin'
        self.path.mkdir()
        self.path.chmod(0o777)
        self.script = self.path / 'pkttyagent'
        self.script.write_text(AGENT)
        self.script.chmod(0o755)
        self.env = {'PATH': f'{self.path}:{os.environ["PATH"]}', 'DBUS_SYSTEM_BUS_ADDRESS': bus.address}
        self.daemon = None

    def guard(self, ready=None, **answers):
        self.daemon = Guard(self.bus.address, {k.replace('_', '.'): v for k, v in answers.items()}, ready or (lambda: self.has('ready')))
        return self.daemon

    def has(self, name):
        return (self.path / name).exists()

    def read(self, name):
        return (self.path / name).read_text()

    def terminal(self, *words, address=None, uid=NOBODY, **env):
        return Terminal(address, *words, env={**self.env, **env}, uid=uid)

    def is_gone(self):
        return not os.path.exists(f'/proc/{self.read("pid")}')


@pytest.fixture
def desk(folder, bus):
    if os.geteuid() != 0:
        pytest.skip('needs root to be somebody else')
    subprocess.run(['chmod', '-R', 'a+rX', BUILD], check=False)
    desk = Desk(folder, bus)
    yield desk
    if desk.daemon:
        desk.daemon.stop()


LISTED = ('ss', ('[{"organization":"Contoso"}]', ''))


def test_the_agent_asks_when_the_call_needs_it_and_ends_with_the_program(desk):
    daemon = desk.guard(Customers_List=LISTED)
    terminal = desk.terminal('customer', 'list', '--columns', 'organization')
    process = terminal.process.pid
    done = terminal.end()
    assert done.returncode == 0 and 'Contoso' in done.output and '==== Password: ' in done.output
    assert 'nobody reads' not in done.output and 'and this' not in done.output
    notify, subject, *stands_back = desk.read('arguments').split('\n')
    assert subject == f'--process={process}' and stands_back in ([], ['--fallback'])       # by whether there is a session
    assert desk.read('open').split() == sorted(['0', '1', '2', notify.removeprefix('--notify-fd=')])
    assert desk.has('ended') and desk.is_gone()
    assert daemon.flags[0] is False and daemon.flags[-1] is True


def test_a_change_that_is_asked_for_again_is_the_same_request(desk):
    daemon = desk.guard(Customers_Edit=('s', ('{"id":"1","revision":2}',)))
    assert desk.terminal('customer', 'edit', 'x', '--phone', '1', '--json').end().returncode == 0
    first, second = [body for name, body in daemon.calls if name == 'Customers.Edit']
    assert first == second and first[2]['request_id']


def test_what_is_asked_beside_a_call_asks_for_no_password_but_profits_from_it(desk):
    kept = lambda: desk.has('ready')
    daemon = desk.guard(Customers_List=('ss', ('[{"created":"2026-12-01T12:00:00Z"}]', '')), Partner_Describe=('s', ('{"time_zone":"Asia/Tokyo"}',)))
    answer = daemon._answer

    def keeps(message):
        if kept() and True in daemon.flags:          # what polkit let through once it lets through for a while
            daemon.flags.append(bool(int(message.header.flags) & ALLOW_INTERACTIVE))
            FakeDaemon._answer(daemon, message)
        else:
            answer(message)
    daemon._answer = keeps
    done = desk.terminal('customer', 'list', '--columns', 'created').end()
    assert done.returncode == 0 and '2026-12-01 21:00:00 JST' in done.output
    assert [flag for (name, _), flag in zip(daemon.calls, daemon.flags) if name == 'Partner.Describe'] == [False, False], daemon.flags


def test_no_agent_is_started_where_a_role_decides(desk):
    daemon = FakeDaemon(desk.bus.address, {'Customers.List': LISTED})
    try:
        assert desk.terminal('customer', 'list').end().returncode == 0
    finally:
        daemon.stop()
    assert not desk.has('pid')


def test_no_agent_is_started_for_any_other_error(desk):
    desk.guard(Customers_Describe=('s', ('{}',)))
    assert desk.terminal('customer', 'show').end().returncode == 2
    daemon = FakeDaemon(desk.bus.address, {})
    daemon.stop()
    desk.daemon.stop()
    desk.daemon = None
    assert desk.terminal('customer', 'show', 'x').end().returncode == 6
    assert not desk.has('pid')


@pytest.mark.parametrize('words, terminal', [(['--no-ask-password'], {}), ([], {'uid': 0}), (['--no-ask-password'], {'uid': 0})])
def test_no_agent_is_started_for_root_or_who_wants_none(desk, words, terminal):
    daemon = desk.guard(ready=lambda: False, Customers_List=LISTED)
    done = desk.terminal('customer', 'list', *words, **terminal).end()
    assert done.returncode == 4 and 'no right to customer.list' in done.output and not desk.has('pid')
    assert not words or not any(daemon.flags)


def test_no_agent_is_started_on_a_bus_where_polkit_is_not(desk):
    desk.guard(ready=lambda: False, Customers_List=LISTED)
    assert desk.terminal('customer', 'list', address=desk.bus.address).end().returncode == 4
    assert not desk.has('pid')


def test_without_a_terminal_an_agent_of_the_desktop_may_be_asked(desk):
    daemon = desk.guard(ready=lambda: True, Customers_List=LISTED)
    words = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', BUILD / 'tenantctl', 'customer', 'list', '--json']
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, **desk.env})
    assert done.returncode == 0 and json.loads(done.stdout) and daemon.flags == [True] and not desk.has('pid')
    done = subprocess.run([*words, '--no-ask-password'], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, **desk.env})
    assert done.returncode == 4 and daemon.flags == [True, False]
    # The zone that text is shown in is asked for beside the call: nobody is asked twice.
    daemon.calls.clear()
    daemon.flags.clear()
    done = subprocess.run([*words[:-1], '--columns', 'created'], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, **desk.env})
    assert done.returncode == 0 and sorted((name, flag) for (name, _), flag in zip(daemon.calls, daemon.flags)) == [('Customers.List', True), ('Partner.Describe', False)]


@pytest.mark.parametrize('script', [None, '#!/bin/sh\nexit 127\n', '#!/does/not/exist\n', '#!/bin/sh\nkill -9 $$\n'])
def test_an_agent_that_is_missing_or_fails_is_no_error(desk, script):
    daemon = desk.guard(ready=lambda: True, Customers_List=LISTED)
    desk.script.unlink()
    if script:
        desk.script.write_text(script)
        desk.script.chmod(0o755)
    (desk.path / 'setpriv').symlink_to(shutil.which('setpriv'))
    done = desk.terminal('customer', 'list', '--columns', 'organization', PATH=str(desk.path)).end()
    assert done.returncode == 0 and 'Contoso' in done.output and 'pkttyagent' not in done.output
    assert [flag for (name, _), flag in zip(daemon.calls, daemon.flags) if name == 'Customers.List'] == [False, True]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE])
def test_the_agent_ends_with_the_program_that_a_signal_ends(desk, number):
    desk.guard(Customers_List=lambda query: None if desk.has('ready') else LISTED)
    terminal = desk.terminal('customer', 'list')
    terminal.read_until('==== Password: ')
    wait_until('the second call', lambda: True in desk.daemon.flags)
    terminal.process.send_signal(number)
    assert terminal.process.wait(30) == -number
    os.close(terminal.parent)
    wait_until('the end of pkttyagent', lambda: desk.has('ended') and desk.is_gone())


def test_what_waits_says_what_it_is(fake):
    after = {'name': 'operators', 'id': '1' * 32, 'fields': {}, 'options': {'who': 'user:ada', 'end': '2026-12-31'}}
    item = {'n': 1, 'line': None, 'customer': None, 'organization': None, 'before': None, 'after': after, 'outcome': 'pending', 'reason': None, 'message': None, 'finished': None}
    fake(Operations_Describe=('s', (json.dumps({**PENDING, 'kind': 'role.grant', 'total': 1, 'items': [item]}),)))
    done = ctl(fake, 'operation', 'show', OPERATION)
    assert (done.returncode, done.stderr) == (0, '')
    assert f"\nasked for\nname  operators\nid    {'1' * 32}\nwho   user:ada\nend   2026-12-31\n\nrole.grant waits until another user than ada" in done.stdout, done.stdout
