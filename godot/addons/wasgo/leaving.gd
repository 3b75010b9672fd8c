extends RefCounted
## What was cleared: it leaves the tree in steps, and is freed in steps after that, since there may be a hundred thousand nodes of which each takes
## microseconds. Who comes meanwhile takes the place of one that has not left. For the main thread.

# Parts of a node that are freed at once; more are freed a few at a time before it.
const _FEW_PARTS := 8
const _PARTS_A_STEP := 4

# Still in the tree, as they were given: dictionaries typed by their keys. The game may have freed any node.
var _leaving: Array[Dictionary] = []
# Their ids or keys by the ids of the nodes, once that is asked for.
var _keys: Dictionary[int, Variant] = {}
# Out of the tree, to be freed.
var _gone := []


## Those in [param them] are to leave: nodes by their ids, or chunks, which have a [code]node[/code] and [code]free_some()[/code], by their keys. Nothing happens to them
## before [method go_on], and the dictionary is not to be used any more. Whoever takes an id or key that is leaving makes room first.
func add(them: Dictionary) -> void:
	if not them.is_empty():
		_leaving.append(them)
		_keys.clear()


func is_empty() -> bool:
	return _leaving.is_empty()


## Takes nodes out of the tree until [param until], in microseconds of the engine's clock: one at least, if there is one.
func go_on(until: int) -> void:
	while not _leaving.is_empty():
		var them := _leaving[-1]
		var left := []
		for key: Variant in them:
			left.append(key)
			_put_out(them[key])
			if Time.get_ticks_usec() >= until:
				break
		for key: Variant in left:
			them.erase(key)
		if not them.is_empty():
			return
		_leaving.pop_back()
	_keys.clear()


## Frees what has left until [param until], in microseconds of the engine's clock: a part at least, if there is one. Returns whether nothing is left, in the tree or
## out of it.
func free_some(until: int) -> bool:
	while not _gone.is_empty():
		var one: Variant = _gone[-1]
		if not is_instance_valid(one) or (one.call(&"free_some") if one is RefCounted else free_part(one as Node3D)):
			_gone.pop_back()
		if Time.get_ticks_usec() >= until:
			break
	return _gone.is_empty() and _leaving.is_empty()


## What stands for [param key], or is called [param called] below [param world], leaves now: another takes its place and its name.
func make_room(key: Variant, called: String, world: Node3D) -> void:
	if _leaving.is_empty():
		return
	_leave(key)
	var standing := world.get_node_or_null(NodePath(called))
	if standing == null:
		return
	if _keys.is_empty():
		for them: Dictionary in _leaving:
			for leaving: Variant in them:
				var node: Variant = _node_of(them[leaving])
				if is_instance_valid(node):
					_keys[(node as Node3D).get_instance_id()] = leaving
	if _keys.has(standing.get_instance_id()):
		_leave(_keys[standing.get_instance_id()])


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
	for them: Dictionary in _leaving:
		if them.get_typed_key_builtin() == typeof(key) and them.has(key):
			_put_out(them[key])
			them.erase(key)


func _put_out(one: Variant) -> void:
	var node: Variant = _node_of(one)
	if is_instance_valid(node):
		if (node as Node3D).get_parent() != null:
			(node as Node3D).get_parent().remove_child(node as Node3D)
		_gone.append(one)


static func _node_of(one: Variant) -> Variant:
	return one.get(&"node") if is_instance_valid(one) and one is RefCounted else one


func _notification(what: int) -> void:
	# An object that is about to go can call no methods of its own. A chunk frees itself.
	if what == NOTIFICATION_PREDELETE:
		for one: Variant in _gone:
			if is_instance_valid(one) and one is Node3D:
				(one as Node3D).free()
