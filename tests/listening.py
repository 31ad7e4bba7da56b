# SPDX-License-Identifier: LGPL-2.1-or-later
"""aiosmtpd on a port of its own: it is given a socket that listens already, so nobody takes the port in between; on a busy machine it
has its time to begin."""
import socket

from aiosmtpd.controller import Controller


class Listening(Controller):
    def __init__(self, handler, **options):
        self.listener = socket.create_server(('127.0.0.1', 0))
        super().__init__(handler, hostname='127.0.0.1', port=self.listener.getsockname()[1], ready_timeout=60, **options)

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.listener, ssl=self.ssl_context)
