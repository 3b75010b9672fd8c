extends "job.gd"
## A glTF file that nodes show: loaded by the worker, and given to those that wait for it.

const _Cache := preload("../cache.gd")
const _Check := preload("../check.gd")
const _Glb := preload("../glb.gd")
const _Nodes := preload("../nodes.gd")
const _Surfaces := preload("../surfaces.gd")

const _NODES_A_STEP := 4

## Where the file is kept, or null.
var cache: _Cache

var _nodes: _Nodes
var _frame: Dictionary = {}
var _hash := ""
var _scene: PackedScene
var _waiting: Array[int] = []


## Loads the file in [param frame], which is then one of the assets of [param nodes].
func prepare(frame: Dictionary, nodes: _Nodes, surfaces: _Surfaces) -> void:
	_nodes = nodes
	part = &"asset"
	error = _Check.content_hash(frame, "hash")
	if error == "":
		error = _Check.field(frame, "glb", TYPE_PACKED_BYTE_ARRAY)
	if error != "":
		return
	_frame = frame
	_hash = (frame["hash"] as PackedByteArray).hex_encode()
	var loaded := _Glb.load_scene(frame["glb"] as PackedByteArray, surfaces)
	error = loaded.error
	if error != "":
		return
	loaded.root.name = "Scene"
	_scene = PackedScene.new()
	if _scene.pack(loaded.root) != OK:
		error = "glb: the engine cannot keep its scene"


func step() -> bool:
	if _scene != null:
		error = _nodes.refuse_asset(_hash)
		if error == "":
			_waiting = _nodes.put_asset(_hash, _scene)
			if cache != null:
				cache.put(_frame["hash"] as PackedByteArray, {"t": "asset", "glb": _frame["glb"]})
		_scene = null
		_frame = {}
	for i: int in mini(_NODES_A_STEP, _waiting.size()):
		_nodes.show_asset(_waiting.pop_back() as int, _hash)
	return _waiting.is_empty()


func cancel() -> void:
	_scene = null
	_frame = {}
	_waiting.clear()
