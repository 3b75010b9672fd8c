extends "test_case.gd"
## WasgoClient against a sidecar on a real socket: the protocol, loss and return, hostile bytes.

const Client := preload("res://addons/wasgo/client.gd")
const Frames := preload("frames.gd")
const Sidecar := preload("sidecar.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

const PATIENCE := 4000

var sidecar: Sidecar
var world: World
var client: Client
var heard: Array[String] = []


func _initialize() -> void:
	run("client_test", [_opening, _pings_and_kinds, _numbered_frames, _reports, _pictures, _dribbled_bytes,
			_budget, _last_words, _a_large_frame, _refusals, _coming_back, _silence, _stopping, _hostile_bytes,
			_hostile_welcomes, _random_bytes] as Array[Callable])


# A world with a client that knows the sidecar; connected unless told otherwise.
func _fresh(is_connected := true) -> void:
	if world != null:
		world.free()
	sidecar = Sidecar.new()
	world = World.new()
	client = Client.new()
	client.port = sidecar.port()
	client.token = "secret"
	heard = []
	client.connected.connect(func(server: String) -> void: heard.append("connected " + server))
	client.disconnected.connect(func(reason: String) -> void: heard.append("disconnected " + reason))
	client.refused.connect(func(reason: String) -> void: heard.append("refused " + reason))
	client.bye_received.connect(func(reason: String) -> void: heard.append("bye " + reason))
	world.add_child(client)
	root.add_child(world)
	if is_connected:
		await _welcome()


func _welcome(heartbeat := 60_000) -> void:
	check(await _until(sidecar.accept), "the client connects")
	var hello := await _answer()
	equal(hello.get("t"), "hello", "the first frame")
	sidecar.send({"t": "welcome", "protocol": 1, "server": "test", "heartbeat_ms": heartbeat})
	check(await _until(func() -> bool: return client.state == Client.State.OPEN), "the client opens")


func _until(condition: Callable) -> bool:
	var end := Time.get_ticks_msec() + PATIENCE
	while Time.get_ticks_msec() < end:
		if condition.call():
			return true
		await process_frame
	return false


# The next frame of the client.
func _answer() -> Dictionary:
	var end := Time.get_ticks_msec() + PATIENCE
	while Time.get_ticks_msec() < end:
		var frame := sidecar.receive()
		if not frame.is_empty():
			return frame
		await process_frame
	return {}


# All answers up to the acknowledgement of number seq.
func _answers_to(seq: int) -> Array[Dictionary]:
	var all: Array[Dictionary] = []
	while true:
		var frame := await _answer()
		all.append(frame)
		if frame.is_empty() or (frame.get("t") == "ack" and frame.get("seq") == seq):
			break
	equal(all.back().get("t"), "ack", "frame %d is acknowledged" % seq)
	return all


func _opening() -> bool:
	await _fresh(false)
	check(await _until(sidecar.accept), "it connects by itself")
	var hello := await _answer()
	equal(hello.get("t"), "hello", "t")
	equal(hello.get("protocol"), 1, "protocol")
	equal(hello.get("token"), "secret", "token")
	check(typeof(hello.get("client")) == TYPE_STRING, "client")
	check(Sidecar.packed(hello).size() < 4096, "the hello is small")
	equal(client.send_frame({"t": "early"}), ERR_UNCONFIGURED, "no frames before the welcome")
	sidecar.send({"t": "welcome", "protocol": 1, "server": "wasgo test", "heartbeat_ms": 1000, "later": true})
	check(await _until(func() -> bool: return heard.has("connected wasgo test")), "connected is told")
	equal(client.send_frame({"t": "note", "x": 1}), OK, "frames after the welcome")
	equal(await _answer(), {"t": "note", "x": 1}, "the frame arrives")
	equal(client.send_frame({"x": 1}), ERR_INVALID_PARAMETER, "a frame without a kind")
	var large := PackedByteArray()
	large.resize(17 * 1024 * 1024)
	equal(client.send_frame({"t": "note", "x": large}), ERR_INVALID_PARAMETER, "a frame over the bound")
	return true


func _pings_and_kinds() -> bool:
	await _fresh()
	sidecar.send({"t": "ping", "time": -7_000_000_000})
	equal(await _answer(), {"t": "pong", "time": -7_000_000_000}, "a ping is answered")
	for odd: Dictionary in [{"t": "ping"}, {"t": "ping", "time": "x"}, {"t": "pong", "time": 1}, {"t": "welcome"},
			{"t": "of a later version", "x": []}, {"t": "report"}, {"t": "report", "id": "x"}, {"t": "picture", "id": null}]:
		sidecar.send(odd)
	sidecar.send({"t": "ping", "time": 2})
	equal(await _answer(), {"t": "pong", "time": 2}, "what makes no sense is passed over")
	return true


func _numbered_frames() -> bool:
	await _fresh()
	var kinds: Array[String] = []
	client.frame_received.connect(func(kind: String, _frame: Dictionary) -> void: kinds.append(kind))
	var bytes := PackedByteArray()
	var frames := [Frames.mesh("rock", 1), {"t": "spawn", "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY)]},
			{"t": "spawn", "nodes": "none"}, {"t": "later kind"}, Frames.chunk("a", Vector3.ZERO, 5, 5, 1.0, Frames.hills)]
	for i: int in frames.size():
		(frames[i] as Dictionary)["seq"] = i + 1
		bytes += Sidecar.packed(frames[i] as Dictionary)
	sidecar.send_raw(bytes)
	var answers := await _answers_to(5)
	var errors := answers.filter(func(frame: Dictionary) -> bool: return frame.get("t") == "error")
	equal(errors.size(), 1, "errors")
	equal(errors[0].get("seq"), 3, "the error's number")
	check((errors[0].get("message") as String).contains("nodes must be a Array"), "the error's words: %s" % errors[0].get("message"))
	equal(kinds, ["mesh", "spawn", "spawn", "later kind", "chunk"] as Array[String], "the kinds, in order")
	equal(world.count()["nodes"], 1, "nodes")
	equal(client.numbered_frames, 5, "numbered frames")
	equal(client.numbered_bytes, bytes.size(), "their bytes")
	# A number that is not the next one ends the connection.
	sidecar.send({"t": "clear", "seq": 7})
	check(await _until(func() -> bool: return heard.size() == 2), "a gap in the numbers ends the connection")
	check(heard[1].begins_with("disconnected frame number 7"), "and says so: " + heard[1])
	await _welcome()
	equal(world.count()["chunks"], 0, "a new connection starts empty")
	equal(world.count()["errors"], 0, "and counts anew")
	sidecar.send({"t": "clear", "seq": 1})
	await _answers_to(1)
	return true


func _reports() -> bool:
	await _fresh()
	var chunk := Frames.chunk("a", Vector3.ZERO, 65, 65, 1.0, Frames.hills)
	chunk["seq"] = 1
	var bad := {"t": "unload", "keys": [], "seq": 2}
	sidecar.send(chunk)
	sidecar.send(bad)
	sidecar.send({"t": "report", "id": 42})
	var report := {}
	while report.get("t") != "report":
		report = await _answer()
		if report.is_empty():
			break
	equal(report.get("id"), 42, "the report's id")
	equal(report.get("counts"), {"chunks": 1, "surfaces": 1, "vertices": 4225, "triangles": 8192, "colliders": 1,
			"instances": 0, "meshes": 0, "nodes": 0, "frames": 2,
			"bytes": Sidecar.packed(chunk).size() + Sidecar.packed(bad).size(), "rows": 0, "property_updates": 0,
			"errors": 1}, "the report's counts")
	return true


func _pictures() -> bool:
	await _fresh()
	for wrong: Dictionary in [{}, {"eye": Vector3.ZERO}, {"eye": Vector3.ONE, "target": Vector3.ONE, "fov": 60.0},
			{"eye": Vector3(NAN, 0, 0), "target": Vector3.ONE, "fov": 60.0}, {"eye": Vector3.ZERO, "target": Vector3.ONE, "fov": 180.0},
			{"eye": Vector3.ZERO, "target": Vector3.ONE, "fov": "x"}]:
		var frame := {"t": "picture", "id": 3}
		frame.merge(wrong)
		sidecar.send(frame)
		var answer := await _answer()
		equal(answer.get("t"), "picture", "the answer")
		equal(answer.get("id"), 3, "its id")
		check(typeof(answer.get("error")) == TYPE_STRING and not answer.has("png"), "an error in words: %s" % answer.get("error"))
	sidecar.send({"t": "picture", "id": 4, "eye": Vector3(0, 5, 5), "target": Vector3.ZERO, "fov": 60.0})
	var answer := await _answer()
	equal(answer.get("id"), 4, "the answer to what is right")
	if DisplayServer.get_name() == "headless":
		check((answer.get("error", "") as String).contains("without a display"), "there is no display: %s" % answer.get("error"))
		return true
	var image := Image.new()
	equal(image.load_png_from_buffer(answer.get("png", PackedByteArray()) as PackedByteArray), OK as Error, "a PNG")
	equal(image.get_size(), root.size, "of the window's size")
	return true


func _dribbled_bytes() -> bool:
	await _fresh()
	var bytes := Sidecar.packed({"t": "ping", "time": 1}) + Sidecar.packed({"t": "ping", "time": 2})
	for i: int in bytes.size():
		sidecar.send_raw(bytes.slice(i, i + 1))
		await process_frame
	equal(await _answer(), {"t": "pong", "time": 1}, "the first")
	equal(await _answer(), {"t": "pong", "time": 2}, "the second")
	return true


func _budget() -> bool:
	await _fresh()
	client.tick_budget_ms = 0.1
	var ticks := {}
	client.frame_received.connect(func(_kind: String, _frame: Dictionary) -> void: ticks[Engine.get_process_frames()] = true)
	var bytes := PackedByteArray()
	for i: int in 60:
		var frame := Frames.chunk(str(i), Vector3.ZERO, 17, 17, 1.0, Frames.hills)
		frame["seq"] = i + 1
		bytes += Sidecar.packed(frame)
	sidecar.send_raw(bytes)
	var answers := await _answers_to(60)
	check(ticks.size() > 5, "the work was spread over %d ticks" % ticks.size())
	check(answers.size() <= ticks.size(), "%d acknowledgements in %d ticks" % [answers.size(), ticks.size()])
	equal(world.count()["chunks"], 60, "nothing was lost")
	return true


func _last_words() -> bool:
	await _fresh()
	client.tick_budget_ms = 0.1
	var bytes := PackedByteArray()
	for i: int in 40:
		var frame := Frames.chunk(str(i), Vector3.ZERO, 9, 9, 1.0, Frames.hills)
		frame["seq"] = i + 1
		bytes += Sidecar.packed(frame)
	sidecar.send_raw(bytes + Sidecar.packed({"t": "bye", "reason": "done"}))
	check(await _until(func() -> bool: return heard.has("bye done")), "the bye after the frames is heard: %s" % str(heard))
	equal(heard[-1], "disconnected bye: done", "and the connection ends")
	equal(world.count()["chunks"], 40, "what was sent before it was applied")
	var is_over := func() -> bool:
		sidecar.receive()
		return sidecar.is_closed()
	check(await _until(is_over), "who hears bye closes the connection")
	await _welcome()
	return true


func _a_large_frame() -> bool:
	await _fresh()
	var frame := Frames.chunk("large", Vector3.ZERO, 3, 3, 1.0, Frames.slope)
	var ballast := PackedByteArray()
	ballast.resize(9_000_000)
	frame["extras"] = {"ballast": ballast}
	frame["seq"] = 1
	var bytes := Sidecar.packed(frame)
	# More than the socket takes at once: the sidecar must not wait for a client in the same thread.
	var sent := 0
	while sent < bytes.size():
		var result := sidecar.socket.put_partial_data(bytes.slice(sent, sent + 262_144))
		equal(result[0], OK as Error, "sending")
		sent += result[1] as int
		await process_frame
	await _answers_to(1)
	equal((world.get_chunk("large").get_meta("extras")["ballast"] as PackedByteArray).size(), 9_000_000, "what arrived")
	client.max_frame_bytes = 8_000_000
	sidecar.send_raw(Sidecar.length_field(8_000_001))
	check(await _until(func() -> bool: return heard.size() == 2), "more than the limit is refused from its length alone")
	check(heard[1].contains("8000001"), "and says so: " + heard[1])
	return true


func _refusals() -> bool:
	await _fresh(false)
	check(await _until(sidecar.accept), "connects")
	sidecar.send({"t": "refuse", "reason": "full"})
	check(await _until(func() -> bool: return heard.has("refused full")), "refused is told")
	check(await _until(sidecar.accept), "after full it tries again")
	sidecar.send({"t": "refuse", "reason": "token"})
	check(await _until(func() -> bool: return heard.has("refused token")), "refused is told")
	equal(client.state, Client.State.CLOSED, "a token that is wrong stays wrong")
	equal(heard, ["refused full", "refused token"] as Array[String], "it was never connected")
	client.start()
	await _welcome()
	return true


func _coming_back() -> bool:
	await _fresh()
	sidecar.send({"t": "spawn", "seq": 1, "nodes": [Frames.node(1, "", Transform3D.IDENTITY)]})
	await _answers_to(1)
	sidecar.socket.disconnect_from_host()
	check(await _until(func() -> bool: return heard.size() == 2), "a lost connection is told")
	equal(world.count()["nodes"], 1, "the world stays until there is another")
	var since := Time.get_ticks_msec()
	await _welcome()
	check(Time.get_ticks_msec() - since < 2000, "and it comes back soon")
	equal(world.count()["nodes"], 0, "then the world is empty")
	# Where nobody listens it keeps trying.
	var port := sidecar.port()
	sidecar.server.stop()
	sidecar.socket.disconnect_from_host()
	check(await _until(func() -> bool: return client.last_problem.begins_with("cannot connect")), "nobody there: " + client.last_problem)
	sidecar.server.listen(port, "127.0.0.1")
	await _welcome()
	# Names are looked up without waiting.
	client.stop()
	client.address = "localhost"
	client.start()
	await _welcome()
	return true


func _silence() -> bool:
	await _fresh(false)
	await _welcome(50)
	for i: int in 4:
		sidecar.send({"t": "ping", "time": i})
		equal((await _answer()).get("time"), i, "a pong")
	var since := Time.get_ticks_msec()
	check(await _until(func() -> bool: return heard.size() == 2), "silence ends the connection")
	check(Time.get_ticks_msec() - since >= 100, "but not at once")
	check(heard[1].begins_with("disconnected heard nothing"), "and says so: " + heard[1])
	return true


func _stopping() -> bool:
	await _fresh()
	client.stop("the test says so")
	equal(await _answer(), {"t": "bye", "reason": "the test says so"}, "bye is said")
	check(await _until(sidecar.is_closed), "the connection is closed")
	equal(heard[-1], "disconnected the test says so", "disconnected is told")
	equal(client.state, Client.State.CLOSED, "and there is no other")
	client.stop()
	client.start()
	await _welcome()
	# A listener may stop the client from within a frame.
	client.frame_received.connect(func(_kind: String, _frame: Dictionary) -> void: client.stop("enough"))
	sidecar.send_raw(Sidecar.packed({"t": "clear", "seq": 1}) + Sidecar.packed({"t": "clear", "seq": 2}))
	equal((await _answer()).get("reason"), "enough", "bye from within a frame")
	world.remove_child(client)
	client.free()
	client = null
	return true


# Bytes that are no frames, each of which ends a connection and no more.
func _blobs() -> Dictionary:
	var dictionary := var_to_bytes({"t": "ping", "time": 1})
	var object := PackedByteArray([24, 0, 0, 0, 4, 0, 0, 0]) + "Node".to_utf8_buffer() + PackedByteArray([0, 0, 0, 0])
	var deep: Variant = []
	for i: int in 80:
		deep = [deep]
	var deeper := PackedByteArray()
	for i: int in 3000:
		deeper += PackedByteArray([28, 0, 0, 0, 1, 0, 0, 0])
	var bad := {
		"nothing": PackedByteArray(), "a byte": PackedByteArray([1]), "zeros": PackedByteArray([0, 0, 0, 0]),
		"an unknown type": PackedByteArray([200, 0, 0, 0]), "a type with unknown flags": PackedByteArray([27, 0, 255, 255, 0, 0, 0, 0]),
		"a cut dictionary": dictionary.slice(0, dictionary.size() - 4), "an int": var_to_bytes(1), "null": var_to_bytes(null),
		"an array": var_to_bytes(["t", "ping"]), "no kind": var_to_bytes({"x": 1}), "an empty dictionary": var_to_bytes({}),
		"a kind that is a number": var_to_bytes({"t": 1}), "a kind that is null": var_to_bytes({"t": null}),
		"keys of numbers": var_to_bytes({1: 2}), "a kind under a typed key": var_to_bytes(Dictionary({1: 2}, TYPE_INT, &"", null, TYPE_INT, &"", null)),
		"an object": object, "an object inside": PackedByteArray([27, 0, 0, 0, 1, 0, 0, 0]) + var_to_bytes("t") + object,
		"deep arrays": var_to_bytes({"t": "x", "deep": deep}), "deeper arrays": deeper,
		"a number that is text": var_to_bytes({"t": "clear", "seq": "1"}), "a number that is null": var_to_bytes({"t": "clear", "seq": null}),
		"a number that is an array": var_to_bytes({"t": "clear", "seq": [1]}), "number 0": var_to_bytes({"t": "clear", "seq": 0}),
		"number 2": var_to_bytes({"t": "clear", "seq": 2}), "number 1.0": var_to_bytes({"t": "clear", "seq": 1.0}),
	}
	# Every type with a count that its bytes cannot hold.
	for type: int in TYPE_MAX:
		for count: int in [2147483647, -1, 0x10000000]:
			var bytes := PackedByteArray([type, 0, 0, 0, 0, 0, 0, 0])
			bytes.encode_s32(4, count)
			bad["type %d with %d of something" % [type, count]] = bytes
	var raw := {}
	for name: String in bad:
		var bytes: PackedByteArray = bad[name]
		raw[name] = Sidecar.length_field(bytes.size()) + bytes
	raw["a length of 4 GiB"] = PackedByteArray([255, 255, 255, 255])
	raw["a length over the limit"] = PackedByteArray([4, 0, 0, 1])
	raw["HTTP"] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_utf8_buffer()
	return raw


func _hostile_bytes() -> bool:
	await _fresh()
	var blobs := _blobs()
	for name: String in blobs:
		var number := client.connection
		heard.clear()
		sidecar.send_raw(blobs[name] as PackedByteArray)
		check(await _until(func() -> bool: return not heard.is_empty()), "%s ends the connection" % name)
		client._retry_at = 0
		await _welcome()
		equal(client.connection, number + 1, "%s: another connection" % name)
	sidecar.send({"t": "ping", "time": 5})
	equal((await _answer()).get("time"), 5, "all is well after that")
	return true


func _hostile_welcomes() -> bool:
	await _fresh(false)
	var welcome := {"t": "welcome", "protocol": 1, "server": "s", "heartbeat_ms": 1000}
	var wrong: Array[Dictionary] = [{"t": "clear", "seq": 1}, {"t": "ping", "time": 1}, {"t": "welcome"}]
	for key: String in ["protocol", "server", "heartbeat_ms"]:
		for value: Variant in [null, "", 0, -1, 2.5, NAN, [], {}, 9223372036854775807]:
			if key == "server" and typeof(value) == TYPE_STRING:
				continue
			wrong.append(Frames.with(welcome, [key], value))
	for frame: Dictionary in wrong:
		check(await _until(sidecar.accept), "the client connects")
		client.last_problem = ""
		# The pauses between attempts grow; this test is not about them.
		client._pause_ms = 1
		sidecar.send(frame)
		check(await _until(func() -> bool: return client.last_problem != ""), "%s is not accepted" % str(frame))
	equal(heard, [] as Array[String], "it was never connected")
	await _welcome()
	return true


# Frames with some of their bytes changed, from a fixed seed. Whatever comes of one, the client goes on.
func _random_bytes() -> bool:
	await _fresh()
	# The pause before each attempt is left out here, as it is above.
	var random := RandomNumberGenerator.new()
	random.seed = 7_007
	var chunk := Frames.chunk("a", Vector3.ZERO, 4, 4, 1.0, Frames.hills)
	chunk["seq"] = 1
	var good := var_to_bytes(chunk)
	for round: int in 150:
		var bytes := good.duplicate()
		for i: int in random.randi_range(1, 6):
			# The front holds most of the structure.
			var end := bytes.size() if random.randi() % 2 == 0 else mini(96, bytes.size())
			bytes[random.randi() % end] = random.randi() & 255
		sidecar.send_raw(Sidecar.length_field(bytes.size()) + bytes)
		# Ends the connection if the bytes did not: number 0 is never due.
		sidecar.send({"t": "clear", "seq": 0})
		var number := client.connection
		check(await _until(func() -> bool: return client.state != Client.State.OPEN), "round %d ends" % round)
		client._retry_at = 0
		await _welcome()
		equal(client.connection, number + 1, "round %d: another connection" % round)
	return true
