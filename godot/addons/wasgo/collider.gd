extends RefCounted
## Checks a chunk's heights, and makes a body of them that things can stand on.

const _Check := preload("check.gd")

## The most heights along one side of a collider.
const MAX_SIDE := 4097


## Says what is wrong with [param value], which is to be a collider or null; empty when nothing is.
static func check(value: Variant) -> String:
	if value == null:
		return ""
	if typeof(value) != TYPE_DICTIONARY:
		return "collider must be a Dictionary or null, not a %s" % type_string(typeof(value))
	var collider: Dictionary = value
	var wrong := ""
	for key: String in ["width", "depth"]:
		if wrong == "":
			wrong = _Check.field(collider, key, TYPE_INT)
		if wrong == "":
			wrong = _Check.number(collider, key, 2, MAX_SIDE)
	if wrong == "":
		wrong = _Check.number(collider, "cell", 0.001, 10_000.0)
	if wrong == "":
		wrong = _Check.field(collider, "heights", TYPE_PACKED_FLOAT32_ARRAY)
	if wrong != "":
		return "collider: " + wrong
	var width: int = collider["width"]
	var depth: int = collider["depth"]
	var heights: PackedFloat32Array = collider["heights"]
	if heights.size() != width * depth:
		return "collider: %d heights for %d x %d" % [heights.size(), width, depth]
	wrong = _Check.finite_floats(heights, "heights")
	return "" if wrong == "" else "collider: " + wrong


## A body for [param collider], which [method check] found well, to be placed at the chunk's origin.
static func build(collider: Dictionary) -> StaticBody3D:
	var width: int = collider["width"]
	var depth: int = collider["depth"]
	var cell: float = collider["cell"]
	var heights: PackedFloat32Array = collider["heights"]
	if cell != 1.0:
		# The engine's cells are one metre wide. Physics wants the same scale along all axes, so
		# the heights are made smaller by what the node then makes larger.
		var shrink := 1.0 / cell
		for i: int in heights.size():
			heights[i] *= shrink
	var shape := HeightMapShape3D.new()
	shape.map_width = width
	shape.map_depth = depth
	shape.map_data = heights
	var place := CollisionShape3D.new()
	place.name = "Shape"
	place.shape = shape
	# The engine's map lies around its middle, ours begins at its first corner.
	var middle := Vector3((width - 1) * cell * 0.5, 0.0, (depth - 1) * cell * 0.5)
	place.transform = Transform3D(Basis.from_scale(Vector3(cell, cell, cell)), middle)
	var body := StaticBody3D.new()
	body.name = "Collider"
	body.add_child(place)
	return body
