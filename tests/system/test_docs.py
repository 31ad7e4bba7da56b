# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is written down is what there is."""
import functools
import html
import re
import shlex
import subprocess
import xml.etree.ElementTree as tree

import pytest

from conftest import BUILD, TOP, Rig

EXAMPLE = TOP / 'docs' / 'tenantd.conf.example'


def keys_of_the_daemon():
    return set(re.findall(r'\{ "([a-z]+\.[a-z_]+)", SETTING_', (TOP / 'daemon' / 'configuration.c').read_text()))


def test_example_and_manual_page_have_every_key_and_no_other():
    example, section = set(), None
    for line in EXAMPLE.read_text().splitlines():
        if m := re.fullmatch(r'\[(\w+)\]', line):
            section = m[1]
        elif m := re.fullmatch(r'#(\w+) = .*', line):
            example.add(f'{section}.{m[1]}')
    manual, section = set(), None
    for line in (TOP / 'docs' / 'tenantd.conf.5').read_text().splitlines():
        if m := re.fullmatch(r'\.SS \[(\w+)\]', line):
            section = m[1]
        elif line.startswith('.SH'):
            section = None
        elif section and (m := re.fullmatch(r'\.B (\w+)', line)):
            manual.add(f'{section}.{m[1]}')
    assert example == manual == keys_of_the_daemon()


def test_example_is_taken_as_it_stands_and_with_every_line_in_force(folder, bus):
    text = EXAMPLE.read_text()
    for config in (text, re.sub(r'(?m)^#(\w+ = )', r'\1', text)):
        rig = Rig(folder, bus, config).start()
        rig.stop()


def test_every_configuration_that_the_guide_shows_is_taken(folder, bus):
    shown = re.findall(r'(?m)^    (\[(\w+)\]\n(?:    .+\n)+)', (TOP / 'docs' / 'operators-guide.md').read_text())
    sections = {key.split('.')[0] for key in keys_of_the_daemon()}
    texts = [text for text, section in shown if section in sections]
    assert any('two_person' in text for text in texts)
    for text in texts:
        rig = Rig(folder, bus, re.sub('(?m)^    ', '', text)).start()
        rig.stop()


@pytest.mark.parametrize('page', sorted(p.name for p in (TOP / 'docs').glob('*.[158]')))
def test_manual_page_is_well_formed(page):
    # What man itself uses to draw it; absent from the smallest systems.
    try:
        done = subprocess.run(['groff', '-man', '-Tutf8', '-ww', '-z', TOP / 'docs' / page], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip('no groff')
    assert (done.returncode, done.stderr) == (0, '')


def test_page_of_the_bus_holds_every_interface():
    """Made by awk; read here by other means."""
    page = BUILD / 'docs/org.tenantd.Tenant1.5'
    done = subprocess.run(['groff', '-man', '-Kutf8', '-Tutf8', '-ww', '-z', page], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '') and not re.search('@[a-z]+@', page.read_text())
    text = re.sub(r'\\f[BIR]|\\&|\\:', '', page.read_text()).replace('\\(->', '→').replace('\\-', '-').replace('\\e', '\\')
    words = ' '.join(text.split())
    for path in sorted((TOP / 'dbus').glob('*.xml')):
        root = tree.parse(path, tree.XMLParser(target=tree.TreeBuilder(insert_comments=True))).getroot()
        members = [e for e in root.find('interface') if e.tag in ('method', 'signal', 'property')]
        assert f'Interface .IR {root.find("interface").get("name")}.' in words and members
        for member in members:
            def listed(direction):
                return ', '.join(f'{a.get("type")} {a.get("name")}' for a in member.findall('arg') if a.get('direction', 'in') == direction)
            given = listed('out')
            line = f'{member.get("name")}({listed("in")})' + (f' → {f"({given})" if "," in given else given}' if given else '')
            assert (f'{member.get("name")} ({member.get("type")}, constant)' if member.tag == 'property' else line) in words.replace('→ ((', '→ ('), line
        for comment in (e.text for e in root.iter() if e.tag is tree.Comment):
            said = html.unescape(comment.split('Errors are org.tenantd')[0])
            name, _, rest = said.partition(':')
            if name.strip() in {m.get('name') for m in members}:
                said = rest
            assert ' '.join(said.split()) in words, said


def commands(path):
    """The tenantctl lines of a page: blocks that are indented, and what stands between backticks."""
    text = (TOP / path).read_text()
    blocks = re.sub(r'\\\n\s+', '', '\n'.join(line for line in text.splitlines() if line.startswith('    ')))
    found = re.findall(r'(?m)^\s+(?:sudo |build/)?(tenantctl .*)$', blocks) + re.findall(r'`(tenantctl [^`]*)`', re.sub(r'\s*\n', ' ', text))
    return [re.split(r'\s(?:#|&&|\|)\s?', line)[0] for line in found]


@functools.cache
def help_of(*words):
    return subprocess.run([BUILD / 'tenantctl', *words, '--help'], capture_output=True, text=True).stdout


def block(title, text):
    return {re.split(r'[\s=[]', line.strip())[0] for line in text.split(f'\n{title}:\n')[-1].split('\n\n')[0].splitlines()} if f'\n{title}:\n' in text else set()


@pytest.mark.parametrize('path', ['README.md', 'docs/operators-guide.md'])
def test_commands_that_prose_shows_are_there(path):
    lines = commands(path)
    assert len(lines) > 15
    for line in lines:
        words = [w for w in shlex.split(line)[1:]]
        options = [w.split('=')[0] for w in words if w.startswith('--')]
        plain = [w for w in words if not w.startswith('-')]
        if words[:1] == ['-H']:
            plain = plain[1:]
        if not plain:
            assert set(options) <= block('Options', help_of()), line
            continue
        if plain[0] in ('NOUN',) or len(plain) == 1:
            continue
        assert plain[0] in block('Nouns', help_of()) and plain[1] in block('Verbs', help_of(plain[0])), line
        verb = help_of(*plain[:2])
        assert set(options) <= block('Options', verb) | block('Common options', verb), line


def test_guide_has_the_chapters_that_it_lists():
    text = (TOP / 'docs/operators-guide.md').read_text()
    listed = re.findall(r'(?m)^(\d+)\. \[(.*?)\]\(#(.*?)\)$', text)
    chapters = re.findall(r'(?m)^## ((\d+)\. (.*))$', text)
    assert [(n, title) for n, title, _ in listed] == [(n, title) for _, n, title in chapters]
    assert [anchor for *_, anchor in listed] == [re.sub(r'[^\w -]', '', whole.lower()).replace(' ', '-') for whole, *_ in chapters]
    assert chapters[0][2] == 'Installing' and chapters[-1][2] == 'Restoring'
    assert all(int(n) <= len(chapters) for n in re.findall(r'\(section (\d+)\)', text))


@pytest.mark.parametrize('path', ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'tests/README.md', 'docs/operators-guide.md'])
def test_files_that_prose_names_are_there(path):
    text = (TOP / path).read_text()
    for name in re.findall(r'`((?:common|daemon|render|client|dbus|systemd|data|docs|examples|tests)/[\w./-]*)`', text):
        assert (TOP / name.rstrip('/')).exists() or list(TOP.glob(name + '*')), f'{path} names {name}'
