extends Node3D
## A Godot server with a Wasgo sidecar beside it.
##
## Takes [code]--wasgo-address=[/code], [code]--wasgo-port=[/code] and [code]--wasgo-token=[/code] after
## [code]--[/code] on the command line. Ends with status 0 when the sidecar says bye, with 1 when no
## connection could be opened within [constant PATIENCE_MS], when it was refused for good or when
## an argument makes no sense.

## How long the sidecar may take to be there, in milliseconds.
const PATIENCE_MS := 20_000

const _Client := preload("res://addons/wasgo/client.gd")

var _was_connected := false

@onready var _client: _Client = $World/Client


func _ready() -> void:
	if not _read_arguments():
		get_tree().quit(1)
		return
	if OS.get_environment("WASGO_OFFSCREEN") == "1":
		# Nobody looks at this display, so that drawing is for pictures alone.
		RenderingServer.render_loop_enabled = false
	_client.connected.connect(_on_connected)
	_client.disconnected.connect(func(reason: String) -> void: print("wasgo: disconnected: ", reason))
	_client.refused.connect(_on_refused)
	_client.bye_received.connect(_on_bye)
	_client.start()


func _process(_delta: float) -> void:
	if not _was_connected and Time.get_ticks_msec() > PATIENCE_MS:
		printerr("wasgo: no sidecar within %d s: %s" % [PATIENCE_MS / 1000, _client.last_problem])
		get_tree().quit(1)


func _read_arguments() -> bool:
	for argument: String in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1) if argument.contains("=") else ""
		if argument.begins_with("--wasgo-address="):
			_client.address = value
		elif argument.begins_with("--wasgo-token="):
			# A token may hold the sign itself.
			_client.token = argument.trim_prefix("--wasgo-token=")
		elif argument.begins_with("--wasgo-port="):
			if not value.is_valid_int() or value.to_int() < 1 or value.to_int() > 65535:
				printerr("wasgo: --wasgo-port must be from 1 to 65535, not \"%s\"" % value)
				return false
			_client.port = value.to_int()
		else:
			printerr("wasgo: unknown argument \"%s\"" % argument)
			return false
	return true


func _on_connected(server: String) -> void:
	_was_connected = true
	print("wasgo: connected to ", server)


func _on_refused(reason: String) -> void:
	printerr("wasgo: refused: ", reason)
	if _client.state == _Client.State.CLOSED:
		get_tree().quit(1)


func _on_bye(reason: String) -> void:
	print("wasgo: the sidecar says bye: ", reason)
	get_tree().quit(0)
