extends RefCounted
## The nodes that a sidecar spawned, and the glTF scenes that they show. For the main thread.

const _Check := preload("check.gd")
const _Chunks := preload("chunks.gd")
const _Colliders := preload("colliders.gd")
const _Columns := preload("columns.gd")
const _Leaving := preload("leaving.gd")

const _MAX_BLENDS := 4096
# Those of a node that are not optional.
const _FIELDS := 4
# How many of a frame's nodes that are wrong are named.
const _MAX_NAMED := 4

## A blend shape of a mesh of a node.
class Blend:
	extends RefCounted
	var mesh: MeshInstance3D
	var index := 0

var max_nodes := 131_072
var max_assets := 4096
## The scenes that the project set aside, by name.
var scenes: Dictionary[String, PackedScene] = {}
## Meshes by name, which the chunks use too.
var meshes: Dictionary[String, ArrayMesh] = {}
## By id.
var all: Dictionary[int, Node3D] = {}
## The scene's name of those that were made of one.
var kinds: Dictionary[int, String] = {}
## Goes up when nodes come or go.
var changes := 0
var columns := _Columns.new()
## Whether [method spawn] has left some of the last frame's nodes out, and made others.
var is_partial := false
## Called with the id and the node that came.
var on_put: Callable
## Where those go that are cleared.
var leaving: _Leaving

var _assets: Dictionary[String, PackedScene] = {}
var _asset_of: Dictionary[int, String] = {}
var _waiting: Dictionary[String, Dictionary] = {}
# Those of them that nobody has been asked for.
var _unasked: Dictionary[String, bool] = {}
var _samples: Dictionary[String, Node] = {}
# By id, and by the blend shape's name.
var _blends: Dictionary[int, Dictionary] = {}


## Lets the sidecar spawn [param named] from now on.
func set_scenes(named: Dictionary[String, PackedScene]) -> void:
	scenes = named
	_forget_samples()
	columns = _Columns.new()


## A node of the class that those of [param kind] have, which is in no tree.
func sample(kind: String) -> Node:
	var found: Node = _samples.get(kind)
	if found == null:
		found = MeshInstance3D.new() if kind == "" else scenes[kind].instantiate()
		_samples[kind] = found
	return found


## Makes the nodes that [param frame] names, below [param world]. Those that are wrong are left out, the others are made. Returns
## what is wrong, with the ids; empty when all is well.
func spawn(frame: Dictionary, world: Node3D) -> String:
	is_partial = false
	var wrong := _Check.list(frame, "nodes", max_nodes)
	if wrong != "":
		return wrong
	var told := PackedStringArray()
	var left_out := 0
	var entries: Array = frame["nodes"]
	for i: int in entries.size():
		wrong = _check_entry(entries[i])
		if wrong == "" and all.size() >= max_nodes and not all.has(entries[i]["id"]):
			wrong = "more than %d nodes" % max_nodes
		if wrong == "":
			_spawn_one(entries[i] as Dictionary, world)
			continue
		left_out += 1
		if left_out <= _MAX_NAMED:
			told.append(_name_of(i, entries[i]) + ": " + wrong)
	changes += 1
	is_partial = left_out > 0 and left_out < entries.size()
	if left_out > _MAX_NAMED:
		told.append("and %d more" % (left_out - _MAX_NAMED))
	return "; ".join(told)


## Removes the nodes that [param frame] names. Returns what is wrong.
func despawn(frame: Dictionary) -> String:
	var wrong := _Check.field(frame, "ids", TYPE_PACKED_INT64_ARRAY)
	if wrong != "":
		return wrong
	for id: int in (frame["ids"] as PackedInt64Array):
		_take_out(id)
	changes += 1
	return ""


## Sets the blend shapes that [param frame] names. Returns what is wrong, and then set none.
func blend(frame: Dictionary) -> String:
	var wrong := _Check.field(frame, "ids", TYPE_PACKED_INT64_ARRAY)
	if wrong == "":
		wrong = _Check.field(frame, "names", TYPE_PACKED_STRING_ARRAY)
	if wrong == "":
		wrong = _Check.field(frame, "weights", TYPE_PACKED_FLOAT32_ARRAY)
	if wrong != "":
		return wrong
	var ids: PackedInt64Array = frame["ids"]
	var names: PackedStringArray = frame["names"]
	var weights: PackedFloat32Array = frame["weights"]
	if names.size() > _MAX_BLENDS:
		return "%d names, more than the limit of %d" % [names.size(), _MAX_BLENDS]
	if weights.size() != ids.size() * names.size():
		return "%d weights for %d ids and %d names" % [weights.size(), ids.size(), names.size()]
	wrong = _Check.finite_floats(weights, "weights")
	if wrong != "":
		return wrong
	for i: int in ids.size():
		var shapes := _blends_of(ids[i])
		if shapes.is_empty():
			continue
		for n: int in names.size():
			for shape: Blend in shapes.get(names[n], []):
				if is_instance_valid(shape.mesh) and shape.index < shape.mesh.get_blend_shape_count():
					shape.mesh.set_blend_shape_value(shape.index, weights[i * names.size() + n])
	return ""


## Says why an asset of the hash [param content] cannot be taken; empty when it can. Where there are too many, those that no
## node shows are forgotten first.
func refuse_asset(content: String) -> String:
	if _assets.has(content) or _assets.size() < max_assets:
		return ""
	var used: Dictionary[String, bool] = {}
	for id: int in _asset_of:
		used[_asset_of[id]] = true
	for known: String in _assets.keys():
		if not used.has(known):
			_assets.erase(known)
	return "" if _assets.size() < max_assets else "more than %d assets" % max_assets


## Keeps [param scene], and returns the ids of the nodes that wait for it.
func put_asset(content: String, scene: PackedScene) -> Array[int]:
	_assets[content] = scene
	var ids: Array[int] = []
	ids.assign((_waiting.get(content, {}) as Dictionary).keys())
	_waiting.erase(content)
	return ids


## The hashes of the assets that nodes wait for, of [param all_of_them] or only those that are new since the last time. They are then asked for.
func take_wanted(all_of_them := false) -> Array[String]:
	var wanted: Array[String] = []
	wanted.assign((_waiting if all_of_them else _unasked).keys())
	_unasked.clear()
	return wanted


## Lets the node [param id] show the asset of the hash [param content], if it still wants to.
func show_asset(id: int, content: String) -> void:
	var node: Variant = all.get(id)
	if is_instance_valid(node) and _asset_of.get(id) == content and _assets.has(content):
		(node as Node3D).add_child(_assets[content].instantiate())
		_blends.erase(id)


func asset_count() -> int:
	return _assets.size()


func count() -> int:
	var found := 0
	for id: int in all:
		if is_instance_valid(all[id]):
			found += 1
	return found


## Forgets all nodes; they are [member leaving] then.
func clear() -> void:
	leaving.add(all)
	all = {}
	kinds.clear()
	_asset_of.clear()
	_waiting.clear()
	_unasked.clear()
	_blends.clear()
	changes += 1


## Forgets the assets too.
func clear_assets() -> void:
	_assets.clear()


func _notification(what: int) -> void:
	# An object that is about to go can call no methods of its own.
	if what == NOTIFICATION_PREDELETE:
		for kind: String in _samples:
			if is_instance_valid(_samples[kind]):
				_samples[kind].free()


func _forget_samples() -> void:
	for kind: String in _samples:
		if is_instance_valid(_samples[kind]):
			_samples[kind].free()
	_samples.clear()


func _spawn_one(entry: Dictionary, world: Node3D) -> void:
	var id: int = entry["id"]
	var mesh: ArrayMesh = meshes.get(entry["mesh"])
	var node: Node3D
	if entry.size() == _FIELDS:
		node = _shown(mesh)
		node.transform = entry["transform"]
		_take_out(id)
	else:
		node = _with_options(id, entry, mesh)
	all[id] = node
	if not leaving.is_empty():
		leaving.make_room(id, _Chunks.fit_name(entry["name"] as String, "Node"), world)
	_Chunks.place(node, entry["name"] as String, "Node", world)
	if entry.has("glb"):
		_want_asset(id, (entry["glb"] as PackedByteArray).hex_encode())
	if on_put.is_valid():
		on_put.call(id, node)


func _with_options(id: int, entry: Dictionary, mesh: ArrayMesh) -> Node3D:
	var scene: String = entry.get("scene", "")
	var node: Node3D
	if scene == "":
		node = _shown(mesh)
	else:
		node = scenes[scene].instantiate() as Node3D
		if mesh != null:
			var part := _shown(mesh)
			part.name = "Mesh"
			node.add_child(part)
	node.transform = entry["transform"]
	if entry.has("colliders"):
		_add_bodies(node, entry["colliders"] as Array)
	var properties: Dictionary = entry.get("properties", {})
	for path: String in properties:
		if properties[path] != null:
			node.set_indexed(columns.plan(path, scene, sample(scene)).path, properties[path])
	_take_out(id)
	if scene != "":
		kinds[id] = scene
	return node


func _shown(mesh: ArrayMesh) -> MeshInstance3D:
	var shown := MeshInstance3D.new()
	shown.mesh = mesh
	return shown


func _want_asset(id: int, content: String) -> void:
	_asset_of[id] = content
	if _assets.has(content):
		show_asset(id, content)
	else:
		if not _waiting.has(content):
			_unasked[content] = true
		(_waiting.get_or_add(content, {}) as Dictionary)[id] = true


func _add_bodies(node: Node3D, colliders: Array) -> void:
	var bodies: Array[StaticBody3D] = []
	var boxes: Dictionary[Vector3, BoxShape3D] = {}
	for piece: _Colliders.Piece in _Colliders.cut(colliders):
		_Colliders.add(piece, bodies, boxes)
	for body: StaticBody3D in bodies:
		node.add_child(body)


# Out of the tree, and of physics, now; the memory goes at the end of the tick. The game may have
# freed the node itself.
func _take_out(id: int) -> void:
	var node: Variant = all.get(id)
	if not all.erase(id):
		return
	kinds.erase(id)
	_blends.erase(id)
	if _asset_of.has(id):
		var waiting: Dictionary = _waiting.get(_asset_of[id], {})
		waiting.erase(id)
		if waiting.is_empty():
			_waiting.erase(_asset_of[id])
		_asset_of.erase(id)
	if is_instance_valid(node):
		if (node as Node3D).get_parent() != null:
			(node as Node3D).get_parent().remove_child(node as Node3D)
		(node as Node3D).queue_free()


func _name_of(place: int, entry: Variant) -> String:
	if typeof(entry) == TYPE_DICTIONARY and typeof((entry as Dictionary).get("id")) == TYPE_INT:
		return "node %d (id %d)" % [place, (entry as Dictionary)["id"]]
	return "node %d" % place


func _check_entry(value: Variant) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "it must be a Dictionary, not a %s" % type_string(typeof(value))
	var entry: Dictionary = value
	# Thousands may come at once, and of most there is nothing to be said.
	if typeof(entry.get("id")) != TYPE_INT:
		return _Check.field(entry, "id", TYPE_INT)
	if typeof(entry.get("name")) != TYPE_STRING or (entry["name"] as String).length() > _Check.MAX_TEXT:
		return _Check.text(entry, "name")
	if typeof(entry.get("mesh")) != TYPE_STRING or (entry["mesh"] as String).length() > _Check.MAX_TEXT:
		return _Check.text(entry, "mesh")
	if typeof(entry.get("transform")) != TYPE_TRANSFORM3D:
		return _Check.field(entry, "transform", TYPE_TRANSFORM3D)
	if not (entry["transform"] as Transform3D).is_finite():
		return "transform is not finite"
	var mesh: String = entry["mesh"]
	if mesh != "" and not meshes.has(mesh):
		return "there is no mesh \"%s\"" % mesh.left(64)
	return "" if entry.size() == _FIELDS else _check_options(entry)


func _check_options(entry: Dictionary) -> String:
	var wrong := ""
	if entry.has("glb"):
		wrong = _Check.content_hash(entry, "glb")
	if wrong == "" and entry.has("scene"):
		wrong = _Check.text(entry, "scene")
	if wrong == "":
		wrong = _Colliders.check(entry)
	if wrong != "":
		return wrong
	var scene: String = entry.get("scene", "")
	if scene != "" and not scenes.get(scene) is PackedScene:
		return "there is no scene \"%s\"" % scene.left(64)
	if scene != "" and not sample(scene) is Node3D:
		return "the root of the scene \"%s\" is no Node3D" % scene.left(64)
	return _check_properties(entry, scene)


func _check_properties(entry: Dictionary, scene: String) -> String:
	if not entry.has("properties"):
		return ""
	var wrong := _Check.field(entry, "properties", TYPE_DICTIONARY)
	if wrong != "":
		return wrong
	var properties: Dictionary = entry["properties"]
	if properties.size() > _Columns.MAX_COLUMNS:
		return "%d properties, more than the limit of %d" % [properties.size(), _Columns.MAX_COLUMNS]
	for path: Variant in properties:
		if typeof(path) != TYPE_STRING or (path as String).length() > _Check.MAX_TEXT:
			return "properties has a key that is no String, or too long"
		var plan := columns.plan(path as String, scene, sample(scene))
		if plan == null:
			return "\"%s\" is no property that can be set" % (path as String).left(64)
		if properties[path] != null and not _Columns.fits(plan.type, properties[path]):
			return "\"%s\" takes a finite %s, not %s" % [(path as String).left(64), type_string(plan.type), str(properties[path]).left(32)]
	return ""


# The blend shapes of all meshes of a node, by name.
func _blends_of(id: int) -> Dictionary:
	if _blends.has(id):
		return _blends[id]
	var node: Variant = all.get(id)
	if not is_instance_valid(node):
		return {}
	var found: Dictionary = {}
	var parts: Array[Node] = (node as Node3D).find_children("*", "MeshInstance3D", true, false)
	if node is MeshInstance3D:
		parts.append(node)
	for part: MeshInstance3D in parts:
		var mesh := part.mesh as ArrayMesh
		if mesh == null:
			continue
		for i: int in mesh.get_blend_shape_count():
			var shape := Blend.new()
			shape.mesh = part
			shape.index = i
			(found.get_or_add(String(mesh.get_blend_shape_name(i)), []) as Array).append(shape)
	_blends[id] = found
	return found
