@icon("icons/wasgo_client.svg")
class_name WasgoClient
extends Node
## The engine's end of a connection to a Wasgo sidecar.
##
## Speaks version 1 of the Wasgo wire protocol over TCP: says hello, answers pings, acknowledges
## what was applied, and connects again by itself when the connection is lost. What to do with the
## frames that arrive is for others to say: a [WasgoWorld3D], or whoever listens to
## [signal frame_received].
## [br][br]
## Nothing here waits. A tick reads what has arrived, and hands on as many frames as fit in
## [member tick_budget_ms]; the rest stays for the next tick, and the sidecar slows down. Bytes from
## the sidecar are never trusted: what breaks the protocol ends the connection, and no more.
##
## [codeblock]
## var client := WasgoClient.new()
## client.port = 7777
## client.token = OS.get_environment("WASGO_TOKEN")
## client.connected.connect(func(server: String) -> void: print("beside ", server))
## add_child(client)
## [/codeblock]

## The sidecar has said welcome; [param server] is what it calls itself. Numbering, and the world,
## start anew.
signal connected(server: String)

## A connection that was open has ended, for [param reason]. Unless [method stop] ended it, another
## is tried soon.
signal disconnected(reason: String)

## The sidecar does not want this engine. After [code]"full"[/code] another attempt follows; other
## reasons would come again, so the client stops until [method start] is called.
signal refused(reason: String)

## The sidecar ends the connection on purpose. [signal disconnected] follows.
signal bye_received(reason: String)

## A frame that is not about the connection itself has arrived. Whatever is connected here applies
## it before it returns, or calls [method reject]; a numbered frame is then acknowledged.
signal frame_received(kind: String, frame: Dictionary)

## Where a connection is between being closed and being open.
enum State {
	CLOSED,  ## Not connected, and not trying to be.
	WAITING,  ## Pausing before the next attempt.
	CONNECTING,  ## Waiting for TCP.
	GREETING,  ## Said hello, waiting for welcome.
	OPEN,  ## Frames flow.
}

## The version of the wire protocol spoken here.
const PROTOCOL := 1
## How deep a frame's arrays and dictionaries may be nested.
const MAX_NESTING := 64
## The largest frame that may be sent, in bytes.
const MAX_SENT_FRAME := 16 * 1024 * 1024
## The most bytes that may wait to be sent. A sidecar that reads nothing is given up on.
const MAX_OUTBOX := 32 * 1024 * 1024
## How long TCP, and then the welcome, may each take, in milliseconds.
const OPENING_MS := 5000
## The first and the longest pause between attempts, in milliseconds.
const FIRST_PAUSE_MS := 250
const LAST_PAUSE_MS := 5000

const _Check := preload("check.gd")
# How much is taken from the socket beyond the frame that is being waited for, and how much is
# given to it at once.
const _READ_AHEAD := 64 * 1024
const _SEND_AT_ONCE := 256 * 1024
# Bytes that were dealt with are dropped from the front of a buffer when there are this many.
const _WORN := 1024 * 1024
const _MAX_REASON := 500

## Where the sidecar listens: an IP address or a host name.
@export var address := "127.0.0.1"
## The TCP port that the sidecar listens on.
@export_range(1, 65535) var port := 7777
## The secret that the sidecar asks for. It crosses the wire as it is.
@export var token := ""
## Connects as soon as the node is in the tree.
@export var auto_connect := true

@export_group("Limits")
## How many milliseconds of a tick may go into frames. One frame at least is dealt with in a tick,
## however long it takes.
@export_range(0.1, 100.0, 0.1, "suffix:ms") var tick_budget_ms := 6.0
## The largest frame that is accepted, in bytes.
@export_range(4096, 67108864) var max_frame_bytes := 64 * 1024 * 1024

## Who builds what arrives, if it has the methods for it.
var receiver: Object
## Where the connection is. Read only.
var state: State = State.CLOSED
## Why the last attempt or connection ended, for people. Read only.
var last_problem := ""
## Counts the connections that were opened. Read only.
var connection := 0
## Numbered frames since the connection opened. Read only.
var numbered_frames := 0
## The bytes of these, their length fields included. Read only.
var numbered_bytes := 0
## Frames answered with an error since the connection opened. Read only.
var rejected_frames := 0

var _socket: StreamPeerTCP
var _lookup := IP.RESOLVER_INVALID_ID
var _peer_gone := false
var _inbox := PackedByteArray()
var _inbox_start := 0
var _outbox := PackedByteArray()
var _outbox_start := 0
var _last_seq := 0
var _acked_seq := 0
var _heartbeat_ms := 0
var _heard_at := 0
var _opening_until := 0
var _retry_at := 0
var _attempts := 0
var _pause_ms := FIRST_PAUSE_MS


func _init() -> void:
	# A game that is paused would otherwise lose its sidecar to silence.
	process_mode = Node.PROCESS_MODE_ALWAYS


func _enter_tree() -> void:
	if auto_connect:
		start()


func _exit_tree() -> void:
	stop("the node left the tree")


func _process(_delta: float) -> void:
	match state:
		State.WAITING:
			if Time.get_ticks_msec() >= _retry_at:
				_dial()
		State.CONNECTING:
			_connect_further()
		State.GREETING, State.OPEN:
			_converse()


## Starts to connect, and to connect again whenever the connection is lost. Does nothing when that
## is so already.
func start() -> void:
	if state == State.CLOSED:
		_pause_ms = FIRST_PAUSE_MS
		_dial()


## Says bye for [param reason], closes the connection and makes no other. Does nothing when closed.
func stop(reason := "stopped") -> void:
	if state == State.CLOSED:
		return
	if state == State.OPEN:
		send_frame({"t": "bye", "reason": reason})
		_flush()
	_end(reason, false)


## Sends [param frame], whose keys are Strings and whose [code]"t"[/code] is its kind. It is queued,
## and goes out as the socket takes it. Returns [constant ERR_UNCONFIGURED] when the connection is
## not open, [constant ERR_INVALID_PARAMETER] when the frame has no kind or is over
## [constant MAX_SENT_FRAME], [constant ERR_OUT_OF_MEMORY] when over [constant MAX_OUTBOX] would wait.
func send_frame(frame: Dictionary) -> Error:
	if state != State.OPEN:
		return ERR_UNCONFIGURED
	return _send(frame)


## Answers the numbered [param frame] with an error: it could not be applied, and
## [param message] says why.
func reject(frame: Dictionary, message: String) -> void:
	rejected_frames += 1
	send_frame({"t": "error", "seq": frame.get("seq"), "message": message.left(_MAX_REASON)})


## Whether frames can be sent.
func is_open() -> bool:
	return state == State.OPEN


func _dial() -> void:
	_inbox.clear()
	_inbox_start = 0
	_outbox.clear()
	_outbox_start = 0
	_peer_gone = false
	_opening_until = Time.get_ticks_msec() + OPENING_MS
	state = State.CONNECTING
	if port < 1 or port > 65535:
		_end("%d is no TCP port" % port, true)
	elif address.is_valid_ip_address():
		_connect_to(address)
	else:
		# connect_to_host would wait for the name to be found.
		_lookup = IP.resolve_hostname_queue_item(address)
		if _lookup == IP.RESOLVER_INVALID_ID:
			_end("cannot look %s up: too many names are being looked up" % address, true)


func _connect_to(ip: String) -> void:
	_socket = StreamPeerTCP.new()
	var error := _socket.connect_to_host(ip, port)
	if error != OK:
		_end("cannot connect to %s:%d: %s" % [ip, port, error_string(error)], true)


func _look_up_further() -> void:
	match IP.get_resolve_item_status(_lookup):
		IP.RESOLVER_STATUS_DONE:
			# A name may stand for several addresses, and not all may have the sidecar.
			var found := IP.get_resolve_item_addresses(_lookup)
			_forget_lookup()
			_attempts += 1
			if found.is_empty():
				_end("there is no host %s" % address, true)
			else:
				_connect_to(found[_attempts % found.size()] as String)
		IP.RESOLVER_STATUS_WAITING:
			if Time.get_ticks_msec() > _opening_until:
				_end("looking %s up takes too long" % address, true)
		_:
			_end("there is no host %s" % address, true)


func _forget_lookup() -> void:
	if _lookup != IP.RESOLVER_INVALID_ID:
		IP.erase_resolve_item(_lookup)
		_lookup = IP.RESOLVER_INVALID_ID


func _connect_further() -> void:
	if _lookup != IP.RESOLVER_INVALID_ID:
		_look_up_further()
		return
	_socket.poll()
	match _socket.get_status():
		StreamPeerTCP.STATUS_CONNECTED:
			_socket.set_no_delay(true)
			state = State.GREETING
			_opening_until = Time.get_ticks_msec() + OPENING_MS
			var version: String = Engine.get_version_info().get("string", "")
			_send({"t": "hello", "protocol": PROTOCOL, "token": token.left(1024),
					"client": "wasgo add-on, Godot " + version})
			_flush()
		StreamPeerTCP.STATUS_CONNECTING:
			if Time.get_ticks_msec() > _opening_until:
				_end("no answer from %s:%d" % [address, port], true)
		_:
			_end("cannot connect to %s:%d" % [address, port], true)


# A tick of a connection: deal with frames until there are no more or the time is up, then answer.
# Silence, and the end of what the peer sent, show only once everything that arrived was read.
func _converse() -> void:
	var until := Time.get_ticks_usec() + int(tick_budget_ms * 1000.0)
	var is_drained := false
	_socket.poll()
	while state == State.GREETING or state == State.OPEN:
		if _deal_with_a_frame():
			if Time.get_ticks_usec() >= until:
				break
		elif not _receive():
			is_drained = true
			break
	# A frame may have ended the connection, and whoever got one may have called stop, or start.
	if state != State.OPEN and state != State.GREETING:
		return
	if _last_seq > _acked_seq:
		_acked_seq = _last_seq
		if _send({"t": "ack", "seq": _last_seq}) != OK:
			_end("the sidecar does not read its answers", true)
			return
	_flush()
	if is_drained:
		_watch_the_time()


func _watch_the_time() -> void:
	var now := Time.get_ticks_msec()
	if _peer_gone:
		_end("the sidecar closed the connection", true)
	elif state == State.GREETING:
		if now > _opening_until:
			_end("no welcome from %s:%d" % [address, port], true)
	elif state == State.OPEN and now - _heard_at > 3 * _heartbeat_ms:
		_end("heard nothing for %d ms" % (now - _heard_at), true)


# Takes what the socket has, up to the end of the frame that is waited for and a little more.
# Returns whether there was something.
func _receive() -> bool:
	if _peer_gone:
		return false
	if _inbox_start == _inbox.size():
		_inbox.clear()
		_inbox_start = 0
	elif _inbox_start > _WORN:
		_inbox = _inbox.slice(_inbox_start)
		_inbox_start = 0
	var got := _inbox.size() - _inbox_start
	var wanted := _READ_AHEAD
	if got >= 4:
		wanted = maxi(4 + _length_field() - got, 0) + _READ_AHEAD
	if _socket.get_status() != StreamPeerTCP.STATUS_CONNECTED:
		_peer_gone = true
		return false
	var available := _socket.get_available_bytes()
	if available <= 0:
		return false
	var result := _socket.get_partial_data(mini(available, wanted))
	if result.size() != 2 or result[0] != OK:
		_peer_gone = true
		return false
	var bytes: PackedByteArray = result[1]
	if bytes.is_empty():
		return false
	_inbox.append_array(bytes)
	_heard_at = Time.get_ticks_msec()
	return true


# The length field at the front of the inbox, which has four bytes at least.
func _length_field() -> int:
	return (_inbox[_inbox_start] << 24) | (_inbox[_inbox_start + 1] << 16) \
			| (_inbox[_inbox_start + 2] << 8) | _inbox[_inbox_start + 3]


# Handles the frame at the front of the inbox, if all of it is there. Returns false when more bytes
# are needed first.
func _deal_with_a_frame() -> bool:
	var got := _inbox.size() - _inbox_start
	if got < 4:
		return false
	var length := _length_field()
	if length > max_frame_bytes:
		_end("a frame of %d bytes, more than the limit of %d" % [length, max_frame_bytes], true)
		return true
	if got < 4 + length:
		return false
	var bytes := _inbox.slice(_inbox_start + 4, _inbox_start + 4 + length)
	_inbox_start += 4 + length
	# Objects stay off: bytes_to_var makes no instance of anything.
	var value: Variant = bytes_to_var(bytes) if length >= 4 else null
	if typeof(value) != TYPE_DICTIONARY:
		_end("bytes that are no frame", true)
		return true
	if not _Check.nested_at_most(value, MAX_NESTING):
		_end("a frame nested deeper than %d" % MAX_NESTING, true)
		return true
	var frame: Dictionary = value
	if frame.is_typed() or typeof(frame.get("t")) != TYPE_STRING:
		_end("a frame without a kind", true)
		return true
	var kind: String = frame["t"]
	if state == State.GREETING:
		_greet(kind, frame)
	else:
		_handle(kind, frame, length + 4)
	return true


func _greet(kind: String, frame: Dictionary) -> void:
	match kind:
		"welcome":
			var wrong := _Check.number(frame, "protocol", PROTOCOL, PROTOCOL)
			if wrong == "":
				wrong = _Check.text(frame, "server")
			if wrong == "":
				wrong = _Check.field(frame, "heartbeat_ms", TYPE_INT)
			if wrong == "":
				wrong = _Check.number(frame, "heartbeat_ms", 10, 3_600_000)
			if wrong != "":
				_end("a malformed welcome: " + wrong, true)
				return
			_heartbeat_ms = frame["heartbeat_ms"]
			_open(frame["server"] as String)
		"refuse":
			var reason := _reason_of(frame)
			_end("refused: " + reason, reason == "full")
			refused.emit(reason)
		_:
			_end("a frame before the welcome", true)


func _open(server: String) -> void:
	state = State.OPEN
	connection += 1
	_last_seq = 0
	_acked_seq = 0
	numbered_frames = 0
	numbered_bytes = 0
	rejected_frames = 0
	_pause_ms = FIRST_PAUSE_MS
	last_problem = ""
	if is_instance_valid(receiver):
		receiver.call("wasgo_opened", "", false)
	connected.emit(server)


func _handle(kind: String, frame: Dictionary, size: int) -> void:
	match kind:
		"ping":
			if _Check.field(frame, "time", TYPE_INT) == "":
				_send({"t": "pong", "time": frame["time"]})
			return
		"pong", "welcome", "refuse":
			return
		"bye":
			var reason := _reason_of(frame)
			bye_received.emit(reason)
			if state == State.OPEN:
				_end("bye: " + reason, true)
			return
	if not frame.has("seq"):
		frame_received.emit(kind, frame)
		return
	if typeof(frame["seq"]) != TYPE_INT or frame["seq"] != _last_seq + 1:
		_end("frame number %s where %d was due" % [str(frame["seq"]).left(32), _last_seq + 1], true)
		return
	numbered_frames += 1
	numbered_bytes += size
	var this := connection
	frame_received.emit(kind, frame)
	if state == State.OPEN and this == connection:
		_last_seq += 1


func _reason_of(frame: Dictionary) -> String:
	var reason: Variant = frame.get("reason")
	return (reason as String).left(_MAX_REASON) if typeof(reason) == TYPE_STRING else "no reason given"


func _send(frame: Dictionary) -> Error:
	if typeof(frame.get("t")) != TYPE_STRING:
		return ERR_INVALID_PARAMETER
	var bytes := var_to_bytes(frame)
	var length := bytes.size()
	if length > MAX_SENT_FRAME:
		return ERR_INVALID_PARAMETER
	if _outbox.size() - _outbox_start + length + 4 > MAX_OUTBOX:
		return ERR_OUT_OF_MEMORY
	_outbox.append((length >> 24) & 255)
	_outbox.append((length >> 16) & 255)
	_outbox.append((length >> 8) & 255)
	_outbox.append(length & 255)
	_outbox.append_array(bytes)
	return OK


# Gives the socket what it takes now.
func _flush() -> void:
	while not _peer_gone and _outbox_start < _outbox.size():
		if _socket.get_status() != StreamPeerTCP.STATUS_CONNECTED:
			_peer_gone = true
			break
		var piece := _outbox.slice(_outbox_start, _outbox_start + _SEND_AT_ONCE)
		var result := _socket.put_partial_data(piece)
		if result.size() != 2 or result[0] != OK:
			_peer_gone = true
			break
		var sent: int = result[1]
		_outbox_start += sent
		if sent < piece.size():
			break
	if _outbox_start == _outbox.size():
		_outbox.clear()
		_outbox_start = 0
	elif _outbox_start > _WORN:
		_outbox = _outbox.slice(_outbox_start)
		_outbox_start = 0


# Ends the connection or the attempt, and plans another when there is to be one.
func _end(reason: String, again: bool) -> void:
	var was_open := state == State.OPEN
	last_problem = reason
	_forget_lookup()
	if _socket != null:
		_socket.disconnect_from_host()
		_socket = null
	_inbox.clear()
	_inbox_start = 0
	_outbox.clear()
	_outbox_start = 0
	if again:
		state = State.WAITING
		_retry_at = Time.get_ticks_msec() + _pause_ms
		_pause_ms = mini(_pause_ms * 2, LAST_PAUSE_MS)
	else:
		state = State.CLOSED
	if was_open:
		disconnected.emit(reason)
