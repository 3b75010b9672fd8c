extends "job.gd"
## A chunk on its way: its meshes and instances are built by the worker, its bodies in steps, and at last
## it takes the place of the one before.

const _Check := preload("../check.gd")
const _Chunks := preload("../chunks.gd")
const _Colliders := preload("../colliders.gd")
const _Glb := preload("../glb.gd")
const _Instances := preload("../instances.gd")
const _Surfaces := preload("../surfaces.gd")

# Bodies that enter the tree together with the chunk; where there are more they enter before it is seen.
const _BODIES_AT_ONCE := 1
const _MESHES_A_STEP := 128

enum _Stage { MESHES, BODIES, ENTER_BODIES, ENTER, FREE, DONE }

const _PARTS: Array[StringName] = [&"meshes", &"bodies", &"bodies enter", &"enter", &"free", &"free"]

var key := ""

var _chunks: _Chunks
var _frame: Dictionary
var _chunk: _Chunks.Chunk
var _stage := _Stage.MESHES
var _at := 0
var _shown: Array[MultiMeshInstance3D] = []
var _pieces: Array[_Colliders.Piece] = []
var _bodies: Array[StaticBody3D] = []
var _boxes: Dictionary[Vector3, BoxShape3D] = {}
var _replaced: _Chunks.Chunk


## Checks [param frame] and builds what a worker thread may. It is then one of [param chunks].
func prepare(frame: Dictionary, chunks: _Chunks, surfaces: _Surfaces) -> void:
	_chunks = chunks
	part = _PARTS[_stage]
	error = check(frame, surfaces)
	if error != "":
		return
	key = frame["key"]
	_frame = frame
	_chunk = _Chunks.Chunk.new()
	_chunk.hash = frame.get("hash", PackedByteArray())
	_chunk.colliders = (frame.get("colliders", []) as Array).size()
	var node := Node3D.new()
	_chunk.node = node
	if frame.has("glb"):
		var loaded := _Glb.load_scene(frame["glb"] as PackedByteArray, surfaces)
		if loaded.error != "":
			error = loaded.error
			return
		loaded.root.name = "Scene"
		node.add_child(loaded.root)
	elif not (frame["surfaces"] as Array).is_empty():
		var shown := MeshInstance3D.new()
		shown.name = "Mesh"
		node.add_child(shown)
		var mesh := ArrayMesh.new()
		shown.mesh = mesh
		error = surfaces.build(frame["surfaces"] as Array, mesh)
		if error != "":
			return
	_chunk.count_meshes()
	_shown = _Instances.build(frame.get("instances", []) as Array, surfaces)
	for instances: MultiMeshInstance3D in _shown:
		node.add_child(instances)
		_chunk.instances += instances.multimesh.instance_count
	_pieces = _Colliders.cut(frame.get("colliders", []) as Array)
	node.set_meta(&"extras", frame.get("extras", {}))
	node.position = frame["origin"]


## Says what is wrong with [param frame]; empty when nothing is.
static func check(frame: Dictionary, surfaces: _Surfaces) -> String:
	var wrong := _Check.text(frame, "key")
	if wrong == "":
		wrong = _Check.field(frame, "origin", TYPE_VECTOR3)
	if wrong == "" and frame.has("name"):
		wrong = _Check.text(frame, "name")
	if wrong == "" and frame.has("extras"):
		wrong = _Check.field(frame, "extras", TYPE_DICTIONARY)
	if wrong == "" and frame.has("hash"):
		wrong = _Check.content_hash(frame, "hash")
	if wrong == "" and not (frame["origin"] as Vector3).is_finite():
		wrong = "origin is not finite"
	if wrong == "" and frame.has("glb"):
		wrong = _Check.field(frame, "glb", TYPE_PACKED_BYTE_ARRAY)
	elif wrong == "":
		wrong = surfaces.check(frame.get("surfaces"))
	if wrong == "":
		wrong = _Colliders.check(frame)
	if wrong == "":
		wrong = _Instances.check(frame)
	return wrong


func step() -> bool:
	match _stage:
		_Stage.MESHES:
			_give_meshes()
		_Stage.BODIES:
			if _at < _pieces.size():
				_Colliders.add(_pieces[_at], _bodies, _boxes)
				_at += 1
			else:
				_pieces.clear()
				_at = 0
				_stage = _Stage.ENTER if _bodies.size() <= _BODIES_AT_ONCE else _Stage.ENTER_BODIES
		_Stage.ENTER_BODIES:
			_enter_body()
		_Stage.ENTER:
			_enter()
		_Stage.FREE:
			_stage = _Stage.DONE if _replaced == null or _replaced.free_some() else _Stage.FREE
	part = _PARTS[_stage]
	return error != "" or _stage == _Stage.DONE


func cancel() -> void:
	_stage = _Stage.DONE
	_shown.clear()
	_pieces.clear()
	for body: StaticBody3D in _bodies:
		if is_instance_valid(body) and body.get_parent() == null:
			body.free()
	_bodies.clear()
	if _chunk != null:
		_chunk.discard()
		_chunk = null
	if _replaced != null:
		_replaced.discard()
		_replaced = null


func _notification(what: int) -> void:
	# An object that is about to go can call no methods of its own. The chunk frees itself.
	if what == NOTIFICATION_PREDELETE:
		for body: Variant in _bodies:
			if is_instance_valid(body) and (body as Node).get_parent() == null:
				(body as Node).free()


func _give_meshes() -> void:
	var entries: Array = _frame.get("instances", [])
	if _at == 0:
		error = _chunks.refuse_chunk(key)
		if error == "":
			error = _Instances.missing(entries, _chunks.meshes.all)
		if error != "":
			cancel()
			return
	var names := _Instances.mesh_names(entries)
	var until := mini(_at + _MESHES_A_STEP, _shown.size())
	for i: int in range(_at, until):
		_chunks.meshes.wake(names[i])
		# It may have gone since the first of these steps.
		_shown[i].multimesh.mesh = _chunks.meshes.all.get(names[i])
	_at = until
	if _at == _shown.size():
		_at = 0
		_stage = _Stage.BODIES


# The chunk enters unseen, and then its bodies one by one, while those of the one before are still there.
func _enter_body() -> void:
	if _at == 0:
		_chunk.node.visible = false
		_chunks.world.add_child(_chunk.node)
	_chunk.node.add_child(_bodies[_at])
	_at += 1
	if _at == _bodies.size():
		_bodies.clear()
		_stage = _Stage.ENTER


func _enter() -> void:
	for body: StaticBody3D in _bodies:
		_chunk.node.add_child(body)
	_bodies.clear()
	_replaced = _chunks.put(key, _chunk, _frame)
	_chunk = null
	_frame = {}
	_stage = _Stage.FREE
