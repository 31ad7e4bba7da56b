# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads tests/hostile.txt: strings() -> list of bytes, valid() -> those that are UTF-8 without NUL, as str."""
import re
from pathlib import Path

PATTERN = re.compile(r'\\repeat\{((?:\\u\{[0-9a-fA-F]+\}|[^,])*),(\d+)\}|\\x([0-9a-fA-F]{2})|\\u\{([0-9a-fA-F]+)\}|\\\\')


def decode(text):
    out, at = b'', 0
    for m in PATTERN.finditer(text):
        out += text[at:m.start()].encode()
        at = m.end()
        if m[1] is not None:
            out += decode(m[1]) * int(m[2])
        elif m[3]:
            out += bytes([int(m[3], 16)])
        elif m[4]:
            out += chr(int(m[4], 16)).encode('utf-8', 'surrogatepass')
        else:
            out += b'\\'
    return out + text[at:].encode()


def strings():
    lines = (Path(__file__).resolve().parent / 'hostile.txt').read_text(encoding='utf-8').split('\n')
    return [decode(line) for line in lines if line and not line.startswith('# ')]


def valid():
    out = []
    for s in strings():
        try:
            text = s.decode()
        except UnicodeDecodeError:
            continue
        if '\0' not in text:
            out.append(text)
    return out
