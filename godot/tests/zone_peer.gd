extends SceneTree
## The engine of a zone, for tests that are driven by a sidecar that has the world. Takes --port= or --url=, --token=, --world=, --zone=, --viewer= (x, z and a
## radius in metres), --cache= (a folder), --max-meshes= and --max-idle-meshes= after -- on the command line, tells on standard output what becomes of the connection, and goes on until it is ended.
##
## A call of the method "node_at" of "Peer" gives the position of the node of an id, and null where there is none.

const Client := preload("res://addons/wasgo/client.gd")
const World := preload("res://addons/wasgo/world_3d.gd")
const PATIENCE_MS := 50_000

class Peer:
	extends Node
	var world: World
	var client: Client

	func node_at(id: int) -> Variant:
		var node := world.get_spawned(id) as Node3D
		return node.position if node != null else null

	func meshes_of(id: int) -> int:
		var node := world.get_spawned(id)
		return node.find_children("*", "MeshInstance3D", true, false).size() if node != null else -1

	func surfaces_of(id: int) -> int:
		var node := world.get_spawned(id) as MeshInstance3D
		return node.mesh.get_surface_count() if node != null and node.mesh != null else -1

	# The names of meshes that were emptied.
	func asleep() -> PackedStringArray:
		return PackedStringArray(world._meshes._asleep.keys())

	# The one viewer moves, or goes where the radius is 0.
	func look(x: float, z: float, radius: float) -> bool:
		client.remove_viewer(1)
		return radius <= 0.0 or client.set_viewer(1, Vector3(x, 0.0, z), radius) == OK

	# How many files its cache has.
	func kept() -> int:
		return world._cache.told().size() / 4

	func empty_cache() -> bool:
		for file: String in DirAccess.get_files_at(world.cache_folder):
			DirAccess.remove_absolute(world.cache_folder.path_join(file))
		return DirAccess.remove_absolute(world.cache_folder) == OK

	func keys() -> PackedStringArray:
		return world.get_chunk_keys()

	# Whether all instances of all chunks have a mesh that shows something.
	func are_instances_shown() -> bool:
		var found := world.find_children("*", "MultiMeshInstance3D", true, false)
		return not found.is_empty() and found.all(func(node: MultiMeshInstance3D) -> bool:
			return node.multimesh.mesh != null and node.multimesh.mesh.get_surface_count() > 0)

	# Where a ray first hits something, or null.
	func ray(from: Vector3, to: Vector3) -> Variant:
		return world.get_world_3d().direct_space_state.intersect_ray(PhysicsRayQueryParameters3D.create(from, to)).get("position")

	func property(named: String) -> Variant:
		return world.properties.get(named)


var client := Client.new()
var world := World.new()


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	for argument: String in OS.get_cmdline_user_args():
		var value := argument.get_slice("=", 1)
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
			"--cache":
				world.cache_folder = value
			"--max-meshes":
				world.max_meshes = value.to_int()
			"--max-idle-meshes":
				world.max_idle_meshes = value.to_int()
			"--viewer":
				var numbers := value.split_floats(",")
				client.set_viewer(1, Vector3(numbers[0], 0.0, numbers[1]), numbers[2])
	client.allowed_calls = PackedStringArray(["Peer:node_at", "Peer:meshes_of", "Peer:property", "Peer:keys", "Peer:kept", "Peer:empty_cache", "Peer:are_instances_shown", "Peer:ray",
			"Peer:surfaces_of", "Peer:asleep", "Peer:look"])
	client.connected.connect(func(server: String) -> void: print("connected ", server))
	client.refused.connect(func(reason: String) -> void: print("refused ", reason))
	client.disconnected.connect(func(reason: String) -> void: print("disconnected ", reason))
	world.add_child(client)
	var peer := Peer.new()
	peer.name = "Peer"
	peer.world = world
	peer.client = client
	root.add_child(peer)
	root.add_child(world)


func _process(_delta: float) -> bool:
	if Time.get_ticks_msec() > PATIENCE_MS:
		quit(1)
	return false
