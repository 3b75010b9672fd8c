extends RefCounted
## The meshes that chunks and nodes use by name: filled by frames, or from the cache, emptied when nothing shows them, and forgotten when the sidecar says
## so. For the main thread.

const _Cache := preload("cache.gd")
const _Check := preload("check.gd")
const _MeshLoads := preload("mesh_loads.gd")
const _Surfaces := preload("surfaces.gd")

## The most names that are known at once, but for those that are about to be forgotten.
var most := 4096
## The most of those: they wait for frames of the bulk lane, and for contents that are being read, however long a disk takes.
var most_going := 16_384
## The most meshes that have their surfaces although nothing shows them, where these can be had from the cache again.
var most_idle := 512
## Where contents are kept, or null.
var cache: _Cache
## By name.
var all: Dictionary[String, ArrayMesh] = {}
## How many came out of the cache.
var cached := 0
## Called with the names of meshes that are to be asked for.
var on_missing: Callable
## Called when there is something for [method go_on] to do.
var on_work: Callable

var _surfaces: _Surfaces
var _loads := _MeshLoads.new()
# Of those that have one.
var _hashes: Dictionary[String, PackedByteArray] = {}
# Those that are empty until they are shown again, as a set.
var _asleep: Dictionary[String, bool] = {}
# How many may be filled before those that nothing shows are looked for again.
var _look_at := 0
# Names that go, each with the last frame of the bulk lane that may use it, in the order of these.
var _going: Dictionary[String, int] = {}
# Forgotten, and shown by something still: a mesh of the same name is shown there too.
var _shown: Dictionary[String, WeakRef] = {}
# Those that were asked for and have not come, as a set.
var _missing: Dictionary[String, bool] = {}


func _init(surfaces: _Surfaces) -> void:
	_surfaces = surfaces


## Takes [param frame], a [code]mesh[/code]. Returns what is wrong with it. The type is open since a run-time error gives null.
func put(frame: Dictionary) -> Variant:
	var wrong := _check(frame)
	if wrong != "":
		return wrong
	var mesh_name: String = frame["name"]
	if not _has_room(1 if _is_new(mesh_name) else 0):
		return "more than %d meshes" % most
	_loads.forget(mesh_name)
	wrong = _surfaces.build(frame["surfaces"] as Array, _to_fill(mesh_name, frame.get("hash", PackedByteArray()) as PackedByteArray), true)
	if wrong == "":
		if cache != null and frame.has("hash"):
			cache.put(frame["hash"] as PackedByteArray, frame)
		_rest()
	return wrong


func _check(frame: Dictionary) -> String:
	var wrong := _Check.text(frame, "name")
	if wrong == "" and frame.has("hash"):
		wrong = _Check.content_hash(frame, "hash")
	if wrong == "":
		wrong = _surfaces.check(frame.get("surfaces"))
	if wrong == "" and frame["name"] == "":
		wrong = "name is empty"
	return wrong


## Takes [param frame], a [code]cached[/code] of meshes: at first each is empty, and shows its surfaces when they have been read. Returns what is wrong with it.
func put_cached(frame: Dictionary) -> Variant:
	var wrong := _Check.contents(frame, "mesh")
	if wrong != "":
		return wrong
	var names: PackedStringArray = frame["keys"]
	var hashes: PackedByteArray = frame["hashes"]
	var more := 0
	for mesh_name: String in names:
		if mesh_name == "":
			return "a name is empty"
		if _is_new(mesh_name):
			more += 1
	if not _has_room(more):
		return "more than %d meshes" % most
	var missing := PackedStringArray()
	for i: int in names.size():
		var content := hashes.slice(i * _Check.HASH_BYTES, (i + 1) * _Check.HASH_BYTES)
		_to_fill(names[i])
		if cache != null and cache.has(content):
			_load(names[i], content)
		else:
			missing.append(names[i])
	_miss(missing)
	return ""


## Takes [param frame], a [code]forget[/code]: its names go once the frames of the bulk lane up to number [param used_until] have been dealt with. Returns what is
## wrong with it.
func forget(frame: Dictionary, used_until: int) -> String:
	var wrong := _Check.texts(frame, "names", _Check.MAX_CONTENTS)
	if wrong != "":
		return wrong
	for mesh_name: String in (frame["names"] as PackedStringArray):
		if all.has(mesh_name):
			# The later number, and the later place.
			_going.erase(mesh_name)
			_going[mesh_name] = used_until
	on_work.call()
	return ""


## The mesh called [param mesh_name] is shown.
func wake(mesh_name: String) -> void:
	if not _asleep.erase(mesh_name):
		return
	if cache == null:
		_miss(PackedStringArray([mesh_name]))
	else:
		_load(mesh_name, _hashes[mesh_name])


## Fills meshes that have been read, until [param until], in microseconds of the engine's clock: one at least, if there is one; and forgets what is to be, where
## the frames of the bulk lane up to number [param done] have been dealt with. Returns whether nothing is left to be done.
func go_on(until: int, done: int) -> bool:
	_forget_until(done)
	for arrived: _MeshLoads.Load in _loads.take(until):
		_finish(arrived)
	return _loads.is_empty() and _going.is_empty()


## The fields of [code]resume[/code] that tell what is held. What is being read is held: should it not be there after all, it is asked for.
func held() -> Dictionary:
	var names := PackedStringArray()
	var hashes := PackedByteArray()
	var told := _hashes.duplicate()
	told.merge(_loads.under_way(), true)
	for mesh_name: String in told:
		names.append(mesh_name)
		hashes.append_array(told[mesh_name])
	return {"meshes": names, "mesh_hashes": hashes, "max_meshes": most}


func clear() -> void:
	all.clear()
	_hashes.clear()
	_asleep.clear()
	_going.clear()
	_shown.clear()
	_missing.clear()
	_loads.clear()
	_look_at = 0


## A connection has opened: what was on its way in the one before does not come.
func begin() -> void:
	for mesh_name: String in _going:
		_going[mesh_name] = 0
	_forget_until(0)
	# What is left is told as held.
	_going.clear()
	cached = 0


## Asks for what has not come in the connection before.
func ask_again() -> void:
	_miss(PackedStringArray(_missing.keys()))


## There is no cache any more.
func close_cache() -> void:
	cache = null
	_loads.clear()


func _is_new(mesh_name: String) -> bool:
	return not all.has(mesh_name) or _going.has(mesh_name)


func _has_room(more: int) -> bool:
	return all.size() - _going.size() + more <= most and _going.size() <= most_going


# The same object as before, so that all who use it show what it gets.
func _to_fill(mesh_name: String, content := PackedByteArray()) -> ArrayMesh:
	if not all.has(mesh_name):
		var shown: ArrayMesh = _shown[mesh_name].get_ref() if _shown.has(mesh_name) else null
		all[mesh_name] = shown if shown != null else ArrayMesh.new()
		_shown.erase(mesh_name)
	_going.erase(mesh_name)
	_missing.erase(mesh_name)
	_hashes.erase(mesh_name)
	_asleep.erase(mesh_name)
	if not content.is_empty():
		_hashes[mesh_name] = content
	return all[mesh_name]


# Names that no frame of the bulk lane after number done uses are forgotten. What shows such a mesh goes on to.
func _forget_until(done: int) -> void:
	if _going.is_empty():
		return
	# One that is being read is waited for, since something may show it.
	var reading := _loads.under_way()
	var names := PackedStringArray()
	for mesh_name: String in _going:
		if _going[mesh_name] > done:
			break
		if not reading.has(mesh_name):
			names.append(mesh_name)
	if names.is_empty():
		return
	for mesh_name: String in _shown.keys():
		if _shown[mesh_name].get_ref() == null:
			_shown.erase(mesh_name)
	var alone := _references_of_one()
	for mesh_name: String in names:
		if _references(all, mesh_name) > alone:
			_shown[mesh_name] = weakref(all[mesh_name])
		_going.erase(mesh_name)
		all.erase(mesh_name)
		_missing.erase(mesh_name)
		_hashes.erase(mesh_name)
		_asleep.erase(mesh_name)


func _load(mesh_name: String, content: PackedByteArray) -> void:
	_loads.add(mesh_name, content, cache, _surfaces)
	on_work.call()


func _finish(arrived: _MeshLoads.Load) -> void:
	var mesh_name := arrived.mesh_name
	if arrived.frame.is_empty():
		_hashes.erase(mesh_name)
		_miss(PackedStringArray([mesh_name]))
		return
	_hashes[mesh_name] = arrived.content
	if _surfaces.build(arrived.frame["surfaces"] as Array, all[mesh_name], true) == "":
		cached += 1
	_rest()


func _miss(names: PackedStringArray) -> void:
	if names.is_empty():
		return
	for mesh_name: String in names:
		_missing[mesh_name] = true
	on_missing.call(names)


# Empties meshes that nothing shows, where there are too many of them. They stay known, and are filled from the cache by wake.
func _rest() -> void:
	if cache == null or all.size() - _asleep.size() <= maxi(most_idle, _look_at):
		return
	var idle := PackedStringArray()
	var alone := _references_of_one()
	for mesh_name: String in _hashes:
		if not _asleep.has(mesh_name) and _references(all, mesh_name) <= alone and cache.has(_hashes[mesh_name]):
			idle.append(mesh_name)
	# The oldest first.
	for mesh_name: String in idle.slice(0, maxi(idle.size() - most_idle / 2, 0)):
		all[mesh_name].clear_surfaces()
		_asleep[mesh_name] = true
	# Looking through all takes a while, where most are shown.
	_look_at = all.size() - _asleep.size() + most_idle / 4


# How many references a mesh has that nobody else knows depends on how the engine holds what a function is at.
static func _references_of_one() -> int:
	var one: Dictionary[String, ArrayMesh] = {}
	_put_one(one)
	return _references(one, "")


# What this is at while it makes one is forgotten when it returns.
static func _put_one(into: Dictionary[String, ArrayMesh]) -> void:
	into[""] = ArrayMesh.new()


static func _references(of: Dictionary[String, ArrayMesh], mesh_name: String) -> int:
	return of[mesh_name].get_reference_count()
