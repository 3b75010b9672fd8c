extends RefCounted
## What was cleared: it leaves the tree in steps, and is freed in steps after that, since there may be a hundred thousand nodes of which each takes
## microseconds. Who comes meanwhile takes the place of one that has not left. For the main thread.

# Parts of a node that are freed at once; more are freed a few at a time before it.
const _FEW_PARTS := 8
const _PARTS_A_STEP := 4

# Still in the tree: nodes by the ids that they had, chunks by their keys. The game may have freed any of them.
var _leaving: Dictionary = {}
# Their keys by the ids of their objects, once that is asked for.
var _keys: Dictionary[int, Variant] = {}
# Out of the tree, to be freed.
var _gone: Array[Node3D] = []


## Those of [param nodes] are to leave; nothing happens to them before [method go_on]. None has the key of one that is leaving: that made room.
func add(nodes: Dictionary) -> void:
	_leaving.merge(nodes)
	_keys.clear()


func is_empty() -> bool:
	return _leaving.is_empty()


## Takes nodes out of the tree until [param until], in microseconds of the engine's clock: one at least, if there is one. Returns whether that was all.
func go_on(until: int) -> bool:
	var left := []
	for key: Variant in _leaving:
		left.append(key)
		_put_out(_leaving[key])
		if Time.get_ticks_usec() >= until:
			break
	for key: Variant in left:
		_leaving.erase(key)
	if _leaving.is_empty():
		_keys.clear()
	return _leaving.is_empty()


## Frees what has left until [param until], in microseconds of the engine's clock: a part at least, if there is one. Returns whether that was all.
func free_some(until: int) -> bool:
	while not _gone.is_empty():
		var node: Variant = _gone[-1]
		if not is_instance_valid(node) or free_part(node as Node3D):
			_gone.pop_back()
		if Time.get_ticks_usec() >= until:
			break
	return _gone.is_empty()


## What stands for [param key], or is called [param called] below [param world], leaves now: another takes its place and its name.
func make_room(key: Variant, called: String, world: Node3D) -> void:
	if _leaving.has(key):
		_leave(key)
	var standing := world.get_node_or_null(NodePath(called))
	if standing == null or _leaving.is_empty():
		return
	if _keys.is_empty():
		for leaving: Variant in _leaving:
			var node: Variant = _leaving[leaving]
			if is_instance_valid(node):
				_keys[(node as Node3D).get_instance_id()] = leaving
	var its: Variant = _keys.get(standing.get_instance_id())
	if its != null and _leaving.get(its) == standing:
		_leave(its)


## Frees a part of [param node], which is in no tree. Returns whether that was all.
static func free_part(node: Node3D) -> bool:
	var count := node.get_child_count()
	if count > _FEW_PARTS:
		for i: int in _PARTS_A_STEP:
			node.get_child(count - 1 - i).free()
		return false
	node.free()
	return true


func _leave(key: Variant) -> void:
	_put_out(_leaving[key])
	_leaving.erase(key)


func _put_out(node: Variant) -> void:
	if is_instance_valid(node):
		if (node as Node3D).get_parent() != null:
			(node as Node3D).get_parent().remove_child(node as Node3D)
		_gone.append(node)


func _notification(what: int) -> void:
	# An object that is about to go can call no methods of its own.
	if what == NOTIFICATION_PREDELETE:
		for node: Variant in _gone:
			if is_instance_valid(node):
				(node as Node3D).free()
