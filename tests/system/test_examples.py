# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the README promises, word for word."""
import csv
import email
import email.policy
import json
import re
import shlex

from conftest import TOP, wait_until

ACCOUNT_TYPES = {'local', 'm365', 'm365-gov', 'google', 'salesforce'}


def readme_imports():
    text = (TOP / 'README.md').read_text().replace('\\\n', ' ')
    return [shlex.split(line)[1:] for line in text.splitlines() if re.match(r' +tenantctl customer import examples/(?!customers)', line)]


def test_the_header_lines_of_other_products_import_as_the_readme_says(rig):
    commands = readme_imports()
    assert len(commands) == 3
    for words in commands:
        name = next(w for w in words if w.startswith('examples/'))
        done = rig.ctl(*[TOP / w if w == name else w for w in words], '--json')
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)['ok'] == 10
    rows = json.loads(rig.ctl('customer', 'list', '--json').stdout)
    assert len(rows) == 30 and all(row['country'] and row['registered_account'] for row in rows)
    assert {row['account_type'] for row in rows} == {'local', 'm365'}
    assert sum(bool(row['first_name']) for row in rows) == 20
    assert {tag for row in rows for tag in row['tags']} >= {'gold', 'silver', 'retail'}


def code_for(rig, address):
    found = []

    def mailed():
        for path in (rig.state / 'outbox-mail').glob('*.eml'):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if message['To'].addresses[0].addr_spec == address:
                found.extend(re.findall(r'\b\d{8}\b', message.get_body(('plain',)).get_content()))
        return found
    wait_until('the code', mailed)
    return found[0]


def test_the_commands_for_schedules_and_mail_work_as_they_stand(rig):
    part = re.search(r'\n## Reports on a schedule and mail\n(.*?)\n## ', (TOP / 'README.md').read_text(), re.DOTALL)[1]
    commands = [shlex.split(line)[1:] for line in part.replace('\\\n', ' ').splitlines() if line.startswith('    tenantctl ')]
    assert len(commands) == 9
    rig.onboard('Contoso GmbH', 'admin@contoso.example')
    for words in commands:
        if words[:2] == ['report', 'verify']:
            # The one word that nobody can know before.
            words = [*words[:-1], code_for(rig, words[3])]
        done = rig.ctl(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert json.loads(rig.ctl('report', 'list', '--filter', 'kind = template', '--json').stdout)[0]['recipients'][0]['address'] == 'admin@contoso.example'


def test_the_shipped_list_is_as_varied_as_real_ones():
    with open(TOP / 'examples' / 'customers.csv', encoding='utf-8-sig', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 220 and {row['account_type'] for row in rows} >= ACCOUNT_TYPES
    cells = [cell for row in rows for cell in row.values()]
    assert any(',' in cell for cell in cells) and any('\n' in cell for cell in cells) and any('"' in cell for cell in cells)
    text = ''.join(row['organization'] for row in rows)
    for script, first, last in (('Greek', 0x370, 0x3ff), ('Cyrillic', 0x400, 0x4ff), ('Hebrew', 0x590, 0x5ff), ('Arabic', 0x600, 0x6ff),
                                ('Devanagari', 0x900, 0x97f), ('Thai', 0xe00, 0xe7f), ('Kana', 0x3040, 0x30ff), ('Han', 0x4e00, 0x9fff), ('Hangul', 0xac00, 0xd7a3)):
        assert any(first <= ord(c) <= last for c in text), script
    assert all(row['registered_account'].endswith('.example') for row in rows if row['registered_account'])
