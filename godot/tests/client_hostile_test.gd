extends "client_case.gd"
## Bytes that no sidecar sends, in every state of a connection, and a thousand connections: whatever comes, the client goes on
## and keeps nothing.

const Receiver := preload("receiver.gd")

var receiver: Receiver


func _initialize() -> void:
	run("client_hostile_test", [_hostile_bytes, _mutated_frames, _mutated_greetings, _random_bytes, _floods, _leaving_in_mid_work,
			_a_thousand_connections] as Array[Callable])


func _fresh() -> void:
	# A worker thread may still be in it, which is waited for only when it leaves the tree.
	if is_instance_valid(receiver):
		receiver.queue_free()
	await fresh(false)
	receiver = Receiver.new()
	root.add_child(receiver)
	client.receiver = receiver
	client.allowed_calls = PackedStringArray(["*:get_child_count"])
	client.allowed_exports = PackedStringArray(["*"])
	root.add_child(client)
	await greet()


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
	var large := PackedByteArray()
	large.resize(100_000)
	large.fill(27)
	var bad := {
		"nothing": PackedByteArray(), "a byte": PackedByteArray([1]), "zeros": PackedByteArray([0, 0, 0, 0]),
		"an unknown type": PackedByteArray([200, 0, 0, 0]), "a type with unknown flags": PackedByteArray([27, 0, 255, 255, 0, 0, 0, 0]),
		"a cut dictionary": dictionary.slice(0, dictionary.size() - 4), "an int": var_to_bytes(1), "null": var_to_bytes(null),
		"an array": var_to_bytes(["t", "ping"]), "no kind": var_to_bytes({"x": 1}), "an empty dictionary": var_to_bytes({}),
		"a kind that is a number": var_to_bytes({"t": 1}), "a kind that is null": var_to_bytes({"t": null}),
		"keys of numbers": var_to_bytes({1: 2}), "a kind under a typed key": var_to_bytes(Dictionary({1: 2}, TYPE_INT, &"", null, TYPE_INT, &"", null)),
		"an object": object, "an object inside": PackedByteArray([27, 0, 0, 0, 1, 0, 0, 0]) + var_to_bytes("t") + object,
		"deep arrays": var_to_bytes({"t": "x", "deep": deep}), "deeper arrays": deeper, "much of nothing": large,
		"much without a kind": var_to_bytes({"x": large}), "much of no frame": var_to_bytes(large), "much that is deep": var_to_bytes({"t": "x", "x": large, "deep": deep}),
		"a front that lies": PackedByteArray([27, 0, 0, 0, 255, 255, 255, 127]) + large,
		"a key without an end": PackedByteArray([27, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255]) + large,
		"an array without an end": PackedByteArray([27, 0, 0, 0, 2, 0, 0, 0]) + var_to_bytes("x") + PackedByteArray([31, 0, 0, 0, 255, 255, 255, 255]) + large,
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
		sidecar.send_raw(blobs[name] as PackedByteArray)
		await ending(name)
		await again()
		equal(client.connection, number + 1, "%s: another connection" % name)
		if number % 4 == 0:
			# The same before the sidecar has proved itself.
			client._end("for the test", false)
			client.start()
			await challenge()
			await answer()
			sidecar.send_raw(blobs[name] as PackedByteArray)
			check(await until(func() -> bool: return client.state == Client.State.WAITING), "%s ends a greeting" % name)
			await again()
	sidecar.send({"t": "ping", "time": 5})
	equal((await answer()).get("time"), 5, "all is well after that")
	return true


# A frame of each kind that there is, as it should be.
func _frames() -> Array[Dictionary]:
	var large := PackedByteArray()
	large.resize(20_000)
	var chunk := Frames.chunk("a", Vector3.ZERO, 4, 4, 1.0, Frames.hills)
	chunk["bulk"] = 1
	return [
		chunk, {"bulk": 1, "t": "chunk", "key": "b", "ballast": large}, {"t": "unload", "bulk": 1, "keys": PackedStringArray(["a"])},
		{"t": "asset", "bulk": 1, "hash": PackedByteArray([1]), "glb": large}, {"t": "cached", "bulk": 1, "what": "chunk", "keys": PackedStringArray(), "hashes": PackedByteArray()},
		{"t": "mesh", "seq": 1, "name": "rock", "surfaces": [Frames.triangle()]}, {"t": "spawn", "seq": 1, "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY)]},
		{"t": "rows", "seq": 1, "columns": PackedStringArray(["position:x"]), "ids": PackedInt64Array([1]), "values": [PackedFloat64Array([1.0])]},
		{"t": "resumed", "seq": 1, "reset": true, "rev": 5}, {"t": "call", "id": 1, "path": "Node", "method": "get_child_count", "args": []},
		{"t": "answer", "id": 1, "value": 5}, {"t": "answer", "id": 1, "error": "no"}, {"t": "export", "id": 1, "path": "Node"}, {"t": "report", "id": 1},
		{"t": "attached", "ids": PackedInt64Array([1]), "errors": PackedStringArray([""]), "whats": [PackedInt32Array()]},
		{"t": "ping", "time": 5}, {"t": "pong", "time": 5}, {"t": "bye", "reason": "x"}, {"t": "welcome"}, {"t": "refuse", "reason": "token"},
		Sidecar.compressed({"t": "ping", "time": 1}), Sidecar.compressed(chunk), Sidecar.compressed({"t": "rows", "seq": 1, "x": large}),
	]


func _mutate(good: PackedByteArray, random: RandomNumberGenerator) -> PackedByteArray:
	var bytes := good.duplicate()
	for i: int in random.randi_range(1, 5):
		# The front holds most of the structure.
		var end := bytes.size() if random.randi() % 2 == 0 else mini(96, bytes.size())
		match random.randi() % 4:
			0:
				bytes[random.randi() % end] = [0, 1, 255, 127, 128][random.randi() % 5]
			1:
				bytes[random.randi() % end] ^= 1 << (random.randi() % 8)
			2:
				bytes[random.randi() % end] = random.randi() & 255
			3:
				var at := (random.randi() % end) & ~3
				if at + 4 <= bytes.size():
					bytes.encode_u32(at, [random.randi() % 40, 0xffffffff, 0x7fffffff, 0x10000][random.randi() % 4] as int)
	return bytes if random.randi() % 8 != 0 else bytes.slice(0, random.randi() % bytes.size())


# Frames of every kind with some of their bytes changed, from a fixed seed. Whatever comes of one, the client goes on.
func _mutated_frames() -> bool:
	await _fresh()
	var random := RandomNumberGenerator.new()
	random.seed = 7_007
	var frames := _frames()
	for round: int in 500:
		var bytes := _mutate(var_to_bytes(frames[round % frames.size()]), random)
		var number := client.connection
		sidecar.send_raw(Sidecar.length_field(bytes.size()) + bytes)
		# Ends the connection if the bytes did not: number 0 is never due.
		sidecar.send({"t": "clear", "seq": 0})
		check(await until(func() -> bool: return client.state != Client.State.OPEN), "round %d ends" % round)
		await again()
		equal(client.connection, number + 1, "round %d: another connection" % round)
	return true


func _mutated_greetings() -> bool:
	await _fresh()
	var random := RandomNumberGenerator.new()
	random.seed = 8_008
	for round: int in 200:
		client._end("for the test", false)
		client._pause_ms = 1
		client.start()
		var is_second := round % 2 == 1
		check(await until(sidecar.accept), "round %d connects" % round)
		await answer()
		var good := var_to_bytes({"t": "challenge", "protocol": 2, "nonce": Crypto.new().generate_random_bytes(32)})
		if is_second:
			sidecar.challenge()
			await answer()
			good = var_to_bytes(sidecar.welcome())
		var bytes := _mutate(good, random)
		var number := client.connection
		sidecar.send_raw(Sidecar.length_field(bytes.size()) + bytes)
		sidecar.send({"t": "clear", "seq": 0})
		check(await until(func() -> bool: return client.state != Client.State.GREETING and client.state != Client.State.CONNECTING), "round %d ends" % round)
		# A welcome whose proof is right is one, whatever it calls the server.
		check(client.connection == number or is_second, "round %d: nobody proved anything" % round)
	client.stop()
	client.start()
	await greet()
	return true


func _random_bytes() -> bool:
	await _fresh()
	var random := RandomNumberGenerator.new()
	random.seed = 9_009
	for round: int in 100:
		var bytes := PackedByteArray()
		bytes.resize(random.randi_range(4, 3000))
		for i: int in bytes.size():
			bytes[i] = random.randi() & 255
		# In turn a length that fits, and none.
		sidecar.send_raw(Sidecar.length_field(bytes.size()) + bytes if round % 2 == 0 else bytes)
		if round % 2 == 1:
			sidecar.disconnect_now()
		check(await until(func() -> bool: return client.state != Client.State.OPEN), "round %d ends" % round)
		await again()
	return true


# More than a tick can take, of everything, from somebody who keeps no bounds.
func _floods() -> bool:
	await _fresh()
	var ping := Sidecar.packed({"t": "ping", "time": 1})
	var call := Sidecar.packed({"t": "call", "id": 1, "path": "Node", "method": "get_child_count", "args": []})
	var small := PackedByteArray()
	for i: int in 3000:
		small.append_array(ping)
		small.append_array(call)
	var longest := 0.0
	sidecar.send_raw(small)
	sidecar.send({"t": "rows", "seq": 1})
	while sidecar.acked["seq"] == 0 and not (await any_answer()).is_empty():
		longest = maxf(longest, Performance.get_monitor(Performance.TIME_PROCESS))
	equal(sidecar.acked["seq"], 1, "all is answered in the end")
	# Frames that say that they are large, many of them.
	var bomb := PackedByteArray()
	bomb.resize(30_000_000)
	var data := var_to_bytes({"t": "rows", "x": bomb}).compress(FileAccess.COMPRESSION_ZSTD)
	var packed := Sidecar.packed({"t": "zstd", "size": var_to_bytes({"t": "rows", "x": bomb}).size(), "data": data})
	var held := Performance.get_monitor(Performance.MEMORY_STATIC)
	var most := 0.0
	for i: int in 40:
		sidecar.send_raw(packed)
	sidecar.send({"t": "ping", "time": 2})
	var pong := {}
	while pong.get("time") != 2:
		pong = sidecar.receive()
		most = maxf(most, Performance.get_monitor(Performance.MEMORY_STATIC) - held)
		await process_frame
		if client.state != Client.State.OPEN:
			break
	equal(client.state, Client.State.OPEN, "it gets through them")
	check(most < 400_000_000, "%d bytes of memory at most for 1,200,000,000" % int(most))
	return true


func _leaving_in_mid_work() -> bool:
	for way: int in 6:
		await _fresh()
		check((await any_answer()).get("t") == "credit", "credit comes first")
		receiver.prepare_usec = 20_000
		for i: int in 12:
			var ballast := PackedByteArray()
			ballast.resize(60_000)
			sidecar.send({"bulk": i + 1, "t": "chunk", "key": str(i), "x": ballast} if i % 2 == 0 else Sidecar.compressed({"bulk": i + 1, "t": "chunk", "key": str(i), "x": ballast}))
		sidecar.send({"t": "rows", "seq": 1, "x": Crypto.new().generate_random_bytes(1000)})
		check(await until(func() -> bool: return receiver.prepared > way / 2), "worker threads are at it")
		match way:
			0:
				client.free()
			1:
				client.queue_free()
			2:
				root.remove_child(client)
			3:
				client.stop()
			4:
				sidecar.disconnect_now()
			5:
				receiver.queue_free()
		for i: int in 5:
			await process_frame
		check(true, "way %d" % way)
	return true


func _a_thousand_connections() -> bool:
	await _fresh()
	var before := {}
	var resident := 0
	for round: int in 1100:
		if round == 100:
			before = {"objects": Performance.get_monitor(Performance.OBJECT_COUNT), "nodes": Performance.get_monitor(Performance.OBJECT_NODE_COUNT),
					"resources": Performance.get_monitor(Performance.OBJECT_RESOURCE_COUNT)}
			resident = OS.get_static_memory_usage()
		sidecar.send({"bulk": 1, "t": "chunk", "key": "a", "x": Crypto.new().generate_random_bytes(1000)})
		sidecar.send({"t": "rows", "seq": 1})
		match round % 4:
			0:
				sidecar.disconnect_now()
			1:
				sidecar.send_raw(PackedByteArray([255, 255, 255, 255]))
			2:
				sidecar.send({"t": "bye", "reason": "x"})
			3:
				client.stop()
				client.start()
				await greet()
				continue
		if not await until(func() -> bool: return client.state == Client.State.WAITING):
			fail("round %d did not end" % round)
			return true
		client._retry_at = 0
		client._pause_ms = 1
		await greet()
		receiver.log.clear()
	check(await until(func() -> bool: return not root.get_tree().has_meta(&"_wasgo_leftovers") or root.get_tree().get_meta(&"_wasgo_leftovers")._all.is_empty()), "nothing is left of what was given up")
	await process_frame
	check(Performance.get_monitor(Performance.OBJECT_COUNT) <= before["objects"] + 8, "objects: %d, %d before" % [Performance.get_monitor(Performance.OBJECT_COUNT), before["objects"]])
	equal(Performance.get_monitor(Performance.OBJECT_NODE_COUNT), before["nodes"], "nodes")
	check(Performance.get_monitor(Performance.OBJECT_RESOURCE_COUNT) <= before["resources"] + 2, "resources")
	check(OS.get_static_memory_usage() - resident < 1_000_000, "%d bytes more than before" % (OS.get_static_memory_usage() - resident))
	check(client.connection > 1000, "%d connections" % client.connection)
	return true
