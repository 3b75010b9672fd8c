extends RefCounted
## What is known of a [WasgoScript] that is in the tree.

const _Columns := preload("columns.gd")

## A property that a column stands for, or none that may be set.
class Setter:
	extends RefCounted
	var target: Object
	## Null where it may not be set.
	var plan: _Columns.Plan
	## When that was found out, in milliseconds of the engine's clock.
	var looked_up_at := 0

## How long a column that is for nothing stays so, in milliseconds: the node may come yet.
const PATIENCE_MS := 1000

## The number that the sidecar knows it by.
var id := 0
var hub: Node
var node: Node
var parent: Node
var script_name := ""
var state_key := ""
## What its script may set, as written.
var allowed := PackedStringArray()
## Property paths of the parent whose values go along with a tick's notification.
var inputs: Array[NodePath] = []
## Notifications that come with the time, and how often a second.
var ticks := PackedInt32Array()
var hz := 20.0
## Notifications that are sent once the sidecar knows of it, and again in each connection.
var first := PackedInt32Array()
## Whether the sidecar knows of it.
var is_told := false
## Whether a change of the parent's place is told, and the place that was told last.
var tells_place := false
var place: Variant
## Whether the parent is neither paused nor disabled.
var is_running := true
## What the sidecar says is wrong with it.
var error := ""
## Which notifications its script wants; empty for all.
var wanted := PackedInt32Array()
## By column.
var setters: Dictionary[String, Setter] = {}


func wants(what: int) -> bool:
	return error == "" and (wanted.is_empty() or wanted.has(what))


## What [param column] is for this script. It was found out when it was first asked for.
func setter(column: String) -> Setter:
	var known: Setter = setters.get(column)
	if known == null or not is_instance_valid(known.target) \
			or known.plan == null and Time.get_ticks_msec() - known.looked_up_at > PATIENCE_MS:
		if setters.size() >= 4 * _Columns.MAX_COLUMNS:
			setters.clear()
		known = _look_up(column)
		setters[column] = known
	return known


func _look_up(column: String) -> Setter:
	var made := Setter.new()
	made.target = parent
	made.looked_up_at = Time.get_ticks_msec()
	var asked := _resolve(column)
	if asked.is_empty():
		return made
	for entry: String in allowed:
		var may := _resolve(entry)
		if not may.is_empty() and may[0] == asked[0] and _starts_with(asked[1] as NodePath, may[1] as NodePath):
			made.target = asked[0]
			made.plan = _Columns.make_plan(asked[1] as NodePath, asked[0] as Object)
			break
	return made


# The node and the property path that [param text] means for the parent, or nothing. What begins with the
# name of a property of the parent is that property, anything else begins with a node.
func _resolve(text: String) -> Array:
	var path := NodePath(text)
	if path.is_empty():
		return []
	if path.get_name_count() == 1 and not text.begins_with(".") and not path.is_absolute() and StringName(path.get_name(0)) in parent:
		return [parent, path.get_as_property_path()]
	if path.get_subname_count() == 0:
		return []
	var names := text.left(text.find(":"))
	var found := parent if names == "" else parent.get_node_or_null(NodePath(names))
	return [] if found == null else [found, NodePath(":" + path.get_concatenated_subnames())]


static func _starts_with(path: NodePath, start: NodePath) -> bool:
	if path.get_subname_count() < start.get_subname_count() or start.get_subname_count() == 0:
		return false
	for i: int in start.get_subname_count():
		if path.get_subname(i) != start.get_subname(i):
			return false
	return true
