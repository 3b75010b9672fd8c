extends SceneTree
## The engine's half of a test that is driven over a socket. Takes --port= after -- on the command line; ends when the other side closes, with
## status 0. Whoever extends it answers.

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


# Something has come, four bytes at least.
func _answer() -> void:
	pass
