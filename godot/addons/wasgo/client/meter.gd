@tool
extends RefCounted
## What a client has done of late: time, bytes, and what went wrong.

## How many errors are kept.
const MAX_ERRORS := 32
const _PERIOD_MS := 1000
const _MAX_TEXT := 500

## The main thread's time in a tick, in milliseconds: on average, and at most, over the last second that is complete.
var tick_ms := 0.0
var longest_tick_ms := 0.0
## What the last tick's time went into, in microseconds: [code]receive[/code] (the socket), [code]decode[/code], [code]live[/code] (frames of the live lane
## and unnumbered ones), steps of large frames by their names, [code]start[/code] (handing frames to worker threads) and [code]send[/code].
var parts: Dictionary[StringName, int] = {}
## Bytes that came and went in a second, over the same.
var bytes_in_per_second := 0.0
var bytes_out_per_second := 0.0
## What went wrong last, the newest at the end: [code]at[/code] (milliseconds since the engine started) and [code]message[/code].
var errors: Array[Dictionary] = []

var _since := 0
var _ticks := 0
var _usec := 0
var _longest := 0
var _bytes_in := 0
var _bytes_out := 0


## Notes that something went wrong.
func note(message: String) -> void:
	if errors.size() >= MAX_ERRORS:
		errors.pop_front()
	errors.append({"at": Time.get_ticks_msec(), "message": message.left(_MAX_TEXT)})


## The time since [param began], in microseconds of the engine's clock, went into [param part]. Returns the time now.
func spend(part: StringName, began: int) -> int:
	var now := Time.get_ticks_usec()
	parts[part] = parts.get(part, 0) + now - began
	return now


## Notes a tick at [param now] that took [param usec], and how many bytes there have been so far.
func tick(now: int, usec: int, bytes_in: int, bytes_out: int) -> void:
	_ticks += 1
	_usec += usec
	_longest = maxi(_longest, usec)
	var passed := now - _since
	if passed < _PERIOD_MS:
		return
	tick_ms = _usec / 1000.0 / _ticks
	longest_tick_ms = _longest / 1000.0
	bytes_in_per_second = maxi(bytes_in - _bytes_in, 0) * 1000.0 / passed
	bytes_out_per_second = maxi(bytes_out - _bytes_out, 0) * 1000.0 / passed
	_since = now
	_ticks = 0
	_usec = 0
	_longest = 0
	_bytes_in = bytes_in
	_bytes_out = bytes_out
