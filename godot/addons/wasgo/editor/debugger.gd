@tool
extends EditorDebuggerPlugin
## Takes what the clients of running games tell the editor, and gives it to the dock.

const _Dock := preload("dock.gd")

var _dock: _Dock


func _init(dock: _Dock) -> void:
	_dock = dock


func _has_capture(prefix: String) -> bool:
	return prefix == "wasgo"


func _capture(message: String, data: Array, session_id: int) -> bool:
	var source := _source_of(session_id)
	if not is_instance_valid(_dock) or data.is_empty() or typeof(data[0]) != TYPE_INT:
		return true
	match message:
		"wasgo:status":
			if data.size() > 1 and typeof(data[1]) == TYPE_DICTIONARY:
				_dock.show_client(source, data[0] as int, data[1] as Dictionary)
		"wasgo:gone":
			_dock.forget_client(source, data[0] as int)
	return true


func _setup_session(session_id: int) -> void:
	var session := get_session(session_id)
	session.stopped.connect(_on_session_stopped.bind(session_id))


func _on_session_stopped(session_id: int) -> void:
	if is_instance_valid(_dock):
		_dock.forget_source(_source_of(session_id))


static func _source_of(session_id: int) -> String:
	return "Game %d" % (session_id + 1)
