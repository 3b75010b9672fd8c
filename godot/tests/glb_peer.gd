extends SceneTree
## The engine's half of a test that is driven over a socket: takes GLB files, loads them with the engine's own importer, and
## tells what came of each. Takes --port= after -- on the command line; ends when the other side closes, with status 0.
##
## There: a 32-bit big-endian length and the file. Back: a length and JSON.

const Glb := preload("res://addons/wasgo/glb.gd")
const PATIENCE_MS := 50_000

var _stream := StreamPeerTCP.new()


func _initialize() -> void:
	for argument: String in OS.get_cmdline_user_args():
		if argument.begins_with("--port="):
			_stream.connect_to_host("127.0.0.1", argument.trim_prefix("--port=").to_int())
	_stream.big_endian = true


func _process(_delta: float) -> bool:
	_stream.poll()
	match _stream.get_status():
		StreamPeerTCP.STATUS_CONNECTED:
			while _stream.get_status() == StreamPeerTCP.STATUS_CONNECTED and _stream.get_available_bytes() >= 4:
				_answer()
		StreamPeerTCP.STATUS_CONNECTING:
			pass
		_:
			quit(0)
	if Time.get_ticks_msec() > PATIENCE_MS:
		quit(1)
	return false


func _answer() -> void:
	# Waits for the whole file; a socket that is closed in between ends the wait.
	var read := _stream.get_data(_stream.get_u32())
	if read[0] != OK:
		return
	var text := JSON.stringify(_counts(read[1]))
	_stream.put_u32(text.to_utf8_buffer().size())
	_stream.put_data(text.to_utf8_buffer())


func _counts(bytes: PackedByteArray) -> Dictionary:
	var document := GLTFDocument.new()
	var state := GLTFState.new()
	var error := document.append_from_buffer(bytes, "", state)
	if error != OK:
		return {"error": error}
	var root := document.generate_scene(state)
	# The add-on, which is more careful, is to have nothing against it either.
	var counts := {"wrong": Glb.check(bytes), "nodes": 0, "meshes": 0, "surfaces": 0, "vertices": 0, "triangles": 0, "materials": state.materials.size()}
	_count(root, counts, {})
	root.free()
	return counts


# Shared meshes count once, as in the file.
func _count(node: Node, counts: Dictionary, seen: Dictionary) -> void:
	counts["nodes"] += 1
	var shown := node as MeshInstance3D
	if shown and shown.mesh and not seen.has(shown.mesh):
		seen[shown.mesh] = true
		counts["meshes"] += 1
		for surface in shown.mesh.get_surface_count():
			counts["surfaces"] += 1
			var arrays := shown.mesh.surface_get_arrays(surface)
			counts["vertices"] += arrays[Mesh.ARRAY_VERTEX].size()
			var indices: Variant = arrays[Mesh.ARRAY_INDEX]
			counts["triangles"] += (arrays[Mesh.ARRAY_VERTEX].size() if indices == null else indices.size()) / 3
	for child in node.get_children():
		_count(child, counts, seen)
