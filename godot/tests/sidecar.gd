extends RefCounted
## A sidecar for the tests: it listens, greets as the protocol wants or as the test tells it to, and says what the
## test tells it to. Nothing here waits: what the socket does not take stays until [method pump].

const TOKEN := "secret"

var server := TCPServer.new()
## Where it listens, as a client is told it.
var url := ""
## What it calls the world that a client asks for.
var identity := "world 1"
var heartbeat_ms := 60_000
## The frames of the greeting as they went over the wire.
var hello_bytes := PackedByteArray()
var challenge_bytes := PackedByteArray()
var hello := {}
## Bytes of bulk frames that were sent, and the last credit and acknowledgement that came.
var bulk_sent := 0
var credit := {"bytes": 0, "work": 0}
var acked := {"seq": 0, "bulk": 0, "work": 0}

## What carries the frames when it [method serve_web].
var web: WebSocketPeer

var _is_web := false
var _uds: Object
var _key: CryptoKey
var _certificate: X509Certificate
var _plain: StreamPeer
var _tls: StreamPeerTLS
var _inbox := PackedByteArray()
var _outbox := PackedByteArray()
var _outbox_start := 0
var _piece := PackedByteArray()


func _init(socket_path := "") -> void:
	if socket_path == "":
		server.listen(0, "127.0.0.1")
		url = "tcp://127.0.0.1:%d" % port()
	else:
		_uds = ClassDB.instantiate(&"UDSServer")
		_uds.call(&"listen", socket_path)
		url = "unix://" + socket_path


## Speaks TLS, with a certificate for [param name] that it makes for itself; a client has to trust it.
func encrypt(name := "localhost") -> X509Certificate:
	var crypto := Crypto.new()
	_key = crypto.generate_rsa(2048)
	_certificate = crypto.generate_self_signed_certificate(_key, "CN=%s,O=Wasgo,C=AQ" % name)
	url = "tls://127.0.0.1:%d" % port()
	return _certificate


## Speaks WebSocket, as a web server does that has a sidecar behind it.
func serve_web() -> void:
	_is_web = true
	url = "ws://127.0.0.1:%d/godot/websocket" % port()


func port() -> int:
	return server.get_local_port()


func stop_listening() -> void:
	server.stop()


## Takes the connection that waits, in place of the one before. Returns whether there was one.
func accept() -> bool:
	var found: StreamPeer = null
	if _uds != null:
		if _uds.call(&"is_connection_available"):
			found = _uds.call(&"take_connection")
	elif server.is_connection_available():
		found = server.take_connection()
	if found == null:
		return false
	_plain = found
	_tls = null
	_inbox = PackedByteArray()
	_outbox = PackedByteArray()
	_outbox_start = 0
	_piece = PackedByteArray()
	hello = {}
	challenge_bytes = PackedByteArray()
	bulk_sent = 0
	credit = {"bytes": 0, "work": 0}
	acked = {"seq": 0, "bulk": 0, "work": 0}
	if _is_web:
		web = WebSocketPeer.new()
		# It takes the bytes from here on.
		web.outbound_buffer_size = 1024 * 1024
		web.accept_stream(_plain)
	if _key != null:
		_tls = StreamPeerTLS.new()
		_tls.accept_stream(_plain, TLSOptions.server(_key, _certificate))
	return true


func send(frame: Dictionary) -> void:
	if frame.has("bulk"):
		bulk_sent += packed(frame).size()
	send_raw(packed(frame))


func send_raw(bytes: PackedByteArray) -> void:
	_outbox.append_array(bytes)
	pump()


## How many bytes the socket has not taken yet.
func unsent() -> int:
	return _outbox.size() - _outbox_start


## Gives the socket what it takes, and takes what it has.
func pump() -> void:
	if _plain == null:
		return
	if web != null:
		_pump_web()
		return
	_plain.call(&"poll")
	if _tls != null:
		_tls.poll()
		if _tls.get_status() != StreamPeerTLS.STATUS_CONNECTED:
			return
	elif is_closed():
		return
	var stream: StreamPeer = _tls if _tls != null else _plain
	while unsent() > 0:
		if _piece.is_empty():
			_piece = _outbox.slice(_outbox_start, _outbox_start + 16_384)
		var result := stream.put_partial_data(_piece)
		if result[0] != OK or result[1] == 0:
			break
		_outbox_start += result[1] as int
		_piece = PackedByteArray()
	if unsent() == 0:
		_outbox = PackedByteArray()
		_outbox_start = 0
	while true:
		var available := 16_384 if _tls != null else stream.get_available_bytes()
		if available <= 0:
			break
		var result := stream.get_partial_data(available)
		if result[0] != OK or (result[1] as PackedByteArray).is_empty():
			break
		_inbox.append_array(result[1] as PackedByteArray)


func _pump_web() -> void:
	web.poll()
	while web.get_ready_state() == WebSocketPeer.STATE_OPEN and web.get_available_packet_count() > 0:
		_inbox.append_array(web.get_packet())
	while web.get_ready_state() == WebSocketPeer.STATE_OPEN and unsent() > 0 and web.get_current_outbound_buffered_amount() < 500_000:
		web.put_packet(_outbox.slice(_outbox_start, mini(_outbox_start + 32_768, _outbox.size())))
		_outbox_start = mini(_outbox_start + 32_768, _outbox.size())
	if unsent() == 0:
		_outbox = PackedByteArray()
		_outbox_start = 0


## The bytes of the next frame that has arrived as a whole; empty when there is none.
func receive_bytes() -> PackedByteArray:
	pump()
	if _inbox.size() < 4:
		return PackedByteArray()
	var length := (_inbox[0] << 24) | (_inbox[1] << 16) | (_inbox[2] << 8) | _inbox[3]
	if _inbox.size() < 4 + length:
		return PackedByteArray()
	var bytes := _inbox.slice(4, 4 + length)
	_inbox = _inbox.slice(4 + length)
	return bytes


## The next frame that has arrived as a whole; empty when there is none.
func receive() -> Dictionary:
	var bytes := receive_bytes()
	if bytes.is_empty():
		return {}
	var value: Variant = bytes_to_var(bytes)
	var frame: Dictionary = value if typeof(value) == TYPE_DICTIONARY else {"t": "(no frame)"}
	match frame.get("t"):
		"hello":
			hello = frame
			hello_bytes = bytes
		"credit":
			credit = frame
		"ack":
			acked = frame
	return frame


## Answers the hello with a challenge.
func challenge(changes := {}) -> void:
	var frame := {"t": "challenge", "protocol": 2, "nonce": Crypto.new().generate_random_bytes(32)}
	frame.merge(changes, true)
	challenge_bytes = var_to_bytes(frame)
	send_raw(length_field(challenge_bytes.size()) + challenge_bytes)


## The proof of one side, of the hello and the challenge of this connection.
func proof_of(label: String, token := TOKEN) -> PackedByteArray:
	var message := label.to_utf8_buffer() + sha256(hello_bytes) + sha256(challenge_bytes)
	return Crypto.new().hmac_digest(HashingContext.HASH_SHA256, token.to_utf8_buffer(), message)


## The welcome that is due.
func welcome() -> Dictionary:
	return {"t": "welcome", "protocol": 2, "server": "test", "heartbeat_ms": heartbeat_ms, "proof": proof_of("wasgo 2 sidecar"),
			"world": identity if hello.get("world", "") != "" else ""}


func is_closed() -> bool:
	if _plain == null:
		return true
	if web != null:
		web.poll()
		return web.get_ready_state() == WebSocketPeer.STATE_CLOSED
	_plain.call(&"poll")
	return _plain.call(&"get_status") != StreamPeerTCP.STATUS_CONNECTED


func disconnect_now() -> void:
	_plain.call(&"disconnect_from_host")


static func sha256(bytes: PackedByteArray) -> PackedByteArray:
	var context := HashingContext.new()
	context.start(HashingContext.HASH_SHA256)
	context.update(bytes)
	return context.finish()


## The bytes of [param frame], with its length in front.
static func packed(frame: Dictionary) -> PackedByteArray:
	var bytes := var_to_bytes(frame)
	return length_field(bytes.size()) + bytes


## [param frame] inside a compressed one, which gets its number, with [param changes] to that.
static func compressed(frame: Dictionary, changes := {}) -> Dictionary:
	var inner := frame.duplicate()
	var outer := {}
	for lane: String in ["seq", "bulk"]:
		if frame.has(lane):
			outer[lane] = frame[lane]
			inner.erase(lane)
	var bytes := var_to_bytes(inner)
	outer.merge({"data": bytes.compress(FileAccess.COMPRESSION_ZSTD), "size": bytes.size(), "t": "zstd"})
	outer.merge(changes, true)
	return outer


static func length_field(length: int) -> PackedByteArray:
	return PackedByteArray([(length >> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255])
