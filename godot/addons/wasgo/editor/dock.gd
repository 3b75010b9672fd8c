@tool
extends VBoxContainer
## What the editor shows of Wasgo clients: one panel for each, of the game that runs and of the editor itself.
##
## Is given figures and shows them; asks nobody. Every figure may be missing, or be anything: it may come from a game with
## another version of the add-on.

const _Panel := preload("dock_panel.gd")
const _EMPTY := "No client is running.\n\nRun a scene that has a WasgoClient, or turn on run_in_editor of one in the scene that you edit."

var _panels: Dictionary[String, _Panel] = {}
var _hint := Label.new()
var _list := VBoxContainer.new()
var _scale := 1.0


## [param scale] is how much larger than usual the editor draws everything.
func _init(scale := 1.0) -> void:
	name = "Wasgo"
	_scale = scale
	custom_minimum_size = Vector2(230, 160) * scale
	var scroll := ScrollContainer.new()
	scroll.size_flags_vertical = Control.SIZE_EXPAND_FILL
	scroll.horizontal_scroll_mode = ScrollContainer.SCROLL_MODE_DISABLED
	_list.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_list.add_theme_constant_override(&"separation", int(8 * scale))
	_hint.name = "Hint"
	_hint.text = _EMPTY
	_hint.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_hint.modulate.a = 0.7
	_hint.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	_list.add_child(_hint)
	scroll.add_child(_list)
	add_child(scroll)


## Shows [param status], what [method WasgoClient.status] gave, of the client [param id] of [param source], such as "Game 1".
func show_client(source: String, id: int, status: Dictionary) -> void:
	var key := "%s/%d" % [source, id]
	if not _panels.has(key):
		var panel := _Panel.new(_scale)
		_panels[key] = panel
		_list.add_child(panel)
	_panels[key].show_status(source, status)
	_hint.visible = false


## The client [param id] of [param source] is no more.
func forget_client(source: String, id: int) -> void:
	_forget("%s/%d" % [source, id])


## None of the clients of [param source] is any more.
func forget_source(source: String) -> void:
	for key: String in _panels.keys():
		if key.begins_with(source + "/"):
			_forget(key)


## The ids of the clients of [param source] that are shown.
func ids_of(source: String) -> PackedInt64Array:
	var ids := PackedInt64Array()
	for key: String in _panels:
		if key.begins_with(source + "/"):
			ids.append(key.get_slice("/", 1).to_int())
	return ids


func _forget(key: String) -> void:
	if _panels.has(key):
		_panels[key].queue_free()
		_panels.erase(key)
	_hint.visible = _panels.is_empty()
