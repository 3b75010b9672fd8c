@tool
extends "transport.gd"
## Frames over bytes: a big-endian length of 32 bits, and as many bytes.
##
## Who extends this gives it a stream that does not block, by [method _begin] and [method _go_on], or bytes of another origin by [method _receive] and
## [method flush].

# How much is taken at once as long as no large frame is being waited for, and how much is given at once. What is encrypted goes by the size of a
# TLS record: a piece that was not taken as a whole has to be offered again as it was.
const _READ_AHEAD := 64 * 1024
const _SEND_AT_ONCE := 256 * 1024
const _TLS_RECORD := 16 * 1024
# Bytes that were dealt with are dropped from the front of a buffer when there are this many.
const _WORN := 1024 * 1024

var _stream: StreamPeer
var _is_encrypted := false
var _deadline := 0
var _has_received := false
var _inbox := PackedByteArray()
var _inbox_start := 0
var _body := PackedByteArray()
var _body_left := 0
var _outbox := PackedByteArray()
var _outbox_start := 0
var _piece := PackedByteArray()


func open() -> void:
	heard_at = Time.get_ticks_msec()
	_begin()


func poll(deadline: int) -> void:
	_deadline = deadline
	_has_received = false
	is_drained = false
	if status != Status.GONE:
		_go_on()


func next_frame(limit: int) -> Variant:
	while not is_broken:
		if _body_left > 0:
			if not _receive_body():
				return null
			if _body_left == 0:
				var whole := _body
				_body = PackedByteArray()
				return whole
			continue
		var got := _inbox.size() - _inbox_start
		if got >= 4:
			var length := (_inbox[_inbox_start] << 24) | (_inbox[_inbox_start + 1] << 16) \
					| (_inbox[_inbox_start + 2] << 8) | _inbox[_inbox_start + 3]
			if length > limit:
				break_off("a frame of %d bytes, more than the limit of %d" % [length, limit])
				return null
			if got >= 4 + length:
				var frame := _inbox.slice(_inbox_start + 4, _inbox_start + 4 + length)
				_inbox_start += 4 + length
				return frame
			if 4 + length - got > _READ_AHEAD:
				# What is large is gathered by itself, so that it need not be copied out of the inbox.
				_body = _inbox.slice(_inbox_start + 4)
				_body_left = 4 + length - got
				_inbox.clear()
				_inbox_start = 0
				continue
		if not _receive_ahead():
			return null
	return null


func put_frame(frame: PackedByteArray) -> Error:
	var length := frame.size()
	if waiting() + length + 4 > MAX_WAITING:
		return ERR_OUT_OF_MEMORY
	_outbox.append((length >> 24) & 255)
	_outbox.append((length >> 16) & 255)
	_outbox.append((length >> 8) & 255)
	_outbox.append(length & 255)
	_outbox.append_array(frame)
	return OK


func flush() -> void:
	while status == Status.OPEN and _outbox_start < _outbox.size():
		if _piece.is_empty():
			var size := _TLS_RECORD if _is_encrypted else _SEND_AT_ONCE
			_piece = _outbox.slice(_outbox_start, _outbox_start + size)
		var result := _stream.put_partial_data(_piece)
		if result.size() != 2 or result[0] != OK:
			lose("the sidecar closed the connection")
			break
		var sent: int = result[1]
		_outbox_start += sent
		bytes_out += sent
		var is_all := sent == _piece.size()
		# A piece of TLS stays what it is until it has been taken.
		if is_all or not _is_encrypted:
			_piece = PackedByteArray()
		elif sent > 0:
			_piece = _piece.slice(sent)
		if not is_all:
			break
	_wear_outbox()


func waiting() -> int:
	return _outbox.size() - _outbox_start


func close() -> void:
	status = Status.GONE
	_stream = null


# Makes the stream, or loses the connection.
func _begin() -> void:
	pass


# Polls the stream, and moves the status on.
func _go_on() -> void:
	pass


# Drops what has been sent.
func _wear_outbox() -> void:
	if _outbox_start == _outbox.size():
		_outbox.clear()
		_outbox_start = 0
	elif _outbox_start > _WORN:
		_outbox = _outbox.slice(_outbox_start)
		_outbox_start = 0


func _receive_ahead() -> bool:
	if _inbox_start == _inbox.size():
		_inbox.clear()
		_inbox_start = 0
	elif _inbox_start > _WORN:
		_inbox = _inbox.slice(_inbox_start)
		_inbox_start = 0
	var bytes := _receive(_READ_AHEAD)
	_inbox.append_array(bytes)
	return not bytes.is_empty()


func _receive_body() -> bool:
	var bytes := _receive(_body_left)
	_body_left -= bytes.size()
	if _body.is_empty():
		_body = bytes
	else:
		_body.append_array(bytes)
	return not bytes.is_empty()


# Takes what the stream has, up to the wanted number of bytes; empty when there is nothing, or no more time.
func _receive(wanted: int) -> PackedByteArray:
	if status != Status.OPEN:
		is_drained = true
		return PackedByteArray()
	if _has_received and Time.get_ticks_usec() >= _deadline:
		return PackedByteArray()
	var size := mini(wanted, _TLS_RECORD)
	if not _is_encrypted:
		# Of what is encrypted nothing is known before it is asked for.
		size = mini(wanted, _stream.get_available_bytes())
	if size <= 0:
		is_drained = true
		return PackedByteArray()
	var result := _stream.get_partial_data(size)
	if result.size() != 2 or result[0] != OK:
		lose("the sidecar closed the connection")
		is_drained = true
		return PackedByteArray()
	var bytes: PackedByteArray = result[1]
	if bytes.is_empty():
		is_drained = true
		return bytes
	_has_received = true
	bytes_in += bytes.size()
	heard_at = Time.get_ticks_msec()
	return bytes
