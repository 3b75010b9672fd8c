extends RefCounted
## Contents kept on disk under their hashes, so that what a sidecar sent once needs not be sent again.
##
## Several engines may use one folder: a file appears under its name when it is whole, and one that another
## engine removed is as one that never was. A file holds a mark, a SHA-256 of what follows, the size of the
## content, and the content compressed; one that is not so is removed. Reading, writing and looking
## through the folder are for worker threads; the list of hashes is in memory.

const _Check := preload("check.gd")
const _Leftovers := preload("leftovers.gd")

## The most hashes that are told, and how much of each, in bytes.
const MAX_TOLD := 65_536
const TOLD_BYTES := 4
## The largest content, in bytes.
const MAX_CONTENT := 64 * 1024 * 1024

const _MARK := "WASGO-C1"
const _SUFFIX := ".wasgo"
const _PART := ".part"
const _HEADER := 8 + 32 + 4
const _MAX_WAITING := 64
const _OLD_PART_S := 3600
# How often at most the date of a file that is read is made new, in seconds.
const _TOUCH_S := 600

## Contents that were found, since the start.
var hits := 0

var _folder := ""
var _max_bytes := 0
var _mutex := Mutex.new()
# By hash in hexadecimal: the oldest first, [bytes, time of last use].
var _files: Dictionary[String, Vector2i] = {}
var _bytes := 0
var _written := 0
var _told := PackedByteArray()
var _is_told := false
var _waiting: Array[Dictionary] = []
var _task := -1
var _is_working := false
var _is_scanned := false
var _is_known := false
var _is_closed := false


## Uses [param folder] from now on, for [param max_bytes] at most. Looks it through on a worker thread.
func open(folder: String, max_bytes: int) -> void:
	_folder = folder
	_max_bytes = max_bytes
	_mutex.lock()
	_start()
	_mutex.unlock()


## Writes no more. A file that is being written is written to its end, by itself.
func close() -> void:
	_mutex.lock()
	_is_closed = true
	_waiting.clear()
	_mutex.unlock()
	_Leftovers.add(self)


## Whether nothing is being done on a worker thread: for whom nobody waits.
func is_done() -> bool:
	return _task < 0 or WorkerThreadPool.is_task_completed(_task)


## Gives the task's memory back, once it [method is_done].
func drop() -> void:
	finish()


## Waits until the folder was looked through and all is written. For tests.
func finish() -> void:
	while true:
		_mutex.lock()
		var task := _task
		_task = -1
		_mutex.unlock()
		if task < 0:
			return
		WorkerThreadPool.wait_for_task_completion(task)


## Whether it is known what is there: the folder was looked through.
func is_known() -> bool:
	_mutex.lock()
	var found := _is_known or _max_bytes <= 0
	_mutex.unlock()
	return found


## The beginnings of the hashes of what is there, [constant TOLD_BYTES] each, one behind another: of the newest [constant MAX_TOLD].
func told() -> PackedByteArray:
	_mutex.lock()
	if not _is_told:
		_list()
	var found := _told
	_mutex.unlock()
	return found


func has(content: PackedByteArray) -> bool:
	_mutex.lock()
	var found := _files.has(content.hex_encode())
	_mutex.unlock()
	return found


## The bytes that are held on disk.
func bytes() -> int:
	_mutex.lock()
	var found := _bytes
	_mutex.unlock()
	return found


## Keeps [param frame] under the hash [param content], soon. Passed over where it is there, or too much waits already.
func put(content: PackedByteArray, frame: Dictionary) -> void:
	_mutex.lock()
	if not _is_closed and _max_bytes > 0 and _waiting.size() < _MAX_WAITING and not _files.has(content.hex_encode()):
		# A content is the same whatever number it came with.
		var kept := frame.duplicate()
		for number: String in ["bulk", "seq", "rev"]:
			kept.erase(number)
		_waiting.append({"hash": content.hex_encode(), "frame": kept})
		_start()
	_mutex.unlock()


## The frame that is kept under the hash [param content]; empty when there is none. For worker threads.
func take(content: PackedByteArray) -> Dictionary:
	var name := content.hex_encode()
	_mutex.lock()
	var is_there := _files.has(name)
	_mutex.unlock()
	if not is_there:
		return {}
	var path := _path(name)
	var value: Variant = _content(path)
	if typeof(value) != TYPE_DICTIONARY:
		_forget(name)
		DirAccess.remove_absolute(path)
		return {}
	_mutex.lock()
	hits += 1
	_mutex.unlock()
	_touch(name, path)
	return value


# With the lock held: a worker deals with what there is to do.
func _start() -> void:
	if _is_working or _is_closed or _max_bytes <= 0:
		return
	if _task >= 0:
		# It has ended, or is about to without another lock: this gives its memory back.
		WorkerThreadPool.wait_for_task_completion(_task)
	_is_working = true
	_task = WorkerThreadPool.add_task(_work, false, "Wasgo: the cache on disk")


func _work() -> void:
	if not _is_scanned:
		_scan()
	while true:
		_mutex.lock()
		if _waiting.is_empty():
			if not _is_told:
				_list()
			_is_working = false
			_mutex.unlock()
			return
		var next: Dictionary = _waiting.pop_front()
		_mutex.unlock()
		_write(next["hash"] as String, next["frame"] as Dictionary)
		if _written > _max_bytes / 8:
			# Other engines may have written too.
			_scan()


func _scan() -> void:
	_is_scanned = true
	_written = 0
	DirAccess.make_dir_recursive_absolute(_folder)
	var folder := DirAccess.open(_folder)
	if folder == null:
		_mutex.lock()
		_is_known = true
		_mutex.unlock()
		return
	var now := int(Time.get_unix_time_from_system())
	var found: Array[Array] = []
	for file: String in folder.get_files():
		var path := _folder.path_join(file)
		if file.ends_with(_PART):
			if now - FileAccess.get_modified_time(path) > _OLD_PART_S:
				folder.remove(file)
		elif file.ends_with(_SUFFIX):
			var name := file.trim_suffix(_SUFFIX)
			var size := _size_of(path)
			if name.length() != _Check.HASH_BYTES * 2 or not name.is_valid_hex_number() or name != name.to_lower() or size <= _HEADER:
				folder.remove(file)
			else:
				found.append([FileAccess.get_modified_time(path), name, size])
	found.sort()
	_mutex.lock()
	_is_known = true
	_files.clear()
	_bytes = 0
	for file: Array in found:
		_files[file[1] as String] = Vector2i(file[2] as int, file[0] as int)
		_bytes += file[2]
	_is_told = false
	_mutex.unlock()
	_make_room(0)


func _write(name: String, frame: Dictionary) -> void:
	var content := var_to_bytes(frame)
	if content.size() > MAX_CONTENT:
		return
	var body := PackedByteArray([0, 0, 0, 0])
	body.encode_u32(0, content.size())
	body.append_array(content.compress(FileAccess.COMPRESSION_ZSTD))
	var size := _HEADER - 4 + body.size()
	if size > _max_bytes / 4:
		return
	_make_room(size)
	# The name of a part is this process's own, and this cache's.
	var part := "%s.%d-%d%s" % [_path(name), OS.get_process_id(), get_instance_id(), _PART]
	var file := FileAccess.open(part, FileAccess.WRITE)
	if file == null:
		return
	file.store_buffer(_MARK.to_ascii_buffer())
	file.store_buffer(_digest(body))
	file.store_buffer(body)
	var is_well := file.get_error() == OK
	file.close()
	if not is_well or DirAccess.rename_absolute(part, _path(name)) != OK:
		DirAccess.remove_absolute(part)
		return
	_mutex.lock()
	var before: Vector2i = _files.get(name, Vector2i.ZERO)
	_files.erase(name)
	_files[name] = Vector2i(size, int(Time.get_unix_time_from_system()))
	_bytes += size - before.x
	_written += size
	_is_told = false
	_mutex.unlock()


# Removes what was used longest ago until there is room for [param more] bytes.
func _make_room(more: int) -> void:
	while true:
		_mutex.lock()
		var name := ""
		if not _files.is_empty() and _bytes + more > _max_bytes:
			for first: String in _files:
				name = first
				break
		_mutex.unlock()
		if name == "":
			return
		_forget(name)
		DirAccess.remove_absolute(_path(name))


# The value in a file, or null.
func _content(path: String) -> Variant:
	var file := FileAccess.open(path, FileAccess.READ)
	if file == null:
		return null
	var length := file.get_length()
	if length <= _HEADER or length > MAX_CONTENT + _HEADER + 65_536:
		return null
	if file.get_buffer(_MARK.length()) != _MARK.to_ascii_buffer():
		return null
	var digest := file.get_buffer(32)
	var body := file.get_buffer(length - _HEADER + 4)
	if body.size() != length - _HEADER + 4 or _digest(body) != digest:
		return null
	var size := body.decode_u32(0)
	if size < 4 or size > MAX_CONTENT:
		return null
	var content := body.slice(4).decompress(size, FileAccess.COMPRESSION_ZSTD)
	if content.size() != size:
		return null
	var value: Variant = bytes_to_var(content)
	# The disk is no more to be trusted than the wire.
	return value if _Check.nested_at_most(value, 64) else null


# A file that is read is the newest. Its date, which other engines and later runs go by, is made new by
# writing the first byte again.
func _touch(name: String, path: String) -> void:
	var now := int(Time.get_unix_time_from_system())
	_mutex.lock()
	var known: Vector2i = _files.get(name, Vector2i.ZERO)
	if known.x > 0:
		_files.erase(name)
		_files[name] = Vector2i(known.x, now)
	_mutex.unlock()
	if now - known.y > _TOUCH_S:
		var file := FileAccess.open(path, FileAccess.READ_WRITE)
		if file != null:
			file.store_8(_MARK.unicode_at(0))


func _forget(name: String) -> void:
	_mutex.lock()
	var known: Vector2i = _files.get(name, Vector2i.ZERO)
	if _files.erase(name):
		_bytes -= known.x
		_is_told = false
	_mutex.unlock()


# With the lock held: the beginnings of the hashes of the newest.
func _list() -> void:
	var names := PackedStringArray(_files.keys())
	names = names.slice(maxi(names.size() - MAX_TOLD, 0))
	for i: int in names.size():
		names[i] = names[i].left(TOLD_BYTES * 2)
	_told = "".join(names).hex_decode()
	_is_told = true


func _path(name: String) -> String:
	return _folder.path_join(name + _SUFFIX)


static func _size_of(path: String) -> int:
	var file := FileAccess.open(path, FileAccess.READ)
	return file.get_length() if file != null else 0


static func _digest(body: PackedByteArray) -> PackedByteArray:
	var context := HashingContext.new()
	context.start(HashingContext.HASH_SHA256)
	context.update(body)
	return context.finish()
