extends RefCounted
## Checks what a glTF file's accessors find in its buffer, and whether those that belong together fit each other. The
## file was held against the schema before.

const _Check := preload("check.gd")

## The most numbers that all accessors may hold, counted once for each mesh that uses them.
const MAX_NUMBERS := 64 * 1024 * 1024
## The most keys of all animations, as the engine makes them: 30 a second.
const MAX_KEYS := 4 * 1024 * 1024
## The longest animation, in seconds.
const MAX_SECONDS := 600.0

const _NUMBERS := {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
const _BYTES := {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
const _FLOAT := 5126
const _KEYS_A_SECOND := 30.0
# The types that each attribute may have: of its values, and of their components.
const _ATTRIBUTES := {
	"POSITION": [["VEC3"], [5126]], "NORMAL": [["VEC3"], [5126]], "TANGENT": [["VEC4"], [5126]], "TEXCOORD_0": [["VEC2"], [5121, 5123, 5126]],
	"TEXCOORD_1": [["VEC2"], [5121, 5123, 5126]], "TEXCOORD_2": [["VEC2"], [5121, 5123, 5126]], "TEXCOORD_3": [["VEC2"], [5121, 5123, 5126]],
	"TEXCOORD_4": [["VEC2"], [5121, 5123, 5126]], "TEXCOORD_5": [["VEC2"], [5121, 5123, 5126]], "TEXCOORD_6": [["VEC2"], [5121, 5123, 5126]],
	"TEXCOORD_7": [["VEC2"], [5121, 5123, 5126]], "COLOR_0": [["VEC3", "VEC4"], [5121, 5123, 5126]], "JOINTS_0": [["VEC4"], [5121, 5123]],
	"JOINTS_1": [["VEC4"], [5121, 5123]], "WEIGHTS_0": [["VEC4"], [5121, 5123, 5126]], "WEIGHTS_1": [["VEC4"], [5121, 5123, 5126]],
}
const _TARGETS := {"POSITION": [["VEC3"], [5126]], "NORMAL": [["VEC3"], [5126]], "TANGENT": [["VEC3"], [5126]]}

var _file: Dictionary
var _bytes: PackedByteArray
# Where the buffer begins and ends.
var _start := 0
var _end := 0
var _numbers := 0


## Says what is wrong with [param file], whose buffer lies in [param bytes] from [param start] to [param end]; empty when nothing is.
func check(file: Dictionary, bytes: PackedByteArray, start: int, end: int) -> String:
	_file = file
	_bytes = bytes
	_start = start
	var buffers: Array = file.get("buffers", [])
	_end = start
	if buffers.size() > 1:
		return "more than one buffer"
	if buffers.size() == 1:
		_end = start + int(buffers[0]["byteLength"] as float)
		if _end > end:
			return "a buffer of more bytes than there are"
	for view: Dictionary in _list("bufferViews"):
		if _int(view, "byteOffset") + _int(view, "byteLength") > _end - _start:
			return "a view that lies outside the buffer"
		if _int(view, "byteStride") % 4 != 0:
			return "a byteStride that is no multiple of 4"
	for accessor: Dictionary in _list("accessors"):
		var wrong := _check_accessor(accessor)
		if wrong != "":
			return wrong
	for mesh: Dictionary in _list("meshes"):
		var wrong := _check_mesh(mesh)
		if wrong != "":
			return "mesh %s: %s" % [str(mesh.get("name", "")).left(64), wrong]
	return _check_others()


func _list(key: String) -> Array:
	return _file.get(key, [])


static func _int(object: Dictionary, key: String) -> int:
	return int(object.get(key, 0) as float)


func _accessor(number: Variant) -> Dictionary:
	return _file["accessors"][int(number as float)]


func _size(accessor: Dictionary) -> int:
	return _BYTES[_int(accessor, "componentType")] * _NUMBERS[accessor["type"]]


func _check_accessor(accessor: Dictionary) -> String:
	var kind := _int(accessor, "componentType")
	if not _BYTES.has(kind):
		return "an accessor of a componentType that is none"
	var count := _int(accessor, "count")
	_numbers += count * (_NUMBERS[accessor["type"]] as int)
	if _numbers > MAX_NUMBERS:
		return "more than %d numbers" % MAX_NUMBERS
	if accessor.has("bufferView"):
		var view: Dictionary = _list("bufferViews")[_int(accessor, "bufferView")]
		var stride := _int(view, "byteStride") if view.has("byteStride") else _size(accessor)
		var offset := _int(accessor, "byteOffset")
		# The engine reads matrices of small numbers and values at odd places in ways of its own.
		if stride < _size(accessor) or offset % _BYTES[kind] != 0 or (accessor["type"] as String).begins_with("MAT") and kind != _FLOAT:
			return "an accessor that does not fit its view"
		if offset + (count - 1) * stride + _size(accessor) > _int(view, "byteLength"):
			return "an accessor that lies outside its view"
		if kind == _FLOAT:
			var wrong := _check_floats(_start + _int(view, "byteOffset") + offset, stride, count, _NUMBERS[accessor["type"]] as int)
			if wrong != "":
				return wrong
	elif not accessor.has("sparse"):
		return "an accessor without a view"
	return _check_sparse(accessor) if accessor.has("sparse") else ""


func _check_floats(at: int, stride: int, count: int, numbers: int) -> String:
	if stride == numbers * 4:
		return _Check.finite_floats(_bytes.slice(at, at + count * stride).to_float32_array(), "an accessor's values")
	for i: int in count:
		for n: int in numbers:
			if not is_finite(_bytes.decode_float(at + i * stride + n * 4)):
				return "an accessor's values: one is not finite"
	return ""


func _check_sparse(accessor: Dictionary) -> String:
	var sparse: Dictionary = accessor["sparse"]
	var count := _int(sparse, "count")
	var places: Dictionary = sparse["indices"]
	var values: Dictionary = sparse["values"]
	var kind := _int(places, "componentType")
	if count > _int(accessor, "count") or not [5121, 5123, 5125].has(kind):
		return "a sparse accessor with more than it is of"
	var size: int = _BYTES[kind]
	for part: Array in [[places, size], [values, _size(accessor)]]:
		var view: Dictionary = _list("bufferViews")[_int(part[0] as Dictionary, "bufferView")]
		var offset := _int(part[0] as Dictionary, "byteOffset")
		if view.has("byteStride") or offset % size != 0 or offset + count * (part[1] as int) > _int(view, "byteLength"):
			return "a sparse accessor that lies outside its view"
	var place := _int(_list("bufferViews")[_int(places, "bufferView")] as Dictionary, "byteOffset") + _start + _int(places, "byteOffset")
	if _highest(place, kind, count) >= _int(accessor, "count"):
		return "a sparse accessor for what there is not"
	if _int(accessor, "componentType") == _FLOAT:
		var value := _int(_list("bufferViews")[_int(values, "bufferView")] as Dictionary, "byteOffset") + _start + _int(values, "byteOffset")
		return _check_floats(value, _size(accessor), count, _NUMBERS[accessor["type"]] as int)
	return ""


# The highest of whole numbers that lie one behind another.
func _highest(at: int, kind: int, count: int) -> int:
	var highest := 0
	match kind:
		5121:
			for i: int in range(at, at + count):
				highest = maxi(highest, _bytes[i])
		5123:
			# Two at a time.
			for pair: int in _bytes.slice(at, at + (count & ~1) * 2).to_int32_array():
				highest = maxi(highest, maxi(pair & 0xffff, (pair >> 16) & 0xffff))
			if count & 1:
				highest = maxi(highest, _bytes.decode_u16(at + (count - 1) * 2))
		5125:
			for number: int in _bytes.slice(at, at + count * 4).to_int32_array():
				# Those beyond the half are negative here.
				highest = maxi(highest, number & 0xffffffff)
	return highest


func _check_mesh(mesh: Dictionary) -> String:
	var primitives: Array = mesh["primitives"]
	if primitives.is_empty() or primitives.size() > 256:
		return "%d primitives" % primitives.size()
	var targets := -1
	for primitive: Dictionary in primitives:
		var attributes: Dictionary = primitive["attributes"]
		if not attributes.has("POSITION"):
			return "a primitive without positions"
		var count := _int(_accessor(attributes["POSITION"]), "count")
		var wrong := _check_attributes(attributes, _ATTRIBUTES, count)
		for set_number: String in ["0", "1"]:
			if wrong == "" and attributes.has("JOINTS_" + set_number) != attributes.has("WEIGHTS_" + set_number):
				wrong = "joints without weights, or weights without joints"
		if wrong == "" and attributes.has("JOINTS_1") and not attributes.has("JOINTS_0"):
			wrong = "second joints without first ones"
		if wrong == "":
			wrong = _check_indices(primitive, count)
		var shapes: Array = primitive.get("targets", [])
		for shape: Dictionary in shapes:
			if wrong == "" and not shape.has("POSITION"):
				wrong = "a target without positions"
			if wrong == "":
				wrong = _check_attributes(shape, _TARGETS, count)
		if wrong == "" and targets >= 0 and shapes.size() != targets:
			wrong = "primitives with different numbers of targets"
		if wrong != "":
			return wrong
		targets = shapes.size()
	if mesh.has("weights") and (mesh["weights"] as Array).size() != targets:
		return "%d weights for %d targets" % [(mesh["weights"] as Array).size(), targets]
	var names: Array = (mesh.get("extras", {}) as Dictionary).get("targetNames", [])
	return "" if names.is_empty() or names.size() == targets else "%d names for %d targets" % [names.size(), targets]


func _check_attributes(attributes: Dictionary, known: Dictionary, count: int) -> String:
	for key: Variant in attributes:
		if str(key).begins_with("_"):
			continue  # The file's own, which nobody reads.
		if not known.has(key):
			return "an attribute %s, which is not taken" % str(key).left(64)
		var accessor := _accessor(attributes[key])
		if not (known[key][0] as Array).has(accessor["type"]) or not (known[key][1] as Array).has(_int(accessor, "componentType")):
			return "the attribute %s of a type that it must not have" % key
		if _int(accessor, "count") != count:
			return "the attribute %s for %d vertices of %d" % [key, _int(accessor, "count"), count]
		_numbers += count * (_NUMBERS[accessor["type"]] as int)
		if _numbers > MAX_NUMBERS:
			return "more than %d numbers" % MAX_NUMBERS
	return ""


func _check_indices(primitive: Dictionary, count: int) -> String:
	if not primitive.has("indices"):
		return "" if count % 3 == 0 else "%d vertices, there must be three a triangle" % count
	var accessor := _accessor(primitive["indices"])
	var kind := _int(accessor, "componentType")
	if accessor["type"] != "SCALAR" or not [5121, 5123, 5125].has(kind) or accessor.has("sparse") or _int(accessor, "count") % 3 != 0:
		return "indices that are none"
	var view: Dictionary = _list("bufferViews")[_int(accessor, "bufferView")]
	if view.has("byteStride") and _int(view, "byteStride") != _BYTES[kind]:
		return "indices with gaps"
	if _highest(_start + _int(view, "byteOffset") + _int(accessor, "byteOffset"), kind, _int(accessor, "count")) >= count:
		return "an index of no vertex"
	_numbers += _int(accessor, "count")
	return "" if _numbers <= MAX_NUMBERS else "more than %d numbers" % MAX_NUMBERS


func _check_others() -> String:
	var targets := PackedInt32Array()
	var has_skin := PackedByteArray()
	for mesh: Dictionary in _list("meshes"):
		targets.append((mesh["primitives"][0] as Dictionary).get("targets", []).size())
	for node: Dictionary in _list("nodes"):
		if node.has("skin") and not node.has("mesh"):
			return "a node with a skin and no mesh"
		if node.has("weights") and (not node.has("mesh") or (node["weights"] as Array).size() != targets[_int(node, "mesh")]):
			return "a node with weights that its mesh has not"
	for skin: Dictionary in _list("skins"):
		var joints: Array = skin["joints"]
		var seen: Dictionary[int, bool] = {}
		for joint: float in joints:
			seen[int(joint)] = true
		if joints.is_empty() or seen.size() != joints.size():
			return "a skin without joints, or with one twice"
		if skin.has("inverseBindMatrices"):
			var accessor := _accessor(skin["inverseBindMatrices"])
			if accessor["type"] != "MAT4" or _int(accessor, "componentType") != _FLOAT or _int(accessor, "count") != joints.size():
				return "a skin whose matrices are not those of its joints"
	var keys := 0.0
	for animation: Dictionary in _list("animations"):
		for channel: Dictionary in animation["channels"]:
			var found: Variant = _check_channel(channel, animation["samplers"] as Array, targets)
			if typeof(found) == TYPE_STRING:
				return "animation %s: %s" % [str(animation.get("name", "")).left(64), found]
			keys += found
	return "" if keys <= MAX_KEYS else "more than %d keys in animations" % MAX_KEYS


# What is wrong, or how many keys the engine may make of it.
func _check_channel(channel: Dictionary, samplers: Array, targets: PackedInt32Array) -> Variant:
	if _int(channel, "sampler") >= samplers.size():
		return "a channel without a sampler"
	var sampler: Dictionary = samplers[_int(channel, "sampler")]
	var input := _accessor(sampler["input"])
	var output := _accessor(sampler["output"])
	if input["type"] != "SCALAR" or _int(input, "componentType") != _FLOAT or not input.has("bufferView") or input.has("sparse"):
		return "times that are none"
	var target: Dictionary = channel["target"]
	var values := _int(input, "count") * (3 if sampler.get("interpolation", "") == "CUBICSPLINE" else 1)
	var type := "VEC3"
	match target["path"]:
		"rotation":
			type = "VEC4"
		"weights":
			type = "SCALAR"
			var node: Dictionary = _list("nodes")[_int(target, "node")]
			if not node.has("mesh") or targets[_int(node, "mesh")] == 0:
				return "weights of a node that has none"
			values *= targets[_int(node, "mesh")]
	if output["type"] != type or _int(output, "count") != values or _int(output, "componentType") != _FLOAT:
		return "values that are not those of the times"
	var view: Dictionary = _list("bufferViews")[_int(input, "bufferView")]
	var stride := _int(view, "byteStride") if view.has("byteStride") else 4
	var at := _start + _int(view, "byteOffset") + _int(input, "byteOffset")
	var last := -1.0
	for i: int in _int(input, "count"):
		var time := _bytes.decode_float(at + i * stride)
		if not (time >= 0.0 and time > last and time <= MAX_SECONDS):
			return "times that do not go on, or for more than %d seconds" % MAX_SECONDS
		last = time
	return (last * _KEYS_A_SECOND + values) * (targets[_int(_list("nodes")[_int(target, "node")] as Dictionary, "mesh")] if type == "SCALAR" else 1)
