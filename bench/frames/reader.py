"""An engine's end of the wire that does nothing but read: proves that it knows the token, grants credit without bound, counts frames and
acknowledges what it has read, once for each read. bench/frames.exs starts it: reader.py PORT COUNTER TOKEN, or reader.py PORT COUNTER for a socket that it
only empties. COUNTER is what reader.c was compiled to, which then does the reading; or empty.

It counts every frame of a lane, which is well as long as nothing without a number comes: the benchmark's server does not ping.
"""

import hashlib
import hmac
import os
import socket
import struct
import sys


def text(value):
    raw = value.encode()
    return struct.pack("<II", 4, len(raw)) + raw + b"\0" * (-len(raw) % 4)


def integer(value):
    if value < 1 << 31:
        return struct.pack("<Ii", 2, value)
    return struct.pack("<Iq", 0x10002, value)


def packed(value):
    return struct.pack("<II", 29, len(value)) + value + b"\0" * (-len(value) % 4)


def texts():
    return struct.pack("<II", 34, 0)


def frame(**fields):
    body = struct.pack("<II", 27, len(fields))
    return body + b"".join(text(key) + value for key, value in fields.items())


def read_exactly(peer, size):
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            sys.exit(1)
        data += more
    return data


def send(peer, body):
    peer.sendall(struct.pack(">I", len(body)) + body)


def read_frame(peer):
    return read_exactly(peer, struct.unpack(">I", read_exactly(peer, 4))[0])


def greet(peer, token):
    hello = frame(
        t=text("hello"), protocol=integer(2), protocol_min=integer(2), client=text("reader"), nonce=packed(os.urandom(32)),
        world=text(""), zone=text(""), accepts=texts(),
    )
    send(peer, hello)
    challenge = read_frame(peer)
    both = hashlib.sha256(hello).digest() + hashlib.sha256(challenge).digest()
    send(peer, frame(t=text("proof"), proof=packed(hmac.digest(token, b"wasgo 2 engine" + both, "sha256"))))
    welcome = read_frame(peer)
    if hmac.digest(token, b"wasgo 2 sidecar" + both, "sha256") not in welcome:
        sys.exit(2)
    send(peer, frame(t=text("credit"), bytes=integer(1 << 60), work=integer(1 << 60)))


def count(peer):
    # By the first key: "seq" for the live lane, "bulk" for the other.
    room = bytearray(1 << 20)
    view = memoryview(room)
    kept = 0
    skip = 0
    live = bulk = 0
    is_live = True
    length_of = struct.Struct(">I").unpack_from
    while True:
        got = peer.recv_into(view[kept:])
        if got == 0:
            return
        end = kept + got
        at = 0
        while True:
            if skip > 0:
                step = min(skip, end - at)
                skip -= step
                at += step
            if skip > 0 or end - at < 21:
                break
            # Length, header and count, then the key: its type, its length, its characters.
            is_live = room[at + 20] == 115
            if is_live:
                live += 1
            else:
                bulk += 1
            skip = length_of(room, at)[0] + 4
        kept = end - at
        room[:kept] = room[at:end]
        # What has begun is acknowledged when it is complete.
        begun = 1 if skip > 0 else 0
        done = (live - begun, bulk) if is_live else (live, bulk - begun)
        send(peer, frame(t=text("ack"), seq=integer(done[0]), bulk=integer(done[1]), work=integer(0)))


def main():
    peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    counter = sys.argv[2]
    if len(sys.argv) > 3:
        greet(peer, sys.argv[3].encode())
    if counter:
        peer.set_inheritable(True)
        os.execv(counter, [counter, str(peer.fileno()), "count" if len(sys.argv) > 3 else "empty"])
    elif len(sys.argv) > 3:
        count(peer)
    else:
        room = bytearray(1 << 20)
        while peer.recv_into(room):
            pass


try:
    main()
except (ConnectionError, BrokenPipeError):
    pass
