extends "test_case.gd"
## Exports of scenes with skeletons and animations, over and over, while these move and go.

const Exports := preload("res://addons/wasgo/client/exports.gd")
const Leftovers := preload("res://addons/wasgo/leftovers.gd")

const BONES := 8


func _initialize() -> void:
	run("exports_test", [_a_thousand, _what_goes_meanwhile, _given_up] as Array[Callable])


# A skinned mesh that an animation bends.
func _rig() -> Node3D:
	var scene := Node3D.new()
	scene.name = "Rig"
	var skeleton := Skeleton3D.new()
	skeleton.name = "Skeleton"
	for i: int in BONES:
		skeleton.add_bone("bone%d" % i)
		skeleton.set_bone_parent(i, i - 1)
		skeleton.set_bone_rest(i, Transform3D(Basis.IDENTITY, Vector3(0, 0.2, 0)))
	skeleton.reset_bone_poses()
	var tool := SurfaceTool.new()
	tool.begin(Mesh.PRIMITIVE_TRIANGLES)
	for i: int in 300:
		tool.set_normal(Vector3.UP)
		tool.set_bones(PackedInt32Array([i % BONES, (i + 1) % BONES, 0, 0]))
		tool.set_weights(PackedFloat32Array([0.5, 0.5, 0, 0]))
		tool.add_vertex(Vector3(i % 3, i / 3, 0))
	var shown := MeshInstance3D.new()
	shown.name = "Mesh"
	shown.mesh = tool.commit()
	shown.skin = skeleton.create_skin_from_rest_transforms()
	shown.skeleton = ^".."
	var animation := Animation.new()
	for i: int in BONES:
		var track := animation.add_track(Animation.TYPE_ROTATION_3D)
		animation.track_set_path(track, NodePath("Skeleton:bone%d" % i))
		animation.rotation_track_insert_key(track, 0.0, Quaternion.IDENTITY)
		animation.rotation_track_insert_key(track, 1.0, Quaternion(Vector3.RIGHT, 0.5))
	var library := AnimationLibrary.new()
	library.add_animation("wave", animation)
	var player := AnimationPlayer.new()
	player.name = "Player"
	player.add_animation_library("", library)
	scene.add_child(skeleton)
	skeleton.add_child(shown)
	scene.add_child(player)
	for part: Node in [skeleton, shown, player] as Array[Node]:
		part.owner = scene
	return scene


# Takes what has come, and says how many there were.
func _take(exports: Exports, what: String) -> int:
	var frames := exports.ended()
	for frame: Dictionary in frames:
		if frame.get("t") != "scene" or (frame["glb"] as PackedByteArray).size() < 10_000:
			fail("%s: %s" % [what, str(frame).left(200)])
	return frames.size()


func _a_thousand() -> bool:
	var rig := _rig()
	root.add_child(rig)
	(rig.get_node(^"Player") as AnimationPlayer).play("wave")
	var exports := Exports.new()
	var begun := 0
	var done := 0
	while done < 1000:
		while begun < 1000 and exports.begin(rig, "rig", begun) == "":
			begun += 1
		await process_frame
		done += _take(exports, "one of many")
	check(exports.size() == 0, "all came")
	exports.begin(rig, "rig", 0)
	var last: Array[Dictionary] = []
	while last.is_empty():
		await process_frame
		last = exports.ended()
	var state := GLTFState.new()
	equal(GLTFDocument.new().append_from_buffer(last[0]["glb"] as PackedByteArray, "", state), OK as Error, "it is a file")
	equal([state.get_skeletons().size(), state.get_animations().size(), state.get_meshes().size()], [1, 1, 1], "with all that is in the scene")
	rig.free()
	return true


# What is exported is a copy: the game may free the scene, or change it, at any time.
func _what_goes_meanwhile() -> bool:
	var nodes := Performance.get_monitor(Performance.OBJECT_NODE_COUNT)
	var exports := Exports.new()
	var done := 0
	for round: int in 100:
		var rig := _rig()
		if round % 2 == 0:
			root.add_child(rig)
		equal(exports.begin(rig, "rig", round), "", "an export")
		rig.free()
		while exports.size() == Exports.MAX_EXPORTS:
			await process_frame
			done += _take(exports, "one whose scene is gone")
	while exports.size() > 0:
		await process_frame
		done += _take(exports, "one whose scene is gone")
	equal(done, 100, "all came")
	equal(Performance.get_monitor(Performance.OBJECT_NODE_COUNT), nodes, "and no copy is left")
	return true


func _given_up() -> bool:
	var nodes := Performance.get_monitor(Performance.OBJECT_NODE_COUNT)
	var rig := _rig()
	for round: int in 50:
		var exports := Exports.new()
		for i: int in Exports.MAX_EXPORTS:
			equal(exports.begin(rig, "rig", i), "", "an export")
		exports.abandon()
		equal(exports.size(), 0, "nothing is under way for who gave it up")
		if round % 10 == 0:
			await process_frame
	rig.free()
	Leftovers.finish()
	equal(Performance.get_monitor(Performance.OBJECT_NODE_COUNT), nodes, "no copy is left")
	return true
