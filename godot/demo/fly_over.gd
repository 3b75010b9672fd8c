extends RefCounted
## A flight along a path, and what it measures: once a second a line of JSON, one for each frame that was too long, and one in the end.
##
## A line has [code]seconds[/code] since the flight began, [code]position[/code], [code]frames[/code] of the last second and their
## [code]frame_ms[/code] (mean, 99th percentile and longest), the client's main-thread time a tick as [code]work_ms[/code] (mean and longest) and
## of large frames in all as [code]bulk_ms[/code], [code]chunks[/code] held and how many of them lie [code]in_view[/code], and how many of
## [code]places[/code] around the camera have no chunk: [code]missing[/code]. That of a frame has it as [code]frame[/code], the last has [code]flight[/code]
## ([code]fly_frames.gd[/code]).

const _Client := preload("res://addons/wasgo/client.gd")
const _FlyFrames := preload("fly_frames.gd")
const _RINGS: Array[float] = [0.05, 0.25, 0.5, 0.75, 0.95]
const _DIRECTIONS := 12

## Metres a second.
var speed := 30.0
## How far the camera sees, in metres.
var radius := 500.0
## Where to go, one after the other.
var points: Array[Vector3] = []

var _long := _FlyFrames.new()
var _own := 0
var _next := 0
var _began := 0
var _second := 0
var _frames: Array[float] = []
var _file: FileAccess
# Where each chunk lies on the ground.
var _areas: Dictionary[String, Rect2] = {}


## Writes the lines to [param path], or to standard output when it is empty. Returns whether it can.
func open(path: String) -> bool:
	if path != "":
		_file = FileAccess.open(path, FileAccess.WRITE)
	return path == "" or _file != null


## A chunk of the world was built.
func note_chunk(key: String, chunk: Node3D) -> void:
	var area := Rect2()
	var has_area := false
	for part: Node in chunk.find_children("*", "MeshInstance3D", true, false):
		var box := (part as MeshInstance3D).get_aabb()
		var found := Rect2(chunk.position.x + box.position.x, chunk.position.z + box.position.z, box.size.x, box.size.z)
		area = area.merge(found) if has_area else found
		has_area = true
	_areas[key] = area


## A chunk is there no more.
func forget_chunk(key: String) -> void:
	_areas.erase(key)


## Moves [param camera] on by [param delta] seconds, and measures what [param client] does. Returns whether the flight is over.
func go_on(camera: Camera3D, delta: float, client: _Client) -> bool:
	var started := Time.get_ticks_usec()
	var parts := client.tick_parts()
	var told := _long.tick(parts, client.tick_budget_ms)
	if not told.is_empty():
		told["flight_ms"] = _own / 1000.0
		told["tick"] = _long.frames
		_tell({"frame": told})
	var is_over := _go_on(camera, delta, client)
	if is_over:
		_tell({"flight": _long.summary()})
	_own = Time.get_ticks_usec() - started
	return is_over


func _go_on(camera: Camera3D, delta: float, client: _Client) -> bool:
	var now := Time.get_ticks_msec()
	if _began == 0:
		_began = now
		camera.position = points[0]
	_frames.append(delta * 1000.0)
	var way := speed * delta
	while way > 0.0 and _next < points.size():
		var distance := camera.position.distance_to(points[_next])
		if distance > way:
			camera.position = camera.position.move_toward(points[_next], way)
			_look(camera, points[_next])
			way = 0.0
		else:
			camera.position = points[_next]
			way -= distance
			_next += 1
	if now - _began >= (_second + 1) * 1000 or _next >= points.size():
		_second = (now - _began) / 1000
		_write(camera, now, client.status())
	return _next >= points.size()


func _look(camera: Camera3D, at: Vector3) -> void:
	var ahead := at - camera.position
	if Vector2(ahead.x, ahead.z).length() > 1.0:
		camera.look_at(at + Vector3.DOWN * 0.2 * ahead.length())


func _write(camera: Camera3D, now: int, status: Dictionary) -> void:
	_frames.sort()
	var sum := 0.0
	for frame: float in _frames:
		sum += frame
	var here := Vector2(camera.position.x, camera.position.z)
	var in_view := 0
	for key: String in _areas:
		if _distance(_areas[key], here) <= radius:
			in_view += 1
	var receiver: Dictionary = status.get("receiver", {})
	_tell({
		"seconds": snappedf((now - _began) / 1000.0, 0.001),
		"position": [snappedf(camera.position.x, 0.1), snappedf(camera.position.y, 0.1), snappedf(camera.position.z, 0.1)],
		"frames": _frames.size(), "frame_ms": {"mean": snappedf(sum / _frames.size(), 0.01),
				"p99": snappedf(_frames[int(_frames.size() * 0.99)], 0.01), "longest": snappedf(_frames[-1], 0.01)},
		"work_ms": {"mean": status.get("tick_ms", 0.0), "longest": status.get("longest_tick_ms", 0.0)}, "bulk_ms": status.get("bulk_work_ms", 0.0),
		"bytes": status.get("bytes_in", 0), "chunks": receiver.get("chunks", 0), "cached": receiver.get("cached", 0), "in_view": in_view,
		"places": _RINGS.size() * _DIRECTIONS, "missing": _missing(here)})
	_frames.clear()


func _tell(what: Dictionary) -> void:
	var line := JSON.stringify(what)
	if _file != null:
		_file.store_line(line)
		_file.flush()
	else:
		print("fly ", line)


# How many places around here no chunk covers.
func _missing(here: Vector2) -> int:
	var missing := 0
	for ring: float in _RINGS:
		for i: int in _DIRECTIONS:
			var place := here + Vector2.from_angle(TAU * i / _DIRECTIONS) * ring * radius
			var is_covered := false
			for key: String in _areas:
				if _areas[key].has_point(place):
					is_covered = true
					break
			missing += 0 if is_covered else 1
	return missing


static func _distance(area: Rect2, from: Vector2) -> float:
	return from.distance_to(from.clamp(area.position, area.end))
