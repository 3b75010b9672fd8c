extends "client_case.gd"
## What is said beside the world: calls and requests, events, viewers, input, exported scenes, and what a client tells of itself.

const Answer := preload("res://addons/wasgo/answer.gd")


class Door:
	extends Node3D
	signal let_go
	var opened := 0

	func open(by: String, speed: float = 1.0) -> int:
		opened += 1
		return by.length() + int(speed)

	func fail_inside() -> int:
		var nothing: Variant = null
		return nothing.size()

	func give(what: Variant = null) -> Variant:
		return what

	func give_object() -> Object:
		return self

	func give_inside() -> Array:
		return [{"a": [Callable(self, &"open")]}]

	func give_much() -> PackedByteArray:
		var much := PackedByteArray()
		much.resize(17_000_000)
		return much

	func give_itself() -> Array:
		var all := []
		all.append(all)
		all.append(all)
		return all

	func later() -> int:
		await let_go
		return 5

	func typed(_a: int, _b: Vector3, _c: Array, _d: StringName = &"") -> bool:
		return true


var rooms: Node3D
var door: Door


func _initialize() -> void:
	run("client_talk_test", [_allowed_lists, _calls, _wrong_calls, _calls_that_wait, _requests, _requests_that_fail, _events, _viewers, _input,
			_exports, _status, _monitors, _values, _settings] as Array[Callable])


func _fresh() -> void:
	if rooms != null:
		rooms.free()
	await fresh()
	rooms = Node3D.new()
	rooms.name = "Rooms"
	door = Door.new()
	door.name = "Door"
	rooms.add_child(door)
	root.add_child(rooms)


func _allowed_lists() -> bool:
	var allowed := Client._Allowed
	var list := PackedStringArray(["A/B:go", "Doors/*:open", "*/*/x:look", ".:stop", "*:any", "bad", ":none", "up/../x:y"])
	for path: Array in [["A/B", "go"], ["Doors/1", "open"], ["Doors/Left door", "open"], ["a/b/x", "look"], [".", "stop"], ["Q", "any"]]:
		check(allowed.method(list, path[0] as String, path[1] as String), "%s is allowed" % str(path))
	for path: Array in [["A/B", "go "], ["A/B", ""], ["A", "go"], ["A/B/C", "go"], ["Doors", "open"], ["Doors/1/2", "open"], ["Doors/..", "open"],
			["Doors/.", "open"], ["Doors/", "open"], ["Doors//1", "open"], ["/Doors/1", "open"], ["/root", "any"], ["..", "any"], ["%Q", "any"], [".", "any"],
			["Doors/*/open", "x"], ["A/B:go", "go"], ["up/../x", "y"], ["", "none"], ["", "any"], ["bad", ""], ["q".repeat(2000), "any"], ["A:position", "any"]]:
		check(not allowed.method(list, path[0] as String, path[1] as String), "%s is not allowed" % str(path).left(80))
	check(allowed.node(PackedStringArray(["*"]), "A") and not allowed.node(PackedStringArray(["*"]), "."), "a star is one name")
	check(not allowed.node(PackedStringArray(), "."), "nothing is allowed unless it is named")
	return true


func _ask(path: Variant, method: Variant, args: Variant) -> Dictionary:
	sidecar.send({"t": "call", "id": 77, "path": path, "method": method, "args": args})
	var found := await answer()
	equal(found.get("t"), "answer", "the kind")
	equal(found.get("id"), 77, "the number")
	check(found.has("value") != found.has("error"), "a value or an error")
	return found


func _calls() -> bool:
	await _fresh()
	client.allowed_calls = PackedStringArray(["Rooms/Door:open", "Rooms/*:give", ".:get_child_count"])
	var told: Array[String] = []
	client.call_received.connect(func(path: String, method: String) -> void: told.append(path + " " + method))
	equal((await _ask("Rooms/Door", "open", ["me", 2.0])).get("value"), 4, "a call with arguments")
	equal((await _ask("Rooms/Door", "open", ["me"])).get("value"), 3, "with one left out")
	equal((await _ask("Rooms/Door", "open", ["me", 3])).get("value"), 5, "with an int for a float")
	equal(door.opened, 3, "they were made")
	equal((await _ask(".", "get_child_count", [])).get("value"), root.get_child_count(), "a method of the engine's own")
	equal((await _ask("Rooms/Door", "give", [])).get("value"), null, "null is a value")
	var much := {"a": [1, 2.5, "x", Vector3.ONE, {"b": PackedInt32Array([1])}], &"b": null}
	equal((await _ask("Rooms/Door", "give", [much])).get("value"), much, "plain data comes back")
	equal(told.slice(0, 2), ["Rooms/Door open", "Rooms/Door open"] as Array[String], "calls are told")
	# The scene's root is where paths start, where there is one.
	current_scene = door.get_parent()
	client.allowed_calls = PackedStringArray(["Door:open"])
	equal((await _ask("Door", "open", ["me"])).get("value"), 3, "from the scene's root")
	current_scene = null
	return true


func _wrong_calls() -> bool:
	await _fresh()
	equal((await _ask("Rooms/Door", "open", ["me"])).get("error"), "Rooms/Door:open may not be called", "nothing is allowed by itself")
	client.allowed_calls = PackedStringArray(["Rooms/Door:open", "Rooms/*:missing", "Rooms/Door:typed", "Rooms/Door:give", "Rooms/Door:give_object",
			"Rooms/Door:give_inside", "Rooms/Door:give_much", "Rooms/Door:give_itself", "Rooms/Door:fail_inside", "Gone/*:open"])
	for wrong: Array in [["Rooms/Door", "queue_free", []], ["Rooms/../Rooms/Door", "open", ["x"]], ["/root/Rooms/Door", "open", ["x"]], ["Rooms", "open", ["x"]],
			["Rooms/Door", "missing", []], ["Gone/Door", "open", ["x"]], ["Rooms/Door", "open", []], ["Rooms/Door", "open", [1, 2, 3]], ["Rooms/Door", "open", [5]],
			["Rooms/Door", "open", [null]], ["Rooms/Door", "typed", [1.5, Vector3.ONE, []]], ["Rooms/Door", "typed", [1, Vector3i.ONE, []]],
			["Rooms/Door", "typed", [1, Vector3.ONE, {}]], ["Rooms/Door", "typed", [1, Vector3.ONE, [], 5]], ["Rooms/Door", "give", [EncodedObjectAsID.new()]],
			["Rooms/Door", "give", [[{1: Callable()}]]], ["Rooms/Door", "give", [RID()]], ["Rooms/Door", "give", range(40)], ["Rooms/Door", "give_object", []],
			["Rooms/Door", "give_inside", []], ["Rooms/Door", "give_much", []], ["Rooms/Door", "give_itself", []], [null, "open", []], ["Rooms/Door", null, []],
			["Rooms/Door", "open", null], [5, 5, 5], ["Rooms/Door", "open", {}], ["x".repeat(2000), "open", []], ["Rooms/Door", "x".repeat(2000), []]]:
		var found := await _ask(wrong[0], wrong[1], wrong[2])
		check((found.get("error", "") as String).length() > 5, "%s: %s" % [str(wrong).left(80), found.get("error")])
	equal((await _ask("Rooms/Door", "typed", [1, Vector3.ONE, [], "name"])).get("value"), true, "what fits is called")
	equal((await _ask("Rooms/Door", "fail_inside", [])).get("value", "none"), 0, "a method that fails gives what the engine makes of that")
	equal(door.opened, 0, "nothing was opened")
	for frame: Dictionary in [{"t": "call"}, {"t": "call", "id": "x", "path": "Rooms/Door", "method": "open", "args": []}]:
		sidecar.send(frame)
	sidecar.send({"t": "ping", "time": 1})
	equal((await answer()).get("t"), "pong", "what has no number is not answered")
	return true


func _calls_that_wait() -> bool:
	await _fresh()
	client.allowed_calls = PackedStringArray(["Rooms/Door:later"])
	for i: int in 65:
		sidecar.send({"t": "call", "id": i, "path": "Rooms/Door", "method": "later", "args": []})
	var over := await answer()
	check(over.get("id") == 64 and (over.get("error", "") as String).contains("64 calls"), "more than 64 are answered with an error: %s" % str(over))
	equal(client.status()["calls"], 64, "calls under way")
	door.let_go.emit()
	for i: int in 64:
		equal(await answer(), {"t": "answer", "id": i, "value": 5}, "an answer that came later")
	equal(client.status()["calls"], 0, "calls under way")
	# An answer for a connection that is gone is dropped.
	sidecar.send({"t": "call", "id": 1, "path": "Rooms/Door", "method": "later", "args": []})
	check(await until(func() -> bool: return client.status()["calls"] == 1), "a call")
	client._end("for the test", true)
	await again()
	equal(client.status()["calls"], 0, "a new connection has none")
	door.let_go.emit()
	sidecar.send({"t": "call", "id": 2, "path": "Rooms/Door", "method": "later", "args": []})
	check(await until(func() -> bool: return client.status()["calls"] == 1), "another call")
	door.let_go.emit()
	equal(await answer(), {"t": "answer", "id": 2, "value": 5}, "only its own answer comes")
	# A node that goes while it is waited for.
	sidecar.send({"t": "call", "id": 3, "path": "Rooms/Door", "method": "later", "args": []})
	check(await until(func() -> bool: return client.status()["calls"] == 1), "a third call")
	door.free()
	equal(await answer(), {"t": "answer", "id": 3, "error": "the node Rooms/Door has gone"}, "what cannot come to its end is answered")
	equal(client.status()["calls"], 0, "and keeps no place")
	return true


# Asks, and puts what comes of it into the list.
func _request(into: Array, name: String, args: Array, timeout_s: float) -> void:
	var found: Answer = await client.request(name, args, timeout_s)
	into.append(found)


func _requests() -> bool:
	await _fresh()
	var found := []
	_request(found, "add", [1, 2], 10.0)
	_request(found, "say", [], 10.0)
	var first := await answer()
	var second := await answer()
	equal(first, {"t": "request", "id": first["id"], "name": "add", "args": [1, 2]}, "a request")
	check(first["id"] != second["id"], "each has a number")
	equal(found.size(), 0, "it waits")
	sidecar.send({"t": "answer", "id": second["id"], "error": "no voice"})
	sidecar.send({"t": "answer", "id": 12345, "value": 9})
	sidecar.send({"t": "answer", "id": "x", "value": 9})
	sidecar.send({"t": "answer", "id": first["id"], "value": 3})
	sidecar.send({"t": "answer", "id": first["id"], "value": 4})
	check(await until(func() -> bool: return found.size() == 2), "both are answered")
	equal([found[0].is_ok(), found[0].value, found[0].error], [false, null, "no voice"], "an error")
	equal([found[1].is_ok(), found[1].value, found[1].error], [true, 3, ""], "a value")
	_request(found, "odd", [], 10.0)
	sidecar.send({"t": "answer", "id": (await answer())["id"], "error": 5})
	check(await until(func() -> bool: return found.size() == 3), "an error that is no text is one")
	check(not found[2].is_ok(), "and no value")
	return true


func _requests_that_fail() -> bool:
	await _fresh()
	var found := []
	_request(found, "slow", [], 0.05)
	await answer()
	check(await until(func() -> bool: return found.size() == 1), "time is bounded")
	equal(found[0].error, "no answer in time", "and it says so")
	_request(found, "objects", [client], 1.0)
	check(found.size() == 2 and found[1].error.contains("holds a Object"), "objects are not sent: " + found[1].error)
	var large := PackedByteArray()
	large.resize(17_000_000)
	_request(found, "large", [large], 1.0)
	check(found.size() == 3 and not found[2].is_ok(), "nor is what is too large: " + found[2].error)
	found.clear()
	for i: int in 65:
		_request(found, "many", [], 100.0)
	check(found.size() == 1 and found[0].error.contains("64 requests"), "64 may wait: %d" % found.size())
	equal(client.status()["requests"], 64, "requests that wait")
	sidecar.disconnect_now()
	check(await until(func() -> bool: return found.size() == 65), "the end of the connection is an answer")
	check(found[64].error.contains("connection ended"), "and it says so: " + found[64].error)
	_request(found, "early", [], 1.0)
	equal(found[65].error, "not connected", "where there is no connection")
	await again()
	_request(found, "leaving", [], 100.0)
	root.remove_child(client)
	check(found.size() == 67 and not found[66].is_ok(), "leaving the tree is an answer too")
	return true


func _events() -> bool:
	await _fresh()
	equal(client.send_event("door opened", {"by": [1, "x"]}, "Rooms/Door"), OK as Error, "an event")
	equal(await answer(), {"t": "event", "name": "door opened", "node": "Rooms/Door", "data": {"by": [1, "x"]}}, "as it was said")
	equal(client.send_event("bare"), OK as Error, "one without data")
	equal(await answer(), {"t": "event", "name": "bare", "node": "", "data": null}, "as it was said")
	equal(client.send_event("bad", [door]), ERR_INVALID_DATA as Error, "objects are not sent")
	client.stop()
	equal(client.send_event("late"), ERR_UNCONFIGURED as Error, "nor is anything without a connection")
	return true


func _viewers() -> bool:
	await _fresh()
	client.viewer_hz = 60.0
	equal(client.set_viewer(1, Vector3(1, 2, 3), 50.0), OK as Error, "a viewer")
	equal(await answer(), {"t": "viewers", "ids": PackedInt64Array([1]), "positions": PackedVector3Array([Vector3(1, 2, 3)]),
			"radii": PackedFloat32Array([50.0])}, "it is told")
	client.set_viewer(1, Vector3(1.4, 2, 3), 50.0)
	for i: int in 10:
		await process_frame
	client.set_viewer(2, Vector3.ZERO, 10.0)
	var both := await answer()
	equal(both.get("ids"), PackedInt64Array([1, 2]), "another is told at once, small steps are not")
	equal((both.get("positions") as PackedVector3Array)[0], Vector3(1.4, 2, 3), "but they are told then")
	client.set_viewer(1, Vector3(2, 2, 3), 50.0)
	equal(((await answer()).get("positions") as PackedVector3Array)[0], Vector3(2, 2, 3), "a larger step is told")
	client.set_viewer(1, Vector3(2, 2, 3), 60.0)
	equal(((await answer()).get("radii") as PackedFloat32Array)[0], 60.0, "another radius too")
	for wrong: Array in [[Vector3(NAN, 0, 0), 1.0], [Vector3.INF, 1.0], [Vector3.ZERO, 0.0], [Vector3.ZERO, -1.0], [Vector3.ZERO, INF], [Vector3.ZERO, NAN]]:
		equal(client.set_viewer(3, wrong[0] as Vector3, wrong[1] as float), ERR_INVALID_PARAMETER as Error, "no viewer %s" % str(wrong))
	client.remove_viewer(1)
	client.remove_viewer(2)
	equal((await answer()).get("ids"), PackedInt64Array(), "that nobody looks any more is told")
	# Nodes are followed, in the space of the world.
	var world := Node3D.new()
	world.position = Vector3(100, 0, 0)
	root.add_child(world)
	client.receiver = world
	await again()
	door.position = Vector3(110, 5, 0)
	client.viewer_paths = [client.get_path_to(door), ^"missing"]
	var seen := await answer()
	equal(seen.get("ids"), PackedInt64Array([door.get_instance_id()]), "a node that is named")
	near((seen["positions"] as PackedVector3Array)[0].distance_to(Vector3(10, 5, 0)), 0.0, 0.001, "relative to the world")
	equal((seen["radii"] as PackedFloat32Array)[0], client.viewer_radius, "with the radius that is set")
	var camera := Camera3D.new()
	camera.set_meta(&"wasgo_radius", 70)
	camera.add_to_group(Client.VIEWERS)
	root.add_child(camera)
	seen = await answer()
	equal(seen.get("ids"), PackedInt64Array([door.get_instance_id(), camera.get_instance_id()]), "and one of the group")
	equal((seen["radii"] as PackedFloat32Array)[1], 70.0, "with a radius of its own")
	camera.free()
	equal(((await answer()).get("ids") as PackedInt64Array).size(), 1, "one that goes is not told any more")
	# Not more often than is wanted.
	client.viewer_hz = 5.0
	client.set_viewer(5, Vector3.ZERO, 1.0)
	await answer()
	var since := Time.get_ticks_msec()
	client.set_viewer(5, Vector3(9, 9, 9), 1.0)
	await answer()
	check(Time.get_ticks_msec() - since >= 150, "%d ms later" % (Time.get_ticks_msec() - since))
	await again_with_viewers()
	client.receiver = null
	world.free()
	return true


func again_with_viewers() -> void:
	client._end("for the test", true)
	await again()
	equal((await answer()).get("t"), "viewers", "another connection is told at once")


func _input() -> bool:
	await _fresh()
	client.forward_input = true
	client.input_classes = PackedStringArray(["InputEventKey", "InputEventMouseMotion"])
	InputMap.add_action("wasgo_jump")
	var jump := InputEventJoypadButton.new()
	jump.button_index = JOY_BUTTON_A
	InputMap.action_add_event("wasgo_jump", jump)
	client.input_actions = PackedStringArray(["wasgo_jump", "no such action"])
	var key := InputEventKey.new()
	key.keycode = KEY_W
	key.pressed = true
	key.shift_pressed = true
	client._input(key)
	var click := InputEventMouseButton.new()
	client._input(click)
	for i: int in 5:
		var motion := InputEventMouseMotion.new()
		motion.relative = Vector2(i, 1)
		motion.position = Vector2(i, i)
		client._input(motion)
	var press: InputEventJoypadButton = jump.duplicate()
	press.pressed = true
	press.device = 2
	# Actions are of any device.
	InputMap.action_erase_events("wasgo_jump")
	jump.device = -1
	InputMap.action_add_event("wasgo_jump", jump)
	client._input(press)
	var first := await answer()
	equal([first["t"], first["device"], first["fields"]["class"], first["fields"]["keycode"], first["fields"]["pressed"], first["fields"]["shift_pressed"]],
			["input", 0, "InputEventKey", KEY_W, true, true], "a key")
	check(not first["fields"].has("actions"), "that stands for no action")
	var second := await answer()
	equal([second["fields"]["class"], second["fields"]["relative"], second["fields"]["position"]], ["InputEventMouseMotion", Vector2(10, 5), Vector2(4, 4)],
			"motions are added up, and what is not on a list is not told")
	var third := await answer()
	equal([third["device"], third["fields"]["class"], third["fields"]["actions"]], [2, "InputEventJoypadButton", PackedStringArray(["wasgo_jump"])], "an action")
	for i: int in 100:
		client._input(key)
	await answer()
	equal(client.status()["inputs_dropped"], 36, "what is more than 64 in a tick is dropped")
	# Every class that the engine has is plain.
	for kind: String in ClassDB.get_inheriters_from_class("InputEvent"):
		if ClassDB.can_instantiate(kind):
			client.input_classes = PackedStringArray([kind])
			client._input(ClassDB.instantiate(kind) as InputEvent)
			for frame: Dictionary in client._inputs.gathered():
				equal(Client._Plain.wrong_with(frame, "event"), "", kind)
	check(client.is_processing_input(), "events are taken")
	client.forward_input = false
	check(not client.is_processing_input(), "until it is turned off")
	InputMap.erase_action("wasgo_jump")
	return true


func _exports() -> bool:
	await _fresh()
	var box := MeshInstance3D.new()
	box.mesh = BoxMesh.new()
	box.name = "Box"
	door.add_child(box)
	box.owner = door
	equal(client.export_scene(door, "a door"), OK as Error, "an export")
	var scene := await answer()
	equal([scene.get("t"), scene.get("id"), scene.get("name")], ["scene", 0, "a door"], "it comes")
	var state := GLTFState.new()
	equal(GLTFDocument.new().append_from_buffer(scene["glb"] as PackedByteArray, "", state), OK as Error, "as a file")
	equal(state.get_meshes().size(), 1, "with the mesh")
	client.allowed_exports = PackedStringArray(["Rooms/*", "Gone"])
	sidecar.send({"t": "export", "id": 9, "path": "Rooms/Door"})
	scene = await answer()
	equal([scene.get("t"), scene.get("id"), scene.get("name"), (scene["glb"] as PackedByteArray).size() > 500], ["scene", 9, "Door", true], "one that was asked for")
	for wrong: Variant in ["Rooms", ".", "Gone", "Rooms/..", "", null, 5]:
		sidecar.send({"t": "export", "id": 10, "path": wrong})
		var found := await answer()
		equal([found.get("t"), found.get("id"), typeof(found.get("error"))], ["answer", 10, TYPE_STRING], "none of %s: %s" % [str(wrong), found.get("error")])
	sidecar.send({"t": "export", "path": "Rooms/Door"})
	for i: int in 4:
		equal(client.export_scene(door, "one of many"), OK as Error, "an export")
	equal(client.export_scene(door, "too many"), ERR_BUSY as Error, "4 at once")
	for i: int in 4:
		equal((await answer()).get("t"), "scene", "they come")
	client.export_scene(door, "late")
	client.stop()
	equal(client.export_scene(door, "later"), ERR_UNCONFIGURED as Error, "none without a connection")
	root.remove_child(client)
	equal(client.status()["exports"], 0, "nothing goes on once it left the tree")
	return true


func _status() -> bool:
	await _fresh()
	sidecar.send({"t": "rows", "seq": 1})
	client.frame_received.connect(func(_kind: String, frame: Dictionary) -> void: client.reject(frame, "for the test"))
	await answers_to(1)
	var status := client.status()
	equal([status["state"], status["server"], status["frames"], status["rejected"], status["url"]], ["OPEN", "test", 1, 1, sidecar.url], "what is so")
	check(status["bytes_in"] > 100 and status["bytes_out"] > 100, "bytes: %d and %d" % [status["bytes_in"], status["bytes_out"]])
	equal(status["errors"].size(), 1, "errors")
	check((status["errors"][0]["message"] as String).contains("for the test"), "their words")
	equal(Client._Plain.wrong_with(status, "status"), "", "it is plain data")
	check(not var_to_str(status).contains(Sidecar.TOKEN), "without the token")
	for i: int in 50:
		client.reject({"seq": 1}, "error %d" % i)
	equal(client.status()["errors"].size(), 32, "the last errors")
	equal(client.status()["errors"][31]["message"], "refused: error 49", "the newest is the last")
	check(await until(func() -> bool: return client.status()["tick_ms"] > 0.0), "the time of a tick is known")
	check(client.status()["longest_tick_ms"] >= client.status()["tick_ms"], "the longest is longer")
	return true


func _monitors() -> bool:
	await _fresh()
	var others: Array[Client] = []
	for i: int in 2:
		var other := Client.new()
		other.auto_connect = false
		root.add_child(other)
		others.append(other)
	var names := Performance.get_custom_monitor_names()
	for name: String in ["wasgo/chunks", "wasgo/bytes per second", "wasgo/main thread ms", "wasgo 2/chunks", "wasgo 3/chunks"]:
		check(names.has(StringName(name)), "there is %s" % name)
	var receiver := preload("receiver.gd").new()
	client.receiver = receiver
	equal(Performance.get_custom_monitor(&"wasgo/chunks"), 7, "what it shows")
	equal(client.status()["receiver"], {"chunks": 7}, "as the status does")
	others[0].free()
	check(not Performance.has_custom_monitor(&"wasgo 2/chunks"), "they go with their client")
	root.remove_child(client)
	check(not Performance.has_custom_monitor(&"wasgo/chunks"), "or when it leaves the tree")
	root.add_child(client)
	check(Performance.has_custom_monitor(&"wasgo/chunks"), "and come back with it")
	client.free()
	others[1].free()
	receiver.free()
	equal(Performance.get_custom_monitor_names().filter(func(name: StringName) -> bool: return str(name).begins_with("wasgo")).size(), 0, "none is left")
	return true


func _values() -> bool:
	var deep: Variant = 1
	for i: int in 57:
		deep = [deep]
	var itself := {}
	itself["self"] = itself
	var many := []
	many.resize(1_000_001)
	var nodes: Array[Node] = []
	for wrong: Variant in [door, Callable(), Signal(), RID(), [root], {1: root}, {root: 1}, deep, itself, many, nodes, EncodedObjectAsID.new()]:
		check(Client._Plain.wrong_with(wrong, "it") != "", "%s is not plain" % str(wrong).left(30))
	for right: Variant in [null, 1, "x", [], {}, deep[0], PackedByteArray([1]), [[{1: [2]}]], Transform3D.IDENTITY, ^"a:b", &"x", NAN]:
		equal(Client._Plain.wrong_with(right, "it"), "", "%s is plain" % str(right).left(30))
	return true


func _settings() -> bool:
	var given := {"wasgo/connection/url": "tcp://10.0.0.1:9", "wasgo/connection/world": "valley", "wasgo/connection/zone": "north",
			"wasgo/limits/tick_budget_ms": 3, "wasgo/limits/window_kilobytes": 128, "wasgo/limits/window_work_ms": 12.5, "wasgo/limits/max_frame_kilobytes": 1}
	for name: String in given:
		ProjectSettings.set_setting(name, given[name])
	var made := Client.new()
	equal([made.url, made.world, made.zone, made.tick_budget_ms, made.window_bytes, made.window_work_ms, made.max_frame_bytes],
			["tcp://10.0.0.1:9", "valley", "north", 3.0, 131_072, 12.5, 65_536], "a client starts with the project's settings")
	made.free()
	for name: String in given:
		ProjectSettings.set_setting(name, [])
	made = Client.new()
	equal([made.url, made.world, made.tick_budget_ms, made.window_bytes, made.max_frame_bytes],
			["tcp://127.0.0.1:7777", "", 6.0, 4_194_304, 67_108_864], "those that make no sense are passed over")
	made.free()
	for name: String in given:
		ProjectSettings.set_setting(name, null)
	return true
