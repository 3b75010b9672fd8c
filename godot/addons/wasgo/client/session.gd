@tool
extends RefCounted
## What is done with the frames of one connection, from the socket to whoever applies them. Knows nothing of how the
## connection came to be; sends nothing itself.
##
## Functions that return a text return what is wrong with what came, which ends the connection; it is empty when all is well.

const _Lanes := preload("lanes.gd")
const _Meter := preload("meter.gd")
const _Transport := preload("transport.gd")
const _Work := preload("work.gd")

const _MAX_REASON := 500
# How long a bye waits for frames before it that are still worked on.
const _FAREWELL_MS := 1000

## The connection has ended: nothing more is taken, and nothing applied. Whoever gets a frame may bring this about.
var is_over := false
## Why the sidecar says bye, once it has.
var farewell := ""
## Numbered frames so far, and their bytes, length fields included.
var frames := 0
var bytes := 0

var _link: _Transport
var _lanes: _Lanes
var _on_frame: Callable
var _on_rejected: Callable
var _meter: _Meter
var _farewell_until := 0


## Frames that are to be applied by others, and unnumbered ones, go to [param on_frame] as [code](kind, frame)[/code]; what cannot be applied goes to
## [param on_rejected] as [code](frame, message)[/code]. [param meter] is told what the time goes into.
func _init(link: _Transport, lanes: _Lanes, on_frame: Callable, on_rejected: Callable, meter: _Meter) -> void:
	_link = link
	_lanes = lanes
	_on_frame = on_frame
	_on_rejected = on_rejected
	_meter = meter


## Takes frames from the socket until [param until], by the engine's own clock in microseconds, and deals with those that may be: live ones at
## once, others go into their lane. One is dealt with in any case.
func take_in(until: int, limit: int, window: int) -> String:
	var now := Time.get_ticks_usec()
	while not is_over and _farewell_until == 0:
		var wrong := ""
		var work := _lanes.next_arrival(limit)
		if work != null:
			wrong = _deal_with(work)
			now = _meter.spend(&"live", now)
		elif not _lanes.has_room(window):
			return ""
		else:
			var found: Variant = _link.next_frame(limit)
			now = _meter.spend(&"receive", now)
			if found == null:
				return _link.problem if _link.is_broken else ""
			wrong = _lanes.arrive(found as PackedByteArray, limit)
			now = _meter.spend(&"decode", now)
		if wrong != "" or now >= until:
			return wrong
	return ""


func _deal_with(work: _Work) -> String:
	var frame := work.frame
	if work.wrong != "":
		return work.wrong
	if not work.is_decoded or frame.has("bulk"):
		frames += 1
		bytes += work.size
		return "a frame of both lanes" if frame.has("seq") else _lanes.take_bulk(work)
	_lanes.settle(work)
	var kind: String = frame["t"]
	if not frame.has("seq"):
		if kind == "bye":
			var reason: Variant = frame.get("reason")
			farewell = (reason as String).left(_MAX_REASON) if typeof(reason) == TYPE_STRING else "no reason given"
			_farewell_until = Time.get_ticks_msec() + _FAREWELL_MS
		else:
			_on_frame.call(kind, frame)
		return ""
	if not _lanes.is_next_live(frame["seq"]):
		return "number %s in the live lane where %d was due" % [str(frame["seq"]).left(32), _lanes.live_done + 1]
	frames += 1
	bytes += work.size
	_on_frame.call(kind, frame)
	if not is_over:
		_lanes.live_done += 1
	return ""


## Goes on with the frames of the bulk lane, in their order, until [param until]; one piece in any case.
func apply_bulk(until: int) -> String:
	while not is_over:
		var work := _lanes.next_bulk()
		if work == null:
			return ""
		if work.wrong != "":
			return work.wrong
		var began := Time.get_ticks_usec()
		var now := _meter.spend(_apply_piece(work), began)
		if is_over:
			return ""
		_lanes.work_usec += now - began
		if now >= until:
			return ""
	return ""


# Returns what it was, for the meter.
func _apply_piece(work: _Work) -> StringName:
	var kind: String = work.frame["t"]
	var wrong := ""
	var part: Variant = &"bulk"
	# A run-time error in a job's step gives null.
	var is_finished: Variant = true
	if not work.is_prepared:
		_on_frame.call(kind, work.frame)
	elif not is_instance_valid(work.job):
		wrong = "the add-on failed on this"
	else:
		wrong = _error_of(work.job)
		if wrong == "":
			part = work.job.get(&"part")
			is_finished = work.job.call(&"step")
			wrong = _error_of(work.job)
		if typeof(is_finished) != TYPE_BOOL:
			wrong = "the add-on failed on this"
	if is_over:
		return &"bulk"
	if wrong != "":
		_on_rejected.call(work.frame, "%s: %s" % [kind.left(32), wrong])
	if wrong != "" or is_finished:
		_lanes.finish_bulk(wrong == "")
	return part if typeof(part) == TYPE_STRING_NAME else &"bulk"


static func _error_of(job: Object) -> String:
	var error: Variant = job.get(&"error")
	return error if typeof(error) == TYPE_STRING else ""


## Whether the sidecar has said bye, and what came before it has been dealt with, or has taken too long.
func is_farewell() -> bool:
	return _farewell_until > 0 and (_lanes.is_empty() or Time.get_ticks_msec() > _farewell_until)
