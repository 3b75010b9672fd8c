extends "test_case.gd"
## What WasgoWorld3D makes of frames: meshes, colliders, instances, nodes and rows.

const Frames := preload("frames.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

var world: World


func _initialize() -> void:
	run("world_test", [_meshes_of_a_chunk, _colours_and_materials, _colliders_hold_what_falls, _instances, _nodes,
			_rows, _rows_that_are_not_applied, _replacement_and_removal, _freed_by_the_game, _clear,
			_limits] as Array[Callable])


func _fresh() -> void:
	if world != null:
		world.free()
	world = World.new()
	world.cache_megabytes = 0
	root.add_child(world)


func _well(frame: Dictionary) -> void:
	equal(world.apply(frame["t"] as String, frame), "", "applying a %s" % frame["t"])


func _counts(expected: Dictionary, what: String) -> void:
	var found := world.count()
	for key: String in expected:
		equal(found[key], expected[key], "%s: %s" % [what, key])


func _meshes_of_a_chunk() -> bool:
	_fresh()
	var frame := Frames.chunk("0,0", Vector3(10, 20, 30), 65, 65, 1.0, Frames.hills)
	frame["extras"] = {"biome": "moor", "seed": 7}
	_well(frame)
	_counts({"chunks": 1, "surfaces": 1, "vertices": 4225, "triangles": 8192, "colliders": 1, "instances": 0,
			"meshes": 0, "nodes": 0, "errors": 0}, "one chunk")
	var chunk := world.get_chunk("0,0")
	equal(chunk.position, Vector3(10, 20, 30), "the chunk's place")
	equal(String(chunk.name), "Chunk 0,0", "the chunk's name")
	equal(chunk.get_meta("extras"), {"biome": "moor", "seed": 7}, "the chunk's extras")
	var mesh: ArrayMesh = (chunk.get_node("Mesh") as MeshInstance3D).mesh
	equal(mesh.get_faces().size(), 8192 * 3, "the corners of the mesh's faces")
	var arrays := mesh.surface_get_arrays(0)
	var sent: Dictionary = frame["surfaces"][0]
	equal(arrays[Mesh.ARRAY_VERTEX], sent["positions"], "positions")
	equal(arrays[Mesh.ARRAY_INDEX], sent["indices"], "indices")
	# The same indices again are recognised, with fewer positions they are still too high.
	_well(Frames.with(frame, ["key"], "again"))
	var short := Frames.with(frame, ["key"], "short")
	short["surfaces"][0]["positions"] = (sent["positions"] as PackedVector3Array).slice(0, 4000)
	short["surfaces"][0]["normals"] = PackedVector3Array()
	short["surfaces"][0]["colors"] = PackedColorArray()
	check(world.apply("chunk", short).contains("index"), "known indices beyond fewer positions")
	_counts({"chunks": 2, "vertices": 8450, "triangles": 16384, "errors": 1}, "two chunks and a mistake")
	return true


func _colours_and_materials() -> bool:
	_fresh()
	var frame := Frames.chunk("c", Vector3.ZERO, 3, 3, 1.0, Frames.slope)
	var plain := Frames.triangle()
	plain["material"] = {"base_color": Color(0.25, 0.5, 1.0, 0.5), "roughness": 0.25, "metallic": 1, "double_sided": true}
	(frame["surfaces"] as Array).append(plain)
	(frame["surfaces"] as Array).append(plain.duplicate(true))
	_well(frame)
	var mesh: ArrayMesh = (world.get_chunk("c").get_node("Mesh") as MeshInstance3D).mesh
	var coloured: StandardMaterial3D = mesh.surface_get_material(0)
	var other: StandardMaterial3D = mesh.surface_get_material(1)
	check(coloured.vertex_color_use_as_albedo, "vertex colours are used where there are some")
	# Which of the two it is depends on the renderer; the colour that is seen does not.
	var shown := (mesh.surface_get_arrays(0)[Mesh.ARRAY_COLOR] as PackedColorArray)[0]
	var linear := shown.srgb_to_linear() if coloured.vertex_color_is_srgb else shown
	near(linear.g, 0.5, 0.01, "the colour of a vertex")
	near(linear.b, 0.1, 0.01, "and its darker part")
	check(not other.vertex_color_use_as_albedo, "and not where there are none")
	check(other.albedo_color.srgb_to_linear().is_equal_approx(Color(0.25, 0.5, 1.0, 0.5)), "base_color is linear")
	near(other.roughness, 0.25, 1e-6, "roughness")
	near(other.metallic, 1.0, 1e-6, "metallic")
	equal(other.cull_mode, BaseMaterial3D.CULL_DISABLED as BaseMaterial3D.CullMode, "both sides are seen")
	equal(coloured.cull_mode, BaseMaterial3D.CULL_BACK as BaseMaterial3D.CullMode, "and one where nothing is said")
	equal(other.transparency, BaseMaterial3D.TRANSPARENCY_ALPHA as BaseMaterial3D.Transparency, "transparency")
	check(mesh.surface_get_material(2) == other, "equal materials are one")
	return true


func _colliders_hold_what_falls() -> bool:
	_fresh()
	await _stand_on("plain", Vector3.ZERO, 65, 65, 1.0, Frames.slope, true)
	await _stand_on("wide cells", Vector3(-300.5, 12.0, 77.25), 33, 17, 4.0, Frames.slope, true)
	await _stand_on("narrow cells", Vector3(500, -40, -600), 9, 21, 0.25, Frames.slope, true)
	await _stand_on("hills", Vector3(1000, 3, 1000), 65, 65, 2.0, Frames.hills, false)
	# A collider that was replaced or removed holds nothing.
	_well(Frames.chunk("plain", Vector3(0, 100, 0), 65, 65, 1.0, Frames.slope))
	await physics_frame
	await physics_frame
	near(_drop(20.5, 10.5), 100.0 + Frames.slope(20.5, 10.5), 0.01, "a replaced collider")
	_well({"t": "unload", "keys": PackedStringArray(["plain"])})
	await physics_frame
	await physics_frame
	check(is_nan(_drop(20.5, 10.5)), "nothing where a chunk was unloaded")
	return true


func _stand_on(key: String, origin: Vector3, width: int, depth: int, cell: float, height: Callable, is_flat: bool) -> void:
	_well(Frames.chunk(key, origin, width, depth, cell, height))
	await physics_frame
	await physics_frame
	for place: Vector2 in [Vector2(0.1, 0.1), Vector2(0.93, 0.07), Vector2(0.5, 0.5), Vector2(0.2, 0.85), Vector2(0.98, 0.98)]:
		var x := (width - 1) * cell * place.x
		var z := (depth - 1) * cell * place.y
		if not is_flat:
			# Between points the surface is two triangles; at a point there is one height.
			x = roundf(x / cell) * cell + 0.001
			z = roundf(z / cell) * cell + 0.001
		near(_drop(origin.x + x, origin.z + z), origin.y + height.call(x, z), 0.02, "%s at %s, %s" % [key, x, z])
	var mesh: ArrayMesh = (world.get_chunk(key).get_node("Mesh") as MeshInstance3D).mesh
	var highest := (mesh.surface_get_arrays(0)[Mesh.ARRAY_VERTEX] as PackedVector3Array)[width + 1].y
	near(_drop(origin.x + cell * 1.001, origin.z + cell * 1.001), origin.y + highest, 0.02, key + ": collider and mesh agree")
	check(is_nan(_drop(origin.x - 0.1, origin.z + 0.1)), key + ": nothing before the first row")
	check(is_nan(_drop(origin.x + (width - 1) * cell + 0.1, origin.z + 0.1)), key + ": nothing after the last")
	check(is_nan(_drop(origin.x + 0.1, origin.z + (depth - 1) * cell + 0.1)), key + ": nothing past the last row")


# How high something that falls down at this place lies in the end; NaN when nothing holds it.
func _drop(x: float, z: float) -> float:
	var query := PhysicsRayQueryParameters3D.create(Vector3(x, 500, z), Vector3(x, -500, z))
	var hit := root.world_3d.direct_space_state.intersect_ray(query)
	return (hit["position"] as Vector3).y if not hit.is_empty() else NAN


func _instances() -> bool:
	_fresh()
	_well(Frames.mesh("pine", 2))
	var places: Array[Transform3D] = [
		Transform3D(Basis(Vector3.UP, 0.7).scaled(Vector3(1, 2, 3)), Vector3(4, 5, 6)),
		Transform3D(Basis(Vector3(1, 1, 0).normalized(), -1.2), Vector3(-7, 8, -9)),
	]
	var transforms := PackedFloat32Array()
	for place: Transform3D in places:
		transforms.append_array(Frames.floats(place))
	var frame := Frames.chunk("woods", Vector3(100, 0, 0), 5, 5, 1.0, Frames.slope)
	frame["instances"] = [{"mesh": "pine", "transforms": transforms}, {"mesh": "pine", "transforms": PackedFloat32Array()}]
	_well(frame)
	_counts({"instances": 2, "meshes": 1, "surfaces": 1}, "instances")
	var node := world.get_chunk("woods").get_node("Instances0") as MultiMeshInstance3D
	equal(node.multimesh.instance_count, 2, "instances of the first entry")
	equal(node.multimesh.buffer, transforms, "the transforms as the engine has them")
	check(node.multimesh.mesh == world.get_mesh("pine"), "the mesh of the instances")
	equal(node.global_position, Vector3(100, 0, 0), "instances are relative to the chunk")
	_well(Frames.mesh("pine", 3))
	equal(node.multimesh.mesh.get_surface_count(), 3, "a replaced mesh shows in its instances")
	_counts({"instances": 2, "meshes": 1}, "after the mesh was replaced")
	return true


func _nodes() -> bool:
	_fresh()
	_well(Frames.mesh("rock", 1))
	var place := Transform3D(Basis(Vector3.UP, 1.0), Vector3(1, 2, 3))
	_well({"t": "spawn", "nodes": [Frames.node(5, "rock", place), Frames.node(-6, "", Transform3D.IDENTITY),
			Frames.node(9_000_000_000, "rock", place)]})
	_counts({"nodes": 3, "meshes": 1, "chunks": 0}, "spawned")
	equal(world.get_spawned(5).transform, place, "the node's transform")
	equal(String(world.get_spawned(5).name), "Node 5", "the node's name")
	check(world.get_spawned(5).mesh == world.get_mesh("rock"), "the node's mesh")
	check(world.get_spawned(-6).mesh == null, "a node without a mesh")
	var before := world.get_spawned(5)
	_well({"t": "spawn", "nodes": [Frames.node(5, "", Transform3D.IDENTITY)]})
	check(world.get_spawned(5) != before, "a node of the same id is another")
	check(not before.is_inside_tree(), "and the one before is gone")
	_counts({"nodes": 3}, "replaced")
	_well({"t": "spawn", "nodes": [{"id": 10, "name": "../a:b/@%\"", "mesh": "", "transform": place}]})
	check(world.get_spawned(10).get_parent() == world, "a hostile name stays a name")
	_well({"t": "despawn", "ids": PackedInt64Array([5, 77, 9_000_000_000])})
	_counts({"nodes": 2}, "despawned")
	check(world.get_spawned(5) == null, "a despawned node")
	return true


func _rows() -> bool:
	_fresh()
	var nodes := []
	for id: int in 10:
		nodes.append(Frames.node(id, "", Transform3D(Basis.IDENTITY, Vector3(id, id, id))))
	_well({"t": "spawn", "nodes": nodes})
	var xs := PackedFloat64Array()
	var ids := PackedInt64Array()
	for i: int in 10:
		ids.append(9 - i)
		xs.append(100.0 + i)
	_well({"t": "rows", "columns": PackedStringArray(["position:x", "position:y", "position:z"]), "ids": ids,
			"values": [xs, PackedInt64Array(range(10)), xs]})
	equal(world.get_spawned(9).position, Vector3(100, 0, 100), "the first row")
	equal(world.get_spawned(0).position, Vector3(109, 9, 109), "the last row")
	_counts({"rows": 10, "property_updates": 30}, "three columns")
	_well({"t": "rows", "columns": PackedStringArray(["position:y", "visible", "rotation:y", "scale"]),
			"ids": PackedInt64Array([3, 99, 4]),
			"values": [[null, 1.0, 55], PackedInt64Array([0, 0, 1]), [0.5, 0.5, null], [Vector3(2, 2, 2), null, null]]})
	equal(world.get_spawned(3).position, Vector3(106, 6, 106), "null leaves a part alone")
	equal(world.get_spawned(4).position, Vector3(105, 55, 105), "one part changes alone")
	check(not world.get_spawned(3).visible and world.get_spawned(4).visible, "ints for a bool")
	near(world.get_spawned(3).rotation.y, 0.5, 1e-6, "rotation:y")
	near(world.get_spawned(3).scale.x, 2.0, 1e-6, "a whole vector")
	_counts({"rows": 12, "property_updates": 35}, "rows for two nodes that are there")
	_well({"t": "rows", "columns": PackedStringArray(["name", "layers", "transparency"]), "ids": PackedInt64Array([1]),
			"values": [["Renamed"], PackedInt64Array([2]), PackedFloat64Array([0.5])]})
	equal(String(world.get_spawned(1).name), "Renamed", "a text property")
	equal(world.get_spawned(1).layers, 2, "an int property")
	near(world.get_spawned(1).transparency, 0.5, 1e-6, "a float property")
	# Within a frame the later of two columns that touch the same property holds.
	_well({"t": "rows", "columns": PackedStringArray(["position:x", "position", "position:y", "position:y"]),
			"ids": PackedInt64Array([2]),
			"values": [PackedFloat64Array([1]), [Vector3(5, 5, 5)], PackedFloat64Array([8]), PackedFloat64Array([9])]})
	equal(world.get_spawned(2).position, Vector3(5, 9, 5), "columns apply in order")
	_counts({"rows": 14, "property_updates": 42, "errors": 0}, "in the end")
	return true


func _rows_that_are_not_applied() -> bool:
	_fresh()
	_well(Frames.mesh("rock", 1))
	_well({"t": "spawn", "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY)]})
	var refused := {
		"script": [[""]], "script:source_code": [["extends Node"]], "mesh": [[null]], "mesh:resource_name": [["x"]],
		"material_override": [["x"]], "owner": [[null]], "no_such_property": [[1]], "position:w": [[1.0]], "": [[1.0]],
		":": [[1.0]], "position:x:y": [[1.0]], "../..:name": [["x"]], "position": [["x"]], "position:x": [["x"]],
		"position:y": [[NAN]], "position:z": [PackedFloat64Array([INF])], "visible": [PackedFloat64Array([1.0])],
		"name": [PackedInt64Array([1])], "scale": [[Vector3(1, NAN, 1)]], "rotation": [[Quaternion.IDENTITY]],
		"quaternion": [[Quaternion(2, 0, 0, 0)]], "transform": [[Transform3D(Basis.IDENTITY, Vector3.INF)]],
		"rotation:x": [[{}]], "rotation:z": [[[]]],
	}
	for column: String in refused:
		var frame := {"t": "rows", "columns": PackedStringArray(["rotation:y", column]), "ids": PackedInt64Array([1]),
				"values": [PackedFloat64Array([1.0]), refused[column][0]]}
		var wrong := world.apply("rows", frame)
		check(wrong != "" and not wrong.contains("add-on failed"), "column \"%s\" is refused: %s" % [column, wrong])
	equal(world.get_spawned(1).rotation.y, 0.0, "nothing of a refused frame is applied")
	check(world.get_spawned(1).get_script() == null, "no script came in")
	_counts({"rows": 0, "property_updates": 0, "errors": refused.size()}, "refused rows")
	return true


func _replacement_and_removal() -> bool:
	_fresh()
	_well(Frames.chunk("a", Vector3.ZERO, 9, 9, 1.0, Frames.hills))
	_well(Frames.chunk("b", Vector3.ZERO, 9, 9, 1.0, Frames.hills))
	var before := world.get_chunk("a")
	_well(Frames.with(Frames.chunk("a", Vector3.ONE, 5, 3, 1.0, Frames.hills), ["colliders"], []))
	check(world.get_chunk("a") != before and not is_instance_valid(before), "the chunk was replaced")
	_counts({"chunks": 2, "vertices": 81 + 15, "triangles": 128 + 16, "colliders": 1}, "replaced")
	_well(Frames.with(Frames.chunk("b", Vector3.ONE, 5, 3, 1.0, Frames.hills), ["surfaces"], []))
	_counts({"chunks": 2, "vertices": 15, "triangles": 16, "surfaces": 1, "colliders": 1}, "a chunk without surfaces")
	_well({"t": "unload", "keys": PackedStringArray(["a", "nothing"])})
	_counts({"chunks": 1, "vertices": 0}, "unloaded")
	await process_frame
	return true


func _freed_by_the_game() -> bool:
	_fresh()
	_well(Frames.mesh("rock", 1))
	_well(Frames.chunk("a", Vector3.ZERO, 3, 3, 1.0, Frames.hills))
	_well({"t": "spawn", "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY), Frames.node(2, "rock", Transform3D.IDENTITY)]})
	world.get_chunk("a").free()
	world.get_spawned(1).free()
	_counts({"chunks": 0, "nodes": 1}, "after the game freed a chunk and a node")
	check(world.get_chunk("a") == null and world.get_spawned(1) == null, "freed ones are not found")
	_well({"t": "rows", "columns": PackedStringArray(["position:x"]), "ids": PackedInt64Array([1, 2]),
			"values": [PackedFloat64Array([1, 2])]})
	equal(world.get_spawned(2).position.x, 2.0, "rows pass a freed node over")
	_well({"t": "despawn", "ids": PackedInt64Array([1])})
	_well(Frames.chunk("a", Vector3.ZERO, 3, 3, 1.0, Frames.hills))
	_counts({"chunks": 1}, "a freed chunk sent again")
	world.get_chunk("a").free()
	_well({"t": "clear"})
	return true


func _clear() -> bool:
	_fresh()
	var other := Node3D.new()
	world.add_child(other)
	_well(Frames.mesh("rock", 1))
	_well(Frames.chunk("a", Vector3.ZERO, 9, 9, 1.0, Frames.hills))
	_well({"t": "spawn", "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY)]})
	_well({"t": "clear"})
	_counts({"chunks": 0, "surfaces": 0, "vertices": 0, "triangles": 0, "colliders": 0, "instances": 0, "meshes": 0,
			"nodes": 0}, "cleared")
	equal(world.get_children(), [other] as Array[Node], "what others put there stays")
	_well({"t": "of a later version", "what": 1})
	return true


func _limits() -> bool:
	_fresh()
	world.max_chunks = 1
	world.max_meshes = 1
	world.max_nodes = 2
	_well(Frames.mesh("a", 1))
	_well(Frames.mesh("a", 2))
	check(world.apply("mesh", Frames.mesh("b", 1)) != "", "one mesh too many")
	_well(Frames.chunk("a", Vector3.ZERO, 3, 3, 1.0, Frames.hills))
	_well(Frames.chunk("a", Vector3.ZERO, 3, 3, 1.0, Frames.hills))
	check(world.apply("chunk", Frames.chunk("b", Vector3.ZERO, 3, 3, 1.0, Frames.hills)) != "", "one chunk too many")
	var three := [Frames.node(1, "", Transform3D.IDENTITY), Frames.node(2, "", Transform3D.IDENTITY), Frames.node(3, "", Transform3D.IDENTITY)]
	check(world.apply("spawn", {"t": "spawn", "nodes": three}) != "", "one node too many")
	_well({"t": "spawn", "nodes": three.slice(0, 2)})
	_counts({"chunks": 1, "meshes": 1, "nodes": 2, "errors": 3}, "at the limits")
	check(world.apply("mesh", Frames.mesh("a", 257)) != "", "more surfaces than a mesh may have")
	return true
