extends "test_case.gd"
## Frames that are wrong are refused as a whole, with words, and leave the world as it was.

const Frames := preload("frames.gd")
const _Check := preload("res://addons/wasgo/check.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

# Fields that may be left out, because there is a natural nothing for each.
const OPTIONAL := ["name", "colliders", "instances", "extras", "normals", "colors", "material", "base_color", "roughness", "metallic", "double_sided",
		"uvs", "uvs2", "hash", "near", "far", "glb", "scene", "properties", "rev", "position:y", "visible", "hour"]

var world: World
var before: Dictionary


func _initialize() -> void:
	run("malformed_test", [_every_field_of_every_type, _values_out_of_bounds, _sizes_that_disagree, _rubbish] as Array[Callable])


func _fresh() -> void:
	if world != null:
		world.free()
	world = World.new()
	world.cache_megabytes = 0
	root.add_child(world)
	equal(world.apply("mesh", Frames.mesh("rock", 1)), "", "a mesh")
	equal(world.apply("spawn", {"t": "spawn", "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY)]}), "", "a node")
	equal(world.apply("chunk", _chunk()), "", "a chunk")
	before = world.count()


func _chunk() -> Dictionary:
	var frame := Frames.chunk("a", Vector3(1, 2, 3), 5, 5, 1.0, Frames.hills)
	frame["instances"] = [{"mesh": "rock", "transforms": Frames.floats(Transform3D.IDENTITY), "near": 1.0, "far": 9.0},
			{"mesh": "rock", "transforms": Frames.floats(Transform3D.IDENTITY) + PackedFloat32Array([1, 1, 1, 1]), "colors": true}]
	(frame["colliders"] as Array).append(Frames.boxes(1))
	(frame["colliders"] as Array).append({"shape": "mesh", "faces": Frames.faces(1)})
	frame["hash"] = _hash()
	var surface: Dictionary = frame["surfaces"][0]
	var coordinates := PackedVector2Array()
	coordinates.resize((surface["positions"] as PackedVector3Array).size())
	surface["uvs"] = coordinates
	surface["uvs2"] = coordinates.duplicate()
	(surface["material"] as Dictionary).merge({"name": "stone", "double_sided": true})
	return frame


func _hash() -> PackedByteArray:
	var found := PackedByteArray()
	found.resize(16)
	return found


func _frames() -> Array[Dictionary]:
	return [
		_chunk(), Frames.mesh("rock", 2), {"t": "unload", "keys": PackedStringArray(["a"])},
		{"t": "spawn", "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY)]},
		{"t": "despawn", "ids": PackedInt64Array([1])},
		{"t": "rows", "columns": PackedStringArray(["position:x"]), "ids": PackedInt64Array([1]), "values": [PackedFloat64Array([1.0])]},
		{"t": "spawn", "rev": 1, "nodes": [Frames.node(1, "rock", Transform3D.IDENTITY).merged({"glb": _hash(), "scene": "",
				"properties": {"position:y": 1.5, "visible": true}, "colliders": [Frames.boxes(1)]})]},
		{"t": "blend", "ids": PackedInt64Array([1]), "names": PackedStringArray(["a"]), "weights": PackedFloat32Array([1.0])},
		{"t": "properties", "values": {"hour": 1}}, {"t": "resumed", "reset": false, "rev": 0},
		{"t": "asset", "hash": _hash(), "glb": PackedByteArray([1])},
		{"t": "cached", "what": "mesh", "keys": PackedStringArray(["rock"]), "hashes": _hash()},
		{"t": "cached", "what": "chunk", "keys": PackedStringArray(["a"]), "hashes": _hash()},
	]


func _refused(frame: Dictionary, what: String) -> void:
	var wrong := world.apply(frame["t"] as String, frame)
	check(wrong != "" and not wrong.contains("add-on failed"), "%s is refused in words (%s)" % [what, wrong])
	before["errors"] += 1
	equal(world.count(), before, "the world after " + what)


# One value of each type that the wire can carry.
func _samples() -> Array:
	return [null, true, 3, -1, 9223372036854775807, 0.5, NAN, INF, "text", Vector2.ONE, Vector2i.ONE, Rect2(), Rect2i(), Vector3.ONE,
			Vector3i.ONE, Transform2D.IDENTITY, Vector4.ONE, Vector4i.ONE, Plane(), Quaternion.IDENTITY, AABB(), Basis.IDENTITY,
			Transform3D.IDENTITY, Projection.IDENTITY, Color.RED, &"name", NodePath("a:b"), RID(), EncodedObjectAsID.new(), Callable(),
			Signal(), {}, {1: 2}, [], [null], [1], [[]], [{}], ["a"], [NAN], Array([], TYPE_INT, &"", null), PackedByteArray([1]),
			PackedInt32Array([1]), PackedInt64Array([1]), PackedFloat32Array([1]), PackedFloat64Array([1]), PackedStringArray(["a"]),
			PackedVector2Array([Vector2.ONE]), PackedVector3Array([Vector3.ONE]), PackedColorArray([Color.RED]), PackedVector4Array([Vector4.ONE])]


# Every path to a value in a frame, through dictionaries and arrays.
func _paths(value: Variant, at: Array = []) -> Array[Array]:
	var found: Array[Array] = []
	var keys: Array = []
	if typeof(value) == TYPE_DICTIONARY:
		keys = (value as Dictionary).keys()
	elif typeof(value) == TYPE_ARRAY:
		keys = range((value as Array).size())
	for key: Variant in keys:
		if typeof(key) == TYPE_STRING and (key == "t" or key == "extras"):
			continue
		var path := at + [key]
		found.append(path)
		found.append_array(_paths(value[key], path))
	return found


func _every_field_of_every_type() -> bool:
	_fresh()
	for frame: Dictionary in _frames():
		for path: Array in _paths(frame):
			var original: Variant = frame
			for step: Variant in path:
				original = original[step]
			var field := str(path)
			for sample: Variant in _samples():
				if typeof(sample) == typeof(original) or _is_also_fine(path, sample):
					continue
				_refused(Frames.with(frame, path, sample), "%s %s as %s" % [frame["t"], field, type_string(typeof(sample))])
			if typeof(path[-1]) == TYPE_STRING and not OPTIONAL.has(path[-1]):
				_refused(Frames.with(frame, path, Frames.MISSING), "%s without %s" % [frame["t"], field])
	return true


# Types other than the usual one that the protocol allows too.
func _is_also_fine(path: Array, sample: Variant) -> bool:
	var last := str(path[-1])
	if last == "hour":
		return _Check.plain(sample, "") == ""
	if path[0] is String and path[0] == "values" and path.size() == 2:
		return typeof(sample) == TYPE_PACKED_INT64_ARRAY or typeof(sample) == TYPE_ARRAY or typeof(sample) == TYPE_PACKED_FLOAT32_ARRAY
	if ["roughness", "metallic", "cell", "near", "far", "position:y"].has(last):
		return typeof(sample) == TYPE_INT and sample == 3 and not ["roughness", "metallic"].has(last) \
				or last == "position:y" and (sample == null or typeof(sample) == TYPE_INT)
	if last == "visible":
		return sample == null or typeof(sample) == TYPE_INT
	return false


func _values_out_of_bounds() -> bool:
	_fresh()
	var chunk := _chunk()
	var surface: Array = ["surfaces", 0]
	var positions: PackedVector3Array = chunk["surfaces"][0]["positions"]
	for bad: float in [NAN, INF, -INF]:
		for axis: int in 3:
			var moved := positions.duplicate()
			moved[17][axis] = bad
			_refused(Frames.with(chunk, surface + ["positions"], moved), "a position of %s" % bad)
			var normals: PackedVector3Array = (chunk["surfaces"][0]["normals"] as PackedVector3Array).duplicate()
			normals[24][axis] = bad
			_refused(Frames.with(chunk, surface + ["normals"], normals), "a normal of %s" % bad)
		var heights: PackedFloat32Array = (chunk["colliders"][0]["heights"] as PackedFloat32Array).duplicate()
		heights[13] = bad
		_refused(Frames.with(chunk, ["colliders", 0, "heights"], heights), "a height of %s" % bad)
		var transforms: PackedFloat32Array = Frames.floats(Transform3D.IDENTITY)
		transforms[7] = bad
		_refused(Frames.with(chunk, ["instances", 0, "transforms"], transforms), "an instance at %s" % bad)
		_refused(Frames.with(chunk, ["origin"], Vector3(0, bad, 0)), "an origin of %s" % bad)
		_refused(Frames.with(chunk, surface + ["material", "base_color"], Color(1, bad, 1)), "a base_color of %s" % bad)
		for key: String in ["roughness", "metallic"]:
			_refused(Frames.with(chunk, surface + ["material", key], bad), "a %s of %s" % [key, bad])
		_refused(Frames.with(chunk, ["colliders", 0, "cell"], bad), "a cell of %s" % bad)
		var node := Frames.node(1, "rock", Transform3D(Basis.IDENTITY, Vector3(bad, 0, 0)))
		_refused({"t": "spawn", "nodes": [node]}, "a node at %s" % bad)
	var indices: PackedInt32Array = chunk["surfaces"][0]["indices"]
	for bad: int in [-1, 25, 26, 65536, 2147483647, -2147483648]:
		for at: int in [0, 50, indices.size() - 1]:
			var wrong := indices.duplicate()
			wrong[at] = bad
			_refused(Frames.with(chunk, surface + ["indices"], wrong), "index %d" % bad)
	for size: int in [-1, 0, 1, 4098, 2147483648, 9223372036854775807]:
		_refused(Frames.with(chunk, ["colliders", 0, "width"], size), "a width of %d" % size)
		_refused(Frames.with(chunk, ["colliders", 0, "depth"], size), "a depth of %d" % size)
	for cell: float in [0.0, -1.0, 1e-9, 1e30]:
		_refused(Frames.with(chunk, ["colliders", 0, "cell"], cell), "a cell of %s" % cell)
	for share: float in [-0.1, 1.1]:
		_refused(Frames.with(chunk, surface + ["material", "roughness"], share), "a roughness of %s" % share)
	_refused(Frames.with(chunk, ["instances", 0, "mesh"], "nobody"), "instances of no mesh")
	_refused({"t": "spawn", "nodes": [Frames.node(1, "nobody", Transform3D.IDENTITY)]}, "a node with no mesh")
	_refused(Frames.mesh("", 1), "a mesh without a name")
	var long := "k".repeat(1025)
	_refused(Frames.with(chunk, ["key"], long), "a long key")
	_refused(Frames.mesh(long, 1), "a long mesh name")
	_refused({"t": "rows", "columns": PackedStringArray([long]), "ids": PackedInt64Array([1]), "values": [[1]]}, "a long column")
	return true


func _sizes_that_disagree() -> bool:
	_fresh()
	var chunk := _chunk()
	var given: Dictionary = chunk["surfaces"][0]
	var surface: Array = ["surfaces", 0]
	_refused(Frames.with(chunk, surface + ["positions"], PackedVector3Array()), "no positions")
	_refused(Frames.with(chunk, surface + ["positions"], (given["positions"] as PackedVector3Array).slice(1)), "a position too few")
	_refused(Frames.with(chunk, surface + ["normals"], (given["normals"] as PackedVector3Array).slice(1)), "a normal too few")
	_refused(Frames.with(chunk, surface + ["colors"], (given["colors"] as PackedColorArray).slice(1)), "a color too few")
	for size: int in [0, 1, 2, 4, 5]:
		_refused(Frames.with(chunk, surface + ["indices"], (given["indices"] as PackedInt32Array).slice(0, size)), "%d indices" % size)
	var heights: PackedFloat32Array = chunk["colliders"][0]["heights"]
	_refused(Frames.with(chunk, ["colliders", 0, "heights"], heights.slice(1)), "a height too few")
	_refused(Frames.with(chunk, ["colliders", 0, "heights"], heights + PackedFloat32Array([1.0])), "a height too many")
	_refused(Frames.with(chunk, ["colliders", 0, "width"], 4), "a width that does not fit")
	_refused(Frames.with(chunk, ["colliders", 0, "width"], 4097), "a width that would be large")
	for size: int in [1, 11, 13]:
		var floats := PackedFloat32Array()
		floats.resize(size)
		_refused(Frames.with(chunk, ["instances", 0, "transforms"], floats), "%d floats for instances" % size)
	var many := []
	many.resize(1025)
	many.fill({"mesh": "rock", "transforms": PackedFloat32Array()})
	_refused(Frames.with(chunk, ["instances"], many), "many entries of instances")
	var rows := {"t": "rows", "columns": PackedStringArray(["position:x", "position:y"]), "ids": PackedInt64Array([1]), "values": [[1.0], [2.0]]}
	for values: Array in [[], [[1.0]], [[1.0], []], [[1.0], [2.0, 3.0]], [[1.0], PackedFloat64Array()], [[1.0], PackedInt64Array([1, 2])],
			[[1.0], [2.0], [3.0]]]:
		_refused(Frames.with(rows, ["values"], values), "values %s" % str(values))
	var columns := PackedStringArray()
	columns.resize(65)
	_refused({"t": "rows", "columns": columns, "ids": PackedInt64Array(), "values": []}, "65 columns")
	# The second of two is wrong: the first must not have been applied.
	_refused(Frames.with(Frames.mesh("rock", 2), ["surfaces", 1, "indices"], PackedInt32Array([0, 1, 3])), "a second surface that is wrong")
	return true


# Frames of random parts, from a fixed seed.
func _rubbish() -> bool:
	_fresh()
	var random := RandomNumberGenerator.new()
	random.seed = 20_260_101
	var samples := _samples()
	for round: int in 2000:
		var kind: String = ["mesh", "chunk", "unload", "spawn", "despawn", "rows", "clear", "other", "asset", "cached", "blend", "properties",
				"resumed"][random.randi() % 13]
		var frame := {"t": kind}
		for key: String in ["key", "keys", "origin", "name", "surfaces", "colliders", "instances", "extras", "nodes", "ids", "columns", "values", "hash", "glb", "what",
				"hashes", "names", "weights", "reset", "rev", "of"]:
			frame[key] = samples[random.randi() % samples.size()]
		var wrong := world.apply(kind, frame)
		check(not wrong.contains("add-on failed"), "frame %d, a %s, is dealt with: %s" % [round, kind, wrong])
	return true
