extends "test_case.gd"
## A large world that is cleared leaves the tree in steps, and is in nobody's way meanwhile.

const Frames := preload("frames.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

const CHUNKS := 1000
const NODES := 5000

var world: World


func _initialize() -> void:
	run("clearing_test", [_in_steps, _another_in_its_place, _freed_meanwhile] as Array[Callable])


func _well(frame: Dictionary) -> void:
	equal(world.apply(frame["t"] as String, frame), "", "applying a %s" % frame["t"])


# Each with a mesh, a body and 16 kinds of instances.
func _filled(chunks := CHUNKS) -> void:
	if is_instance_valid(world):
		world.free()
	world = World.new()
	world.cache_megabytes = 0
	root.add_child(world)
	_well(Frames.mesh("pine", 1))
	var frame := Frames.chunk("", Vector3.ZERO, 9, 9, 1.0, Frames.hills)
	for i: int in 16:
		frame["instances"].append({"mesh": "pine", "transforms": Frames.many_floats(4)})
	for i: int in chunks:
		frame["key"] = str(i)
		frame["name"] = "Chunk %d" % i
		world.apply("chunk", frame)
	var nodes := []
	for id: int in NODES:
		nodes.append(Frames.node(id, "pine", Transform3D.IDENTITY))
	_well({"t": "spawn", "nodes": nodes})
	equal([world.count()["chunks"], world.count()["nodes"]], [chunks, NODES], "what is there")
	await process_frame


func _in_steps() -> bool:
	await _filled()
	var bodies := int(Performance.get_monitor(Performance.OBJECT_NODE_COUNT))
	var began := Time.get_ticks_usec()
	_well({"t": "clear"})
	var longest := Time.get_ticks_usec() - began
	equal([world.count()["chunks"], world.count()["meshes"], world.count()["nodes"], world.get_chunk("1")], [0, 0, 0, null], "nothing is found any more")
	var steps := 1
	var ticks := 0
	var left := world.get_child_count()
	while world.is_processing():
		began = Time.get_ticks_usec()
		world._process(0.0)
		longest = maxi(longest, Time.get_ticks_usec() - began)
		steps += 1 if world.get_child_count() < left else 0
		left = world.get_child_count()
		ticks += 1
		await process_frame
	equal(left, 0, "all is out of the tree in the end")
	check(steps > 1, "%d steps" % steps)
	check(int(Performance.get_monitor(Performance.OBJECT_NODE_COUNT)) < bodies - CHUNKS * 18, "and freed")
	print("took %d steps to leave, %d ticks to be freed, the longest %.1f ms" % [steps, ticks, longest / 1000.0])
	return true


func _another_in_its_place() -> bool:
	await _filled()
	_well({"t": "clear"})
	check(world.get_child_count() > 1, "most are in the tree still")
	var last := world.get_child(world.get_child_count() - 1)
	_well(Frames.mesh("pine", 1))
	_well(Frames.chunk(str(CHUNKS - 1), Vector3.ZERO, 9, 9, 1.0, Frames.hills))
	_well({"t": "spawn", "nodes": [{"id": 3, "name": String(last.name), "mesh": "pine", "transform": Transform3D.IDENTITY}]})
	equal([String(world.get_chunk(str(CHUNKS - 1)).name), String(world.get_spawned(3).name)], ["Chunk %d" % (CHUNKS - 1), String(last.name)], "they have their names")
	check(not last.is_inside_tree(), "what was in the way has left")
	while world.is_processing():
		await process_frame
	equal([world.get_child_count(), world.count()["chunks"], world.count()["nodes"]], [2, 1, 1], "and stay")
	# Before all of one have left, another world is cleared.
	await _filled()
	_well({"t": "clear"})
	_well({"t": "spawn", "nodes": [Frames.node(NODES - 1, "", Transform3D.IDENTITY)]})
	_well({"t": "clear"})
	while world.is_processing():
		await process_frame
	equal(world.get_child_count(), 0, "both are gone")
	return true


func _freed_meanwhile() -> bool:
	await _filled(100)
	_well({"t": "clear"})
	for child: Node in world.get_children().slice(0, 50):
		child.free()
	await process_frame
	world.free()
	check(true, "neither nodes that the game frees nor a world that goes are in the way")
	await process_frame
	return true
