@icon("icons/wasgo_script.svg")
class_name WasgoScript
extends Node
## Runs a script of the sidecar for the node above it.
##
## The script gets the notifications that are chosen here, and what it returns is set on the parent and on nodes below it,
## as far as [member allowed] lets it. The script itself runs beside the engine, without access to anything in it.
## [codeblock]
## var script := WasgoScript.new()
## script.script_name = "sway"
## script.allowed = ["rotation:z", "Lamp:light_energy"]
## tree.add_child(script)
## [/codeblock]
## What is here takes effect when the node enters the tree. These notifications are forwarded, under the engine's own
## numbers, with their arguments:
## [br]- [constant Node.NOTIFICATION_PROCESS] and [constant Node.NOTIFICATION_PHYSICS_PROCESS], [member hz] times a
## second: the seconds since the last one, and the values of [member inputs];
## [br]- [constant Node.NOTIFICATION_ENTER_TREE] and [constant Node.NOTIFICATION_READY], in each connection first of all, since
## the script begins there; [constant Node.NOTIFICATION_EXIT_TREE];
## [br]- [constant Node.NOTIFICATION_PAUSED], [constant Node.NOTIFICATION_UNPAUSED], [constant Node.NOTIFICATION_DISABLED],
## [constant Node.NOTIFICATION_ENABLED];
## [br]- [constant Node3D.NOTIFICATION_VISIBILITY_CHANGED] (of a 2D parent [constant CanvasItem.NOTIFICATION_VISIBILITY_CHANGED]):
## whether it is visible;
## [br]- [constant Node3D.NOTIFICATION_TRANSFORM_CHANGED]: the global transform, 20 times a second at most;
## [br]- whatever [method notify] is called with.

## The sidecar has taken the script. [param error] says what is wrong with it, and is empty when nothing is. Comes too when the script has lost its client and
## there is no other.
signal attached(error: String)

const _Attached := preload("attached.gd")
const _Check := preload("check.gd")
const _Scripts := preload("scripts.gd")

## The notifications that are forwarded by themselves.
enum Forward {
	READY = 1,  ## The parent is ready.
	PROCESS = 2,  ## Time has passed.
	PHYSICS_PROCESS = 4,  ## Time has passed in physics.
	TREE = 8,  ## The parent enters the tree, or leaves it.
	VISIBILITY = 16,  ## The parent is shown or hidden.
	TRANSFORM = 32,  ## The parent, or what is above it, has moved.
	PAUSE = 64,  ## The parent is paused, disabled, or neither any more.
}

## The name that the sidecar knows the script by.
@export var script_name := ""
## Under which name the sidecar keeps the script's state between connections; empty for not at all.
@export var state_key := ""
## The client whose sidecar runs the script. When empty: that of the world above, or else the first
## in the tree. When it goes another is looked for in the same way; the script begins anew there.
@export var client_path: NodePath
## Properties of the parent, and of other nodes by paths from it, that the script may set, with all their parts:
## [code]position[/code], [code]rotation:y[/code], [code]Lamp:light_energy[/code]. A property of the parent that has the same name as
## a node is meant; [code].:position[/code] is plainly the parent's, [code]./Lamp:visible[/code] plainly a node's.
@export var allowed := PackedStringArray(["position", "rotation", "scale", "visible"])
## Which notifications the script gets.
@export_flags("Ready", "Process", "Physics process", "Enter and exit tree", "Visibility", "Transform", "Pause")
var forward := Forward.READY | Forward.PROCESS
## How often a second it gets the time.
@export_range(0.1, 240.0, 0.1, "suffix:Hz") var hz := 20.0
## Properties of the parent whose values go along with the time.
@export var inputs := PackedStringArray()

## What the sidecar said is wrong with the script, or that there is no client for it; empty when nothing is. Read only.
var error := ""

var _attached: _Attached


func _enter_tree() -> void:
	var made := _Attached.new()
	made.node = self
	made.parent = get_parent()
	made.script_name = script_name.left(_Check.MAX_TEXT)
	made.state_key = state_key.left(_Check.MAX_TEXT)
	made.allowed = allowed
	made.hz = clampf(hz, 0.1, 240.0)
	for path: String in inputs:
		made.inputs.append(NodePath(path).get_as_property_path())
	if forward & Forward.PROCESS:
		made.ticks.append(NOTIFICATION_PROCESS)
	if forward & Forward.PHYSICS_PROCESS:
		made.ticks.append(NOTIFICATION_PHYSICS_PROCESS)
	made.tells_place = forward & Forward.TRANSFORM != 0 and &"global_transform" in made.parent
	made.place = made.parent.get(&"global_transform") if made.tells_place else null
	made.is_running = can_process()
	_attached = made
	_find_home()
	if forward & Forward.TREE:
		_tell_first(NOTIFICATION_ENTER_TREE)
	if forward & Forward.READY:
		if made.parent.is_node_ready():
			_tell_first(NOTIFICATION_READY)
		else:
			made.parent.ready.connect(_tell_first.bind(NOTIFICATION_READY), CONNECT_ONE_SHOT)
	if forward & Forward.VISIBILITY and made.parent.has_signal(&"visibility_changed"):
		made.parent.connect(&"visibility_changed", _tell_visibility)


func _exit_tree() -> void:
	var made := _attached
	if made == null:
		return
	if forward & Forward.TREE:
		_tell(NOTIFICATION_EXIT_TREE)
	_attached = null
	if is_in_group(_Scripts.HOMELESS):
		remove_from_group(_Scripts.HOMELESS)
	elif is_instance_valid(made.hub):
		made.hub.call("remove", made)
	if is_instance_valid(made.parent):
		if made.parent.is_connected(&"ready", _tell_first):
			made.parent.disconnect(&"ready", _tell_first)
		if made.parent.has_signal(&"visibility_changed") and made.parent.is_connected(&"visibility_changed", _tell_visibility):
			made.parent.disconnect(&"visibility_changed", _tell_visibility)


func _notification(what: int) -> void:
	if what == NOTIFICATION_PAUSED or what == NOTIFICATION_DISABLED:
		_run(what, false)
	elif what == NOTIFICATION_UNPAUSED or what == NOTIFICATION_ENABLED:
		_run(what, true)


## Sends notification [param what], a number of your own choice, to the script, with [param args], which hold plain values
## only. Returns [constant ERR_UNCONFIGURED] when there is no client, [constant ERR_INVALID_PARAMETER] when an argument
## is no plain value, [constant ERR_BUSY] when there are too many in this tick. Without a connection it is forgotten.
func notify(what: int, args: Array = []) -> Error:
	if _attached == null or not is_instance_valid(_attached.hub):
		return ERR_UNCONFIGURED
	if _Check.plain(args, "args", 16) != "":
		return ERR_INVALID_PARAMETER
	return OK if _attached.hub.call("notify", _attached, what, args) else ERR_BUSY


# A client may come later than its scripts.
func _find_home() -> void:
	if _attached == null or is_instance_valid(_attached.hub):
		return
	var hub := _Scripts.of_node(self, client_path)
	if hub == null:
		error = "there is no WasgoClient" if client_path.is_empty() else "there is no WasgoClient at %s" % client_path
		add_to_group(_Scripts.HOMELESS)
	else:
		error = ""
		if is_in_group(_Scripts.HOMELESS):
			remove_from_group(_Scripts.HOMELESS)
		hub.call("add", _attached)


# Later in this tick, when it has become clear who is there.
func _lose_home() -> void:
	add_to_group(_Scripts.HOMELESS)
	_look_elsewhere.call_deferred()


func _look_elsewhere() -> void:
	_find_home()
	if _attached != null and not is_instance_valid(_attached.hub):
		attached.emit(error)


# It is for each connection in which the script begins.
func _tell_first(what: int) -> void:
	if _attached != null:
		_attached.first.append(what)
		if _attached.is_told:
			_tell(what)


func _tell(what: int) -> void:
	if _attached != null and is_instance_valid(_attached.hub):
		_attached.hub.call("notify", _attached, what, [])


func _tell_visibility() -> void:
	var is_2d := get_parent() is CanvasItem
	notify(CanvasItem.NOTIFICATION_VISIBILITY_CHANGED if is_2d else Node3D.NOTIFICATION_VISIBILITY_CHANGED, [get_parent().get(&"visible") == true])


func _run(what: int, is_running: bool) -> void:
	if _attached == null or not is_instance_valid(_attached.hub):
		return
	_attached.hub.call("set_running", _attached, can_process() and is_running)
	if forward & Forward.PAUSE:
		_tell(what)


func _was_attached(problem: String) -> void:
	error = problem
	attached.emit(problem)
