extends Node3D
## A Godot server with a Wasgo sidecar beside it; one zone of a world, where it is told which.
##
## Takes the arguments of [code]arguments.gd[/code] after [code]--[/code] on the command line. Ends with status 0 when the
## sidecar says bye, with 1 when no connection could be opened within [constant PATIENCE_MS], when it was refused for good or
## when an argument makes no sense.

## How long the sidecar may take to be there, in milliseconds.
const PATIENCE_MS := 20_000

const _Arguments := preload("arguments.gd")
const _Client := preload("res://addons/wasgo/client.gd")

var _was_connected := false

@onready var _client: _Client = $World/Client


func _ready() -> void:
	var arguments := _Arguments.new()
	for named: String in arguments.others:
		arguments.wrong = "unknown argument \"--%s\"" % named
	if arguments.wrong != "":
		printerr("wasgo: ", arguments.wrong)
		get_tree().quit(1)
		return
	arguments.apply(_client)
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
