extends "client_case.gd"
## Names of meshes that a sidecar has no more use for: they go when nothing that is under way needs them, and what shows such a mesh goes on to.

const World := preload("res://addons/wasgo/world_3d.gd")

const FOLDER := "user://wasgo_mesh_names_test"

var world: World
var seq := 0
var bulk := 0
var errors: Array[Dictionary] = []
var wanted: Array[Dictionary] = []


func _initialize() -> void:
	run("mesh_names_test", [_after_what_uses_them, _named_anew, _for_ever, _what_shows_them, _bounds, _while_they_are_read, _over_connections] as Array[Callable])


func _fresh(megabytes := 0) -> void:
	if is_instance_valid(world):
		world.free()
	await fresh(false)
	client.world = "garden"
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
	errors.clear()
	wanted.clear()
	return await answer()


func _live(frame: Dictionary) -> void:
	seq += 1
	frame["seq"] = seq
	sidecar.send(frame)


func _bulk(frame: Dictionary) -> void:
	bulk += 1
	frame["bulk"] = bulk
	await until(func() -> bool:
		_hear()
		return sidecar.credit["bytes"] >= sidecar.bulk_sent + Sidecar.packed(frame).size())
	sidecar.send(frame)


func _hear() -> void:
	while true:
		var frame := sidecar.receive()
		match frame.get("t"):
			null:
				return
			"error":
				errors.append(frame)
			"want":
				wanted.append(frame)


func _done() -> void:
	check(await until(func() -> bool:
		_hear()
		return sidecar.acked["seq"] == seq and sidecar.acked["bulk"] == bulk), "all is acknowledged")


func _forget(names: Array) -> void:
	_live({"t": "forget", "names": PackedStringArray(names)})


func _woods(key: String, mesh_name: String) -> Dictionary:
	var frame := Frames.chunk(key, Vector3.ZERO, 33, 33, 1.0, Frames.hills)
	frame["instances"] = [{"mesh": mesh_name, "transforms": Frames.many_floats(2)}]
	return frame


func _shown_in(key: String) -> Mesh:
	var node := world.get_chunk(key).get_node("Instances0") as MultiMeshInstance3D
	return node.multimesh.mesh


func _names() -> Array:
	var found: Array = world._meshes.all.keys()
	found.sort()
	return found


func _gone(mesh_name: String) -> bool:
	return await until(func() -> bool: return not world._meshes.all.has(mesh_name))


func _after_what_uses_them() -> bool:
	await _fresh()
	_live(Frames.mesh("pine", 1))
	_live(Frames.mesh("fir", 1))
	# Small frames overtake these.
	for of: int in 4:
		await _bulk(_woods(str(of), "pine"))
	_forget(["pine", "none"])
	await _done()
	equal(errors, [], "what was under way has its mesh")
	equal(world.get_chunk_keys().size(), 4, "and is there")
	check(await _gone("pine"), "then the name goes")
	equal(_names(), ["fir"], "and no other")
	equal(_shown_in("3").get_surface_count(), 1, "what shows the mesh goes on to")
	await _bulk(_woods("late", "pine"))
	await _done()
	check(errors.size() == 1 and (errors[0]["message"] as String).contains("pine"), "what comes later knows no such mesh: %s" % [errors])
	return true


func _named_anew() -> bool:
	await _fresh()
	_live(Frames.mesh("pine", 1))
	await _bulk(_woods("a", "pine"))
	_forget(["pine"])
	_live(Frames.mesh("pine", 2))
	await _bulk(_woods("b", "pine"))
	await _done()
	for tick: int in 5:
		await process_frame
	equal([errors, _names()], [[], ["pine"]], "a name that comes again stays")
	equal([_shown_in("a").get_surface_count(), _shown_in("a") == _shown_in("b")], [2, true], "all show what it is now")
	return true


func _for_ever() -> bool:
	await _fresh()
	world.max_meshes = 8
	var known: Array[String] = []
	for round: int in 100:
		if known.size() == 8:
			_forget(known.slice(0, 2))
			known = known.slice(2)
		known.append("mesh %d" % round)
		_live(Frames.mesh(known[-1], 1))
		await _bulk(_woods(str(round % 3), known[-1]))
		check(world._meshes.all.size() <= 16, "%d meshes are held" % world._meshes.all.size())
	await _done()
	equal(errors, [], "none is refused")
	check(await _gone("mesh 91"), "the last that was to go has gone")
	check(_names().size() <= 8, "what is left: %s" % [_names()])
	equal(_shown_in("0").get_surface_count(), 1, "what is shown is there")
	return true


func _what_shows_them() -> bool:
	await _fresh()
	_live(Frames.mesh("pine", 1))
	_live({"t": "spawn", "nodes": [Frames.node(1, "pine", Transform3D.IDENTITY)]})
	_forget(["pine"])
	await _done()
	check(await _gone("pine"), "the name goes")
	var node := world.get_spawned(1) as MeshInstance3D
	equal(node.mesh.get_surface_count(), 1, "the node shows it")
	_live(Frames.mesh("pine", 3))
	await _done()
	equal([node.mesh.get_surface_count(), world.get_mesh("pine") == node.mesh], [3, true], "and shows what comes under its name")
	# What nothing shows leaves nothing behind.
	_live({"t": "despawn", "ids": PackedInt64Array([1])})
	_forget(["pine"])
	await _done()
	check(await _gone("pine"), "it goes again")
	_live(Frames.mesh("fir", 1))
	_forget(["fir"])
	await _done()
	check(await _gone("fir"), "and another")
	equal(world._meshes._shown.size(), 0, "nothing is kept for what nobody shows")
	return true


func _bounds() -> bool:
	await _fresh()
	world.max_meshes = 2
	for mesh_name: String in ["a", "b"]:
		equal(world.apply("mesh", Frames.mesh(mesh_name, 1)), "", "a mesh")
	check(world.apply("mesh", Frames.mesh("c", 1)) != "", "one too many")
	# Those that go do not count, up to a number of them.
	world._meshes.most_going = 3
	client._lanes.bulk_taken = 1
	for mesh_name: String in ["c", "d", "e", "f"]:
		equal(world.apply("forget", {"t": "forget", "names": PackedStringArray(_names())}), "", "to be forgotten")
		var wrong := world.apply("mesh", Frames.mesh(mesh_name, 1))
		check((wrong == "") == (mesh_name < "e"), "%s while others go: %s" % [mesh_name, wrong])
	client._lanes.bulk_taken = 0
	for frame: Dictionary in [{}, {"names": 1}, {"names": ["a"]}, {"names": PackedStringArray(["x".repeat(1025)])}]:
		var wrong := world.apply("forget", frame)
		check(wrong != "" and not wrong.contains("add-on failed"), "a forget that is wrong: %s" % wrong)
	return true


func _hash(of: int) -> PackedByteArray:
	return ("%032x" % of).hex_decode()


func _while_they_are_read() -> bool:
	await _fresh(16)
	world.max_meshes = 2
	_live(Frames.with(Frames.mesh("first", 1), ["hash"], _hash(1)))
	await _done()
	world._cache.finish()
	# A slow disk: none of them is there before the next is named.
	for of: int in 20:
		equal(world.apply("forget", {"t": "forget", "names": PackedStringArray(_names())}), "", "to be forgotten")
		var frame := {"t": "cached", "what": "mesh", "keys": PackedStringArray(["mesh %d" % of]), "hashes": _hash(1)}
		equal(world.apply("cached", frame), "", "another one while %d are known" % _names().size())
	check(await until(func() -> bool: return _names() == ["mesh 19"]), "the others go when they have been read: %s" % [_names()])
	equal(world.get_mesh("mesh 19").get_surface_count(), 1, "and this one is read")
	return true


func _over_connections() -> bool:
	await _fresh(16)
	for of: int in 3:
		_live(Frames.with(Frames.mesh("mesh %d" % of, 1), ["hash"], _hash(of)))
	_live({"t": "cached", "what": "mesh", "keys": PackedStringArray(["lost"]), "hashes": _hash(77)})
	await _done()
	check(await until(func() -> bool:
		_hear()
		return not wanted.is_empty()), "what is not in the cache is asked for")
	world._cache.finish()
	_forget(["mesh 1"])
	await _done()
	sidecar.disconnect_now()
	check(await until(func() -> bool: return client.state != Client.State.OPEN), "the connection ends")
	var resume := await _opened()
	equal([resume["meshes"], resume["max_meshes"]], [PackedStringArray(["mesh 0", "mesh 2"]), 4096], "what is held, and how much could be")
	_live({"t": "resumed", "reset": false, "rev": 0})
	# What is read is held, as far as is known.
	_live({"t": "cached", "what": "mesh", "keys": PackedStringArray(["read"]), "hashes": _hash(1)})
	check(await until(func() -> bool:
		_hear()
		return not wanted.is_empty()), "what had not come is asked for again")
	await _done()
	equal(wanted, [{"t": "want", "what": "mesh", "keys": PackedStringArray(["lost"])}] as Array[Dictionary], "and nothing else")
	check((world.wasgo_resume()["meshes"] as PackedStringArray).has("read"), "told while it is read, or after")
	check(await until(func() -> bool: return world.get_mesh("read").get_surface_count() == 1), "it is read")
	equal(world.wasgo_resume()["mesh_hashes"], _hash(0) + _hash(2) + _hash(1), "hashes")
	for file: String in DirAccess.get_files_at(FOLDER):
		DirAccess.remove_absolute(FOLDER.path_join(file))
	return true
