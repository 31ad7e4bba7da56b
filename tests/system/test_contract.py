# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts rely on: dry runs, options, answers and refusals have one shape everywhere."""
import json

import pytest

from conftest import BusError

DRY = ['--dry-run', '--json']


def refused(rig, kind, code, interface, member, signature, *arguments):
    with pytest.raises(BusError) as e:
        rig.call(interface, member, signature, *arguments)
    assert (e.value.kind, e.value.code) == (kind, code), e.value
    return e.value.message


def dry(rig, *words, exit=0):
    done = rig.ctl(*words, *DRY)
    assert done.returncode == exit and done.stderr == '', done
    answer = json.loads(done.stdout)
    assert answer['dry_run'] is True and set(answer) == {'dry_run', 'count', 'refused', 'items'}
    for item in answer['items']:
        assert set(item) == {'n', 'line', 'customer', 'organization', 'before', 'after', 'outcome', 'reason', 'message', 'finished'}
    return answer


def records(rig):
    return rig.json('Audit', 'Verify', 'sa{sv}', '', {})['records']


def test_a_dry_run_of_any_verb_has_the_one_shape_and_leaves_nothing(rig):
    identity = rig.onboard('Contoso', 'a@x.example')
    rig.ctl('view', 'save', 'gold', '--filter', 'tag = gold')
    before, partner, views = records(rig), rig.json('Partner', 'Describe', 's', ''), rig.call('Views', 'List', 'a{sv}', {})
    for words in (['view', 'save', 'other'], ['view', 'edit', 'gold', '--sort', '-created'], ['view', 'delete', 'gold', '--yes'],
                  ['partner', 'set', '--name', 'MSP'], ['task', 'pause'], ['admin', 'log-level', 'debug'],
                  ['admin', 'backup', rig.folder / 'b.db'],
                  ['report', 'export', 'customers', '--output', rig.folder / 'r.xlsx'],
                  ['customer', 'disconnect', 'Contoso', '--confirm', 'Contoso'], ['customer', 'edit', 'Contoso', '--phone', '1']):
        answer = dry(rig, *words)
        assert answer['count'] == 1 and answer['refused'] == 0 and answer['items'][0]['outcome'] == 'ok', words
        if words[0] == 'customer':
            assert answer['items'][0]['customer'] == identity and answer['items'][0]['organization'] == 'Contoso'
    assert dry(rig, 'customer', 'disconnect', 'Contoso', '--confirm', 'Contoso')['items'][0]['after'] == {'state': 'disconnecting'}
    assert not (rig.folder / 'b.db').exists() and not (rig.folder / 'r.xlsx').exists()
    assert records(rig) == before and rig.json('Partner', 'Describe', 's', '') == partner and rig.call('Views', 'List', 'a{sv}', {}) == views
    status = rig.json('Manager', 'Status', 'sa{sv}', '', {})
    assert status['log_level'] == 'info' and status['queue']['paused'] is False


def test_a_dry_run_that_finds_a_refusal_is_an_answer(rig):
    rig.onboard('Contoso', 'a@x.example')
    rig.ctl('view', 'save', 'gold')
    local = ['--first-name', 'A', '--last-name', 'B', '--country', 'DE']
    for code, words in (('account-exists', ['customer', 'onboard', '--organization', 'Two', '--account', 'A@x.example', *local]),
                        ('name-differs', ['customer', 'disconnect', 'Contoso', '--confirm', 'contoso']),
                        ('not-disconnecting', ['customer', 'reconnect', 'Contoso']),
                        ('view-exists', ['view', 'save', 'gold']), ('stale-revision', ['partner', 'set', '--name', 'X', '--revision', '7'])):
        answer = dry(rig, *words, exit=5)
        assert answer['refused'] == 1 and answer['items'][0]['reason'] == code and answer['items'][0]['message'], words
    assert dry(rig, 'customer', 'reconnect', 'Contoso', exit=5)['items'][0]['organization'] == 'Contoso'
    assert rig.ctl('view', 'show', 'none', '--json').returncode == 3
    done = rig.ctl('view', 'delete', 'none', '--yes', *DRY)
    assert done.returncode == 3 and json.loads(done.stderr)['error']['code'] == 'no-such-view'
    assert rig.ctl('view', 'edit', 'gold', '--columns', 'nothing', *DRY).returncode == 2


def test_a_dry_import_names_customers_as_the_import_does(rig):
    identity = rig.onboard('Old', 'old@x.example')
    path = rig.folder / 'a.csv'
    path.write_text('organization,registered_account,first_name,last_name,country\nOld,old@x.example,Ada,Example,DE\n'
                    'Old,old@x.example,Ada,Example,AT\nNew,new@x.example,A,B,DE\nBad,bad@x.example,A,B,ZZ\n')
    items = dry(rig, 'customer', 'import', path, '--update', exit=5)['items']
    assert [(i['line'], i['customer'], i['organization'], i['outcome'], i['reason']) for i in items] == [
        (2, identity, 'Old', 'ok', 'exists'), (3, None, 'Old', 'refused', 'failed'), (4, None, 'New', 'ok', None), (5, None, 'Bad', 'refused', 'failed')]
    path.write_text('organization,registered_account,first_name,last_name,country\nOld,old@x.example,Ada,Example,AT\n')
    item = dry(rig, 'customer', 'import', path, exit=5)['items'][0]
    assert (item['customer'], item['organization'], item['reason']) == (identity, 'Old', 'already-managed')
    item = dry(rig, 'customer', 'import', path, '--update')['items'][0]
    assert item['customer'] == identity and item['before'] == {'country': 'DE'} and item['after'] == {'country': 'AT'}
