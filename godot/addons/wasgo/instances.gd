extends RefCounted
## Checks a chunk's instances of named meshes, and makes MultiMeshes of them.

const _Check := preload("check.gd")

## The most entries that a chunk may have.
const MAX_ENTRIES := 1024
const _FLOATS := 12


## Says what is wrong with [param value], which is to be an Array of instances of meshes in
## [param meshes]; empty when nothing is.
static func check(value: Variant, meshes: Dictionary[String, ArrayMesh]) -> String:
	var wrong := _Check.value_is(value, TYPE_ARRAY, "instances")
	if wrong != "":
		return wrong
	var entries: Array = value
	if entries.size() > MAX_ENTRIES:
		return "%d entries of instances, more than the limit of %d" % [entries.size(), MAX_ENTRIES]
	for i: int in entries.size():
		wrong = _check_entry(entries[i], meshes)
		if wrong != "":
			return "instances %d: %s" % [i, wrong]
	return ""


## A node for each of [param entries], which [method check] found well, to be placed at the chunk's
## origin. An entry without transforms makes none.
static func build(entries: Array, meshes: Dictionary[String, ArrayMesh]) -> Array[MultiMeshInstance3D]:
	var nodes: Array[MultiMeshInstance3D] = []
	for entry: Dictionary in entries:
		var transforms: PackedFloat32Array = entry["transforms"]
		if transforms.is_empty():
			continue
		var multimesh := MultiMesh.new()
		multimesh.transform_format = MultiMesh.TRANSFORM_3D
		multimesh.mesh = meshes[entry["mesh"]]
		multimesh.instance_count = transforms.size() / _FLOATS
		multimesh.buffer = transforms
		var node := MultiMeshInstance3D.new()
		node.name = "Instances%d" % nodes.size()
		node.multimesh = multimesh
		nodes.append(node)
	return nodes


static func _check_entry(value: Variant, meshes: Dictionary[String, ArrayMesh]) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "it must be a Dictionary, not a %s" % type_string(typeof(value))
	var entry: Dictionary = value
	var wrong := _Check.text(entry, "mesh")
	if wrong == "":
		wrong = _Check.field(entry, "transforms", TYPE_PACKED_FLOAT32_ARRAY)
	if wrong != "":
		return wrong
	var mesh: String = entry["mesh"]
	if not meshes.has(mesh):
		return "there is no mesh \"%s\"" % mesh.left(64)
	var transforms: PackedFloat32Array = entry["transforms"]
	if transforms.size() % _FLOATS != 0:
		return "%d floats in transforms, there must be %d an instance" % [transforms.size(), _FLOATS]
	return _Check.finite_floats(transforms, "transforms")
