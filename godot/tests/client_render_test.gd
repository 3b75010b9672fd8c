extends "client_case.gd"
## Leaving the tree while worker threads talk to the renderer, which answers them only by way of the main thread. Says most when there is a
## renderer: bin/godot --wasgo-render --path godot/tests --script res://client_render_test.gd


# Builds meshes, and reads them back: that waits for the main thread.
class Builder:
	extends Node
	var prepared := 0
	var mutex := Mutex.new()

	func wasgo_prepare(_kind: String, _frame: Dictionary) -> Object:
		mutex.lock()
		prepared += 1
		mutex.unlock()
		var arrays := BoxMesh.new().get_mesh_arrays()
		# Each waits for a tick or two, and of ticks there are few on a machine that is busy.
		for i: int in 20:
			var mesh := ArrayMesh.new()
			mesh.add_surface_from_arrays(Mesh.PRIMITIVE_TRIANGLES, arrays)
			mesh.surface_get_arrays(0)
		return preload("receiver.gd").Job.new()


func _initialize() -> void:
	run("client_render_test", [_leaving, _exporting] as Array[Callable])


func _leaving() -> bool:
	for way: int in 4:
		await fresh(false)
		var builder := Builder.new()
		root.add_child(builder)
		client.receiver = builder
		root.add_child(client)
		await greet()
		await any_answer()
		for i: int in 12:
			sidecar.send({"bulk": i + 1, "t": "chunk", "key": str(i)})
		check(await until(func() -> bool: return builder.prepared > way), "worker threads are at it")
		if way % 2 == 0:
			root.remove_child(client)
			builder.queue_free()
		else:
			builder.queue_free()
			await process_frame
			check(client.last_problem.contains("left"), "it came to an end: " + client.last_problem)
		await process_frame
	return true


func _exporting() -> bool:
	await fresh()
	var box := MeshInstance3D.new()
	box.mesh = BoxMesh.new()
	root.add_child(box)
	for i: int in 4:
		equal(client.export_scene(box, "box"), OK as Error, "an export")
	root.remove_child(client)
	equal(client.status()["exports"], 0, "it is waited for")
	root.add_child(client)
	await again()
	client.export_scene(box, "box")
	equal((await answer()).get("t"), "scene", "and works after that")
	box.free()
	return true
