extends SceneTree
## The engine's half of a test that is driven over a socket: takes Variants as bytes, and gives back what
## bytes_to_var and var_to_bytes make of them. Takes --port= after -- on the command line; ends when the
## other side closes, with status 0.
##
## There: a 32-bit big-endian length and the bytes. Back: a length, the type's number in a byte, the bytes.
## An object comes as an EncodedObjectAsID, which has an id of its own to be written; the one that it holds
## goes back, as an int.

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


# The values are small: their rest is waited for.
func _answer() -> void:
	var length := _socket.get_u32()
	var result := _socket.get_data(length)
	var value: Variant = bytes_to_var(result[1] as PackedByteArray)
	var is_id := typeof(value) == TYPE_OBJECT and value is EncodedObjectAsID
	var bytes := var_to_bytes((value as EncodedObjectAsID).object_id if is_id else value)
	_socket.put_u32(bytes.size() + 1)
	_socket.put_u8(typeof(value))
	_socket.put_data(bytes)
