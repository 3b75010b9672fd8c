extends RefCounted
## Applies property changes that come by columns to the nodes they are for.

const _Check := preload("check.gd")
const _Columns := preload("columns.gd")
const _Nodes := preload("nodes.gd")

## Rows applied to a node that is there, since the last [method clear].
var rows := 0
## Values applied with them.
var updates := 0

# The nodes that the frame before was for: frames that move things are for the same ones again and again.
var _last_ids := PackedInt64Array()
var _last_changes := -1
var _last_groups: Array[Group] = []

## The nodes of a frame that are of one kind.
class Group:
	extends RefCounted
	## What tells their class from others.
	var kind := ""
	## The nodes, and the number of the row that each is in.
	var targets: Array[Node3D] = []
	var places := PackedInt32Array()
	## How each column is applied to them.
	var plans: Array[_Columns.Plan] = []


## Starts to count anew.
func clear() -> void:
	rows = 0
	updates = 0
	_last_groups.clear()
	_last_changes = -1


## Applies the rows in [param frame] to [param nodes], by id. Returns what is wrong with them, and
## then has applied none; empty when nothing is.
func apply(frame: Dictionary, nodes: _Nodes) -> String:
	var wrong := _Columns.check_shape(frame)
	if wrong != "":
		return wrong
	var columns: PackedStringArray = frame["columns"]
	var values: Array = frame["values"]
	var groups := _groups(frame["ids"] as PackedInt64Array, nodes)
	if groups.is_empty():
		return ""
	for c: int in columns.size():
		wrong = _Columns.check_finite(values[c])
		for group: Group in groups:
			if wrong != "":
				return "column \"%s\": %s" % [columns[c].left(64), wrong]
			var plan := nodes.columns.plan(columns[c], group.kind, nodes.sample(group.kind))
			if plan == null:
				return "column \"%s\" is no property that can be set" % columns[c].left(64)
			wrong = _Columns.check_values(plan.type, values[c])
			group.plans.append(plan)
		if wrong != "":
			return "column \"%s\": %s" % [columns[c].left(64), wrong]
	for group: Group in groups:
		_set_all(group, values)
		rows += group.targets.size()
	return ""


# The nodes of [param ids] that are there, by kind, and in the order of the ids.
func _groups(ids: PackedInt64Array, nodes: _Nodes) -> Array[Group]:
	if _last_changes == nodes.changes and ids == _last_ids and _all_live():
		for group: Group in _last_groups:
			group.plans.clear()
		return _last_groups
	var by_kind: Dictionary[String, Group] = {}
	var has_kinds := not nodes.kinds.is_empty()
	for i: int in ids.size():
		var node: Variant = nodes.all.get(ids[i])
		if not is_instance_valid(node):
			continue
		var kind: String = nodes.kinds.get(ids[i], "") if has_kinds else ""
		var group: Group = by_kind.get(kind)
		if group == null:
			group = Group.new()
			group.kind = kind
			by_kind[kind] = group
		group.targets.append(node)
		group.places.append(i)
	_last_ids = ids
	_last_changes = nodes.changes
	_last_groups = by_kind.values()
	return _last_groups


# Whether the game has freed none of them.
func _all_live() -> bool:
	for group: Group in _last_groups:
		for target: Variant in group.targets:
			if not is_instance_valid(target):
				return false
	return true


# Parts of one vector are put together and set once: a node recomputes its transform each time.
func _set_all(group: Group, values: Array) -> void:
	var plans := group.plans
	var is_done := PackedByteArray()
	is_done.resize(plans.size())
	is_done.fill(0)
	for c: int in plans.size():
		if is_done[c]:
			continue
		if plans[c].component < 0:
			if plans[c].quick != _Columns.Quick.NONE and typeof(values[c]) == TYPE_PACKED_VECTOR3_ARRAY:
				_set_vectors(group, plans[c].quick, values[c] as PackedVector3Array)
			else:
				_set_column(group, plans[c].path, values[c])
			continue
		var parts: Array = [null, null, null]
		for d: int in range(c, plans.size()):
			# A property named twice is set twice, in the order of the columns.
			if plans[d].property == plans[c].property:
				if plans[d].component < 0 or parts[plans[d].component] != null:
					break
				parts[plans[d].component] = values[d]
				is_done[d] = 1
		_set_parts(group, plans[c], parts)


func _set_column(group: Group, path: NodePath, values: Variant) -> void:
	for k: int in group.targets.size():
		var value: Variant = values[group.places[k]]
		if value != null:
			group.targets[k].set_indexed(path, value)
			updates += 1


func _set_vectors(group: Group, quick: _Columns.Quick, values: PackedVector3Array) -> void:
	_Columns.set_vectors(quick, group.targets, group.places, values)
	updates += group.targets.size()


func _set_parts(group: Group, plan: _Columns.Plan, parts: Array) -> void:
	if plan.quick != _Columns.Quick.NONE and _Columns.are_whole(parts):
		_set_vectors(group, plan.quick, _Columns.joined(parts))
		updates += 2 * group.targets.size()
		return
	if plan.quick != _Columns.Quick.NONE and parts.count(null) == 2 and _Columns.is_packed(parts[plan.component]):
		_Columns.set_parts(plan.quick, plan.component, group.targets, group.places, parts[plan.component])
		updates += group.targets.size()
		return
	var property := plan.property
	var xs: Variant = parts[0]
	var ys: Variant = parts[1]
	var zs: Variant = parts[2]
	for k: int in group.targets.size():
		var node := group.targets[k]
		var i := group.places[k]
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
