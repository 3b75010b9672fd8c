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
