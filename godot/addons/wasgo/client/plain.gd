@tool
extends RefCounted
## What may go over the wire as a value: data, and nothing that stands for something in this engine.

## How deep arrays and dictionaries may be nested in a value. A frame may be a little deeper.
const MAX_NESTING := 56
## The most values that are looked at, all in all. What holds itself has no end.
const MAX_VALUES := 1_000_000


## What is wrong with [param value], which [param name] names, as a value for the other side; empty when nothing is.
static func wrong_with(value: Variant, name: String) -> String:
	var left: Array[int] = [MAX_VALUES]
	var wrong := _wrong_with(value, MAX_NESTING, left)
	return "" if wrong == "" else "%s %s" % [name, wrong]


static func _wrong_with(value: Variant, levels: int, left: Array[int]) -> String:
	left[0] -= 1
	if left[0] < 0:
		return "has more than %d values" % MAX_VALUES
	match typeof(value):
		TYPE_OBJECT, TYPE_CALLABLE, TYPE_SIGNAL, TYPE_RID:
			return "holds a %s" % type_string(typeof(value))
		TYPE_ARRAY:
			return _wrong_with_array(value as Array, levels, left)
		TYPE_DICTIONARY:
			return _wrong_with_dictionary(value as Dictionary, levels, left)
	return ""


static func _wrong_with_array(array: Array, levels: int, left: Array[int]) -> String:
	if levels <= 0:
		return "is nested deeper than %d" % MAX_NESTING
	if array.get_typed_builtin() == TYPE_OBJECT:
		return "holds an array of objects"
	for element: Variant in array:
		var wrong := _wrong_with(element, levels - 1, left)
		if wrong != "":
			return wrong
	return ""


static func _wrong_with_dictionary(dictionary: Dictionary, levels: int, left: Array[int]) -> String:
	if levels <= 0:
		return "is nested deeper than %d" % MAX_NESTING
	if dictionary.get_typed_key_builtin() == TYPE_OBJECT or dictionary.get_typed_value_builtin() == TYPE_OBJECT:
		return "holds a dictionary of objects"
	for key: Variant in dictionary:
		var wrong := _wrong_with(key, levels - 1, left)
		if wrong == "":
			wrong = _wrong_with(dictionary[key], levels - 1, left)
		if wrong != "":
			return wrong
	return ""
