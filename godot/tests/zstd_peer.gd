extends "socket_peer.gd"
## The engine's half of a test that is driven over a socket: compresses and decompresses with the engine's own zstd.
##
## There: a 32-bit big-endian length, then a byte (0 to compress, 1 to decompress), a 32-bit size of the result (to decompress only) and
## the bytes. Back: a length and the bytes that came of it, none where the engine refuses.

# The rest is waited for.
func _answer() -> void:
	var length := _socket.get_u32()
	var is_frame := _socket.get_u8() == 1
	var size := _socket.get_u32()
	var read := _socket.get_data(length - 5)
	var bytes: PackedByteArray = read[1]
	var result := (
		bytes.decompress(size, FileAccess.COMPRESSION_ZSTD) if is_frame else bytes.compress(FileAccess.COMPRESSION_ZSTD)
	)
	_socket.put_u32(result.size())
	_socket.put_data(result)
