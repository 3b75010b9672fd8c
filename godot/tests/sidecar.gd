extends RefCounted
## A sidecar for the tests: it listens on the loopback, and says what the test tells it to.

var server := TCPServer.new()
var socket: StreamPeerTCP


func _init() -> void:
	server.listen(0, "127.0.0.1")


func port() -> int:
	return server.get_local_port()


## Takes the connection that waits, in place of the one before. Returns whether there was one.
func accept() -> bool:
	if not server.is_connection_available():
		return false
	socket = server.take_connection()
	socket.big_endian = true
	return true


func send(frame: Dictionary) -> void:
	send_raw(packed(frame))


func send_raw(bytes: PackedByteArray) -> void:
	socket.put_data(bytes)


## The next frame that has arrived as a whole; empty when there is none.
func receive() -> Dictionary:
	socket.poll()
	if socket.get_status() != StreamPeerTCP.STATUS_CONNECTED or socket.get_available_bytes() < 4:
		return {}
	# The engine's frames in these tests are small, and written at once.
	var length := socket.get_u32()
	var data := socket.get_data(length)
	var value: Variant = bytes_to_var(data[1] as PackedByteArray)
	return value if typeof(value) == TYPE_DICTIONARY else {"t": "(no frame)"}


func is_closed() -> bool:
	socket.poll()
	return socket.get_status() != StreamPeerTCP.STATUS_CONNECTED


## The bytes of [param frame], with its length in front.
static func packed(frame: Dictionary) -> PackedByteArray:
	var bytes := var_to_bytes(frame)
	return length_field(bytes.size()) + bytes


static func length_field(length: int) -> PackedByteArray:
	return PackedByteArray([(length >> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255])
