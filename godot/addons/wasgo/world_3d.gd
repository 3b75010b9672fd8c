@icon("icons/wasgo_world_3d.svg")
class_name WasgoWorld3D
extends Node3D
## Builds what a Wasgo sidecar sends: chunks with meshes, colliders and instances, nodes and their
## property changes.
##
## Put a [WasgoClient] below it, or name one in [member client_path]. Everything that comes from the
## wire becomes children of this node, so that moving it moves the world. A frame is checked as a
## whole before anything of it is applied: what is wrong with it is told to the sidecar, and the
## world stays as it was. When a connection opens the world is emptied.
## [br][br]
## Other sources of frames may call [method apply] themselves.

## A chunk has been built, in place of the one that had its [param key] before.
signal chunk_built(key: String, chunk: Node3D)

const _Check := preload("check.gd")
const _Client := preload("client.gd")
const _Collider := preload("collider.gd")
const _Instances := preload("instances.gd")
const _Picture := preload("picture.gd")
const _Rows := preload("rows.gd")
const _Surfaces := preload("surfaces.gd")
const _MAX_PICTURES := 4

## The client to listen to. When empty, the first [WasgoClient] among the children is taken.
@export var client_path: NodePath

@export_group("Limits")
## The most chunks that are held at once.
@export_range(1, 1048576) var max_chunks := 16_384
## The most named meshes that are held at once.
@export_range(1, 1048576) var max_meshes := 4096
## The most spawned nodes that are held at once.
@export_range(1, 1048576) var max_nodes := 131_072

var _client: _Client
var _meshes: Dictionary[String, ArrayMesh] = {}
var _chunks: Dictionary[String, Node3D] = {}
var _nodes: Dictionary[int, MeshInstance3D] = {}
var _surfaces := _Surfaces.new()
var _rows := _Rows.new()
var _errors := 0
var _pictures: Array[Dictionary] = []
var _is_drawing := false


func _ready() -> void:
	if not client_path.is_empty():
		var named := get_node_or_null(client_path)
		if named is _Client:
			listen_to(named as _Client)
		else:
			push_error("%s: there is no WasgoClient at %s" % [name, client_path])
		return
	for child: Node in get_children():
		if child is _Client:
			listen_to(child as _Client)
			return


## Applies what [param client] receives from now on, in place of what another did.
func listen_to(client: _Client) -> void:
	if is_instance_valid(_client):
		_client.connected.disconnect(_on_connected)
		_client.frame_received.disconnect(_on_frame_received)
	_client = client
	_client.connected.connect(_on_connected)
	_client.frame_received.connect(_on_frame_received)


## Applies [param frame], a frame of the wire protocol of the kind [param kind]. Returns what is
## wrong with it, and then nothing of it was applied; empty when all is well. A kind that changes no
## world is well, and does nothing.
func apply(kind: String, frame: Dictionary) -> String:
	# A mistake in the add-on itself must not pass for success: a function that a run-time error
	# ends returns null.
	var result: Variant = _apply(kind, frame)
	var wrong: String = result if typeof(result) == TYPE_STRING else "the add-on failed on this " + kind.left(32)
	if wrong != "":
		_errors += 1
	return wrong


## The chunk that has [param key], or null. Its parts are children named [code]Mesh[/code],
## [code]Collider[/code], [code]Instances0[/code] and so on; what the sidecar sent as
## [code]extras[/code] is its metadata of that name.
func get_chunk(key: String) -> Node3D:
	return _live(_chunks.get(key)) as Node3D


## The spawned node that has [param id], or null.
func get_spawned(id: int) -> MeshInstance3D:
	return _live(_nodes.get(id)) as MeshInstance3D


## The mesh that the sidecar calls [param mesh_name], or null.
func get_mesh(mesh_name: String) -> ArrayMesh:
	return _meshes.get(mesh_name)


## Removes everything that came from the wire.
func clear() -> void:
	for key: String in _chunks:
		_remove(_chunks[key])
	for id: int in _nodes:
		_remove(_nodes[id])
	_chunks.clear()
	_nodes.clear()
	_meshes.clear()
	_surfaces.clear()


## What is held, read back from the built meshes, and what was done since the connection opened.
func count() -> Dictionary:
	var found := {"chunks": 0, "surfaces": 0, "vertices": 0, "triangles": 0, "colliders": 0,
			"instances": 0, "meshes": _meshes.size(), "nodes": 0}
	for key: String in _chunks:
		var chunk := get_chunk(key)
		if chunk != null:
			found["chunks"] += 1
			_count_chunk(chunk, found)
	for id: int in _nodes:
		if get_spawned(id) != null:
			found["nodes"] += 1
	var has_client := is_instance_valid(_client)
	found["frames"] = _client.numbered_frames if has_client else 0
	found["bytes"] = _client.numbered_bytes if has_client else 0
	found["rows"] = _rows.rows
	found["property_updates"] = _rows.updates
	found["errors"] = _errors
	return found


func _count_chunk(chunk: Node3D, found: Dictionary) -> void:
	for part: Node in chunk.get_children():
		if part is MeshInstance3D and (part as MeshInstance3D).mesh is ArrayMesh:
			var mesh: ArrayMesh = (part as MeshInstance3D).mesh
			found["surfaces"] += mesh.get_surface_count()
			for i: int in mesh.get_surface_count():
				found["vertices"] += mesh.surface_get_array_len(i)
				found["triangles"] += mesh.surface_get_array_index_len(i) / 3
		elif part is StaticBody3D:
			found["colliders"] += 1
		elif part is MultiMeshInstance3D and (part as MultiMeshInstance3D).multimesh != null:
			found["instances"] += (part as MultiMeshInstance3D).multimesh.instance_count


func _on_connected(_server: String) -> void:
	clear()
	_rows.clear()
	_errors = 0
	_pictures.clear()


func _on_frame_received(kind: String, frame: Dictionary) -> void:
	match kind:
		"report":
			if _Check.field(frame, "id", TYPE_INT) == "":
				_client.send_frame({"t": "report", "id": frame["id"], "counts": count()})
		"picture":
			if _Check.field(frame, "id", TYPE_INT) == "":
				_ask_for_picture(frame)
		_:
			if frame.has("seq") or frame.has("bulk"):
				var wrong := apply(kind, frame)
				if wrong != "":
					_client.reject(frame, kind + ": " + wrong)


# The return type is open so that null tells of a run-time error.
func _apply(kind: String, frame: Dictionary) -> Variant:
	match kind:
		"mesh":
			return _apply_mesh(frame)
		"chunk":
			return _apply_chunk(frame)
		"unload":
			return _apply_unload(frame)
		"spawn":
			return _apply_spawn(frame)
		"despawn":
			return _apply_despawn(frame)
		"rows":
			return _rows.apply(frame, _nodes)
		"clear":
			clear()
	return ""


func _apply_mesh(frame: Dictionary) -> Variant:
	var wrong := _Check.text(frame, "name")
	if wrong == "":
		wrong = _surfaces.check(frame.get("surfaces"))
	if wrong != "":
		return wrong
	var mesh_name: String = frame["name"]
	if mesh_name == "":
		return "name is empty"
	if not _meshes.has(mesh_name) and _meshes.size() >= max_meshes:
		return "more than %d meshes" % max_meshes
	# The mesh stays the same object, so that all who use it show the new surfaces.
	var mesh: ArrayMesh = _meshes.get(mesh_name, ArrayMesh.new())
	_meshes[mesh_name] = mesh
	return _surfaces.build(frame["surfaces"] as Array, mesh)


func _apply_chunk(frame: Dictionary) -> Variant:
	var wrong := _check_chunk(frame)
	if wrong != "":
		return wrong
	var key: String = frame["key"]
	var chunk := Node3D.new()
	var surfaces: Array = frame["surfaces"]
	if not surfaces.is_empty():
		var mesh := ArrayMesh.new()
		wrong = _surfaces.build(surfaces, mesh)
		if wrong != "":
			chunk.free()
			return wrong
		var shown := MeshInstance3D.new()
		shown.name = "Mesh"
		shown.mesh = mesh
		chunk.add_child(shown)
	if frame.get("collider") != null:
		chunk.add_child(_Collider.build(frame["collider"] as Dictionary))
	for node: MultiMeshInstance3D in _Instances.build(frame.get("instances", []) as Array, _meshes):
		chunk.add_child(node)
	chunk.set_meta(&"extras", frame.get("extras", {}))
	chunk.position = frame["origin"]
	_remove(_chunks.get(key))
	_chunks[key] = chunk
	_add(chunk, frame.get("name", "") as String, "Chunk")
	chunk_built.emit(key, chunk)
	return ""


func _check_chunk(frame: Dictionary) -> String:
	var wrong := _Check.text(frame, "key")
	if wrong == "":
		wrong = _Check.field(frame, "origin", TYPE_VECTOR3)
	if wrong == "" and frame.has("name"):
		wrong = _Check.text(frame, "name")
	if wrong == "" and frame.has("extras"):
		wrong = _Check.field(frame, "extras", TYPE_DICTIONARY)
	if wrong == "" and not (frame["origin"] as Vector3).is_finite():
		wrong = "origin is not finite"
	if wrong == "" and not _chunks.has(frame["key"]) and _chunks.size() >= max_chunks:
		wrong = "more than %d chunks" % max_chunks
	if wrong == "":
		wrong = _surfaces.check(frame.get("surfaces"))
	if wrong == "":
		wrong = _Collider.check(frame.get("collider"))
	if wrong == "":
		wrong = _Instances.check(frame.get("instances", []), _meshes)
	return wrong


func _apply_unload(frame: Dictionary) -> Variant:
	var wrong := _Check.field(frame, "keys", TYPE_PACKED_STRING_ARRAY)
	if wrong != "":
		return wrong
	for key: String in (frame["keys"] as PackedStringArray):
		_remove(_chunks.get(key))
		_chunks.erase(key)
	return ""


func _apply_spawn(frame: Dictionary) -> Variant:
	var wrong := _Check.field(frame, "nodes", TYPE_ARRAY)
	if wrong != "":
		return wrong
	var nodes: Array = frame["nodes"]
	var more := 0
	for i: int in nodes.size():
		wrong = _check_spawned(nodes[i])
		if wrong != "":
			return "node %d: %s" % [i, wrong]
		if not _nodes.has(nodes[i]["id"]):
			more += 1
	if _nodes.size() + more > max_nodes:
		return "more than %d nodes" % max_nodes
	for entry: Dictionary in nodes:
		var id: int = entry["id"]
		var node := MeshInstance3D.new()
		node.mesh = _meshes.get(entry["mesh"])
		node.transform = entry["transform"]
		_remove(_nodes.get(id))
		_nodes[id] = node
		_add(node, entry["name"] as String, "Node")
	return ""


func _check_spawned(value: Variant) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "it must be a Dictionary, not a %s" % type_string(typeof(value))
	var entry: Dictionary = value
	var wrong := _Check.field(entry, "id", TYPE_INT)
	if wrong == "":
		wrong = _Check.text(entry, "name")
	if wrong == "":
		wrong = _Check.text(entry, "mesh")
	if wrong == "":
		wrong = _Check.field(entry, "transform", TYPE_TRANSFORM3D)
	if wrong != "":
		return wrong
	if not (entry["transform"] as Transform3D).is_finite():
		return "transform is not finite"
	var mesh: String = entry["mesh"]
	if mesh != "" and not _meshes.has(mesh):
		return "there is no mesh \"%s\"" % mesh.left(64)
	return ""


func _apply_despawn(frame: Dictionary) -> Variant:
	var wrong := _Check.field(frame, "ids", TYPE_PACKED_INT64_ARRAY)
	if wrong != "":
		return wrong
	for id: int in (frame["ids"] as PackedInt64Array):
		_remove(_nodes.get(id))
		_nodes.erase(id)
	return ""


# The engine replaces what a node's name may not hold, and makes names differ between siblings.
func _add(node: Node3D, wanted: String, otherwise: String) -> void:
	var fit := wanted.left(128).validate_node_name()
	node.name = fit if fit != "" else otherwise
	add_child(node)


# Out of the tree, and of physics, now; the memory goes at the end of the tick. The game may have
# freed the node itself.
func _remove(value: Variant) -> void:
	if not is_instance_valid(value):
		return
	var node: Node = value
	if node.get_parent() != null:
		node.get_parent().remove_child(node)
	node.queue_free()


func _live(value: Variant) -> Node:
	return value as Node if is_instance_valid(value) else null


# Pictures are taken one after the other, each over some ticks.
func _ask_for_picture(frame: Dictionary) -> void:
	var wrong := _Picture.check(frame)
	if wrong == "" and _pictures.size() >= _MAX_PICTURES:
		wrong = "%d pictures are waited for already" % _MAX_PICTURES
	if wrong != "":
		_client.send_frame({"t": "picture", "id": frame["id"], "error": wrong})
		return
	_pictures.append(frame)
	if not _is_drawing:
		_take_next_picture()


func _take_next_picture() -> void:
	if _pictures.is_empty():
		return
	var frame: Dictionary = _pictures.pop_front()
	var asked_in := _client.connection
	_is_drawing = true
	_Picture.take(self, frame, func(png: PackedByteArray, wrong: String) -> void:
		_is_drawing = false
		if not is_instance_valid(_client):
			return
		if _client.connection == asked_in:
			var answer := {"t": "picture", "id": frame["id"]}
			if wrong == "":
				answer["png"] = png
			else:
				answer["error"] = wrong
			_client.send_frame(answer)
		_take_next_picture())
