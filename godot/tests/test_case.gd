extends SceneTree
## What the tests share. A test is a function that returns true when it reaches its end: a run-time
## error ends it early, returning null, and so counts as a failure. The last line printed is
## "PASS name (n checks)" or "FAIL name ..."; the exit status is 0 or 1.

## How long all tests of a script may take, in milliseconds.
const PATIENCE_MS := 60_000

var checks := 0
var failures := 0

var _title := ""


func _process(_delta: float) -> bool:
	if Time.get_ticks_msec() > PATIENCE_MS:
		print("FAIL %s (out of time after %d checks)" % [_title, checks])
		quit(1)
	return false


## Runs [param tests] one after the other and ends the program.
func run(title: String, tests: Array[Callable]) -> void:
	_title = title
	# Without a display a tick takes 7 ms, most of it asleep.
	OS.low_processor_usage_mode_sleep_usec = 500
	# The tree is ready only after the first frame.
	await process_frame
	for test: Callable in tests:
		var before := checks
		var result: Variant = await test.call()
		if typeof(result) != TYPE_BOOL or result != true:
			fail("%s did not reach its end" % test.get_method())
		elif checks == before:
			fail("%s checked nothing" % test.get_method())
	if failures == 0:
		print("PASS %s (%d checks)" % [title, checks])
	else:
		print("FAIL %s (%d of %d checks)" % [title, failures, checks])
	quit(0 if failures == 0 else 1)


func fail(what: String) -> void:
	failures += 1
	printerr("failed: ", what)


func check(is_well: bool, what: String) -> void:
	checks += 1
	if not is_well:
		fail(what)


func equal(found: Variant, expected: Variant, what: String) -> void:
	checks += 1
	if typeof(found) != typeof(expected) or found != expected:
		fail("%s: found %s, expected %s" % [what, str(found).left(200), str(expected).left(200)])


func near(found: float, expected: float, tolerance: float, what: String) -> void:
	checks += 1
	# NaN is near nothing.
	if not (absf(found - expected) <= tolerance):
		fail("%s: found %s, expected %s" % [what, found, expected])
