extends RefCounted
## Checks instances of named meshes, and makes MultiMeshes of them. Everything here may run on a
## worker thread but [method give_meshes].

const _Check := preload("check.gd")
const _Surfaces := preload("surfaces.gd")

## The most entries that a chunk may have.
const MAX_ENTRIES := 1024
const _FLOATS := 12
const _FLOATS_WITH_COLOR := 16
const _FARTHEST := 1_000_000.0


## Says what is wrong with [param data]'s [code]instances[/code]; empty when nothing is. Whether there
## are meshes of these names is for [method give_meshes] to say.
static func check(data: Dictionary) -> String:
	if not data.has("instances"):
		return ""
	var wrong := _Check.list(data, "instances", MAX_ENTRIES)
	if wrong != "":
		return wrong
	var entries: Array = data["instances"]
	for i: int in entries.size():
		wrong = _check_entry(entries[i])
		if wrong != "":
			return "instances %d: %s" % [i, wrong]
	return ""


## A node for each of [param entries], which [method check] found well, without its mesh. An entry
## without transforms makes none.
static func build(entries: Array, surfaces: _Surfaces) -> Array[MultiMeshInstance3D]:
	var nodes: Array[MultiMeshInstance3D] = []
	for entry: Dictionary in entries:
		var transforms: PackedFloat32Array = entry["transforms"]
		if transforms.is_empty():
			continue
		var has_colors: bool = entry.get("colors", false)
		var multimesh := MultiMesh.new()
		multimesh.transform_format = MultiMesh.TRANSFORM_3D
		multimesh.use_colors = has_colors
		multimesh.instance_count = transforms.size() / (_FLOATS_WITH_COLOR if has_colors else _FLOATS)
		multimesh.buffer = _shown(transforms, surfaces) if has_colors else transforms
		var node := MultiMeshInstance3D.new()
		node.name = "Instances%d" % nodes.size()
		node.multimesh = multimesh
		node.visibility_range_begin = entry.get("near", 0.0)
		node.visibility_range_end = entry.get("far", 0.0)
		nodes.append(node)
	return nodes


## The names of the meshes that [param entries] show, one for each node that [method build] makes.
static func mesh_names(entries: Array) -> PackedStringArray:
	var names := PackedStringArray()
	for entry: Dictionary in entries:
		if not (entry["transforms"] as PackedFloat32Array).is_empty():
			names.append(entry["mesh"] as String)
	return names


## Says which of the meshes that [param entries] name is not among [param meshes]; empty when none.
static func missing(entries: Array, meshes: Dictionary[String, ArrayMesh]) -> String:
	for i: int in entries.size():
		var mesh: String = entries[i]["mesh"]
		if not meshes.has(mesh):
			return "instances %d: there is no mesh \"%s\"" % [i, mesh.left(64)]
	return ""


static func _check_entry(value: Variant) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "it must be a Dictionary, not a %s" % type_string(typeof(value))
	var entry: Dictionary = value
	var wrong := _Check.text(entry, "mesh")
	if wrong == "":
		wrong = _Check.field(entry, "transforms", TYPE_PACKED_FLOAT32_ARRAY)
	if wrong == "" and entry.has("colors"):
		wrong = _Check.field(entry, "colors", TYPE_BOOL)
	for key: String in ["near", "far"]:
		if wrong == "" and entry.has(key):
			wrong = _Check.number(entry, key, 0.0, _FARTHEST)
	if wrong != "":
		return wrong
	var size := _FLOATS_WITH_COLOR if entry.get("colors", false) else _FLOATS
	var transforms: PackedFloat32Array = entry["transforms"]
	if transforms.size() % size != 0:
		return "%d floats in transforms, there must be %d an instance" % [transforms.size(), size]
	return _Check.finite_floats(transforms, "transforms")


# The same instances, with the colours that the renderer wants.
static func _shown(transforms: PackedFloat32Array, surfaces: _Surfaces) -> PackedFloat32Array:
	if not surfaces.changes_colors():
		return transforms
	var shown := transforms.duplicate()
	for i: int in range(_FLOATS, shown.size(), _FLOATS_WITH_COLOR):
		var color := Color(shown[i], shown[i + 1], shown[i + 2]).linear_to_srgb()
		shown[i] = color.r
		shown[i + 1] = color.g
		shown[i + 2] = color.b
	return shown
