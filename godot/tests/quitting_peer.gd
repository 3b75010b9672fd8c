extends "client_case.gd"
## Quits while worker threads build chunks of a world, write them to its cache, or write exports.

const World := preload("res://addons/wasgo/world_3d.gd")

const CHUNKS := 24


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 500
	await process_frame
	await fresh(false)
	var world := World.new()
	world.cache_folder = "user://wasgo_quitting"
	root.add_child(world)
	world.add_child(client)
	world.listen_to(client)
	await greet()
	if OS.get_cmdline_user_args().has("--way=exports"):
		var box := MeshInstance3D.new()
		box.mesh = BoxMesh.new()
		root.add_child(box)
		for i: int in 4:
			client.export_scene(box, "box")
		print("quits in the midst" if client.status()["exports"] == 4 else "nothing is under way")
	else:
		for i: int in CHUNKS:
			var chunk := Frames.chunk(str(i), Vector3.ZERO, 65, 65, 1.0, Frames.hills)
			chunk["hash"] = ("%032x" % i).hex_decode()
			chunk["bulk"] = i + 1
			sidecar.send(chunk)
		await until(func() -> bool: return world.count()["chunks"] > 2)
		print("quits in the midst" if world.count()["chunks"] < CHUNKS else "all is done already")
	sidecar = null
	quit(0)
