@tool
extends RefCounted
## Input events as plain dictionaries, gathered for a tick.

## The most events that are told of in a tick; what is more is counted and dropped.
const MAX_EVENTS := 64

## Events that were dropped.
var dropped := 0

# The properties of each class that are told. A motion is one event a tick, its movements added up.
const _FIELDS := {
	"InputEventKey": ["keycode", "physical_keycode", "key_label", "unicode", "location", "pressed", "echo"],
	"InputEventMouseButton": ["button_index", "button_mask", "pressed", "double_click", "canceled", "factor", "position", "global_position"],
	"InputEventMouseMotion": ["button_mask", "position", "global_position", "relative", "screen_relative", "velocity", "pressure", "tilt"],
	"InputEventJoypadButton": ["button_index", "pressed", "pressure"],
	"InputEventJoypadMotion": ["axis", "axis_value"],
	"InputEventScreenTouch": ["index", "position", "pressed", "double_tap", "canceled"],
	"InputEventScreenDrag": ["index", "position", "relative", "velocity", "pressure"],
	"InputEventPanGesture": ["position", "delta"],
	"InputEventMagnifyGesture": ["position", "factor"],
	"InputEventMIDI": ["channel", "message", "pitch", "velocity", "instrument", "pressure", "controller_number", "controller_value"],
	"InputEventAction": ["action", "pressed", "strength"],
}
const _MODIFIERS := ["alt_pressed", "shift_pressed", "ctrl_pressed", "meta_pressed"]
const _ADDED_UP := ["relative", "screen_relative", "delta"]

var _frames: Array[Dictionary] = []


## Takes [param event], if it is of one of [param classes] or stands for one of [param actions]; an empty list names none.
func take(event: InputEvent, classes: PackedStringArray, actions: PackedStringArray) -> void:
	var kind := event.get_class()
	var meant := PackedStringArray()
	for action: String in actions:
		if InputMap.has_action(action) and event.is_action(action):
			meant.append(action)
	if (meant.is_empty() and not classes.has(kind)) or not _FIELDS.has(kind):
		return
	var fields := {"class": kind}
	for name: String in _FIELDS[kind]:
		_put(fields, event, name)
	if event is InputEventWithModifiers:
		for name: String in _MODIFIERS:
			_put(fields, event, name)
	if not meant.is_empty():
		fields["actions"] = meant
	_add({"t": "input", "device": event.device, "fields": fields})


# Newer engines have more properties.
static func _put(fields: Dictionary, event: InputEvent, name: String) -> void:
	var value: Variant = event.get(name)
	match typeof(value):
		TYPE_NIL, TYPE_OBJECT:
			pass
		TYPE_STRING_NAME:
			fields[name] = str(value)
		_:
			fields[name] = value


func _add(frame: Dictionary) -> void:
	var fields: Dictionary = frame["fields"]
	if not _frames.is_empty() and ["InputEventMouseMotion", "InputEventPanGesture"].has(fields["class"]):
		var last := _frames[-1]
		var before: Dictionary = last["fields"]
		if before["class"] == fields["class"] and last["device"] == frame["device"] and before.get("button_mask") == fields.get("button_mask"):
			for name: String in _ADDED_UP:
				if fields.has(name):
					fields[name] += before[name]
			_frames[-1] = frame
			return
	if _frames.size() >= MAX_EVENTS:
		dropped += 1
		return
	_frames.append(frame)


## The frames of what was taken since the last time.
func gathered() -> Array[Dictionary]:
	var all := _frames
	_frames = []
	return all
