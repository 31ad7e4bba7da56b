# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is written down is what there is."""
import re
import subprocess

import pytest

from conftest import TOP, Rig

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


@pytest.mark.parametrize('page', sorted(p.name for p in (TOP / 'docs').glob('*.[158]')))
def test_manual_page_is_well_formed(page):
    # What man itself uses to draw it; absent from the smallest systems.
    try:
        done = subprocess.run(['groff', '-man', '-Tutf8', '-ww', '-z', TOP / 'docs' / page], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip('no groff')
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('path', ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'tests/README.md'])
def test_files_that_prose_names_are_there(path):
    text = (TOP / path).read_text()
    for name in re.findall(r'`((?:common|daemon|render|client|dbus|systemd|data|docs|examples|tests)/[\w./-]*)`', text):
        assert (TOP / name.rstrip('/')).exists() or list(TOP.glob(name + '*')), f'{path} names {name}'
