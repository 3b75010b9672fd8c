@tool
extends RefCounted
## What worker threads are still at and nobody waits for any more: it comes to its end by itself, and what came of it is thrown away.
##
## So nothing that leaves the tree, or ends a connection, has to wait. The one object of this class belongs to the scene tree; when that goes, it waits for
## what is left.

const _META := &"_wasgo_leftovers"
# How long a tick may go into throwing away, in microseconds.
const _DROPPING_US := 1000

# Each has is_done() -> bool, and drop().
var _all: Array[RefCounted] = []


## Takes [param work] over, for the main thread: [code]is_done() -> bool[/code] is asked in each tick, and then [code]drop()[/code] is called, once.
static func add(work: RefCounted) -> void:
	var tree := Engine.get_main_loop() as SceneTree
	if not tree.has_meta(_META):
		tree.set_meta(_META, new())
	(tree.get_meta(_META) as Object).call(&"_take", work)


## Waits until all has come to its end.
static func finish() -> void:
	var tree := Engine.get_main_loop() as SceneTree
	if tree.has_meta(_META):
		(tree.get_meta(_META) as Object).call(&"_finish")


## Waits for [param work], which a worker thread is at.
static func wait_for(work: RefCounted) -> void:
	while not work.call(&"is_done"):
		# A worker may wait for the main thread to hand its calls to the renderer.
		RenderingServer.force_sync()
		OS.delay_usec(100)


func _take(work: RefCounted) -> void:
	if _all.is_empty():
		(Engine.get_main_loop() as SceneTree).process_frame.connect(_look)
	_all.append(work)


func _look() -> void:
	# It may have been emptied earlier in this tick.
	if _all.is_empty():
		return
	var until := Time.get_ticks_usec() + _DROPPING_US
	for i: int in range(_all.size() - 1, -1, -1):
		if _all[i].call(&"is_done"):
			_all[i].call(&"drop")
			_all.remove_at(i)
			if Time.get_ticks_usec() >= until:
				break
	if _all.is_empty():
		(Engine.get_main_loop() as SceneTree).process_frame.disconnect(_look)


func _finish() -> void:
	for work: RefCounted in _all:
		wait_for(work)
	while not _all.is_empty():
		_look()


func _notification(what: int) -> void:
	# An object that is about to go can call no methods of its own, but those of the class.
	if what == NOTIFICATION_PREDELETE:
		for work: RefCounted in _all:
			wait_for(work)
			work.call(&"drop")
