extends SceneTree
## How long it takes from asking for a chunk to seeing it, for measuring.
##
## Takes --port=, --token=, --world=, --size= (a chunk's side, metres) and --count= after -- on the command line. A viewer jumps from the middle of one chunk to that of another far away,
## waits until that one is there, rests, and jumps again. Prints "shown" and a JSON object, and ends.

const Client := preload("res://addons/wasgo/client.gd")
const World := preload("res://addons/wasgo/world_3d.gd")
const REST_MS := 300

var client := Client.new()
var world := World.new()
var _size := 64.0
var _count := 100
var _asked := 0
var _rest_until := 0
var _took := PackedFloat64Array()


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	for argument: String in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
		match argument.get_slice("=", 0):
			"--port":
				client.url = "tcp://127.0.0.1:" + value
			"--token":
				client.token = value
			"--world":
				client.world = value
			"--size":
				_size = value.to_float()
			"--count":
				_count = value.to_int()
	client.viewer_hz = 60.0
	world.cache_megabytes = 0
	world.chunk_built.connect(_on_built)
	world.add_child(client)
	root.add_child(world)


func _process(_delta: float) -> bool:
	if client.is_open() and _asked == 0 and Time.get_ticks_msec() > _rest_until:
		_asked = Time.get_ticks_usec()
		# The first ones warm up what is to be measured.
		client.set_viewer(1, Vector3((_took.size() * 40 + 0.5) * _size, 0.0, 0.5 * _size), 1.0)
	return false


func _on_built(_key: String, _chunk: Node3D) -> void:
	if _asked == 0:
		return
	_took.append((Time.get_ticks_usec() - _asked) * 1.0e-3)
	_asked = 0
	_rest_until = Time.get_ticks_msec() + REST_MS
	if _took.size() >= _count + 10:
		_took = _took.slice(10)
		_took.sort()
		print("shown ", JSON.stringify({"count": _took.size(), "p50_ms": _took[_took.size() / 2],
				"p99_ms": _took[int(_took.size() * 0.99)], "max_ms": _took[-1]}))
		quit(0)
