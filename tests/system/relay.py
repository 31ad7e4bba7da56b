# SPDX-License-Identifier: LGPL-2.1-or-later
"""Relays for tests of mail, on loopback: one that follows a script and writes down what it hears, and certificates.

Relay(answers).start(): answers is {stage: bytes, or a list of them for one use after the other (the last stays)}; stages are connect,
EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, dot, RSET, QUIT. Instead of bytes: DROP (closes), SILENT (says nothing more), or a
function of the connection. What is not named is answered as a friendly relay would.
"""
import socket
import ssl
import subprocess
import threading

DROP, SILENT = 'drop', 'silent'
FRIENDLY = {'connect': b'220 relay.example ESMTP\r\n', 'HELO': b'250 relay.example\r\n', 'STARTTLS': b'220 go on\r\n', 'AUTH': b'235 welcome\r\n',
            'MAIL': b'250 sender ok\r\n', 'RCPT': b'250 recipient ok\r\n', 'DATA': b'354 go on\r\n', 'dot': b'250 taken\r\n', 'RSET': b'250 ok\r\n',
            'QUIT': b'221 bye\r\n'}


def ehlo(*capabilities):
    lines = [b'relay.example', *(c.encode() for c in capabilities)]
    return b''.join(b'250' + (b' ' if i == len(lines) - 1 else b'-') + line + b'\r\n' for i, line in enumerate(lines))


class Over(Exception):
    pass


class Connection:
    def __init__(self, relay, sock):
        self.relay, self.sock, self.buffer, self.in_tls = relay, sock, bytearray(), False

    def line(self):
        while b'\n' not in self.buffer:
            self.more()
        return self.take(self.buffer.index(b'\n') + 1)

    def take(self, n):
        taken = bytes(self.buffer[:n])
        del self.buffer[:n]
        return taken

    def more(self):
        try:
            got = self.sock.recv(65536)
        except OSError:
            got = b''
        if not got:
            raise Over
        self.buffer += got

    def message(self):
        if self.buffer.startswith(b'.\r\n'):
            self.take(3)
            return b''
        searched = 0
        while (end := self.buffer.find(b'\r\n.\r\n', searched)) < 0:
            searched = max(0, len(self.buffer) - 4)
            self.more()
        message = self.take(end + 2)
        self.take(3)
        return message

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise Over

    def say(self, stage):
        answer = self.relay.answer(stage, self)
        if callable(answer):
            answer = answer(self)
        if answer == DROP:
            raise Over
        if answer == SILENT:
            self.wait()
        self.send(answer)
        return answer

    def wait(self):
        """Until the other side has had enough."""
        while True:
            self.more()

    def begin_tls(self):
        self.sock = self.relay.tls.wrap_socket(self.sock, server_side=True)
        self.buffer, self.in_tls = bytearray(), True

    def serve(self):
        if self.relay.implicit:
            self.begin_tls()
        self.say('connect')
        while True:
            line = self.line()
            self.relay.commands.append(line)
            word = line.split()[0].upper().decode('latin-1') if line.split() else ''
            answer = self.say(word)
            if word == 'QUIT' or answer.startswith(b'421'):
                return
            if word == 'STARTTLS' and answer.startswith(b'220'):
                self.begin_tls()
            if word == 'DATA' and answer.startswith(b'354'):
                self.relay.messages.append(self.message())
                if self.say('dot').startswith(b'421'):
                    return


def has_ipv6():
    """Whether this machine has ::1."""
    try:
        socket.create_server(('::1', 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


class Relay:
    def __init__(self, answers=None, capabilities=('PIPELINING',), tls=None, implicit=False, host='127.0.0.1'):
        self.answers = {stage: list(a) if isinstance(a, list) else [a] for stage, a in (answers or {}).items()}
        self.capabilities, self.tls, self.implicit = capabilities, tls, implicit
        self.commands, self.messages, self.connections, self.errors = [], [], 0, []
        self.listener = socket.create_server((host, 0), family=socket.AF_INET6 if ':' in host else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.open, self.threads, self.answering = set(), [], threading.Lock()

    def answer(self, stage, connection):
        if stage in self.answers:
            known = self.answers[stage]
            with self.answering:             # there may be several connections
                return known.pop(0) if len(known) > 1 else known[0]
        if stage == 'EHLO':
            offer = self.tls and not connection.in_tls
            return ehlo('STARTTLS') if offer else ehlo(*self.capabilities)
        return FRIENDLY.get(stage, b'500 what?\r\n')

    def start(self):
        self.threads.append(threading.Thread(target=self._accept, daemon=True))
        self.threads[0].start()
        return self

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock):
        connection = Connection(self, sock)
        self.open.add(connection)
        try:
            connection.serve()
        except (Over, ssl.SSLError, ConnectionError) as e:
            self.errors.append(e)
        finally:
            self.open.discard(connection)
            connection.sock.close()

    def hang_up(self):
        """Closes what is open, as after a time without mail."""
        for connection in list(self.open):
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def make_certificates(folder):
    """ca.crt, and server.crt with server.key for localhost, 127.0.0.1 and ::1; other.crt of nobody's, stranger.crt for another host, old.crt
    that has expired."""
    def openssl(*words):
        subprocess.run(['openssl', *map(str, words)], cwd=folder, check=True, capture_output=True)

    key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
    for name in ('ca', 'other'):
        openssl('req', '-x509', *key, '-keyout', f'{name}.key', '-out', f'{name}.crt', '-days', '3650', '-subj', f'/CN=test {name}',
                '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
    for name, names, days in (('server', 'DNS:localhost,IP:127.0.0.1,IP:::1', 3650), ('stranger', 'DNS:relay.example', 3650), ('old', 'DNS:localhost,IP:127.0.0.1', -1)):
        openssl('req', *key, '-keyout', f'{name}.key', '-out', f'{name}.csr', '-subj', f'/CN={name}')
        (folder / f'{name}.ext').write_text(f'subjectAltName={names}\nextendedKeyUsage=serverAuth\n')
        openssl('x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', f'{name}.crt', '-days', days,
                '-extfile', f'{name}.ext')


def tls_context(folder, name='server'):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f'{name}.crt', folder / f'{name}.key')
    return context
