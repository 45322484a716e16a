"""Frames of the echo protocol, made by hand: for a test that plays a hostile guest, a benchmark that plays the host."""

import struct

MAGIC = 0xEC7E5EE1
HELLO, CATALOGUE, ECHO, GREETING, ACK = 1, 2, 3, 64, 65


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for extra, size in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if number < 1 << 8 * struct.calcsize(size):
            return bytes([major << 5 | extra]) + struct.pack(size, number)
    raise ValueError(number)


def cbor(value):
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    return _head(4, len(value)) + b"".join(map(cbor, value))


def frame(kind, items):
    body = cbor(items)
    covered = bytes([kind]) + struct.pack(">I", len(body)) + body
    return struct.pack(">I", MAGIC) + covered[:5] + struct.pack(">I", crc32c(covered)) + body


def hello(nonce, epoch, first=1, upcoming=1):
    return frame(HELLO, [1, nonce, "0.1.0", epoch, first, upcoming, 0, 1000, 1000, "lab", {}])


def catalogue(names):
    return frame(CATALOGUE, [0, [[name, 0, {}] for name in names]])


def echo(number, values):
    return frame(ECHO, [number, 1000 * number, list(values)])


def head_at(body, place):
    """The number of the head at `place`, and the place behind it."""
    short = body[place] & 31
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    number = int.from_bytes(body[place + 1:place + 1 + size], "big") if size else short
    return number, place + 1 + size


def unsigned_items(body, count):
    """The first unsigned items of the array that a body is."""
    found, place = [], head_at(body, 0)[1]
    for _ in range(count):
        number, place = head_at(body, place)
        found.append(number)
    return found


def epoch_of(body):
    """The run of the agent that a Hello is from: the item behind protocol, nonce and the version's text."""
    place = head_at(body, 0)[1]
    for _ in range(2):
        _, place = head_at(body, place)
    length, place = head_at(body, place)
    return head_at(body, place + length)[0]


def columns_of(body):
    """How many columns are known once this Catalogue is taken: its first one's number, and its own."""
    first, place = head_at(body, head_at(body, 0)[1])
    return first + head_at(body, place)[0]


def nonce_of(data):
    """The nonce of the last whole greeting in these bytes, None if there is none; all else is stepped over."""
    nonce, place = None, data.find(struct.pack(">IB", MAGIC, GREETING))
    while place >= 0 and len(data) >= place + 13:
        length = struct.unpack(">I", data[place + 5:place + 9])[0]
        body = data[place + 13:place + 13 + length]
        if len(body) < length:
            break
        nonce = unsigned_items(body, 2)[1]
        place = data.find(struct.pack(">IB", MAGIC, GREETING), place + 13 + length)
    return nonce
