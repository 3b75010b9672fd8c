extends SceneTree
## An engine that shows a world, for tests that are driven by a sidecar, and that keeps an eye on what it is told.
##
## Takes --port= (or --url=), --token=, --world=, --zone=, --view= (metres around the origin; none unless given), --cache= (a folder) and --patience= (seconds) after -- on the
## command line. Tells on standard output what becomes of the connection, and "wrong" with what must not happen: a change of the world that
## comes twice or out of order. The sidecar may call Eye:held, Eye:wrongs and Eye:look.

const Client := preload("res://addons/wasgo/client.gd")
const World := preload("res://addons/wasgo/world_3d.gd")

## What the sidecar calls.
class Eye:
	extends Node
	var world: World
	var client: Client
	var wrong: Array[String] = []
	var applied: Dictionary[int, int] = {}

	## The nodes that are there: by their ids, their names, their places and how often they were made.
	func held() -> Dictionary:
		var found := {}
		for id: int in applied:
			var node := world.get_spawned(id)
			if node != null:
				found[id] = [String(node.name), node.position, applied[id]]
		return found

	func wrongs() -> Array:
		var found := []
		found.assign(wrong)
		return found

	func chunks() -> PackedStringArray:
		return world.get_chunk_keys()

	## The one viewer moves.
	func look(place: Vector3, radius: float) -> void:
		client.set_viewer(1, place, radius)

var client := Client.new()
var world := World.new()
var eye := Eye.new()
var _patience_ms := 50_000
var _rev := 0


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	print("pid ", OS.get_process_id())
	var view := 0.0
	for argument: String in OS.get_cmdline_user_args():
		var value := argument.substr(argument.find("=") + 1)
		match argument.get_slice("=", 0):
			"--port":
				client.url = "tcp://127.0.0.1:" + value
			"--url":
				client.url = value
			"--token":
				client.token = value
			"--world":
				client.world = value
			"--zone":
				client.zone = value
			"--view":
				view = value.to_float()
			"--cache":
				world.cache_folder = value
			"--patience":
				_patience_ms = int(value.to_float() * 1000.0)
	eye.name = "Eye"
	eye.world = world
	eye.client = client
	root.add_child(eye)
	client.allowed_calls = PackedStringArray(["Eye:held", "Eye:wrongs", "Eye:look", "Eye:chunks"])
	client.connected.connect(func(server: String) -> void: print("connected ", server))
	client.disconnected.connect(func(reason: String) -> void: print("disconnected ", reason))
	client.frame_received.connect(_on_frame)
	world.node_spawned.connect(func(id: int, _node: Node3D) -> void: eye.applied[id] = eye.applied.get(id, 0) + 1)
	world.add_child(client)
	root.add_child(world)
	if view > 0.0:
		client.set_viewer(1, Vector3.ZERO, view)


func _process(_delta: float) -> bool:
	if Time.get_ticks_msec() > _patience_ms:
		print("out of patience")
		quit(1)
	return false


# Before the world, which is connected to the same signal later.
func _on_frame(kind: String, frame: Dictionary) -> void:
	if kind == "resumed":
		var rev: Variant = frame.get("rev")
		print("resumed ", "anew" if frame.get("reset") else "from %d" % _rev)
		if frame.get("reset"):
			_rev = 0
		elif typeof(rev) == TYPE_INT and rev < _rev:
			_complain("resumed at %d after %d" % [rev, _rev])
	elif typeof(frame.get("rev")) == TYPE_INT:
		var rev: int = frame["rev"]
		if rev < _rev:
			_complain("%s of %d after %d" % [kind, rev, _rev])
		_rev = rev


func _complain(words: String) -> void:
	print("wrong: ", words)
	eye.wrong.append(words)
