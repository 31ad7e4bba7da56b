# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures by hand: PNG and JPEG made and read with nothing but zlib and struct, also wrong ones.

png(...) and jpeg(...) -> bytes. read_png(data) and read_jpeg(data) -> (width, height, pixels), pixels[y][x] a tuple of
samples; a JPEG's are per block of 8 × 8, its average, as R, G, B or grey.
"""
import struct
import zlib

SIGNATURE = b'\x89PNG\r\n\x1a\n'


# ---- PNG ----

def chunk(name, data):
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))


def png_header(width, height, depth=8, color=2, interlace=0):
    return chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, color, 0, 0, interlace))


def png(rows, depth=8, color=2, before=b'', after=b'', width=None, raw=None):
    """rows: bytes of each row, packed. before: chunks between header and data."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    width = width or len(rows[0]) * 8 // (depth * samples)
    data = raw if raw is not None else zlib.compress(b''.join(b'\0' + row for row in rows))
    return SIGNATURE + png_header(width, len(rows), depth, color) + before + chunk(b'IDAT', data) + chunk(b'IEND', b'') + after


def chunks(data):
    assert data.startswith(SIGNATURE)
    at = len(SIGNATURE)
    while at < len(data):
        length, name = struct.unpack_from('>I4s', data, at)
        body = data[at + 8:at + 8 + length]
        assert struct.unpack_from('>I', data, at + 8 + length)[0] == zlib.crc32(name + body)
        yield name, body
        at += 12 + length


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def read_png(data):
    parts = list(chunks(data))
    width, height, depth, color, _, _, interlace = struct.unpack('>IIBBBBB', dict(parts)[b'IHDR'])
    assert interlace == 0
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    stride, step = (width * samples * depth + 7) // 8, max(1, samples * depth // 8)
    raw = zlib.decompress(b''.join(body for name, body in parts if name == b'IDAT'))
    before, pixels = bytearray(stride), []
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            a = row[i - step] if i >= step else 0
            c = before[i - step] if i >= step else 0
            row[i] = row[i] + (0, a, before[i], (a + before[i]) // 2, paeth(a, before[i], c))[kind] & 255
        before = row
        bits = int.from_bytes(row, 'big') >> (stride * 8 - width * samples * depth)
        values = [bits >> (width * samples - 1 - i) * depth & (1 << depth) - 1 for i in range(width * samples)]
        pixels.append([tuple(values[x * samples:(x + 1) * samples]) for x in range(width)])
    return width, height, pixels


# ---- JPEG ----

def segment(marker, body):
    return struct.pack('>BBH', 0xff, marker, len(body) + 2) + body


def exif(orientation, order='<'):
    mark = b'II*\0' if order == '<' else b'MM\0*'
    return segment(0xe1, b'Exif\0\0' + mark + struct.pack(order + 'IHHHIHHI', 8, 1, 0x0112, 3, 1, orientation, 0, 0))


ADOBE_CMYK = segment(0xee, b'Adobe\0\x64\0\0\0\0\0')
JFIF = segment(0xe0, b'JFIF\0\1\1\0\0\1\0\1\0\0')
# Coefficients of the mean alone: twelve categories of four bits each, and "nothing else" as one bit.
TABLES = (segment(0xdb, b'\0' + b'\1' * 64) + segment(0xc4, b'\x00' + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
          + segment(0xc4, b'\x10' + bytes([1] + [0] * 15) + b'\0'))


class Bits:
    def __init__(self):
        self.text = ''

    def put(self, value, n):
        self.text += format(value, f'0{n}b') if n else ''

    def bytes(self):
        text = self.text + '1' * (-len(self.text) % 8)
        return int('1' + text, 2).to_bytes(len(text) // 8 + 1, 'big')[1:].replace(b'\xff', b'\xff\0')


def mean_bits(blocks, components, bits):
    last = [0] * components
    for block in blocks:
        for i in range(components):
            value = 8 * (block[i] - 128)
            diff, last[i] = value - last[i], value
            n = abs(diff).bit_length()
            bits.put(n, 4)
            bits.put(diff if diff >= 0 else diff + (1 << n) - 1, n)
            bits.put(0, 1)


def frame(kind, width, height, components):
    return segment(kind, struct.pack('>BHHB', 8, height, width, components) + b''.join(bytes([i + 1, 0x11, 0]) for i in range(components)))


def jpeg(blocks, header=JFIF, size=None, end=b'\xff\xd9'):
    """blocks[y][x]: the samples of 8 × 8 pixels, as they are stored (YCbCr, grey or inks)."""
    components = len(blocks[0][0])
    width, height = size or (len(blocks[0]) * 8, len(blocks) * 8)
    bits = Bits()
    mean_bits([b for row in blocks for b in row], components, bits)
    scan = bytes([components]) + b''.join(bytes([i + 1, 0]) for i in range(components)) + b'\0\x3f\0'
    return b'\xff\xd8' + header + TABLES + frame(0xc0, width, height, components) + segment(0xda, scan) + bits.bytes() + end


def jpeg_of_scans(n, side):
    """A grey progressive picture whose data is spread over n scans; all of them may be decoded."""
    blocks = (side // 8) ** 2
    mean, nothing = Bits(), Bits()
    mean.text, nothing.text = '0000' * blocks, '0' * blocks
    out = [b'\xff\xd8', JFIF, TABLES, frame(0xc2, side, side, 1), segment(0xda, b'\1\1\0\0\0\0'), mean.bytes()]
    for i in range(n - 1):
        # Each frequency without its last bit first, then that bit.
        k, precision = i % 63 + 1, 0x01 if i < 63 else 0x10
        out += [segment(0xda, bytes([1, 1, 0, k, k, precision])), nothing.bytes()]
    return b''.join(out) + b'\xff\xd9'


def huffman(body):
    tables, at = {}, 0
    while at < len(body):
        name, counts = body[at], body[at + 1:at + 17]
        at += 17
        code, table = 0, {}
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                table[length, code] = body[at]
                at, code = at + 1, code + 1
            code <<= 1
        tables[name] = table
    return tables


def rgb(sample):
    if len(sample) == 1:
        return sample
    y, cb, cr = sample[0], sample[1] - 128, sample[2] - 128
    return tuple(max(0, min(255, round(v))) for v in (y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb))


def jpeg_segments(data):
    """(marker, body) of each segment; the last one is the scan's header with its data behind it."""
    assert data.startswith(b'\xff\xd8') and data.endswith(b'\xff\xd9')
    at = 2
    while True:
        marker, length = data[at + 1], struct.unpack_from('>H', data, at + 2)[0]
        assert data[at] == 0xff
        if marker == 0xda:
            yield marker, data[at + 4:-2]
            return
        yield marker, data[at + 4:at + 2 + length]
        at += 2 + length


def read_jpeg(data):
    tables, quant, components = {}, {}, []
    for marker, body in jpeg_segments(data):
        if marker == 0xdb:
            for i in range(0, len(body), 65):
                quant[body[i]] = body[i + 1]
        elif marker == 0xc4:
            tables.update(huffman(body))
        elif marker in (0xc0, 0xc1):
            _, height, width, n = struct.unpack_from('>BHHB', body)
            components = [body[6 + 3 * i:9 + 3 * i] for i in range(n)]
            assert all(c[1] == 0x11 for c in components)
    scan = body
    n = scan[0]
    chosen = [scan[2 + 2 * i] for i in range(n)]
    stream = ''.join(format(b, '08b') for b in scan[2 * n + 4:].replace(b'\xff\0', b'\xff'))
    at, last = 0, [0] * n

    def symbol(table):
        nonlocal at
        for length in range(1, 17):
            value = table.get((length, int(stream[at:at + length], 2)))
            if value is not None:
                at += length
                return value
        raise AssertionError('no such code')

    def block(i):
        nonlocal at
        size = symbol(tables[chosen[i] >> 4])
        bits = stream[at:at + size]
        at += size
        if size:
            last[i] += int(bits, 2) if bits[0] == '1' else int(bits, 2) - (1 << size) + 1
        k = 1
        while k < 64:
            s = symbol(tables[0x10 | chosen[i] & 15])
            if s == 0:
                break
            at += s & 15
            k += (s >> 4) + 1
        return max(0, min(255, round(last[i] * quant[components[i][2]] / 8 + 128)))

    rows = []
    for _ in range((height + 7) // 8):
        rows.append([rgb(tuple(block(i) for i in range(n))) for _ in range((width + 7) // 8)])
    return width, height, rows
