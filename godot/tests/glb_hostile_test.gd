extends "test_case.gd"
## glTF files whose JSON and data were changed at random: what the add-on lets through, the engine's importer lives with.

const Frames := preload("frames.gd")
const RichFile := preload("rich_file.gd")
const Glb := preload("res://addons/wasgo/glb.gd")
const Surfaces := preload("res://addons/wasgo/surfaces.gd")

const ROUNDS := 1200
const ODD := [0, -1, 1, 2, 65535, 1e6, 1e9, 4294967295.0, 1e300, -1e9, null, "x", [], {}, true, [0], [1e9], {"a": 1}, 0.5]

var random := RandomNumberGenerator.new()


func _initialize() -> void:
	run("glb_hostile_test", [_changed_at_random] as Array[Callable])


func _changed_at_random() -> bool:
	random.seed = 77
	var files: Array[PackedByteArray] = [Frames.glb_of([Frames.triangle(), Frames.triangle()], ["smile", "frown"]),
			Frames.glb_of([Frames.grid(9, 9, 1.0, Frames.hills)]), Marshalls.base64_to_raw(RichFile.TEXT)]
	var surfaces := Surfaces.new()
	for file: PackedByteArray in files:
		equal(Glb.load_scene(file, surfaces).error, "", "the file as it is")
	var imported := 0
	for round: int in ROUNDS:
		var file := files[round % files.size()]
		var length := file.decode_u32(12)
		var json: Variant = JSON.parse_string(file.slice(20, 20 + length).get_string_from_utf8())
		var rest := file.slice(20 + length)
		if round % 2 == 0:
			for n: int in 4:
				rest[8 + random.randi() % (rest.size() - 8)] = random.randi() & 255
		var loaded := Glb.load_scene(_file(_changed(json), rest), surfaces)
		if loaded.error == "":
			imported += 1
			root.add_child(loaded.root)
			loaded.root.free()
	check(imported > ROUNDS / 10 and imported < ROUNDS, "some load and some do not: %d" % imported)
	return true


func _changed(value: Variant) -> Variant:
	if random.randf() < 0.004:
		return ODD[random.randi() % ODD.size()]
	match typeof(value):
		TYPE_DICTIONARY:
			var dictionary := {}
			for key: Variant in value:
				if random.randf() >= 0.002:
					dictionary[key] = _changed(value[key])
			return dictionary
		TYPE_ARRAY:
			var list := []
			for element: Variant in value:
				list.append(_changed(element))
				if random.randf() < 0.003:
					list.append(_changed(element))
			return list
	return value


func _file(json: Variant, rest: PackedByteArray) -> PackedByteArray:
	var text := JSON.stringify(json).to_utf8_buffer()
	while text.size() % 4 != 0:
		text.append(32)
	var bytes := PackedByteArray()
	bytes.resize(20)
	bytes.encode_u32(0, 0x46546C67)
	bytes.encode_u32(4, 2)
	bytes.encode_u32(12, text.size())
	bytes.encode_u32(16, 0x4E4F534A)
	bytes.append_array(text + rest)
	bytes.encode_u32(8, bytes.size())
	return bytes
