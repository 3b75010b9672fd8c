extends RefCounted
## Frames as a sidecar would send them, for the tests.


## A height that rises differently along each axis.
static func slope(x: float, z: float) -> float:
	return 2.0 + 0.25 * x - 0.5 * z


static func hills(x: float, z: float) -> float:
	return 6.0 * sin(x * 0.11) * cos(z * 0.17) + 0.5 * sin(x * 0.7 + z)


## A surface of [param width] x [param depth] points, [param cell] apart, at the heights that
## [param height] gives for a place relative to the chunk.
static func grid(width: int, depth: int, cell: float, height: Callable) -> Dictionary:
	var positions := PackedVector3Array()
	var colors := PackedColorArray()
	var indices := PackedInt32Array()
	for z: int in depth:
		for x: int in width:
			var h: float = height.call(x * cell, z * cell)
			positions.append(Vector3(x * cell, h, z * cell))
			colors.append(Color(0.2, 0.5, 0.1))
	for z: int in depth - 1:
		for x: int in width - 1:
			var a := z * width + x
			# Clockwise as seen from above.
			indices.append_array([a, a + 1, a + width, a + 1, a + width + 1, a + width])
	var normals := PackedVector3Array()
	normals.resize(positions.size())
	normals.fill(Vector3.UP)
	return {"positions": positions, "normals": normals, "colors": colors, "indices": indices,
			"material": {"base_color": Color.WHITE, "roughness": 0.9, "metallic": 0.0}}


static func collider(width: int, depth: int, cell: float, height: Callable) -> Dictionary:
	var heights := PackedFloat32Array()
	for z: int in depth:
		for x: int in width:
			heights.append(height.call(x * cell, z * cell) as float)
	return {"shape": "heights", "width": width, "depth": depth, "cell": cell, "heights": heights}


static func chunk(key: String, origin: Vector3, width: int, depth: int, cell: float, height: Callable) -> Dictionary:
	return {"t": "chunk", "key": key, "origin": origin, "name": "Chunk " + key,
			"surfaces": [grid(width, depth, cell, height)],
			"colliders": [collider(width, depth, cell, height)], "instances": [], "extras": {}}


static func triangle() -> Dictionary:
	return {"positions": PackedVector3Array([Vector3.ZERO, Vector3.RIGHT, Vector3.BACK]),
			"normals": PackedVector3Array(), "colors": PackedColorArray(),
			"indices": PackedInt32Array([0, 1, 2]), "material": {}}


static func mesh(name: String, surfaces: int) -> Dictionary:
	var all := []
	for i: int in surfaces:
		all.append(triangle())
	return {"t": "mesh", "name": name, "surfaces": all}


static func node(id: int, mesh_name: String, transform: Transform3D) -> Dictionary:
	return {"id": id, "name": "Node %d" % id, "mesh": mesh_name, "transform": transform}


## The 12 floats of [param transform], row by row.
static func floats(transform: Transform3D) -> PackedFloat32Array:
	var b := transform.basis
	var o := transform.origin
	return PackedFloat32Array([b.x.x, b.y.x, b.z.x, o.x, b.x.y, b.y.y, b.z.y, o.y, b.x.z, b.y.z, b.z.z, o.z])


## A deep copy of [param frame] with [param value] where [param path], of keys and indices, leads.
## [constant MISSING] takes the key away.
static func with(frame: Dictionary, path: Array, value: Variant) -> Dictionary:
	var copy := frame.duplicate(true)
	var at: Variant = copy
	for step: Variant in path.slice(0, -1):
		at = at[step]
	if typeof(value) == TYPE_STRING and value == MISSING:
		at.erase(path[-1])
	else:
		at[path[-1]] = value
	return copy


const MISSING := "(missing)"


## The transforms of [param count] instances, in rows.
static func many_floats(count: int) -> PackedFloat32Array:
	var all := PackedFloat32Array()
	for i: int in count:
		all.append_array(floats(Transform3D(Basis(Vector3.UP, i * 0.1), Vector3(i % 32, 0, i / 32))))
	return all


## A collider of [param count] boxes, of which no two stand alike.
static func boxes(count: int) -> Dictionary:
	var all := PackedFloat32Array()
	for i: int in count:
		var size := Vector3(1 + i % 3, 2, 1 + i % 5)
		all.append_array(floats(Transform3D(Basis(Vector3.UP, i * 0.3) * Basis.from_scale(size), Vector3(i % 24 * 4, 1, i / 24 * 4))))
	return {"shape": "boxes", "boxes": all}


## The corners of [param count] triangles.
static func faces(count: int) -> PackedVector3Array:
	var all := PackedVector3Array()
	for i: int in count:
		var at := Vector3(i % 90, 5.0 + sin(i * 0.1), i / 90)
		all.append_array([at, at + Vector3.RIGHT, at + Vector3.BACK])
	return all


## A binary glTF file with [param surfaces] as one mesh, by the engine's own exporter.
static func glb_of(surfaces: Array, blend_shapes: Array[String] = []) -> PackedByteArray:
	var mesh := ArrayMesh.new()
	for shape: String in blend_shapes:
		mesh.add_blend_shape(shape)
	for surface: Dictionary in surfaces:
		var arrays := []
		arrays.resize(Mesh.ARRAY_MAX)
		arrays[Mesh.ARRAY_VERTEX] = surface["positions"]
		arrays[Mesh.ARRAY_INDEX] = surface["indices"]
		var normals: PackedVector3Array = surface["normals"]
		if normals.is_empty():
			normals.resize((surface["positions"] as PackedVector3Array).size())
			normals.fill(Vector3.UP)
		arrays[Mesh.ARRAY_NORMAL] = normals
		var shapes: Array[Array] = []
		for shape: String in blend_shapes:
			shapes.append([arrays[Mesh.ARRAY_VERTEX], arrays[Mesh.ARRAY_NORMAL], null])
		mesh.add_surface_from_arrays(Mesh.PRIMITIVE_TRIANGLES, arrays, shapes)
		var material := StandardMaterial3D.new()
		material.resource_name = (surface["material"] as Dictionary).get("name", "")
		mesh.surface_set_material(mesh.get_surface_count() - 1, material)
	var root := Node3D.new()
	root.name = "Root"
	var shown := MeshInstance3D.new()
	shown.name = "Shape"
	shown.mesh = mesh
	root.add_child(shown)
	shown.owner = root
	var document := GLTFDocument.new()
	var state := GLTFState.new()
	document.append_from_scene(root, state)
	var bytes := document.generate_buffer(state)
	root.free()
	return bytes
