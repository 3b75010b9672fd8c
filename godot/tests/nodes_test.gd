extends "test_case.gd"
## What WasgoWorld3D makes of nodes with more than a mesh: glTF scenes by their hash, the project's own scenes, colliders,
## properties and blend shapes; and of values of the world as a whole.

const Frames := preload("frames.gd")
const Jobs := preload("jobs.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

var world: World
var jobs := Jobs.new()


func _initialize() -> void:
	run("nodes_test", [_assets_before_and_after, _assets_that_are_wrong, _asset_limits, _scenes_of_the_project, _colliders_of_nodes,
			_properties_of_nodes, _blend_shapes, _values_of_the_world, _materials_set_aside, _rows_of_several_kinds,
			_some_that_are_wrong, _despawned_in_masses, _cleared_in_steps] as Array[Callable])


func _fresh() -> void:
	if world != null:
		world.free()
	world = World.new()
	world.cache_megabytes = 0
	root.add_child(world)


func _well(frame: Dictionary) -> void:
	equal(world.apply(frame["t"] as String, frame), "", "applying a %s" % frame["t"])


func _refused(frame: Dictionary, about: String) -> void:
	var before := world.count()
	var wrong := world.apply(frame["t"] as String, frame)
	check(wrong.contains(about) and not wrong.contains("add-on failed"), "\"%s\" tells of %s" % [wrong, about])
	before["errors"] += 1
	equal(world.count(), before, "nothing was applied")


func _node(id: int, more: Dictionary) -> Dictionary:
	var node := Frames.node(id, "", Transform3D(Basis.IDENTITY, Vector3(id, 0, 0)))
	node.merge(more)
	return {"t": "spawn", "nodes": [node]}


func _hash(of: int) -> PackedByteArray:
	var found := PackedByteArray()
	found.resize(16)
	found.encode_s64(0, of)
	return found


func _asset(of: int) -> Dictionary:
	return {"t": "asset", "hash": _hash(of), "glb": Frames.glb_of([Frames.triangle(), Frames.triangle()])}


func _shapes(id: int) -> int:
	var found := 0
	for part: MeshInstance3D in world.get_spawned(id).find_children("*", "MeshInstance3D", true, false):
		found += part.mesh.get_surface_count()
	return found


func _assets_before_and_after() -> bool:
	_fresh()
	_well(_node(1, {"glb": _hash(7)}))
	_well(_node(2, {"glb": _hash(7)}))
	_well(_node(3, {"glb": _hash(8)}))
	_well(_node(4, {"glb": _hash(7)}))
	_well({"t": "despawn", "ids": PackedInt64Array([4])})
	equal(_shapes(1), 0, "what waits for an asset shows nothing")
	equal(await jobs.run(world, _asset(7), 1), "", "an asset")
	equal([_shapes(1), _shapes(2), _shapes(3)], [2, 2, 0], "those that waited show it")
	_well(_node(5, {"glb": _hash(7)}))
	equal(_shapes(5), 2, "and those that come later")
	_well(_node(1, {"glb": _hash(8)}))
	equal(_shapes(1), 0, "a node of the same id waits for another")
	equal(await jobs.run(world, _asset(8)), "", "the other")
	equal([_shapes(1), _shapes(3)], [2, 2], "which both show")
	equal(await jobs.run(world, _asset(7)), "", "an asset that is there already")
	equal(_shapes(2), 2, "changes nothing")
	equal([world.count()["assets"], world.count()["nodes"]], [2, 4], "counts")
	var cancelled := await jobs.prepare(world, _asset(9))
	cancelled.call("cancel")
	equal(world.count()["assets"], 2, "a job that was given up")
	_well({"t": "clear"})
	equal([world.count()["assets"], world.count()["nodes"]], [0, 0], "cleared")
	return true


func _assets_that_are_wrong() -> bool:
	_fresh()
	_well(_node(1, {"glb": _hash(1)}))
	var good: PackedByteArray = _asset(1)["glb"]
	for glb: Variant in [null, "x", PackedByteArray(), good.slice(0, 30), good.slice(0, good.size() - 4), _glb({"nodes": [{"children": [0]}]}),
			_glb({"nodes": [{"children": [1]}, {"children": [0]}], "scenes": [{"nodes": [0]}]}), _glb({"scenes": [{"nodes": [0]}]}),
			_glb({"nodes": [{"children": [1, 1]}, {}]}), _glb({"nodes": [{}], "scenes": [{"nodes": [0, 0]}]}), _glb({"nodes": 1}), _glb({"nodes": [1]}),
			_glb({"accessors": [{"count": 4e9, "type": "VEC3", "componentType": 5126}]}), _glb({"accessors": [{"count": -1, "type": "VEC3"}]}),
			_glb({"accessors": [{"count": 1e7, "type": "VEC3"}], "meshes": [{"primitives": [{"attributes": {"POSITION": 0}},
					{"attributes": {"POSITION": 0}}, {"attributes": {"POSITION": 0, "NORMAL": 0}}]}]}),
			_glb({"accessors": [{"count": 10}]}), _glb({"images": [{"uri": "res://icon.png"}]}), _glb({"images": [{"uri": "data:image/png;base64,AA=="}]}),
			_glb({"buffers": [{"uri": "../secret.bin", "byteLength": 4}]}), _glb({"extensionsUsed": ["OMI_physics_body"]}),
			_glb({"images": [{"bufferView": 0}], "bufferViews": [{"byteOffset": 0, "byteLength": 40}]}, _png(60_000, 60_000)),
			_glb({"images": [{"bufferView": 0}], "bufferViews": [{"byteOffset": 0, "byteLength": 4000}]}, _png(4, 4)),
			_glb({"images": [{"bufferView": 1}], "bufferViews": [{"byteOffset": 0, "byteLength": 40}]}, _png(4, 4)), _glb({"meshes": [{}]}), _deep(200)]:
		var wrong := await jobs.run(world, {"t": "asset", "hash": _hash(1), "glb": glb})
		check(wrong != "" and not wrong.contains("add-on failed"), "a wrong file: %s" % wrong)
	for content: Variant in [null, "x", PackedByteArray(), PackedByteArray([1])]:
		check(await jobs.run(world, {"t": "asset", "hash": content, "glb": good}) != "", "a wrong hash")
	# What the importer makes of bytes that were changed is its own affair, as long as it lives.
	var random := RandomNumberGenerator.new()
	random.seed = 4
	var refused := 0
	for round: int in 60:
		var changed := good.duplicate()
		for n: int in 3:
			changed[20 + random.randi() % (changed.size() - 20)] = random.randi() % 256
		refused += int(await jobs.run(world, {"t": "asset", "hash": _hash(100 + round), "glb": changed}) != "")
	check(refused > 0, "some of the changed files are refused")
	equal(world.count()["nodes"], 1, "the world is as it was")
	equal(_shapes(1), 0, "and nothing shows a wrong file")
	return true


func _glb(file: Dictionary, binary := PackedByteArray()) -> PackedByteArray:
	file["asset"] = {"version": "2.0"}
	var json := JSON.stringify(file).to_utf8_buffer()
	while json.size() % 4 != 0:
		json.append(32)
	var bytes := PackedByteArray()
	bytes.resize(20)
	bytes.encode_u32(0, 0x46546C67)
	bytes.encode_u32(4, 2)
	bytes.encode_u32(12, json.size())
	bytes.encode_u32(16, 0x4E4F534A)
	bytes.append_array(json)
	if not binary.is_empty():
		var header := PackedByteArray([0, 0, 0, 0, 0x42, 0x49, 0x4E, 0])
		header.encode_u32(0, binary.size())
		bytes.append_array(header + binary)
	bytes.encode_u32(8, bytes.size())
	return bytes


func _png(width: int, height: int) -> PackedByteArray:
	var bytes := PackedByteArray([0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52])
	for number: int in [width, height]:
		bytes.append_array([(number >> 24) & 255, (number >> 16) & 255, (number >> 8) & 255, number & 255])
	bytes.resize(40)
	return bytes


func _deep(levels: int) -> PackedByteArray:
	var nodes := []
	for i: int in levels:
		nodes.append({"children": [i + 1]} if i + 1 < levels else {})
	return _glb({"nodes": nodes, "scenes": [{"nodes": [0]}]})


func _asset_limits() -> bool:
	_fresh()
	world.max_assets = 2
	_well(_node(1, {"glb": _hash(1)}))
	equal(await jobs.run(world, _asset(1)), "", "an asset that is shown")
	equal(await jobs.run(world, _asset(2)), "", "one that is not")
	equal(await jobs.run(world, _asset(3)), "", "another in its place")
	equal(world.count()["assets"], 2, "assets")
	_well(_node(2, {"glb": _hash(3)}))
	check((await jobs.run(world, _asset(4))).contains("assets"), "one more than are shown")
	return true


func _scenes_of_the_project() -> bool:
	_fresh()
	var lamp := OmniLight3D.new()
	var part := Node3D.new()
	part.name = "Part"
	lamp.add_child(part)
	part.owner = lamp
	var packed := PackedScene.new()
	packed.pack(lamp)
	lamp.free()
	var flat := PackedScene.new()
	var node_2d := Node2D.new()
	flat.pack(node_2d)
	node_2d.free()
	world.scenes = {"lamp": packed, "flat": flat, "none": null}
	_well(Frames.mesh("rock", 1))
	_well(_node(1, {"scene": "lamp", "properties": {"light_energy": 2.5, "visible": false, "position:y": 3.0}}))
	check(world.get_spawned(1) is OmniLight3D, "the scene's root")
	near((world.get_spawned(1) as OmniLight3D).light_energy, 2.5, 1e-6, "its property")
	equal(world.get_spawned(1).position, Vector3(1, 3, 0), "its place")
	check(world.get_spawned(1).has_node("Part"), "its parts")
	var with_mesh := _node(2, {"scene": "lamp"})
	with_mesh["nodes"][0]["mesh"] = "rock"
	_well(with_mesh)
	check((world.get_spawned(2).get_node("Mesh") as MeshInstance3D).mesh == world.get_mesh("rock"), "a scene that shows a mesh too")
	_refused(_node(3, {"scene": "nothing"}), "no scene")
	_refused(_node(3, {"scene": "none"}), "no scene")
	_refused(_node(3, {"scene": "flat"}), "no Node3D")
	_refused(_node(3, {"scene": 1}), "scene")
	_refused(_node(3, {"scene": "lamp", "properties": {"mesh": 1}}), "mesh")
	_refused(_node(3, {"scene": "lamp", "properties": {"script": null}}), "script")
	return true


func _colliders_of_nodes() -> bool:
	_fresh()
	var node := _node(1, {"colliders": [Frames.boxes(1)]})
	node["nodes"][0]["transform"] = Transform3D(Basis.IDENTITY, Vector3(10, 20, 30))
	_well(node)
	await physics_frame
	await physics_frame
	near(_drop(10, 30), 22.0, 0.01, "a box")
	_well({"t": "rows", "columns": PackedStringArray(["position"]), "ids": PackedInt64Array([1]), "values": [PackedVector3Array([Vector3(-50, 5, 0)])]})
	await physics_frame
	await physics_frame
	near(_drop(-50, 0), 7.0, 0.01, "goes where the node goes")
	check(is_nan(_drop(10, 30)), "and is not where it was")
	_refused(_node(2, {"colliders": [{"shape": "boxes"}]}), "boxes")
	return true


func _drop(x: float, z: float) -> float:
	var query := PhysicsRayQueryParameters3D.create(Vector3(x, 500, z), Vector3(x, -500, z))
	var hit := root.world_3d.direct_space_state.intersect_ray(query)
	return (hit["position"] as Vector3).y if not hit.is_empty() else NAN


func _properties_of_nodes() -> bool:
	_fresh()
	_well(_node(1, {"properties": {"rotation:y": 1, "transparency": 0.25, "scale": Vector3(2, 2, 2), "layers": null}}))
	near(world.get_spawned(1).rotation.y, 1.0, 1e-6, "a part")
	near(world.get_spawned(1).scale.x, 2.0, 1e-6, "a whole")
	for wrong: Dictionary in [{"nothing": 1}, {"position": 1}, {"position:x": NAN}, {"script": 1}, {1: 2}, {"material_override": null}, {"": 1},
			{"k".repeat(1025): 1}]:
		_refused(_node(1, {"properties": wrong}), "node 0")
	var many := {}
	for i: int in 65:
		many["position:x" + " ".repeat(i)] = 1.0
	_refused(_node(1, {"properties": many}), "properties")
	_refused(_node(1, {"glb": PackedByteArray([1])}), "glb")
	return true


func _blend_shapes() -> bool:
	_fresh()
	var glb := Frames.glb_of([Frames.triangle()], ["smile", "frown"])
	_well(_node(1, {"glb": _hash(1)}))
	var frame := {"t": "blend", "ids": PackedInt64Array([1, 99]), "names": PackedStringArray(["smile", "no such", "frown"]),
			"weights": PackedFloat32Array([0.25, 1, 0.5, 0, 0, 0])}
	_well(frame)
	equal(await jobs.run(world, {"t": "asset", "hash": _hash(1), "glb": glb}), "", "an asset with shapes")
	_well(frame)
	var mesh: MeshInstance3D = world.get_spawned(1).find_children("*", "MeshInstance3D", true, false)[0]
	near(mesh.get_blend_shape_value(mesh.find_blend_shape_by_name(&"smile")), 0.25, 1e-6, "smile")
	near(mesh.get_blend_shape_value(mesh.find_blend_shape_by_name(&"frown")), 0.5, 1e-6, "frown")
	_refused(Frames.with(frame, ["weights"], PackedFloat32Array([1])), "weights")
	_refused(Frames.with(frame, ["weights"], PackedFloat32Array([0, 0, 0, 0, INF, 0])), "finite")
	_refused(Frames.with(frame, ["names"], []), "names")
	_refused(Frames.with(frame, ["ids"], Frames.MISSING), "ids")
	# The game removes what has the shapes.
	mesh.free()
	_well(frame)
	return true


func _values_of_the_world() -> bool:
	_fresh()
	var told := []
	world.property_changed.connect(func(property: String, value: Variant) -> void: told.append([property, value]))
	_well({"t": "properties", "values": {"time of day": 0.5, "weather": {"rain": [1, Vector3.ONE]}}})
	_well({"t": "properties", "values": {"time of day": null, "nothing": null}})
	equal(told, [["time of day", 0.5], ["weather", {"rain": [1, Vector3.ONE]}], ["time of day", null], ["nothing", null]], "what was told")
	equal(world.properties, {"weather": {"rain": [1, Vector3.ONE]}} as Dictionary[String, Variant], "what is kept")
	for wrong: Variant in [1, null, {1: 2}, {"a": NAN}, {"a": [Vector3.INF]}, {"a": EncodedObjectAsID.new()}, {"a": {"b": Callable()}}, {"k".repeat(1025): 1},
			{"a": PackedFloat64Array([INF])}, {"a": RID()}]:
		_refused({"t": "properties", "values": wrong}, "values")
	var many := {}
	for i: int in 4096:
		many[str(i)] = i
	_refused({"t": "properties", "values": many}, "properties")
	_well({"t": "clear"})
	equal(world.properties.size(), 0, "cleared")
	return true


func _materials_set_aside() -> bool:
	_fresh()
	var own := StandardMaterial3D.new()
	world.materials = {"bark": own}
	var named := Frames.triangle()
	named["material"] = {"name": "bark", "base_color": Color.RED}
	named["uvs"] = PackedVector2Array([Vector2.ZERO, Vector2.ONE, Vector2.RIGHT])
	named["uvs2"] = PackedVector2Array()
	var other := Frames.triangle()
	other["material"] = {"name": "stone"}
	_well({"t": "mesh", "name": "a", "surfaces": [named, other]})
	check(world.get_mesh("a").surface_get_material(0) == own, "the project's own material")
	check(world.get_mesh("a").surface_get_material(1) is StandardMaterial3D, "another")
	equal(world.get_mesh("a").surface_get_arrays(0)[Mesh.ARRAY_TEX_UV], named["uvs"], "coordinates")
	equal(await jobs.run(world, {"t": "asset", "hash": _hash(1), "glb": Frames.glb_of([named, other])}), "", "a file with materials")
	_well(_node(1, {"glb": _hash(1)}))
	var mesh: MeshInstance3D = world.get_spawned(1).find_children("*", "MeshInstance3D", true, false)[0]
	check(mesh.mesh.surface_get_material(0) == own, "the project's own material in a file")
	return true


func _rows_of_several_kinds() -> bool:
	_fresh()
	var packed := PackedScene.new()
	var lamp := OmniLight3D.new()
	packed.pack(lamp)
	lamp.free()
	world.scenes = {"lamp": packed}
	_well(_node(1, {}))
	_well(_node(2, {"scene": "lamp"}))
	_well(_node(3, {}))
	var frame := {"t": "rows", "columns": PackedStringArray(["position:x", "position:y", "position:z"]), "ids": PackedInt64Array([1, 2, 9, 3]),
			"values": [PackedFloat32Array([1, 2, 9, 3]), PackedFloat32Array([4, 5, 9, 6]), PackedFloat32Array([7, 8, 9, 9])]}
	for round: int in 2:
		_well(frame)
		equal([world.get_spawned(1).position, world.get_spawned(2).position, world.get_spawned(3).position],
				[Vector3(1, 4, 7), Vector3(2, 5, 8), Vector3(3, 6, 9)], "nodes of two kinds in one frame")
	equal([world.count()["rows"], world.count()["property_updates"]], [6, 18], "counts")
	_refused({"t": "rows", "columns": PackedStringArray(["light_energy"]), "ids": PackedInt64Array([1, 2]), "values": [PackedFloat32Array([1, 2])]}, "light_energy")
	_well({"t": "rows", "columns": PackedStringArray(["light_energy"]), "ids": PackedInt64Array([2]), "values": [PackedFloat32Array([2])]})
	_well({"t": "rows", "columns": PackedStringArray(["scale", "rotation"]), "ids": PackedInt64Array([3]),
			"values": [PackedVector3Array([Vector3(1, 2, 3)]), PackedVector3Array([Vector3(0, 1, 0)])]})
	check(world.get_spawned(3).scale.is_equal_approx(Vector3(1, 2, 3)), "scale by vectors")
	near(world.get_spawned(3).rotation.y, 1.0, 1e-5, "rotation by vectors")
	_refused(Frames.with(frame, ["values", 1], PackedFloat32Array([4, 5, NAN, 6])), "finite")
	_refused({"t": "rows", "columns": PackedStringArray(["position"]), "ids": PackedInt64Array([1]), "values": [PackedVector3Array([Vector3(0, INF, 0)])]}, "finite")
	_refused({"t": "rows", "columns": PackedStringArray(["visible"]), "ids": PackedInt64Array([1]), "values": [PackedVector3Array([Vector3.ONE])]}, "visible")
	# The same ids again, of which the game has freed one.
	_well(frame)
	world.get_spawned(1).free()
	_well(Frames.with(frame, ["values", 0], PackedFloat32Array([5, 6, 7, 8])))
	equal([world.get_spawned(2).position.x, world.get_spawned(3).position.x], [6.0, 8.0], "those that are left")
	# And one that was despawned and spawned again is another.
	_well({"t": "despawn", "ids": PackedInt64Array([3])})
	_well(_node(3, {}))
	_well(frame)
	equal(world.get_spawned(3).position, Vector3(3, 6, 9), "the new one")
	return true


func _some_that_are_wrong() -> bool:
	_fresh()
	var nodes := []
	for id: int in range(1, 5):
		nodes.append(Frames.node(id, "", Transform3D()))
	nodes[1]["scene"] = "none such"
	nodes[3]["transform"] = Vector3.ZERO
	var wrong := world.apply("spawn", {"t": "spawn", "nodes": nodes + [7], "rev": 9})
	equal(wrong.get_slice_count("; "), 3, "each that is wrong is told of")
	check(wrong.contains("node 1 (id 2): there is no scene \"none such\""), wrong)
	check(wrong.contains("node 3 (id 4): transform") and wrong.contains("node 4: it must be a Dictionary"), wrong)
	equal([world.count()["nodes"], world.count()["errors"], world.rev], [2, 1, 9], "the others are made")
	check(world.get_spawned(1) != null and world.get_spawned(3) != null, "which are these")
	world.max_nodes = 20
	nodes = []
	for id: int in range(101, 121):
		nodes.append(Frames.node(id, "", Transform3D()))
	wrong = world.apply("spawn", {"t": "spawn", "nodes": nodes})
	equal(wrong, "node 18 (id 119): more than 20 nodes; node 19 (id 120): more than 20 nodes", "those beyond the limit")
	equal(world.count()["nodes"], 20, "as many as there is room for")
	nodes.fill(null)
	wrong = world.apply("spawn", {"t": "spawn", "nodes": nodes})
	check(wrong.begins_with("node 0: it must") and wrong.ends_with("; and 16 more"), wrong)
	equal(world.apply("spawn", {"t": "spawn", "nodes": [7], "rev": 10}), "node 0: it must be a Dictionary, not a int", "one alone")
	equal(world.rev, 9, "of which nothing was applied")
	return true


func _despawned_in_masses() -> bool:
	_fresh()
	_well(Frames.mesh("rock", 1))
	await process_frame
	var objects := Performance.get_monitor(Performance.OBJECT_COUNT)
	for start: int in range(0, 100_000, 1000):
		var nodes := []
		for id: int in range(start, start + 1000):
			nodes.append(Frames.node(id, "rock", Transform3D(Basis.IDENTITY, Vector3(id % 300, 0, id / 300))))
		_well({"t": "spawn", "nodes": nodes})
	equal(world.count()["nodes"], 100_000, "nodes")
	_well({"t": "despawn", "ids": PackedInt64Array(range(500))})
	_well({"t": "resumed", "reset": true, "rev": 0})
	equal([world.count()["nodes"], world.count()["meshes"]], [0, 1], "a reset removes the nodes alone")
	while Performance.get_monitor(Performance.OBJECT_COUNT) > objects + 50:
		await process_frame
	check(true, "and their memory is given back, in pieces")
	return true


func _cleared_in_steps() -> bool:
	_fresh()
	var nodes := []
	for id: int in range(20_000):
		nodes.append(Frames.node(id, "", Transform3D()))
		nodes[id]["name"] = "n%d" % id
	_well({"t": "spawn", "nodes": nodes})
	_well({"t": "resumed", "reset": true, "rev": 0})
	equal([world.count()["nodes"], world.get_spawned(7)], [0, null], "none is known any more")
	var standing := world.get_child_count()
	check(standing > 10_000, "but they are not taken out all at once")
	var node := Frames.node(19_999, "", Transform3D())
	node["name"] = "n19999"
	var other := Frames.node(50_000, "", Transform3D())
	other["name"] = "n19998"
	_well({"t": "spawn", "nodes": [node, other]})
	equal([world.get_spawned(19_999).name, world.get_spawned(50_000).name], [&"n19999", &"n19998"], "new ones have their names at once")
	equal(world.get_child_count(), standing, "in the place of two of the others")
	_well({"t": "resumed", "reset": true, "rev": 0})
	_well({"t": "spawn", "nodes": [other]})
	var steps := 0
	while world.get_child_count() > 1:
		steps += 1
		await process_frame
	check(steps > 1, "the others go in steps")
	equal(world.get_spawned(50_000).name, &"n19998", "and leave what is new")
	return true
