# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for the daemon that says what the real one never would: for tests of what tenantctl makes of it.

answers maps 'Interface.Member' to (signature, values), to a FakeError, to None (never answered), or to a function of the
call's body that gives one of these. Everything else is an unknown method. calls lists (name, body) of what came.
"""
import threading

import pytest
from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection

from conftest import NAME, PREFIX

ALLOW_INTERACTIVE = 4                        # a message's flag: polkit may ask a person


class FakeError:
    def __init__(self, name, message):
        self.name, self.message = name, message


class FakeDaemon:
    def __init__(self, address, answers):
        self.answers, self.calls = answers, []
        self.connection = open_dbus_connection(address, enable_fds=True)
        self.connection.send_and_get_reply(message_bus.RequestName(NAME))
        self.stopping = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopping:
            try:
                message = self.connection.receive(timeout=0.2)
            except TimeoutError:
                continue
            if message.header.message_type == MessageType.method_call:
                self._answer(message)

    def _answer(self, message):
        fields = message.header.fields
        name = f'{fields[HeaderFields.interface].removeprefix(PREFIX)}.{fields[HeaderFields.member]}'
        self.calls.append((name, message.body))
        answer = self.answers.get(name, FakeError('org.freedesktop.DBus.Error.UnknownMethod', f'no method {name}'))
        if callable(answer):
            answer = answer(*message.body)
        if answer is None:
            return
        if isinstance(answer, FakeError):
            self.connection.send(new_error(message, answer.name, 's', (answer.message,)))
        else:
            self.connection.send(new_method_return(message, *answer))

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.connection.close()


# fake(Customers_List=…): a daemon that answers so, for as long as the test runs that imports this.
@pytest.fixture
def fake(bus):
    made = []

    def make(**answers):
        made.append(FakeDaemon(bus.address, {k.replace('_', '.'): v for k, v in answers.items()}))
        return made[-1]
    make.address = bus.address
    yield make
    for daemon in made:
        daemon.stop()
