extends RefCounted
## Checks colliders, and cuts them into pieces of which each takes the main thread less than a
## millisecond.
##
## The physics server does its work on the main thread whoever calls it (unless the project says
## otherwise), so what is slow there is made small: a large height field becomes several, and a mesh
## becomes groups of triangles that lie together. Freeing a body takes time that grows with the square
## of its shapes, and Jolt builds all shapes of a body when it enters the tree: what one body has is bounded by
## [constant WEIGHT_OF_A_BODY].

const _Check := preload("check.gd")

## The most colliders of a chunk or node.
const MAX_COLLIDERS := 1024
## The most heights along one side.
const MAX_SIDE := 4097
## The most boxes, and the most triangles, of a chunk or node.
const MAX_PARTS := 65_536
## The most shapes of one body, where a mesh counts as [constant WEIGHT_OF_A_MESH].
const WEIGHT_OF_A_BODY := 192
const WEIGHT_OF_A_MESH := 96

const _WEIGHT := &"_wasgo_weight"
const _BOX_FLOATS := 12
const _BOXES_A_PIECE := 96
const _TRIANGLES_A_PIECE := 512
const _CELLS_A_PIECE := 128
const _THINNEST := 0.001

## A piece of the work: shapes, of one kind, that go into a body together.
class Piece:
	extends RefCounted
	## Heights of one field, or none.
	var heights := PackedFloat32Array()
	## How many of them lie along +X and +Z, and how far apart.
	var width := 0
	var depth := 0
	var cell := 1.0
	## Where the first lies.
	var corner := Vector3.ZERO
	## Boxes: what turns and places each, and its size.
	var places: Array[Transform3D] = []
	var sizes := PackedVector3Array()
	## Corners of triangles.
	var faces := PackedVector3Array()

	func weight() -> int:
		return WEIGHT_OF_A_MESH if not faces.is_empty() else maxi(sizes.size(), 1)


## Says what is wrong with [param data]'s [code]colliders[/code]; empty when nothing is.
static func check(data: Dictionary) -> String:
	if not data.has("colliders"):
		return ""
	var wrong := _Check.list(data, "colliders", MAX_COLLIDERS)
	if wrong != "":
		return wrong
	var colliders: Array = data["colliders"]
	var parts := 0
	for i: int in colliders.size():
		wrong = _check_collider(colliders[i])
		if wrong != "":
			return "collider %d: %s" % [i, wrong]
		match colliders[i]["shape"]:
			"boxes":
				parts += (colliders[i]["boxes"] as PackedFloat32Array).size() / _BOX_FLOATS
			"mesh":
				parts += (colliders[i]["faces"] as PackedVector3Array).size() / 3
		if parts > MAX_PARTS:
			return "more than %d boxes and triangles in colliders" % MAX_PARTS
	return ""


## The pieces of [param colliders], which [method check] found well.
static func cut(colliders: Array) -> Array[Piece]:
	var pieces: Array[Piece] = []
	for collider: Dictionary in colliders:
		match collider["shape"]:
			"heights":
				_cut_heights(collider, pieces)
			"boxes":
				_cut_boxes(collider["boxes"] as PackedFloat32Array, pieces)
			"mesh":
				_cut_mesh(collider["faces"] as PackedVector3Array, pieces)
	return pieces


## Puts the shapes of [param piece] into the last of [param bodies], or into another where that is
## full. [param shared] keeps the shapes of boxes of one size. For the main thread.
static func add(piece: Piece, bodies: Array[StaticBody3D], shared: Dictionary[Vector3, BoxShape3D]) -> void:
	var body: StaticBody3D = null if bodies.is_empty() else bodies[-1]
	var weight: int = body.get_meta(_WEIGHT, 0) if body != null else 0
	if body == null or weight + piece.weight() > WEIGHT_OF_A_BODY:
		body = StaticBody3D.new()
		body.name = "Collider" if bodies.is_empty() else "Collider%d" % bodies.size()
		bodies.append(body)
		weight = 0
	body.set_meta(_WEIGHT, weight + piece.weight())
	if not piece.sizes.is_empty():
		for i: int in piece.sizes.size():
			var box: BoxShape3D = shared.get(piece.sizes[i])
			if box == null:
				box = BoxShape3D.new()
				box.size = piece.sizes[i]
				shared[piece.sizes[i]] = box
			_add_shape(body, box, piece.places[i])
	elif not piece.faces.is_empty():
		var triangles := ConcavePolygonShape3D.new()
		triangles.set_faces(piece.faces)
		_add_shape(body, triangles, Transform3D.IDENTITY)
	else:
		var field := HeightMapShape3D.new()
		field.map_width = piece.width
		field.map_depth = piece.depth
		field.map_data = piece.heights
		# The engine's map lies around its middle, ours begins at its first corner. Its cells are one metre
		# wide, and physics wants the same scale along all axes: the heights were made smaller for it.
		var cell := piece.cell
		var middle := piece.corner + Vector3((piece.width - 1) * cell * 0.5, 0.0, (piece.depth - 1) * cell * 0.5)
		_add_shape(body, field, Transform3D(Basis.from_scale(Vector3(cell, cell, cell)), middle))


static func _add_shape(body: StaticBody3D, shape: Shape3D, place: Transform3D) -> void:
	var owner := body.create_shape_owner(body)
	body.shape_owner_set_transform(owner, place)
	body.shape_owner_add_shape(owner, shape)


static func _check_collider(value: Variant) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "it must be a Dictionary, not a %s" % type_string(typeof(value))
	var collider: Dictionary = value
	var wrong := _Check.text(collider, "shape")
	if wrong != "":
		return wrong
	match collider["shape"]:
		"heights":
			return _check_heights(collider)
		"boxes":
			return _check_boxes(collider)
		"mesh":
			wrong = _Check.field(collider, "faces", TYPE_PACKED_VECTOR3_ARRAY)
			if wrong != "":
				return wrong
			var faces: PackedVector3Array = collider["faces"]
			if faces.is_empty() or faces.size() % 3 != 0:
				return "%d points in faces, there must be three a triangle" % faces.size()
			return _Check.finite_vectors(faces, "faces")
	return "there is no shape \"%s\"" % (collider["shape"] as String).left(64)


static func _check_heights(collider: Dictionary) -> String:
	var wrong := ""
	for key: String in ["width", "depth"]:
		if wrong == "":
			wrong = _Check.field(collider, key, TYPE_INT)
		if wrong == "":
			wrong = _Check.number(collider, key, 2, MAX_SIDE)
	if wrong == "":
		wrong = _Check.number(collider, "cell", 0.001, 10_000.0)
	if wrong == "":
		wrong = _Check.field(collider, "heights", TYPE_PACKED_FLOAT32_ARRAY)
	if wrong != "":
		return wrong
	var width: int = collider["width"]
	var depth: int = collider["depth"]
	var heights: PackedFloat32Array = collider["heights"]
	if heights.size() != width * depth:
		return "%d heights for %d x %d" % [heights.size(), width, depth]
	return _Check.finite_floats(heights, "heights")


static func _check_boxes(collider: Dictionary) -> String:
	var wrong := _Check.field(collider, "boxes", TYPE_PACKED_FLOAT32_ARRAY)
	if wrong != "":
		return wrong
	var boxes: PackedFloat32Array = collider["boxes"]
	if boxes.size() % _BOX_FLOATS != 0:
		return "%d floats in boxes, there must be %d a box" % [boxes.size(), _BOX_FLOATS]
	wrong = _Check.finite_floats(boxes, "boxes")
	if wrong != "":
		return wrong
	for i: int in boxes.size() / _BOX_FLOATS:
		var basis := _box_basis(boxes, i * _BOX_FLOATS)
		var x := basis.x.normalized()
		var y := basis.y.normalized()
		var z := basis.z.normalized()
		# Written so that what overflowed fails.
		if not (absf(x.dot(y)) < 0.01 and absf(y.dot(z)) < 0.01 and absf(z.dot(x)) < 0.01):
			return "the axes of box %d are not at right angles" % i
	return ""


static func _box_basis(boxes: PackedFloat32Array, at: int) -> Basis:
	return Basis(Vector3(boxes[at], boxes[at + 4], boxes[at + 8]), Vector3(boxes[at + 1], boxes[at + 5], boxes[at + 9]),
			Vector3(boxes[at + 2], boxes[at + 6], boxes[at + 10]))


static func _cut_heights(collider: Dictionary, pieces: Array[Piece]) -> void:
	var width: int = collider["width"]
	var depth: int = collider["depth"]
	var cell: float = collider["cell"]
	var heights: PackedFloat32Array = collider["heights"]
	if cell != 1.0:
		var shrink := 1.0 / cell
		for i: int in heights.size():
			heights[i] *= shrink
	for z: int in range(0, depth - 1, _CELLS_A_PIECE):
		for x: int in range(0, width - 1, _CELLS_A_PIECE):
			var piece := Piece.new()
			# Neighbours have the row between them in common.
			piece.width = mini(_CELLS_A_PIECE + 1, width - x)
			piece.depth = mini(_CELLS_A_PIECE + 1, depth - z)
			piece.cell = cell
			piece.corner = Vector3(x * cell, 0.0, z * cell)
			if piece.width == width and piece.depth == depth:
				piece.heights = heights
			else:
				for row: int in piece.depth:
					var start := (z + row) * width + x
					piece.heights.append_array(heights.slice(start, start + piece.width))
			pieces.append(piece)


static func _cut_boxes(boxes: PackedFloat32Array, pieces: Array[Piece]) -> void:
	var piece: Piece = null
	for i: int in boxes.size() / _BOX_FLOATS:
		var at := i * _BOX_FLOATS
		var basis := _box_basis(boxes, at)
		var size := Vector3(basis.x.length(), basis.y.length(), basis.z.length())
		var turn := _turn(basis, size)
		if not turn.is_finite() or absf(turn.determinant()) < 0.5:
			continue  # It has no two sides, so that nothing could stand on it.
		if piece == null or piece.sizes.size() >= _BOXES_A_PIECE:
			piece = Piece.new()
			pieces.append(piece)
		piece.places.append(Transform3D(turn, Vector3(boxes[at + 3], boxes[at + 7], boxes[at + 11])))
		# Whole millimetres, so that boxes of one size share a shape.
		piece.sizes.append(size.max(Vector3.ONE * _THINNEST).snappedf(0.001) if size.x < 1e6 and size.y < 1e6 and size.z < 1e6 else size)


# How a box of [param size] is turned. One that is flat has one axis to be found.
static func _turn(basis: Basis, size: Vector3) -> Basis:
	var x := basis.x.normalized()
	var y := basis.y.normalized()
	if size.x < 1e-6:
		x = y.cross(basis.z.normalized())
	elif size.y < 1e-6:
		y = basis.z.normalized().cross(x)
	# Right-handed: a box and its mirror image are one. Exactly at right angles, as physics wants it.
	var z := x.cross(y).normalized()
	return Basis(x, z.cross(x).normalized(), z)


static func _cut_mesh(faces: PackedVector3Array, pieces: Array[Piece]) -> void:
	var count := faces.size() / 3
	if count <= _TRIANGLES_A_PIECE:
		var whole := Piece.new()
		whole.faces = faces
		pieces.append(whole)
		return
	var order := _by_place(faces)
	for start: int in range(0, count, _TRIANGLES_A_PIECE):
		var piece := Piece.new()
		for n: int in range(start, mini(start + _TRIANGLES_A_PIECE, count)):
			var at := (order[n] & 0xfffff) * 3
			piece.faces.append(faces[at])
			piece.faces.append(faces[at + 1])
			piece.faces.append(faces[at + 2])
		pieces.append(piece)


# The numbers of the triangles, in the lowest 20 bits, in an order in which those that lie together
# are together: the bits of their places along the axes take turns.
static func _by_place(faces: PackedVector3Array) -> PackedInt64Array:
	var low := faces[0]
	var high := faces[0]
	for corner: Vector3 in faces:
		low = low.min(corner)
		high = high.max(corner)
	var scale := Vector3.ONE * 1023.0 / (high - low).max(Vector3.ONE * 0.001)
	var order := PackedInt64Array()
	order.resize(faces.size() / 3)
	for n: int in order.size():
		var place := ((faces[n * 3] - low) * scale).clampf(0.0, 1023.0)
		order[n] = ((_spread(int(place.x)) | (_spread(int(place.y)) << 1) | (_spread(int(place.z)) << 2)) << 20) | n
	order.sort()
	return order


# Ten bits, with two places between each and the next.
static func _spread(bits: int) -> int:
	bits = (bits | (bits << 16)) & 0x030000ff
	bits = (bits | (bits << 8)) & 0x0300f00f
	bits = (bits | (bits << 4)) & 0x030c30c3
	return (bits | (bits << 2)) & 0x09249249
