extends "test_case.gd"
## WasgoScript: what the sidecar is told of scripts and their notifications, and what it may set.

const Client := preload("res://addons/wasgo/client.gd")
const Script_ := preload("res://addons/wasgo/script_node.gd")
const Scripts := preload("res://addons/wasgo/scripts.gd")

## Keeps what is sent, and is open when the test says so.
class Double:
	extends "res://addons/wasgo/client.gd"
	var sent: Array[Dictionary] = []
	var opened := false

	func _init() -> void:
		auto_connect = false

	func _process(_delta: float) -> void:
		pass

	func is_open() -> bool:
		return opened

	func send_frame(frame: Dictionary) -> Error:
		if not opened:
			return ERR_UNCONFIGURED
		sent.append(bytes_to_var(var_to_bytes(frame)) as Dictionary)
		return OK

	func reject(_frame: Dictionary, _message: String) -> void:
		rejected_frames += 1

	func open() -> void:
		opened = true
		connection += 1

	func take(kind: String) -> Array[Dictionary]:
		var taken := sent.filter(func(frame: Dictionary) -> bool: return frame["t"] == kind)
		sent = sent.filter(func(frame: Dictionary) -> bool: return frame["t"] != kind)
		return taken


var client: Double
var hub: Scripts


func _initialize() -> void:
	run("scripts_test", [_attached, _attached_again, _waits_for_a_client, _time, _physics_and_pause, _other_notifications, _own_notifications, _rows_are_set,
			_rows_are_refused, _rows_that_are_wrong, _answers, _two_clients, _clients_that_go, _many] as Array[Callable])


func _fresh() -> void:
	for child: Node in root.get_children():
		child.free()
	client = Double.new()
	root.add_child(client)
	hub = Scripts.of(client)


func _scripted(script_name: String, more: Dictionary = {}) -> Script_:
	var parent := Node3D.new()
	parent.name = "Thing"
	var lamp := OmniLight3D.new()
	lamp.name = "Lamp"
	parent.add_child(lamp)
	var script := Script_.new()
	script.script_name = script_name
	script.forward = 0
	for key: String in more:
		script.set(key, more[key])
	parent.add_child(script)
	root.add_child(parent)
	return script


func _ticks(count := 3) -> void:
	for i: int in count:
		await process_frame


# All notifications that were sent: [id, what, args].
func _notifications() -> Array[Array]:
	var found: Array[Array] = []
	for frame: Dictionary in client.take("notify"):
		for i: int in (frame["ids"] as PackedInt64Array).size():
			found.append([frame["ids"][i], frame["whats"][i], frame["args"][i]])
	return found


func _attached() -> bool:
	_fresh()
	var script := _scripted("sway", {"state_key": "tree 7"})
	await _ticks()
	equal(client.sent.size(), 0, "nothing before the connection is open")
	client.open()
	await _ticks()
	var id := script._attached.id
	equal(client.take("attach"), [{"t": "attach", "scripts": [{"id": id, "script": "sway", "node": "/root/Thing", "state": "tree 7"}]}] as Array[Dictionary], "told once")
	script.get_parent().free()
	await _ticks()
	equal(client.take("detach"), [{"t": "detach", "ids": PackedInt64Array([id])}] as Array[Dictionary], "and when it is no more")
	equal(client.sent.size(), 0, "and no more than that")
	return true


func _attached_again() -> bool:
	_fresh()
	client.open()
	var first := _scripted("a")
	await _ticks()
	var second := _scripted("b")
	await _ticks()
	equal(client.take("attach").size(), 2, "two, as they came")
	client.opened = false
	var third := _scripted("c")
	second.get_parent().free()
	await _ticks()
	client.open()
	await _ticks()
	var frames := client.take("attach")
	equal(frames.size(), 1, "after another connection one frame")
	equal((frames[0]["scripts"] as Array).map(func(told: Dictionary) -> String: return told["script"]), ["a", "c"], "with all that are there")
	equal(client.take("detach").size(), 0, "of those before it knows nothing")
	check(first._attached.id != third._attached.id, "numbers differ")
	# Out of the tree and in again.
	var parent := first.get_parent()
	root.remove_child(parent)
	root.add_child(parent)
	await _ticks()
	equal([client.take("detach").size(), client.take("attach").size()], [1, 1], "it has left and come again")
	return true


func _waits_for_a_client() -> bool:
	for child: Node in root.get_children():
		child.free()
	var early := _scripted("early")
	var gone := _scripted("gone")
	gone.get_parent().free()
	equal(early.notify(1), ERR_UNCONFIGURED, "there is no client")
	client = Double.new()
	root.add_child(client)
	hub = Scripts.of(client)
	client.open()
	await _ticks()
	var frames := client.take("attach")
	equal(frames.size(), 1, "the script that waited")
	equal((frames[0]["scripts"] as Array).size(), 1, "and only that")
	equal(early.notify(1), OK, "now there is one")
	return true


func _time() -> bool:
	_fresh()
	client.open()
	var script := _scripted("tick", {"forward": Script_.Forward.PROCESS, "hz": 50.0})
	var with_inputs := _scripted("tick", {"forward": Script_.Forward.PROCESS, "hz": 50.0, "inputs": PackedStringArray(["position:y", "nothing", "script"])})
	(with_inputs.get_parent() as Node3D).position = Vector3(0, 7, 0)
	var of := {script._attached.id: [], with_inputs._attached.id: []}
	var until := Time.get_ticks_msec() + 20_000
	while (of[script._attached.id] as Array).size() < 10 and Time.get_ticks_msec() < until:
		await process_frame
		for told: Array in _notifications():
			equal(told[1], Node.NOTIFICATION_PROCESS, "the time")
			(of[told[0]] as Array).append(told[2])
	check(Engine.get_process_frames() > 10, "ticks")
	for args: Array in of[script._attached.id]:
		equal(args.size(), 1, "seconds alone")
		check(args[0] >= 0.009, "no sooner than it is due: %s" % args[0])
	equal((of[with_inputs._attached.id] as Array).size(), (of[script._attached.id] as Array).size(), "both in one tick")
	var args: Array = of[with_inputs._attached.id][0]
	equal(args.slice(1), [7.0, null, null], "plain values of the parent")
	return true


func _physics_and_pause() -> bool:
	_fresh()
	client.open()
	var script := _scripted("tick", {"forward": Script_.Forward.PHYSICS_PROCESS | Script_.Forward.PAUSE, "hz": 240.0})
	while _notifications().is_empty():
		await physics_frame
	paused = true
	await physics_frame
	await _ticks()
	equal(_notifications().map(func(told: Array) -> int: return told[1]).filter(func(what: int) -> bool: return what == Node.NOTIFICATION_PAUSED).size(), 1, "paused")
	await physics_frame
	await physics_frame
	await _ticks()
	equal(_notifications().size(), 0, "no time while it is paused")
	paused = false
	await physics_frame
	await physics_frame
	await _ticks()
	var whats := _notifications().map(func(told: Array) -> int: return told[1])
	check(whats.has(Node.NOTIFICATION_UNPAUSED) and whats.has(Node.NOTIFICATION_PHYSICS_PROCESS), "and then again")
	script.get_parent().process_mode = Node.PROCESS_MODE_DISABLED
	await physics_frame
	await _ticks()
	check(_notifications().map(func(told: Array) -> int: return told[1]).has(Node.NOTIFICATION_DISABLED), "disabled")
	await physics_frame
	await physics_frame
	await _ticks()
	equal(_notifications().size(), 0, "no time while it is disabled")
	return true


func _other_notifications() -> bool:
	_fresh()
	client.open()
	var script := _scripted("all", {"forward": Script_.Forward.READY | Script_.Forward.TREE | Script_.Forward.VISIBILITY | Script_.Forward.TRANSFORM})
	var id := script._attached.id
	var parent: Node3D = script.get_parent()
	await _ticks()
	equal(_notifications(), [[id, Node.NOTIFICATION_ENTER_TREE, []], [id, Node.NOTIFICATION_READY, []]] as Array[Array], "entered and ready")
	parent.visible = false
	await _ticks()
	equal(_notifications(), [[id, Node3D.NOTIFICATION_VISIBILITY_CHANGED, [false]]] as Array[Array], "hidden")
	parent.position = Vector3(1, 2, 3)
	var moved: Array[Array] = []
	while moved.is_empty():
		await process_frame
		moved = _notifications()
	equal(moved, [[id, Node3D.NOTIFICATION_TRANSFORM_CHANGED, [Transform3D(Basis.IDENTITY, Vector3(1, 2, 3))]]] as Array[Array], "moved")
	parent.free()
	await _ticks()
	equal(_notifications(), [[id, Node.NOTIFICATION_EXIT_TREE, []]] as Array[Array], "left")
	equal(client.take("detach").size(), 1, "and then it is no more")
	return true


func _own_notifications() -> bool:
	_fresh()
	var script := _scripted("own")
	for i: int in 20_000:
		if script.notify(5000, [1]) != OK:
			fail("notification %d" % i)
	equal(hub._ids.size(), 0, "without a connection it is forgotten")
	client.open()
	await _ticks()
	equal(_notifications().size(), 0, "forgotten")
	equal(script.notify(5000, [1, "x", Vector3.ONE, {"a": [true]}]), OK, "plain values")
	for wrong: Variant in [script, Callable(), NAN, [script], {"a": script}, RID()]:
		equal(script.notify(5000, [wrong]), ERR_INVALID_PARAMETER, "other values")
	await _ticks()
	equal(_notifications(), [[script._attached.id, 5000, [1, "x", Vector3.ONE, {"a": [true]}]]] as Array[Array], "sent")
	var results := {}
	for i: int in 20_000:
		results[script.notify(i)] = true
	equal(results, {OK: true, ERR_BUSY: true}, "a tick has its bound")
	await _ticks()
	equal(_notifications().size(), 16_384, "which is sent")
	equal(hub.dropped, 20_000 - 16_384, "and the rest counted")
	return true


func _rows(columns: Array[String], ids: Array[int], values: Array) -> String:
	var frame := {"t": "rows", "of": "scripts", "columns": PackedStringArray(columns), "ids": PackedInt64Array(ids), "values": values}
	var before := client.rejected_frames
	client.frame_received.emit("rows", frame)
	return "rejected" if client.rejected_frames > before else ""


func _rows_are_set() -> bool:
	_fresh()
	client.open()
	var script := _scripted("a", {"allowed": PackedStringArray(["position", "rotation:y", "visible", "Lamp:light_energy", "./Lamp:position", ".:scale"])})
	var parent: Node3D = script.get_parent()
	var lamp: OmniLight3D = parent.get_node("Lamp")
	var id := script._attached.id
	equal(_rows(["position:x", "position:y", "position:z", "Lamp:light_energy"], [id, 999_999],
			[PackedFloat32Array([1, 9]), PackedFloat32Array([2, 9]), PackedFloat32Array([3, 9]), PackedFloat64Array([4, 9])]), "", "rows")
	equal(parent.position, Vector3(1, 2, 3), "the parent's place")
	near(lamp.light_energy, 4.0, 1e-6, "a property of a node below")
	equal(_rows(["position", "rotation:y", "visible", "Lamp:position:x", "scale"], [id],
			[PackedVector3Array([Vector3(4, 5, 6)]), PackedFloat64Array([0.5]), PackedInt64Array([0]), [7], [Vector3(2, 2, 2)]]), "", "rows")
	equal([parent.position, parent.visible, lamp.position.x], [Vector3(4, 5, 6), false, 7.0], "all of them")
	near(parent.rotation.y, 0.5, 1e-6, "a part")
	near(parent.scale.x, 2.0, 1e-6, "the parent's, plainly")
	equal(_rows(["position:x", "position:z"], [id], [[null], [8]]), "", "rows")
	equal(parent.position, Vector3(4, 5, 8), "null leaves a part alone")
	equal([hub.rows.rows, hub.rows.updates, hub.rows.refused], [3, 10, 0], "counts")
	# The lamp is another one now.
	lamp.free()
	equal(_rows(["Lamp:light_energy"], [id], [PackedFloat64Array([1])]), "", "no lamp")
	equal(hub.rows.refused, 1, "is counted")
	var other := OmniLight3D.new()
	other.name = "Lamp"
	parent.add_child(other)
	var waited_since := Time.get_ticks_msec()
	while Time.get_ticks_msec() - waited_since <= 1000:
		await process_frame
	equal(_rows(["Lamp:light_energy"], [id], [PackedFloat64Array([6])]), "", "another lamp")
	near(other.light_energy, 6.0, 1e-6, "is set")
	return true


func _rows_are_refused() -> bool:
	_fresh()
	client.open()
	var script := _scripted("a", {"allowed": PackedStringArray(["rotation:y", "Lamp:light_color", "script", "Lamp", "../Thing:name", ""])})
	var parent: Node3D = script.get_parent()
	var id := script._attached.id
	var before := hub.rows.refused
	for column: String in ["position", "position:x", "rotation", "rotation:x", "name", "script", "script:source_code", "owner", "Lamp", "Lamp:light_energy", "Lamp:script",
			"../Thing:position", "/root/Thing:position", "/root:title", "..:name", "", ":", "%Lamp:light_energy", "nothing", "Lamp/nothing:x", "rotation:y:z", "Lamp:",
			"process_mode", "multiplayer", "Lamp:light_color:script"]:
		equal(_rows([column], [id], [[1.0]]), "", "a column that is not allowed")
		before += 1
		equal(hub.rows.refused, before, "\"%s\" is passed over and counted" % column)
	equal(_rows(["rotation:y", "Lamp:light_color"], [id], [["x"], [Vector3.ONE]]), "", "values that do not fit")
	equal(hub.rows.refused, before + 2, "are counted too")
	equal(_rows(["rotation:x", "rotation:y", "rotation:z"], [id], [PackedFloat32Array([1]), PackedFloat32Array([0.5]), PackedFloat32Array([1])]), "", "a vector")
	check(parent.rotation.is_equal_approx(Vector3(0, 0.5, 0)), "of which one part is allowed")
	equal(hub.rows.refused, before + 4, "and two are not")
	equal(String(parent.name), "Thing", "the name stays")
	check(parent.get_script() == null, "and there is no script")
	return true


func _rows_that_are_wrong() -> bool:
	_fresh()
	client.open()
	var script := _scripted("a")
	var id := script._attached.id
	for wrong: Array in [[["position:x"], [id], [PackedFloat32Array([NAN])]], [["position"], [id], [PackedVector3Array([Vector3.INF])]], [["position"], [id], []],
			[["position"], [id, id], [PackedVector3Array([Vector3.ONE])]], [["position"], [id], [PackedByteArray([1])]], [["k".repeat(1025)], [id], [[1]]]]:
		var columns: Array[String] = []
		columns.assign(wrong[0] as Array)
		var ids: Array[int] = []
		ids.assign(wrong[1] as Array)
		equal(_rows(columns, ids, wrong[2] as Array), "rejected", "%s" % str(wrong[2]).left(40))
	for frame: Dictionary in [{}, {"columns": 1}, {"columns": PackedStringArray(), "ids": []}, {"columns": PackedStringArray(), "ids": PackedInt64Array(), "values": 1}]:
		frame["of"] = "scripts"
		check(hub.apply(frame) != "", "fields that are wrong")
	equal((script.get_parent() as Node3D).position, Vector3.ZERO, "nothing was set")
	return true


func _answers() -> bool:
	_fresh()
	client.open()
	var script := _scripted("a", {"forward": Script_.Forward.PROCESS, "hz": 240.0})
	var other := _scripted("b", {"forward": Script_.Forward.PROCESS, "hz": 240.0})
	var told := []
	script.attached.connect(func(error: String) -> void: told.append(error))
	await _ticks()
	var ids := PackedInt64Array([script._attached.id, other._attached.id])
	for wrong: Dictionary in [{}, {"ids": ids}, {"ids": ids, "errors": PackedStringArray(["x"]), "whats": []}, {"ids": ids, "errors": 1, "whats": 1},
			{"ids": ids, "errors": PackedStringArray(["x", "y"]), "whats": [1, 2]}, {"ids": PackedInt64Array([77]), "errors": PackedStringArray(["x"]), "whats": [PackedInt32Array()]}]:
		client.frame_received.emit("attached", wrong)
	equal(told, [], "answers that are wrong")
	client.frame_received.emit("attached", {"ids": ids, "errors": PackedStringArray(["there is no script a", ""]), "whats": [PackedInt32Array(), PackedInt32Array([5000])]})
	equal(told, ["there is no script a"], "an answer")
	equal(script.error, "there is no script a", "is kept")
	await _ticks()
	_notifications()
	await _ticks(10)
	equal(_notifications().size(), 0, "neither wants the time")
	script.notify(5000)
	other.notify(5000)
	other.notify(5001)
	await _ticks()
	equal(_notifications(), [[ids[1], 5000, []]] as Array[Array], "one wants this")
	return true


func _two_clients() -> bool:
	_fresh()
	var second := Double.new()
	second.name = "Second"
	root.add_child(second)
	Scripts.of(second)
	client.open()
	second.open()
	_scripted("any")
	_scripted("named", {"client_path": second.get_path()})
	await _ticks()
	equal([client.take("attach").size(), second.take("attach").size()], [1, 1], "each by its own client")
	client.free()
	_scripted("left")
	await _ticks()
	equal(second.take("attach").size(), 1, "and by the one that is left")
	return true


func _attached_by(of: Double) -> Array:
	var names := []
	for frame: Dictionary in of.take("attach"):
		for script: Dictionary in frame["scripts"]:
			names.append(script["script"])
	names.sort()
	return names


# Scripts go to the client that is nearest of those that are left, and are told where there is none.
func _clients_that_go() -> bool:
	_fresh()
	var second := Double.new()
	second.name = "Second"
	var others: Array[Script_] = [_scripted("any", {"forward": Script_.Forward.READY}), _scripted("named", {"client_path": client.get_path()})]
	root.add_child(second)
	Scripts.of(second)
	# A world above counts before any other client.
	var world := Node3D.new()
	world.set_meta(Scripts.META, Scripts.of(second))
	root.add_child(world)
	var inside := _scripted("inside")
	inside.get_parent().reparent(world)
	client.open()
	second.open()
	await _ticks()
	equal([_attached_by(client), _attached_by(second)], [["any", "named"], ["inside"]], "each by its own")
	hub._on_frame_received("attached", {"t": "attached", "ids": PackedInt64Array([others[0]._attached.id]), "errors": PackedStringArray(["no such script"]),
			"whats": [PackedInt32Array()]})
	equal(others[0].error, "no such script", "what its sidecar says")
	var told: Array[String] = []
	for script: Script_ in others + [inside] as Array[Script_]:
		script.attached.connect(func(error: String) -> void: told.append("%s: %s" % [script.script_name, error]))
	second.take("notify")
	client.free()
	await _ticks()
	equal(_attached_by(second), ["any"], "the other client has it")
	equal([others[0].error, (second.take("notify")[0]["whats"] as PackedInt32Array)[0]], ["", Node.NOTIFICATION_READY], "where it begins anew")
	equal(told, ["named: there is no WasgoClient at /root/%s" % others[1].client_path.get_name(1)] as Array[String], "what named another says so")
	equal(others[1].notify(5000), ERR_UNCONFIGURED as Error, "and can tell nobody")
	# The last one goes, and comes back.
	told.clear()
	root.remove_child(second)
	await _ticks()
	told.sort()
	equal(told, ["any: there is no WasgoClient", "inside: there is no WasgoClient"] as Array[String], "none is left")
	root.add_child(second)
	second.open()
	await _ticks()
	equal(_attached_by(second), ["any", "inside"], "it has them again")
	equal([others[0].error, inside.error], ["", ""], "and all is well")
	# One that is moved within the tree keeps its scripts.
	told.clear()
	second.reparent(world)
	await _ticks()
	equal([told, inside.error], [[] as Array[String], ""], "nobody was without it")
	# A world whose client is another one now.
	var third := Double.new()
	world.add_child(third)
	third.open()
	world.set_meta(Scripts.META, Scripts.of(third))
	second.free()
	await _ticks()
	equal(_attached_by(third), ["any", "inside"], "the world's new one has them")
	return true


func _many() -> bool:
	_fresh()
	client.open()
	var scripts: Array[Script_] = []
	var ids := PackedInt64Array()
	for i: int in 1000:
		scripts.append(_scripted("sway", {"forward": Script_.Forward.PROCESS}))
		ids.append(scripts[i]._attached.id)
	await _ticks()
	equal((client.take("attach")[0]["scripts"] as Array).size(), 1000, "all in one frame")
	var xs := PackedFloat32Array()
	xs.resize(1000)
	var frame := {"t": "rows", "of": "scripts", "columns": PackedStringArray(["position:x", "position:y", "position:z"]), "ids": ids, "values": [xs, xs, xs]}
	var single := {"t": "rows", "of": "scripts", "columns": PackedStringArray(["rotation:y"]), "ids": ids, "values": [xs]}
	for kind: Dictionary in [frame, single]:
		var best := 1 << 60
		for round: int in 10:
			var again: Dictionary = bytes_to_var(var_to_bytes(kind))
			var before := Time.get_ticks_usec()
			equal(hub.apply(again), "", "rows")
			best = mini(best, Time.get_ticks_usec() - before)
			await process_frame
		print("figure rows of 1,000 scripts, %d columns: %d us" % [(kind["columns"] as PackedStringArray).size(), best])
	client.take("notify")
	var most := 0
	var total := 0
	for round: int in 20:
		var before := Time.get_ticks_usec()
		hub._process(0.05)
		most = maxi(most, Time.get_ticks_usec() - before)
		total += Time.get_ticks_usec() - before
		equal(client.take("notify").size(), 1, "one frame of notifications")
	print("figure a tick that notifies 1,000 scripts: %d us on average, %d us at most (encoded and decoded again)" % [total / 20, most])
	equal(hub.rows.refused, 0, "nothing was refused")
	return true
