# SPDX-License-Identifier: LGPL-2.1-or-later
"""The end of a customer: grace, reconnect, erasure."""
import json

import pytest

from conftest import BusError, Rig, wait_until


def test_disconnect_needs_the_exact_name_and_can_be_undone(rig):
    identity = rig.onboard('Contoso GmbH', 'a@x.example')
    for options, kind, code in (({}, 'InvalidArgument', 'missing'), ({'confirm': ('s', 'contoso gmbh')}, 'Refused', 'name-differs')):
        with pytest.raises(BusError) as e:
            rig.json('Customers', 'Disconnect', 'sa{sv}', identity, options)
        assert (e.value.kind, e.value.code) == (kind, code)
    rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [identity], {'deliveries.service_reports.enabled': ('b', True),
                                                              'deliveries.service_reports.recipients': ('as', ['c@x.example'])}, {})
    answer = rig.json('Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', ' Contoso GmbH ')})
    assert answer['erase_after'] and rig.customer(identity)['state'] == 'disconnecting'
    assert rig.customer(identity)['deliveries.service_reports.enabled'] is False
    rig.json('Customers', 'Reconnect', 'sa{sv}', identity, {})
    shown = rig.customer(identity)
    assert shown['state'] == 'active' and shown['deliveries.service_reports.enabled'] is True


MARKERS = ('MarkOrg', 'markacct', 'MarkFirst', 'MarkLast', 'MarkPhone', 'marktag', 'MarkName', 'MarkValue', 'markmail', 'markrecip')


def plant(rig, i):
    fields = {
        'organization': ('s', f'MarkOrg {i}'), 'registered_account': ('s', f'markacct{i}@x.example'), 'first_name': ('s', 'MarkFirst'),
        'last_name': ('s', 'MarkLast'), 'country': ('s', 'DE'), 'phone': ('s', 'MarkPhone'), 'tags': ('as', ['marktag']),
        'custom': ('a{ss}', {'MarkName': 'MarkValue'}), 'contacts': ('aa{ss}', [{'address': 'markmail@x.example', 'role': 'billing', 'name': 'MarkName'}]),
        'deliveries.service_reports.recipients': ('as', ['markrecip@x.example'])}
    return rig.json('Customers', 'Onboard', 'a{sv}a{sv}', fields, {})['id']


@pytest.mark.parametrize('count', [20, pytest.param(2000, marks=pytest.mark.slow)])
def test_nothing_of_an_erased_customer_is_left(folder, bus, count):
    rig = Rig(folder, bus, '[customer]\ngrace_days = 0\n').start()
    kept = rig.onboard('Kept', 'kept@x.example')
    ids = [plant(rig, i) for i in range(count)]
    bulk = rig.json('Customers', 'Edit', 'asa{sv}a{sv}', [], {'language': ('s', 'de')}, {'selector': ('s', 'country = DE and not organization = Kept')})
    assert rig.wait_operation(bulk['id'])['ok'] == count
    for i, identity in enumerate(ids):
        rig.json('Customers', 'Disconnect', 'sa{sv}', identity, {'confirm': ('s', f'MarkOrg {i}')})
    wait_until('the erasure', lambda: len(json.loads(rig.call('Customers', 'List', 'a{sv}', {})[0])) == 1, 120)
    rig.json('Manager', 'QuietHour', 'sa{sv}', '', {})
    wait_until('the quiet hour', lambda: rig.json('Manager', 'Status', 'sa{sv}', '', {})['erasures_open'] == 0, 120)
    assert rig.json('Audit', 'Verify', 'sa{sv}', '', {})['state'] == 'intact'
    assert rig.customer(kept)['organization'] == 'Kept'
    hits = [(path.name, marker) for path in rig.state.rglob('*') if path.is_file() for marker in MARKERS if marker.encode() in path.read_bytes()]
    assert hits == []
    rig.stop()
    hits = [(path.name, marker) for path in rig.state.rglob('*') if path.is_file() for marker in MARKERS if marker.encode() in path.read_bytes()]
    assert hits == []
