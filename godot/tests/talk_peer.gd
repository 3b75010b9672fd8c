extends SceneTree
## A client without a world, for tests that are driven by a sidecar. Takes --url=, --token=, and for TLS --name= and --certificate= (PEM, in base64)
## after -- on the command line. Prints what becomes of the connection and of attempts, a line for each frame of a kind that it does not know (its kind, and the SHA-256 of
## its "bytes"), and what the sidecar answers when it is told to ask.

const Answer := preload("res://addons/wasgo/answer.gd")
const Client := preload("res://addons/wasgo/client.gd")
const PATIENCE_MS := 50_000


class Door:
	extends MeshInstance3D

	func open(by: String, times: int = 1) -> String:
		return by.repeat(times)

	func later(value: Variant) -> Variant:
		await get_tree().create_timer(0.05).timeout
		return [value]


var client := Client.new()


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	for argument: String in OS.get_cmdline_user_args():
		var value := argument.substr(argument.find("=") + 1)
		if argument.begins_with("--url="):
			client.url = value
		elif argument.begins_with("--token="):
			client.token = value
		elif argument.begins_with("--name="):
			client.tls_common_name = value
		elif argument.begins_with("--certificate="):
			client.tls_certificate = X509Certificate.new()
			client.tls_certificate.load_from_string(Marshalls.base64_to_utf8(value))
	client.connected.connect(func(server: String) -> void: print("connected ", server))
	client.disconnected.connect(func(reason: String) -> void: print("disconnected ", reason))
	client.refused.connect(func(reason: String) -> void: print("refused ", reason))
	client.state_changed.connect(func(state: Client.State) -> void:
		if state == Client.State.WAITING:
			print("problem ", client.last_problem))
	client.frame_received.connect(_on_frame)
	client.allowed_calls = PackedStringArray(["Doors/*:open", "Doors/North:later"])
	client.allowed_exports = PackedStringArray(["Doors/North"])
	client.viewer_hz = 60.0
	var doors := Node3D.new()
	doors.name = "Doors"
	var door := Door.new()
	door.name = "North"
	door.mesh = BoxMesh.new()
	doors.add_child(door)
	root.add_child(doors)
	root.add_child(client)


func _process(_delta: float) -> bool:
	if Time.get_ticks_msec() > PATIENCE_MS:
		quit(1)
	return false


func _on_frame(kind: String, frame: Dictionary) -> void:
	match kind:
		"test ask":
			_ask(frame["name"] as String, frame["args"] as Array)
		"test speak":
			client.send_event("spoken", {"words": ["a", 1]}, "Doors/North")
			client.set_viewer(7, Vector3(1, 2, 3), 64.0)
			client.export_scene(root.get_node("Doors"), "doors")
		_:
			var context := HashingContext.new()
			context.start(HashingContext.HASH_SHA256)
			context.update(frame["bytes"] as PackedByteArray)
			print(kind, " ", context.finish().hex_encode())


func _ask(name: String, args: Array) -> void:
	var answer: Answer = await client.request(name, args, 5.0)
	print("answer ", var_to_str(answer.value) if answer.is_ok() else "error: " + answer.error)
