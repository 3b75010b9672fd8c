extends RefCounted
## Loads glTF files that came over the wire, on a worker thread.
##
## The engine's importer trusts a file with much: it follows the children of nodes without looking for
## circles, makes room for what images say that they hold, and ends the program where an index leads nowhere. So
## the file is looked through first, and what the importer need not know is not taken.

const _Data := preload("gltf_data.gd")
const _Schema := preload("gltf_schema.gd")
const _Surfaces := preload("surfaces.gd")

## The most nodes of a file, and how deep they may lie below one another.
const MAX_NODES := 16_384
const MAX_DEPTH := 128
## The most pixels of all images.
const MAX_PIXELS := 32 * 1024 * 1024
## The longest JSON, in bytes.
const MAX_JSON := 16 * 1024 * 1024

const _MAGIC := 0x46546C67
const _JSON_CHUNK := 0x4E4F534A
const _BINARY_CHUNK := 0x004E4942

## What came of a file.
class Loaded:
	extends RefCounted
	## What is wrong with the file; empty when nothing is.
	var error := ""
	## The scene, which belongs to whoever takes it.
	var root: Node3D

	func _notification(what: int) -> void:
		if what == NOTIFICATION_PREDELETE and is_instance_valid(root) and root.get_parent() == null:
			root.free()


## Makes a scene of the file in [param bytes], with the materials that the project set aside.
static func load_scene(bytes: PackedByteArray, surfaces: _Surfaces) -> Loaded:
	var loaded := Loaded.new()
	loaded.error = check(bytes)
	if loaded.error != "":
		return loaded
	var document := GLTFDocument.new()
	var state := GLTFState.new()
	# Nothing is written to files, nor compressed anew. (Godot 4.6 has another name for it, and this one still.)
	state.handle_binary_image = GLTFState.HANDLE_BINARY_EMBED_AS_UNCOMPRESSED
	var result := document.append_from_buffer(bytes, "", state)
	if result != OK:
		loaded.error = "glb: the engine cannot read it: " + error_string(result)
		return loaded
	var root := document.generate_scene(state)
	if not root is Node3D:
		if root != null:
			root.free()
		loaded.error = "glb: the engine made no scene of it"
		return loaded
	loaded.root = root
	_tidy(root, surfaces)
	return loaded


## Says what is wrong with the file in [param bytes], as far as it can be seen without the importer;
## empty when nothing is.
static func check(bytes: PackedByteArray) -> String:
	if bytes.size() < 20 or bytes.decode_u32(0) != _MAGIC or bytes.decode_u32(4) != 2:
		return "glb is no binary glTF 2 file"
	if bytes.decode_u32(8) != bytes.size():
		return "glb says that it has %d bytes, and has %d" % [bytes.decode_u32(8), bytes.size()]
	var length := bytes.decode_u32(12)
	if bytes.decode_u32(16) != _JSON_CHUNK or length > MAX_JSON or 20 + length > bytes.size():
		return "glb has no JSON at its start, or too much"
	var json := JSON.new()
	if json.parse(bytes.slice(20, 20 + length).get_string_from_utf8()) != OK or typeof(json.data) != TYPE_DICTIONARY:
		return "glb has no valid JSON"
	var file: Dictionary = json.data
	var wrong := _Schema.new().check(file)
	if wrong == "":
		wrong = _check_nodes(file)
	var buffer := 20 + length
	var end := buffer
	if wrong == "" and buffer < bytes.size():
		if buffer + 8 > bytes.size() or bytes.decode_u32(buffer + 4) != _BINARY_CHUNK or buffer + 8 + bytes.decode_u32(buffer) != bytes.size():
			wrong = "what follows the JSON is no buffer, or not all"
		buffer += 8
		end = bytes.size()
	if wrong == "":
		wrong = _Data.new().check(file, bytes, buffer, end)
	if wrong == "":
		wrong = _check_images(file, bytes, buffer)
	return wrong if wrong == "" else "glb: " + wrong


# Each node has one place at most, so that there are no circles, and none is too deep.
static func _check_nodes(file: Dictionary) -> String:
	var nodes: Array = file.get("nodes", [])
	if nodes.is_empty() or nodes.size() > MAX_NODES:
		return "%d nodes, there must be from 1 to %d" % [nodes.size(), MAX_NODES]
	var has_parent := PackedByteArray()
	has_parent.resize(nodes.size())
	for node: Dictionary in nodes:
		for child: float in node.get("children", []):
			if has_parent[int(child)] != 0:
				return "a child of a node has two places"
			has_parent[int(child)] = 1
	for scene: Dictionary in file.get("scenes", []):
		var seen: Dictionary[int, bool] = {}
		for root: float in scene.get("nodes", []):
			if has_parent[int(root)] != 0 or seen.has(int(root)):
				return "a root of a scene has two places"
			seen[int(root)] = true
	var level := PackedInt32Array()
	for i: int in nodes.size():
		if has_parent[i] == 0:
			level.append(i)
	var reached := level.size()
	for depth: int in MAX_DEPTH:
		if level.is_empty():
			break
		var below := PackedInt32Array()
		for i: int in level:
			for child: float in (nodes[i] as Dictionary).get("children", []):
				below.append(int(child))
		reached += below.size()
		level = below
	# What was not reached is a circle, or lies too deep.
	return "" if reached == nodes.size() and level.is_empty() else "nodes in a circle, or more than %d deep" % MAX_DEPTH


# Images lie in the buffer, and their own headers say how large they are.
static func _check_images(file: Dictionary, bytes: PackedByteArray, buffer: int) -> String:
	var pixels := 0
	for image: Dictionary in file.get("images", []):
		var view: Dictionary = file["bufferViews"][int(image["bufferView"] as float)]
		var at := buffer + int(view.get("byteOffset", 0.0) as float)
		var length := int(view["byteLength"] as float)
		var size := _image_size(bytes, at, at + length) if length >= 32 else Vector2i.ZERO
		if size.x <= 0 or size.y <= 0:
			return "an image that is no PNG, JPEG or WebP file"
		pixels += size.x * size.y
		if pixels > MAX_PIXELS:
			return "more than %d pixels in images" % MAX_PIXELS
	return ""


static func _image_size(bytes: PackedByteArray, at: int, end: int) -> Vector2i:
	if bytes.decode_u32(at) == 0x474E5089:  # PNG
		return Vector2i(_big_endian(bytes, at + 16, 4), _big_endian(bytes, at + 20, 4))
	if bytes.decode_u16(at) == 0xD8FF:  # JPEG
		return _jpeg_size(bytes, at + 2, end)
	if bytes.decode_u32(at) == 0x46464952 and bytes.decode_u32(at + 8) == 0x50424557:  # RIFF, WEBP
		match bytes.decode_u32(at + 12):
			0x20385056:  # "VP8 "
				return Vector2i(bytes.decode_u16(at + 26) & 0x3fff, bytes.decode_u16(at + 28) & 0x3fff)
			0x4C385056:  # "VP8L"
				var bits := bytes.decode_u32(at + 21)
				return Vector2i((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)
			0x58385056:  # "VP8X"
				return Vector2i((bytes.decode_u32(at + 24) & 0xffffff) + 1, ((bytes.decode_u32(at + 26) >> 8) & 0xffffff) + 1)
	return Vector2i.ZERO


# The first segment that says how large the picture is.
static func _jpeg_size(bytes: PackedByteArray, at: int, end: int) -> Vector2i:
	while at + 9 <= end:
		if bytes[at] != 0xFF:
			return Vector2i.ZERO
		var kind := bytes[at + 1]
		if kind == 0xFF:
			at += 1
		elif kind >= 0xC0 and kind <= 0xCF and kind != 0xC4 and kind != 0xC8 and kind != 0xCC:
			return Vector2i(_big_endian(bytes, at + 7, 2), _big_endian(bytes, at + 5, 2))
		else:
			at += 2 + maxi(_big_endian(bytes, at + 2, 2), 2)
	return Vector2i.ZERO


static func _big_endian(bytes: PackedByteArray, at: int, size: int) -> int:
	var number := 0
	for i: int in size:
		number = (number << 8) | bytes[at + i]
	return number


# Materials that the project set aside take the place of those of the same name, and no camera comes
# into the game.
static func _tidy(root: Node, surfaces: _Surfaces) -> void:
	var cameras: Array[Camera3D] = []
	for node: Node in root.find_children("*", "Node3D", true, false) + ([root] as Array[Node]):
		if node is MeshInstance3D and (node as MeshInstance3D).mesh is ArrayMesh:
			var mesh: ArrayMesh = (node as MeshInstance3D).mesh
			for i: int in mesh.get_surface_count():
				var material := mesh.surface_get_material(i)
				var own := surfaces.get_set_aside(material.resource_name) if material != null else null
				if own != null:
					mesh.surface_set_material(i, own)
		elif node is Camera3D and node != root:
			cameras.append(node)
	for camera: Camera3D in cameras:
		var place := Node3D.new()
		place.transform = camera.transform
		camera.replace_by(place)
		camera.free()
