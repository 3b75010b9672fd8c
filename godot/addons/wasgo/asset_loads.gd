extends RefCounted
## Files of nodes that are being read from the cache on worker threads, and then given to the nodes that wait for them.

const _AssetJob := preload("jobs/asset_job.gd")
const _Cache := preload("cache.gd")
const _Leftovers := preload("leftovers.gd")
const _Nodes := preload("nodes.gd")
const _Surfaces := preload("surfaces.gd")

const _AT_ONCE := 2

## A file on its way.
class Load:
	extends RefCounted
	var content := PackedByteArray()
	var job := _AssetJob.new()
	var is_found := false
	var task := -1

	func read(cache: _Cache, nodes: _Nodes, surfaces: _Surfaces) -> void:
		var kept := cache.take(content)
		if typeof(kept.get("t")) == TYPE_STRING and kept["t"] == "asset":
			kept["hash"] = content
			job.prepare(kept, nodes, surfaces)
			is_found = job.error == ""

	func is_done() -> bool:
		return WorkerThreadPool.is_task_completed(task)

	## Gives up what was read, once it [method is_done].
	func drop() -> void:
		WorkerThreadPool.wait_for_task_completion(task)
		job.cancel()


var _nodes: _Nodes
var _surfaces: _Surfaces
var _waiting: Array[Load] = []
var _running: Array[Load] = []


func _init(nodes: _Nodes, surfaces: _Surfaces) -> void:
	_nodes = nodes
	_surfaces = surfaces


func is_empty() -> bool:
	return _waiting.is_empty() and _running.is_empty()


## Whether [param content] is on its way.
func has(content: PackedByteArray) -> bool:
	for list: Array[Load] in [_waiting, _running] as Array[Array]:
		for one: Load in list:
			if one.content == content:
				return true
	return false


## Reads [param content].
func add(content: PackedByteArray, cache: _Cache) -> void:
	var load_ := Load.new()
	load_.content = content
	_waiting.append(load_)
	_start(cache)


## Goes on with those that have been read, until [param until], in microseconds of the engine's clock: one step at least, if there is one. Returns the
## hashes of those that were not there, or cannot be shown, one behind another; [param on_found] is called for each of the others.
func go_on(until: int, cache: _Cache, on_found: Callable) -> PackedByteArray:
	var missing := PackedByteArray()
	while not _running.is_empty() and _running[0].is_done():
		var one := _running[0]
		var is_done := not one.is_found or one.job.step()
		if is_done:
			WorkerThreadPool.wait_for_task_completion(one.task)
			_running.pop_front()
			_start(cache)
			if one.is_found and one.job.error == "":
				on_found.call()
			else:
				missing.append_array(one.content)
		if Time.get_ticks_usec() >= until:
			break
	return missing


## Forgets all. What is being read is read to its end, by itself.
func clear() -> void:
	_waiting.clear()
	for one: Load in _running:
		_Leftovers.add(one)
	_running.clear()


func _start(cache: _Cache) -> void:
	while cache != null and _running.size() < _AT_ONCE and not _waiting.is_empty():
		var next: Load = _waiting.pop_front()
		next.task = WorkerThreadPool.add_task(next.read.bind(cache, _nodes, _surfaces), false, "Wasgo: a file from the cache")
		_running.append(next)
