"""The engine's end of a connection for bench/frames.exs: proves that it knows the token, then reads as fast as it can and acknowledges."""
import hashlib, hmac, socket, struct, sys

port, token, size, count = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])

def string(text):
    data = text.encode()
    return struct.pack("<II", 4, len(data)) + data + b"\0" * (-len(data) % 4)

def integer(value):
    return struct.pack("<Iq", 0x10002, value)

def packed(data):
    return struct.pack("<II", 29, len(data)) + data + b"\0" * (-len(data) % 4)

def dictionary(pairs):
    return struct.pack("<II", 27, len(pairs)) + b"".join(string(key) + value for key, value in pairs)

def send(frame):
    peer.sendall(struct.pack(">I", len(frame)) + frame)

def receive():
    length = struct.unpack(">I", exactly(4))[0]
    return exactly(length)

def exactly(length):
    data = b""
    while len(data) < length:
        piece = peer.recv(length - len(data))
        if not piece:
            sys.exit("the connection was closed")
        data += piece
    return data

peer = socket.create_connection(("127.0.0.1", port))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
hello = dictionary([
    ("t", string("hello")), ("protocol", integer(2)), ("protocol_min", integer(2)), ("client", string("bench")),
    ("nonce", packed(b"n" * 32)), ("world", string("")), ("zone", string("")), ("accepts", struct.pack("<II", 34, 0))])
send(hello)
challenge = receive()
proof = hmac.new(token, b"wasgo 2 engine" + hashlib.sha256(hello).digest() + hashlib.sha256(challenge).digest(), "sha256").digest()
send(dictionary([("t", string("proof")), ("proof", packed(proof))]))
receive()
send(dictionary([("t", string("credit")), ("bytes", integer(1 << 50)), ("work", integer(1 << 50))]))
buffer = bytearray(4 << 20)
got = acked = 0
while acked < count:
    read = peer.recv_into(buffer)
    if not read:
        sys.exit("the connection was closed")
    got += read
    whole = got // size
    if whole > acked:
        acked = whole
        send(dictionary([("t", string("ack")), ("seq", integer(acked)), ("bulk", integer(0)), ("work", integer(0))]))
