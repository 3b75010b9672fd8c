@tool
extends RefCounted
## What the sidecar calls in this engine: methods of nodes, where a list allows it.

const _Allowed := preload("allowed.gd")
const _Check := preload("../check.gd")
const _Plain := preload("plain.gd")

## The most calls that may be without an answer at once.
const MAX_CALLS := 64
## The most values that a call may come with.
const MAX_ARGUMENTS := 32

# Types that the engine makes of each other in a call, besides those that are the same.
const _TURNED := {
	TYPE_FLOAT: [TYPE_INT],
	TYPE_STRING_NAME: [TYPE_STRING],
	TYPE_STRING: [TYPE_STRING_NAME, TYPE_NODE_PATH],
	TYPE_NODE_PATH: [TYPE_STRING],
}

## A call of a method that waits for something.
class Waiting:
	extends RefCounted
	var id := 0
	var path := ""
	var target: int
	var reply: Callable

## How many calls are without an answer.
var under_way: int:
	get:
		return _waiting.size()

# By numbers of their own: what the sidecar numbers twice is answered twice.
var _waiting: Dictionary[int, Waiting] = {}
var _last := 0


## Makes the call that [param frame] asks for, and has [param reply] called with the frame that answers it, now or when the method comes to its
## end. [param root] is where paths start, [param entries] says what may be called. Returns whether something was called.
func take(frame: Dictionary, root: Node, entries: PackedStringArray, reply: Callable) -> bool:
	if _Check.field(frame, "id", TYPE_INT) != "":
		return false  # There is nothing to answer to.
	var id: int = frame["id"]
	var wrong := _wrong_with(frame, root, entries)
	if wrong != "":
		reply.call({"t": "answer", "id": id, "error": wrong})
		return false
	var path: String = frame["path"]
	var target := root.get_node(path)
	var value: Variant = target.callv(frame["method"] as String, frame["args"] as Array)
	# A method that waits for something gives its state at first.
	if typeof(value) == TYPE_OBJECT and is_instance_valid(value) and (value as Object).get_class() == "GDScriptFunctionState":
		_await(value as Object, id, path, target, reply)
	else:
		_answer(id, value, reply)
	return true


## Gives up the calls whose nodes are not there any more: their methods do not come to an end.
func watch() -> void:
	for number: int in _waiting.keys():
		var call_ := _waiting[number]
		if not is_instance_id_valid(call_.target):
			_waiting.erase(number)
			if call_.reply.is_valid():
				call_.reply.call({"t": "answer", "id": call_.id, "error": "the node %s has gone" % call_.path.left(200)})


func _wrong_with(frame: Dictionary, root: Node, entries: PackedStringArray) -> String:
	var wrong := _Check.text(frame, "path")
	if wrong == "":
		wrong = _Check.text(frame, "method")
	if wrong == "":
		wrong = _Check.field(frame, "args", TYPE_ARRAY)
	if wrong != "":
		return wrong
	var path: String = frame["path"]
	var method: String = frame["method"]
	var args: Array = frame["args"]
	# The same words for what is not allowed and what is not there would hide a mistake in the list; and what is
	# not allowed is never looked for.
	if not _Allowed.method(entries, path, method):
		return "%s:%s may not be called" % [path.left(200), method.left(200)]
	if under_way >= MAX_CALLS:
		return "%d calls are without an answer already" % MAX_CALLS
	if args.size() > MAX_ARGUMENTS:
		return "more than %d arguments" % MAX_ARGUMENTS
	wrong = _Plain.wrong_with(args, "args")
	if wrong != "":
		return wrong
	var target := root.get_node_or_null(path) if root != null else null
	if target == null:
		return "there is no node %s" % path.left(200)
	if not target.has_method(method):
		return "%s has no method %s" % [path.left(200), method.left(200)]
	return _wrong_with_arguments(target, method, args)


# The engine would write an error, and say nothing else, where these do not fit.
static func _wrong_with_arguments(target: Node, method: String, args: Array) -> String:
	for known: Dictionary in target.get_method_list():
		if known.get("name") != method:
			continue
		var wanted: Array = known.get("args", [])
		var most := wanted.size()
		var least := most - (known.get("default_args", []) as Array).size()
		var is_open := (known.get("flags", 0) as int) & METHOD_FLAG_VARARG != 0
		if args.size() < least or (args.size() > most and not is_open):
			return "%s takes %s, not %d arguments" % [method, str(most) if least == most else "%d to %d" % [least, most], args.size()]
		for i: int in mini(args.size(), most):
			var type: int = (wanted[i] as Dictionary).get("type", TYPE_NIL)
			var given := typeof(args[i])
			if type != TYPE_NIL and type != given and not (_TURNED.get(type, []) as Array).has(given):
				return "argument %d of %s must be a %s, not a %s" % [i + 1, method, type_string(type), type_string(given)]
		return ""
	return ""


# A function of this object that awaited the state would hold it, and be held by it.
func _await(state: Object, id: int, path: String, target: Variant, reply: Callable) -> void:
	# The method may have freed its own node.
	if not is_instance_valid(target):
		reply.call({"t": "answer", "id": id, "error": "the node %s has gone" % path.left(200)})
		return
	var call_ := Waiting.new()
	call_.id = id
	call_.path = path
	call_.target = (target as Object).get_instance_id()
	call_.reply = reply
	_last += 1
	_waiting[_last] = call_
	state.connect(&"completed", _on_completed.bind(_last), CONNECT_ONE_SHOT)


func _on_completed(value: Variant, number: int) -> void:
	var call_: Waiting = _waiting.get(number)
	if call_ != null:
		_waiting.erase(number)
		_answer(call_.id, value, call_.reply)


static func _answer(id: int, value: Variant, reply: Callable) -> void:
	if not reply.is_valid():
		return
	var wrong := _Plain.wrong_with(value, "the result")
	if wrong == "":
		reply.call({"t": "answer", "id": id, "value": value})
	else:
		reply.call({"t": "answer", "id": id, "error": wrong})
