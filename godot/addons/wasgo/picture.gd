extends RefCounted
## Takes a picture of the world from a point of the sidecar's choosing.

const _Check := preload("check.gd")

## The most bytes that a picture may have, so that it fits into a frame.
const MAX_BYTES := 15 * 1024 * 1024


## Says what is wrong with [param frame]'s account of the camera; empty when nothing is.
static func check(frame: Dictionary) -> String:
	var wrong := _Check.field(frame, "eye", TYPE_VECTOR3)
	if wrong == "":
		wrong = _Check.field(frame, "target", TYPE_VECTOR3)
	if wrong == "":
		wrong = _Check.number(frame, "fov", 1.0, 179.0)
	if wrong != "":
		return wrong
	var eye: Vector3 = frame["eye"]
	var target: Vector3 = frame["target"]
	if not eye.is_finite() or not target.is_finite():
		return "eye and target must be finite"
	if eye.distance_to(target) < 0.001:
		return "eye and target are the same point"
	return ""


## Takes the picture that [param frame], which [method check] found well, asks for, with a camera in
## [param world], and gives it to [param done] as [code](png: PackedByteArray, wrong: String)[/code];
## one of the two is empty. Nothing is given when [param world] has been freed meanwhile.
static func take(world: Node3D, frame: Dictionary, done: Callable) -> void:
	if DisplayServer.get_name() == "headless":
		done.call(PackedByteArray(), "this engine runs without a display")
		return
	var eye: Vector3 = frame["eye"]
	var target: Vector3 = frame["target"]
	var viewport := world.get_viewport()
	var before := viewport.get_camera_3d()
	var camera := Camera3D.new()
	camera.fov = frame["fov"]
	camera.far = maxf(4000.0, eye.distance_to(target) * 4.0)
	world.add_child(camera)
	var along := eye.direction_to(target)
	camera.look_at_from_position(eye, target, Vector3.FORWARD if absf(along.y) > 0.999 else Vector3.UP)
	camera.make_current()
	# The other renderers work out the sky's light over some frames.
	var frames := 1 if RenderingServer.get_current_rendering_method() == "gl_compatibility" else 4
	for i: int in frames:
		await world.get_tree().process_frame
		if not is_instance_valid(world):
			return  # And with it whoever asked.
		if not world.is_inside_tree() or not is_instance_valid(camera):
			done.call(PackedByteArray(), "the world went away")
			return
		# Draws even where the project has turned the render loop off, as a server may.
		RenderingServer.force_draw(true)
	var image := viewport.get_texture().get_image()
	camera.queue_free()
	if is_instance_valid(before) and before.is_inside_tree():
		before.make_current()
	if image == null or image.is_empty():
		done.call(PackedByteArray(), "the engine has no picture to give")
		return
	var png := image.save_png_to_buffer()
	if png.size() > MAX_BYTES:
		done.call(PackedByteArray(), "a picture of %d bytes, more than the limit of %d" % [png.size(), MAX_BYTES])
	else:
		done.call(png, "")
