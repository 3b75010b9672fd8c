@tool
extends RefCounted
## What a client and its receiver have to do with each other. A receiver may have any of the functions that are called here, and may
## be none at all, or freed (which a parameter of the type Object would not take); what it gives is looked at before it is used.


## The connection is open, and shows the world of this identity; [param is_same] says whether that is the one that it showed before.
static func tell_opened(receiver: Variant, identity: String, is_same: bool) -> void:
	if _has(receiver, &"wasgo_opened"):
		(receiver as Object).call(&"wasgo_opened", identity, is_same)


## Whether [param receiver] can say what it holds.
static func is_ready(receiver: Variant) -> bool:
	if _has(receiver, &"wasgo_is_ready"):
		var found: Variant = (receiver as Object).call(&"wasgo_is_ready")
		return typeof(found) != TYPE_BOOL or found
	return true


## The frame that says what [param receiver] holds.
static func resume_of(receiver: Variant) -> Dictionary:
	var frame := {"t": "resume", "rev": 0, "keys": PackedStringArray(), "hashes": PackedByteArray(), "meshes": PackedStringArray(),
			"mesh_hashes": PackedByteArray(), "have": PackedByteArray(), "keeps": false}
	if _has(receiver, &"wasgo_resume"):
		var fields: Variant = (receiver as Object).call(&"wasgo_resume")
		if typeof(fields) == TYPE_DICTIONARY:
			frame.merge(fields as Dictionary, true)
			frame["t"] = "resume"
	return frame


## Who prepares frames on worker threads for [param receiver], or null.
static func preparer_of(receiver: Variant) -> Object:
	var found: Variant = receiver
	if _has(receiver, &"wasgo_preparer"):
		found = (receiver as Object).call(&"wasgo_preparer")
	return found if typeof(found) == TYPE_OBJECT and _has(found, &"wasgo_prepare") else null


## What [param receiver] tells of itself.
static func status_of(receiver: Variant) -> Dictionary:
	if _has(receiver, &"wasgo_status"):
		var found: Variant = (receiver as Object).call(&"wasgo_status")
		if typeof(found) == TYPE_DICTIONARY:
			return found
	return {}


## How many of [param what] it holds.
static func count_of(receiver: Variant, what: String) -> int:
	var found: Variant = status_of(receiver).get(what)
	return found if typeof(found) == TYPE_INT else 0


static func _has(object: Variant, method: StringName) -> bool:
	return is_instance_valid(object) and (object as Object).has_method(method)
