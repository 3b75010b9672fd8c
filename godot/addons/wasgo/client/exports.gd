@tool
extends RefCounted
## Nodes of this engine as glTF files, by the engine's own exporter. It looks at nodes until the last byte is written (at animation players even when
## the scene seems to be in its state), so that it works on a worker thread and on a copy that is in no tree and that lives until then.

## The most exports that may be under way at once.
const MAX_EXPORTS := 4

const _Allowed := preload("allowed.gd")
const _Check := preload("../check.gd")
const _Leftovers := preload("../leftovers.gd")
# A file has to fit into a frame.
const _MAX_BYTES := 16 * 1024 * 1024 - 4096

## One of them.
class Export:
	extends RefCounted
	var id := 0
	var name := ""
	var bytes := PackedByteArray()
	var copy: Node
	var task := -1

	func write() -> void:
		var document := GLTFDocument.new()
		var state := GLTFState.new()
		if document.append_from_scene(copy, state) == OK:
			bytes = document.generate_buffer(state)

	func is_done() -> bool:
		return WorkerThreadPool.is_task_completed(task)

	## To be called once, when it is done.
	func drop() -> void:
		WorkerThreadPool.wait_for_task_completion(task)
		copy.free()

var _under_way: Array[Export] = []


## Begins the export that [param frame] asks for, of a node below [param root] that [param entries] allow. Returns what is wrong with that, else an
## empty text; what has no number to answer to is passed over.
func take(frame: Dictionary, root: Node, entries: PackedStringArray) -> String:
	if typeof(frame.get("id")) != TYPE_INT:
		return ""
	var wrong := _Check.text(frame, "path")
	if wrong != "":
		return wrong
	var path: String = frame["path"]
	if not _Allowed.node(entries, path):
		return "%s may not be exported" % path.left(200)
	var node := root.get_node_or_null(path) if root != null else null
	if node == null:
		return "there is no node %s" % path.left(200)
	return begin(node, str(node.name), frame["id"] as int)


## Begins to export [param node]; [method ended] gives the frame with what became of it. Returns why it cannot be, in words, else an empty
## text.
func begin(node: Node, name: String, id: int) -> String:
	if _under_way.size() >= MAX_EXPORTS:
		return "%d exports are under way already" % MAX_EXPORTS
	# Without scripts, signals and groups: the copy is to be looked at, and to do nothing.
	var copy := node.duplicate(0)
	if copy == null:
		return "the engine cannot copy %s" % str(node.name).left(200)
	var made := Export.new()
	made.id = id
	made.name = name
	made.copy = copy
	made.task = WorkerThreadPool.add_task(made.write, false, "Wasgo export")
	_under_way.append(made)
	return ""


## The frames of the exports that have come to their end since the last time.
func ended() -> Array[Dictionary]:
	var frames: Array[Dictionary] = []
	while not _under_way.is_empty() and _under_way[0].is_done():
		var made: Export = _under_way.pop_front()
		made.drop()
		if made.bytes.is_empty():
			frames.append({"t": "answer", "id": made.id, "error": "the engine made no file"})
		elif made.bytes.size() > _MAX_BYTES:
			frames.append({"t": "answer", "id": made.id,
					"error": "a file of %d bytes, more than the limit of %d" % [made.bytes.size(), _MAX_BYTES]})
		else:
			frames.append({"t": "scene", "id": made.id, "name": made.name, "glb": made.bytes})
	return frames


## How many are under way.
func size() -> int:
	return _under_way.size()


## Forgets what is under way; it ends by itself.
func abandon() -> void:
	for made: Export in _under_way:
		_Leftovers.add(made)
	_under_way.clear()
