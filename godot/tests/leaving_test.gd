extends "client_case.gd"
## Nothing waits for worker threads that are in the midst of something: they are held here until it has been left, so that a wait would have no end.

const Leftovers := preload("res://addons/wasgo/leftovers.gd")
const Receiver := preload("receiver.gd")
const World := preload("res://addons/wasgo/world_3d.gd")


func _initialize() -> void:
	run("leaving_test", [_clients, _receivers, _worlds, _all_at_its_end] as Array[Callable])


# A client whose worker threads do not come to an end of what they began.
func _held() -> Receiver:
	await fresh(false)
	var receiver := Receiver.new()
	receiver.workshop = Receiver.Workshop.new()
	receiver.workshop.is_held = true
	root.add_child(receiver)
	client.receiver = receiver
	root.add_child(client)
	await greet()
	for i: int in 4:
		sidecar.send({"bulk": i + 1, "t": "chunk", "key": str(i)})
	var workshop := receiver.workshop
	check(await until(func() -> bool: return workshop.prepared > 0), "worker threads are at it")
	return receiver


func _clients() -> bool:
	for way: Callable in [func() -> void: client.free(), func() -> void: client.queue_free(), func() -> void: root.remove_child(client),
			func() -> void: client.stop(), func() -> void: sidecar.disconnect_now()] as Array[Callable]:
		var receiver := await _held()
		var workshop := receiver.workshop
		way.call()
		for i: int in 3:
			await process_frame
		check(workshop.is_held, "nobody waited")
		workshop.is_held = false
		receiver.free()
		Leftovers.finish()
	return true


func _receivers() -> bool:
	for way: int in 3:
		var receiver := await _held()
		var workshop := receiver.workshop
		match way:
			0:
				client.receiver = null
				receiver.free()
			1:
				receiver.queue_free()
			2:
				root.remove_child(receiver)
				receiver.free()
		await process_frame
		check(workshop.is_held and not is_instance_valid(receiver), "nobody waited")
		workshop.is_held = false
		workshop = null
		Leftovers.finish()
	return true


# A world with chunks on their way, out of its cache and into it.
func _worlds() -> bool:
	var nodes := 0
	for round: int in 12:
		await fresh(false)
		var world := World.new()
		world.cache_folder = "user://wasgo_leaving"
		root.add_child(world)
		world.add_child(client)
		world.listen_to(client)
		await greet()
		for i: int in 8:
			var chunk := Frames.chunk(str(i), Vector3.ZERO, 33, 33, 1.0, Frames.hills)
			chunk["hash"] = ("%032x" % (round * 8 + i)).hex_decode()
			chunk["bulk"] = i + 1
			sidecar.send(chunk)
		for tick: int in round / 2:
			sidecar.pump()
			await process_frame
		root.remove_child(world)
		world.free()
		Leftovers.finish()
		if round == 0:
			nodes = int(Performance.get_monitor(Performance.OBJECT_NODE_COUNT))
	equal(int(Performance.get_monitor(Performance.OBJECT_NODE_COUNT)), nodes, "no node is left of what was on its way")
	return true


# What is left is thrown away by and by, without anybody's asking.
func _all_at_its_end() -> bool:
	var receiver := await _held()
	var workshop := receiver.workshop
	client.free()
	receiver.free()
	var before := workshop.get_reference_count()
	workshop.is_held = false
	check(await until(func() -> bool: return workshop.get_reference_count() < before), "what was kept for the worker threads is let go")
	return true
