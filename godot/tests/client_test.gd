extends "client_case.gd"
## WasgoClient against a sidecar on a real socket: opening, frames in order, loss and return.


func _initialize() -> void:
	run("client_test", [_opening, _pings_and_kinds, _live_frames, _dribbled_bytes, _live_budget, _last_words,
			_a_large_frame, _coming_back, _pauses, _silence, _stopping, _resuming] as Array[Callable])


func _opening() -> bool:
	await fresh(false)
	client.world = "valley"
	client.zone = "north"
	root.add_child(client)
	check(await until(sidecar.accept), "it connects by itself")
	equal(client.send_frame({"t": "early"}), ERR_UNCONFIGURED, "no frames before the welcome")
	var hello := await answer()
	equal(hello.get("t"), "hello", "t")
	equal(hello.get("protocol"), 2, "protocol")
	equal(hello.get("protocol_min"), 2, "protocol_min")
	equal((hello.get("nonce") as PackedByteArray).size(), 32, "nonce")
	equal(hello.get("world"), "valley", "world")
	equal(hello.get("zone"), "north", "zone")
	equal(hello.get("accepts"), PackedStringArray(["zstd"]), "accepts")
	check((hello.get("client") as String).contains("Godot 4"), "client")
	check(not var_to_bytes(hello).get_string_from_ascii().contains(Sidecar.TOKEN), "the token stays here")
	check(Sidecar.packed(hello).size() < 4096, "the hello is small")
	sidecar.challenge({"later": true})
	equal((await answer()).get("proof"), sidecar.proof_of("wasgo 2 engine"), "proof")
	var welcome := sidecar.welcome()
	welcome["later"] = true
	sidecar.send(welcome)
	check(await until(func() -> bool: return heard.has("connected test")), "connected is told")
	equal((await any_answer()).get("t"), "resume", "the first frame of a connection with a world")
	check((await any_answer()).get("t") == "credit" and sidecar.credit["bytes"] == client.window_bytes, "then credit")
	equal(client.send_frame({"t": "note", "x": 1}), OK, "frames after the welcome")
	equal(await answer(), {"t": "note", "x": 1}, "the frame arrives")
	equal(client.send_frame({"x": 1}), ERR_INVALID_PARAMETER, "a frame without a kind")
	var large := PackedByteArray()
	large.resize(17 * 1024 * 1024)
	equal(client.send_frame({"t": "note", "x": large}), ERR_INVALID_PARAMETER, "a frame over the bound")
	large.resize(15 * 1024 * 1024)
	equal(client.send_frame({"t": "note", "x": large}), OK, "a large one")
	equal(client.send_frame({"t": "note", "x": large}), OK, "another")
	equal(client.send_frame({"t": "note", "x": large}), ERR_OUT_OF_MEMORY, "and no more than may wait")
	return true


func _pings_and_kinds() -> bool:
	await fresh()
	sidecar.send({"t": "ping", "time": -7_000_000_000})
	equal(await answer(), {"t": "pong", "time": -7_000_000_000}, "a ping is answered")
	for odd: Dictionary in [{"t": "ping"}, {"t": "ping", "time": "x"}, {"t": "pong", "time": 1}, {"t": "welcome"}, {"t": "challenge"},
			{"t": "of a later version", "x": []}, {"t": "answer"}, {"t": "answer", "id": 5, "value": 1}, {"t": "call"}, {"t": "export"}]:
		sidecar.send(odd)
	sidecar.send({"t": "ping", "time": 2})
	equal(await answer(), {"t": "pong", "time": 2}, "what makes no sense is passed over")
	return true


func _live_frames() -> bool:
	await fresh()
	var kinds: Array[String] = []
	client.frame_received.connect(func(kind: String, frame: Dictionary) -> void:
		kinds.append(kind)
		if kind == "bad":
			client.reject(frame, "it is bad"))
	var bytes := PackedByteArray()
	for kind: String in ["mesh", "spawn", "bad", "later kind", "rows"]:
		bytes += Sidecar.packed({"t": kind, "seq": kinds.size() + 1} if kind == "" else {"t": kind, "seq": ["mesh", "spawn", "bad", "later kind", "rows"].find(kind) + 1})
	sidecar.send_raw(bytes)
	var answers := await answers_to(5)
	var errors := errors_in(answers)
	equal(errors, [{"t": "error", "seq": 3, "message": "it is bad"}] as Array[Dictionary], "errors")
	equal(answers.back(), {"t": "ack", "seq": 5, "bulk": 0, "work": 0}, "the acknowledgement")
	equal(kinds, ["mesh", "spawn", "bad", "later kind", "rows"] as Array[String], "the kinds, in order")
	equal(client.numbered_frames, 5, "numbered frames")
	equal(client.numbered_bytes, bytes.size(), "their bytes")
	equal(client.rejected_frames, 1, "rejected frames")
	for wrong: Variant in [7, 5, 0, -1, "6", null, 6.0, [6]]:
		sidecar.send({"t": "clear", "seq": wrong})
		check((await ending("number %s" % str(wrong))).begins_with("number"), "and it says so: " + client.last_problem)
		await again()
		sidecar.send_raw(Sidecar.packed({"t": "clear", "seq": 1}) + Sidecar.packed({"t": "clear", "seq": 2}) + Sidecar.packed({"t": "clear", "seq": 3})
				+ Sidecar.packed({"t": "clear", "seq": 4}) + Sidecar.packed({"t": "clear", "seq": 5}))
		await answers_to(5)
	sidecar.send({"t": "clear", "seq": 6, "bulk": 1})
	check((await ending("a frame of both lanes")).contains("both lanes"), "and it says so: " + client.last_problem)
	return true


func _dribbled_bytes() -> bool:
	await fresh()
	var bytes := Sidecar.packed({"t": "ping", "time": 1}) + Sidecar.packed(Sidecar.compressed({"t": "ping", "time": 2}))
	for i: int in bytes.size():
		sidecar.send_raw(bytes.slice(i, i + 1))
		await process_frame
	equal(await answer(), {"t": "pong", "time": 1}, "the first")
	equal(await answer(), {"t": "pong", "time": 2}, "the second")
	return true


func _busy(usec: int) -> void:
	var end := Time.get_ticks_usec() + usec
	while Time.get_ticks_usec() < end:
		pass


func _live_budget() -> bool:
	await fresh()
	client.tick_budget_ms = 0.5
	var ticks := {}
	client.frame_received.connect(func(_kind: String, _frame: Dictionary) -> void:
		ticks[Engine.get_process_frames()] = true
		_busy(200))
	var bytes := PackedByteArray()
	for i: int in 60:
		bytes += Sidecar.packed({"t": "rows", "seq": i + 1})
	sidecar.send_raw(bytes)
	var answers := await answers_to(60)
	check(ticks.size() >= 15, "the work was spread over %d ticks" % ticks.size())
	check(answers.size() <= ticks.size(), "%d acknowledgements in %d ticks" % [answers.size(), ticks.size()])
	return true


func _last_words() -> bool:
	await fresh()
	client.tick_budget_ms = 0.1
	var count: Array[int] = [0]
	client.frame_received.connect(func(_kind: String, _frame: Dictionary) -> void:
		count[0] += 1
		_busy(200))
	var bytes := PackedByteArray()
	for i: int in 40:
		bytes += Sidecar.packed({"t": "rows", "seq": i + 1})
	sidecar.send_raw(bytes + Sidecar.packed({"t": "bye", "reason": "done"}) + Sidecar.packed({"t": "rows", "seq": 41}))
	check(await until(func() -> bool: return heard.has("bye done")), "the bye after the frames is heard: %s" % str(heard))
	equal(heard[-1], "disconnected bye: done", "and the connection ends")
	equal(count[0], 40, "what was sent before it was applied, and nothing after it")
	check(await until(sidecar.is_closed), "who hears bye closes the connection")
	await again()
	# What arrived before the other side closed is dealt with too.
	sidecar.send_raw(bytes)
	sidecar.disconnect_now()
	check((await ending("closing")).contains("closed the connection"), "a connection that is closed ends: " + client.last_problem)
	equal(count[0], 80, "all that had arrived was applied")
	return true


func _a_large_frame() -> bool:
	await fresh()
	var ballast := PackedByteArray()
	ballast.resize(9_000_000)
	var sizes: Array[int] = []
	client.frame_received.connect(func(_kind: String, frame: Dictionary) -> void: sizes.append((frame["ballast"] as PackedByteArray).size()))
	sidecar.send({"t": "mesh", "seq": 1, "ballast": ballast})
	await answers_to(1)
	equal(sizes, [9_000_000] as Array[int], "what arrived")
	client.max_frame_bytes = 8_000_000
	sidecar.send_raw(Sidecar.length_field(8_000_001))
	check((await ending("more than the limit")).contains("8000001"), "its length alone ends the connection: " + client.last_problem)
	return true


func _coming_back() -> bool:
	await fresh()
	sidecar.disconnect_now()
	check(await until(func() -> bool: return heard.size() == 2), "a lost connection is told")
	await greet()
	equal(client.connection, 2, "and it comes back by itself")
	# Where nobody listens it keeps trying.
	var port := sidecar.port()
	sidecar.stop_listening()
	sidecar.disconnect_now()
	check(await until(func() -> bool: return client.last_problem.begins_with("cannot connect")), "nobody there: " + client.last_problem)
	sidecar.server.listen(port, "127.0.0.1")
	await greet()
	# Names are looked up without waiting.
	client.stop()
	client.url = "tcp://localhost:%d/" % port
	client.start()
	await greet()
	client.stop()
	for wrong: String in ["", "127.0.0.1:7777", "http://127.0.0.1:1", "tcp://", "tcp://:80", "tcp://a:0", "tcp://a:65536", "tcp://a:x", "tcp://a b:1",
			"tcp://a/b:1", "tls://", "unix://", "unix://run/x", "://", "ws://", "wss://:1/x", "ws://a:0", "ws://a:99999/x", "ws:///x", "ws://a b/x",
			"ws://a/x y", "ws://a/x\r\nHost: b"]:
		client.url = wrong
		client.start()
		equal(client.state, Client.State.CLOSED, "\"%s\" is no place" % wrong)
		check(client.last_problem.contains("\"%s" % wrong), "and it says so: " + client.last_problem)
	client.url = "tcp://[::1]:1"
	client.start()
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "an IPv6 address is a place: " + client.last_problem)
	return true


# A connection that breaks as soon as it is there is made ever more seldom.
func _pauses() -> bool:
	await fresh()
	client._opened_at = Time.get_ticks_msec() + 60_000
	var pauses: Array[int] = []
	for round: int in 6:
		sidecar.send_raw(Sidecar.length_field(0))
		await ending("a frame of nothing")
		sidecar.disconnect_now()
		var least: int = [250, 500, 1000, 2000, 4000, 5000][round]
		check(client._retry_at - Time.get_ticks_msec() <= least * 1.25, "pause %d is %d ms" % [round, client._retry_at - Time.get_ticks_msec()])
		# A connection that lasts for as long would be a good one, and this one may on a slow machine.
		pauses.append(client._pause_ms)
		client._retry_at = 0
		await greet()
		client._opened_at = Time.get_ticks_msec() + 60_000
	equal(pauses, [500, 1000, 2000, 4000, 5000, 5000] as Array[int], "the pauses that follow")
	# One that lasted is made again soon.
	client._opened_at = Time.get_ticks_msec() - 6000
	sidecar.disconnect_now()
	await ending("closing")
	check(client._retry_at - Time.get_ticks_msec() <= 313, "after a good connection the pause is short")
	return true


func _silence() -> bool:
	var to := Sidecar.new()
	to.heartbeat_ms = 400
	await fresh(true, to)
	for i: int in 4:
		sidecar.send({"t": "ping", "time": i})
		equal((await answer()).get("time"), i, "a pong")
	var since := Time.get_ticks_msec()
	check((await ending("silence")).begins_with("heard nothing"), "and it says so: " + client.last_problem)
	check(Time.get_ticks_msec() - since >= 1000, "but not at once")
	return true


func _stopping() -> bool:
	await fresh()
	client.stop("the test says so")
	equal(await answer(), {"t": "bye", "reason": "the test says so"}, "bye is said")
	check(await until(sidecar.is_closed), "the connection is closed")
	equal(heard[-1], "disconnected the test says so", "disconnected is told")
	equal(client.state, Client.State.CLOSED, "and there is no other")
	client.stop()
	client.start()
	await greet()
	# A listener may stop the client from within a frame, and start it again.
	client.frame_received.connect(func(kind: String, _frame: Dictionary) -> void:
		client.stop("enough")
		if kind == "again":
			client.start())
	sidecar.send_raw(Sidecar.packed({"t": "clear", "seq": 1}) + Sidecar.packed({"t": "clear", "seq": 2}))
	equal((await answer()).get("reason"), "enough", "bye from within a frame")
	client.start()
	await greet()
	sidecar.send_raw(Sidecar.packed({"t": "again", "bulk": 1}) + Sidecar.packed({"t": "again", "seq": 1}))
	equal((await answer()).get("reason"), "enough", "bye from within a frame, and another start")
	await greet()
	root.remove_child(client)
	equal((await answer()).get("reason"), "the node left the tree", "leaving the tree is said too")
	root.add_child(client)
	await greet()
	return true


func _resuming() -> bool:
	await fresh(false)
	var receiver := preload("receiver.gd").new()
	client.receiver = receiver
	client.world = "valley"
	root.add_child(client)
	await greet()
	equal(receiver.log, ["opened world 1 false", "resume"] as Array[String], "a world that is new")
	equal(await answer(), {"t": "resume", "rev": 0, "keys": PackedStringArray(), "hashes": PackedByteArray(), "meshes": PackedStringArray(),
			"mesh_hashes": PackedByteArray(), "have": PackedByteArray(), "keeps": false}, "nothing is held")
	receiver.fields = {"t": "other", "rev": 5, "keys": PackedStringArray(["a"])}
	receiver.log.clear()
	client._end("for the test", true)
	await again()
	equal(receiver.log, ["opened world 1 true", "resume"] as Array[String], "the same world")
	var resume := await answer()
	equal([resume.get("t"), resume.get("rev"), resume.get("keys"), resume.get("have")], ["resume", 5, PackedStringArray(["a"]), PackedByteArray()], "what is held")
	receiver.log.clear()
	sidecar.identity = "world 2"
	client._end("for the test", true)
	await again()
	equal(receiver.log[0], "opened world 2 false", "another world under the same name")
	# What cannot be said as a whole is not said.
	var much := PackedByteArray()
	much.resize(17_000_000)
	receiver.fields = {"have": much}
	receiver.log.clear()
	client._end("for the test", true)
	await again()
	equal(receiver.log.slice(0, 3), ["opened world 2 true", "resume", "opened world 2 false"] as Array[String], "more than fits into a frame")
	client.world = ""
	receiver.log.clear()
	client._end("for the test", true)
	await again()
	equal(receiver.log, ["opened  false"] as Array[String], "no world")
	client.send_frame({"t": "note"})
	equal((await answer()).get("t"), "note", "no resume without a world")
	client.free()
	receiver.free()
	return true
