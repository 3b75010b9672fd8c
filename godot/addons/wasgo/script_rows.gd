extends RefCounted
## Sets what scripts returned, by columns, on the nodes that they are for. What a script may not set, and values that do
## not fit, are passed over and counted.

const _Attached := preload("attached.gd")
const _Columns := preload("columns.gd")

## What a column is for the scripts that a frame is for.
class Resolved:
	extends RefCounted
	## Places, turns and sizes of nodes, as most are: which, what part of it, and in which row its value is.
	var quick := _Columns.Quick.NONE
	var component := -1
	var targets: Array[Node3D] = []
	var places := PackedInt32Array()
	## All that may be set, these included, and the rows.
	var setters: Array[_Attached.Setter] = []
	var setter_places := PackedInt32Array()
	## How many may not, and when that was found out, in milliseconds of the engine's clock.
	var refused := 0
	var resolved_at := Time.get_ticks_msec()

	func is_all_quick() -> bool:
		return not targets.is_empty() and targets.size() == setters.size()

	func is_live() -> bool:
		if refused > 0 and Time.get_ticks_msec() - resolved_at > _Attached.PATIENCE_MS:
			return false
		for setter: _Attached.Setter in setters:
			if not is_instance_valid(setter.target):
				return false
		return true

## Rows applied to a script that is there, since [method clear].
var rows := 0
## Values set with them.
var updates := 0
## Values that a script may not set, or that do not fit.
var refused := 0

# The scripts that the frame before was for, and the rows: most frames are for the same ones.
var _last_ids := PackedInt64Array()
var _targets: Array[_Attached] = []
var _places := PackedInt32Array()
var _resolved: Dictionary[String, Resolved] = {}


## Starts to count anew.
func clear() -> void:
	rows = 0
	updates = 0
	refused = 0
	forget()


## Scripts have come or gone.
func forget() -> void:
	_last_ids = PackedInt64Array()
	_targets.clear()
	_places.clear()
	_resolved.clear()


## Applies [param frame] to those of the scripts in [param all] that it is for. Returns what is wrong with it, and then
## has set nothing; empty when nothing is.
func apply(frame: Dictionary, all: Dictionary[int, _Attached]) -> String:
	var wrong := _Columns.check_shape(frame)
	if wrong != "":
		return wrong
	var columns: PackedStringArray = frame["columns"]
	var values: Array = frame["values"]
	for c: int in columns.size():
		wrong = _Columns.check_finite(values[c])
		if wrong != "":
			return "column \"%s\": %s" % [columns[c].left(64), wrong]
	_find_targets(frame["ids"] as PackedInt64Array, all)
	rows += _targets.size()
	var c := 0
	while c < columns.size():
		# The parts of a vector, one behind another, are set together.
		var base := columns[c].trim_suffix(":x")
		if c + 2 < columns.size() and base.length() < columns[c].length() and columns[c + 1] == base + ":y" \
				and columns[c + 2] == base + ":z" and _set_vectors(base, values.slice(c, c + 3)):
			c += 3
		else:
			_set_column(columns[c], values[c])
			c += 1
	return ""


func _find_targets(ids: PackedInt64Array, all: Dictionary[int, _Attached]) -> void:
	if not ids.is_empty() and ids == _last_ids:
		return
	forget()
	_last_ids = ids
	for i: int in ids.size():
		var script: _Attached = all.get(ids[i])
		if script != null:
			_targets.append(script)
			_places.append(i)


func _resolve(column: String) -> Resolved:
	var known: Resolved = _resolved.get(column)
	if known != null and known.is_live():
		return known
	var made := Resolved.new()
	for k: int in _targets.size():
		var setter := _targets[k].setter(column)
		if setter.plan == null:
			made.refused += 1
			continue
		made.setters.append(setter)
		made.setter_places.append(_places[k])
		if setter.plan.quick == _Columns.Quick.NONE:
			continue
		if made.targets.is_empty():
			made.quick = setter.plan.quick
			made.component = setter.plan.component
		if made.quick == setter.plan.quick and made.component == setter.plan.component:
			made.targets.append(setter.target)
			made.places.append(_places[k])
	if _resolved.size() >= 4 * _Columns.MAX_COLUMNS:
		_resolved.clear()
	_resolved[column] = made
	return made


# Returns whether it could: all of the scripts may set the whole vector, and there is a number for each part.
func _set_vectors(base: String, parts: Array) -> bool:
	if not _Columns.are_whole(parts):
		return false
	var resolved := _resolve(base)
	if resolved.refused > 0 or not resolved.is_all_quick() or resolved.component >= 0:
		return false
	_Columns.set_vectors(resolved.quick, resolved.targets, resolved.places, _Columns.joined(parts))
	updates += 3 * resolved.targets.size()
	return true


func _set_column(column: String, values: Variant) -> void:
	var resolved := _resolve(column)
	refused += resolved.refused
	if resolved.is_all_quick():
		if resolved.component < 0 and typeof(values) == TYPE_PACKED_VECTOR3_ARRAY:
			_Columns.set_vectors(resolved.quick, resolved.targets, resolved.places, values as PackedVector3Array)
			updates += resolved.targets.size()
			return
		if resolved.component >= 0 and _Columns.is_packed(values):
			_Columns.set_parts(resolved.quick, resolved.component, resolved.targets, resolved.places, values)
			updates += resolved.targets.size()
			return
	for k: int in resolved.setters.size():
		_set_one(resolved.setters[k], values, resolved.setter_places[k])


func _set_one(setter: _Attached.Setter, values: Variant, at: int) -> void:
	var value: Variant = values[at]
	if value == null:
		return
	# What was set before may have freed it.
	if not is_instance_valid(setter.target) or not _fits(setter.plan.type, typeof(values), value):
		refused += 1
		return
	setter.target.set_indexed(setter.plan.path, value)
	updates += 1


static func _fits(type: int, packed: int, value: Variant) -> bool:
	return _Columns.fits(type, value) if packed == TYPE_ARRAY else _Columns.takes(type, packed)
