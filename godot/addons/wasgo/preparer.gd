extends RefCounted
## Makes jobs of frames of the bulk lane, on worker threads. It is an object of its own since a node that a thread is in
## cannot be freed.

const _AssetJob := preload("jobs/asset_job.gd")
const _Cache := preload("cache.gd")
const _CachedJob := preload("jobs/cached_job.gd")
const _ChunkJob := preload("jobs/chunk_job.gd")
const _Chunks := preload("chunks.gd")
const _Job := preload("jobs/job.gd")
const _Nodes := preload("nodes.gd")
const _Surfaces := preload("surfaces.gd")
const _UnloadJob := preload("jobs/unload_job.gd")

var chunks: _Chunks
var nodes: _Nodes
var surfaces: _Surfaces
## Where contents are kept, or null.
var cache: _Cache
## Goes up when what is being prepared is not wanted any more.
var opening := 0
## Called on the main thread for each [code]cached[/code] that is done: with the number of chunks that were there, and the keys of
## those that were not.
var on_cached: Callable


## A job for [param frame], of the kind [param kind]. Kinds that are not known make one that does nothing.
func wasgo_prepare(kind: String, frame: Dictionary) -> Object:
	match kind:
		"chunk":
			var job := _ChunkJob.new()
			job.prepare(frame, chunks, surfaces)
			return job
		"unload":
			var job := _UnloadJob.new()
			job.prepare(frame, chunks)
			return job
		"asset":
			var job := _AssetJob.new()
			job.cache = cache
			job.prepare(frame, nodes, surfaces)
			return job
		"cached":
			var job := _CachedJob.new()
			var began := opening
			job.on_done = on_cached
			job.prepare(frame, chunks, surfaces, cache, func() -> bool: return began == opening)
			return job
	return _Job.new()
