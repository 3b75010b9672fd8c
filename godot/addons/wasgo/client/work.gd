@tool
extends RefCounted
## One frame on its way from bytes to the world, part of which may go over a worker thread.
##
## While a task is under way all fields but [member is_cancelled] belong to the worker; the main thread looks at
## them after [method is_done] only, and whoever starts a task keeps this object until then.

const _Check := preload("../check.gd")

## How deep a frame's arrays and dictionaries may be nested.
const MAX_NESTING := 64
## Frames of more bytes than this are decoded on a worker thread.
const SMALL := 16 * 1024

# The kind of a key, and of a number, in the bytes of a Variant.
const _STRING := 4
const _INT := 2
const _WIDE := 1 << 16
# "bulk", "t" and "zstd", as four bytes.
const _BULK := 0x6b6c7562
const _T := 0x74
const _ZSTD := 0x6474737a
# How many pairs are looked at to find the number of a frame that has not been decoded.
const _MAX_PEEKED := 12

## The bytes that stand for the frame on the wire, its length field included.
var size := 0
## How many bytes it has once it is not compressed any more.
var unpacked_size := 0
## How many bytes whoever bounds them all counts for this one.
var charged := 0
## The frame, once it is decoded.
var frame: Dictionary = {}
## Whether [member frame] is there.
var is_decoded := false
## What is wrong with the bytes, which ends the connection; empty when nothing is.
var wrong := ""
## What the receiver made of the frame: its job, or null.
var job: Object = null
## Whether the receiver was asked for a job.
var is_prepared := false
## Nobody wants the result any more: a task that has not begun does nothing.
var is_cancelled := false
## The number that the bytes say the frame has in the bulk lane, or 0.
var peeked := 0

var _bytes: PackedByteArray
var _limit: int
var _receiver: Object
var _task := -1


func _init(bytes: PackedByteArray, limit: int) -> void:
	_bytes = bytes
	_limit = limit
	size = bytes.size() + 4
	unpacked_size = bytes.size()


## Decodes what takes the main thread no time worth speaking of. Afterwards the frame is there, or [member wrong] says why
## not, or the rest is for a worker thread.
func decode_front() -> void:
	if _bytes.size() <= SMALL or _peek():
		_decode()
		if wrong == "" and _is_packed():
			_look_into_packed()
			if wrong == "" and unpacked_size <= SMALL:
				_unpack()


## Whether [member unpacked_size] is what it says: what is large may turn out to be compressed.
func is_unpacked_size_known() -> bool:
	return _is_packed()


## Has the rest done on a worker thread. With a [param receiver] frames of the bulk lane are prepared by it there.
func start(receiver: Object, is_urgent: bool) -> void:
	_receiver = receiver
	_task = WorkerThreadPool.add_task(_run, is_urgent, "Wasgo frame")


## Whether a task has been started and not been waited for yet.
func is_under_way() -> bool:
	return _task != -1


## Whether there is no task, or it has ended; what it made may be looked at then.
func is_done() -> bool:
	if _task == -1:
		return true
	if not WorkerThreadPool.is_task_completed(_task):
		return false
	# The pool keeps what is not waited for.
	WorkerThreadPool.wait_for_task_completion(_task)
	_task = -1
	_receiver = null
	return true


## Drops what was made of the frame. A [member job] that is still there is cancelled.
func drop() -> void:
	if is_instance_valid(job) and job.has_method(&"cancel"):
		job.call(&"cancel")
	job = null
	frame = {}
	_bytes = PackedByteArray()


func _run() -> void:
	if is_cancelled:
		return
	if not is_decoded:
		if not _is_packed():
			_decode()
			if wrong == "" and _is_packed():
				# How large it is was not known before this had to be taken for what it seems.
				wrong = "a compressed frame that does not look like one" if peeked > 0 else ""
				_look_into_packed()
		if wrong == "" and _is_packed():
			_unpack()
	if wrong == "" and peeked > 0 and (typeof(frame.get("bulk")) != TYPE_INT or frame["bulk"] != peeked):
		wrong = "a frame that has two numbers"
	if wrong == "" and _receiver != null and frame.has("bulk") and not is_cancelled:
		is_prepared = true
		# A run-time error in there gives null.
		var made: Variant = _receiver.call(&"wasgo_prepare", frame["t"], frame)
		job = made if typeof(made) == TYPE_OBJECT and is_instance_valid(made) else null


# Turns the bytes into a frame; one that is compressed is not decoded after that.
func _decode() -> void:
	# Objects stay off: bytes_to_var makes no instance of anything.
	var value: Variant = bytes_to_var(_bytes) if _bytes.size() >= 4 else null
	_bytes = PackedByteArray()
	if typeof(value) != TYPE_DICTIONARY:
		wrong = "bytes that are no frame"
	elif not _Check.nested_at_most(value, MAX_NESTING):
		wrong = "a frame nested deeper than %d" % MAX_NESTING
	else:
		frame = value
		if frame.is_typed() or typeof(frame.get("t")) != TYPE_STRING:
			wrong = "a frame without a kind"
	is_decoded = wrong == "" and not _is_packed()


func _is_packed() -> bool:
	var kind: Variant = frame.get("t")
	return typeof(kind) == TYPE_STRING and kind == "zstd"


# What a compressed frame says of itself: the size of its content, and its number.
func _look_into_packed() -> void:
	if wrong != "":
		return
	if typeof(frame.get("size")) != TYPE_INT or typeof(frame.get("data")) != TYPE_PACKED_BYTE_ARRAY:
		wrong = "a malformed zstd"
		return
	unpacked_size = frame["size"]
	if unpacked_size > _limit:
		wrong = "a compressed frame of %d bytes, more than the limit of %d" % [unpacked_size, _limit]
	elif unpacked_size < 4 or (frame["data"] as PackedByteArray).is_empty():
		wrong = "a compressed frame without content"
	if typeof(frame.get("bulk")) == TYPE_INT and not frame.has("seq"):
		peeked = maxi(frame["bulk"] as int, 0)


func _unpack() -> void:
	var outer := frame
	frame = {}
	_bytes = (outer["data"] as PackedByteArray).decompress(unpacked_size, FileAccess.COMPRESSION_ZSTD)
	if _bytes.size() != unpacked_size:
		wrong = "a compressed frame that is not what it says"
		_bytes = PackedByteArray()
		return
	_decode()
	if wrong == "" and _is_packed():
		wrong = "a compressed frame inside a compressed frame"
	elif wrong == "" and (frame.has("seq") or frame.has("bulk")):
		wrong = "a compressed frame that has its number inside"
	if wrong == "":
		for lane: String in ["seq", "bulk"]:
			if outer.has(lane):
				frame[lane] = outer[lane]


# Looks at the front of a large frame. Returns whether it is a compressed one; finds the number in the bulk lane of one that is not. Only what is
# at the top and easily passed over is looked at, and where that does not tell, nothing is known.
func _peek() -> bool:
	var end := _bytes.size()
	if _bytes.decode_u32(0) != TYPE_DICTIONARY:
		return false
	var at := 8
	for i: int in mini(_bytes.decode_u32(4), _MAX_PEEKED):
		if at + 12 > end or _bytes.decode_u32(at) != _STRING:
			return false
		var length := _bytes.decode_u32(at + 4)
		var key := _bytes.decode_u32(at + 8)
		at += 8 + ((length + 3) & ~3)
		if at + 12 > end:
			return false
		if length == 4 and key == _BULK and peeked == 0:
			match _bytes.decode_u32(at):
				_INT:
					peeked = maxi(_bytes.decode_s32(at + 4), 0)
				_INT | _WIDE:
					peeked = maxi(_bytes.decode_s64(at + 4), 0)
		elif length == 1 and key == _T:
			return _bytes.decode_u32(at) == _STRING and _bytes.decode_u32(at + 4) == 4 and _bytes.decode_u32(at + 8) == _ZSTD
		var skipped := _length_at(_bytes, at)
		if skipped == 0:
			return false
		at += skipped
	return false


# How many bytes the value at a place takes, at least 12 of which are there; 0 where that is not known at once.
static func _length_at(bytes: PackedByteArray, at: int) -> int:
	var count := bytes.decode_u32(at + 4)
	match bytes.decode_u32(at):
		TYPE_NIL:
			return 4
		TYPE_BOOL, TYPE_INT, TYPE_FLOAT:
			return 8
		TYPE_INT | _WIDE, TYPE_FLOAT | _WIDE, TYPE_VECTOR2, TYPE_VECTOR2I:
			return 12
		TYPE_VECTOR3, TYPE_VECTOR3I:
			return 16
		TYPE_STRING, TYPE_PACKED_BYTE_ARRAY:
			return 8 + ((count + 3) & ~3)
		TYPE_PACKED_INT32_ARRAY, TYPE_PACKED_FLOAT32_ARRAY:
			return 8 + 4 * count
		TYPE_PACKED_INT64_ARRAY, TYPE_PACKED_FLOAT64_ARRAY:
			return 8 + 8 * count
		TYPE_ARRAY, TYPE_DICTIONARY:
			return 8 if count == 0 else 0
	return 0
