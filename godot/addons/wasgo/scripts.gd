extends Node
## Speaks with the sidecar for all [WasgoScript] nodes of a client: tells it of them, gathers their
## notifications into one frame a tick, and sets what their scripts return.
##
## It is an internal child of the client. What a script may set was looked up once for each node and
## column, so that a value costs no search.

const _Attached := preload("attached.gd")
const _Check := preload("check.gd")
const _Rows := preload("script_rows.gd")

## Under this metadata of a client, and of the world that listens to it, is the one for its scripts. All are in the
## group of this name.
const META := &"_wasgo_scripts"
## The group of scripts that wait for a client.
const HOMELESS := &"_wasgo_homeless"
## The most scripts of a client.
const MAX_SCRIPTS := 65_536

const _MAX_ATTACHED_AT_ONCE := 1024
const _MAX_QUEUED := 16_384

## Scripts that get the same notification equally often.
class Group:
	extends RefCounted
	var what := 0
	var period := 0.05
	var elapsed := 0.0
	var members: Dictionary[int, _Attached] = {}
	## Whether what follows was made of the members that there are.
	var is_fresh := false
	## Those that send nothing but the time, as they go into a frame.
	var plain_ids := PackedInt64Array()
	var plain_whats := PackedInt32Array()
	## And the others.
	var others: Array[_Attached] = []

## Sets what scripts return, and counts since the connection opened.
var rows := _Rows.new()
## Notifications that were dropped because there were too many in a tick.
var dropped := 0

var _last_id := 0
var _client: Node
var _connection := -1
var _all: Dictionary[int, _Attached] = {}
var _groups: Dictionary[Vector2, Group] = {}
var _movers: Dictionary[int, _Attached] = {}
var _to_attach: Dictionary[int, _Attached] = {}
var _to_detach := PackedInt64Array()
var _ids := PackedInt64Array()
var _whats := PackedInt32Array()
var _args: Array = []
var _elapsed_moving := 0.0


## The one for the scripts of [param client], which is made if there is none.
static func of(client: Node) -> Node:
	if client.has_meta(META):
		return client.get_meta(META)
	var hub := new()
	hub._client = client
	hub.name = "WasgoScripts"
	# A game that is paused tells of it, too.
	hub.process_mode = Node.PROCESS_MODE_ALWAYS
	client.set_meta(META, hub)
	client.add_child(hub, false, Node.INTERNAL_MODE_BACK)
	client.connect(&"frame_received", hub._on_frame_received)
	return hub


## The one that [param node] belongs to: of the client at [param client_path], else of the nearest world above it, else of the
## first client in the tree. Null when there is none.
static func of_node(node: Node, client_path: NodePath) -> Node:
	if not client_path.is_empty():
		var client := node.get_node_or_null(client_path)
		return of(client) if client != null and client.has_method("send_frame") else null
	var above := node.get_parent()
	while above != null:
		# A world may still name one whose client has gone.
		var found: Variant = above.get_meta(META) if above.has_meta(META) else null
		if is_instance_valid(found) and (found as Node).is_inside_tree():
			return found
		above = above.get_parent()
	return node.get_tree().get_first_node_in_group(META)


## Whether a frame of this [param kind] is for scripts.
static func takes(kind: String, frame: Dictionary) -> bool:
	return kind == "rows" and typeof(frame.get("of")) == TYPE_STRING and frame["of"] == "scripts"


func _enter_tree() -> void:
	add_to_group(META)
	# Later in this tick, when the world above has been told whose it is.
	get_tree().call_group_flags(SceneTree.GROUP_CALL_DEFERRED, HOMELESS, &"_find_home")


# The client leaves the tree, or goes for good: its scripts look for another, and wait for this one or any other where there is none.
func _exit_tree() -> void:
	var left := _all.values()
	_all.clear()
	_groups.clear()
	_movers.clear()
	_to_attach.clear()
	_to_detach = PackedInt64Array()
	_forget_notifications()
	_renew()
	for script: _Attached in left:
		script.hub = null
		script.is_told = false
		script.error = ""
		script.wanted = PackedInt32Array()
		if is_instance_valid(script.node):
			script.node.call("_lose_home")


func _process(delta: float) -> void:
	if not _client.call("is_open"):
		return
	if _client.get("connection") != _connection:
		_start_anew()
	_send_attached()
	_tick(Node.NOTIFICATION_PROCESS, delta)
	_tell_places(delta)
	_send_notifications()
	if not _to_detach.is_empty():
		_client.call("send_frame", {"t": "detach", "ids": _to_detach})
		_to_detach = PackedInt64Array()


func _physics_process(delta: float) -> void:
	_tick(Node.NOTIFICATION_PHYSICS_PROCESS, delta)


## Tells the sidecar of [param script] from now on.
func add(script: _Attached) -> void:
	if _all.size() >= MAX_SCRIPTS:
		push_warning("more than %d scripts: that of %s is not run" % [MAX_SCRIPTS, script.node.name])
		return
	script.hub = self
	_last_id += 1
	script.id = _last_id
	_all[script.id] = script
	_to_attach[script.id] = script
	for what: int in script.ticks:
		_group(what, script.hz).members[script.id] = script
	if script.tells_place:
		_movers[script.id] = script
	_renew()


func remove(script: _Attached) -> void:
	if not _all.erase(script.id):
		return
	if not _to_attach.erase(script.id) and _to_detach.size() < MAX_SCRIPTS:
		_to_detach.append(script.id)
	for key: Vector2 in _groups.keys():
		var group := _groups[key]
		group.members.erase(script.id)
		if group.members.is_empty():
			_groups.erase(key)
	_movers.erase(script.id)
	script.hub = null
	_renew()


## Tells the script of [param script] of a notification, in this tick. Returns whether it could be.
func notify(script: _Attached, what: int, args: Array) -> bool:
	# Nobody is told later of what happened while there was no connection.
	if not script.wants(what) or not _client.call("is_open"):
		return true
	if _ids.size() >= _MAX_QUEUED:
		dropped += 1
		return false
	_ids.append(script.id)
	_whats.append(what)
	_args.append(args)
	return true


## The members of groups, or what they want, are others now.
func _renew() -> void:
	for key: Vector2 in _groups:
		_groups[key].is_fresh = false
	rows.forget()


## Starts to send to [param script], or stops, as its parent is paused or disabled.
func set_running(script: _Attached, is_running: bool) -> void:
	if script.is_running != is_running:
		script.is_running = is_running
		_renew()


## Applies [param frame], rows of scripts. Returns what is wrong with it; empty when nothing is.
func apply(frame: Dictionary) -> String:
	return rows.apply(frame, _all)


func _on_frame_received(kind: String, frame: Dictionary) -> void:
	if kind == "attached":
		_take_answers(frame)
	elif takes(kind, frame):
		var wrong := apply(frame)
		if wrong != "":
			_client.call("reject", frame, "rows: " + wrong)


# A connection has opened: the sidecar knows of none of them.
func _start_anew() -> void:
	_connection = _client.get("connection")
	_to_attach = _all.duplicate()
	for id: int in _all:
		_all[id].is_told = false
	_to_detach = PackedInt64Array()
	_forget_notifications()
	rows.clear()
	dropped = 0


func _send_attached() -> void:
	if _to_attach.is_empty():
		return
	var scripts: Array = []
	var ids := _to_attach.keys().slice(0, _MAX_ATTACHED_AT_ONCE)
	for id: int in ids:
		var script := _to_attach[id]
		script.error = ""
		script.wanted = PackedInt32Array()
		scripts.append({"id": script.id, "script": script.script_name, "node": String(script.parent.get_path()),
				"state": script.state_key})
	if _client.call("send_frame", {"t": "attach", "scripts": scripts}) == OK:
		for id: int in ids:
			var script := _to_attach[id]
			script.is_told = true
			for what: int in script.first:
				notify(script, what, [])
			_to_attach.erase(id)


func _take_answers(frame: Dictionary) -> void:
	if typeof(frame.get("ids")) != TYPE_PACKED_INT64_ARRAY or typeof(frame.get("errors")) != TYPE_PACKED_STRING_ARRAY \
			or typeof(frame.get("whats")) != TYPE_ARRAY:
		return
	var ids: PackedInt64Array = frame["ids"]
	var errors: PackedStringArray = frame["errors"]
	var whats: Array = frame["whats"]
	if errors.size() != ids.size() or whats.size() != ids.size():
		return
	for i: int in ids.size():
		var script: _Attached = _all.get(ids[i])
		if script == null or typeof(whats[i]) != TYPE_PACKED_INT32_ARRAY:
			continue
		script.error = errors[i].left(_Check.MAX_TEXT)
		script.wanted = whats[i]
		script.node.call("_was_attached", script.error)
	_renew()


func _group(what: int, hz: float) -> Group:
	var key := Vector2(what, hz)
	var group: Group = _groups.get(key)
	if group == null:
		group = Group.new()
		group.what = what
		group.period = 1.0 / hz
		_groups[key] = group
	return group


func _tick(what: int, delta: float) -> void:
	for key: Vector2 in _groups:
		var group := _groups[key]
		if group.what != what:
			continue
		group.elapsed += delta
		# Half a frame early is as near as half a frame late.
		if group.elapsed + delta * 0.5 < group.period:
			continue
		if _ids.size() + group.members.size() <= MAX_SCRIPTS + _MAX_QUEUED and _client.call("is_open"):
			_tell_time(group)
		else:
			dropped += group.members.size()
		group.elapsed = 0.0


# One notification for each member. Most say the same to all, so that only references are copied.
func _tell_time(group: Group) -> void:
	if not group.is_fresh:
		_freshen(group)
	var time: Array = [group.elapsed]
	var args: Array = []
	args.resize(group.plain_ids.size())
	args.fill(time)
	_ids.append_array(group.plain_ids)
	_whats.append_array(group.plain_whats)
	_args.append_array(args)
	for script: _Attached in group.others:
		var values: Array = [group.elapsed]
		for path: NodePath in script.inputs:
			var value: Variant = script.parent.get_indexed(path)
			values.append(value if _Check.plain(value, "") == "" else null)
		_ids.append(script.id)
		_whats.append(group.what)
		_args.append(values)


func _freshen(group: Group) -> void:
	group.is_fresh = true
	group.plain_ids = PackedInt64Array()
	group.others.clear()
	for id: int in group.members:
		var script := group.members[id]
		if script.is_running and script.wants(group.what):
			if script.inputs.is_empty():
				group.plain_ids.append(script.id)
			else:
				group.others.append(script)
	group.plain_whats = PackedInt32Array()
	group.plain_whats.resize(group.plain_ids.size())
	group.plain_whats.fill(group.what)


# The engine tells of a changed transform the node itself only, so the places are compared.
func _tell_places(delta: float) -> void:
	_elapsed_moving += delta
	if _movers.is_empty() or _elapsed_moving < 0.05:
		return
	_elapsed_moving = 0.0
	for id: int in _movers:
		var script := _movers[id]
		var place: Variant = script.parent.get(&"global_transform")
		if place != script.place:
			script.place = place
			notify(script, Node3D.NOTIFICATION_TRANSFORM_CHANGED, [place])


func _send_notifications() -> void:
	if _ids.is_empty():
		return
	if _client.call("send_frame", {"t": "notify", "ids": _ids, "whats": _whats, "args": _args}) != OK:
		dropped += _ids.size()
	_forget_notifications()


func _forget_notifications() -> void:
	_ids = PackedInt64Array()
	_whats = PackedInt32Array()
	_args = []
