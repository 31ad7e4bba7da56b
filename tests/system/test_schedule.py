# SPDX-License-Identifier: LGPL-2.1-or-later
"""Schedules as an operator meets them: every verb and option of tenantctl schedule, what it prints, and what it refuses.

Types: tenantctl schedule … --json; the objects are those of dbus/org.tenantd.Tenant1.Schedules.xml. When what is due is tested in
test_plan.py and in the unit tests of plan, catch-up and clock-guard.
"""
import datetime
import json
import os
import shutil
import sqlite3

import pytest

from conftest import BUILD, BusError, Rig, wait_until

SCHEDULE = {'id', 'revision', 'export', 'template', 'customer', 'organization', 'frequency', 'on', 'at', 'zone', 'start', 'end', 'missed', 'recipients', 'format',
            'columns', 'selector', 'file_name', 'state', 'reason', 'next_due', 'owner'}
RUN = {'id', 'schedule', 'local', 'due', 'state', 'started', 'finished', 'report', 'messages', 'error', 'count'}
CUSTOMERS = ('--export', 'customers', '--recipients', 'a@x.example')


def ok(rig, *words):
    done = rig.ctl(*words, '--json')
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return json.loads(done.stdout)


def create(rig, *words):
    return ok(rig, 'schedule', 'create', *words)['id']


def show(rig, identity):
    return ok(rig, 'schedule', 'show', identity)


def preview(rig, identity, count=2):
    return ok(rig, 'schedule', 'preview', identity, '--count', str(count))


def runs(rig, identity):
    return ok(rig, 'schedule', 'runs', identity)


def refused(rig, exit, code, *words, field=None):
    """What it said, of a refusal that changed nothing and printed nothing."""
    done = rig.ctl(*words, '--json')
    assert done.returncode == exit and done.stdout == '', (words, done)
    error = json.loads(done.stderr)['error']
    assert error['code'] == code, error
    if field:
        assert error['field'] == field, error
    return error


def end_of_runs(rig, identity):
    wait_until('the runs', lambda: all(r['state'] not in ('queued', 'running') for r in runs(rig, identity)))
    return runs(rig, identity)


# ---- create, show, preview ----

@pytest.mark.parametrize('words, on, due', [
    (['daily', '--start', '2030-01-30'], None, ['2030-01-30', '2030-01-31', '2030-02-01']),
    (['weekly', '--start', '2030-01-01'], 'tuesday', ['2030-01-01', '2030-01-08', '2030-01-15']),
    (['weekly', '--start', '2030-01-01', '--on', 'friday'], 'friday', ['2030-01-04', '2030-01-11', '2030-01-18']),
    (['monthly', '--start', '2032-01-31'], 'day:31', ['2032-01-31', '2032-02-29', '2032-03-31']),
    (['monthly', '--start', '2030-01-16', '--on', 'day:15'], 'day:15', ['2030-02-15', '2030-03-15', '2030-04-15']),
    (['quarterly', '--start', '2030-11-30'], 'day:30', ['2030-11-30', '2031-02-28', '2031-05-30']),
    (['quarterly', '--start', '2030-02-15', '--on', 'day:10'], 'day:10', ['2030-05-10', '2030-08-10', '2030-11-10']),
    (['yearly', '--start', '2032-02-29'], '02-29', ['2032-02-29', '2033-02-28', '2034-02-28']),
    (['yearly', '--start', '2030-05-01', '--on', '03-01'], '03-01', ['2031-03-01', '2032-03-01', '2033-03-01'])])
def test_each_frequency_is_due_when_it_says(rig, words, on, due):
    identity = create(rig, *CUSTOMERS, '--frequency', *words)
    shown = show(rig, identity)
    assert (shown['frequency'], shown['on'], shown['next_due']) == (words[0], on, f'{due[0]}T12:00:00Z')
    assert preview(rig, identity, 3) == [{'due': f'{day}T12:00:00Z', 'local': f'{day}T12:00', 'note': None} for day in due]


def test_what_was_not_said_has_its_default(rig):
    answer = ok(rig, 'schedule', 'create', *CUSTOMERS, '--frequency', 'daily')
    shown = show(rig, answer['id'])
    assert set(shown) == SCHEDULE and {'id', 'revision', 'next_due'} <= set(answer)
    today = ok(rig, 'admin', 'status')['started'][:10]
    assert shown['start'] >= today
    assert {k: shown[k] for k in SCHEDULE - {'id', 'start', 'next_due'}} == {
        'revision': 1, 'export': 'customers', 'template': None, 'customer': None, 'organization': None, 'frequency': 'daily', 'on': None, 'at': '12:00',
        'zone': 'UTC', 'end': None, 'missed': 'latest', 'recipients': ['a@x.example'], 'format': 'xlsx', 'columns': None, 'selector': None, 'file_name': None,
        'state': 'active', 'reason': None, 'owner': 0}
    assert runs(rig, answer['id']) == []


def test_what_was_said_is_kept(rig):
    customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    identity = create(rig, '--export', 'customers', '--customer', 'Contoso GmbH', '--frequency', 'monthly', '--on', 'day:31', '--at', '08:30',
                      '--zone', 'Europe/Berlin', '--start', '2030-01-01', '--end', '2030-06-30', '--missed', 'none', '--recipients', 'a@x.example;B <b@y.example>',
                      '--recipients', '"c;d"@x.example, A@X.example', '--format', 'csv', '--columns', 'organization,country', '--filter', 'tag = gold',
                      '--file-name', 'gold.csv')
    shown = show(rig, identity)
    assert {k: shown[k] for k in SCHEDULE - {'id', 'revision'}} == {
        'export': 'customers', 'template': None, 'customer': customer, 'organization': 'Contoso GmbH', 'frequency': 'monthly', 'on': 'day:31', 'at': '08:30',
        'zone': 'Europe/Berlin', 'start': '2030-01-01', 'end': '2030-06-30', 'missed': 'none', 'recipients': ['a@x.example', 'b@y.example', '"c;d"@x.example'],
        'format': 'csv', 'columns': ['organization', 'country'], 'selector': 'tag = gold', 'file_name': 'gold.csv', 'state': 'active', 'reason': None,
        'next_due': '2030-01-31T07:30:00Z', 'owner': 0}


def test_a_schedule_of_a_template(rig):
    customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    shown = show(rig, create(rig, '--template', 'monthly', '--customer', customer, '--frequency', 'monthly', '--recipients', 'a@x.example'))
    assert (shown['export'], shown['template'], shown['customer'], shown['format']) == (None, 'monthly', customer, 'pdf')


def test_preview_tells_of_times_that_do_not_exist_or_come_twice(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--at', '02:30', '--zone', 'Europe/Berlin', '--start', '2031-03-29')
    assert preview(rig, identity, 3) == [{'due': '2031-03-29T01:30:00Z', 'local': '2031-03-29T02:30', 'note': None},
                                         {'due': '2031-03-30T01:00:00Z', 'local': '2031-03-30T02:30', 'note': 'after-gap'},
                                         {'due': '2031-03-31T00:30:00Z', 'local': '2031-03-31T02:30', 'note': None}]
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--at', '02:30', '--zone', 'Europe/Berlin', '--start', '2031-10-26', '--end', '2031-10-27')
    assert preview(rig, identity, 5) == [{'due': '2031-10-26T00:30:00Z', 'local': '2031-10-26T02:30', 'note': 'first-pass'},
                                         {'due': '2031-10-27T01:30:00Z', 'local': '2031-10-27T02:30', 'note': None}]


def test_preview_counts(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2030-01-01', '--end', '2030-01-03')
    assert len(preview(rig, identity, 1000)) == 3 and len(preview(rig, identity, 1)) == 1
    endless = create(rig, *CUSTOMERS, '--frequency', 'weekly')
    assert len(preview(rig, endless, 1000)) == 1000 and len(ok(rig, 'schedule', 'preview', endless)) == 5
    for count in ('0', '1001'):
        refused(rig, 2, 'out-of-range', 'schedule', 'preview', endless, '--count', count, field='count')
        refused(rig, 2, 'out-of-range', 'schedule', 'runs', endless, '--count', count, field='count')
    table = rig.ctl('schedule', 'preview', identity, '--no-legend').stdout.split('\n')
    assert table[0].split() == ['2030-01-01', '12:00:00', 'UTC', '2030-01-01', '12:00', '-'] and len(table) == 4


def test_no_end_is_an_option_of_create_too(rig):
    assert show(rig, create(rig, *CUSTOMERS, '--frequency', 'daily', '--no-end'))['end'] is None
    refused(rig, 2, 'usage', 'schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--no-end', '--end', '2031-01-01')


def test_one_that_is_over_has_ended(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2020-01-01', '--end', '2020-01-03')
    assert (show(rig, identity)['state'], show(rig, identity)['next_due'], preview(rig, identity)) == ('ended', None, [])
    identity = create(rig, *CUSTOMERS, '--frequency', 'yearly', '--on', '12-24', '--start', '2030-12-25', '--end', '2031-12-23')
    assert show(rig, identity)['state'] == 'ended'
    done = rig.ctl('schedule', 'preview', identity)
    assert done.returncode == 0, done


# ---- what is refused ----

@pytest.mark.parametrize('words, exit, code, field', [
    (['--frequency', 'daily', '--start', '2030-01-02', '--end', '2030-01-01'], 2, 'end-before-start', 'end'),
    (['--frequency', 'daily', '--start', '2030-02-29'], 2, 'bad-date', 'start'),
    (['--frequency', 'daily', '--end', '1.1.2030'], 2, 'bad-date', 'end'),
    (['--frequency', 'daily', '--at', '24:00'], 2, 'bad-time', 'at'),
    (['--frequency', 'daily', '--at', '8:30'], 2, 'bad-time', 'at'),
    (['--frequency', 'daily', '--on', 'monday'], 2, 'bad-on', 'on'),
    (['--frequency', 'weekly', '--on', 'day:3'], 2, 'bad-on', 'on'),
    (['--frequency', 'monthly', '--on', 'day:32'], 2, 'bad-on', 'on'),
    (['--frequency', 'monthly', '--on', 'monday'], 2, 'bad-on', 'on'),
    (['--frequency', 'quarterly', '--on', '03-01'], 2, 'bad-on', 'on'),
    (['--frequency', 'yearly', '--on', '02-30'], 2, 'bad-on', 'on'),
    (['--frequency', 'hourly'], 2, 'unknown-word', 'frequency'),
    ([], 2, 'missing', 'frequency'),
    (['--frequency', 'daily', '--missed', 'some'], 2, 'unknown-word', 'missed'),
    (['--frequency', 'daily', '--format', 'docx'], 2, 'unknown-word', 'format'),
    (['--frequency', 'daily', '--columns', 'organization,wrong'], 2, 'unknown-column', 'columns'),
    (['--frequency', 'daily', '--filter', 'tag = '], 2, 'bad-selector', 'selector'),
    (['--frequency', 'daily', '--file-name', 'a/b'], 2, 'bad-file-name', 'file_name'),
    (['--frequency', 'daily', '--file-name', '.hidden'], 2, 'bad-file-name', 'file_name'),
    (['--frequency', 'daily', '--customer', 'Nobody'], 3, 'no-such-customer', None),
    (['--frequency', 'daily', '--template', 'monthly'], 2, 'two-kinds', 'template')])
def test_create_refuses_by_field(rig, words, exit, code, field):
    refused(rig, exit, code, 'schedule', 'create', *CUSTOMERS, *words, field=field)
    assert ok(rig, 'schedule', 'list') == []


def test_create_needs_what_and_for_whom(rig):
    refused(rig, 2, 'missing', 'schedule', 'create', '--frequency', 'daily', '--recipients', 'a@x.example', field='export')
    refused(rig, 2, 'missing', 'schedule', 'create', '--frequency', 'daily', '--export', 'customers', field='recipients')
    refused(rig, 2, 'missing', 'schedule', 'create', '--frequency', 'daily', '--export', 'customers', '--recipients', ' ; , ', field='recipients')
    refused(rig, 2, 'unknown-word', 'schedule', 'create', '--frequency', 'daily', '--export', 'everything', '--recipients', 'a@x.example', field='export')
    refused(rig, 3, 'no-such-report-template', 'schedule', 'create', '--template', 'weekly', '--frequency', 'daily', '--recipients', 'a@x.example', field='template')
    refused(rig, 5, 'no-customer', 'schedule', 'create', '--template', 'monthly', '--frequency', 'daily', '--recipients', 'a@x.example')
    rig.onboard('Contoso GmbH', 'admin@contoso.example')
    refused(rig, 2, 'not-for-templates', 'schedule', 'create', '--template', 'monthly', '--customer', 'Contoso GmbH', '--frequency', 'daily', '--columns', 'id',
            '--recipients', 'a@x.example', field='columns')


def test_an_unknown_zone_is_refused_with_what_may_be_meant(rig):
    error = refused(rig, 2, 'unknown-zone', 'schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--zone', 'Europe/Berlim', field='zone')
    assert 'Europe/Berlin' in error['candidates']
    for zone in ('posix/Europe/Berlin', 'right/Europe/Berlin', 'localtime', 'posixrules', 'Factory', 'CET-1CEST', 'europe/berlin', '../../etc/passwd', '/etc/localtime'):
        refused(rig, 2, 'unknown-zone', 'schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--zone', zone, field='zone')


def test_the_column_of_a_wrong_selector_is_named(rig):
    error = refused(rig, 2, 'bad-selector', 'schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--filter', 'tag = gold and nonsense = 3', field='selector')
    assert 'at character 16' in error['message'] and 'nonsense' in error['message']


def test_a_run_of_more_mails_than_a_turn_can_take_is_refused(rig):
    csv = 'organization,registered_account,first_name,last_name,country\n' + ''.join(f'C{i},c{i}@x.example,A,B,DE\n' for i in range(26))
    assert rig.ctl('customer', 'import', '-', input=csv).returncode == 0
    ok(rig, 'report-template', 'create', 'all', '--section', 'facts', '--filter', 'country = DE', '--format', 'xlsx')
    words = ['--template', 'all', '--frequency', 'daily', '--recipients']
    many = ';'.join(f'r{i}@x.example' for i in range(200))
    error = refused(rig, 5, 'too-many-mails', 'schedule', 'create', *words, many, field='recipients')
    assert '26 customers to 200 recipients' in error['message'] and ok(rig, 'schedule', 'list') == []
    identity = create(rig, *words, 'list@x.example')
    refused(rig, 5, 'too-many-mails', 'schedule', 'edit', identity, '--recipients', many, field='recipients')
    ok(rig, 'schedule', 'run', identity)
    assert [r['state'] for r in end_of_runs(rig, identity)] == ['done']


def test_of_500_recipients_the_wrong_one_is_named(rig):
    many = [f'r{i}@x.example' for i in range(500)]
    wrong = [*many[:300], 'not an address', *many[301:]]
    error = refused(rig, 2, 'bad-address', 'schedule', 'create', '--export', 'customers', '--frequency', 'daily', '--recipients', ';'.join(wrong), field='recipients')
    assert 'not an address' in error['message'] and 'r299' not in error['message']
    refused(rig, 5, 'too-many-recipients', 'schedule', 'create', '--export', 'customers', '--frequency', 'daily', '--recipients', ';'.join([*many, 'one@x.example']),
            field='recipients')
    assert ok(rig, 'schedule', 'list') == []
    assert show(rig, create(rig, '--export', 'customers', '--frequency', 'daily', '--recipients', ';'.join(many)))['recipients'] == many


def test_unknown_names_are_not_found_by_any_verb(rig):
    for verb in ('show', 'pause', 'resume', 'run', 'preview', 'runs'):
        for name in ('nothing', '00000000000000000000000000000000'):
            refused(rig, 3, 'no-such-schedule', 'schedule', verb, name)
    refused(rig, 3, 'no-such-schedule', 'schedule', 'edit', 'nothing', '--at', '08:00')
    refused(rig, 3, 'no-such-schedule', 'schedule', 'delete', 'nothing', '--yes')


def test_a_dry_run_makes_nothing(rig):
    answer = ok(rig, 'schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--run-now', '--dry-run')
    assert answer['dry_run'] is True and answer['refused'] == 0
    assert ok(rig, 'schedule', 'list') == [] and ok(rig, 'report', 'list') == []
    done = rig.ctl('schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--at', 'noon', '--dry-run', '--json')
    assert done.returncode == 2 or json.loads(done.stdout)['refused'] == 1


# ---- edit ----

def test_edit_changes_what_is_named_and_nothing_else(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'weekly', '--start', '2030-01-01', '--columns', 'organization', '--filter', 'tag = gold', '--file-name', 'x.xlsx')
    before = show(rig, identity)
    answer = ok(rig, 'schedule', 'edit', identity, '--end', '2030-12-31', '--format', 'csv', '--recipients', 'z@x.example')
    assert answer['id'] == identity and answer['revision'] == 2
    assert show(rig, identity) == {**before, 'revision': 2, 'end': '2030-12-31', 'format': 'csv', 'recipients': ['z@x.example']}
    ok(rig, 'schedule', 'edit', identity, '--no-end', '--clear', 'columns,selector', '--clear', 'file_name')
    assert show(rig, identity) == {**before, 'revision': 3, 'format': 'csv', 'recipients': ['z@x.example'], 'columns': None, 'selector': None, 'file_name': None}


def test_another_frequency_begins_with_its_own_day(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'weekly', '--on', 'friday', '--start', '2030-01-01')
    ok(rig, 'schedule', 'edit', identity, '--frequency', 'monthly')
    shown = show(rig, identity)
    assert (shown['frequency'], shown['on'], shown['next_due']) == ('monthly', 'day:1', '2030-01-01T12:00:00Z')
    refused(rig, 2, 'bad-on', 'schedule', 'edit', identity, '--on', 'monday', field='on')
    ok(rig, 'schedule', 'edit', identity, '--on', 'day:20', '--at', '00:00', '--zone', 'Asia/Kathmandu')
    assert show(rig, identity)['next_due'] == '2030-01-19T18:15:00Z'
    ok(rig, 'schedule', 'edit', identity, '--clear', 'on')
    assert show(rig, identity)['on'] == 'day:1'


def test_edit_refuses_as_create_does(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2030-01-01')
    before = show(rig, identity)
    refused(rig, 2, 'end-before-start', 'schedule', 'edit', identity, '--end', '2029-12-31', field='end')
    refused(rig, 2, 'unknown-zone', 'schedule', 'edit', identity, '--zone', 'Mars/Base', field='zone')
    refused(rig, 2, 'bad-address', 'schedule', 'edit', identity, '--recipients', 'a@x.example;wrong', field='recipients')
    refused(rig, 2, 'missing', 'schedule', 'edit', identity, '--recipients', ';', field='recipients')
    refused(rig, 2, 'unknown-field', 'schedule', 'edit', identity, '--clear', 'frequency', field='clear')
    refused(rig, 2, 'usage', 'schedule', 'edit', identity)
    refused(rig, 5, 'stale-revision', 'schedule', 'edit', identity, '--at', '08:00', '--revision', '7')
    assert show(rig, identity) == before


def test_what_lies_before_an_edit_is_never_due(rig):
    """As if it were resumed: yesterday's time, moved onto it by an edit, does not run."""
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2030-01-01')
    ok(rig, 'schedule', 'edit', identity, '--start', '2020-01-01')
    shown = show(rig, identity)
    assert shown['next_due'] > ok(rig, 'admin', 'status')['started'] and runs(rig, identity) == []


# ---- pause, resume, run, delete ----

def test_a_paused_one_is_not_due_until_it_is_resumed(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2030-01-01')
    ok(rig, 'schedule', 'pause', identity)
    shown = show(rig, identity)
    assert (shown['state'], shown['next_due']) == ('paused', None) and shown['reason']
    assert len(preview(rig, identity)) == 2
    assert refused(rig, 5, 'not-active', 'schedule', 'pause', identity)
    ok(rig, 'schedule', 'edit', identity, '--at', '08:00')
    assert (show(rig, identity)['state'], show(rig, identity)['next_due']) == ('paused', None)
    ok(rig, 'schedule', 'resume', identity)
    shown = show(rig, identity)
    assert (shown['state'], shown['reason'], shown['next_due']) == ('active', None, '2030-01-01T08:00:00Z')
    refused(rig, 5, 'not-paused', 'schedule', 'resume', identity)
    ok(rig, 'schedule', 'list', '--filter', 'state = paused')


def test_a_run_by_hand_stands_beside_the_regular_ones(rig):
    rig.onboard('Contoso GmbH', 'admin@contoso.example')
    identity = create(rig, '--export', 'customers', '--frequency', 'daily', '--start', '2030-01-01', '--recipients', 'a@x.example;b@x.example')
    answer = ok(rig, 'schedule', 'run', identity)
    done = end_of_runs(rig, identity)
    assert len(done) == 1 and set(done[0]) == RUN
    run = done[0]
    assert (run['id'], run['schedule'], run['local'], run['state'], run['messages'], run['error'], run['count']) == (answer['run'], identity, None, 'done', 2, None, 1)
    assert run['due'] <= run['started'] <= run['finished']
    report = ok(rig, 'report', 'show', run['report'])
    assert (report['schedule'], report['kind'], report['rows']) == (identity, 'customers', 1)
    assert show(rig, identity)['next_due'] == '2030-01-01T12:00:00Z'
    again = ok(rig, 'schedule', 'run', identity)
    assert [r['id'] for r in end_of_runs(rig, identity)] == [again['run'], answer['run']]
    assert len(ok(rig, 'schedule', 'runs', identity, '--count', '1')) == 1
    assert rig.ctl('schedule', 'runs', identity, '--no-legend').stdout.count('done') == 2


def test_save_and_export_is_create_and_run_now(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'weekly', '--start', '2030-12-01', '--end', '2031-06-30', '--run-now')
    assert [r['state'] for r in end_of_runs(rig, identity)] == ['done']
    assert show(rig, identity)['next_due'] == '2030-12-01T12:00:00Z'


def test_one_that_is_paused_or_has_ended_can_still_be_run_by_hand(rig):
    ended = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2020-01-01', '--end', '2020-01-01')
    paused = create(rig, *CUSTOMERS, '--frequency', 'daily')
    ok(rig, 'schedule', 'pause', paused)
    for identity, state in ((ended, 'ended'), (paused, 'paused')):
        ok(rig, 'schedule', 'run', identity)
        assert [r['state'] for r in end_of_runs(rig, identity)] == ['done']
        assert show(rig, identity)['state'] == state


def test_pause_skips_what_has_not_begun(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily')
    ok(rig, 'task', 'pause')
    ok(rig, 'schedule', 'run', identity)
    assert [r['state'] for r in runs(rig, identity)] == ['queued']
    ok(rig, 'schedule', 'pause', identity)
    ok(rig, 'task', 'resume')
    assert [(r['state'], r['error'], r['report']) for r in end_of_runs(rig, identity)] == [('skipped', 'the schedule was paused', None)]
    assert ok(rig, 'report', 'list') == [] and ok(rig, 'message', 'list') == []


def test_delete_takes_the_runs_along_and_leaves_the_reports(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--run-now')
    report = end_of_runs(rig, identity)[0]['report']
    ok(rig, 'task', 'pause')
    ok(rig, 'schedule', 'run', identity)
    assert rig.ctl('schedule', 'delete', identity).returncode == 2
    ok(rig, 'schedule', 'delete', identity, '--yes')
    ok(rig, 'task', 'resume')
    refused(rig, 3, 'no-such-schedule', 'schedule', 'show', identity)
    assert ok(rig, 'schedule', 'list') == []
    wait_until('the queue', lambda: ok(rig, 'admin', 'status')['queue'] == {'queued': 0, 'running': 0, 'waiting': 0, 'dead': 0, 'paused': False})
    assert [r['id'] for r in ok(rig, 'report', 'list')] == [report]
    # What takes its place does not take its reports.
    again = end_of_runs(rig, create(rig, '--export', 'audit', '--recipients', 'a@x.example', '--frequency', 'daily', '--run-now'))
    assert [r['messages'] for r in again] == [1] and again[0]['report'] != report


def test_a_run_that_was_under_way_when_its_schedule_went_is_nobody_elses(folder, bus):
    """The first number that is free again must not lead its report to the recipients of the next schedule."""
    gate, begun = folder / 'gate', folder / 'begun'
    os.mkfifo(gate)
    slow = folder / 'render'
    slow.write_text(f'#!/bin/sh\n[ -e {begun} ] || {{ touch {begun}; read x < {gate}; }}\nexec {BUILD}/tenantd-render "$@"\n')
    slow.chmod(0o755)
    rig = Rig(folder, bus).start(TENANTD_RENDER=str(slow))
    rig.onboard('Secret', 'secret@x.example')
    first = create(rig, '--export', 'customers', '--frequency', 'daily', '--recipients', 'first@x.example', '--run-now')
    wait_until('the rendering', begun.exists)
    ok(rig, 'task', 'pause')
    ok(rig, 'schedule', 'delete', first, '--yes')
    second = create(rig, '--export', 'audit', '--frequency', 'daily', '--recipients', 'second@x.example', '--run-now')
    gate.write_text('go\n')
    wait_until('the first report', lambda: ok(rig, 'report', 'list') != [])
    assert [r['state'] for r in runs(rig, second)] == ['queued'] and ok(rig, 'report', 'list')[0]['recipients'] == []
    ok(rig, 'task', 'resume')
    assert [r['state'] for r in end_of_runs(rig, second)] == ['done']
    assert {r['kind']: [x['address'] for x in r['recipients']] for r in ok(rig, 'report', 'list')} == {'customers': [], 'audit': ['second@x.example']}
    rig.stop()


# ---- what the daemon slept through ----

def age(rig, table, days):
    """As if its rows had been made that many days earlier; then a quiet hour begins."""
    rig.stop()
    with sqlite3.connect(rig.state / 'tenantd.db') as db:
        db.execute(f'UPDATE {table} SET created = created - {days} * 86400000000')
    db.close()
    rig.start()
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})


def sleep_since(rig, days, **values):
    """As if it had been stopped that many days ago: what the database knew then."""
    rig.stop()
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    with sqlite3.connect(rig.state / 'tenantd.db') as db:
        values = {'settled_due': int(past.timestamp()) * 1000000, 'next_due': int(past.timestamp()) * 1000000, **values}
        db.execute(f'UPDATE schedule SET {", ".join(f"{k} = ?" for k in values)}', list(values.values()))
    db.close()


@pytest.mark.parametrize('policy, states', [('latest', ['run', 'missed', 'missed']), ('all', ['run', 'run', 'run']), ('none', ['missed', 'missed', 'missed'])])
def test_missed_runs_go_by_the_policy(folder, bus, policy, states):
    rig = Rig(folder, bus).start()
    at = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)).strftime('%H:%M')
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2020-01-01', '--missed', policy, '--at', at)
    sleep_since(rig, 3)
    rig.start()
    wait_until('three rows', lambda: len(runs(rig, identity)) == 3)
    done = end_of_runs(rig, identity)
    assert [{'done': 'run', 'late': 'run'}.get(r['state'], r['state']) for r in done] == states, done
    assert all(r['error'] for r in done if r['state'] == 'missed')
    assert done[1]['state'] in ('missed', 'late') and [r['local'] for r in done] == sorted((r['local'] for r in done), reverse=True)
    assert len(ok(rig, 'report', 'list')) == states.count('run') and len(ok(rig, 'message', 'list')) == states.count('run')
    assert show(rig, identity)['state'] == 'active' and runs(rig, identity) == done
    rig.stop()


def test_one_that_ended_and_goes_on_makes_up_for_no_day_between(folder, bus):
    rig = Rig(folder, bus).start()
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2020-01-01', '--end', '2020-01-05')
    assert show(rig, identity)['state'] == 'ended'
    sleep_since(rig, 3, next_due=None)
    rig.start()
    before = ok(rig, 'admin', 'status')['started']
    ok(rig, 'schedule', 'edit', identity, '--end', '2999-12-31')
    shown = show(rig, identity)
    assert shown['state'] == 'active' and shown['next_due'] > before and runs(rig, identity) == []
    rig.stop()


def test_a_run_has_no_part_of_one_that_is_kept_no_longer(folder, bus):
    """Its report is kept longer than it, and names it by its number."""
    rig = Rig(folder, bus).start()
    identity = create(rig, *CUSTOMERS, '--frequency', 'yearly')
    ok(rig, 'schedule', 'run', identity)
    assert end_of_runs(rig, identity)[0]['messages'] == 1
    age(rig, 'run', 100)
    wait_until('the quiet hour', lambda: runs(rig, identity) == [])
    ok(rig, 'schedule', 'run', identity)
    assert [(r['state'], r['messages']) for r in end_of_runs(rig, identity)] == [('done', 1)] and len(ok(rig, 'report', 'list')) == 2
    rig.stop()


def test_a_zone_that_is_gone_pauses_its_schedules(folder, bus):
    rig = Rig(folder, bus).start()
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2020-01-01', '--zone', 'Europe/Berlin')
    other = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2020-01-01')
    zones = folder / 'zoneinfo'
    zones.mkdir()
    for name in ('UTC', 'tzdata.zi'):
        shutil.copy(f'/usr/share/zoneinfo/{name}', zones / name)
    sleep_since(rig, 1)
    rig.start(TZDIR=str(zones))
    wait_until('the pause', lambda: show(rig, identity)['state'] == 'paused')
    shown = show(rig, identity)
    assert shown['zone'] == 'Europe/Berlin' and 'zone-gone' in shown['reason'] and runs(rig, identity) == []
    assert show(rig, other)['state'] == 'active'
    refused(rig, 2, 'unknown-zone', 'schedule', 'resume', identity)
    rig.stop()
    rig.start()
    ok(rig, 'schedule', 'resume', identity)
    assert show(rig, identity)['state'] == 'active'
    rig.stop()


def test_one_that_was_settled_in_a_wrong_future_is_brought_back_by_a_resume(folder, bus):
    rig = Rig(folder, bus).start()
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily')
    before = show(rig, identity)['next_due']
    sleep_since(rig, 0, settled_local='2036-01-01T12:00', next_due=2082801600000000)
    rig.start()
    assert preview(rig, identity, 1)[0]['due'] == '2036-01-02T12:00:00Z'
    ok(rig, 'schedule', 'pause', identity)
    ok(rig, 'schedule', 'resume', identity)
    assert show(rig, identity)['next_due'] == before
    rig.stop()


# ---- templates that go ----

def test_a_template_that_schedules_use_is_not_deleted_unawares(rig):
    customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    ok(rig, 'report-template', 'create', 'quarter', '--section', 'facts')
    identity = create(rig, '--template', 'quarter', '--customer', customer, '--frequency', 'daily', '--recipients', 'a@x.example')
    error = refused(rig, 5, 'in-use', 'report-template', 'delete', 'quarter', '--yes')
    assert error['candidates'] == [identity]
    ok(rig, 'report-template', 'delete', 'quarter', '--yes', '--force')
    shown = show(rig, identity)
    assert (shown['state'], shown['template'], shown['next_due']) == ('paused', None, None) and 'template' in shown['reason'] and 'deleted' in shown['reason']
    for verb in ('run', 'resume'):
        refused(rig, 3, 'no-such-report-template', 'schedule', verb, identity)
    # A new one takes the place of the old one only if somebody says so.
    ok(rig, 'report-template', 'create', 'other', '--section', 'facts')
    assert show(rig, identity)['template'] is None
    ok(rig, 'schedule', 'edit', identity, '--template', 'other')
    ok(rig, 'schedule', 'resume', identity)
    assert (show(rig, identity)['state'], show(rig, identity)['template']) == ('active', 'other')


def test_a_schedule_follows_its_template_by_any_name(rig):
    customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    ok(rig, 'report-template', 'create', 'old', '--section', 'facts', '--format', 'xlsx')
    identity = create(rig, '--template', 'old', '--customer', customer, '--frequency', 'daily', '--format', 'xlsx', '--recipients', 'a@x.example')
    ok(rig, 'report-template', 'edit', 'old', '--name', 'new', '--section', 'facts,subscriptions')
    assert show(rig, identity)['template'] == 'new'
    ok(rig, 'schedule', 'run', identity)
    done = end_of_runs(rig, identity)
    assert done[0]['state'] == 'done', done
    assert ok(rig, 'report', 'show', done[0]['report'])['template'] == 'new'


# ---- the rest ----

def test_lists_filter_sort_and_choose_columns(rig):
    for frequency, start in (('daily', '2031-01-01'), ('weekly', '2030-01-01'), ('yearly', '2032-01-01')):
        create(rig, *CUSTOMERS, '--frequency', frequency, '--start', start)
    assert [s['frequency'] for s in ok(rig, 'schedule', 'list')] == ['daily', 'weekly', 'yearly']
    assert [s['frequency'] for s in ok(rig, 'schedule', 'list', '--sort', 'next_due', '--columns', 'frequency')] == ['weekly', 'daily', 'yearly']
    assert ok(rig, 'schedule', 'list', '--filter', 'frequency = weekly', '--columns', 'start,frequency') == [{'start': '2030-01-01', 'frequency': 'weekly'}]
    assert set(ok(rig, 'schedule', 'list')[0]) == SCHEDULE
    table = rig.ctl('schedule', 'list').stdout
    assert 'FREQUENCY' in table.upper() and table.count('customers') == 3


def test_each_change_leaves_one_record_and_is_done_once(rig):
    words = ['schedule', 'create', *CUSTOMERS, '--frequency', 'daily', '--request-id', 'once']
    identity = ok(rig, *words)['id']
    assert ok(rig, *words)['id'] == identity and len(ok(rig, 'schedule', 'list')) == 1
    refused(rig, 5, 'request-id-reused', *words, '--at', '08:00')
    ok(rig, 'schedule', 'edit', identity, '--at', '08:00')
    ok(rig, 'schedule', 'pause', identity)
    ok(rig, 'schedule', 'resume', identity)
    ok(rig, 'schedule', 'delete', identity, '--yes')
    records = [r for r in ok(rig, 'audit', 'list', '--sort', 'n') if r['verb'].startswith('schedule.') and r['outcome'] == 'ok']
    assert [r['verb'] for r in records] == [f'schedule.{v}' for v in ('create', 'edit', 'pause', 'resume', 'delete')]
    assert {r['object'] for r in records} == {identity}
    edited = ok(rig, 'audit', 'list', '--filter', 'verb = schedule.edit', '--columns', 'n,before,after')
    assert (edited[0]['before']['at'], edited[0]['after']['at']) == ('12:00', '08:00')
    assert ok(rig, 'audit', 'verify')['state'] == 'intact'


def test_a_crash_loses_none(rig):
    identity = create(rig, *CUSTOMERS, '--frequency', 'daily', '--start', '2030-01-01')
    ok(rig, 'task', 'pause')
    ok(rig, 'schedule', 'run', identity)
    before = show(rig, identity)
    rig.kill()
    rig.start()
    assert show(rig, identity) == before
    ok(rig, 'task', 'resume')
    assert [r['state'] for r in end_of_runs(rig, identity)] == ['done']


def test_disconnect_pauses_a_customers_schedules_and_reconnect_brings_them_back(rig):
    customer = rig.onboard('Contoso GmbH', 'admin@contoso.example')
    own = create(rig, *CUSTOMERS, '--customer', customer, '--frequency', 'daily')
    held = create(rig, *CUSTOMERS, '--customer', customer, '--frequency', 'weekly')
    other = create(rig, *CUSTOMERS, '--frequency', 'daily')
    ok(rig, 'schedule', 'pause', held)
    ok(rig, 'task', 'pause')
    ok(rig, 'schedule', 'run', own)
    ok(rig, 'customer', 'disconnect', customer, '--confirm', 'Contoso GmbH', '--yes')
    ok(rig, 'task', 'resume')
    assert (show(rig, own)['state'], show(rig, own)['next_due']) == ('paused', None) and 'disconnected' in show(rig, own)['reason']
    assert show(rig, other)['state'] == 'active'
    assert [r['state'] for r in end_of_runs(rig, own)] == ['skipped']
    ok(rig, 'customer', 'reconnect', customer)
    shown = show(rig, own)
    assert (shown['state'], shown['reason']) == ('active', None) and shown['next_due']
    assert show(rig, held)['state'] == 'paused'


def test_the_bus_names_wrong_types_and_keys(rig):
    fields = {'export': ('s', 'customers'), 'frequency': ('s', 'daily'), 'recipients': ('as', ['a@x.example'])}
    for more, field in (({'at': ('u', 8)}, 'at'), ({'recipients': ('s', 'a@x.example')}, 'recipients'), ({'frequencies': ('s', 'daily')}, 'frequencies')):
        with pytest.raises(BusError) as e:
            rig.call('Schedules', 'Create', 'a{sv}a{sv}', {**fields, **more}, {})
        assert e.value.kind == 'InvalidArgument' and f'field: {field}' in e.value.message
    identity = rig.json('Schedules', 'Create', 'a{sv}a{sv}', fields, {'run_now': ('b', True)})['id']
    assert rig.json('Schedules', 'Describe', 's', identity)['id'] == identity
    with pytest.raises(BusError) as e:
        rig.call('Schedules', 'Edit', 'asa{sv}a{sv}', [identity, identity], {'at': ('s', '08:00')}, {})
    assert e.value.kind == 'InvalidArgument'
