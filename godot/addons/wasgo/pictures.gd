extends RefCounted
## Pictures that the sidecar asks for, taken one after the other, each over some ticks.

const _Client := preload("client.gd")
const _Picture := preload("picture.gd")

const _MAX_WAITING := 4

var _waiting: Array[Dictionary] = []
var _is_drawing := false
# Answers to what was asked in another connection are thrown away.
var _connection := 0


## Forgets those that were asked for in a connection that has ended.
func clear() -> void:
	_waiting.clear()
	_connection += 1


## Answers [param frame] by [param client], sooner or later, with a picture of [param world].
func ask(world: Node3D, client: _Client, frame: Dictionary) -> void:
	var wrong := _Picture.check(frame)
	if wrong == "" and _waiting.size() >= _MAX_WAITING:
		wrong = "%d pictures are waited for already" % _MAX_WAITING
	if wrong != "":
		client.send_frame({"t": "picture", "id": frame["id"], "error": wrong})
		return
	_waiting.append(frame)
	if not _is_drawing:
		_take_next(world, client)


func _take_next(world: Node3D, client: _Client) -> void:
	if _waiting.is_empty():
		return
	var frame: Dictionary = _waiting.pop_front()
	var asked_in := _connection
	_is_drawing = true
	_Picture.take(world, frame, func(png: PackedByteArray, wrong: String) -> void:
		_is_drawing = false
		if not is_instance_valid(client) or not is_instance_valid(world):
			return
		if _connection == asked_in:
			var answer := {"t": "picture", "id": frame["id"]}
			if wrong == "":
				answer["png"] = png
			else:
				answer["error"] = wrong
			client.send_frame(answer)
		_take_next(world, client))
