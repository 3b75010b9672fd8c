"""Python's own codecs, for comparison: requests and answers over standard streams, each after its size in four bytes.

A request is an operation ("d" or "w"), the length of the format's name in a byte, the name, and bytes. "d" describes the value
that the bytes are in that format, "w" writes the value that they describe. The description is JSON of nothing but lists and
hexadecimal texts, which needs no codec worth the name. An answer begins with 0, or with 1 before an error.
"""

import json
import math
import struct
import sys

import cbor2
import msgpack

LOADS = {
    "json": json.loads,
    "msgpack": lambda data: msgpack.unpackb(data, raw=False, strict_map_key=False),
    "cbor": cbor2.loads,
}

# Each format as Python may write it.
DUMPS = {
    "json": [
        lambda value: json.dumps(value, allow_nan=False).encode(),
        lambda value: json.dumps(value, ensure_ascii=False, indent=1).encode(),
        lambda value: json.dumps(value, separators=(",", ":")).encode(),
    ],
    "msgpack": [msgpack.packb],
    "cbor": [cbor2.dumps, lambda value: cbor2.dumps(value, canonical=True)],
}


def describe(value):
    if value is None:
        return ["n"]
    if isinstance(value, bool):
        return ["o", "1" if value else "0"]
    if isinstance(value, int):
        return ["i", str(value)]
    if isinstance(value, float):
        return ["f", "nan" if math.isnan(value) else struct.pack(">d", value).hex()]
    if isinstance(value, str):
        return ["t", value.encode().hex()]
    if isinstance(value, bytes):
        return ["b", value.hex()]
    if isinstance(value, msgpack.ExtType):
        return ["x", str(value.code), value.data.hex()]
    if isinstance(value, cbor2.CBORTag):
        return ["g", str(value.tag), describe(value.value)]
    if isinstance(value, (list, tuple)):
        return ["l"] + [describe(item) for item in value]
    pairs = sorted(([describe(key), describe(item)] for key, item in value.items()), key=json.dumps)
    return ["m"] + pairs


def make(description):
    kind, *parts = description
    if kind == "n":
        return None
    if kind == "o":
        return parts[0] == "1"
    if kind == "i":
        return int(parts[0])
    if kind == "f":
        return math.nan if parts[0] == "nan" else struct.unpack(">d", bytes.fromhex(parts[0]))[0]
    if kind == "t":
        return bytes.fromhex(parts[0]).decode()
    if kind == "b":
        return bytes.fromhex(parts[0])
    if kind == "x":
        return msgpack.ExtType(int(parts[0]), bytes.fromhex(parts[1]))
    if kind == "g":
        return cbor2.CBORTag(int(parts[0]), make(parts[1]))
    if kind == "l":
        return [make(item) for item in parts]
    return {make(key): make(item) for key, item in parts}


def answer(request):
    operation, length = request[:1], request[1]
    name, data = request[2 : 2 + length].decode(), request[2 + length :]
    if operation == b"d":
        return json.dumps(describe(LOADS[name](data))).encode()
    written = [dumps(make(json.loads(data))) for dumps in DUMPS[name]]
    return b"".join(struct.pack(">I", len(one)) + one for one in written)


def main():
    while header := sys.stdin.buffer.read(4):
        request = sys.stdin.buffer.read(struct.unpack(">I", header)[0])
        try:
            reply = b"\0" + answer(request)
        except Exception as error:
            reply = b"\1" + repr(error).encode()
        sys.stdout.buffer.write(struct.pack(">I", len(reply)) + reply)
        sys.stdout.buffer.flush()


main()
