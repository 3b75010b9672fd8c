extends RefCounted
## The chunks that stand in a world. For the main thread.

const _Cache := preload("cache.gd")
const _Leaving := preload("leaving.gd")
const _Meshes := preload("meshes.gd")

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
		return not is_instance_valid(node) or _Leaving.free_part(node)

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
## Where contents are kept, or null.
var cache: _Cache
## By key.
var all: Dictionary[String, Chunk] = {}
## The meshes that they use by name.
var meshes: _Meshes
## Where those go that are cleared.
var leaving: _Leaving
## Called with the key and the node of a chunk that was put, or taken out.
var on_put: Callable
var on_taken: Callable


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
	if not leaving.is_empty():
		leaving.make_room(key, fit_name(frame.get("name", "") as String, "Chunk"), world)
	chunk.node.visible = true
	place(chunk.node, frame.get("name", "") as String, "Chunk", world)
	if cache != null and not chunk.hash.is_empty():
		cache.put(chunk.hash, frame)
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


## Forgets all chunks; they are [member leaving] then.
func clear() -> void:
	leaving.add(all)
	all = {}


## The fields of [code]resume[/code] that tell what is held.
func held() -> Dictionary:
	var keys := PackedStringArray()
	var hashes := PackedByteArray()
	for key: String in all:
		var chunk := all[key]
		if not chunk.hash.is_empty() and is_instance_valid(chunk.node):
			keys.append(key)
			hashes.append_array(chunk.hash)
	return {"keys": keys, "hashes": hashes}


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
			"instances": instances}, true)


## Puts [param node] below [param parent]. The engine replaces what a name may not hold, and makes names differ
## between siblings.
static func place(node: Node, wanted: String, otherwise: String, parent: Node) -> void:
	node.name = fit_name(wanted, otherwise)
	if node.get_parent() == null:
		parent.add_child(node)


static func fit_name(wanted: String, otherwise: String) -> String:
	var fit := wanted.left(128).validate_node_name()
	return fit if fit != "" else otherwise
