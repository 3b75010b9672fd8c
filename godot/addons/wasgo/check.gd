extends RefCounted
## What the add-on asks of data that came over the wire, before it is used.
##
## A run-time error in GDScript ends the function it is in, so nothing here may assume a type or
## a size. Each function returns an empty String when all is well, else what is wrong, in words
## that name the field.

## The longest key, name or property path, in characters.
const MAX_TEXT := 1024
## The bytes of a hash that names a content.
const HASH_BYTES := 16
## The most contents that a frame may name.
const MAX_CONTENTS := 16_384


## [param data] has a value of the Variant type [param type] under [param key].
static func field(data: Dictionary, key: String, type: int) -> String:
	return value_is(data.get(key), type, key)


## As [method field], and the value is a String of at most [constant MAX_TEXT] characters.
static func text(data: Dictionary, key: String) -> String:
	var wrong := field(data, key, TYPE_STRING)
	if wrong != "":
		return wrong
	var value: String = data[key]
	if value.length() > MAX_TEXT:
		return "%s is longer than %d characters" % [key, MAX_TEXT]
	return ""


## [param value] is of the Variant type [param type]; [param name] is how to call it.
static func value_is(value: Variant, type: int, name: String) -> String:
	if typeof(value) == type:
		return ""
	if value == null:
		return "%s is missing, it must be a %s" % [name, type_string(type)]
	return "%s must be a %s, not a %s" % [name, type_string(type), type_string(typeof(value))]


## [param data] has a finite float (or an int) from [param least] to [param most] under [param key].
static func number(data: Dictionary, key: String, least: float, most: float) -> String:
	var value: Variant = data.get(key)
	if typeof(value) != TYPE_FLOAT and typeof(value) != TYPE_INT:
		return value_is(value, TYPE_FLOAT, key)
	var found: float = value
	# Written so that NaN, which compares as false with everything, fails.
	if not (found >= least and found <= most):
		return "%s is %s, it must be from %s to %s" % [key, found, least, most]
	return ""


## Nothing in [param vectors] is infinite or not a number.
static func finite_vectors(vectors: PackedVector3Array, name: String) -> String:
	# The engine multiplies by zero much faster than a script looks at each: what is finite
	# becomes zero, infinity and NaN become NaN.
	var zeros := PackedVector3Array()
	zeros.resize(vectors.size())
	zeros.fill(Vector3.ZERO)
	var nothing := Transform3D(Basis.from_scale(Vector3.ZERO), Vector3.ZERO)
	if nothing * vectors == zeros:
		return ""
	for i: int in vectors.size():
		if not vectors[i].is_finite():
			return "%s[%d] is not finite" % [name, i]
	return ""


## Nothing in [param vectors] is infinite or not a number.
static func finite_vector2s(vectors: PackedVector2Array, name: String) -> String:
	var zeros := PackedVector2Array()
	zeros.resize(vectors.size())
	zeros.fill(Vector2.ZERO)
	if Transform2D(Vector2.ZERO, Vector2.ZERO, Vector2.ZERO) * vectors == zeros:
		return ""
	for i: int in vectors.size():
		if not vectors[i].is_finite():
			return "%s[%d] is not finite" % [name, i]
	return ""


## Nothing in [param floats] is infinite or not a number.
static func finite_floats(floats: PackedFloat32Array, name: String) -> String:
	# A sum is finite only when its parts are; it could overflow too, so a bad one is looked into.
	var sum := 0.0
	for f: float in floats:
		sum += f
	if is_finite(sum):
		return ""
	for i: int in floats.size():
		if not is_finite(floats[i]):
			return "%s[%d] is not finite" % [name, i]
	return ""


## As [method finite_floats], of twice the precision.
static func finite_doubles(floats: PackedFloat64Array, name: String) -> String:
	var sum := 0.0
	for f: float in floats:
		sum += f
	if is_finite(sum):
		return ""
	for i: int in floats.size():
		if not is_finite(floats[i]):
			return "%s[%d] is not finite" % [name, i]
	return ""


## No part of [param color] is infinite or not a number.
static func finite_color(color: Color, name: String) -> String:
	if is_finite(color.r + color.g + color.b + color.a):
		return ""
	return "%s is not finite" % name


## [param data] has the hash of a content under [param key].
static func content_hash(data: Dictionary, key: String) -> String:
	var wrong := field(data, key, TYPE_PACKED_BYTE_ARRAY)
	if wrong != "":
		return wrong
	var size := (data[key] as PackedByteArray).size()
	return "" if size == HASH_BYTES else "%s has %d bytes, it must have %d" % [key, size, HASH_BYTES]


## [param frame] names contents of the kind [param what] in its [code]keys[/code] and [code]hashes[/code].
static func contents(frame: Dictionary, what: String) -> String:
	var wrong := text(frame, "what")
	if wrong == "" and frame["what"] != what:
		wrong = "what is \"%s\", where it must be \"%s\"" % [(frame["what"] as String).left(64), what]
	if wrong == "":
		wrong = texts(frame, "keys", MAX_CONTENTS)
	if wrong == "":
		wrong = field(frame, "hashes", TYPE_PACKED_BYTE_ARRAY)
	if wrong != "":
		return wrong
	var count := (frame["keys"] as PackedStringArray).size()
	var size := (frame["hashes"] as PackedByteArray).size()
	return "" if size == count * HASH_BYTES else "%d bytes in hashes for %d keys" % [size, count]


## [param data] has a PackedStringArray of at most [param most] texts under [param key], none longer than [constant MAX_TEXT].
static func texts(data: Dictionary, key: String, most: int) -> String:
	var wrong := field(data, key, TYPE_PACKED_STRING_ARRAY)
	if wrong != "":
		return wrong
	var found: PackedStringArray = data[key]
	if found.size() > most:
		return "%d %s, more than the limit of %d" % [found.size(), key, most]
	for one: String in found:
		if one.length() > MAX_TEXT:
			return "one of %s is longer than %d characters" % [key, MAX_TEXT]
	return ""


## [param data] has an Array under [param key], of at most [param most] elements.
static func list(data: Dictionary, key: String, most: int) -> String:
	var wrong := field(data, key, TYPE_ARRAY)
	if wrong != "":
		return wrong
	var size := (data[key] as Array).size()
	return "" if size <= most else "%d elements in %s, more than the limit of %d" % [size, key, most]


## [param value] holds no objects and nothing of the engine's own, and its numbers are finite.
static func plain(value: Variant, name: String, levels := 64) -> String:
	match typeof(value):
		TYPE_NIL, TYPE_BOOL, TYPE_INT, TYPE_STRING, TYPE_STRING_NAME, TYPE_NODE_PATH, TYPE_VECTOR2I, TYPE_VECTOR3I, \
		TYPE_VECTOR4I, TYPE_RECT2I, TYPE_PACKED_BYTE_ARRAY, TYPE_PACKED_INT32_ARRAY, TYPE_PACKED_INT64_ARRAY, \
		TYPE_PACKED_STRING_ARRAY:
			return ""
		TYPE_FLOAT:
			return "" if is_finite(value as float) else name + " is not finite"
		TYPE_COLOR:
			return finite_color(value as Color, name)
		TYPE_VECTOR2, TYPE_RECT2, TYPE_VECTOR3, TYPE_VECTOR4, TYPE_TRANSFORM2D, TYPE_PLANE, TYPE_QUATERNION, TYPE_AABB, \
		TYPE_BASIS, TYPE_TRANSFORM3D:
			return "" if value.is_finite() else name + " is not finite"
		TYPE_PROJECTION:
			var projection: Projection = value
			var is_well := projection.x.is_finite() and projection.y.is_finite() and projection.z.is_finite() and projection.w.is_finite()
			return "" if is_well else name + " is not finite"
		TYPE_PACKED_FLOAT32_ARRAY:
			return finite_floats(value as PackedFloat32Array, name)
		TYPE_PACKED_FLOAT64_ARRAY:
			return finite_doubles(value as PackedFloat64Array, name)
		TYPE_PACKED_VECTOR2_ARRAY:
			return finite_vector2s(value as PackedVector2Array, name)
		TYPE_PACKED_VECTOR3_ARRAY:
			return finite_vectors(value as PackedVector3Array, name)
		TYPE_PACKED_COLOR_ARRAY, TYPE_PACKED_VECTOR4_ARRAY, TYPE_ARRAY, TYPE_DICTIONARY:
			return _plain_elements(value, name, levels)
	return "%s holds a %s" % [name, type_string(typeof(value))]


static func _plain_elements(value: Variant, name: String, levels: int) -> String:
	if levels <= 0:
		return name + " is nested too deeply"
	var wrong := ""
	if typeof(value) != TYPE_DICTIONARY:
		for element: Variant in value:
			wrong = plain(element, name, levels - 1)
			if wrong != "":
				return wrong
		return ""
	var dictionary: Dictionary = value
	for key: Variant in dictionary:
		wrong = plain(key, name, levels - 1)
		if wrong == "":
			wrong = plain(dictionary[key], name, levels - 1)
		if wrong != "":
			return wrong
	return ""


## Arrays and dictionaries in [param value] are at most [param levels] deep.
static func nested_at_most(value: Variant, levels: int) -> bool:
	match typeof(value):
		TYPE_ARRAY:
			if levels <= 0:
				return false
			for element: Variant in (value as Array):
				if typeof(element) >= TYPE_DICTIONARY and not nested_at_most(element, levels - 1):
					return false
		TYPE_DICTIONARY:
			if levels <= 0:
				return false
			var dictionary: Dictionary = value
			for key: Variant in dictionary:
				if typeof(key) >= TYPE_DICTIONARY and not nested_at_most(key, levels - 1):
					return false
				var element: Variant = dictionary[key]
				if typeof(element) >= TYPE_DICTIONARY and not nested_at_most(element, levels - 1):
					return false
	return true
