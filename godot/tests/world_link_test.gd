extends "client_case.gd"
## A world and its client with a sidecar on a real socket: large frames in pieces over ticks, contents out of the cache, and a
## connection that opens again.

const World := preload("res://addons/wasgo/world_3d.gd")

const FOLDER := "user://wasgo_link_test"

var world: World
var seq := 0
var bulk := 0


func _initialize() -> void:
	run("world_link_test", [_waits_until_it_knows_what_it_holds, _built_and_acknowledged, _refused_and_told, _comes_back, _another_identity, _wanted, _reports, _ends_in_the_middle, _leaves_in_the_middle] as Array[Callable])


func _fresh(megabytes := 0) -> void:
	if is_instance_valid(world):
		world.free()
	for file: String in DirAccess.get_files_at(FOLDER) if DirAccess.dir_exists_absolute(FOLDER) else PackedStringArray():
		DirAccess.remove_absolute(FOLDER.path_join(file))
	await fresh(false)
	client.world = "garden"
	client.auto_connect = true
	world = World.new()
	world.cache_folder = FOLDER
	world.cache_megabytes = megabytes
	world.add_child(client)
	root.add_child(world)
	await _opened()


func _opened() -> Dictionary:
	await greet()
	seq = 0
	bulk = 0
	var resume := await answer()
	equal(resume.get("t"), "resume", "the first frame")
	return resume


func _live(frame: Dictionary) -> void:
	seq += 1
	frame["seq"] = seq
	sidecar.send(frame)


func _bulk(frame: Dictionary) -> void:
	# As it is to be: within the credit, or one that is larger when nothing is under way.
	bulk += 1
	frame["bulk"] = bulk
	await until(func() -> bool:
		while not sidecar.receive().is_empty():
			pass
		return sidecar.credit["bytes"] >= sidecar.bulk_sent + Sidecar.packed(frame).size())
	sidecar.send(frame)


func _done() -> void:
	check(await until(func() -> bool:
		var frame := sidecar.receive()
		if frame.get("t") == "error":
			fail("refused: %s" % frame)
		return sidecar.acked["seq"] == seq and sidecar.acked["bulk"] == bulk), "all is acknowledged: %s of %d and %d" % [sidecar.acked, seq, bulk])


func _hash(of: int) -> PackedByteArray:
	var found := PackedByteArray()
	found.resize(16)
	found.encode_s64(0, of)
	return found


func _chunk(of: int) -> Dictionary:
	var frame := Frames.chunk(str(of), Vector3(of * 64, 0, 0), 65, 65, 1.0, Frames.hills)
	frame["hash"] = _hash(of)
	frame["instances"] = [{"mesh": "pine", "transforms": Frames.many_floats(50)}]
	return frame


class Late:
	extends RefCounted
	var is_known := false

	func wasgo_is_ready() -> bool:
		return is_known


func _waits_until_it_knows_what_it_holds() -> bool:
	await fresh(false)
	var late := Late.new()
	client.world = "garden"
	client.receiver = late
	client.auto_connect = true
	root.add_child(client)
	check(await until(sidecar.accept), "it connects")
	for tick: int in 30:
		await process_frame
		sidecar.pump()
	equal([client.state, sidecar.receive()], [Client.State.CONNECTING, {}], "and says nothing")
	late.is_known = true
	equal((await answer()).get("t"), "hello", "before it knows")
	client.free()
	return true


func _built_and_acknowledged() -> bool:
	await _fresh()
	_live({"t": "resumed", "reset": true, "rev": 0})
	_live(Frames.mesh("pine", 2))
	for of: int in 12:
		var frame := _chunk(of)
		if of % 3 == 0:
			frame["glb"] = Frames.glb_of(frame["surfaces"] as Array)
			frame.erase("surfaces")
		await _bulk(frame)
	_live({"t": "spawn", "nodes": [Frames.node(1, "pine", Transform3D.IDENTITY)], "rev": 5})
	await _done()
	equal([world.count()["chunks"], world.count()["vertices"], world.count()["instances"], world.rev], [12, 12 * 4225, 600, 5], "built")
	check(sidecar.acked["work"] > 0, "and its work was told")
	await _bulk({"t": "unload", "keys": PackedStringArray(["0", "1"])})
	await _bulk({"t": "of a later version"})
	await _done()
	equal(world.count()["chunks"], 10, "unloaded")
	return true


func _refused_and_told() -> bool:
	await _fresh()
	await _bulk(_chunk(1))
	var error := {}
	check(await until(func() -> bool:
		var frame := sidecar.receive()
		if frame.get("t") == "error":
			error.merge(frame)
		return sidecar.acked["bulk"] == 1 and not error.is_empty()), "an error, and then the ack")
	equal(error["bulk"], 1, "the frame's number")
	check((error["message"] as String).contains("pine"), "what is wrong: %s" % error["message"])
	equal([world.count()["chunks"], world.count()["errors"]], [0, 1], "nothing was built")
	return true


func _comes_back() -> bool:
	await _fresh()
	_live({"t": "resumed", "reset": true, "rev": 0})
	_live(Frames.mesh("pine", 2))
	for of: int in 3:
		await _bulk(_chunk(of))
	_live({"t": "spawn", "nodes": [Frames.node(1, "pine", Transform3D.IDENTITY)], "rev": 9})
	await _done()
	sidecar.disconnect_now()
	check(await until(func() -> bool: return client.state != Client.State.OPEN), "the connection ends")
	equal([world.count()["chunks"], world.count()["nodes"]], [3, 1], "the world stays")
	var resume := await _opened()
	equal([resume["rev"], resume["keys"], resume["hashes"]], [9, PackedStringArray(["0", "1", "2"]), _hash(0) + _hash(1) + _hash(2)], "what it tells")
	_live({"t": "resumed", "reset": false, "rev": 9})
	await _done()
	equal([world.count()["chunks"], world.count()["nodes"], world.rev], [3, 1, 9], "and stays")
	return true


func _another_identity() -> bool:
	await _comes_back()
	sidecar.disconnect_now()
	sidecar.identity = "made anew"
	var resume := await _opened()
	equal([resume["rev"], resume["keys"]], [0, PackedStringArray()], "nothing is held of another world")
	equal([world.count()["chunks"], world.count()["nodes"]], [0, 0], "all is gone")
	return true


func _wanted() -> bool:
	await _fresh(16)
	_live(Frames.with(Frames.mesh("pine", 2), ["hash"], _hash(100)))
	for of: int in 3:
		await _bulk(_chunk(of))
	await _done()
	world._cache.finish()
	world.clear()
	_live({"t": "cached", "what": "mesh", "keys": PackedStringArray(["pine"]), "hashes": _hash(100)})
	await _bulk({"t": "cached", "what": "chunk", "keys": PackedStringArray(["0", "1", "x", "2"]), "hashes": _hash(0) + _hash(1) + _hash(50) + _hash(2)})
	var wanted := {}
	check(await until(func() -> bool:
		var frame := sidecar.receive()
		if frame.get("t") == "want":
			wanted.merge(frame)
		return sidecar.acked["bulk"] == bulk), "acknowledged")
	check(await until(func() -> bool:
		var frame := sidecar.receive()
		if frame.get("t") == "want":
			wanted.merge(frame)
		return not wanted.is_empty() and world.get_mesh("pine").get_surface_count() == 2), "the mesh, too")
	equal(wanted, {"t": "want", "what": "chunk", "keys": PackedStringArray(["x"])}, "what was not there")
	equal([world.count()["chunks"], world.count()["cached"]], [3, 4], "what was")
	return true


func _reports() -> bool:
	await _fresh()
	_live(Frames.mesh("pine", 2))
	await _bulk(_chunk(1))
	await _done()
	sidecar.send({"t": "report", "id": 7})
	var counts: Dictionary = (await answer())["counts"]
	for key: String in ["chunks", "surfaces", "vertices", "triangles", "colliders", "instances", "meshes", "assets", "nodes", "rev", "frames", "bytes", "rows",
			"property_updates", "refused_values", "cached", "errors"]:
		equal(typeof(counts.get(key)), TYPE_INT, "the count of " + key)
	equal([counts["chunks"], counts["frames"], counts["meshes"]], [1, 2, 1], "counts")
	equal(client.status()["receiver"]["chunks"], 1, "and for people")
	return true


func _ends_in_the_middle() -> bool:
	for round: int in 5:
		await _fresh()
		_live(Frames.mesh("pine", 2))
		for of: int in 4:
			await _bulk(_chunk(of))
		for tick: int in round:
			await process_frame
		sidecar.disconnect_now()
		check(await until(func() -> bool: return client.state != Client.State.OPEN), "the connection ends")
		var resume := await _opened()
		equal((resume["keys"] as PackedStringArray).size(), world.count()["chunks"], "it tells what was built")
		for of: int in 4:
			if of == 0:
				_live(Frames.mesh("pine", 2))
			await _bulk(_chunk(of))
		await _done()
		equal(world.count()["chunks"], 4, "and the rest comes")
	return true


func _leaves_in_the_middle() -> bool:
	for round: int in 5:
		await _fresh()
		_live(Frames.mesh("pine", 2))
		for of: int in 4:
			await _bulk(_chunk(of))
		for tick: int in round:
			await process_frame
		world.free()
		check(true, "freed while workers are at it")
		await process_frame
	return true
