# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs inside the booted system: a name server that knows relay.example, and a relay there that wants TLS and a password.

mail_host.py FOLDER: certificates are made in it (ca.crt); `messages` and `logins` there grow with what the relay got.
"""
import socket
import struct
import sys
import threading
from pathlib import Path

from relay import Relay, make_certificates, tls_context

NAME, ADDRESS = 'relay.example', '127.0.0.1'


def question(query):
    """The name asked for, and where its question ends."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return '.'.join(labels), at + 5


def name_server(sock):
    while True:
        query, peer = sock.recvfrom(4096)
        name, end = question(query)
        address = name == NAME and query[end - 4:end] == b'\0\1\0\1'
        answer = b'\xc0\x0c' + struct.pack('!HHIH', 1, 1, 60, 4) + socket.inet_aton(ADDRESS) if address else b''
        known = 0 if name == NAME else 3
        sock.sendto(query[:2] + struct.pack('!HHHHH', 0x8580 | known, 1, bool(answer), 0, 0) + query[12:end] + answer, peer)


def main(folder):
    make_certificates(folder)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((ADDRESS, 53))
    threading.Thread(target=name_server, args=(names,), daemon=True).start()

    def login(connection):
        with open(folder / 'logins', 'ab') as f:
            f.write(connection.relay.commands[-1])
        return b'235 welcome\r\n'

    def taken(connection):
        with open(folder / 'messages', 'ab') as f:
            f.write(connection.relay.messages[-1])
        return b'250 taken\r\n'
    relay = Relay({'AUTH': login, 'dot': taken}, capabilities=['AUTH PLAIN'], tls=tls_context(folder, 'stranger'))
    relay.listener.close()
    relay.listener = socket.create_server((ADDRESS, 587))
    relay.start()
    (folder / 'up').touch()
    threading.Event().wait()


main(Path(sys.argv[1]))
