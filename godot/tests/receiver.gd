extends Node
## What a world is to a client, for the tests: it notes what it is asked for, and its jobs take as long as they are told.

class Job:
	extends RefCounted
	var error := ""
	var key := ""
	var steps := 1
	var step_usec := 0
	var log: Array[String]

	func step() -> bool:
		var end := Time.get_ticks_usec() + step_usec
		while Time.get_ticks_usec() < end:
			pass
		steps -= 1
		log.append(("step " if steps > 0 else "done ") + key)
		return steps <= 0

	func cancel() -> void:
		log.append("cancel " + key)


## Prepares in place of the receiver.
class Workshop:
	extends RefCounted
	var prepare_usec := 0
	var prepared := 0
	## What has begun does not come to an end before this is false.
	var is_held := false

	func wasgo_prepare(_kind: String, _frame: Dictionary) -> Object:
		prepared += 1
		OS.delay_usec(prepare_usec)
		while is_held:
			OS.delay_usec(500)
		return Job.new()


## Who prepares, when it is not the receiver itself.
var workshop: Workshop
## How long a worker thread takes for a frame, in microseconds, and the main thread in how many steps of how many microseconds.
var prepare_usec := 0
var steps := 1
var step_usec := 0
## Worker threads do not come to an end before this is false.
var is_held := false
## What the next resume says.
var fields := {}
## Everything that happened on the main thread, in its order.
var log: Array[String] = []
## Frames whose preparation has begun, and whether one was prepared by the main thread.
var prepared := 0
var was_on_main_thread := false

var _mutex := Mutex.new()


func wasgo_resume() -> Dictionary:
	log.append("resume")
	return fields


func wasgo_opened(world: String, is_resumed_world: bool) -> void:
	log.append("opened %s %s" % [world, is_resumed_world])


func wasgo_preparer() -> Object:
	return workshop if workshop != null else self


func wasgo_status() -> Dictionary:
	return {"chunks": 7}


func wasgo_prepare(kind: String, frame: Dictionary) -> Object:
	_mutex.lock()
	prepared += 1
	was_on_main_thread = was_on_main_thread or OS.get_thread_caller_id() == OS.get_main_thread_id()
	_mutex.unlock()
	if kind == "no job":
		return null
	var end := Time.get_ticks_usec() + prepare_usec
	while is_held or Time.get_ticks_usec() < end:
		OS.delay_usec(200)
	var job := Job.new()
	job.key = str(frame.get("key", kind))
	job.steps = frame.get("steps", steps)
	job.step_usec = step_usec
	job.log = log
	if frame.has("wrong"):
		job.error = str(frame["wrong"])
	return job


## The entries of the log that begin with [param what].
func logged(what: String) -> Array[String]:
	return log.filter(func(entry: String) -> bool: return entry.begins_with(what))
