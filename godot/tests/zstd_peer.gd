extends SceneTree
## The engine's half of a test that is driven over a socket: compresses and decompresses with the engine's own zstd. Takes --port= after --
## on the command line; ends when the other side closes, with status 0.
##
## There: a 32-bit big-endian length, then a byte (0 to compress, 1 to decompress), a 32-bit size of the result (to decompress only) and
## the bytes. Back: a length and the bytes that came of it, none where the engine refuses.

const PATIENCE_MS := 50_000

var _socket := StreamPeerTCP.new()
var _is_connected := false


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	_socket.big_endian = true
	for argument: String in OS.get_cmdline_user_args():
		if argument.begins_with("--port="):
			_socket.connect_to_host("127.0.0.1", argument.trim_prefix("--port=").to_int())


func _process(_delta: float) -> bool:
	_socket.poll()
	match _socket.get_status():
		StreamPeerTCP.STATUS_CONNECTED:
			_is_connected = true
			_socket.set_no_delay(true)
			while _socket.get_available_bytes() >= 4:
				_answer()
		StreamPeerTCP.STATUS_CONNECTING:
			pass
		_:
			quit(0 if _is_connected else 1)
	if Time.get_ticks_msec() > PATIENCE_MS:
		quit(1)
	return false


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
