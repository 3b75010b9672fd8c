extends RefCounted
## The chunks that stand in a world, and the meshes that chunks and nodes use by name. For the main
## thread.

const _Cache := preload("cache.gd")
const _Check := preload("check.gd")

## A chunk, and what was found in it when it was built.
class Chunk:
	extends RefCounted
	var node: Node3D
	var hash := PackedByteArray()
	var surfaces := 0
	var vertices := 0
	var triangles := 0
	var colliders := 0
	var instances := 0

	## Counts what the meshes below [member node] have.
	func count_meshes() -> void:
		for part: Node in node.find_children("*", "MeshInstance3D", true, false):
			var mesh := (part as MeshInstance3D).mesh as ArrayMesh
			if mesh == null:
				continue
			surfaces += mesh.get_surface_count()
			for i: int in mesh.get_surface_count():
				var corners := mesh.surface_get_array_index_len(i)
				vertices += mesh.surface_get_array_len(i)
				triangles += (corners if corners > 0 else mesh.surface_get_array_len(i)) / 3

	## Takes the chunk out of the tree, and out of physics. Its memory stays for [method free_some].
	func take_out() -> void:
		# The game may have freed it.
		if is_instance_valid(node) and node.get_parent() != null:
			node.get_parent().remove_child(node)

	## Frees a part of a chunk that was taken out. Returns whether that was all.
	func free_some() -> bool:
		if not is_instance_valid(node):
			return true
		var count := node.get_child_count()
		if count > 8:
			for i: int in 4:
				node.get_child(count - 1 - i).free()
			return false
		node.free()
		return true

	## Takes it out, if it is in, and frees it.
	func discard() -> void:
		if is_instance_valid(node):
			node.free()

	func _notification(what: int) -> void:
		# What was never put in, or never freed after it was taken out.
		if what == NOTIFICATION_PREDELETE and is_instance_valid(node) and not node.is_inside_tree() and node.get_parent() == null:
			node.free()


## Where chunks stand.
var world: Node3D
var max_chunks := 16_384
var max_meshes := 4096
## The most named meshes that have their surfaces although nothing shows them, where these can be had from the cache again.
var max_idle_meshes := 512
## Where contents are kept, or null.
var cache: _Cache
## By key.
var all: Dictionary[String, Chunk] = {}
## By name.
var meshes: Dictionary[String, ArrayMesh] = {}
## The hashes of those of [member meshes] that have one.
var mesh_hashes: Dictionary[String, PackedByteArray] = {}
## Called with the name and the hash of a mesh that was emptied and is shown again.
var on_mesh_missed: Callable
## Called with the key and the node of a chunk that was put, or taken out.
var on_put: Callable
var on_taken: Callable

# Meshes that are empty until they are shown again, as a set.
var _asleep: Dictionary[String, bool] = {}
# How many may be filled before those that nothing shows are looked for again.
var _look_at := 0
# Taken out, to be freed piece by piece.
var _gone: Array[Chunk] = []


## Says why a chunk of this [param key] cannot be taken; empty when it can.
func refuse_chunk(key: String) -> String:
	return "" if all.has(key) or all.size() < max_chunks else "more than %d chunks" % max_chunks


## Puts [param chunk] into the world, and takes the one of the same [param key] out, which is returned, or null.
## [param frame] is what it was built of.
func put(key: String, chunk: Chunk, frame: Dictionary) -> Chunk:
	var before: Chunk = all.get(key)
	if before != null:
		before.take_out()
	all[key] = chunk
	chunk.node.visible = true
	place(chunk.node, frame.get("name", "") as String, "Chunk", world)
	if cache != null and not chunk.hash.is_empty() and not cache.has(chunk.hash):
		cache.put(chunk.hash, _kept(frame))
	if on_put.is_valid():
		on_put.call(key, chunk.node)
	return before


## Takes a chunk out of the world and returns it, or null when there is none.
func take(key: String) -> Chunk:
	var chunk: Chunk = all.get(key)
	if chunk != null:
		all.erase(key)
		chunk.take_out()
		if on_taken.is_valid():
			on_taken.call(key)
	return chunk


## The mesh called [param mesh_name], to be filled: the same object as before, so that all who use it show
## what it gets. Null when there are too many.
func mesh_to_fill(mesh_name: String, content := PackedByteArray()) -> ArrayMesh:
	if not meshes.has(mesh_name) and meshes.size() >= max_meshes:
		return null
	var mesh: ArrayMesh = meshes.get_or_add(mesh_name, ArrayMesh.new())
	mesh_hashes.erase(mesh_name)
	_asleep.erase(mesh_name)
	if not content.is_empty():
		mesh_hashes[mesh_name] = content
	return mesh


## Keeps a frame with a mesh for later.
func keep_mesh(frame: Dictionary) -> void:
	var content: PackedByteArray = frame.get("hash", PackedByteArray())
	if cache != null and not content.is_empty() and not cache.has(content):
		cache.put(content, _kept(frame))


## Empties meshes that nothing shows, where there are too many of them. They stay known, and are filled from the cache by [method wake].
func rest_meshes() -> void:
	if cache == null or meshes.size() - _asleep.size() <= maxi(max_idle_meshes, _look_at):
		return
	var idle := PackedStringArray()
	# How many references a mesh has that nobody else knows depends on how the engine holds what a function is at.
	var one: Dictionary[String, ArrayMesh] = {}
	_put_mesh(one, "")
	var alone := _references(one, "")
	for mesh_name: String in mesh_hashes:
		if not _asleep.has(mesh_name) and _references(meshes, mesh_name) <= alone and cache.has(mesh_hashes[mesh_name]):
			idle.append(mesh_name)
	# The oldest first.
	for mesh_name: String in idle.slice(0, maxi(idle.size() - max_idle_meshes / 2, 0)):
		meshes[mesh_name].clear_surfaces()
		_asleep[mesh_name] = true
	# Looking through all takes a while, where most are shown.
	_look_at = meshes.size() - _asleep.size() + max_idle_meshes / 4


## The mesh called [param mesh_name] is shown.
func wake(mesh_name: String) -> void:
	if _asleep.erase(mesh_name) and on_mesh_missed.is_valid():
		on_mesh_missed.call(mesh_name, mesh_hashes[mesh_name])


## Takes all out; they are freed by [method free_some].
func clear() -> void:
	for key: String in all:
		all[key].take_out()
		_gone.append(all[key])
	all.clear()
	meshes.clear()
	mesh_hashes.clear()
	_asleep.clear()
	_look_at = 0


## Frees what was taken out until [param until], in microseconds of the engine's clock. Returns whether
## that was all.
func free_some(until: int) -> bool:
	while not _gone.is_empty():
		if _gone[-1].free_some():
			_gone.pop_back()
		if Time.get_ticks_usec() >= until:
			break
	return _gone.is_empty()


## The fields of [code]resume[/code] that tell what is held.
func held() -> Dictionary:
	var keys := PackedStringArray()
	var hashes := PackedByteArray()
	for key: String in all:
		var chunk := all[key]
		if not chunk.hash.is_empty() and is_instance_valid(chunk.node):
			keys.append(key)
			hashes.append_array(chunk.hash)
	var names := PackedStringArray()
	var of_meshes := PackedByteArray()
	for mesh_name: String in mesh_hashes:
		names.append(mesh_name)
		of_meshes.append_array(mesh_hashes[mesh_name])
	return {"keys": keys, "hashes": hashes, "meshes": names, "mesh_hashes": of_meshes}


## Adds the counts of all chunks that are there to [param found].
func count(found: Dictionary) -> void:
	var chunks := 0
	var surfaces := 0
	var vertices := 0
	var triangles := 0
	var colliders := 0
	var instances := 0
	for key: String in all:
		var chunk := all[key]
		if is_instance_valid(chunk.node):
			chunks += 1
			surfaces += chunk.surfaces
			vertices += chunk.vertices
			triangles += chunk.triangles
			colliders += chunk.colliders
			instances += chunk.instances
	found.merge({"chunks": chunks, "surfaces": surfaces, "vertices": vertices, "triangles": triangles, "colliders": colliders,
			"instances": instances, "meshes": meshes.size()}, true)


## Puts [param node] below [param parent]. The engine replaces what a name may not hold, and makes names differ
## between siblings.
static func place(node: Node, wanted: String, otherwise: String, parent: Node) -> void:
	node.name = fit_name(wanted, otherwise)
	if node.get_parent() == null:
		parent.add_child(node)


static func fit_name(wanted: String, otherwise: String) -> String:
	var fit := wanted.left(128).validate_node_name()
	return fit if fit != "" else otherwise


# What this is at while it makes one is forgotten when it returns.
static func _put_mesh(into: Dictionary[String, ArrayMesh], mesh_name: String) -> void:
	into[mesh_name] = ArrayMesh.new()


static func _references(of: Dictionary[String, ArrayMesh], mesh_name: String) -> int:
	return of[mesh_name].get_reference_count()


# A content is the same whatever number it came with.
static func _kept(frame: Dictionary) -> Dictionary:
	var content := frame.duplicate()
	content.erase("bulk")
	content.erase("seq")
	content.erase("rev")
	return content
