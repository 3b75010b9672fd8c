extends SceneTree
## An engine that is run and watched by a sidecar. Takes where to connect to from its environment, as WASGO_URL and WASGO_TOKEN, and
## after -- on the command line what to do once it is connected, as --act=, or what to do at once, as --at-once=: "crash", "loop", "quit"
## (with status 1), "flood" or nothing. Ends with status 0 when it is told bye.

const Client := preload("res://addons/wasgo/client.gd")
const PATIENCE_MS := 50_000

var client := Client.new()


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	print("pid ", OS.get_process_id())
	client.url = OS.get_environment("WASGO_URL")
	client.bye_received.connect(func(_reason: String) -> void: quit(0))
	for argument: String in OS.get_cmdline_user_args():
		if argument.begins_with("--at-once="):
			_act(argument.trim_prefix("--at-once="))
			return
		if argument.begins_with("--act="):
			var what := argument.trim_prefix("--act=")
			client.connected.connect(func(_server: String) -> void: _act(what))
	root.add_child(client)


func _process(_delta: float) -> bool:
	if Time.get_ticks_msec() > PATIENCE_MS:
		quit(1)
	return false


func _act(what: String) -> void:
	match what:
		"crash":
			OS.crash("a test's crash")
		"loop":
			print("looping")
			while true:
				pass
		"quit":
			quit(1)
		"flood":
			for number: int in 100_000:
				push_error("flood ", number)
		"log":
			print("a line")
			push_warning("a warning")
			push_error("an error")
			_fail(null)


func _fail(nothing: Variant) -> void:
	nothing.missing()
