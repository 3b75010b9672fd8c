extends RefCounted
## Applies property changes that come by columns to the nodes they are for.
##
## Plain values only: a property that holds an object cannot be set from the wire, nor anything
## inside one, so no row can give a node a script or change a resource that others share.

const _Check := preload("check.gd")

## The most columns in a frame.
const MAX_COLUMNS := 64

const _MAX_PLANS := 256
const _COMPONENTS: Array[String] = ["x", "y", "z"]

## How a column is applied.
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

## Rows applied to a node that is there, since the last [method clear].
var rows := 0
## Values applied with them.
var updates := 0

var _plans: Dictionary[String, Plan] = {}


## Starts to count anew.
func clear() -> void:
	rows = 0
	updates = 0


## Applies the rows in [param frame] to [param nodes], by id. Returns what is wrong with them, and
## then has applied none; empty when nothing is.
func apply(frame: Dictionary, nodes: Dictionary[int, MeshInstance3D]) -> String:
	var wrong := _check_shape(frame)
	if wrong != "":
		return wrong
	var columns: PackedStringArray = frame["columns"]
	var ids: PackedInt64Array = frame["ids"]
	var values: Array = frame["values"]
	var targets: Array[MeshInstance3D] = []
	var places := PackedInt32Array()
	for i: int in ids.size():
		var node: Variant = nodes.get(ids[i])
		if is_instance_valid(node):
			targets.append(node)
			places.append(i)
	if targets.is_empty():
		return ""
	var plans: Array[Plan] = []
	for c: int in columns.size():
		var plan := _plan(columns[c], targets[0])
		if plan == null:
			return "column \"%s\" is no property that can be set" % columns[c].left(64)
		wrong = _check_values(plan.type, values[c])
		if wrong != "":
			return "column \"%s\": %s" % [columns[c], wrong]
		plans.append(plan)
	_set_all(plans, values, targets, places)
	rows += targets.size()
	return ""


func _check_shape(frame: Dictionary) -> String:
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
		var size := -1
		match typeof(values[c]):
			TYPE_PACKED_FLOAT64_ARRAY:
				size = (values[c] as PackedFloat64Array).size()
			TYPE_PACKED_INT64_ARRAY:
				size = (values[c] as PackedInt64Array).size()
			TYPE_ARRAY:
				size = (values[c] as Array).size()
			_:
				return "values[%d] must be a PackedFloat64Array, a PackedInt64Array or an Array, not a %s" \
						% [c, type_string(typeof(values[c]))]
		if size != ids.size():
			return "values[%d] has %d values for %d ids" % [c, size, ids.size()]
	return ""


# What to do for a column, found out once with a node that has the property. All nodes are of one
# class. Null when there is no such property, or when it holds an object.
func _plan(column: String, sample: MeshInstance3D) -> Plan:
	var known: Plan = _plans.get(column)
	if known != null:
		return known
	var path := NodePath(column).get_as_property_path()
	if path.get_subname_count() == 0:
		return null
	var plan := Plan.new()
	plan.path = path
	plan.property = path.get_subname(0)
	var whole: Variant = sample.get(plan.property)
	if typeof(whole) == TYPE_NIL or typeof(whole) == TYPE_OBJECT:
		return null
	plan.type = typeof(sample.get_indexed(path)) as Variant.Type
	match plan.type:
		TYPE_BOOL, TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_STRING_NAME, TYPE_NODE_PATH, TYPE_COLOR, \
		TYPE_VECTOR2, TYPE_VECTOR3, TYPE_QUATERNION, TYPE_BASIS, TYPE_TRANSFORM3D, TYPE_AABB:
			pass
		_:
			return null
	if typeof(whole) == TYPE_VECTOR3 and path.get_subname_count() == 2:
		plan.component = _COMPONENTS.find(String(path.get_subname(1)))
	if _plans.size() >= _MAX_PLANS:
		_plans.clear()
	_plans[column] = plan
	return plan


func _check_values(type: int, values: Variant) -> String:
	match typeof(values):
		TYPE_PACKED_FLOAT64_ARRAY:
			if type != TYPE_FLOAT and type != TYPE_INT:
				return "it takes a %s, not floats" % type_string(type)
			for value: float in (values as PackedFloat64Array):
				if not is_finite(value):
					return "a value is not finite"
		TYPE_PACKED_INT64_ARRAY:
			if type != TYPE_FLOAT and type != TYPE_INT and type != TYPE_BOOL:
				return "it takes a %s, not ints" % type_string(type)
		TYPE_ARRAY:
			for value: Variant in (values as Array):
				if value != null and not _fits(type, value):
					return "it takes a finite %s, not %s" % [type_string(type), str(value).left(32)]
	return ""


func _fits(type: int, value: Variant) -> bool:
	match typeof(value):
		TYPE_FLOAT:
			return (type == TYPE_FLOAT or type == TYPE_INT) and is_finite(value as float)
		TYPE_INT:
			return type == TYPE_FLOAT or type == TYPE_INT or type == TYPE_BOOL
		TYPE_STRING, TYPE_STRING_NAME:
			return type == TYPE_STRING or type == TYPE_STRING_NAME
		TYPE_COLOR:
			return type == TYPE_COLOR and _Check.finite_color(value as Color, "") == ""
		TYPE_VECTOR2:
			return type == TYPE_VECTOR2 and (value as Vector2).is_finite()
		TYPE_VECTOR3:
			return type == TYPE_VECTOR3 and (value as Vector3).is_finite()
		TYPE_QUATERNION:
			# Rotations only: the engine reports any other as an error.
			return type == TYPE_QUATERNION and (value as Quaternion).is_finite() \
					and (value as Quaternion).is_normalized()
		TYPE_BASIS:
			return type == TYPE_BASIS and (value as Basis).is_finite()
		TYPE_TRANSFORM3D:
			return type == TYPE_TRANSFORM3D and (value as Transform3D).is_finite()
		TYPE_AABB:
			return type == TYPE_AABB and (value as AABB).is_finite()
	return typeof(value) == type


# Parts of one vector are put together and set once: a node recomputes its transform each time.
func _set_all(plans: Array[Plan], values: Array, targets: Array[MeshInstance3D],
		places: PackedInt32Array) -> void:
	var is_done := PackedByteArray()
	is_done.resize(plans.size())
	is_done.fill(0)
	for c: int in plans.size():
		if is_done[c]:
			continue
		if plans[c].component < 0:
			_set_column(plans[c].path, values[c], targets, places)
			continue
		var parts: Array = [null, null, null]
		for d: int in range(c, plans.size()):
			# A property named twice is set twice, in the order of the columns.
			if plans[d].property == plans[c].property:
				if plans[d].component < 0 or parts[plans[d].component] != null:
					break
				parts[plans[d].component] = values[d]
				is_done[d] = 1
		_set_vector(plans[c].property, parts, targets, places)


func _set_column(path: NodePath, values: Variant, targets: Array[MeshInstance3D],
		places: PackedInt32Array) -> void:
	for k: int in targets.size():
		var value: Variant = values[places[k]]
		if value != null:
			targets[k].set_indexed(path, value)
			updates += 1


func _set_vector(property: StringName, parts: Array, targets: Array[MeshInstance3D],
		places: PackedInt32Array) -> void:
	var xs: Variant = parts[0]
	var ys: Variant = parts[1]
	var zs: Variant = parts[2]
	for k: int in targets.size():
		var node := targets[k]
		var i := places[k]
		var vector: Vector3 = node.get(property)
		if xs != null and xs[i] != null:
			vector.x = xs[i]
			updates += 1
		if ys != null and ys[i] != null:
			vector.y = ys[i]
			updates += 1
		if zs != null and zs[i] != null:
			vector.z = zs[i]
			updates += 1
		node.set(property, vector)
