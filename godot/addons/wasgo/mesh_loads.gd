extends RefCounted
## Meshes that are being read from the cache on worker threads.

const _Cache := preload("cache.gd")
const _Leftovers := preload("leftovers.gd")
const _Surfaces := preload("surfaces.gd")

const _AT_ONCE := 2

## A mesh on its way.
class Load:
	extends RefCounted
	var mesh_name := ""
	var content := PackedByteArray()
	## What was found; empty when nothing was, or nothing that can be used.
	var frame: Dictionary = {}
	var task := -1

	func read(cache: _Cache, surfaces: _Surfaces) -> void:
		var kept := cache.take(content)
		if typeof(kept.get("t")) == TYPE_STRING and kept["t"] == "mesh" and surfaces.check(kept.get("surfaces")) == "":
			frame = kept

	func is_done() -> bool:
		return WorkerThreadPool.is_task_completed(task)

	## Gives the task's memory back.
	func drop() -> void:
		WorkerThreadPool.wait_for_task_completion(task)


var _cache: _Cache
var _surfaces: _Surfaces
var _waiting: Array[Load] = []
var _running: Array[Load] = []


func is_empty() -> bool:
	return _waiting.is_empty() and _running.is_empty()


## The contents that are on their way, by the names of their meshes.
func under_way() -> Dictionary[String, PackedByteArray]:
	var found: Dictionary[String, PackedByteArray] = {}
	for list: Array[Load] in [_waiting, _running] as Array[Array]:
		for one: Load in list:
			if one.mesh_name != "":
				found[one.mesh_name] = one.content
	return found


## Reads [param content] for the mesh [param mesh_name], in place of another that was on its way for it.
func add(mesh_name: String, content: PackedByteArray, cache: _Cache, surfaces: _Surfaces) -> void:
	forget(mesh_name)
	_cache = cache
	_surfaces = surfaces
	var load_ := Load.new()
	load_.mesh_name = mesh_name
	load_.content = content
	_waiting.append(load_)
	_start()


## What is on its way for [param mesh_name] is not wanted any more.
func forget(mesh_name: String) -> void:
	for list: Array[Load] in [_waiting, _running] as Array[Array]:
		for one: Load in list:
			if one.mesh_name == mesh_name:
				one.mesh_name = ""


## Those that have been read, until [param until], in microseconds of the engine's clock: one at least, if there is one.
func take(until: int) -> Array[Load]:
	var found: Array[Load] = []
	while not _running.is_empty() and _running[0].is_done():
		var one: Load = _running.pop_front()
		one.drop()
		if one.mesh_name != "":
			found.append(one)
		_start()
		if Time.get_ticks_usec() >= until or found.size() >= 4:
			break
	return found


## Forgets all. What is being read is read to its end, by itself.
func clear() -> void:
	_waiting.clear()
	for one: Load in _running:
		_Leftovers.add(one)
	_running.clear()


func _start() -> void:
	while _running.size() < _AT_ONCE and not _waiting.is_empty():
		var next: Load = _waiting.pop_front()
		if next.mesh_name != "":
			next.task = WorkerThreadPool.add_task(next.read.bind(_cache, _surfaces), false, "Wasgo: a mesh from the cache")
			_running.append(next)
