extends "test_case.gd"
## What WasgoWorld3D keeps on disk, what it tells of that and of what stands in it when a connection opens again, and what it
## does with a world that comes back.

const Cache := preload("res://addons/wasgo/cache.gd")
const Frames := preload("frames.gd")
const Jobs := preload("jobs.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

const FOLDER := "user://wasgo_cache_test"

## Takes what the world sends.
class Client:
	extends "res://addons/wasgo/client.gd"
	var sent: Array[Dictionary] = []

	func send_frame(frame: Dictionary) -> Error:
		sent.append(frame)
		return OK


var world: World
var client: Client
var jobs := Jobs.new()


func _initialize() -> void:
	run("cache_test", [_chunks_come_back, _meshes_come_back, _idle_meshes, _a_hello_waits_for_the_list, _assets_come_back, _assets_that_are_damaged, _assets_are_asked_for_again, _what_is_told, _a_thousand_chunks_are_told_in_short, _another_world, _resets, _revisions, _damage, _foreign_files, _the_oldest_go,
			_shared_by_two, _a_folder_that_cannot_be, _no_cache, _given_up] as Array[Callable])


func _fresh(megabytes := 64) -> void:
	if world != null:
		world.free()
	world = World.new()
	world.cache_folder = FOLDER
	world.cache_megabytes = megabytes
	client = Client.new()
	client.auto_connect = false
	world.add_child(client)
	root.add_child(world)
	if world._cache != null:
		world._cache.finish()


func _empty() -> void:
	if world != null:
		world.free()
		world = null
	for file: String in _files():
		DirAccess.remove_absolute(FOLDER.path_join(file))
	_fresh()


func _files() -> PackedStringArray:
	var folder := DirAccess.open(FOLDER)
	return folder.get_files() if folder != null else PackedStringArray()


func _hash(of: int) -> PackedByteArray:
	var found := PackedByteArray()
	found.resize(16)
	found.encode_s64(0, of)
	return found


# As much of hashes as is told.
func _told(of: Array[int]) -> PackedByteArray:
	var found := PackedByteArray()
	for number: int in of:
		found.append_array(_hash(number).slice(0, 4))
	return found


func _asset(of: int) -> Dictionary:
	return {"t": "asset", "hash": _hash(of), "glb": Frames.glb_of([Frames.triangle()]), "bulk": 7}


func _spawn(id: int, of: int) -> void:
	var node := Frames.node(id, "", Transform3D.IDENTITY)
	node["glb"] = _hash(of)
	equal(world.apply("spawn", {"t": "spawn", "nodes": [node]}), "", "a node")


func _shows(id: int) -> bool:
	return not world.get_spawned(id).find_children("*", "MeshInstance3D", true, false).is_empty()


func _want_of(numbers: Array[int]) -> Dictionary:
	var hashes := PackedByteArray()
	for number: int in numbers:
		hashes.append_array(_hash(number))
	return {"t": "want", "what": "asset", "hashes": hashes}


func _chunk(key: String, of: int) -> Dictionary:
	var frame := Frames.chunk(key, Vector3(of, 0, 0), 17, 17, 1.0, Frames.hills)
	frame["hash"] = _hash(of)
	frame["bulk"] = 99
	return frame


func _mesh(mesh_name: String, of: int, surfaces: int) -> Dictionary:
	var frame := Frames.mesh(mesh_name, surfaces)
	frame["hash"] = _hash(of)
	frame["seq"] = 5
	return frame


func _cached(what: String, keys: Array[String], of: Array[int]) -> Dictionary:
	var hashes := PackedByteArray()
	for number: int in of:
		hashes.append_array(_hash(number))
	return {"t": "cached", "what": what, "keys": PackedStringArray(keys), "hashes": hashes}


func _wanted() -> Array:
	return client.sent.filter(func(frame: Dictionary) -> bool: return frame["t"] == "want")


func _put(frame: Dictionary) -> void:
	equal(await jobs.run(world, frame), "", "a %s" % frame["t"])
	world._cache.finish()


func _chunks_come_back() -> bool:
	_empty()
	await _put(_chunk("a", 1))
	await _put(_chunk("b", 2))
	equal(_files().size(), 2, "a file each")
	_fresh()
	equal(world.wasgo_resume()["have"], _told([1, 2]), "another engine has them")
	equal(await jobs.run(world, _cached("chunk", ["a", "x", "b"], [1, 3, 2])), "", "cached")
	equal(world.get_chunk_keys(), PackedStringArray(["a", "b"]), "they are built")
	equal([world.count()["vertices"], world.count()["cached"]], [2 * 289, 2], "counts")
	equal(world.get_chunk("b").position, Vector3(2, 0, 0), "as they were")
	equal(_wanted(), [{"t": "want", "what": "chunk", "keys": PackedStringArray(["x"])}], "what is not there is asked for")
	# The same content may stand under another key.
	equal(world.apply("cached", _cached("chunk", ["c"], [1])), "", "under another key")
	check(world.get_chunk("c") != null, "it is there too")
	return true


func _meshes_come_back() -> bool:
	_empty()
	equal(world.apply("mesh", _mesh("pine", 1, 3)), "", "a mesh")
	equal(world.apply("mesh", _mesh("rock", 2, 1)), "", "another")
	world._cache.finish()
	_fresh()
	equal(world.apply("cached", _cached("mesh", ["pine", "fir", "rock"], [1, 7, 1])), "", "cached")
	check(world.get_mesh("pine") != null and world.get_mesh("fir") != null, "they can be used at once")
	equal(_wanted(), [{"t": "want", "what": "mesh", "keys": PackedStringArray(["fir"])}], "what is not there is asked for")
	var shown := world.get_mesh("pine")
	while shown.get_surface_count() == 0 or world.get_mesh("rock").get_surface_count() == 0:
		await process_frame
	equal(shown.get_surface_count(), 3, "and show what was kept")
	equal(world.wasgo_resume()["meshes"], PackedStringArray(["pine", "rock"]), "what is held")
	equal(world.wasgo_resume()["mesh_hashes"], _hash(1) + _hash(1), "with their hashes")
	# A mesh that comes while the kept one is read is the newer.
	equal(world.apply("cached", _cached("mesh", ["pine"], [1])), "", "cached again")
	equal(world.apply("mesh", _mesh("pine", 9, 2)), "", "and sent")
	for tick: int in 20:
		await process_frame
	equal(world.get_mesh("pine").get_surface_count(), 2, "the newer stays")
	for wrong: Dictionary in [_cached("mesh", [""], [1]), _cached("mesh", ["a"], [1, 2]), {"t": "cached", "what": "mesh"}]:
		check(world.apply("cached", wrong) != "", "wrong")
	return true


func _a_hello_waits_for_the_list() -> bool:
	_empty()
	await _put(_chunk("a", 1))
	world.free()
	world = World.new()
	world.cache_folder = FOLDER
	check(world.wasgo_is_ready(), "without a cache there is nothing to know")
	root.add_child(world)
	while not world.wasgo_is_ready():
		await process_frame
	equal(world.wasgo_resume()["have"], _told([1]), "when it is ready it tells what is there")
	var none := Cache.new()
	none.open("", 0)
	check(none.is_known(), "a cache of nothing")
	return true


func _assets_come_back() -> bool:
	_empty()
	_spawn(1, 5)
	_spawn(2, 5)
	equal(_wanted(), [_want_of([5])], "a file that is not there is asked for, once")
	await _put(_asset(5))
	check(_shows(1) and _shows(2), "and shown when it has come")
	_spawn(3, 5)
	check(_shows(3), "what is held is shown at once")
	equal(_wanted().size(), 1, "and not asked for")
	_fresh()
	equal(world.wasgo_resume()["have"], _told([5]), "another engine has it")
	_spawn(1, 5)
	_spawn(2, 5)
	while not _shows(1) or not _shows(2):
		await process_frame
	equal([_wanted(), world.count()["assets"], world.count()["cached"]], [[], 1, 1], "it comes out of the cache")
	# A node that goes meanwhile, and a world that is cleared, stop nothing.
	_fresh()
	_spawn(1, 5)
	equal(world.apply("despawn", {"t": "despawn", "ids": PackedInt64Array([1])}), "", "it goes")
	while world.count()["assets"] == 0:
		await process_frame
	_fresh()
	_spawn(1, 5)
	world.clear()
	for tick: int in 5:
		await process_frame
	equal([world.count()["assets"], _wanted()], [0, []], "cleared")
	return true


func _assets_that_are_damaged() -> bool:
	_empty()
	for of: int in range(1, 4):
		await _put(_asset(of))
	var cut := FileAccess.open(_path(1), FileAccess.WRITE)
	cut.store_buffer("WASGO-C1".to_ascii_buffer())
	cut.close()
	var other := FileAccess.open(_path(2), FileAccess.WRITE)
	other.store_buffer(_content(var_to_bytes({"t": "asset", "glb": PackedByteArray([1, 2, 3])})))
	other.close()
	_fresh()
	for of: int in range(1, 4):
		_spawn(of, of)
	while not _shows(3) or _wanted().size() < 2:
		await process_frame
	check(_wanted().has(_want_of([1])) and _wanted().has(_want_of([2])), "what cannot be read, or shown, is asked for: %s" % [_wanted()])
	for of: int in [1, 2]:
		equal(await jobs.run(world, _asset(of)), "", "sent")
		check(_shows(of), "and shown")
	return true


func _assets_are_asked_for_again() -> bool:
	_empty()
	world.wasgo_opened("one", false)
	_spawn(1, 5)
	_spawn(2, 6)
	await _put(_asset(6))
	client.sent.clear()
	world.wasgo_opened("one", true)
	equal(world.apply("resumed", {"t": "resumed", "reset": false, "rev": 0}), "", "it opens again")
	equal(_wanted(), [_want_of([5])], "what had not come is asked for again")
	client.sent.clear()
	equal(world.apply("resumed", {"t": "resumed", "reset": true, "rev": 0}), "", "anew")
	equal(_wanted(), [], "without nodes nothing is")
	return true


func _filled() -> int:
	var filled := 0
	for mesh_name: String in world._meshes.all:
		filled += 1 if world._meshes.all[mesh_name].get_surface_count() > 0 else 0
	return filled


# Meshes that nothing shows are emptied, beyond a bound, and are there again when something does.
func _idle_meshes() -> bool:
	_empty()
	world.max_idle_meshes = 16
	var shown: Array[ArrayMesh] = []
	for i: int in 40:
		equal(world.apply("mesh", _mesh("mesh %d" % i, i, 3)), "", "a mesh")
		world._cache.finish()
		if i < 5:
			equal(world.apply("spawn", {"t": "spawn", "nodes": [Frames.node(i, "mesh %d" % i, Transform3D.IDENTITY)]}), "", "a node shows it")
		elif i < 10:
			var woods := Frames.chunk("woods %d" % i, Vector3.ZERO, 5, 5, 1.0, Frames.hills)
			woods["instances"] = [{"mesh": "mesh %d" % i, "transforms": Frames.many_floats(2)}]
			equal(world.apply("chunk", woods), "", "instances show it")
	check(_filled() <= 30, "%d of 40 are filled, of which 10 are shown" % _filled())
	for i: int in 10:
		check(world._meshes.all["mesh %d" % i].get_surface_count() > 0, "what is shown is not emptied")
	equal(world.count()["meshes"], 40, "all are known")
	equal((world.wasgo_resume()["meshes"] as PackedStringArray).size(), 40, "and told as held")
	# By a node, by instances, and by the game.
	equal(world._meshes.all["mesh 10"].get_surface_count(), 0, "an empty one")
	equal(world.apply("spawn", {"t": "spawn", "nodes": [Frames.node(100, "mesh 10", Transform3D.IDENTITY)]}), "", "a node shows it")
	var more := Frames.chunk("more", Vector3.ZERO, 5, 5, 1.0, Frames.hills)
	more["instances"] = [{"mesh": "mesh 11", "transforms": Frames.many_floats(2)}]
	equal(world.apply("chunk", more), "", "instances show another")
	var own := world.get_mesh("mesh 12")
	while own.get_surface_count() == 0 or world._meshes.all["mesh 10"].get_surface_count() == 0 or world._meshes.all["mesh 11"].get_surface_count() == 0:
		await process_frame
	equal((world.get_spawned(100) as MeshInstance3D).mesh.get_surface_count(), 3, "they are filled again")
	equal(_wanted(), [], "and nobody was asked for them")
	# One whose file has gone is asked for.
	var gone := ""
	for mesh_name: String in world._meshes._asleep:
		gone = mesh_name
	for file: String in _files():
		DirAccess.remove_absolute(FOLDER.path_join(file))
	world.get_mesh(gone)
	while client.sent.is_empty():
		await process_frame
	equal(_wanted(), [{"t": "want", "what": "mesh", "keys": PackedStringArray([gone])}], "what is not there any more is asked for")
	equal(world.apply("mesh", _mesh(gone, 39, 2)), "", "and sent")
	equal(world.get_mesh(gone).get_surface_count(), 2, "so that it is there")
	# Without a cache there is no way back.
	_fresh(0)
	world.max_idle_meshes = 4
	for i: int in 40:
		equal(world.apply("mesh", _mesh("mesh %d" % i, i, 3)), "", "a mesh")
	equal(_filled(), 40, "what cannot be had again stays")
	return true


func _what_is_told() -> bool:
	_empty()
	await _put(_chunk("a", 1))
	await _put(Frames.chunk("no hash", Vector3.ZERO, 5, 5, 1.0, Frames.slope))
	equal(world.apply("mesh", _mesh("pine", 3, 1)), "", "a mesh")
	equal(world.apply("mesh", Frames.mesh("no hash", 1)), "", "a mesh without a hash")
	world._cache.finish()
	equal(world.wasgo_resume(), {"rev": 0, "keys": PackedStringArray(["a"]), "hashes": _hash(1), "meshes": PackedStringArray(["pine"]),
			"mesh_hashes": _hash(3), "max_meshes": 4096, "have": _told([1, 3]), "keeps": true}, "what is told")
	world.get_chunk("a").free()
	equal(world.wasgo_resume()["keys"], PackedStringArray(), "what the game freed is not held")
	equal(world.apply("mesh", Frames.mesh("pine", 1)), "", "the mesh without its hash")
	equal(world.wasgo_resume()["meshes"], PackedStringArray(), "is not told")
	return true


func _a_thousand_chunks_are_told_in_short() -> bool:
	_empty()
	for of: int in 1000:
		var frame := Frames.chunk("%d,%d,1" % [of % 40 - 20, of / 40 - 12], Vector3.ZERO, 2, 2, 1.0, Frames.slope)
		frame["hash"] = _hash(of)
		equal(world.apply("chunk", frame), "", "a chunk")
	for of: int in 5000:
		world._cache._files["%032x" % (of * 7919)] = Vector2i(1000, 1)
	world._cache._is_told = false
	var frame := {"t": "resume"}
	frame.merge(world.wasgo_resume())
	equal([(frame["keys"] as PackedStringArray).size(), (frame["have"] as PackedByteArray).size() / 4 >= 5000], [1000, true], "all is told")
	check(var_to_bytes(frame).size() < 65_536, "in %d bytes" % var_to_bytes(frame).size())
	world._cache._files.clear()
	return true


func _another_world() -> bool:
	_empty()
	world.wasgo_opened("one", false)
	await _put(_chunk("a", 1))
	equal(world.apply("spawn", {"t": "spawn", "nodes": [Frames.node(1, "", Transform3D.IDENTITY)], "rev": 7}), "", "a node")
	equal(world.apply("properties", {"t": "properties", "values": {"hour": 5}}), "", "a value")
	equal(await jobs.run(world, {"t": "asset", "hash": _hash(5), "glb": Frames.glb_of([Frames.triangle()])}), "", "an asset")
	world.wasgo_opened("one", true)
	equal([world.count()["chunks"], world.count()["nodes"], world.rev, world.properties.size()], [1, 1, 7, 1], "the same world stays")
	equal(world.wasgo_resume()["rev"], 7, "and its number is told")
	world.wasgo_opened("two", false)
	equal([world.count()["chunks"], world.count()["nodes"], world.count()["assets"], world.rev, world.properties.size()], [0, 0, 0, 0, 0], "another does not")
	await _put(_chunk("a", 1))
	world.wasgo_opened("", false)
	equal(world.count()["chunks"], 0, "nor does one without a name")
	await _put(_chunk("a", 1))
	world.wasgo_opened("", false)
	equal(world.count()["chunks"], 0, "nor does it twice")
	return true


func _resets() -> bool:
	_empty()
	world.wasgo_opened("one", false)
	await _put(_chunk("a", 1))
	equal(world.apply("mesh", _mesh("pine", 3, 1)), "", "a mesh")
	equal(world.apply("spawn", {"t": "spawn", "nodes": [Frames.node(1, "pine", Transform3D.IDENTITY)], "rev": 7}), "", "a node")
	equal(world.apply("resumed", {"t": "resumed", "reset": false, "rev": 7}), "", "resumed")
	equal([world.count()["nodes"], world.rev], [1, 7], "nothing is reset")
	equal(world.apply("resumed", {"t": "resumed", "reset": true, "rev": 70}), "", "resumed anew")
	equal([world.count()["nodes"], world.count()["chunks"], world.count()["meshes"], world.rev], [0, 1, 1, 0], "nodes go, chunks and meshes stay")
	for wrong: Dictionary in [{"t": "resumed"}, {"t": "resumed", "reset": 1, "rev": 1}, {"t": "resumed", "reset": true}, {"t": "resumed", "reset": true, "rev": 1.5}]:
		check(world.apply("resumed", wrong) != "", "wrong")
	return true


func _revisions() -> bool:
	_empty()
	world.wasgo_opened("one", false)
	equal(world.apply("spawn", {"t": "spawn", "nodes": [], "rev": 3}), "", "a number")
	equal(world.apply("rows", {"t": "rows", "columns": PackedStringArray(), "ids": PackedInt64Array(), "values": [], "rev": 4}), "", "the next")
	check(world.apply("spawn", {"t": "spawn", "nodes": [{}], "rev": 9}) != "", "a frame that is wrong")
	check(world.apply("despawn", {"t": "despawn", "ids": PackedInt64Array(), "rev": "9"}) != "", "a number that is none")
	equal(world.rev, 4, "does not count")
	equal(world.count()["rev"], 4, "as the report tells")
	equal(world.apply("blend", {"t": "blend", "ids": PackedInt64Array(), "names": PackedStringArray(), "weights": PackedFloat32Array(), "rev": 1 << 40}), "", "a large one")
	equal(world.rev, 1 << 40, "counts")
	return true


func _path(of: int) -> String:
	return FOLDER.path_join(_hash(of).hex_encode() + ".wasgo")


func _damage() -> bool:
	_empty()
	for of: int in range(1, 9):
		await _put(_chunk(str(of), of))
	var whole := FileAccess.get_file_as_bytes(_path(1))
	var damaged: Array[PackedByteArray] = [whole.slice(0, 20), whole.slice(0, whole.size() - 1), whole.duplicate(), whole.duplicate(), whole + PackedByteArray([0])]
	damaged[2][0] += 1
	damaged[3][whole.size() / 2] ^= 255
	# Whole, but of something else: a mesh, and no frame at all.
	var other := _content(var_to_bytes({"t": "mesh", "name": "x", "surfaces": []}))
	damaged.append(other)
	damaged.append(_content(var_to_bytes(7)))
	damaged.append(_content(var_to_bytes({"t": "chunk", "key": "x", "origin": 1})))
	for i: int in damaged.size():
		var file := FileAccess.open(_path(i + 1), FileAccess.WRITE)
		file.store_buffer(damaged[i])
		file.close()
	var keys: Array[String] = []
	var of: Array[int] = []
	for i: int in damaged.size():
		keys.append(str(i + 1))
		of.append(i + 1)
	world.clear()
	equal(await jobs.run(world, _cached("chunk", keys, of)), "", "cached")
	equal(world.count()["chunks"], 0, "nothing that is damaged is built")
	equal(_wanted().size(), 1, "all is asked for")
	equal((_wanted()[0]["keys"] as PackedStringArray).size(), damaged.size(), "all of it")
	for i: int in 5:
		check(not FileAccess.file_exists(_path(i + 1)), "damaged file %d is removed" % i)
	return true


func _content(bytes: PackedByteArray) -> PackedByteArray:
	var body := PackedByteArray([0, 0, 0, 0])
	body.encode_u32(0, bytes.size())
	body.append_array(bytes.compress(FileAccess.COMPRESSION_ZSTD))
	var context := HashingContext.new()
	context.start(HashingContext.HASH_SHA256)
	context.update(body)
	return "WASGO-C1".to_ascii_buffer() + context.finish() + body


func _foreign_files() -> bool:
	_empty()
	await _put(_chunk("a", 1))
	for file: String in ["notes.txt", "short.wasgo", "g".repeat(32) + ".wasgo", "0".repeat(32) + ".wasgo"]:
		var made := FileAccess.open(FOLDER.path_join(file), FileAccess.WRITE)
		made.store_string("x")
		made.close()
	_fresh()
	equal(world.wasgo_resume()["have"], _told([1]), "only what is whole is told")
	equal(_files(), PackedStringArray([_hash(1).hex_encode() + ".wasgo", "notes.txt"]), "what bears our name and is not ours is removed, and nothing else")
	return true


func _the_oldest_go() -> bool:
	_empty()
	var cache := Cache.new()
	var random := RandomNumberGenerator.new()
	random.seed = 1
	var noise := PackedByteArray()
	for i: int in 150_000:
		noise.append(random.randi() & 255)
	cache.open(FOLDER, 400_000)
	for of: int in 12:
		cache.put(_hash(of), {"t": "chunk", "noise": noise.slice(0, 50_000), "of": of})
		cache.finish()
		check(cache.bytes() <= 400_000, "never more than the limit")
		if of > 0:
			check(not cache.take(_hash(0)).is_empty(), "what is used stays")
	check(cache.has(_hash(11)) and not cache.has(_hash(1)), "the newest is there, what was not used is not")
	equal(cache.told().size() / 4, 7, "seven have room")
	equal(_files().size(), 7, "on disk as well")
	cache.put(_hash(99), {"t": "chunk", "noise": noise})
	cache.finish()
	check(not cache.has(_hash(99)), "what is large beside the limit is not kept")
	cache.close()
	# Less room in the next run.
	cache = Cache.new()
	cache.open(FOLDER, 120_000)
	cache.finish()
	equal(_files().size(), 2, "two are left")
	# Too much at once is passed over: the queue has its bound.
	for of: int in range(200, 1200):
		cache.put(_hash(of), {"t": "chunk", "of": of})
	cache.finish()
	check(cache.told().size() / 4 < 200, "a queue has its end")
	cache.close()
	return true


# Two engines write, read and remove in one folder at once.
func _shared_by_two() -> bool:
	_empty()
	var caches: Array[Cache] = []
	for i: int in 2:
		caches.append(Cache.new())
		caches[i].open(FOLDER, 60_000)
	var wrong := 0
	for round: int in 300:
		var of := 1000 + round % 40
		caches[round % 2].put(_hash(of), {"t": "chunk", "of": of, "filling": "x%d" % of + "y".repeat(of)})
		for cache: Cache in caches:
			var found := cache.take(_hash(1000 + (round * 7) % 40))
			if not found.is_empty() and found["of"] != 1000 + (round * 7) % 40:
				wrong += 1
	for cache: Cache in caches:
		cache.finish()
	equal(wrong, 0, "no content is another's")
	for file: String in _files():
		check(file.ends_with(".wasgo"), "no part is left over")
	# What one removed, the other finds gone.
	for file: String in _files():
		DirAccess.remove_absolute(FOLDER.path_join(file))
	for of: int in 40:
		check(caches[0].take(_hash(1000 + of)).is_empty(), "gone")
	equal(caches[0].bytes(), 0, "and counted so")
	for cache: Cache in caches:
		cache.close()
	return true


func _a_folder_that_cannot_be() -> bool:
	_empty()
	var file := FileAccess.open("user://wasgo_no_folder", FileAccess.WRITE)
	file.store_string("a file")
	file.close()
	world.free()
	world = World.new()
	world.cache_folder = "user://wasgo_no_folder/cache"
	root.add_child(world)
	world._cache.finish()
	equal(await jobs.run(world, _chunk("a", 1)), "", "the world goes on")
	world._cache.finish()
	equal(world.wasgo_resume()["have"], PackedByteArray(), "without a cache")
	world.free()
	world = null
	return true


func _no_cache() -> bool:
	_empty()
	_fresh(0)
	equal(await jobs.run(world, _chunk("a", 1)), "", "a chunk")
	equal([world.wasgo_resume()["have"], world.wasgo_resume()["keeps"]], [PackedByteArray(), false], "nothing is kept")
	equal(_files().size(), 0, "nor written")
	equal(await jobs.run(world, _cached("chunk", ["b"], [1])), "", "cached")
	equal(world.apply("cached", _cached("mesh", ["b"], [1])), "", "cached")
	equal(_wanted().size(), 2, "all is asked for")
	return true


func _given_up() -> bool:
	_empty()
	for of: int in range(1, 6):
		await _put(_chunk(str(of), of))
	world.clear()
	var job: Object = await jobs.prepare(world, _cached("chunk", ["1", "2", "3", "4", "5"], [1, 2, 3, 4, 5]))
	while world.count()["chunks"] < 2:
		job.call("step")
	job.call("cancel")
	equal(world.count()["chunks"], 2, "the rest was given up")
	check(job.call("step") == true, "and no more comes")
	# A connection that opens ends what workers prepare for the one before.
	world.wasgo_opened("", false)
	equal(world.count()["chunks"], 0, "emptied")
	return true
