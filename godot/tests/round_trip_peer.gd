extends SceneTree
## Nodes with scripts, for measuring: from a node's tick to the property that its script sets.
##
## Takes --port=, --token=, --nodes= and --seconds= after -- on the command line. Each node sends the time with its tick, the script sends it
## back, and the property's setter looks at the clock. Prints "round trips" and a JSON object, and ends.

const Client := preload("res://addons/wasgo/client.gd")
const World := preload("res://addons/wasgo/world_3d.gd")
const Script_ := preload("res://addons/wasgo/script_node.gd")

class Stamped:
	extends Node3D
	static var trips := PackedFloat64Array()
	## What goes along with a tick: the time, in seconds.
	var stamp: float:
		get:
			return Time.get_ticks_usec() * 1.0e-6
	## What comes back.
	var echoed: float:
		set(value):
			trips.append(Time.get_ticks_usec() * 1.0e-3 - value * 1.0e3)

var client := Client.new()
var world := World.new()
var _nodes := 1000
var _seconds := 10.0
var _hz := 20.0
var _until := 0
var _frames := PackedFloat64Array()
var _last := 0


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	for argument: String in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--port":
				client.url = "tcp://127.0.0.1:" + value
			"--token":
				client.token = value
			"--nodes":
				_nodes = value.to_int()
			"--seconds":
				_seconds = value.to_float()
			"--hz":
				_hz = value.to_float()
	world.add_child(client)
	root.add_child(world)
	for i: int in _nodes:
		var node := Stamped.new()
		var script := Script_.new()
		script.script_name = "echo"
		script.allowed = PackedStringArray(["echoed"])
		script.inputs = PackedStringArray(["stamp"])
		script.hz = _hz
		node.add_child(script)
		world.add_child(node)


func _process(_delta: float) -> bool:
	var now := Time.get_ticks_usec()
	if _last > 0 and _until > 0:
		_frames.append((now - _last) * 1.0e-3)
	_last = now
	if _until == 0 and Stamped.trips.size() >= _nodes:
		# All of them are running.
		Stamped.trips.clear()
		_until = now + int(_seconds * 1.0e6)
	elif _until > 0 and now >= _until:
		_tell()
		quit(0)
	return false


func _tell() -> void:
	var trips := Stamped.trips
	trips.sort()
	_frames.sort()
	print("round trips ", JSON.stringify({"count": trips.size(), "per_second": trips.size() / _seconds,
			"p50_ms": _at(trips, 0.5), "p99_ms": _at(trips, 0.99), "max_ms": trips[-1] if not trips.is_empty() else -1.0,
			"frame_p50_ms": _at(_frames, 0.5), "frame_p99_ms": _at(_frames, 0.99)}))


func _at(sorted: PackedFloat64Array, share: float) -> float:
	return sorted[int(sorted.size() * share)] if not sorted.is_empty() else -1.0
