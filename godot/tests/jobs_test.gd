extends "test_case.gd"
## Frames of the bulk lane on their way into WasgoWorld3D: prepared on worker threads, put in step by step, given up in
## the middle; and what their colliders hold.

const Frames := preload("frames.gd")
const Jobs := preload("jobs.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

var world: World
var jobs := Jobs.new()


func _initialize() -> void:
	run("jobs_test", [_a_chunk_in_steps, _glb_chunks, _boxes_hold, _meshes_hold, _wide_heights_hold, _coloured_instances, _replaced_without_a_hole,
			_given_up, _refused_late, _unloaded_in_steps, _many_at_once, _ten_thousand_chunks, _world_leaves, _malformed] as Array[Callable])


func _fresh() -> void:
	if world != null:
		world.free()
	world = World.new()
	world.cache_megabytes = 0
	root.add_child(world)


func _well(frame: Dictionary) -> void:
	equal(await jobs.run(world, frame), "", "a %s" % frame["t"])


func _counts(expected: Dictionary, what: String) -> void:
	var found := world.count()
	for key: String in expected:
		equal(found[key], expected[key], "%s: %s" % [what, key])


func _drop(x: float, z: float) -> float:
	var query := PhysicsRayQueryParameters3D.create(Vector3(x, 500, z), Vector3(x, -500, z))
	var hit := root.world_3d.direct_space_state.intersect_ray(query)
	return (hit["position"] as Vector3).y if not hit.is_empty() else NAN


func _a_chunk_in_steps() -> bool:
	_fresh()
	equal(world.apply("mesh", Frames.mesh("pine", 1)), "", "a mesh")
	var frame := Frames.chunk("a", Vector3.ONE, 65, 65, 1.0, Frames.hills)
	frame["instances"] = [{"mesh": "pine", "transforms": Frames.many_floats(10), "near": 5.0, "far": 300.0}]
	(frame["colliders"] as Array).append(Frames.boxes(1000))
	var job: Object = await jobs.prepare(world, frame)
	equal(job.get("error"), "", "prepared")
	equal(world.get_child_count(), 0, "and nothing is in the world yet")
	var built := []
	world.chunk_built.connect(func(key: String, chunk: Node3D) -> void: built.append([key, chunk]))
	equal(await jobs.finish(job, 1), "", "a step a tick")
	check(jobs.steps > 10, "many boxes take several steps")
	equal(built, [["a", world.get_chunk("a")]], "told once")
	_counts({"chunks": 1, "vertices": 4225, "triangles": 8192, "colliders": 2, "instances": 10}, "built")
	equal(world.get_chunk_keys(), PackedStringArray(["a"]), "keys")
	var instances := world.get_chunk("a").get_node("Instances0") as MultiMeshInstance3D
	equal([instances.visibility_range_begin, instances.visibility_range_end], [5.0, 300.0], "near and far")
	check(instances.multimesh.mesh == world.get_mesh("pine"), "the mesh of the instances")
	check(world.get_chunk("a").visible, "it is seen")
	return true


func _glb_chunks() -> bool:
	_fresh()
	var frame := Frames.chunk("g", Vector3(0, 10, 0), 9, 9, 1.0, Frames.slope)
	frame["glb"] = Frames.glb_of(frame["surfaces"] as Array)
	frame.erase("surfaces")
	await _well(frame)
	_counts({"chunks": 1, "surfaces": 1, "vertices": 81, "triangles": 128, "colliders": 1}, "by glTF")
	await physics_frame
	await physics_frame
	near(_drop(2.5, 3.5), 10.0 + Frames.slope(2.5, 3.5), 0.01, "its collider")
	for wrong: Variant in [null, 1, PackedByteArray([1, 2, 3])]:
		check(await jobs.run(world, Frames.with(frame, ["glb"], wrong)) != "", "a wrong file")
	_counts({"chunks": 1, "vertices": 81}, "after wrong files")
	return true


func _boxes_hold() -> bool:
	_fresh()
	var boxes := PackedFloat32Array()
	# One that is turned and stretched, one that is mirrored, one that is flat, and a line that is nothing.
	boxes.append_array(Frames.floats(Transform3D(Basis(Vector3.UP, 0.5) * Basis.from_scale(Vector3(4, 6, 8)), Vector3(0, 3, 0))))
	boxes.append_array(Frames.floats(Transform3D(Basis.from_scale(Vector3(-2, 2, 2)), Vector3(30, 9, 0))))
	boxes.append_array(Frames.floats(Transform3D(Basis.from_scale(Vector3(6, 0, 6)), Vector3(60, 5, 0))))
	boxes.append_array(Frames.floats(Transform3D(Basis.from_scale(Vector3(6, 0, 0)), Vector3(90, 5, 0))))
	boxes.append_array(Frames.floats(Transform3D(Basis(Vector3.RIGHT, PI / 4.0) * Basis.from_scale(Vector3(2, 2, 2)), Vector3(120, 0, 0))))
	var frame := Frames.chunk("b", Vector3(0, 100, 0), 3, 3, 1.0, Frames.slope)
	frame["colliders"] = [{"shape": "boxes", "boxes": boxes}]
	await _well(frame)
	await physics_frame
	await physics_frame
	near(_drop(0.5, 2), 106.0, 0.01, "a box")
	# Its corner, which is only there because it is turned.
	var corner := Vector3(1.9, 0, 3.9).rotated(Vector3.UP, 0.5)
	near(_drop(corner.x, corner.z), 106.0, 0.01, "the corner of a box that is turned")
	check(is_nan(_drop(1.9, -3.9)), "which is not where it would be without")
	near(_drop(30.9, 0.9), 110.0, 0.01, "a mirrored box")
	near(_drop(61, 1), 105.0, 0.01, "a flat box")
	check(is_nan(_drop(90, 0)), "a line")
	near(_drop(120, 0), 100.0 + sqrt(2.0), 0.01, "a box on its edge")
	return true


func _meshes_hold() -> bool:
	_fresh()
	var frame := Frames.chunk("m", Vector3(5, 1, 5), 3, 3, 1.0, Frames.slope)
	var surface := Frames.grid(41, 41, 1.0, Frames.hills)
	var faces := PackedVector3Array()
	for index: int in (surface["indices"] as PackedInt32Array):
		faces.append((surface["positions"] as PackedVector3Array)[index])
	frame["colliders"] = [{"shape": "mesh", "faces": faces}]
	await _well(frame)
	await physics_frame
	await physics_frame
	for place: Vector2i in [Vector2i(1, 1), Vector2i(20, 20), Vector2i(39, 1), Vector2i(7, 33)]:
		near(_drop(5.001 + place.x, 5.001 + place.y), 1.0 + Frames.hills(place.x, place.y), 0.02, "triangles at %s" % place)
	check(is_nan(_drop(46, 20)), "nothing beyond them")
	var pieces := 0
	for body: StaticBody3D in world.get_chunk("m").find_children("Collider*", "StaticBody3D", false, false):
		pieces += body.get_shape_owners().size()
	equal(pieces, 7, "3,200 triangles in pieces")
	return true


func _wide_heights_hold() -> bool:
	_fresh()
	var frame := Frames.chunk("w", Vector3(-100, 0, 50), 3, 3, 1.0, Frames.slope)
	frame["colliders"] = [Frames.collider(300, 140, 0.5, Frames.slope)]
	await _well(frame)
	await physics_frame
	await physics_frame
	for place: Vector2 in [Vector2(0.1, 0.1), Vector2(63.9, 1), Vector2(64.1, 63.9), Vector2(128.3, 64.2), Vector2(149.4, 69.4), Vector2(64, 64)]:
		near(_drop(-100 + place.x, 50 + place.y), Frames.slope(place.x, place.y), 0.02, "heights at %s" % place)
	check(is_nan(_drop(49.7, 60)), "nothing after the last")
	return true


func _coloured_instances() -> bool:
	_fresh()
	equal(world.apply("mesh", Frames.mesh("pine", 1)), "", "a mesh")
	var transforms := PackedFloat32Array()
	for i: int in 3:
		transforms.append_array(Frames.floats(Transform3D(Basis.IDENTITY, Vector3(i, 0, 0))))
		transforms.append_array([0.5, 0.25, 1.0, 1.0])
	var frame := Frames.chunk("c", Vector3.ZERO, 3, 3, 1.0, Frames.slope)
	frame["instances"] = [{"mesh": "pine", "transforms": transforms, "colors": true}]
	await _well(frame)
	var multimesh := (world.get_chunk("c").get_node("Instances0") as MultiMeshInstance3D).multimesh
	equal(multimesh.instance_count, 3, "instances")
	check(multimesh.use_colors, "with colours")
	var material: StandardMaterial3D = world.get_mesh("pine").surface_get_material(0)
	check(material.vertex_color_use_as_albedo, "which the mesh shows")
	var at := 16 + 12
	var buffer := multimesh.buffer
	var shown := Color(buffer[at], buffer[at + 1], buffer[at + 2])
	near((shown.srgb_to_linear() if material.vertex_color_is_srgb else shown).g, 0.25, 0.01, "a colour")
	for wrong: Array in [["transforms", Frames.many_floats(3)], ["colors", 1], ["near", -1.0], ["far", NAN], ["far", "x"], ["mesh", "none"]]:
		check(await jobs.run(world, Frames.with(frame, ["instances", 0, wrong[0]], wrong[1])) != "", "wrong %s" % wrong[0])
	return true


func _replaced_without_a_hole() -> bool:
	_fresh()
	await _well(Frames.chunk("a", Vector3.ZERO, 9, 9, 1.0, Frames.slope))
	var frame := Frames.chunk("a", Vector3(0, 50, 0), 9, 9, 1.0, Frames.slope)
	(frame["colliders"] as Array).append(Frames.boxes(2000))
	var job: Object = await jobs.prepare(world, frame)
	var is_done := false
	var before := world.get_chunk("a")
	while not is_done:
		is_done = job.call("step")
		var seen := 0
		for child: Node in world.get_children():
			if child is Node3D and (child as Node3D).visible and child.has_node("Mesh"):
				seen += 1
		equal(seen, 1, "one of the two is seen")
	check(world.get_chunk("a") != before and not is_instance_valid(before), "the second in the end")
	equal(String(world.get_chunk("a").name), "Chunk a", "under its own name")
	await physics_frame
	await physics_frame
	near(_drop(1999 % 24 * 4, 1999 / 24 * 4), 52.0, 0.01, "and all its bodies, to the last box")
	return true


func _given_up() -> bool:
	_fresh()
	equal(world.apply("mesh", Frames.mesh("pine", 1)), "", "a mesh")
	await _well(Frames.chunk("a", Vector3.ZERO, 9, 9, 1.0, Frames.slope))
	var frame := Frames.chunk("a", Vector3(0, 50, 0), 65, 65, 1.0, Frames.slope)
	frame["instances"] = [{"mesh": "pine", "transforms": Frames.many_floats(10)}]
	(frame["colliders"] as Array).append(Frames.boxes(2000))
	await process_frame
	var nodes := Performance.get_monitor(Performance.OBJECT_NODE_COUNT)
	var steps := 0
	var is_done := false
	while not is_done:
		var job: Object = await jobs.prepare(world, frame)
		for n: int in steps:
			is_done = job.call("step")
		if is_done:
			break
		var before := world.get_chunk("a")
		job.call("cancel")
		check(job.call("step") == true, "what was given up is done")
		job = null
		equal(world.get_chunk("a") == before and is_instance_valid(before), true, "given up after %d steps" % steps)
		await process_frame
		if before.position.y == 0.0:
			equal(Performance.get_monitor(Performance.OBJECT_NODE_COUNT), nodes, "nodes after %d steps" % steps)
		steps += 1
	check(steps > 20, "it was given up everywhere")
	_counts({"chunks": 1, "colliders": 2, "vertices": 4225}, "in the end")
	# One that nobody wants any more, without a word.
	var forgotten: Object = await jobs.prepare(world, frame)
	forgotten.call("step")
	forgotten = null
	return true


func _refused_late() -> bool:
	_fresh()
	var frame := Frames.chunk("a", Vector3.ZERO, 9, 9, 1.0, Frames.slope)
	frame["instances"] = [{"mesh": "pine", "transforms": Frames.many_floats(10)}]
	# The mesh comes in the live lane, while a worker prepares.
	var early: Object = await jobs.prepare(world, frame)
	var late: Object = await jobs.prepare(world, frame)
	equal(early.get("error"), "", "whether there is a mesh shows later")
	check((await jobs.finish(early)).contains("pine"), "there is none")
	equal(world.apply("mesh", Frames.mesh("pine", 1)), "", "a mesh")
	equal(await jobs.finish(late), "", "and now there is")
	world.max_chunks = 1
	check((await jobs.run(world, Frames.with(frame, ["key"], "b"))).contains("1 chunks"), "one chunk too many")
	_counts({"chunks": 1, "instances": 10}, "in the end")
	return true


func _unloaded_in_steps() -> bool:
	_fresh()
	for i: int in 20:
		await _well(Frames.chunk(str(i), Vector3.ZERO, 5, 5, 1.0, Frames.slope))
	var removed := []
	world.chunk_removed.connect(func(key: String) -> void: removed.append(key))
	var job: Object = await jobs.prepare(world, {"t": "unload", "keys": PackedStringArray(["3", "none", "7", "8"])})
	equal(await jobs.finish(job), "", "unloaded")
	check(jobs.steps >= 4, "one by one")
	equal(removed, ["3", "7", "8"], "told")
	_counts({"chunks": 17}, "left")
	job = await jobs.prepare(world, {"t": "unload", "keys": PackedStringArray(["1", "2"])})
	job.call("step")
	job.call("cancel")
	check(job.call("step") == true, "given up")
	_counts({"chunks": 16}, "one was gone")
	return true


# Several workers at once, with live frames in between.
func _many_at_once() -> bool:
	_fresh()
	equal(world.apply("mesh", Frames.mesh("pine", 1)), "", "a mesh")
	var made: Array[Object] = []
	var mutex := Mutex.new()
	var tasks: Array[int] = []
	for i: int in 64:
		var frame := Frames.chunk(str(i), Vector3(i * 16, 0, 0), 17, 17, 1.0, Frames.hills)
		frame["instances"] = [{"mesh": "pine", "transforms": Frames.many_floats(i)}]
		frame["surfaces"][0]["material"] = {"base_color": Color(i / 64.0, 0, 0)}
		tasks.append(WorkerThreadPool.add_task(func() -> void:
			var job: Object = world.wasgo_preparer().call("wasgo_prepare", "chunk", frame)
			mutex.lock()
			made.append(job)
			mutex.unlock()))
	for task: int in tasks:
		world.apply("mesh", Frames.mesh("pine", 2))
		WorkerThreadPool.wait_for_task_completion(task)
	for job: Object in made:
		equal(await jobs.finish(job), "", "a chunk")
	_counts({"chunks": 64, "vertices": 64 * 289, "instances": 63 * 32}, "all of them")
	return true


func _ten_thousand_chunks() -> bool:
	_fresh()
	var frame := Frames.chunk("", Vector3.ZERO, 5, 5, 1.0, Frames.hills)
	var objects := 0.0
	for round: int in 2:
		for i: int in 5000:
			frame["key"] = "%d" % (i % 2500)
			if world.apply("chunk", frame) != "":
				fail("chunk %d" % i)
		_counts({"chunks": 2500, "vertices": 2500 * 25}, "five thousand, of which half were replaced")
		if round == 1:
			world.clear()
		else:
			equal(world.apply("unload", {"t": "unload", "keys": PackedStringArray(range(2500).map(func(i: int) -> String: return str(i)))}), "", "unloaded")
			objects = Performance.get_monitor(Performance.OBJECT_COUNT)
		_counts({"chunks": 0, "vertices": 0, "colliders": 0}, "none left")
	while Performance.get_monitor(Performance.OBJECT_COUNT) > objects + 50:
		await process_frame
	check(true, "and their memory is given back, in pieces")
	return true


# What workers prepare when the world is freed comes to nothing.
func _world_leaves() -> bool:
	var frame := Frames.chunk("a", Vector3.ZERO, 65, 65, 1.0, Frames.hills)
	for round: int in 5:
		_fresh()
		var made: Array[Object] = []
		var started := Semaphore.new()
		var preparer := world.wasgo_preparer()
		var task := WorkerThreadPool.add_task(func() -> void:
			started.post()
			made.append(preparer.call("wasgo_prepare", "chunk", frame)))
		started.wait()
		world.free()
		world = null
		WorkerThreadPool.wait_for_task_completion(task)
		equal(made[0].get("error"), "", "what was prepared for a world that has gone")
		made[0].call("cancel")
		check(made[0].call("step") == true, "is given up")
	return true


func _malformed() -> bool:
	_fresh()
	var chunk := Frames.chunk("a", Vector3.ZERO, 5, 5, 1.0, Frames.hills)
	(chunk["colliders"] as Array).append(Frames.boxes(2))
	(chunk["colliders"] as Array).append({"shape": "mesh", "faces": Frames.faces(2)})
	chunk["hash"] = PackedByteArray([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
	await _well(chunk)
	var before := world.count()
	var slanted := Frames.floats(Transform3D(Basis(Vector3.RIGHT, Vector3(1, 1, 0), Vector3.BACK), Vector3.ZERO))
	var many := PackedFloat32Array()
	many.resize(12 * 65_537)
	var faces := PackedVector3Array()
	faces.resize(3 * 65_536)
	for wrong: Array in [[["hash"], "x"], [["hash"], PackedByteArray([1])], [["colliders"], 1], [["colliders"], {}], [["colliders", 0], null],
			[["colliders", 0, "shape"], "ball"], [["colliders", 0, "shape"], 1], [["colliders", 0, "shape"], Frames.MISSING],
			[["colliders", 1, "boxes"], Frames.MISSING], [["colliders", 1, "boxes"], slanted.slice(1)], [["colliders", 1, "boxes"], slanted],
			[["colliders", 1, "boxes"], PackedFloat32Array([INF, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0])], [["colliders", 1, "boxes"], many],
			[["colliders", 1, "boxes"], PackedFloat64Array([1])], [["colliders", 2, "faces"], Frames.MISSING], [["colliders", 2, "faces"], PackedVector3Array()],
			[["colliders", 2, "faces"], PackedVector3Array([Vector3.ONE])], [["colliders", 2, "faces"], PackedVector3Array([Vector3.ONE, Vector3.INF, Vector3.ZERO])],
			[["colliders", 2, "faces"], faces], [["surfaces"], Frames.MISSING], [["surfaces", 0, "uvs"], 1], [["surfaces", 0, "uvs"], PackedVector2Array([Vector2.ONE])],
			[["surfaces", 0, "uvs2"], PackedVector2Array([Vector2.ONE])], [["surfaces", 0, "material", "name"], 1], [["origin"], Vector3.INF], [["key"], null]]:
		var error := await jobs.run(world, Frames.with(chunk, wrong[0] as Array, wrong[1]))
		check(error != "" and not error.contains("add-on"), "%s: %s" % [wrong[0], error])
		equal(world.count(), before, "the world after it")
	var entries := []
	entries.resize(1025)
	entries.fill(Frames.boxes(1))
	check((await jobs.run(world, Frames.with(chunk, ["colliders"], entries))).contains("1024"), "many colliders")
	for wrong: Dictionary in [{"t": "unload"}, {"t": "unload", "keys": ["a"]}, {"t": "asset"}, {"t": "cached"}, {"t": "cached", "what": "chunk"},
			{"t": "cached", "what": "chunk", "keys": PackedStringArray(["a"]), "hashes": PackedByteArray([1])}, {"t": "cached", "what": 1},
			{"t": "cached", "what": "chunk", "keys": PackedStringArray(["k".repeat(1025)]), "hashes": chunk["hash"]}]:
		check(await jobs.run(world, wrong) != "", "%s" % wrong)
	equal(await jobs.run(world, {"t": "of a later version"}), "", "a kind of a later version")
	return true
