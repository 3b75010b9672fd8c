extends RefCounted
## Takes frames of the bulk lane into a world as the client does: prepared by a worker thread, then step by step. For
## the tests.

## How many steps the last one took, and the longest and all of them, in microseconds.
var steps := 0
var longest := 0
var total := 0


## What [param world] prepares of [param frame] on a worker thread. The tree goes on meanwhile.
func prepare(world: Node3D, frame: Dictionary) -> Object:
	var made: Array[Object] = []
	var task := WorkerThreadPool.add_task(func() -> void: made.append(world.call("wasgo_preparer").call("wasgo_prepare", frame["t"], frame)))
	while not WorkerThreadPool.is_task_completed(task):
		await Engine.get_main_loop().process_frame
	WorkerThreadPool.wait_for_task_completion(task)
	return made[0]


## Does all steps of [param job], [param a_tick] of them in each tick (0: all at once). Returns what is wrong.
func finish(job: Object, a_tick := 0) -> String:
	steps = 0
	longest = 0
	total = 0
	var is_done: bool = job.get("error") != ""
	while not is_done:
		var before := Time.get_ticks_usec()
		is_done = job.call("step")
		var took := Time.get_ticks_usec() - before
		steps += 1
		total += took
		longest = maxi(longest, took)
		if a_tick > 0 and steps % a_tick == 0:
			await Engine.get_main_loop().process_frame
	return job.get("error")


## Both. Returns what is wrong with the frame.
func run(world: Node3D, frame: Dictionary, a_tick := 0) -> String:
	return await finish(await prepare(world, frame), a_tick)
