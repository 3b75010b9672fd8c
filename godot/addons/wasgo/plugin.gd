@tool
extends EditorPlugin
## Wasgo in the editor: its settings among the project's, and a dock that shows what clients do.
##
## [WasgoClient] and [WasgoWorld3D] are global classes with icons of their own: they are in
## the "Create New Node" window as soon as the folder is copied, with or without the plugin.

const ICON := "icons/wasgo_world_3d.svg"
const _Debugger := preload("editor/debugger.gd")
const _Dock := preload("editor/dock.gd")
const _Settings := preload("client/settings.gd")
# How the dock calls the editor itself, and how often it looks at its clients.
const _EDITOR := "Editor"
const _PERIOD_S := 0.5

var _dock: _Dock
var _debugger: _Debugger


func _enter_tree() -> void:
	_Settings.register()
	_dock = _Dock.new(EditorInterface.get_editor_scale())
	add_control_to_dock(DOCK_SLOT_RIGHT_BL, _dock)
	_debugger = _Debugger.new(_dock)
	add_debugger_plugin(_debugger)
	var timer := Timer.new()
	timer.wait_time = _PERIOD_S
	timer.autostart = true
	timer.timeout.connect(_show_own_clients)
	add_child(timer)


func _exit_tree() -> void:
	remove_debugger_plugin(_debugger)
	_debugger = null
	remove_control_from_docks(_dock)
	_dock.queue_free()
	_dock = null


func _get_plugin_name() -> String:
	return "Wasgo"


func _get_plugin_icon() -> Texture2D:
	# A folder that was just copied has not been imported yet.
	var path := (get_script() as Script).resource_path.get_base_dir().path_join(ICON)
	return load(path) as Texture2D if ResourceLoader.exists(path, "Texture2D") else null


## The dock, for who wants to look at it.
func get_dock() -> Control:
	return _dock


func _show_own_clients() -> void:
	var running := PackedInt64Array()
	for client: Node in get_tree().get_nodes_in_group(&"wasgo_client"):
		if client.get(&"run_in_editor") == true and client.has_method(&"status"):
			running.append(client.get_instance_id())
			_dock.show_client(_EDITOR, client.get_instance_id(), client.call(&"status") as Dictionary)
	for id: int in _dock.ids_of(_EDITOR):
		if not running.has(id):
			_dock.forget_client(_EDITOR, id)
