extends RefCounted
## What the JSON of a glTF file may hold: which fields, of which types, and which lists their numbers count in.
##
## The engine's importer takes numbers for what they claim to be, and the program ends where one is not. So a file is
## held against this first, and what is not in here is not taken. Extensions are, but for those that the importer knows
## and that are not in here: the others it passes over.

const _MAX_TEXT := 1024
const _MAX_LIST := 65_536

# A field's rule is a word, and what it is about: "index" and "indices" into a list of the file, "int" and "number" with the least and
# the most, "numbers" and how many ("*" for any), "text", "bool", "one" of some texts, "object" and "list" of what has a name here, "map" of accessors by
# name, "any". A "!" in front says that it must be there.
const _RULES := {
	"file": {"asset": "any", "scene": "index scenes", "scenes": "list scene", "nodes": "list node", "meshes": "list mesh", "accessors": "list accessor",
			"bufferViews": "list bufferView", "buffers": "list buffer", "images": "list image", "textures": "list texture", "samplers": "list sampler",
			"materials": "list material", "skins": "list skin", "animations": "list animation", "cameras": "list camera", "extensionsUsed": "texts",
			"extensionsRequired": "texts", "extras": "any"},
	"file extensions": {"KHR_lights_punctual": "object lights"},
	"lights": {"lights": "!list light"},
	"light": {"type": "!one directional point spot", "color": "numbers 3", "intensity": "number 0 1e9", "range": "number 0 1e9", "spot": "object spot", "name": "text",
			"extras": "any"},
	"spot": {"innerConeAngle": "number 0 3.2", "outerConeAngle": "number 0 3.2"},
	"scene": {"nodes": "indices nodes", "name": "text", "extras": "any"},
	"node": {"name": "text", "children": "indices nodes", "mesh": "index meshes", "skin": "index skins", "camera": "index cameras", "matrix": "numbers 16",
			"translation": "numbers 3", "rotation": "numbers 4", "scale": "numbers 3", "weights": "numbers *", "extras": "any"},
	"node extensions": {"KHR_lights_punctual": "object node light", "KHR_node_visibility": "object visibility"},
	"node light": {"light": "!index lights"},
	"visibility": {"visible": "bool"},
	"mesh": {"primitives": "!list primitive", "weights": "numbers *", "name": "text", "extras": "object mesh extras"},
	"mesh extras": {"targetNames": "texts", "*": "any"},
	"primitive": {"attributes": "!map", "indices": "index accessors", "material": "index materials", "mode": "int 4 4", "targets": "maps", "extras": "any"},
	"accessor": {"bufferView": "index bufferViews", "byteOffset": "int 0 67108864", "componentType": "!int 5120 5126", "normalized": "bool",
			"count": "!int 1 16777216", "type": "!one SCALAR VEC2 VEC3 VEC4 MAT2 MAT3 MAT4", "max": "numbers *", "min": "numbers *", "sparse": "object sparse", "name": "text",
			"extras": "any"},
	"sparse": {"count": "!int 1 16777216", "indices": "!object sparse indices", "values": "!object sparse values"},
	"sparse indices": {"bufferView": "!index bufferViews", "byteOffset": "int 0 67108864", "componentType": "!int 5121 5125"},
	"sparse values": {"bufferView": "!index bufferViews", "byteOffset": "int 0 67108864"},
	"bufferView": {"buffer": "!index buffers", "byteOffset": "int 0 67108864", "byteLength": "!int 1 67108864", "byteStride": "int 4 252", "target": "int 34962 34963",
			"name": "text", "extras": "any"},
	"buffer": {"byteLength": "!int 1 67108864", "name": "text", "extras": "any"},
	"image": {"bufferView": "!index bufferViews", "mimeType": "!one image/png image/jpeg image/webp", "name": "text", "extras": "any"},
	"texture": {"source": "index images", "sampler": "index samplers", "name": "text", "extras": "any"},
	"texture extensions": {"EXT_texture_webp": "object webp"},
	"webp": {"source": "!index images"},
	"sampler": {"magFilter": "int 9728 9729", "minFilter": "int 9728 9987", "wrapS": "int 10497 33648", "wrapT": "int 10497 33648", "name": "text", "extras": "any"},
	"material": {"name": "text", "pbrMetallicRoughness": "object pbr", "normalTexture": "object textureInfo", "occlusionTexture": "object textureInfo",
			"emissiveTexture": "object textureInfo", "emissiveFactor": "numbers 3", "alphaMode": "one OPAQUE MASK BLEND", "alphaCutoff": "number 0 1",
			"doubleSided": "bool", "extras": "any"},
	"pbr": {"baseColorFactor": "numbers 4", "baseColorTexture": "object textureInfo", "metallicFactor": "number 0 1", "roughnessFactor": "number 0 1",
			"metallicRoughnessTexture": "object textureInfo"},
	"textureInfo": {"index": "!index textures", "texCoord": "int 0 1", "scale": "number -100 100", "strength": "number 0 1",
			"extras": "any"},
	"textureInfo extensions": {"KHR_texture_transform": "object transform"},
	"transform": {"offset": "numbers 2", "rotation": "number -1e6 1e6", "scale": "numbers 2", "texCoord": "int 0 1"},
	"material extensions": {"KHR_materials_unlit": "object nothing", "KHR_materials_emissive_strength": "object emissive"},
	"nothing": {},
	"emissive": {"emissiveStrength": "number 0 1e6"},
	"skin": {"joints": "!indices nodes", "skeleton": "index nodes", "inverseBindMatrices": "index accessors", "name": "text", "extras": "any"},
	"animation": {"channels": "!list channel", "samplers": "!list animationSampler", "name": "text", "extras": "any"},
	"channel": {"sampler": "!int 0 65535", "target": "!object target"},
	"target": {"node": "!index nodes", "path": "!one translation rotation scale weights"},
	"animationSampler": {"input": "!index accessors", "output": "!index accessors", "interpolation": "one LINEAR STEP CUBICSPLINE"},
	"camera": {"type": "!one perspective orthographic", "perspective": "object perspective", "orthographic": "object orthographic", "name": "text", "extras": "any"},
	"perspective": {"aspectRatio": "number 0.001 1000", "yfov": "!number 0.001 3.2", "zfar": "number 0.001 1e9", "znear": "!number 0.0001 1e6"},
	"orthographic": {"xmag": "!number 0.0001 1e6", "ymag": "!number 0.0001 1e6", "zfar": "!number 0.001 1e9", "znear": "!number 0 1e6"},
}
# What the importer would read, and is not in here. Bodies come as colliders, which are counted.
const _NOT_TAKEN := ["KHR_animation_pointer", "KHR_materials_pbrSpecularGlossiness", "KHR_texture_basisu", "KHR_mesh_quantization", "KHR_draco_mesh_compression",
		"EXT_meshopt_compression"]

# How many elements each list of the file has.
var _sizes: Dictionary[String, int] = {}


## Says what in [param file] is not as it has to be; empty when all is.
func check(file: Dictionary) -> String:
	for key: Variant in file:
		_sizes[str(key)] = (file[key] as Array).size() if typeof(file[key]) == TYPE_ARRAY else 0
	# Lights are in a list of their own.
	var extensions: Variant = file.get("extensions")
	var lights: Variant = (extensions as Dictionary).get("KHR_lights_punctual") if typeof(extensions) == TYPE_DICTIONARY else null
	var list: Variant = (lights as Dictionary).get("lights") if typeof(lights) == TYPE_DICTIONARY else null
	_sizes["lights"] = (list as Array).size() if typeof(list) == TYPE_ARRAY else 0
	var wrong := _check_object(file, "file")
	for key: String in ["extensionsUsed", "extensionsRequired"]:
		if wrong != "":
			return wrong
		for extension: String in file.get(key, []):
			if _is_not_taken(extension):
				return "the extension %s is not taken" % extension.left(64)
	return wrong


func _check_object(value: Variant, kind: String) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "a %s is no object" % kind
	var object: Dictionary = value
	var rules: Dictionary = _RULES[kind]
	for key: Variant in object:
		if typeof(key) == TYPE_STRING and key == "extensions" and kind != "extensions":
			var wrong := _check_extensions(object[key], kind + " extensions")
			if wrong != "":
				return wrong
		elif not rules.has(key) and not rules.has("*"):
			return "a %s has %s, which is not taken" % [kind, str(key).left(64)]
	for key: String in rules:
		var rule: String = rules[key]
		if object.has(key):
			var wrong := _check_value(object[key], rule.trim_prefix("!"))
			if wrong != "":
				return wrong if wrong.contains(":") else "%s of a %s: %s" % [key, kind, wrong]
		elif rule.begins_with("!"):
			return "a %s has no %s" % [kind, key]
	return ""


func _check_extensions(value: Variant, kind: String) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "%s are no object" % kind
	var rules: Dictionary = _RULES.get(kind, {})
	for named: Variant in (value as Dictionary):
		if _is_not_taken(str(named)):
			return "the extension %s is not taken" % str(named).left(64)
		if rules.has(named):
			var wrong := _check_value(value[named], rules[named] as String)
			if wrong != "":
				return wrong
	return ""


static func _is_not_taken(extension: String) -> bool:
	return extension.begins_with("OMI_") or _NOT_TAKEN.has(extension)


func _check_value(value: Variant, rule: String) -> String:
	var word := rule.get_slice(" ", 0)
	var about := rule.substr(word.length() + 1)
	var is_well := true
	match word:
		"any":
			pass
		"text":
			is_well = _is_text(value)
		"bool":
			is_well = typeof(value) == TYPE_BOOL
		"one":
			is_well = _is_text(value) and about.split(" ").has(value)
		"index":
			is_well = is_whole(value, 0, _sizes.get(about, 0) - 1)
		"int":
			is_well = is_whole(value, about.get_slice(" ", 0).to_int(), about.get_slice(" ", 1).to_int())
		"number":
			is_well = _is_number(value) and value >= about.get_slice(" ", 0).to_float() and value <= about.get_slice(" ", 1).to_float()
		"object":
			return _check_object(value, about)
		_:
			return _check_many(value, word, about)
	return "" if is_well else "%s is none of %s" % [str(value).left(32), rule]


func _check_many(value: Variant, word: String, about: String) -> String:
	if word == "map":
		return _check_map(value)
	if typeof(value) != TYPE_ARRAY or (value as Array).size() > _MAX_LIST:
		return "it is no list, or a long one"
	var list: Array = value
	if word == "numbers" and about != "*" and list.size() != about.to_int():
		return "%d numbers, where there must be %s" % [list.size(), about]
	for element: Variant in list:
		var wrong := ""
		match word:
			"list":
				wrong = _check_object(element, about)
			"maps":
				wrong = _check_map(element)
			"texts":
				wrong = "" if _is_text(element) else "it has what is no text"
			"numbers":
				wrong = "" if _is_number(element) else "it has what is no number"
			"indices":
				wrong = "" if is_whole(element, 0, _sizes.get(about, 0) - 1) else "%s is none of %s" % [str(element).left(32), about]
		if wrong != "":
			return wrong
	return ""


func _check_map(value: Variant) -> String:
	if typeof(value) != TYPE_DICTIONARY or (value as Dictionary).size() > 64:
		return "it is no object, or a large one"
	for key: Variant in (value as Dictionary):
		if not is_whole(value[key], 0, _sizes.get("accessors", 0) - 1):
			return "%s is none of accessors" % str(value[key]).left(32)
	return ""


## Whether [param value] is a whole number from [param least] to [param most].
static func is_whole(value: Variant, least: int, most: int) -> bool:
	return _is_number(value) and value >= least and value <= most and value == floorf(value as float)


static func _is_number(value: Variant) -> bool:
	return (typeof(value) == TYPE_FLOAT or typeof(value) == TYPE_INT) and absf(value as float) < 3e38


static func _is_text(value: Variant) -> bool:
	return typeof(value) == TYPE_STRING and (value as String).length() <= _MAX_TEXT
