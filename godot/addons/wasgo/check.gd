extends RefCounted
## What the add-on asks of data that came over the wire, before it is used.
##
## A run-time error in GDScript ends the function it is in, so nothing here may assume a type or
## a size. Each function returns an empty String when all is well, else what is wrong, in words
## that name the field.

## The longest key, name or property path, in characters.
const MAX_TEXT := 1024


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


## No part of [param color] is infinite or not a number.
static func finite_color(color: Color, name: String) -> String:
	if is_finite(color.r + color.g + color.b + color.a):
		return ""
	return "%s is not finite" % name


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
