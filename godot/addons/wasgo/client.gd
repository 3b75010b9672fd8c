@tool
@icon("icons/wasgo_client.svg")
class_name WasgoClient
extends Node
## The engine's end of a connection to a Wasgo sidecar.
##
## Speaks version 2 of the Wasgo wire protocol over TCP, TLS, a WebSocket or a Unix domain socket: proves that it knows the
## token and asks the same of the sidecar, answers pings, acknowledges what was applied, says how much more may
## come, and connects again by itself when the connection is lost. What to do with the frames that
## arrive is for others to say: a [WasgoWorld3D], or whoever listens to [signal frame_received].
## [br][br]
## Nothing here waits. A tick reads what has arrived, applies small frames first, and then goes on with large ones, which
## worker threads have decoded and prepared, until [member tick_budget_ms] is used up; the rest stays for the next
## tick, and the sidecar slows down. Bytes from the sidecar are never trusted: what breaks the protocol ends
## the connection, and no more.
## [br][br]
## What is left as it is starts with the project's settings ([code]wasgo/...[/code]).
##
## [codeblock]
## var client := WasgoClient.new()
## client.url = "tls://worlds.example.org:7777"
## client.token = OS.get_environment("WASGO_TOKEN")
## client.connected.connect(func(server: String) -> void: print("beside ", server))
## add_child(client)
##
## var answer: WasgoAnswer = await client.request("who_is_here", ["plaza"])
## [/codeblock]

## The sidecar has said welcome; [param server] is what it calls itself. Numbering starts anew.
signal connected(server: String)

## A connection that was open has ended, for [param reason]. Unless [method stop] ended it, another
## is tried soon.
signal disconnected(reason: String)

## The sidecar does not want this engine. After [code]"full"[/code] and [code]"zone"[/code] another attempt follows; other
## reasons would come again, so the client stops until [method start] is called.
signal refused(reason: String)

## The sidecar ends the connection on purpose. [signal disconnected] follows.
signal bye_received(reason: String)

## [member state] has changed.
signal state_changed(state: State)

## A frame that is not about the connection itself has arrived. Whatever is connected here applies
## it before it returns, or calls [method reject]; a numbered frame is then acknowledged. Frames of the bulk lane come
## here only when [member receiver] has no [code]wasgo_prepare[/code].
signal frame_received(kind: String, frame: Dictionary)

## A numbered frame could not be applied, and the sidecar was told so.
signal frame_rejected(message: String)

## The sidecar has called [param method] of the node at [param path], as [member allowed_calls] allows.
signal call_received(path: String, method: String)

## Where a connection is between being closed and being open.
enum State {
	CLOSED,  ## Not connected, and not trying to be.
	WAITING,  ## Pausing before the next attempt.
	CONNECTING,  ## Waiting for TCP, TLS, the web server or the socket.
	GREETING,  ## Said hello, waiting for welcome.
	OPEN,  ## Frames flow.
}

## The version of the wire protocol spoken here.
const PROTOCOL := 2
## The largest frame that may be sent, in bytes.
const MAX_SENT_FRAME := 16 * 1024 * 1024
## The first and the longest pause between attempts, in milliseconds. Chance makes each up to a quarter longer, so that many engines do not come
## back at once.
const FIRST_PAUSE_MS := 250
const LAST_PAUSE_MS := 5000
## The group of nodes that are viewers by being in it.
const VIEWERS := &"wasgo_viewer"
## The group that every client is in.
const CLIENTS := &"wasgo_client"

const _Allowed := preload("client/allowed.gd")
const _Answer := preload("answer.gd")
const _Calls := preload("client/calls.gd")
const _Check := preload("check.gd")
const _Exports := preload("client/exports.gd")
const _Handshake := preload("client/handshake.gd")
const _Inputs := preload("client/inputs.gd")
const _Lanes := preload("client/lanes.gd")
const _Meter := preload("client/meter.gd")
const _Monitors := preload("client/monitors.gd")
const _Opening := preload("client/opening.gd")
const _Plain := preload("client/plain.gd")
const _Receivers := preload("client/receivers.gd")
const _Requests := preload("client/requests.gd")
const _Session := preload("client/session.gd")
const _Settings := preload("client/settings.gd")
const _Transport := preload("client/transport.gd")
const _Url := preload("client/url.gd")
const _Viewers := preload("client/viewers.gd")
const _MAX_REASON := 500
const _TELL_DEBUGGER_MS := 500
# What live frames leave of a tick to frames of the bulk lane that wait.
const _LIVE_SHARE := 0.75

## Where the sidecar listens: [code]tcp://host:port[/code], [code]tls://host:port[/code], [code]ws://host:port/path[/code] and
## [code]wss://host:port/path[/code] (through a web server), or [code]unix:///path[/code] (of a socket; Godot 4.6 and later).
@export var url := "tcp://127.0.0.1:7777"
## The secret that both know. It never crosses the wire. When empty, the environment variable is taken that the project's settings name
## ([code]WASGO_TOKEN[/code]).
@export var token := ""
## The name of the world to show; empty for none.
@export var world := ""
## Which zone of the world this engine is for.
@export var zone := ""
## Connects as soon as the node is in the tree.
@export var auto_connect := true
## Connects in the editor too, as part of the scene that is being edited.
@export var run_in_editor := false

@export_group("TLS")
## Whom to trust for [code]tls://[/code] and [code]wss://[/code]: the sidecar's certificate or that of who signed it. When empty, [member tls_certificate_path] counts.
@export var tls_certificate: X509Certificate
## A file with that certificate. When empty too, those whom the system trusts are.
@export_file("*.crt", "*.pem") var tls_certificate_path := ""
## The name that the sidecar's certificate is for, when it is not that of the host.
@export var tls_common_name := ""

@export_group("Limits")
## How many milliseconds of a tick may go into frames. One frame, and one piece of a large one, are dealt with in every tick,
## however long they take.
@export_range(0.1, 100.0, 0.1, "suffix:ms") var tick_budget_ms := 6.0
## How many bytes of large frames the sidecar may have sent without having been told that they are built.
@export_range(65536, 268435456) var window_bytes := 4 * 1024 * 1024
## How many milliseconds of this engine's main thread these may be expected to take.
@export_range(1.0, 1000.0, 0.5, "suffix:ms") var window_work_ms := 40.0
## The largest frame that is accepted, in bytes.
@export_range(65536, 67108864) var max_frame_bytes := 64 * 1024 * 1024

@export_group("Calls")
## What the sidecar may call, each as [code]path:method[/code]. Paths start at the root of the scene, [code]*[/code] stands for any one node's name in
## a path, [code].[/code] for the root itself: [code]"Doors/*:open"[/code].
@export var allowed_calls := PackedStringArray()
## Nodes that the sidecar may have exported, by their paths as above.
@export var allowed_exports := PackedStringArray()

@export_group("Viewers")
## Nodes that look at the world, besides those in the group [constant VIEWERS] and those of [method set_viewer].
@export var viewer_paths: Array[NodePath] = []
## How far these see, in metres, where their metadata has no [code]wasgo_radius[/code].
@export_range(1.0, 100000.0, 1.0, "suffix:m") var viewer_radius := 500.0
## How often the sidecar is told of viewers at most, when one has moved by more than half a metre.
@export_range(0.1, 60.0, 0.1, "suffix:Hz") var viewer_hz := 5.0

@export_group("Input")
## Sends input events to the sidecar.
@export var forward_input := false:
	set(value):
		forward_input = value
		set_process_input(value and _is_running())
## Which, by their classes, such as [code]InputEventKey[/code].
@export var input_classes := PackedStringArray()
## And which, by the actions of the project's input map that they stand for.
@export var input_actions := PackedStringArray()

## Builds what comes: an object with any of [code]wasgo_is_ready() -> bool[/code] (whether it can tell what it holds; nothing is said to the
## sidecar before that), [code]wasgo_resume() -> Dictionary[/code], [code]wasgo_opened(world, is_resumed_world)[/code],
## [code]wasgo_prepare(kind, frame) -> Object[/code] and [code]wasgo_status() -> Dictionary[/code]. A [WasgoWorld3D] sets itself. Where
## [code]wasgo_preparer() -> Object[/code] names another object, that has [code]wasgo_prepare[/code]. Worker threads call it: a [RefCounted] one is kept until
## they have ended, for any other the main thread waits when this is set to another, or it leaves the tree.
var receiver: Object:
	set = _set_receiver
## Where the connection is. Read only.
var state: State = State.CLOSED
## Why the last attempt or connection ended, for people. Read only.
var last_problem := ""
## What the sidecar calls itself. Read only.
var server := ""
## Counts the connections that were opened. Read only.
var connection := 0
## Numbered frames since the connection opened. Read only.
var numbered_frames: int:
	get:
		return _session.frames if _session != null else 0
## The bytes of these, their length fields included. Read only.
var numbered_bytes: int:
	get:
		return _session.bytes if _session != null else 0
## The number of the last frame of the bulk lane that has come, and of the last one that has been dealt with, with all before it. Read only.
var bulk_taken: int:
	get:
		return _lanes.bulk_taken
var bulk_done: int:
	get:
		return _lanes.bulk_done
## Frames answered with an error since the connection opened. Read only.
var rejected_frames := 0

var _link: _Transport
var _opening: _Opening
var _session: _Session
var _lanes := _Lanes.new()
var _calls := _Calls.new()
var _requests := _Requests.new()
var _viewers := _Viewers.new()
var _inputs := _Inputs.new()
var _exports := _Exports.new()
var _meter := _Meter.new()
var _monitors := _Monitors.new()
var _identity := ""
var _heartbeat_ms := 0
var _opened_at := 0
var _ping_at := 0
var _retry_at := 0
var _pause_ms := FIRST_PAUSE_MS
var _tell_debugger_at := 0


func _init() -> void:
	# A game that is paused would otherwise lose its sidecar to silence.
	process_mode = Node.PROCESS_MODE_ALWAYS
	# In the editor the project's settings would be saved with every scene.
	if not Engine.is_editor_hint():
		url = _Settings.value("wasgo/connection/url")
		world = _Settings.value("wasgo/connection/world")
		zone = _Settings.value("wasgo/connection/zone")
		tls_certificate_path = _Settings.value("wasgo/connection/tls_certificate")
		tick_budget_ms = _Settings.value("wasgo/limits/tick_budget_ms")
		window_work_ms = _Settings.value("wasgo/limits/window_work_ms")
		window_bytes = clampi(_Settings.value("wasgo/limits/window_kilobytes") as int, 64, 262_144) * 1024
		max_frame_bytes = clampi(_Settings.value("wasgo/limits/max_frame_kilobytes") as int, 64, 65_536) * 1024


func _enter_tree() -> void:
	add_to_group(CLIENTS)
	set_process(_is_running())
	set_process_input(forward_input and _is_running())
	if not _is_running():
		return
	_monitors.add({
		"bytes per second": func() -> float: return _meter.bytes_in_per_second,
		"main thread ms": func() -> float: return _meter.tick_ms,
		"longest tick ms": func() -> float: return _meter.longest_tick_ms,
		"frames waiting": func() -> int: return _lanes.arrivals.size() + _lanes.bulk.size(),
		"chunks": func() -> int: return _Receivers.count_of(receiver, "chunks"),
		"nodes": func() -> int: return _Receivers.count_of(receiver, "nodes"),
	})
	if auto_connect:
		start()


func _exit_tree() -> void:
	stop("the node left the tree")
	_wait_for_receiver()
	_exports.abandon()
	_monitors.remove()
	if EngineDebugger.is_active():
		EngineDebugger.send_message("wasgo:gone", [get_instance_id()])


func _process(_delta: float) -> void:
	var began := Time.get_ticks_usec()
	var now := Time.get_ticks_msec()
	_meter.parts.clear()
	_requests.watch(now)
	_calls.watch()
	match state:
		State.WAITING:
			if now >= _retry_at:
				_dial()
		State.CONNECTING, State.GREETING:
			# It says hello when it can say what it holds soon after that.
			if state == State.GREETING or world == "" or _Receivers.is_ready(receiver):
				_open_further(now)
		State.OPEN:
			_converse(began, now)
	_meter.tick(now, Time.get_ticks_usec() - began, _link.bytes_in if _link != null else 0, _link.bytes_out if _link != null else 0)
	if now >= _tell_debugger_at and EngineDebugger.is_active():
		_tell_debugger_at = now + _TELL_DEBUGGER_MS
		EngineDebugger.send_message("wasgo:status", [get_instance_id(), status()])


func _input(event: InputEvent) -> void:
	if state == State.OPEN:
		_inputs.take(event, input_classes, input_actions)


## Starts to connect, and to connect again whenever the connection is lost. Does nothing when that
## is so already.
func start() -> void:
	if state == State.CLOSED:
		_pause_ms = FIRST_PAUSE_MS
		_dial()


## Says bye for [param reason], closes the connection and makes no other. Does nothing when closed.
func stop(reason := "stopped") -> void:
	if state == State.CLOSED:
		return
	if state == State.OPEN:
		send_frame({"t": "bye", "reason": reason.left(_MAX_REASON)})
		_link.flush()
	_end(reason, false)


## Whether frames flow.
func is_open() -> bool:
	return state == State.OPEN


## Sends [param frame], whose keys are Strings and whose [code]"t"[/code] is its kind. It is queued,
## and goes out as the socket takes it. Returns [constant ERR_UNCONFIGURED] when the connection is
## not open, [constant ERR_INVALID_PARAMETER] when the frame has no kind or is over
## [constant MAX_SENT_FRAME], [constant ERR_OUT_OF_MEMORY] when more than 32 MiB would wait.
func send_frame(frame: Dictionary) -> Error:
	if state != State.OPEN:
		return ERR_UNCONFIGURED
	if typeof(frame.get("t")) != TYPE_STRING:
		return ERR_INVALID_PARAMETER
	var bytes := var_to_bytes(frame)
	return _link.put_frame(bytes) if bytes.size() <= MAX_SENT_FRAME else ERR_INVALID_PARAMETER


## Answers the numbered frame [param frame] with an error: it could not be applied, and
## [param message] says why. Frames that have no number are passed over.
func reject(frame: Dictionary, message: String) -> void:
	var lane := "bulk" if frame.has("bulk") else "seq"
	if typeof(frame.get(lane)) != TYPE_INT:
		return
	rejected_frames += 1
	var text := message.left(_MAX_REASON)
	_meter.note("refused: " + text)
	send_frame({"t": "error", lane: frame[lane], "message": text})
	frame_rejected.emit(text)


## Tells the sidecar of something that happens in the game: [param data] is plain data, and [param node] may be the path of the node that it is
## about. Returns what [method send_frame] does, and [constant ERR_INVALID_DATA] where [param data] holds objects.
func send_event(event: String, data: Variant = null, node := "") -> Error:
	if _Plain.wrong_with(data, "data") != "":
		return ERR_INVALID_DATA
	return send_frame({"t": "event", "name": event, "node": node, "data": data})


## Asks the sidecar's function [param function] with [param args], which are plain data, and waits for its answer for [param timeout_s] seconds
## at most. 64 requests may wait at once. What cannot be asked, or is not answered, comes as an answer with an error; it always comes.
func request(function: String, args: Array = [], timeout_s := 10.0) -> _Answer:
	var answer := _requests.ask(function, args, timeout_s, send_frame if state == State.OPEN else Callable())
	if not answer.is_settled:
		await answer.settled
	return answer


## Tells the sidecar that the viewer [param id] looks at the world from [param position] (in the engine's world space), [param radius] metres far. Returns
## [constant ERR_INVALID_PARAMETER] for numbers that make no sense, [constant ERR_OUT_OF_MEMORY] for more than 1,024 viewers.
func set_viewer(id: int, position: Vector3, radius: float) -> Error:
	return _viewers.set_viewer(id, position, radius)


## The viewer [param id], of [method set_viewer], looks no more.
func remove_viewer(id: int) -> void:
	_viewers.remove_viewer(id)


## Sends [param node] and what is below it to the sidecar as a glTF file that is called [param scene_name]. It is copied at once, the rest
## happens on a worker thread. Returns [constant ERR_UNCONFIGURED] when the connection is not open, [constant ERR_BUSY] when
## 4 exports are under way, [constant ERR_CANT_CREATE] when the engine cannot.
func export_scene(node: Node, scene_name: String) -> Error:
	if state != State.OPEN:
		return ERR_UNCONFIGURED
	if _exports.size() >= _Exports.MAX_EXPORTS:
		return ERR_BUSY
	return OK if _exports.begin(node, scene_name.left(_Check.MAX_TEXT), 0) == "" else ERR_CANT_CREATE


## What there is to know about the connection, as plain data: its state and partner, bytes and frames, the main thread's time, the lengths of
## queues, what the receiver holds, and the last 32 errors.
func status() -> Dictionary:
	var is_linked := _link != null
	return {
		"name": str(get_path()) if is_inside_tree() else str(name), "state": State.find_key(state), "problem": last_problem,
		"url": url, "server": server, "world": world, "identity": _identity, "zone": zone, "connection": connection,
		"bytes_in": _link.bytes_in if is_linked else 0, "bytes_out": _link.bytes_out if is_linked else 0,
		"bytes_in_per_second": _meter.bytes_in_per_second, "bytes_out_per_second": _meter.bytes_out_per_second,
		"frames": numbered_frames, "frame_bytes": numbered_bytes, "rejected": rejected_frames,
		"tick_ms": _meter.tick_ms, "longest_tick_ms": _meter.longest_tick_ms, "bulk_work_ms": _lanes.work_usec / 1000.0,
		"arrivals": _lanes.arrivals.size(), "bulk": _lanes.bulk.size(), "outbox_bytes": _link.waiting() if is_linked else 0,
		"requests": _requests.size(), "calls": _calls.under_way, "exports": _exports.size(), "inputs_dropped": _inputs.dropped,
		"receiver": _Receivers.status_of(receiver), "errors": _meter.errors.duplicate(),
	}


## What the main thread's time in the last tick went into, in microseconds by part: [code]receive[/code], [code]decode[/code], [code]live[/code],
## [code]start[/code], [code]send[/code], and the steps of large frames.
func tick_parts() -> Dictionary[StringName, int]:
	return _meter.parts.duplicate()


func _is_running() -> bool:
	return run_in_editor or not Engine.is_editor_hint()


func _set_state(to: State) -> void:
	if state != to:
		state = to
		state_changed.emit(to)


func _dial() -> void:
	var to := _Url.new(url)
	var certificate := tls_certificate
	var wrong := to.wrong
	if to.is_encrypted() and certificate == null and tls_certificate_path != "":
		certificate = X509Certificate.new()
		if certificate.load(tls_certificate_path) != OK:
			wrong = "%s has no certificate" % tls_certificate_path
	if wrong != "":
		_end(wrong, false)
		return
	var secret := token
	if secret == "":
		secret = OS.get_environment(_Settings.value("wasgo/connection/token_environment_variable") as String)
	var version: String = Engine.get_version_info().get("string", "")
	_opening = _Opening.new(to, url, certificate, tls_common_name, _Handshake.new(secret, world.left(_Check.MAX_TEXT),
			zone.left(_Check.MAX_TEXT), "wasgo add-on, Godot " + version))
	_link = _opening.link
	_set_state(State.CONNECTING)


func _open_further(now: int) -> void:
	_opening.go_on(now)
	match _opening.stage:
		_Opening.Stage.GREETING:
			_set_state(State.GREETING)
		_Opening.Stage.WELCOMED:
			_open(now)
		_Opening.Stage.REFUSED:
			var reason := _opening.problem
			_end("refused: " + reason, reason == "full" or reason == "zone")
			refused.emit(reason)
		_Opening.Stage.FAILED:
			_end(_opening.problem, true)


func _open(now: int) -> void:
	var welcome := _opening.handshake
	_opening = null
	server = welcome.server
	_heartbeat_ms = welcome.heartbeat_ms
	var is_same := welcome.world != "" and welcome.world == _identity
	_identity = welcome.world
	connection += 1
	rejected_frames = 0
	_opened_at = now
	_ping_at = now + _heartbeat_ms
	_session = _Session.new(_link, _lanes, _handle, reject, _meter)
	_calls = _Calls.new()
	_viewers.forget()
	last_problem = ""
	_set_state(State.OPEN)
	var session := _session
	_Receivers.tell_opened(receiver, _identity, is_same)
	if world != "" and send_frame(_Receivers.resume_of(receiver)) == ERR_INVALID_PARAMETER:
		# What it holds does not fit into a frame.
		_Receivers.tell_opened(receiver, _identity, false)
		send_frame(_Receivers.resume_of(null))
	if not session.is_over:
		connected.emit(server)


# A tick of a connection: small frames, then large ones, then answers. Silence, and the end of what the peer sent, show only
# once everything that arrived was dealt with.
func _converse(began: int, now: int) -> void:
	var session := _session
	var budget := tick_budget_ms * 1000.0
	var until := began + int(budget)
	_link.poll(until)
	_meter.spend(&"receive", began)
	var wrong := session.take_in(until if _lanes.bulk.is_empty() else began + int(budget * _LIVE_SHARE), max_frame_bytes, window_bytes)
	if wrong == "" and not session.is_over:
		var starting := Time.get_ticks_usec()
		_lanes.start_bulk(_Receivers.preparer_of(receiver))
		_meter.spend(&"start", starting)
		wrong = session.apply_bulk(until)
	# Whoever got a frame may have called stop, or start.
	if session.is_over:
		return
	if wrong != "":
		_end(wrong, true)
		return
	var later := Time.get_ticks_usec()
	_lanes.start_bulk(_Receivers.preparer_of(receiver))
	later = _meter.spend(&"start", later)
	_tell(now)
	if now >= _ping_at:
		# Where the wire is slow, the sidecar's own ping may stand behind a large frame, and with it the answer.
		_ping_at = now + _heartbeat_ms
		send_frame({"t": "ping", "time": now})
	for frame: Dictionary in _lanes.answers(window_bytes, int(window_work_ms * 1000.0)):
		if send_frame(frame) != OK:
			_end("the sidecar does not read its answers", true)
			return
	_link.flush()
	_meter.spend(&"send", later)
	if session.is_farewell():
		bye_received.emit(session.farewell)
		if not session.is_over:
			_end("bye: " + session.farewell, true)
	elif _link.is_drained and _lanes.is_empty():
		if _link.status == _Transport.Status.GONE:
			_end(_link.problem, true)
		elif now - _link.heard_at > 3 * _heartbeat_ms:
			_end("heard nothing for %d ms" % (now - _link.heard_at), true)


# A frame that is to be applied, or that has no number.
func _handle(kind: String, frame: Dictionary) -> void:
	if frame.has("seq") or frame.has("bulk"):
		frame_received.emit(kind, frame)
		return
	match kind:
		"ping":
			if typeof(frame.get("time")) == TYPE_INT:
				send_frame({"t": "pong", "time": frame["time"]})
		"pong", "challenge", "welcome", "refuse":
			pass
		"call":
			_handle_call(frame)
		"answer":
			_requests.take(frame)
		"export":
			var wrong := _exports.take(frame, _Allowed.root_of(self), allowed_exports)
			if wrong != "":
				send_frame({"t": "answer", "id": frame["id"], "error": wrong})
		_:
			frame_received.emit(kind, frame)


func _handle_call(frame: Dictionary) -> void:
	var session := _session
	var reply := func(answer: Dictionary) -> void:
		if not session.is_over and send_frame(answer) == ERR_INVALID_PARAMETER:
			send_frame({"t": "answer", "id": answer["id"], "error": "the result is too large"})
	if _calls.take(frame, _Allowed.root_of(self), allowed_calls, reply):
		call_received.emit(frame["path"], frame["method"])


# What the sidecar is told without having asked.
func _tell(now: int) -> void:
	if _viewers.is_due(now, viewer_hz):
		var space := receiver as Node3D if is_instance_valid(receiver) else null
		var news := _viewers.news(now, viewer_hz, _Viewers.nodes_of(self, viewer_paths, VIEWERS), viewer_radius, space)
		if not news.is_empty():
			send_frame(news)
	for frame: Dictionary in _inputs.gathered():
		send_frame(frame)
	for frame: Dictionary in _exports.ended():
		send_frame(frame)


func _set_receiver(to: Object) -> void:
	if is_instance_valid(receiver) and receiver == to:
		return
	if is_instance_valid(receiver) and receiver is Node:
		(receiver as Node).tree_exiting.disconnect(_on_receiver_leaving)
	_on_receiver_leaving()
	receiver = to
	_identity = ""
	if to is Node:
		(to as Node).tree_exiting.connect(_on_receiver_leaving)


# Frames that it was given may be lost, so another connection is made, which begins with what it has.
func _on_receiver_leaving() -> void:
	_wait_for_receiver()
	if state == State.OPEN:
		_end("what the frames are for has left", true)


# What counts its references lives for as long as a worker thread is in it; anything else may be freed at once.
func _wait_for_receiver() -> void:
	var preparer := _Receivers.preparer_of(receiver)
	if preparer != null and preparer is not RefCounted:
		_lanes.quiesce()


# Ends the connection or the attempt, and plans another when there is to be one.
func _end(reason: String, again: bool) -> void:
	var was_open := state == State.OPEN
	last_problem = reason
	if not reason.begins_with("stopped"):
		_meter.note(reason)
	if _link != null:
		_link.close()
		_link = null
	_opening = null
	if _session != null:
		_session.is_over = true
	_lanes.reset()
	var now := Time.get_ticks_msec()
	# A connection that lasted was a good one; one that breaks at once would break again.
	if was_open and now - _opened_at > _pause_ms:
		_pause_ms = FIRST_PAUSE_MS
	if again:
		_retry_at = now + int(_pause_ms * randf_range(1.0, 1.25))
		_pause_ms = mini(_pause_ms * 2, LAST_PAUSE_MS)
	_set_state(State.WAITING if again else State.CLOSED)
	_requests.fail("the connection ended: " + reason)
	if was_open:
		disconnected.emit(reason)
