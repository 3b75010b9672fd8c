extends RefCounted
## What a column of rows stands for in an object, and whether values fit it.
##
## Plain values only: a property that holds an object cannot be set from the wire, nor anything
## inside one, so no row can give a node a script or change a resource that others share.

const _Check := preload("check.gd")

## The most columns in a frame.
const MAX_COLUMNS := 64

const _MAX_PLANS := 1024
const _COMPONENTS: Array[String] = ["x", "y", "z"]

## Properties that are set without a look-up by name.
enum Quick { NONE, POSITION, ROTATION, SCALE }

## How a column is applied to objects of one class.
class Plan:
	extends RefCounted
	## The whole path, for set_indexed.
	var path: NodePath
	## The property itself, without what follows the colon.
	var property: StringName
	## Which part of a Vector3 it is, or -1.
	var component := -1
	## The Variant type of the values.
	var type := TYPE_NIL
	## Whether it is one of those that a Node3D has.
	var quick := Quick.NONE

var _plans: Dictionary[String, Plan] = {}


## The plan for [param column] of objects like [param sample], whose class has the name [param kind] here. Null
## when there is no such property, or when it holds an object.
func plan(column: String, kind: String, sample: Object) -> Plan:
	var key := kind + "\n" + column
	var known: Plan = _plans.get(key)
	if known == null:
		known = make_plan(NodePath(column).get_as_property_path(), sample)
		if _plans.size() >= _MAX_PLANS:
			_plans.clear()
		if known != null:
			_plans[key] = known
	return known


## The plan for the property [param path] of [param sample], or null.
static func make_plan(path: NodePath, sample: Object) -> Plan:
	if path.get_subname_count() == 0:
		return null
	var made := Plan.new()
	made.path = path
	made.property = path.get_subname(0)
	var whole: Variant = sample.get(made.property)
	if typeof(whole) == TYPE_NIL or typeof(whole) == TYPE_OBJECT:
		return null
	made.type = typeof(sample.get_indexed(path)) as Variant.Type
	match made.type:
		TYPE_BOOL, TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_STRING_NAME, TYPE_NODE_PATH, TYPE_COLOR, \
		TYPE_VECTOR2, TYPE_VECTOR3, TYPE_QUATERNION, TYPE_BASIS, TYPE_TRANSFORM2D, TYPE_TRANSFORM3D, TYPE_AABB:
			pass
		_:
			return null
	if typeof(whole) == TYPE_VECTOR3 and path.get_subname_count() == 2:
		made.component = _COMPONENTS.find(String(path.get_subname(1)))
	if sample is Node3D and (made.component >= 0 or path.get_subname_count() == 1):
		match made.property:
			&"position":
				made.quick = Quick.POSITION
			&"rotation":
				made.quick = Quick.ROTATION
			&"scale":
				made.quick = Quick.SCALE
	return made


## Says what is wrong with the names and sizes of the columns in [param frame]; empty when nothing is.
static func check_shape(frame: Dictionary) -> String:
	var wrong := _Check.field(frame, "columns", TYPE_PACKED_STRING_ARRAY)
	if wrong == "":
		wrong = _Check.field(frame, "ids", TYPE_PACKED_INT64_ARRAY)
	if wrong == "":
		wrong = _Check.field(frame, "values", TYPE_ARRAY)
	if wrong != "":
		return wrong
	var columns: PackedStringArray = frame["columns"]
	var ids: PackedInt64Array = frame["ids"]
	var values: Array = frame["values"]
	if columns.size() > MAX_COLUMNS:
		return "%d columns, more than the limit of %d" % [columns.size(), MAX_COLUMNS]
	if values.size() != columns.size():
		return "%d arrays of values for %d columns" % [values.size(), columns.size()]
	for c: int in columns.size():
		if columns[c].length() > _Check.MAX_TEXT:
			return "the name of column %d is longer than %d characters" % [c, _Check.MAX_TEXT]
		match typeof(values[c]):
			TYPE_PACKED_FLOAT64_ARRAY, TYPE_PACKED_FLOAT32_ARRAY, TYPE_PACKED_INT64_ARRAY, TYPE_PACKED_VECTOR3_ARRAY, TYPE_ARRAY:
				if values[c].size() != ids.size():
					return "values[%d] has %d values for %d ids" % [c, values[c].size(), ids.size()]
			_:
				return "values[%d] must be a PackedFloat64Array, PackedFloat32Array, PackedInt64Array, PackedVector3Array or an Array, not a %s" \
						% [c, type_string(typeof(values[c]))]
	return ""


## Nothing in the packed [param values] is infinite or not a number. Of an Array [method fits] tells.
static func check_finite(values: Variant) -> String:
	match typeof(values):
		TYPE_PACKED_FLOAT64_ARRAY:
			return _Check.finite_doubles(values as PackedFloat64Array, "values")
		TYPE_PACKED_FLOAT32_ARRAY:
			return _Check.finite_floats(values as PackedFloat32Array, "values")
		TYPE_PACKED_VECTOR3_ARRAY:
			return _Check.finite_vectors(values as PackedVector3Array, "values")
	return ""


## Whether a packed array of the Variant type [param packed] has values for a property of [param type].
static func takes(type: int, packed: int) -> bool:
	match packed:
		TYPE_PACKED_FLOAT64_ARRAY, TYPE_PACKED_FLOAT32_ARRAY:
			return type == TYPE_FLOAT or type == TYPE_INT
		TYPE_PACKED_INT64_ARRAY:
			return type == TYPE_FLOAT or type == TYPE_INT or type == TYPE_BOOL
		TYPE_PACKED_VECTOR3_ARRAY:
			return type == TYPE_VECTOR3
	return packed == TYPE_ARRAY


## Says what is wrong with [param values] for a property of [param type]; empty when nothing is. Whether
## packed ones are finite is for [method check_finite] to say.
static func check_values(type: int, values: Variant) -> String:
	if not takes(type, typeof(values)):
		return "it takes a %s, not the elements of a %s" % [type_string(type), type_string(typeof(values))]
	if typeof(values) == TYPE_ARRAY:
		for value: Variant in (values as Array):
			if value != null and not fits(type, value):
				return "it takes a finite %s, not %s" % [type_string(type), str(value).left(32)]
	return ""


## Whether [param value] can be given to a property of [param type].
static func fits(type: int, value: Variant) -> bool:
	match typeof(value):
		TYPE_FLOAT:
			return (type == TYPE_FLOAT or type == TYPE_INT) and is_finite(value as float)
		TYPE_INT:
			return type == TYPE_FLOAT or type == TYPE_INT or type == TYPE_BOOL
		TYPE_STRING, TYPE_STRING_NAME:
			return type == TYPE_STRING or type == TYPE_STRING_NAME
		TYPE_COLOR:
			return type == TYPE_COLOR and _Check.finite_color(value as Color, "") == ""
		TYPE_QUATERNION:
			# Rotations only: the engine reports any other as an error.
			return type == TYPE_QUATERNION and (value as Quaternion).is_finite() \
					and (value as Quaternion).is_normalized()
		TYPE_VECTOR2, TYPE_VECTOR3, TYPE_BASIS, TYPE_TRANSFORM2D, TYPE_TRANSFORM3D, TYPE_AABB:
			return type == typeof(value) and value.is_finite()
	return typeof(value) == type


## Gives each of [param targets] the vector at its place in [param values].
static func set_vectors(quick: Quick, targets: Array[Node3D], places: PackedInt32Array, values: PackedVector3Array) -> void:
	var k := 0
	match quick:
		Quick.POSITION:
			for node: Node3D in targets:
				node.position = values[places[k]]
				k += 1
		Quick.ROTATION:
			for node: Node3D in targets:
				node.rotation = values[places[k]]
				k += 1
		Quick.SCALE:
			for node: Node3D in targets:
				node.scale = values[places[k]]
				k += 1


## As [method set_vectors], of one part of the vector. [param values] is packed.
static func set_parts(quick: Quick, component: int, targets: Array[Node3D], places: PackedInt32Array, values: Variant) -> void:
	var k := 0
	var vector: Vector3
	match quick:
		Quick.POSITION:
			for node: Node3D in targets:
				vector = node.position
				vector[component] = values[places[k]]
				node.position = vector
				k += 1
		Quick.ROTATION:
			for node: Node3D in targets:
				vector = node.rotation
				vector[component] = values[places[k]]
				node.rotation = vector
				k += 1
		Quick.SCALE:
			for node: Node3D in targets:
				vector = node.scale
				vector[component] = values[places[k]]
				node.scale = vector
				k += 1


## Whether each of [param parts] has a number for each vector.
static func are_whole(parts: Array) -> bool:
	for part: Variant in parts:
		if not is_packed(part):
			return false
	return true


## Whether [param values] are numbers, one for each row.
static func is_packed(values: Variant) -> bool:
	match typeof(values):
		TYPE_PACKED_FLOAT32_ARRAY, TYPE_PACKED_FLOAT64_ARRAY, TYPE_PACKED_INT64_ARRAY:
			return true
	return false


## The vectors that [param parts], which [method are_whole], are the parts of.
static func joined(parts: Array) -> PackedVector3Array:
	var vectors := PackedVector3Array()
	if typeof(parts[0]) == TYPE_PACKED_FLOAT32_ARRAY and typeof(parts[1]) == TYPE_PACKED_FLOAT32_ARRAY \
			and typeof(parts[2]) == TYPE_PACKED_FLOAT32_ARRAY:
		var xs: PackedFloat32Array = parts[0]
		var ys: PackedFloat32Array = parts[1]
		var zs: PackedFloat32Array = parts[2]
		vectors.resize(xs.size())
		for i: int in xs.size():
			vectors[i] = Vector3(xs[i], ys[i], zs[i])
	elif typeof(parts[0]) == TYPE_PACKED_FLOAT64_ARRAY and typeof(parts[1]) == TYPE_PACKED_FLOAT64_ARRAY \
			and typeof(parts[2]) == TYPE_PACKED_FLOAT64_ARRAY:
		var xs: PackedFloat64Array = parts[0]
		var ys: PackedFloat64Array = parts[1]
		var zs: PackedFloat64Array = parts[2]
		vectors.resize(xs.size())
		for i: int in xs.size():
			vectors[i] = Vector3(xs[i], ys[i], zs[i])
	else:
		vectors.resize(parts[0].size() as int)
		for i: int in vectors.size():
			vectors[i] = Vector3(parts[0][i] as float, parts[1][i] as float, parts[2][i] as float)
	return vectors
