# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each method has one right, and the daemon's table, the documented interfaces and polkit's file say the same of it."""
import xml.etree.ElementTree as tree

import pytest
from jeepney import DBusAddress, new_method_call

from conftest import NAME, PATH, TOP
from doors import TEST_ONLY_VERBS, documented, introspected, method_rows, rights

ACTION = 'org.tenantd.tenant1.'
POLICY = TOP / 'dbus' / 'org.tenantd.tenant1.policy'
TEST_ONLY = {('Tasks', 'Enqueue'), ('Manager', 'QuietHour')}


def actions():
    return {a.get('id').removeprefix(ACTION): a for a in tree.parse(POLICY).getroot().findall('action')}


def annotation(action, key):
    found = [a.text for a in action.findall('annotate') if a.get('key') == key]
    assert len(found) == 1, (action.get('id'), key)
    return found[0].strip()


def test_the_table_is_sorted_and_names_each_verb_once():
    text = (TOP / 'daemon/model/right.c').read_text()
    lines = [line.split('"')[1] for line in text.splitlines() if line.startswith('        { "')]
    assert lines == sorted(set(lines)) and set(lines) == set(rights()) and len(lines) > 80


def test_every_method_that_the_bus_shows_has_a_right_of_the_table(rig):
    """Also those of test builds: what is on the bus at all is compared, not what a file says."""
    shown, rows = introspected(rig.client), method_rows()
    assert set(shown) == set(rows) and len(shown) > 100
    assert {key: verb for key, verb in rows.items() if verb not in rights()} == {}
    assert not {'Get', 'Set'} & {member for interface, member in shown if interface == 'Properties'}


def test_documentation_and_table_name_the_same_right(rig):
    rows = {key: verb for key, verb in method_rows().items() if key not in TEST_ONLY}
    assert documented() == rows and None not in rows.values()
    assert {rows[k] for k in rows} & TEST_ONLY_VERBS == set()


def test_a_verb_that_no_method_has_is_a_part_of_another_call():
    """These are asked beside the method's own right, or are what a method does in another's name."""
    assert set(rights()) - set(method_rows().values()) == {'admin.act-for'}


def test_the_policy_lists_each_verb_in_the_action_that_is_asked():
    table = {}
    for verb, group in rights().items():
        if verb not in TEST_ONLY_VERBS:
            table.setdefault(group.lower().replace('_', '-'), set()).add(verb)
    found = {name: annotation(a, 'org.tenantd.verbs').split() for name, a in actions().items()}
    assert {name: set(verbs) for name, verbs in found.items()} == table
    for name, verbs in found.items():
        assert verbs == sorted(set(verbs)), name


@pytest.mark.parametrize('name', ['read', 'manage', 'destroy', 'admin', 'act-for'])
def test_every_action_says_who_owns_it_and_lets_nobody_through_unasked(name):
    action = actions()[name]
    defaults = {d.tag: d.text for d in action.find('defaults')}
    assert set(defaults) == {'allow_any', 'allow_inactive', 'allow_active'}
    assert set(defaults.values()) <= {'no', 'auth_admin', 'auth_admin_keep'}
    assert name in ('read', 'manage') or 'auth_admin_keep' not in defaults.values()        # what cannot be undone is asked each time
    assert annotation(action, 'org.freedesktop.policykit.owner') == 'unix-user:tenantd'
    assert action.find('description').text and action.find('message').text


def test_polkit_files_and_source_know_the_same_actions():
    text = (TOP / 'daemon/model/right.c').read_text()
    assert {f'{ACTION}{name}' for name in actions()} == {word for word in text.split('"') if word.startswith(ACTION)}
    assert set(actions()) == {'read', 'manage', 'destroy', 'admin', 'act-for'}


def test_polkit_is_told_a_name_on_the_bus_and_nothing_that_could_be_another_process():
    sources = {p: p.read_text() for p in (TOP / 'daemon').rglob('*.[ch]')}
    asking = [p.name for p, text in sources.items() if 'CheckAuthorization' in text]
    assert asking == ['polkit.c']
    assert not [p for p, text in sources.items() if 'unix-process' in text or 'unix-session' in text or 'pkcheck' in text]


def test_every_method_is_decided_by_the_daemon_and_none_by_the_library():
    """A method that is not marked unprivileged makes the library ask the bus, and wait."""
    text = (TOP / 'daemon/bus/bus.c').read_text()
    assert 'SD_BUS_VTABLE_UNPRIVILEGED' in text and 'SD_BUS_WRITABLE_PROPERTY' not in ''.join(p.read_text() for p in (TOP / 'daemon/bus').glob('*.c'))


def test_properties_are_constants_and_tell_nothing_about_anybody(rig):
    message = new_method_call(DBusAddress(PATH, NAME, 'org.freedesktop.DBus.Introspectable'), 'Introspect')
    root = tree.fromstring(rig.client.connection.send_and_get_reply(message).body[0])
    for prop in root.iter('property'):
        assert prop.get('access') == 'read'
        assert prop.get('name') in ('Version', 'PageMax', 'CallsMax'), prop.get('name')
