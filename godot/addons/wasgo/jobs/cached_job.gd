extends "job.gd"
## Chunks out of the cache on disk, each as if its frame had been sent. What is not there any more is
## asked for in the end.

const _Cache := preload("../cache.gd")
const _Check := preload("../check.gd")
const _ChunkJob := preload("chunk_job.gd")
const _Chunks := preload("../chunks.gd")
const _Surfaces := preload("../surfaces.gd")

## Called in the end on the main thread, with the number of chunks that came out of the cache and the keys of
## those that did not.
var on_done: Callable

var _found := 0
var _jobs: Array[_ChunkJob] = []
var _keys := PackedStringArray()
var _missing := PackedStringArray()
var _at := 0


## Loads and builds what [param frame] names. [param goes_on] is asked before each whether to go on.
func prepare(frame: Dictionary, chunks: _Chunks, surfaces: _Surfaces, cache: _Cache, goes_on: Callable) -> void:
	error = _Check.contents(frame, "chunk")
	if error != "":
		return
	var keys: PackedStringArray = frame["keys"]
	var hashes: PackedByteArray = frame["hashes"]
	for i: int in keys.size():
		if not goes_on.call():
			return
		var content := hashes.slice(i * _Check.HASH_BYTES, (i + 1) * _Check.HASH_BYTES)
		var kept := cache.take(content) if cache != null else {}
		if typeof(kept.get("t")) != TYPE_STRING or kept["t"] != "chunk":
			_missing.append(keys[i])
			continue
		kept["key"] = keys[i]
		kept["hash"] = content
		var job := _ChunkJob.new()
		job.prepare(kept, chunks, surfaces)
		_jobs.append(job)
		_keys.append(keys[i])


func step() -> bool:
	if _at < _jobs.size():
		var job := _jobs[_at]
		part = job.part
		if job.error != "" or job.step():
			# A content that cannot be built, because of a mesh that is not there, say, is sent anew, and
			# then the sidecar is told what is wrong with it.
			if job.error != "":
				_missing.append(_keys[_at])
			else:
				_found += 1
			_jobs[_at] = null
			_at += 1
		return false
	if on_done.is_valid():
		on_done.call(_found, _missing)
	return true


func cancel() -> void:
	for job: _ChunkJob in _jobs:
		if job != null:
			job.cancel()
	_jobs.clear()
	_at = 0
