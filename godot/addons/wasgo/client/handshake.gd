@tool
extends RefCounted
## The opening of a connection, as the engine sees it: hello, challenge, proof, welcome. Says and checks; sends
## nothing itself. Serves one connection only.

const _Check := preload("../check.gd")

## The version of the protocol that is spoken here, and the oldest.
const PROTOCOL := 2
const PROTOCOL_MIN := 2
## The most bytes of a frame that comes before the sidecar has proved itself.
const MAX_FRAME := 64 * 1024
const _NONCE := 32
const _PROOF := 32
const _ENGINE := "wasgo 2 engine"
const _SIDECAR := "wasgo 2 sidecar"

## From the welcome: what the sidecar calls itself.
var server := ""
## From the welcome: the identity of the world; empty where none was asked for.
var world := ""
## From the welcome: how often the sidecar pings, in milliseconds.
var heartbeat_ms := 0
## What the sidecar refuses for; empty until it does.
var refusal := ""

var _crypto := Crypto.new()
var _key: PackedByteArray
var _hello: PackedByteArray
var _challenge := PackedByteArray()
var _protocol := 0


func _init(token: String, world_name: String, zone: String, client: String) -> void:
	_key = token.to_utf8_buffer()
	if _key.is_empty():
		# The engine knows no empty key; one of zeros is the same to HMAC.
		_key = PackedByteArray([0])
	_hello = var_to_bytes({"t": "hello", "protocol": PROTOCOL, "protocol_min": PROTOCOL_MIN, "client": client,
			"nonce": _crypto.generate_random_bytes(_NONCE), "world": world_name, "zone": zone,
			"accepts": PackedStringArray(["zstd"])})


## The bytes of the first frame.
func hello() -> PackedByteArray:
	return _hello


## Whether the sidecar has been heard, and owes its proof.
func is_challenged() -> bool:
	return not _challenge.is_empty()


## Takes [param bytes], the next frame of the sidecar. Returns what is wrong with it, which ends the connection; when
## nothing is, [method is_challenged], [member heartbeat_ms] or [member refusal] say how far things are.
func take(bytes: PackedByteArray) -> String:
	var value: Variant = bytes_to_var(bytes) if bytes.size() >= 4 else null
	if typeof(value) != TYPE_DICTIONARY or not _Check.nested_at_most(value, 4):
		return "bytes that are no frame"
	var frame: Dictionary = value
	if frame.is_typed():
		return "a frame without a kind"
	match frame.get("t"):
		"refuse":
			var reason: Variant = frame.get("reason")
			refusal = (reason as String).left(200) if typeof(reason) == TYPE_STRING else ""
			if refusal == "":
				refusal = "no reason given"
			return ""
		"challenge":
			return _take_challenge(frame, bytes)
		"welcome":
			return _take_welcome(frame)
	return "a frame before the welcome"


func _take_challenge(frame: Dictionary, bytes: PackedByteArray) -> String:
	if is_challenged():
		return "a second challenge"
	var wrong := _Check.field(frame, "protocol", TYPE_INT)
	if wrong == "":
		wrong = _Check.number(frame, "protocol", PROTOCOL_MIN, PROTOCOL)
	if wrong == "":
		wrong = _Check.field(frame, "nonce", TYPE_PACKED_BYTE_ARRAY)
	if wrong == "" and (frame["nonce"] as PackedByteArray).size() != _NONCE:
		wrong = "a nonce of %d bytes, not %d" % [(frame["nonce"] as PackedByteArray).size(), _NONCE]
	if wrong != "":
		return "a malformed challenge: " + wrong
	_protocol = frame["protocol"]
	_challenge = bytes
	return ""


func _take_welcome(frame: Dictionary) -> String:
	if not is_challenged():
		return "a welcome without a challenge"
	var wrong := _Check.field(frame, "proof", TYPE_PACKED_BYTE_ARRAY)
	if wrong == "" and (frame["proof"] as PackedByteArray).size() != _PROOF:
		wrong = "a proof of %d bytes, not %d" % [(frame["proof"] as PackedByteArray).size(), _PROOF]
	if wrong == "":
		wrong = _Check.field(frame, "protocol", TYPE_INT)
	if wrong == "":
		wrong = _Check.number(frame, "protocol", _protocol, _protocol)
	if wrong == "":
		wrong = _Check.text(frame, "server")
	if wrong == "":
		wrong = _Check.text(frame, "world")
	if wrong == "":
		wrong = _Check.field(frame, "heartbeat_ms", TYPE_INT)
	if wrong == "":
		wrong = _Check.number(frame, "heartbeat_ms", 10, 3_600_000)
	if wrong != "":
		return "a malformed welcome: " + wrong
	if not _crypto.constant_time_compare(_proof_of(_SIDECAR), frame["proof"] as PackedByteArray):
		return "the sidecar's proof is wrong: it does not know the token"
	server = frame["server"]
	world = frame["world"]
	heartbeat_ms = frame["heartbeat_ms"]
	return ""


## The bytes of the engine's proof, for once it [method is_challenged].
func proof() -> PackedByteArray:
	return var_to_bytes({"t": "proof", "proof": _proof_of(_ENGINE)})


func _proof_of(label: String) -> PackedByteArray:
	var message := label.to_utf8_buffer()
	message.append_array(_sha256(_hello))
	message.append_array(_sha256(_challenge))
	return _crypto.hmac_digest(HashingContext.HASH_SHA256, _key, message)


static func _sha256(bytes: PackedByteArray) -> PackedByteArray:
	var context := HashingContext.new()
	context.start(HashingContext.HASH_SHA256)
	context.update(bytes)
	return context.finish()
