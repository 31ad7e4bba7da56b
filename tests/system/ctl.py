# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running tenantctl where a plain subprocess is not enough: on a terminal, and against a daemon that dies."""
import os
import pty
import select
import subprocess
import time

from conftest import BUILD, DEADLINE


class Ended:
    def __init__(self, returncode, output):
        self.returncode, self.output = returncode, output


class Terminal:
    """tenantctl with stdin, stdout and stderr on one pseudo terminal. address None: no --bus; uid: as another user."""

    def __init__(self, address, *words, env=None, uid=None):
        self.parent, child = pty.openpty()
        environment = {**os.environ, 'TERM': 'xterm', 'PAGER': 'cat', **(env or {})}
        who = [] if uid is None else ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']
        where = [] if address is None else [f'--bus={address}']
        self.process = subprocess.Popen([*who, BUILD / 'tenantctl', *where, *words], stdin=child, stdout=child, stderr=child,
                                        env={k: v for k, v in environment.items() if v is not None}, start_new_session=True)
        os.close(child)
        self.output = b''

    def read_until(self, text):
        """Everything up to text, or to the end if text is None."""
        end = time.monotonic() + DEADLINE
        while text is None or text.encode() not in self.output:
            assert time.monotonic() < end, f'{text!r} did not come: {self.output!r}'
            if not select.select([self.parent], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(self.parent, 65536)
            except OSError:
                data = b''
            if not data:
                assert text is None, f'it ended before {text!r}: {self.output!r}'
                break
            self.output += data
        return self.output.decode()

    def type(self, text):
        os.write(self.parent, text.encode())

    def end(self):
        output = self.read_until(None)
        code = self.process.wait(DEADLINE)
        os.close(self.parent)
        return Ended(code, output)


def on_terminal(rig, *words, env=None):
    return Terminal(rig.bus.address, *words, env=env).end()
