@tool
extends "stream_transport.gd"
## Frames over a WebSocket, and over TLS below it: the bytes of its binary messages, one behind another.

# The largest message either way.
const _MAX_MESSAGE := 32 * 1024
# What may come at once, and wait to be sent: the socket takes no more from the system until that was taken from it. More than one
# message, so that one always comes to its end.
const _BUFFER := 256 * 1024
const _MAX_REASON := 200

var _url: String
var _tls_options: TLSOptions
var _socket := WebSocketPeer.new()
# A message that has been taken from the socket, and how much of it was taken from here.
var _message := PackedByteArray()
var _message_start := 0


## With [param tls_options] [param url] is one of [code]wss[/code].
func _init(url: String, tls_options: TLSOptions = null) -> void:
	_url = url
	_tls_options = tls_options


func flush() -> void:
	while status == Status.OPEN and _outbox_start < _outbox.size():
		var piece := _outbox.slice(_outbox_start, mini(_outbox_start + _MAX_MESSAGE, _outbox.size()))
		if _socket.get_current_outbound_buffered_amount() + piece.size() > _BUFFER:
			break
		if _socket.put_packet(piece) != OK:
			_lose_closed()
			break
		_outbox_start += piece.size()
		bytes_out += piece.size()
	_wear_outbox()


func waiting() -> int:
	return super() + _socket.get_current_outbound_buffered_amount()


func close() -> void:
	# Sends what the system takes at once; a socket that is let go of is closed.
	_socket.close()
	_socket = WebSocketPeer.new()
	super()


func _begin() -> void:
	_socket.inbound_buffer_size = _BUFFER
	_socket.outbound_buffer_size = _BUFFER
	var error := _socket.connect_to_url(_url, _tls_options)
	if error != OK:
		lose("cannot connect to %s: %s" % [_url, error_string(error)])


# A socket whose close frame has come gives out no more of what came before it, so the sidecar waits with that for the client's.
func _go_on() -> void:
	_socket.poll()
	match _socket.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			if status == Status.CONNECTING:
				_socket.set_no_delay(true)
				status = Status.OPEN
		WebSocketPeer.STATE_CONNECTING:
			pass
		_:
			_lose_closed()


func _lose_closed() -> void:
	if status == Status.CONNECTING:
		lose("no WebSocket at %s: nobody listens there, a certificate is not trusted, or the web server refuses" % _url)
		return
	var code := _socket.get_close_code()
	var reason := _socket.get_close_reason().left(_MAX_REASON)
	lose("the sidecar closed the connection" + (" (%d)" % code if code > 0 else "") + (": " + reason if reason != "" else ""))


func _receive(wanted: int) -> PackedByteArray:
	if _message_start == _message.size() and not _take_message():
		return PackedByteArray()
	if _message_start == 0 and _message.size() <= wanted:
		var whole := _message
		_message = PackedByteArray()
		return whole
	var piece := _message.slice(_message_start, mini(_message_start + wanted, _message.size()))
	_message_start += piece.size()
	return piece


# Takes the next message from the socket, if there is one and time for it.
func _take_message() -> bool:
	_message = PackedByteArray()
	_message_start = 0
	if status == Status.OPEN:
		if _has_received and Time.get_ticks_usec() >= _deadline:
			return false
		if _socket.get_available_packet_count() == 0:
			# What had no room before.
			_go_on()
	if status != Status.OPEN or _socket.get_available_packet_count() == 0:
		is_drained = true
		return false
	_message = _socket.get_packet()
	if _socket.was_string_packet():
		_message = PackedByteArray()
		break_off("a text message where bytes are due")
		return false
	_has_received = true
	bytes_in += _message.size()
	heard_at = Time.get_ticks_msec()
	return not _message.is_empty()
