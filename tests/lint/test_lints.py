# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lints are seen to fail: each rule is broken once in a small tree of its own."""
import os
import shutil
import subprocess

import pytest

from conftest import TOP

SPDX = '/* SPDX-License-Identifier: LGPL-2.1-or-later */\n'
CLEAN = {
    'daemon/store/schema.c': '"CREATE TABLE customer(n)" "CREATE TABLE view(n)"\n',
    'daemon/store/customer-store.c': '#include <sqlite3.h>\n#include "daemon/store/customer-store.h"\n"INSERT INTO customer VALUES(1)"\n',
    'daemon/store/customer-store.h': '#include "daemon/model/customer.h"\n',
    'daemon/store/view-store.c': '"DELETE FROM view"\n',
    'daemon/model/customer.h': '#include "common/text.h"\n',
    'daemon/net/smtp.c': '#include <curl/curl.h>\n#include "daemon/model/address.h"\n#include "daemon/net/smtp.h"\n',
}


def lint(folder, changes):
    (folder / 'tests' / 'lint').mkdir(parents=True)
    shutil.copy(TOP / 'tests' / 'lint' / 'lint-floors', folder / 'tests' / 'lint')
    for path, text in {**CLEAN, **changes}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text if text.startswith('bare:') else SPDX + text)
    done = subprocess.run(['/usr/bin/python3', folder / 'tests' / 'lint' / 'lint-floors'], capture_output=True, text=True)
    return done.returncode, [line.split(' - ')[1] for line in done.stdout.splitlines() if line.startswith('not ok')], done.stdout


def test_a_clean_tree_passes(tmp_path):
    assert lint(tmp_path, {})[:2] == (0, [])


@pytest.mark.parametrize('path, text, rule', [
    ('daemon/model/customer.c', '#include "daemon/store/customer-store.h"\n', 'floors'),
    ('common/text.c', '#include "daemon/model/customer.h"\n', 'floors'),
    ('client/ctl/main.c', '#include "daemon/model/customer.h"\n', 'floors'),
    ('daemon/action/customer-action.c', '#include "daemon/bus/call.h"\n', 'floors'),
    ('daemon/action/customer-action.c', '#include <sqlite3.h>\n', 'floors'),
    ('daemon/store/turn.c', '# include <systemd/sd-bus.h>\n', 'floors'),
    ('daemon/bus/bus.c', '#include <uv.h>\n', 'floors'),
    ('daemon/net/smtp.c', '#include "daemon/model/customer.h"\n', 'floors'),
    ('daemon/store/view-store.c', '#include "daemon/net/smtp.h"\n', 'floors'),
    ('daemon/task/mail-task.c', '#include <curl/curl.h>\n', 'floors'),
    ('daemon/store/view-store.c', '#include "daemon/store/customer-store.h"\n', 'siblings'),
    ('daemon/action/view-action.c', '#include "daemon/action/customer-action.h"\n', 'siblings'),
    ('daemon/bus/view-bus.c', '#include "daemon/bus/customer-bus.h"\n', 'siblings'),
    ('client/ctl/cmd-view.c', '#include "client/ctl/cmd-customer.h"\n', 'siblings'),
    ('daemon/store/view-store.c', '"DELETE FROM customer WHERE n = 1"\n', 'tables'),
    ('daemon/action/view-action.c', '"UPDATE view SET n = 1"\n', 'tables'),
    ('daemon/store/turn.c', '"UPDATE OR ROLLBACK setting SET value = 1"\n', 'words'),
    ('daemon/store/schema.c', '"SELECT RAISE(ROLLBACK, \'no\')"\n', 'words'),
    ('daemon/store/schema.c', '"REFERENCES customer DEFERRABLE INITIALLY DEFERRED"\n', 'words'),
    ('daemon/app.c', 'int f(void) {\n' + '        ;\n' * 61 + '}\n', 'sizes'),
    ('daemon/app.c', '\n' * 801, 'sizes'),
    ('common/text.c', 'bare: no line\n', 'licence'),
])
def test_a_broken_rule_is_named(tmp_path, path, text, rule):
    code, failed, output = lint(tmp_path, {path: text})
    assert (code, failed) == (1, [rule]) and (path in output or rule == 'tables')


def lint_symbols(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        subprocess.run(['gcc', '-c', path.name], cwd=path.parent, check=True)
        subprocess.run(['ar', 'cr', f'lib{path.parent.name}.a', path.with_suffix('.o').name], cwd=path.parent, check=True)
    done = subprocess.run([TOP / 'tests' / 'lint' / 'lint-symbols'], env={**os.environ, 'BUILD': str(folder)}, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_library_that_reaches_up_is_named(tmp_path):
    """No include gives this away: the function is declared by hand."""
    code, output = lint_symbols(tmp_path, {
        'common/x.c': 'void higher(void); void lower(void); void lower(void) { higher(); }',
        'daemon/model/x.c': 'void higher(void); void higher(void) { }'})
    assert code == 1 and 'not ok 1 - common/libcommon.a reaches up' in output and 'higher' in output


def test_files_that_need_each_other_are_named(tmp_path):
    code, output = lint_symbols(tmp_path, {
        'render/x.c': 'void f(void); void g(void); void f(void) { g(); }',
        'render/y.c': 'void f(void); void g(void); void g(void) { f(); }',
        'render/z.c': 'void f(void); void h(void); void h(void) { f(); }'})
    assert code == 1 and 'files of render/librender.a go in a circle' in output and 'x.o' in output and 'z.o' not in output
