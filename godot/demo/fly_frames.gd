extends RefCounted
## How long the frames of a flight take, and where the time of those that are too long went.
##
## A frame goes from one tick of the scene to the next. Beside its length stand the time that the client took of it, by part, and what the kernel
## says of the main thread where the engine can read that ([code]/proc/thread-self/schedstat[/code]; not in a chroot without it): how long it ran, and how long
## it could have run but had no core. What remains it slept or was stopped.

## A frame that is longer than this is told of, in milliseconds.
const LONG_MS := 16.0

## How many there were, and how many of them were too long.
var frames := 0
var long := 0
## Of these, in how many the client took more of the main thread than it may, and in how many the main thread ran for longer than [constant LONG_MS]. What the
## main thread did not run is nobody's work: the client counts for no more than that.
var over_budget := 0
var busy := 0
## The longest, in milliseconds, the most that the client took of a frame, and the most that the main thread ran in one.
var longest_ms := 0.0
var longest_work_ms := 0.0
var most_run_ms := 0.0

var _began := 0
var _ran := 0
var _waited := 0
var _can_ask := true


## A tick begins, and a frame is over. [param parts] are the client's, of that frame in microseconds; it may take [param budget_ms]. Returns what is to be
## told of a frame that was too long, else nothing.
func tick(parts: Dictionary[StringName, int], budget_ms: float) -> Dictionary:
	var now := Time.get_ticks_usec()
	var before := _began
	var ran := _ran
	var waited := _waited
	_began = now
	_ask()
	if before == 0:
		return {}
	frames += 1
	var length := (now - before) / 1000.0
	var work := 0
	for part: StringName in parts:
		work += parts[part]
	longest_ms = maxf(longest_ms, length)
	longest_work_ms = maxf(longest_work_ms, work / 1000.0)
	most_run_ms = maxf(most_run_ms, (_ran - ran) / 1000.0)
	if length <= LONG_MS:
		return {}
	long += 1
	over_budget += 1 if (mini(work, _ran - ran) if _can_ask else work) > budget_ms * 1000.0 else 0
	busy += 1 if _can_ask and _ran - ran > LONG_MS * 1000.0 else 0
	var told := {"ms": snappedf(length, 0.01), "client_ms": work / 1000.0, "parts_us": parts}
	if _can_ask:
		told["ran_ms"] = (_ran - ran) / 1000.0
		told["waited_ms"] = (_waited - waited) / 1000.0
	return told


## What there is to say in the end.
func summary() -> Dictionary:
	return {"frames": frames, "long": long, "over_budget": over_budget, "busy": busy if _can_ask else -1,
			"longest_ms": snappedf(longest_ms, 0.01), "longest_client_ms": longest_work_ms,
			"most_run_ms": most_run_ms if _can_ask else -1.0}


func _ask() -> void:
	var file: FileAccess = FileAccess.open("/proc/thread-self/schedstat", FileAccess.READ) if _can_ask else null
	_can_ask = file != null
	if _can_ask:
		var numbers := file.get_line().split(" ")
		_ran = numbers[0].to_int() / 1000
		_waited = numbers[1].to_int() / 1000 if numbers.size() > 1 else 0
