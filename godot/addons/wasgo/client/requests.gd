@tool
extends RefCounted
## What this engine asks the sidecar, and has no answer to yet.

const _Answer := preload("../answer.gd")
const _Check := preload("../check.gd")
const _Plain := preload("plain.gd")

## The most requests that may be without an answer at once.
const MAX_REQUESTS := 64
const _LONGEST_S := 86_400.0

var _waiting: Dictionary[int, _Answer] = {}
var _ends: Dictionary[int, int] = {}
var _last := 0


## How many are without an answer.
func size() -> int:
	return _waiting.size()


## Asks the sidecar's function [param function] with [param args], by [param send], which is invalid where nobody is connected. What cannot be asked is answered with an
## error at once, what is not answered within [param timeout_s] seconds is then.
func ask(function: String, args: Array, timeout_s: float, send: Callable) -> _Answer:
	var answer := _Answer.new()
	var wrong := _Plain.wrong_with(args, "args")
	if wrong == "" and _waiting.size() >= MAX_REQUESTS:
		wrong = "%d requests are without an answer already" % MAX_REQUESTS
	if wrong == "" and not send.is_valid():
		wrong = "not connected"
	if wrong != "":
		answer.settle(null, wrong)
		return answer
	_last += 1
	_waiting[_last] = answer
	_ends[_last] = Time.get_ticks_msec() + int(clampf(timeout_s, 0.0, _LONGEST_S) * 1000.0)
	var error: Error = send.call({"t": "request", "id": _last, "name": function, "args": args})
	if error != OK:
		_settle(_last, null, "it cannot be sent: " + error_string(error))
	return answer


## Takes an answer of the sidecar. One that nobody waits for is passed over.
func take(frame: Dictionary) -> void:
	if typeof(frame.get("id")) != TYPE_INT or not _waiting.has(frame["id"]):
		return
	var error := ""
	if frame.has("error"):
		error = _Check.field(frame, "error", TYPE_STRING)
		error = (frame["error"] as String).left(_Check.MAX_TEXT) if error == "" else "an error that is no text"
		if error == "":
			error = "an error without words"
	_settle(frame["id"] as int, frame.get("value"), error)


## Gives up those whose time is over by [param now].
func watch(now: int) -> void:
	for id: int in _ends.keys():
		if now >= _ends.get(id, now + 1):
			_settle(id, null, "no answer in time")


## Gives up all, for [param reason].
func fail(reason: String) -> void:
	for id: int in _waiting.keys():
		if _waiting.has(id):
			_settle(id, null, reason)


func _settle(id: int, value: Variant, error: String) -> void:
	var answer := _waiting[id]
	_waiting.erase(id)
	_ends.erase(id)
	answer.settle(value if error == "" else null, error)
