@tool
extends EditorPlugin
## Runs a game from the editor, plays the sidecar for it, and checks what Wasgo's dock shows. The last line printed is "PASS dock (n checks)" or
## "FAIL dock ..."; with --picture= after -- on the command line, the editor's window is saved there as a PNG.

const Sidecar := preload("sidecar.gd")
const Client := preload("res://addons/wasgo/client.gd")
const PATIENCE_MS := 50_000

var sidecar := Sidecar.new()
var own_sidecar := Sidecar.new()
var client: Client
var checks := 0
var failures := 0


func _enter_tree() -> void:
	_run.call_deferred()


func _process(_delta: float) -> void:
	for each: Sidecar in [sidecar, own_sidecar]:
		if each.accept():
			each.heartbeat_ms = 60_000
		var frame := each.receive()
		match frame.get("t"):
			"hello":
				each.challenge()
			"proof":
				var welcome := each.welcome()
				welcome["server"] = "wasgo 0.1"
				each.send(welcome)
			"resume":
				_play(each)
	if Time.get_ticks_msec() > PATIENCE_MS:
		_finish("out of time")


# What the game gets: chunks, and one frame that it refuses.
func _play(to: Sidecar) -> void:
	to.send({"t": "spawn", "seq": 1})
	for i: int in 1284:
		var ballast := PackedByteArray()
		ballast.resize(2900)
		to.send({"bulk": i + 1, "t": "chunk", "key": str(i), "x": ballast})


func _run() -> void:
	var file := FileAccess.open("user://sidecar_url", FileAccess.WRITE)
	file.store_string(sidecar.url)
	file.close()
	var dock := _find_dock()
	while dock == null:
		await get_tree().process_frame
		dock = _find_dock()
	_equal((dock.find_child("Hint", true, false) as Label).visible, true, "a dock without clients says how to get one")
	EditorInterface.play_main_scene()
	await _until(func() -> bool: return _value(dock, "Chunks") == "1 284")
	_equal(_value(dock, "State"), "Connected", "state")
	_equal(_value(dock, "Server"), "wasgo 0.1", "server")
	_equal(_value(dock, "Source"), "Game 1", "source")
	_equal(_value(dock, "Place"), sidecar.url, "place")
	_equal(_value(dock, "World"), "World valley, zone north", "world")
	_equal(_value(dock, "Nodes"), "38", "nodes")
	_equal(_value(dock, "Received"), "3.9 MB", "received")
	_equal(_value(dock, "Waiting"), "0", "waiting")
	_equal(_value(dock, "Refused"), "1", "refused")
	_check((dock.find_child("Errors", true, false) as RichTextLabel).get_parsed_text().ends_with("there is no mesh \"oak\""), "errors")
	await _until(func() -> bool: return _value(dock, "Frame time") != "0.00 ms")
	for setting: String in ["wasgo/connection/url", "wasgo/limits/tick_budget_ms", "wasgo/cache/folder"]:
		_check(ProjectSettings.has_setting(setting), "there is the setting " + setting)
	await _own_client(dock)
	for argument: String in OS.get_cmdline_user_args():
		if argument.begins_with("--picture="):
			await _save_picture(argument.trim_prefix("--picture="))
	client.free()
	EditorInterface.stop_playing_scene()
	await _until(func() -> bool: return dock.call(&"ids_of", "Game 1").is_empty() and dock.call(&"ids_of", "Editor").is_empty())
	_equal((dock.find_child("Hint", true, false) as Label).visible, true, "clients that are gone are not shown")
	_finish("")


# A client that runs in the editor itself.
func _own_client(dock: Control) -> void:
	client = Client.new()
	client.run_in_editor = true
	client.url = own_sidecar.url
	client.token = Sidecar.TOKEN
	add_child(client)
	await _until(func() -> bool: return dock.call(&"ids_of", "Editor").size() == 1 and client.is_open())
	_check(client.is_open(), "a client connects from within the editor: " + client.last_problem)
	var idle := Client.new()
	add_child(idle)
	_equal(idle.state, Client.State.CLOSED, "one that is only edited does not")
	_equal(idle.url, "tcp://127.0.0.1:7777", "nor does it take on settings")
	idle.free()


func _save_picture(path: String) -> void:
	var base := EditorInterface.get_base_control()
	# Whatever tab the dock is in comes to the front.
	var tab: Node = _find_dock()
	while tab != null and not tab.get_parent() is TabContainer:
		tab = tab.get_parent()
	if tab != null:
		(tab.get_parent() as TabContainer).current_tab = tab.get_index()
		if tab.get_parent().get_parent() is SplitContainer:
			(tab.get_parent().get_parent() as SplitContainer).split_offset = -230
	# What the editor does when it opens a project would lie over everything.
	await _until(func() -> bool: return not EditorInterface.get_resource_filesystem().is_scanning())
	for i: int in 60:
		await get_tree().process_frame
	await RenderingServer.frame_post_draw
	var image := base.get_viewport().get_texture().get_image()
	# The side that the dock is on.
	var width := image.get_width() * 2 / 5
	image.get_region(Rect2i(image.get_width() - width, 0, width, image.get_height())).save_png(path)


func _find_dock() -> Control:
	return EditorInterface.get_base_control().find_child("Wasgo", true, false) as Control


func _value(dock: Control, name: String) -> String:
	var label := dock.find_child(name, true, false) as Label
	return label.text if label != null else ""


func _until(condition: Callable) -> void:
	while not condition.call():
		await get_tree().process_frame


func _check(is_well: bool, what: String) -> void:
	checks += 1
	if not is_well:
		failures += 1
		printerr("failed: ", what)


func _equal(found: Variant, expected: Variant, what: String) -> void:
	_check(typeof(found) == typeof(expected) and found == expected, "%s: found %s, expected %s" % [what, found, expected])


func _finish(problem: String) -> void:
	if problem == "" and failures == 0:
		print("PASS dock (%d checks)" % checks)
	else:
		print("FAIL dock (%d of %d checks) %s" % [failures, checks, problem])
	set_process(false)
	get_tree().quit(0 if problem == "" and failures == 0 else 1)
