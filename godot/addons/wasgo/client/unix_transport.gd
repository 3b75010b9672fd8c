@tool
extends "stream_transport.gd"
## Frames over a Unix domain socket, where the engine has these (4.6 and later, not on Windows).

const _CLASS := &"StreamPeerUDS"
# What fits into an address of such a socket.
const _MAX_PATH := 107

var _path: String


func _init(path: String) -> void:
	_path = path


func close() -> void:
	if _stream != null:
		_stream.call(&"disconnect_from_host")
	super()


func _begin() -> void:
	if _path.to_utf8_buffer().size() > _MAX_PATH:
		lose("%s is longer than the %d bytes that the path of a socket may have" % [_path.left(128), _MAX_PATH])
		return
	# The class is newer than the oldest engine that this runs in.
	if not ClassDB.can_instantiate(_CLASS):
		lose("this engine has no Unix domain sockets (Godot 4.6 and later have)")
		return
	_stream = ClassDB.instantiate(_CLASS) as StreamPeer
	var error: Variant = _stream.call(&"connect_to_host", _path)
	if typeof(error) != TYPE_INT or error != OK:
		lose("cannot connect to the socket %s" % _path)


func _go_on() -> void:
	_stream.call(&"poll")
	match _stream.call(&"get_status"):
		StreamPeerTCP.STATUS_CONNECTED:
			status = Status.OPEN
		StreamPeerTCP.STATUS_CONNECTING:
			pass
		_:
			lose("cannot connect to the socket %s" % _path if status == Status.CONNECTING
					else "the sidecar closed the connection")
