@icon("icons/wasgo_world_3d.svg")
class_name WasgoWorld3D
extends Node3D
## Builds what a Wasgo sidecar sends: chunks with meshes, colliders and instances, nodes and their
## property changes.
##
## Put a [WasgoClient] below it, or name one in [member client_path]. Everything that comes from the
## wire becomes children of this node, so that moving it moves the world. A frame is checked as a
## whole before anything of it is applied: what is wrong with it is told to the sidecar, and the
## world stays as it was. Of nodes to be made only those that are wrong are left out.
## [br][br]
## Large frames are checked and built on worker threads, and put into the tree in steps of well under
## a millisecond. When the connection is lost the world stays; when it opens again with the same world,
## the sidecar sends what changed meanwhile, and with another world, or none, it is emptied. Contents
## that have a hash are kept on disk in [member cache_folder].
## [br][br]
## Other sources of frames may call [method apply] themselves.

## A chunk has been built, in place of the one that had its [param key] before.
signal chunk_built(key: String, chunk: Node3D)
## A chunk was taken out of the world.
signal chunk_removed(key: String)
## A node was made. Rows that follow call it [param id].
signal node_spawned(id: int, node: Node3D)
## A value of the world as a whole is another now; null when it is none any more.
signal property_changed(property: String, value: Variant)

const _AssetLoads := preload("asset_loads.gd")
const _Cache := preload("cache.gd")
const _Check := preload("check.gd")
const _Chunks := preload("chunks.gd")
const _Client := preload("client.gd")
const _Settings := preload("client/settings.gd")
const _Job := preload("jobs/job.gd")
const _Leaving := preload("leaving.gd")
const _Meshes := preload("meshes.gd")
const _Nodes := preload("nodes.gd")
const _Pictures := preload("pictures.gd")
const _Preparer := preload("preparer.gd")
const _Rows := preload("rows.gd")
const _Scripts := preload("scripts.gd")
const _Surfaces := preload("surfaces.gd")

const _MAX_PROPERTIES := 4096
const _MAX_WANTED := 16_384
# A number that no frame has.
const _ALL := 0x7FFF_FFFF_FFFF_FFFF
# How long a tick may go into freeing what was emptied, in microseconds.
const _FREEING_US := 1000
# And into taking it out of the tree before that: half of what frames have.
const _LEAVING_US := 3000

## The client to listen to. When empty, the first [WasgoClient] among the children is taken.
@export var client_path: NodePath
## Scenes of this project that the sidecar may spawn, under the names that it calls them. Their roots
## are of a class that extends [Node3D].
@export var scenes: Dictionary[String, PackedScene] = {}:
	set(value):
		scenes = value
		_nodes.set_scenes(value)
## Materials of this project, used where the sidecar names one. Assign the dictionary anew to change it.
@export var materials: Dictionary[String, Material] = {}:
	set(value):
		materials = value
		_surfaces.set_aside(value)

@export_group("Cache")
## Where contents are kept on disk. Several engines may use one folder.
@export_dir var cache_folder := "user://wasgo_cache"
## The most megabytes that are kept on disk; 0 for no cache. Both are read when the node enters the tree.
@export_range(0, 65536, 1, "suffix:MiB") var cache_megabytes := 512

@export_group("Limits")
## The most chunks that are held at once.
@export_range(1, 1048576) var max_chunks := 16_384:
	set(value):
		max_chunks = value
		_chunks.max_chunks = value
## The most named meshes that are held at once.
@export_range(1, 1048576) var max_meshes := 4096:
	set(value):
		max_meshes = value
		_meshes.most = value
## The most named meshes that keep their surfaces although nothing shows them. More are emptied, and read from the cache when something
## does; those that are not in the cache stay.
@export_range(0, 1048576) var max_idle_meshes := 512:
	set(value):
		max_idle_meshes = value
		_meshes.most_idle = value
## The most glTF files for nodes that are held at once.
@export_range(1, 1048576) var max_assets := 4096:
	set(value):
		max_assets = value
		_nodes.max_assets = value
## The most spawned nodes that are held at once.
@export_range(1, 1048576) var max_nodes := 131_072:
	set(value):
		max_nodes = value
		_nodes.max_nodes = value

## The number of the last change of the world that was applied. Read only.
var rev := 0
## What the sidecar calls the world, other than its name: another world of the same name has another.
## Empty for none. Read only.
var identity := ""
## Named values of the world as a whole. Read only.
var properties: Dictionary[String, Variant] = {}

var _client: _Client
var _surfaces := _Surfaces.new()
var _chunks := _Chunks.new()
var _nodes := _Nodes.new()
var _rows := _Rows.new()
var _leaving := _Leaving.new()
var _meshes := _Meshes.new(_surfaces)
var _cache: _Cache
var _asset_loads := _AssetLoads.new(_nodes, _surfaces)
var _pictures := _Pictures.new()
var _preparer := _Preparer.new()
var _errors := 0
var _cached := 0


func _init() -> void:
	# What a scene sets counts for more.
	cache_folder = _Settings.value("wasgo/cache/folder")
	cache_megabytes = clampi(_Settings.value("wasgo/cache/max_megabytes") as int, 0, 65_536)
	_chunks.world = self
	_chunks.meshes = _meshes
	_chunks.leaving = _leaving
	_nodes.meshes = _meshes.all
	_nodes.leaving = _leaving
	_preparer.chunks = _chunks
	_preparer.nodes = _nodes
	_preparer.surfaces = _surfaces
	_preparer.on_cached = _finish_cached
	_meshes.on_work = set_process.bind(true)
	_meshes.on_missing = func(names: PackedStringArray) -> void: _want(names, "mesh")
	_chunks.on_put = func(key: String, chunk: Node3D) -> void: chunk_built.emit(key, chunk)
	_chunks.on_taken = func(key: String) -> void: chunk_removed.emit(key)
	_nodes.on_put = func(id: int, node: Node3D) -> void: node_spawned.emit(id, node)
	process_mode = Node.PROCESS_MODE_ALWAYS


func _enter_tree() -> void:
	if cache_megabytes > 0 and _cache == null:
		_cache = _Cache.new()
		_cache.open(cache_folder, cache_megabytes * 1024 * 1024)
		_chunks.cache = _cache
		_meshes.cache = _cache
		_preparer.cache = _cache


func _ready() -> void:
	if not client_path.is_empty():
		var named := get_node_or_null(client_path)
		if named is _Client:
			listen_to(named as _Client)
		else:
			push_error("%s: there is no WasgoClient at %s" % [name, client_path])
		return
	for child: Node in get_children():
		if child is _Client:
			listen_to(child as _Client)
			return


func _exit_tree() -> void:
	_close_cache()


func _process(_delta: float) -> void:
	_leaving.go_on(Time.get_ticks_usec() + _LEAVING_US)
	var until := Time.get_ticks_usec() + _FREEING_US
	# Each is asked, so that none waits for another for long.
	var is_idle := _leaving.free_some(until)
	is_idle = _meshes.go_on(until, _bulk_done()) and is_idle
	_want_assets(_asset_loads.go_on(until, _cache, func() -> void: _cached += 1))
	set_process(not is_idle or not _asset_loads.is_empty())


## Applies what [param client] receives from now on, in place of what another did.
func listen_to(client: _Client) -> void:
	if is_instance_valid(_client):
		_client.frame_received.disconnect(_on_frame_received)
		_client.receiver = null
	_client = client
	_client.receiver = self
	_client.frame_received.connect(_on_frame_received)
	set_meta(_Scripts.META, _Scripts.of(client))


## Applies [param frame], a frame of the wire protocol of the kind [param kind], at once. Returns what is
## wrong with it, and then nothing of it was applied, or with some of the nodes that it spawns, and then the others were made;
## empty when all is well. A kind that changes no
## world is well, and does nothing.
func apply(kind: String, frame: Dictionary) -> String:
	# A mistake in the add-on itself must not pass for success: a function that a run-time error
	# ends returns null.
	var result: Variant = _apply(kind, frame)
	var wrong: String = result if typeof(result) == TYPE_STRING else "the add-on failed on this " + kind.left(32)
	if wrong != "":
		_errors += 1
	return wrong


## The chunk that has [param key], or null. Its parts are children named [code]Mesh[/code] (or
## [code]Scene[/code], when it came as glTF), [code]Collider[/code], [code]Instances0[/code] and so on; what the
## sidecar sent as [code]extras[/code] is its metadata of that name.
func get_chunk(key: String) -> Node3D:
	var chunk: _Chunks.Chunk = _chunks.all.get(key)
	return _live(chunk.node) as Node3D if chunk != null else null


## The keys of the chunks that are held.
func get_chunk_keys() -> PackedStringArray:
	return PackedStringArray(_chunks.all.keys())


## The spawned node that has [param id], or null.
func get_spawned(id: int) -> Node3D:
	return _live(_nodes.all.get(id)) as Node3D


## The mesh that the sidecar calls [param mesh_name], or null. One that nothing has shown for a while is empty until it has been read.
func get_mesh(mesh_name: String) -> ArrayMesh:
	_meshes.wake(mesh_name)
	return _meshes.all.get(mesh_name)


## Removes everything that came from the wire. What there is much of leaves the tree over some ticks; it is found no more, and makes room for what comes.
func clear() -> void:
	_chunks.clear()
	_meshes.clear()
	_nodes.clear()
	_nodes.clear_assets()
	_asset_loads.clear()
	_surfaces.clear()
	rev = 0
	_clear_properties()
	_begin_leaving()


func _begin_leaving() -> void:
	_leaving.go_on(Time.get_ticks_usec() + _LEAVING_US)
	set_process(true)


func _clear_properties() -> void:
	for property: String in properties.keys():
		properties.erase(property)
		property_changed.emit(property, null)


## What is held, read back from the built meshes, and what was done since the connection opened.
func count() -> Dictionary:
	var found := {"assets": _nodes.asset_count(), "meshes": _meshes.all.size(), "nodes": _nodes.count(), "rev": rev, "rows": _rows.rows,
			"property_updates": _rows.updates, "refused_values": 0, "cached": _cached + _meshes.cached, "errors": _errors, "frames": 0, "bytes": 0}
	_chunks.count(found)
	if is_instance_valid(_client):
		found["frames"] = _client.numbered_frames
		found["bytes"] = _client.numbered_bytes
		# The frames of the bulk lane that were wrong, too.
		found["errors"] = maxi(_errors, _client.rejected_frames)
		var scripts := _Scripts.of(_client)
		found["rows"] += scripts.rows.rows
		found["property_updates"] += scripts.rows.updates
		found["refused_values"] = scripts.rows.refused
	return found


## Whether it is known what the cache has. The client calls this.
func wasgo_is_ready() -> bool:
	return _cache == null or _cache.is_known()


## What is told to the sidecar about what is here already. The client calls this.
func wasgo_resume() -> Dictionary:
	var told := _chunks.held()
	told.merge(_meshes.held())
	told["rev"] = rev
	told["have"] = _cache.told() if _cache != null else PackedByteArray()
	told["keeps"] = _cache != null
	return told


## A connection has opened. The client calls this.
func wasgo_opened(world: String, is_resumed_world: bool) -> void:
	_preparer.opening += 1
	_rows.clear()
	_errors = 0
	_cached = 0
	_meshes.begin()
	_pictures.clear()
	if not is_resumed_world or world == "" or world != identity:
		clear()
	identity = world


## Who checks frames of the bulk lane, and builds what can be built on a worker thread. The client calls this.
func wasgo_preparer() -> Object:
	return _preparer


## What is held, for people who look on. The client calls this.
func wasgo_status() -> Dictionary:
	return {"chunks": _chunks.all.size(), "meshes": _meshes.all.size(), "nodes": _nodes.all.size(), "assets": _nodes.asset_count(),
			"cached": _cached + _meshes.cached, "cache_bytes": _cache.bytes() if _cache != null else 0, "rev": rev}


# Workers that are at the disk end with a file each, by themselves.
func _close_cache() -> void:
	_preparer.opening += 1
	_preparer.cache = null
	_chunks.cache = null
	_meshes.close_cache()
	_asset_loads.clear()
	if _cache != null:
		_cache.close()
		_cache = null


func _on_frame_received(kind: String, frame: Dictionary) -> void:
	match kind:
		"report":
			if _Check.field(frame, "id", TYPE_INT) == "":
				_client.send_frame({"t": "report", "id": frame["id"], "counts": count()})
		"picture":
			if _Check.field(frame, "id", TYPE_INT) == "":
				_pictures.ask(self, _client, frame)
		_:
			if (frame.has("seq") or frame.has("bulk")) and not _Scripts.takes(kind, frame):
				var wrong := apply(kind, frame)
				if wrong != "":
					_client.reject(frame, kind + ": " + wrong)


# The return type is open so that null tells of a run-time error.
func _apply(kind: String, frame: Dictionary) -> Variant:
	if frame.has("rev") and typeof(frame["rev"]) != TYPE_INT:
		return _Check.field(frame, "rev", TYPE_INT)
	var wrong: Variant = _change(kind, frame)
	# What is wrong with some of its nodes is no better when it comes again.
	var is_done: bool = typeof(wrong) == TYPE_STRING and (wrong == "" or kind == "spawn" and _nodes.is_partial)
	if kind == "spawn" and is_done:
		for node: Variant in frame["nodes"]:
			# Some may have been left out for what they are.
			if typeof(node) == TYPE_DICTIONARY and typeof((node as Dictionary).get("mesh")) == TYPE_STRING:
				_meshes.wake(node["mesh"] as String)
	if frame.has("rev") and kind != "resumed" and is_done:
		rev = frame["rev"]
	return wrong


# The last frame of the bulk lane that has been dealt with.
func _bulk_done() -> int:
	return _client.bulk_done if is_instance_valid(_client) else _ALL


func _change(kind: String, frame: Dictionary) -> Variant:
	match kind:
		"mesh":
			return _meshes.put(frame)
		"forget":
			return _meshes.forget(frame, _client.bulk_taken if is_instance_valid(_client) else 0)
		"chunk", "unload", "asset":
			return (_preparer.wasgo_prepare(kind, frame) as _Job).run()
		"cached":
			if typeof(frame.get("what")) == TYPE_STRING and frame["what"] == "mesh":
				return _meshes.put_cached(frame)
			return (_preparer.wasgo_prepare(kind, frame) as _Job).run()
		"spawn":
			var wrong := _nodes.spawn(frame, self)
			_get_assets(_nodes.take_wanted())
			return wrong
		"despawn":
			return _nodes.despawn(frame)
		"rows":
			if _Scripts.takes(kind, frame):
				return _Scripts.of(_client).apply(frame) if is_instance_valid(_client) else ""
			return _rows.apply(frame, _nodes)
		"blend":
			return _nodes.blend(frame)
		"properties":
			return _apply_properties(frame)
		"resumed":
			return _apply_resumed(frame)
		"clear":
			clear()
	return ""


func _finish_cached(found: int, missing: PackedStringArray) -> void:
	_cached += found
	if not missing.is_empty():
		_want(missing, "chunk")


func _want(keys: PackedStringArray, what: String) -> void:
	if is_instance_valid(_client):
		_client.send_frame({"t": "want", "what": what, "keys": keys.slice(0, _MAX_WANTED)})


# Files that nodes show: out of the cache, or else from the sidecar.
func _get_assets(wanted: Array[String]) -> void:
	var missing := PackedByteArray()
	for name_: String in wanted:
		var content := name_.hex_decode()
		if _cache == null or not _cache.has(content):
			missing.append_array(content)
		elif not _asset_loads.has(content):
			_asset_loads.add(content, _cache)
			set_process(true)
	_want_assets(missing)


func _want_assets(hashes: PackedByteArray) -> void:
	if not hashes.is_empty() and is_instance_valid(_client):
		_client.send_frame({"t": "want", "what": "asset", "hashes": hashes.slice(0, _MAX_WANTED * _Check.HASH_BYTES)})


func _apply_properties(frame: Dictionary) -> Variant:
	var wrong := _Check.field(frame, "values", TYPE_DICTIONARY)
	if wrong != "":
		return wrong
	var values: Dictionary = frame["values"]
	var more := 0
	for property: Variant in values:
		if typeof(property) != TYPE_STRING or (property as String).length() > _Check.MAX_TEXT:
			return "values has a key that is no String, or too long"
		wrong = _Check.plain(values[property], "values[\"%s\"]" % (property as String).left(64))
		if wrong != "":
			return wrong
		if values[property] != null and not properties.has(property):
			more += 1
	if properties.size() + more > _MAX_PROPERTIES:
		return "more than %d properties" % _MAX_PROPERTIES
	for property: String in values:
		if values[property] == null:
			properties.erase(property)
		else:
			properties[property] = values[property]
		property_changed.emit(property, values[property])
	return ""


func _apply_resumed(frame: Dictionary) -> Variant:
	var wrong := _Check.field(frame, "reset", TYPE_BOOL)
	if wrong == "":
		wrong = _Check.field(frame, "rev", TYPE_INT)
	if wrong == "" and frame["reset"]:
		# What comes is the world from its start, so that nothing of it is here until it has come.
		_nodes.clear()
		_clear_properties()
		rev = 0
		_begin_leaving()
	if wrong == "":
		# What was on its way in the connection before does not come.
		_meshes.ask_again()
		_get_assets(_nodes.take_wanted(true))
	return wrong


func _live(value: Variant) -> Node:
	return value as Node if is_instance_valid(value) else null
