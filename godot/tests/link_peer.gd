extends SceneTree
## A world and its client, for tests that are driven by a sidecar. Takes --port= and --token= after -- on
## the command line, tells on standard output what becomes of the connection, and goes on until it is
## ended.
##
## A frame of the kind "test rays", with "places" as a PackedVector3Array, drops a ray 1,000 m down from
## each, and prints "rays" with the heights of what was hit, "none" for nothing.

const Client := preload("res://addons/wasgo/client.gd")
const World := preload("res://addons/wasgo/world_3d.gd")
const PATIENCE_MS := 50_000

var client := Client.new()
var world := World.new()


func _initialize() -> void:
	# Without a display a tick takes 7 ms, most of it asleep.
	OS.low_processor_usage_mode_sleep_usec = 500
	for argument: String in OS.get_cmdline_user_args():
		if argument.begins_with("--port="):
			client.url = "tcp://127.0.0.1:" + argument.trim_prefix("--port=")
		elif argument.begins_with("--token="):
			client.token = argument.trim_prefix("--token=")
	client.connected.connect(func(server: String) -> void: print("connected ", server))
	client.disconnected.connect(func(reason: String) -> void: print("disconnected ", reason))
	client.frame_received.connect(_on_frame)
	world.add_child(client)
	root.add_child(world)


func _process(_delta: float) -> bool:
	if Time.get_ticks_msec() > PATIENCE_MS:
		quit(1)
	return false


func _on_frame(kind: String, frame: Dictionary) -> void:
	if kind == "test rays" and typeof(frame.get("places")) == TYPE_PACKED_VECTOR3_ARRAY:
		_cast(frame["places"] as PackedVector3Array)


func _cast(places: PackedVector3Array) -> void:
	# Bodies are where they belong after a step of the physics.
	await physics_frame
	await physics_frame
	var space := world.get_world_3d().direct_space_state
	var found := PackedStringArray()
	for place: Vector3 in places:
		var hit := space.intersect_ray(PhysicsRayQueryParameters3D.create(place, place + Vector3.DOWN * 1000.0))
		found.append("%.4f" % (hit["position"] as Vector3).y if not hit.is_empty() else "none")
	print("rays ", " ".join(found))
