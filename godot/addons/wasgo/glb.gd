extends RefCounted
## Loads glTF files that came over the wire, on a worker thread.
##
## The engine's importer trusts a file with much: it follows the children of nodes without looking for
## circles, and makes room for what accessors and images say that they hold. So the file's JSON is looked
## through first.

const _Check := preload("check.gd")
const _Surfaces := preload("surfaces.gd")

## The most nodes of a file, and how deep they may lie below one another.
const MAX_NODES := 16_384
const MAX_DEPTH := 128
## The most numbers that all accessors may hold, counted once for each mesh that uses them.
const MAX_NUMBERS := 64 * 1024 * 1024
## The most pixels of all images.
const MAX_PIXELS := 32 * 1024 * 1024
## The longest JSON, in bytes.
const MAX_JSON := 16 * 1024 * 1024

const _MAGIC := 0x46546C67
const _JSON_CHUNK := 0x4E4F534A
const _BINARY_CHUNK := 0x004E4942
const _MAX_LIST := 65_536
const _NUMBERS := {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

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
	# Nothing is written to files, nor compressed anew.
	state.handle_binary_image_mode = GLTFState.HANDLE_BINARY_IMAGE_MODE_EMBED_AS_UNCOMPRESSED
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
	var wrong := _check_lists(file)
	if wrong == "":
		wrong = _check_nodes(file)
	if wrong == "":
		wrong = _check_meshes(file)
	if wrong == "":
		wrong = _check_images(file, bytes, 20 + length)
	return wrong if wrong == "" else "glb: " + wrong


static func _check_lists(file: Dictionary) -> String:
	for key: String in ["nodes", "scenes", "meshes", "accessors", "bufferViews", "buffers", "images", "textures", "materials",
			"skins", "animations", "samplers", "cameras", "extensionsUsed", "extensionsRequired"]:
		if not file.has(key):
			continue
		if typeof(file[key]) != TYPE_ARRAY:
			return key + " is no list"
		var list: Array = file[key]
		if list.size() > _MAX_LIST:
			return "%d elements in %s, more than the limit of %d" % [list.size(), key, _MAX_LIST]
		for element: Variant in list:
			if typeof(element) != (TYPE_STRING if key.begins_with("extensions") else TYPE_DICTIONARY):
				return key + " has an element that is none"
	for extension: String in file.get("extensionsUsed", []):
		# Bodies come as colliders, which are counted.
		if extension.begins_with("OMI_"):
			return "the extension %s is not taken" % extension.left(64)
	for key: String in ["buffers", "images"]:
		for element: Dictionary in file.get(key, []):
			if element.has("uri") and not str(element["uri"]).begins_with("data:"):
				return key + " names another file"
	return ""


# Each node has one place at most, so that there are no circles, and none is too deep.
static func _check_nodes(file: Dictionary) -> String:
	var nodes: Array = file.get("nodes", [])
	if nodes.size() > MAX_NODES:
		return "%d nodes, more than the limit of %d" % [nodes.size(), MAX_NODES]
	var has_parent := PackedByteArray()
	has_parent.resize(nodes.size())
	for node: Dictionary in nodes:
		for child: int in _numbers(node.get("children", []), nodes.size()):
			if child < 0 or has_parent[child] != 0:
				return "a child of a node is no node, or has two places"
			has_parent[child] = 1
	var level := PackedInt32Array()
	for i: int in nodes.size():
		if has_parent[i] == 0:
			level.append(i)
	for scene: Dictionary in file.get("scenes", []):
		var seen: Dictionary[int, bool] = {}
		for root: int in _numbers(scene.get("nodes", []), nodes.size()):
			if root < 0 or has_parent[root] != 0 or seen.has(root):
				return "a root of a scene is no node, or has two places"
			seen[root] = true
	var reached := level.size()
	for depth: int in MAX_DEPTH:
		if level.is_empty():
			break
		var below := PackedInt32Array()
		for i: int in level:
			below.append_array(PackedInt32Array(_numbers((nodes[i] as Dictionary).get("children", []), nodes.size())))
		reached += below.size()
		level = below
	# What was not reached is a circle, or lies too deep.
	return "" if reached == nodes.size() and level.is_empty() else "nodes in a circle, or more than %d deep" % MAX_DEPTH


static func _check_meshes(file: Dictionary) -> String:
	var accessors: Array = file.get("accessors", [])
	var sizes := PackedInt64Array()
	for accessor: Dictionary in accessors:
		var count: Variant = accessor.get("count", 0)
		var numbers: Variant = _NUMBERS.get(accessor.get("type"))
		if typeof(count) != TYPE_FLOAT or typeof(numbers) != TYPE_INT or not (count >= 0.0 and count <= MAX_NUMBERS):
			return "an accessor has no type or a count that cannot be"
		sizes.append(int(count as float) * (numbers as int))
	var total := 0
	for size: int in sizes:
		total += size
	for mesh: Dictionary in file.get("meshes", []):
		if typeof(mesh.get("primitives")) != TYPE_ARRAY:
			return "a mesh has no primitives"
		var primitives: Array = mesh["primitives"]
		for primitive: Variant in primitives:
			if typeof(primitive) != TYPE_DICTIONARY:
				return "a primitive is none"
			total += _size_of(primitive as Dictionary, sizes)
			if total > MAX_NUMBERS:
				return "more than %d numbers in meshes" % MAX_NUMBERS
	return "" if total <= MAX_NUMBERS else "more than %d numbers in accessors" % MAX_NUMBERS


static func _size_of(primitive: Dictionary, sizes: PackedInt64Array) -> int:
	var used: Array = [primitive.get("indices")]
	var lists: Array = [primitive.get("attributes")]
	if typeof(primitive.get("targets")) == TYPE_ARRAY:
		lists.append_array(primitive["targets"] as Array)
	for list: Variant in lists:
		if typeof(list) == TYPE_DICTIONARY:
			used.append_array((list as Dictionary).values())
	var total := 0
	for accessor: Variant in used:
		if typeof(accessor) == TYPE_FLOAT and accessor >= 0.0 and accessor < sizes.size():
			total += sizes[int(accessor as float)]
	return total


# Images in a buffer, whose size is read from their own headers. Other ways to hold one are not taken.
static func _check_images(file: Dictionary, bytes: PackedByteArray, after_json: int) -> String:
	var images: Array = file.get("images", [])
	if images.is_empty():
		return ""
	if after_json + 8 > bytes.size() or bytes.decode_u32(after_json + 4) != _BINARY_CHUNK:
		return "images without a buffer"
	var views: Array = file.get("bufferViews", [])
	var pixels := 0
	for image: Dictionary in images:
		var view: Variant = image.get("bufferView")
		if typeof(view) != TYPE_FLOAT or not (view >= 0.0 and view < views.size()):
			return "an image that lies in no buffer"
		var start: Variant = (views[int(view as float)] as Dictionary).get("byteOffset", 0.0)
		var length: Variant = (views[int(view as float)] as Dictionary).get("byteLength", 0.0)
		var most := float(bytes.size() - after_json - 8)
		if typeof(start) != TYPE_FLOAT or typeof(length) != TYPE_FLOAT \
				or not (start >= 0.0 and length >= 32.0 and start + length <= most):
			return "an image that lies outside the buffer"
		var at := after_json + 8 + int(start as float)
		var size := _image_size(bytes, at, at + int(length as float))
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


# The numbers of nodes in [param value]; -1 for what is none.
static func _numbers(value: Variant, count: int) -> Array[int]:
	var found: Array[int] = []
	if typeof(value) != TYPE_ARRAY:
		found.append(-1)
		return found
	for number: Variant in (value as Array):
		var is_one: bool = typeof(number) == TYPE_FLOAT and number >= 0.0 and number < count
		found.append(int(number as float) if is_one else -1)
	return found


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
