extends "test_case.gd"
## Prints what frames cost the main thread: "figure name: ...". Nothing here fails because a machine is slow.

const Frames := preload("frames.gd")
const Jobs := preload("jobs.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

var world: World
var jobs := Jobs.new()


func _initialize() -> void:
	run("world_speed", [_chunks, _rows, _many_nodes] as Array[Callable])


func _fresh() -> void:
	if world != null:
		world.free()
	world = World.new()
	world.cache_megabytes = 0
	root.add_child(world)


func _figure(what: String, frame: Dictionary) -> void:
	var totals: Array[int] = []
	var longest: Array[int] = []
	var frees: Array[int] = []
	var prepared: Array[int] = []
	var steps := 0
	for i: int in 9:
		var key := "%s %d" % [what, i]
		var sent := Frames.with(frame, ["key"], key)
		var before := Time.get_ticks_usec()
		var job: Object = await jobs.prepare(world, sent)
		prepared.append(Time.get_ticks_usec() - before)
		equal(await jobs.finish(job), "", what)
		totals.append(jobs.total)
		longest.append(jobs.longest)
		steps = jobs.steps
		for tick: int in 3:
			await process_frame
		await jobs.run(world, {"t": "unload", "keys": PackedStringArray([key])})
		frees.append(jobs.total)
	totals.sort()
	longest.sort()
	frees.sort()
	prepared.sort()
	print("figure %s: %d us of main thread in %d steps, the longest %d us; unloaded in %d us; prepared within %d us" % [
			what, totals[4], steps, longest[4], frees[4], prepared[4]])


func _chunks() -> bool:
	_fresh()
	print("figure display: %s, %s" % [DisplayServer.get_name(), RenderingServer.get_current_rendering_method()])
	equal(world.apply("mesh", Frames.mesh("pine", 2)), "", "a mesh")
	var plain := Frames.chunk("", Vector3.ZERO, 65, 65, 1.0, Frames.hills)
	await _figure("65 x 65 with collider", plain)
	var woods := plain.duplicate()
	woods["instances"] = []
	for i: int in 4:
		(woods["instances"] as Array).append({"mesh": "pine", "transforms": Frames.many_floats(250)})
	await _figure("65 x 65 with collider and 1,000 instances", woods)
	# The shader of its kind of material is made once, and stays as long as one such chunk does.
	equal(world.apply("chunk", _by_glb(Frames.with(plain, ["key"], "kept"))), "", "one that stays")
	var glb := _by_glb(plain)
	await _figure("65 x 65 by GLB with collider", glb)
	var village := plain.duplicate(true)
	for i: int in 60:
		(village["surfaces"] as Array).append(Frames.grid(9, 9, 0.5, Frames.hills))
	(village["instances"] as Array).clear()
	for i: int in 24:
		(village["instances"] as Array).append({"mesh": "pine", "transforms": Frames.many_floats(40), "far": 200.0})
	(village["colliders"] as Array).append(Frames.boxes(500))
	await _figure("village: 61 surfaces, 24 sets, 500 boxes", village)
	var ruins := plain.duplicate(true)
	(ruins["colliders"] as Array).append({"shape": "mesh", "faces": Frames.faces(8192)})
	await _figure("65 x 65 and 8,192 triangles of collider", ruins)
	return true


func _by_glb(frame: Dictionary) -> Dictionary:
	var by_glb := frame.duplicate()
	by_glb["glb"] = Frames.glb_of(frame["surfaces"] as Array)
	by_glb.erase("surfaces")
	return by_glb


func _rows() -> bool:
	_fresh()
	for count: int in [1000, 10_000]:
		var nodes := []
		var ids := PackedInt64Array()
		for id: int in count:
			nodes.append(Frames.node(id, "", Transform3D.IDENTITY))
			ids.append(id)
		equal(world.apply("spawn", {"t": "spawn", "nodes": nodes}), "", "nodes")
		var xs := PackedFloat32Array()
		xs.resize(count)
		var doubles := PackedFloat64Array()
		doubles.resize(count)
		var vectors := PackedVector3Array()
		vectors.resize(count)
		var mixed: Array = []
		mixed.resize(count)
		mixed.fill(1.0)
		var kinds := {
			"one PackedVector3Array": [["position"], [vectors]], "three PackedFloat32Array": [["position:x", "position:y", "position:z"], [xs, xs, xs]],
			"three PackedFloat64Array": [["position:x", "position:y", "position:z"], [doubles, doubles, doubles]],
			"one PackedFloat64Array": [["rotation:y"], [doubles]], "an Array": [["position:x"], [mixed]],
		}
		for kind: String in kinds:
			var frame := {"t": "rows", "columns": PackedStringArray(kinds[kind][0] as Array), "ids": ids, "values": kinds[kind][1]}
			var best := 1 << 60
			for i: int in 10:
				for k: int in vectors.size():
					vectors[k] = Vector3(i, k, i)
				var bytes := var_to_bytes(frame)
				var before := Time.get_ticks_usec()
				var again: Dictionary = bytes_to_var(bytes)
				equal(world.apply("rows", again), "", kind)
				best = mini(best, Time.get_ticks_usec() - before)
				await process_frame
			print("figure rows of %s for %d nodes: %d us, %.0f ns a row, %d rows a second" % [
					kind, count, best, best * 1000.0 / count, count * 1_000_000 / best])
	return true


func _many_nodes() -> bool:
	_fresh()
	equal(world.apply("mesh", Frames.mesh("rock", 1)), "", "a mesh")
	var before := Time.get_ticks_usec()
	for start: int in range(0, 100_000, 64):
		var nodes := []
		for id: int in range(start, mini(start + 64, 100_000)):
			nodes.append(Frames.node(id, "rock", Transform3D(Basis.IDENTITY, Vector3(id % 300, 0, id / 300))))
		equal(world.apply("spawn", {"t": "spawn", "nodes": nodes}), "", "nodes")
	print("figure 100,000 nodes spawned: %d ms" % ((Time.get_ticks_usec() - before) / 1000))
	equal(world.count()["nodes"], 100_000, "nodes")
	before = Time.get_ticks_usec()
	world.count()
	print("figure a report of 100,000 nodes: %d us" % (Time.get_ticks_usec() - before))
	before = Time.get_ticks_usec()
	equal(world.apply("despawn", {"t": "despawn", "ids": PackedInt64Array(range(1000))}), "", "despawned")
	print("figure 1,000 of them despawned: %d us" % (Time.get_ticks_usec() - before))
	before = Time.get_ticks_usec()
	equal(world.apply("resumed", {"t": "resumed", "reset": true, "rev": 0}), "", "reset")
	print("figure a reset with 99,000 nodes: %d us" % (Time.get_ticks_usec() - before))
	# A step of it in each tick.
	world.set_process(false)
	var steps := 0
	var longest := 0
	while world.get_child_count() > 0:
		before = Time.get_ticks_usec()
		world._process(0.0)
		longest = maxi(longest, Time.get_ticks_usec() - before)
		steps += 1
	print("figure the others out of the tree: %d steps, the longest %d us" % [steps, longest])
	return true
