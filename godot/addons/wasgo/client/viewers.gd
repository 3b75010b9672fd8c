@tool
extends RefCounted
## Who looks at the world, from where and how far, and whether the sidecar has to be told.

## The most viewers that are told of.
const MAX_VIEWERS := 1024
## How far a viewer may move, in metres, before it is told.
const MOVED := 0.5

## Viewers that were set by hand: position and radius by id.
var _set: Dictionary[int, Vector4] = {}
var _told: Dictionary[int, Vector4] = {}
var _is_told := false
var _next_at := 0
# When something was told last, and whether one was set since then.
var _told_at := 0
var _is_pressing := false


## Sets the viewer [param id]. Returns [constant ERR_INVALID_PARAMETER] where a number is not finite or the radius is not
## positive, [constant ERR_OUT_OF_MEMORY] where there are too many.
func set_viewer(id: int, position: Vector3, radius: float) -> Error:
	if not position.is_finite() or not is_finite(radius) or radius <= 0.0:
		return ERR_INVALID_PARAMETER
	if not _set.has(id) and _set.size() >= MAX_VIEWERS:
		return ERR_OUT_OF_MEMORY
	_set[id] = Vector4(position.x, position.y, position.z, radius)
	_is_pressing = true
	return OK


## Removes the viewer [param id], if there is one.
func remove_viewer(id: int) -> void:
	_is_pressing = _set.erase(id) or _is_pressing


## Has all of them told anew, to another sidecar.
func forget() -> void:
	_is_told = false
	_told = {}
	_next_at = 0
	_told_at = 0


## Whether it is time to look at viewers again, at [param now] by the engine's own clock in milliseconds: [param hz] times a second, and at once
## when one was set after a while in which there was nothing to tell.
func is_due(now: int, hz: float) -> bool:
	return now >= _next_at or _is_pressing and now >= _told_at + _period(hz)


## The frame that tells of all viewers, those of [param nodes] too, in the space of [param world] where there is one; empty when there is nothing
## to tell. The next time is due [param hz] times a second.
func news(now: int, hz: float, nodes: Array[Node3D], radius: float, world: Node3D) -> Dictionary:
	_next_at = now + _period(hz)
	_is_pressing = false
	var all := _gather(nodes, radius, world)
	if _is_told and not _has_changed(all) or not _is_told and all.is_empty():
		return {}
	_is_told = true
	_told = all
	_told_at = now
	var positions := PackedVector3Array()
	var radii := PackedFloat32Array()
	for id: int in all:
		var viewer := all[id]
		positions.append(Vector3(viewer.x, viewer.y, viewer.z))
		radii.append(viewer.w)
	return {"t": "viewers", "ids": PackedInt64Array(all.keys()), "positions": positions, "radii": radii}


static func _period(hz: float) -> int:
	return int(1000.0 / maxf(hz, 0.1))


## The nodes that are viewers to [param client]: those at [param paths], and those in [param group].
static func nodes_of(client: Node, paths: Array[NodePath], group: StringName) -> Array[Node3D]:
	var nodes: Array[Node3D] = []
	for path: NodePath in paths:
		var named := client.get_node_or_null(path) as Node3D
		if named != null and named.is_inside_tree():
			nodes.append(named)
	for member: Node in client.get_tree().get_nodes_in_group(group):
		if member is Node3D and not nodes.has(member):
			nodes.append(member as Node3D)
	return nodes


func _gather(nodes: Array[Node3D], radius: float, world: Node3D) -> Dictionary[int, Vector4]:
	var all: Dictionary[int, Vector4] = {}
	var into := Transform3D.IDENTITY
	if world != null and world.is_inside_tree():
		into = world.global_transform.affine_inverse()
	for node: Node3D in nodes:
		var own: Variant = node.get_meta(&"wasgo_radius", radius)
		var at := into * node.global_position
		var far: float = own if typeof(own) == TYPE_FLOAT or typeof(own) == TYPE_INT else radius
		if at.is_finite() and is_finite(far) and far > 0.0 and all.size() < MAX_VIEWERS:
			all[node.get_instance_id()] = Vector4(at.x, at.y, at.z, far)
	for id: int in _set:
		if all.size() >= MAX_VIEWERS and not all.has(id):
			break
		var viewer := _set[id]
		var at := into * Vector3(viewer.x, viewer.y, viewer.z)
		all[id] = Vector4(at.x, at.y, at.z, viewer.w)
	return all


func _has_changed(all: Dictionary[int, Vector4]) -> bool:
	if all.size() != _told.size():
		return true
	for id: int in all:
		if not _told.has(id):
			return true
		var now := all[id]
		var before := _told[id]
		if now.w != before.w or Vector3(now.x - before.x, now.y - before.y, now.z - before.z).length() > MOVED:
			return true
	return false
