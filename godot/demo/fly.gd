extends Node3D
## Flies over a world that a Wasgo sidecar streams: by hand, or along a path that the command line gives.
##
## Besides the arguments of [code]arguments.gd[/code]: [code]--fly-path=x,y,z;x,y,z[/code] flies from point to point and ends the
## program, at [code]--fly-speed=[/code] metres a second (30), writing what it measures as lines of JSON to [code]--fly-out=[/code] or standard
## output; [code]--fly-radius=[/code] is how far the camera sees, in metres (500); [code]--fly-wait=[/code] how many seconds it waits at the
## start (3). Runs without a display too. The status is 0 at the end of the path, 1 when there was no sidecar.

const _Arguments := preload("arguments.gd")
const _Client := preload("res://addons/wasgo/client.gd")
const _FlyCamera := preload("fly_camera.gd")
const _FlyOver := preload("fly_over.gd")
const _World := preload("res://addons/wasgo/world_3d.gd")
const _PATIENCE_MS := 20_000

var _flight: _FlyOver
var _wait := 3.0
var _was_connected := false

@onready var _world: _World = $World
@onready var _client: _Client = $World/Client
@onready var _camera: _FlyCamera = $Camera
@onready var _text: Label = $Screen/Text


func _ready() -> void:
	var arguments := _Arguments.new()
	arguments.apply(_client)
	var radius := arguments.number("fly-radius", 500.0)
	_camera.set_meta(&"wasgo_radius", radius)
	_camera.far = radius * 4.0
	_camera.speed = arguments.number("fly-speed", 30.0)
	_wait = arguments.number("fly-wait", 3.0)
	if arguments.others.has("fly-path"):
		_flight = _plan(arguments, radius)
	if arguments.wrong != "":
		printerr("fly: ", arguments.wrong)
		get_tree().quit(1)
		return
	if _flight != null:
		_camera.is_steered = false
		_camera.position = _flight.points[0]
		_world.chunk_built.connect(_flight.note_chunk)
		_world.chunk_removed.connect(_flight.forget_chunk)
	_client.connected.connect(func(_server: String) -> void: _was_connected = true)
	_client.start()


func _plan(arguments: _Arguments, radius: float) -> _FlyOver:
	var flight := _FlyOver.new()
	flight.radius = radius
	flight.speed = maxf(_camera.speed, 0.1)
	for point: String in arguments.others["fly-path"].split(";", false):
		var parts := point.split_floats(",")
		if parts.size() != 3:
			arguments.wrong = "--fly-path must be points such as 0,60,0;900,60,0, not \"%s\"" % point
			return flight
		flight.points.append(Vector3(parts[0], parts[1], parts[2]))
	if flight.points.is_empty():
		arguments.wrong = "--fly-path has no points"
	elif not flight.open(arguments.others.get("fly-out", "") as String):
		arguments.wrong = "--fly-out cannot be written"
	return flight


func _process(delta: float) -> void:
	_show()
	if _flight == null:
		return
	if not _was_connected:
		if Time.get_ticks_msec() > _PATIENCE_MS:
			printerr("fly: no sidecar at %s: %s" % [_client.url, _client.last_problem])
			get_tree().quit(1)
		return
	_wait -= delta
	if _wait <= 0.0 and _flight.go_on(_camera, delta, _client):
		get_tree().quit(0)


func _show() -> void:
	if DisplayServer.get_name() == "headless":
		return
	if not _client.is_open():
		_text.text = "No sidecar at %s yet%s\n\nStart one, and this connects by itself. In iex -S mix:\n\n    Wasgo.Godot.listen(port: 7777, token: \"a secret\")\n\n%s" % [
				_client.url, "" if _client.last_problem == "" else ": " + _client.last_problem,
				"The environment says where it is and what is secret: WASGO_URL and WASGO_TOKEN, or --wasgo-url= and --wasgo-token= after --"]
		return
	var status := _client.status()
	var held: Dictionary = status.get("receiver", {})
	_text.text = "%s\n%d chunks, %d nodes, %d from the cache\n%.1f MB received, %.0f kB/s\n%d frames a second, %.2f ms of each for Wasgo (longest %.2f)\n%.0f m/s   WASD, Q and E, mouse button to look, wheel for speed" % [
			status.get("server", ""), held.get("chunks", 0), held.get("nodes", 0), held.get("cached", 0), float(status.get("bytes_in", 0) as int) / 1e6,
			float(status.get("bytes_in_per_second", 0.0) as float) / 1e3, Engine.get_frames_per_second(), status.get("tick_ms", 0.0),
			status.get("longest_tick_ms", 0.0), _camera.speed]
