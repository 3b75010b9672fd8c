extends "client_case.gd"
## The two lanes: order, credit, worker threads, and frames that are compressed.

const Receiver := preload("receiver.gd")

var receiver: Receiver


func _initialize() -> void:
	run("client_lanes_test", [_bulk_frames, _order, _live_does_not_wait, _bulk_is_not_starved, _pieces_and_budget, _credit, _beyond_credit, _errors,
			_bulk_without_receiver, _bulk_numbers, _two_numbers, _a_bye_waits, _compressed, _compressed_wrongly, _many_on_workers,
			_receivers_that_go] as Array[Callable])


func _fresh() -> void:
	if is_instance_valid(receiver):
		receiver.free()
	await fresh(false)
	receiver = Receiver.new()
	root.add_child(receiver)
	client.receiver = receiver
	root.add_child(client)
	await greet()
	check(await until(func() -> bool:
		sidecar.receive()
		return sidecar.credit["bytes"] > 0), "credit comes first")
	receiver.log.clear()


# A chunk of about this many bytes.
func _chunk(number: int, bytes: int, changes := {}) -> Dictionary:
	var ballast := PackedByteArray()
	ballast.resize(bytes)
	var frame := {"bulk": number, "t": "chunk", "key": str(number), "ballast": ballast}
	frame.merge(changes)
	return frame


func _bulk_frames() -> bool:
	await _fresh()
	var bytes := 0
	for i: int in 6:
		var frame := _chunk(i + 1, [10, 100_000][i % 2] as int)
		bytes += Sidecar.packed(frame).size()
		sidecar.send(frame)
	var answers := await answers_to(0, 6)
	equal(errors_in(answers).size(), 0, "errors")
	equal(receiver.log, ["done 1", "done 2", "done 3", "done 4", "done 5", "done 6"] as Array[String], "the order")
	equal(receiver.prepared, 6, "frames that were prepared")
	check(not receiver.was_on_main_thread, "by worker threads")
	check(sidecar.acked["work"] > 0, "the work is told: %d us" % sidecar.acked["work"])
	equal(client.numbered_frames, 6, "numbered frames")
	equal(client.numbered_bytes, bytes, "their bytes")
	return true


# Live frames of every size, compressed or not, come before the frames of the bulk lane that were sent after them, in their order.
func _order() -> bool:
	await _fresh()
	client.frame_received.connect(func(_kind: String, frame: Dictionary) -> void: receiver.log.append("live %d" % frame["seq"]))
	var random := RandomNumberGenerator.new()
	random.seed = 77
	var seq := 0
	var bulk := 0
	var expected: Array[String] = []
	var before: Array[int] = []
	for i: int in 120:
		var size: int = [10, 5000, 100_000][random.randi() % 3]
		var frame := {}
		if random.randi() % 2 == 0:
			seq += 1
			frame = {"t": "rows", "ballast": _chunk(0, size)["ballast"], "seq": seq}
			expected.append("live %d" % seq)
		else:
			bulk += 1
			frame = _chunk(bulk, size)
			if random.randi() % 2 == 0:
				# A number behind what is large.
				frame.erase("bulk")
				frame["nodes"] = [{"a": [1]}]
				frame["bulk"] = bulk
			expected.append("done %d" % bulk)
			before.append(seq)
		sidecar.send(Sidecar.compressed(frame) if random.randi() % 3 == 0 else frame)
		if i % 10 == 0:
			await process_frame
	while sidecar.acked["bulk"] < bulk or sidecar.acked["seq"] < seq:
		if (await any_answer()).is_empty():
			break
	equal(receiver.log.size(), expected.size(), "all were applied")
	equal(receiver.logged("live"), expected.filter(func(entry: String) -> bool: return entry.begins_with("live")), "live frames in order")
	equal(receiver.logged("done"), expected.filter(func(entry: String) -> bool: return entry.begins_with("done")), "those of the bulk lane too")
	for i: int in bulk:
		if before[i] > 0:
			check(receiver.log.find("live %d" % before[i]) < receiver.log.find("done %d" % (i + 1)), "%d comes after live %d" % [i + 1, before[i]])
	check(not receiver.was_on_main_thread, "none was prepared by the main thread")
	return true


func _live_does_not_wait() -> bool:
	await _fresh()
	receiver.is_held = true
	for i: int in 8:
		sidecar.send(_chunk(i + 1, 200_000) if i % 2 == 0 else Sidecar.compressed(_chunk(i + 1, 2_000_000)))
	sidecar.send({"t": "rows", "seq": 1})
	sidecar.send(Sidecar.compressed({"t": "rows", "seq": 2}))
	# A large live frame is decoded by a worker thread, though all are taken by others; large compressed ones do not hold it up.
	sidecar.send({"t": "rows", "seq": 3, "ballast": _chunk(0, 500_000)["ballast"]})
	await answers_to(3)
	equal(receiver.logged("done").size(), 0, "live frames do not wait for large ones")
	receiver.is_held = false
	await answers_to(3, 8)
	return true


func _busy(usec: int) -> void:
	var end := Time.get_ticks_usec() + usec
	while Time.get_ticks_usec() < end:
		pass


func _bulk_is_not_starved() -> bool:
	await _fresh()
	client.tick_budget_ms = 1.0
	client.frame_received.connect(func(_kind: String, _frame: Dictionary) -> void: _busy(3000))
	for i: int in 10:
		sidecar.send(_chunk(i + 1, 100))
	var seq := 0
	while receiver.logged("done").size() < 10 and seq < 500:
		# There is always a live frame to be had, which takes more than a tick's time.
		for i: int in 3:
			seq += 1
			sidecar.send({"t": "rows", "seq": seq})
		sidecar.receive()
		await process_frame
	equal(receiver.logged("done").size(), 10, "frames of the bulk lane got their share")
	check(client._lanes.live_done < seq, "though live frames never ended")
	return true


func _pieces_and_budget() -> bool:
	await _fresh()
	client.tick_budget_ms = 2.0
	receiver.steps = 10
	receiver.step_usec = 900
	for i: int in 10:
		sidecar.send(_chunk(i + 1, 100))
	var most: Array[int] = [0]
	var ticks: Array[int] = [0]
	var before: Array[int] = [0]
	check(await until(func() -> bool:
		sidecar.receive()
		var now := receiver.log.size()
		most[0] = maxi(most[0], now - before[0])
		ticks[0] += 1 if now > before[0] else 0
		before[0] = now
		return sidecar.acked["bulk"] == 10), "all are applied")
	equal(receiver.log.size(), 100, "steps")
	check(most[0] <= 4 and ticks[0] >= 25, "at most %d steps in a tick, in %d ticks" % [most[0], ticks[0]])
	check(sidecar.acked["work"] >= 90_000, "work of %d us" % sidecar.acked["work"])
	return true


# A sidecar that keeps to its credit is never stuck, and never gets more than the window beyond what it was told is done.
func _credit() -> bool:
	await _fresh()
	client.window_bytes = 300_000
	client._end("for the test", true)
	await again()
	receiver.step_usec = 300
	var random := RandomNumberGenerator.new()
	random.seed = 5
	var sizes: Array[int] = []
	for i: int in 120:
		sizes.append([60, 3000, 40_000, 120_000, 500_000][random.randi() % 5] as int if i % 40 != 7 else 900_000)
	var sent := 0
	var done_bytes := 0
	var packed_sizes: Array[int] = []
	var last := {"bytes": 0, "work": 0}
	var end := Time.get_ticks_msec() + 15_000
	while sidecar.acked["bulk"] < sizes.size() and Time.get_ticks_msec() < end:
		var frame := sidecar.receive()
		if frame.get("t") == "credit":
			check(frame["bytes"] >= last["bytes"] and frame["work"] >= last["work"], "credit never goes down")
			done_bytes = 0
			for i: int in sidecar.acked["bulk"]:
				done_bytes += packed_sizes[i]
			check(frame["bytes"] - done_bytes <= client.window_bytes, "%d bytes beyond what is done" % (frame["bytes"] - done_bytes))
			check(frame["work"] - sidecar.acked["work"] <= client.window_work_ms * 1000.0 + 1, "work beyond what is done")
			last = frame
		elif frame.is_empty():
			if sent < sizes.size():
				var next := _chunk(sent + 1, sizes[sent])
				var size := Sidecar.packed(next).size()
				if sidecar.bulk_sent + size <= sidecar.credit["bytes"] or (sidecar.acked["bulk"] == sent and sidecar.bulk_sent < sidecar.credit["bytes"]
						and sidecar.acked["work"] < sidecar.credit["work"]):
					packed_sizes.append(size)
					sidecar.send(next)
					sent += 1
					continue
			await process_frame
	equal(sidecar.acked["bulk"], sizes.size(), "all came through")
	equal(client.last_problem, "", "without a problem")
	return true


func _beyond_credit() -> bool:
	await _fresh()
	client.window_bytes = 100_000
	client._end("for the test", true)
	await again()
	check(await until(func() -> bool:
		sidecar.receive()
		return sidecar.credit["bytes"] == 100_000), "credit")
	# One frame may be larger when nothing is under way.
	sidecar.send(_chunk(1, 500_000))
	await answers_to(0, 1)
	receiver.prepare_usec = 50_000
	sidecar.send(_chunk(2, 90_000))
	sidecar.send(_chunk(3, 90_000))
	check((await ending("more than was granted")).contains("granted"), "and it says so: " + client.last_problem)
	receiver.prepare_usec = 0
	await again()
	sidecar.send(_chunk(1, 10))
	await answers_to(0, 1)
	return true


func _errors() -> bool:
	await _fresh()
	sidecar.send(_chunk(1, 10, {"wrong": "no such mesh"}))
	sidecar.send({"t": "no job", "bulk": 2})
	sidecar.send(_chunk(3, 100_000, {"wrong": "x".repeat(5000)}))
	sidecar.send(_chunk(4, 10))
	var errors := errors_in(await answers_to(0, 4))
	equal(errors.size(), 3, "errors")
	equal(errors[0], {"t": "error", "bulk": 1, "message": "chunk: no such mesh"}, "an error's words")
	equal(errors[1].get("bulk"), 2, "what makes no job is an error")
	check((errors[2]["message"] as String).length() <= 500, "words are bounded")
	equal(receiver.log, ["cancel 1", "cancel 3", "done 4"] as Array[String], "jobs that are wrong are not done")
	equal(client.rejected_frames, 3, "rejected frames")
	return true


func _bulk_without_receiver() -> bool:
	await fresh()
	check((await any_answer()).get("t") == "credit", "credit comes first")
	var heard_kinds: Array[String] = []
	client.frame_received.connect(func(kind: String, frame: Dictionary) -> void:
		heard_kinds.append(kind)
		if frame.get("bulk") == 2:
			client.reject(frame, "no"))
	for i: int in 3:
		sidecar.send(_chunk(i + 1, 50_000))
	var errors := errors_in(await answers_to(0, 3))
	equal(heard_kinds, ["chunk", "chunk", "chunk"] as Array[String], "whoever listens gets them")
	equal(errors, [{"t": "error", "bulk": 2, "message": "no"}] as Array[Dictionary], "and may reject them")
	return true


func _bulk_numbers() -> bool:
	await _fresh()
	for wrong: Variant in [0, 2, -1, "1", null, 1.0, [1], 9223372036854775807, -9223372036854775807]:
		for size: int in [10, 50_000]:
			sidecar.send({"bulk": wrong, "t": "chunk", "ballast": _chunk(0, size)["ballast"]})
			check((await ending("number %s with %d bytes" % [str(wrong), size])).contains("bulk lane"), "and it says so: " + client.last_problem)
			await again()
			sidecar.send(Sidecar.compressed({"bulk": wrong, "t": "chunk", "ballast": _chunk(0, size)["ballast"]}))
			check((await ending("number %s with %d bytes" % [str(wrong), size])).contains("bulk lane"), "and it says so: " + client.last_problem)
			await again()
	return true


# A key that is there twice: the first one is what shows from the front, the second one is what counts in the end.
func _two_numbers() -> bool:
	await _fresh()
	var one := var_to_bytes(_chunk(1, 50_000))
	for second: Variant in [2, "1", null]:
		var bytes := one + var_to_bytes("bulk") + var_to_bytes(second)
		bytes.encode_u32(4, 5)
		sidecar.send_raw(Sidecar.length_field(bytes.size()) + bytes)
		check((await ending("two numbers")).contains("two numbers"), "and it says so: " + client.last_problem)
		await again()
	return true


func _a_bye_waits() -> bool:
	await _fresh()
	receiver.prepare_usec = 1000
	for i: int in 5:
		sidecar.send(_chunk(i + 1, 20_000))
	sidecar.send({"t": "bye", "reason": "done"})
	check(await until(func() -> bool: return heard.has("bye done")), "bye is heard")
	equal(receiver.logged("done").size(), 5, "what was sent before it is applied")
	await again()
	# But not for ever.
	receiver.log.clear()
	receiver.prepare_usec = 0
	receiver.is_held = true
	sidecar.send(_chunk(1, 20_000))
	sidecar.send({"t": "bye", "reason": "soon"})
	check(await until(func() -> bool: return heard.has("bye soon")), "bye is heard before a frame that takes long")
	equal(receiver.logged("done").size(), 0, "which is dropped")
	receiver.is_held = false
	check(await until(func() -> bool: return receiver.log.has("cancel 1")), "and cancelled once the worker thread is done with it")
	return true


func _compressed() -> bool:
	await _fresh()
	var live: Array[int] = []
	client.frame_received.connect(func(_kind: String, frame: Dictionary) -> void: live.append(hash(frame["ballast"])))
	var random := Crypto.new().generate_random_bytes(1000)
	var hashes: Array[int] = []
	for i: int in 12:
		var ballast := PackedByteArray()
		# What compresses badly, and what compresses well.
		ballast.resize([3, 10_000, 40_000, 3_000_000][i % 4] as int)
		for at: int in mini(ballast.size(), 1000):
			ballast[at] = random[at]
		hashes.append(hash(ballast))
		sidecar.send(Sidecar.compressed({"t": "rows", "seq": i + 1, "ballast": ballast}))
		sidecar.send(Sidecar.compressed(_chunk(i + 1, ballast.size())))
	await answers_to(12, 12)
	equal(live, hashes, "what comes out is what went in, in order")
	equal(receiver.logged("done").size(), 12, "the other lane too")
	equal(client._lanes.bytes_done, sidecar.bulk_sent, "bytes count as they were sent")
	return true


# A frame inside a compressed one, with its number.
func _with_inner(frame: Dictionary, changes: Dictionary) -> Dictionary:
	var bytes := var_to_bytes(frame)
	var outer := {"data": bytes.compress(FileAccess.COMPRESSION_ZSTD), "size": bytes.size(), "t": "zstd"}
	outer.merge(changes)
	return outer


func _compressed_wrongly() -> bool:
	await _fresh()
	var good := {"t": "ping", "time": 1}
	var size := var_to_bytes(good).size()
	var large := {"t": "rows", "seq": 1, "ballast": _chunk(0, 100_000)["ballast"]}
	var bomb := PackedByteArray()
	bomb.resize(60_000_000)
	var bomb_data := bomb.compress(FileAccess.COMPRESSION_ZSTD)
	var packed := var_to_bytes(good).compress(FileAccess.COMPRESSION_ZSTD)
	var noise := Crypto.new().generate_random_bytes(500)
	var wrong := {
		"a size that is too small": Sidecar.compressed(good, {"size": size - 4}), "too large": Sidecar.compressed(good, {"size": size + 4}),
		"much too large": Sidecar.compressed(good, {"size": 60_000_000}), "over the limit": Sidecar.compressed(good, {"size": 64 * 1024 * 1024 + 1}),
		"absurd": Sidecar.compressed(good, {"size": 9223372036854775807}), "negative": Sidecar.compressed(good, {"size": -1}),
		"nothing": Sidecar.compressed(good, {"size": 0}), "three": Sidecar.compressed(good, {"size": 3}), "a float": Sidecar.compressed(good, {"size": 8.0}),
		"a text": Sidecar.compressed(good, {"size": "8"}), "no size": Frames.with(Sidecar.compressed(good), ["size"], Frames.MISSING),
		"no data": Frames.with(Sidecar.compressed(good), ["data"], Frames.MISSING), "empty data": Sidecar.compressed(good, {"data": PackedByteArray()}),
		"data of another type": Sidecar.compressed(good, {"data": "x"}), "noise": Sidecar.compressed(good, {"data": noise}),
		"large noise": {"t": "zstd", "size": 100_000, "data": Crypto.new().generate_random_bytes(50_000)},
		"a cut end": Sidecar.compressed(good, {"data": packed.slice(0, packed.size() - 3)}),
		"a large cut end": Sidecar.compressed(large, {"data": (Sidecar.compressed(large)["data"] as PackedByteArray).slice(0, -5)}),
		"gzip": Sidecar.compressed(good, {"data": var_to_bytes(good).compress(FileAccess.COMPRESSION_GZIP)}),
		"one inside another": Sidecar.compressed(Sidecar.compressed(good)), "a large one inside": Sidecar.compressed(Sidecar.compressed(large, {"x": _chunk(0, 50_000)})),
		"a bomb that says so": {"t": "zstd", "size": 60_000_000, "data": bomb_data}, "one that does not": {"t": "zstd", "size": 1000, "data": bomb_data},
		"nothing but an int": {"t": "zstd", "size": 8, "data": var_to_bytes(1).compress(FileAccess.COMPRESSION_ZSTD)},
		"a wrong number": Sidecar.compressed({"t": "clear", "seq": 5}), "no content": Sidecar.compressed(good, {"bulk": 1, "data": _chunk(0, 50_000)["ballast"]}),
		"a number inside": _with_inner({"t": "clear", "seq": 1}, {}), "a large one inside, too": _with_inner(_chunk(1, 50_000), {}),
		"two numbers": _with_inner({"t": "clear", "seq": 1}, {"seq": 1}), "two in the other lane": _with_inner(_chunk(1, 50_000), {"bulk": 1}),
		"a number of each lane": Sidecar.compressed(_chunk(1, 50_000), {"seq": 1}), "of each lane, small": Sidecar.compressed({"t": "clear", "seq": 1}, {"bulk": 1}),
		"a number that is text": Sidecar.compressed(_chunk(1, 50_000), {"bulk": "1"}), "the next but one": Sidecar.compressed(_chunk(2, 50_000)),
		"a large one in disguise": Frames.with({"bulk": 1, "x": [1]}.merged(Sidecar.compressed(_chunk(1, 5), {"y": noise.hex_encode().repeat(20)})), ["z"], 1),
	}
	for name: String in wrong:
		var number := client.connection
		sidecar.send(wrong[name] as Dictionary)
		await ending(name)
		await again()
		equal(client.connection, number + 1, "%s: another connection" % name)
	# What is odd, and not wrong: an envelope whose front does not tell.
	sidecar.send(Frames.with({"x": [1]}.merged(Sidecar.compressed({"t": "later"}, {"y": noise.hex_encode().repeat(20)})), ["seq"], 1))
	await answers_to(1)
	sidecar.send(Sidecar.compressed(good))
	equal(await answer(), {"t": "pong", "time": 1}, "all is well after that")
	return true


# Many compressed frames at once, so that worker threads unpack at the same time.
func _many_on_workers() -> bool:
	await _fresh()
	receiver.prepare_usec = 100
	var count := 300
	var prepared := 0
	for i: int in count:
		sidecar.send(Sidecar.compressed(_chunk(i + 1, 40_000 + i)))
		if i % 20 == 0:
			await process_frame
			sidecar.receive()
	while sidecar.acked["bulk"] < count and not (await any_answer()).is_empty():
		pass
	equal(receiver.logged("done").size(), count, "all were unpacked and built")
	equal(receiver.prepared, count, "once each")
	equal(client._lanes._charged, 0, "nothing is counted as held")
	equal(client._lanes._held_bytes, 0, "nor as waiting")
	return true


func _receivers_that_go() -> bool:
	await _fresh()
	receiver.prepare_usec = 100_000
	for i: int in 10:
		sidecar.send(_chunk(i + 1, 20_000))
	check(await until(func() -> bool: return receiver.prepared > 0), "a worker thread is at it")
	# An object that another thread calls cannot be freed at once in a debug build of the engine.
	receiver.queue_free()
	check((await ending("a receiver that goes")).contains("left"), "and it says so: " + client.last_problem)
	await again()
	sidecar.send(_chunk(1, 20_000))
	await answers_to(0, 1)
	# Another takes its place.
	receiver = Receiver.new()
	client.receiver = receiver
	await ending("another receiver")
	await again()
	equal(receiver.log, ["opened  false"] as Array[String], "it is told")
	sidecar.send(_chunk(1, 20_000))
	await answers_to(0, 1)
	equal(receiver.logged("done").size(), 1, "it builds")
	receiver.prepare_usec = 100_000
	sidecar.send(_chunk(2, 20_000))
	sidecar.send(_chunk(3, 20_000))
	check(await until(func() -> bool: return receiver.prepared > 1), "a worker thread is at it")
	client.free()
	equal(receiver.logged("done").size(), 1, "what was not done is dropped")
	receiver.free()
	# One that has somebody else prepare may be.
	await fresh(false)
	receiver = Receiver.new()
	receiver.workshop = Receiver.Workshop.new()
	receiver.workshop.prepare_usec = 100_000
	root.add_child(receiver)
	receiver.add_child(client)
	client.receiver = receiver
	await greet()
	check((await any_answer()).get("t") == "credit", "credit comes first")
	sidecar.send(_chunk(1, 20_000))
	sidecar.send(_chunk(2, 20_000))
	var workshop := receiver.workshop
	check(await until(func() -> bool: return workshop.prepared > 0), "a worker thread is at it")
	receiver.free()
	check(workshop.prepared <= 2 and not is_instance_valid(client), "receiver and client are gone")
	return true
