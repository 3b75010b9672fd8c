@tool
extends RefCounted
## An attempt to connect: from the transport to the sidecar's welcome, each within its time.

const _Handshake := preload("handshake.gd")
const _Transport := preload("transport.gd")
const _Url := preload("url.gd")

## How far an attempt is.
enum Stage {
	CONNECTING,  ## The transport is not there yet.
	GREETING,  ## Hello is said.
	WELCOMED,  ## The sidecar has proved itself, and says welcome.
	REFUSED,  ## The sidecar does not want this engine.
	FAILED,  ## [member problem] says why.
}

## How long the transport, and then the welcome, may each take, in milliseconds.
const PATIENCE_MS := 5000

var stage := Stage.CONNECTING
## What the attempt failed for, or is refused for.
var problem := ""
## Until when, by the engine's own clock in milliseconds, this stage may take.
var until := 0
var link: _Transport
var handshake: _Handshake

var _place: String


## Begins to connect to [param to].
func _init(to: _Url, place: String, certificate: X509Certificate, common_name: String, greeting: _Handshake) -> void:
	_place = place
	handshake = greeting
	until = Time.get_ticks_msec() + PATIENCE_MS
	link = to.transport(certificate, common_name)
	link.open()


## Goes on with what is under way, at [param now].
func go_on(now: int) -> void:
	link.poll(0)
	if stage == Stage.CONNECTING and link.status == _Transport.Status.OPEN:
		stage = Stage.GREETING
		until = now + PATIENCE_MS
		link.put_frame(handshake.hello())
		link.flush()
	while stage == Stage.GREETING:
		var bytes: Variant = link.next_frame(_Handshake.MAX_FRAME)
		if bytes == null:
			break
		_take(bytes as PackedByteArray)
	if stage != Stage.CONNECTING and stage != Stage.GREETING:
		return
	if link.status == _Transport.Status.GONE:
		_fail(link.problem)
	elif now > until:
		_fail("%s from %s" % ["no answer" if stage == Stage.CONNECTING else "no welcome", _place])


# Two frames are taken at most, and until the second one's proof is right nothing is believed.
func _take(bytes: PackedByteArray) -> void:
	var wrong := handshake.take(bytes)
	if wrong != "":
		_fail(wrong)
	elif handshake.refusal != "":
		stage = Stage.REFUSED
		problem = handshake.refusal
	elif handshake.heartbeat_ms > 0:
		stage = Stage.WELCOMED
	else:
		link.put_frame(handshake.proof())
		link.flush()


func _fail(reason: String) -> void:
	stage = Stage.FAILED
	problem = reason
