extends Node3D
## A game that is run from the editor, with a client that talks to the sidecar in there.

const Client := preload("res://addons/wasgo/client.gd")


class World:
	extends RefCounted
	var chunks := 0

	func wasgo_prepare(_kind: String, _frame: Dictionary) -> Object:
		return Job.new(self)

	func wasgo_status() -> Dictionary:
		return {"chunks": chunks, "nodes": 38}


class Job:
	extends RefCounted
	var error := ""
	var _world: World

	func _init(world: World) -> void:
		_world = world

	func step() -> bool:
		_world.chunks += 1
		return true


func _ready() -> void:
	var client := Client.new()
	client.name = "Client"
	client.receiver = World.new()
	client.world = "valley"
	client.zone = "north"
	# The editor, which has the sidecar in it, says where that is.
	var file := FileAccess.open("user://sidecar_url", FileAccess.READ)
	client.url = file.get_as_text()
	client.token = "secret"
	client.frame_received.connect(func(kind: String, frame: Dictionary) -> void:
		if kind == "spawn":
			client.reject(frame, "spawn: node 3: there is no mesh \"oak\""))
	add_child(client)
