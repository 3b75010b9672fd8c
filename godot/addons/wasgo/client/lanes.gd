@tool
extends RefCounted
## The frames of one connection, in the order in which they arrived and on their ways through the two lanes.
##
## Everything is taken out of [member arrivals] in its order, so that a frame of the bulk lane comes into
## [member bulk] only after the live frames before it were applied; a frame that a worker thread still decodes is
## waited for, one that a worker thread builds is not. What is held at once is bounded, by not taking more.

const _Leftovers := preload("../leftovers.gd")
const _Work := preload("work.gd")

## The most frames of the bulk lane that worker threads deal with at once.
const MAX_UNDER_WAY := 4
## The most frames that are held at once.
const MAX_HELD := 8192
# How many of the frames that arrived are decoded at once, when they are large.
const _DECODED_AHEAD := 4
# The most bytes that frames may have together once they are decoded; one may be of any size.
const _MAX_UNPACKED := 128 * 1024 * 1024
# How many bytes may wait besides those of the bulk lane.
const _MAX_LIVE_BYTES := 16 * 1024 * 1024

## Frames that have not been looked at, or wait for the one before them to be decoded.
var arrivals: Array[_Work] = []
## Frames of the bulk lane that are prepared, or to be applied, in the order of their numbers.
var bulk: Array[_Work] = []
## The number of the last live frame that was dealt with.
var live_done := 0
## The number of the last frame of the bulk lane that was taken in, and of the last that was dealt with.
var bulk_taken := 0
var bulk_done := 0
## Bytes of the bulk lane, length fields included, that were taken in and that were dealt with.
var bytes_taken := 0
var bytes_done := 0
## Microseconds of the main thread that went into frames of the bulk lane.
var work_usec := 0
## What the sidecar was granted so far.
var granted_bytes := 0
var granted_work := 0

# What the sidecar was told last.
var _told_live := 0
var _told_bulk := 0
# Bytes that arrived and are not at their end.
var _held_bytes := 0
# Bytes that frames have once decoded, of those that are decoded or about to be.
var _charged := 0
# How many frames of the bulk lane were given to worker threads, and those that are there.
var _started := 0
var _under_way: Array[_Work] = []


## Whether another frame may be taken from the socket, where the bulk lane has a window of [param window] bytes.
func has_room(window: int) -> bool:
	if arrivals.size() + bulk.size() >= MAX_HELD:
		return false
	# Who keeps to the credit does not come near this.
	return _held_bytes < window + _MAX_LIVE_BYTES or is_empty()


## Whether nothing of what arrived waits for anything.
func is_empty() -> bool:
	return arrivals.is_empty() and bulk.is_empty()


## Takes in the bytes of a frame. Returns what is wrong with them, which ends the connection.
func arrive(bytes: PackedByteArray, limit: int) -> String:
	var work := _Work.new(bytes, limit)
	_held_bytes += work.size
	arrivals.append(work)
	work.decode_front()
	if work.is_decoded or work.peeked > 0:
		_charge(work, bytes.size())
	elif work.wrong == "":
		_decode_ahead(limit)
	return work.wrong


# Has worker threads decode what has to be decoded before anything behind it can be dealt with.
func _decode_ahead(limit: int) -> void:
	for i: int in mini(arrivals.size(), _DECODED_AHEAD):
		var work := arrivals[i]
		if work.is_decoded or work.is_under_way() or work.peeked > 0 or work.wrong != "":
			continue
		# How large it is shows only inside it, when it is compressed.
		var size := work.unpacked_size if work.is_unpacked_size_known() else limit
		if _charged > 0 and _charged + size > _MAX_UNPACKED:
			return
		_charge(work, size)
		work.start(null, true)


func _charge(work: _Work, size: int) -> void:
	_charged += size - work.charged
	work.charged = size


## The next frame that may be dealt with, taken out, or null. Frames of the bulk lane may come undecoded.
func next_arrival(limit: int) -> _Work:
	if arrivals.is_empty():
		return null
	var work := arrivals[0]
	if not work.is_done():
		return null
	if not work.is_decoded and work.wrong == "" and work.peeked == 0:
		_decode_ahead(limit)
		return null
	arrivals.pop_front()
	return work


## [param work], which was taken out, has been dealt with.
func settle(work: _Work) -> void:
	_held_bytes -= work.size
	_charge(work, 0)


## Whether [param number] is the one that is due in the live lane.
func is_next_live(number: Variant) -> bool:
	return typeof(number) == TYPE_INT and number == live_done + 1


## Takes [param work] into the bulk lane. Returns what is wrong with that, which ends the connection.
func take_bulk(work: _Work) -> String:
	var number: Variant = work.frame.get("bulk") if work.is_decoded else work.peeked
	if typeof(number) != TYPE_INT or number != bulk_taken + 1:
		return "number %s in the bulk lane where %d was due" % [str(number).left(32), bulk_taken + 1]
	# One frame may be beyond what was granted, when all before it have been acknowledged.
	if bytes_taken + work.size > granted_bytes and _told_bulk < bulk_taken:
		return "%d bytes in the bulk lane, where %d were granted" % [bytes_taken + work.size, granted_bytes]
	work.peeked = number
	bulk_taken += 1
	bytes_taken += work.size
	bulk.append(work)
	return ""


## Has worker threads prepare what waits for that, by [param receiver] or, when that is null, as far as decoding goes.
func start_bulk(receiver: Object) -> void:
	for i: int in range(_under_way.size() - 1, -1, -1):
		if _under_way[i].is_done():
			_under_way.remove_at(i)
	while _started < bulk.size() and _under_way.size() < MAX_UNDER_WAY:
		var work := bulk[_started]
		if _started > 0 and _charged - work.charged + work.unpacked_size > _MAX_UNPACKED:
			return
		_charge(work, work.unpacked_size)
		_started += 1
		if not work.is_decoded or receiver != null:
			work.start(receiver, false)
			_under_way.append(work)


## The frame of the bulk lane that is to be applied now, or null. It stays until [method finish_bulk].
func next_bulk() -> _Work:
	if _started == 0 or not bulk[0].is_done():
		return null
	return bulk[0]


## The frame that [method next_bulk] gave has been dealt with. [param is_applied] says whether its job came to its end; it is cancelled otherwise.
func finish_bulk(is_applied: bool) -> void:
	var work: _Work = bulk.pop_front()
	_started -= 1
	bulk_done += 1
	bytes_done += work.size
	settle(work)
	if is_applied:
		work.job = null
	work.drop()


## What the sidecar is to be told now: an [code]ack[/code], a [code]credit[/code], both or none. [param window] is how many bytes of the bulk lane may
## be on their way, [param window_usec] how much work.
func answers(window: int, window_usec: int) -> Array[Dictionary]:
	var told: Array[Dictionary] = []
	if live_done > _told_live or bulk_done > _told_bulk:
		_told_live = live_done
		_told_bulk = bulk_done
		told.append({"t": "ack", "seq": live_done, "bulk": bulk_done, "work": work_usec})
	var bytes := maxi(bytes_done + window, granted_bytes)
	var usec := maxi(work_usec + window_usec, granted_work)
	# Small steps would be told in every tick.
	if (bytes - granted_bytes) * 8 >= window or (usec - granted_work) * 8 >= window_usec:
		granted_bytes = bytes
		granted_work = usec
		told.append({"t": "credit", "bytes": bytes, "work": usec})
	return told


## Starts anew, for another connection. What worker threads are at goes on, and comes to nothing.
func reset() -> void:
	var all := arrivals.duplicate()
	all.append_array(bulk)
	for work: _Work in all:
		work.is_cancelled = true
		_Leftovers.add(work)
	arrivals.clear()
	bulk.clear()
	live_done = 0
	bulk_taken = 0
	bulk_done = 0
	bytes_taken = 0
	bytes_done = 0
	work_usec = 0
	granted_bytes = 0
	granted_work = 0
	_told_live = 0
	_told_bulk = 0
	_held_bytes = 0
	_charged = 0
	_started = 0
	_under_way.clear()


## Waits until no task is under way that may touch the receiver. Those that have not begun do nothing, so that this takes as long as
## what has begun.
func quiesce() -> void:
	var all := arrivals.duplicate()
	all.append_array(bulk)
	for work: _Work in all:
		work.is_cancelled = true
	for work: _Work in all:
		_Leftovers.wait_for(work)
	# Those of a connection that has ended.
	_Leftovers.finish()
