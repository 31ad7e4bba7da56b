# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roles, groups and approvals as tenantctl asks for and shows them."""
import json
import subprocess

import pytest

from conftest import BUILD, PREFIX
from fake_tenantd import FakeDaemon, FakeError

OPERATION = '0123456789abcdef0123456789abcdef'
PENDING = {'id': OPERATION, 'kind': 'customer.edit', 'state': 'pending-approval', 'done': 0, 'total': 12, 'ok': 0, 'refused': 0, 'failed': 0, 'canceled': 0,
           'actor': {'uid': 1000, 'name': 'ada', 'on_behalf_of': None}, 'created': '2026-12-01T12:00:00Z', 'finished': None}
ROLE = {'id': '1' * 32, 'revision': 3, 'name': 'operators', 'verbs': ['customer.*', '*.list'], 'selector': 'tag = gold', 'exclude': None,
        'grants': [{'who': 'group:ops', 'end': None}, {'who': 'user:ada', 'end': '2026-12-31'}]}


@pytest.fixture
def fake(bus):
    made = []

    def make(**answers):
        made.append(FakeDaemon(bus.address, {k.replace('_', '.'): v for k, v in answers.items()}))
        return made[-1]
    make.address = bus.address
    yield make
    for daemon in made:
        daemon.stop()


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
    ['role', 'create', 'x', '--verbs', ''], ['role', 'revoke', 'operators', 'user:a', '--end', '2026-12-31'], ['operation', 'approve'],
])
def test_half_a_command_is_2_and_nothing_is_asked(fake, words):
    daemon = fake()
    done = ctl(fake, *words)
    assert done.returncode == 2 and done.stdout == '' and done.stderr.startswith('tenantctl: ')
    assert daemon.calls == []


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
