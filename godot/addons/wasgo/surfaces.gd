extends RefCounted
## Checks surfaces that came over the wire, and makes meshes of them. May be used by several threads
## at once.

const _Check := preload("check.gd")

## The most surfaces that a mesh may have, the engine's own limit.
const MAX_SURFACES := 256

const _MAX_MATERIALS := 1024
# Chunks of one level of detail share their indices: those that were checked last are recognised
# by one comparison inside the engine, tens of times faster than a script's loop over them.
const _MAX_KNOWN := 32
const _MAX_KNOWN_SIZE := 131_072

# The Compatibility renderer takes what a material multiplies for sRGB, and there is no flag that says
# otherwise; the other renderers take linear colours as they come.
var _wants_srgb := DisplayServer.get_name() != "headless" \
		and RenderingServer.get_current_rendering_method() == "gl_compatibility"
var _mutex := Mutex.new()
var _set_aside: Dictionary[String, Material] = {}
var _materials: Dictionary[Array, StandardMaterial3D] = {}
var _known: Dictionary[int, Array] = {}


## Uses the [param materials] of the project for surfaces whose material has one of their names.
func set_aside(materials: Dictionary[String, Material]) -> void:
	_mutex.lock()
	_set_aside = materials.duplicate()
	_mutex.unlock()


## The material that the project set aside under [param material_name], or null.
func get_set_aside(material_name: String) -> Material:
	_mutex.lock()
	var found: Material = _set_aside.get(material_name)
	_mutex.unlock()
	return found


## Forgets the materials and indices that were kept.
func clear() -> void:
	_mutex.lock()
	_materials.clear()
	_known.clear()
	_mutex.unlock()


## [param colors] as the renderer wants those of vertices and instances.
func shown_colors(colors: PackedColorArray) -> PackedColorArray:
	return _to_srgb(colors) if _wants_srgb else colors


## Whether [method shown_colors] gives others than it gets.
func changes_colors() -> bool:
	return _wants_srgb


## Says what is wrong with [param value], which is to be an Array of surfaces; empty when nothing is.
func check(value: Variant) -> String:
	var wrong := _Check.value_is(value, TYPE_ARRAY, "surfaces")
	if wrong != "":
		return wrong
	var surfaces: Array = value
	if surfaces.size() > MAX_SURFACES:
		return "%d surfaces, more than the limit of %d" % [surfaces.size(), MAX_SURFACES]
	for i: int in surfaces.size():
		wrong = _check_surface(surfaces[i])
		if wrong != "":
			return "surface %d: %s" % [i, wrong]
	return ""


## Puts [param surfaces], which [method check] found well, into [param mesh] in place of what it
## has. Of a mesh that [param has_instances] these may have colours of their own. Returns what the
## engine refused, empty when nothing.
func build(surfaces: Array, mesh: ArrayMesh, has_instances := false) -> String:
	mesh.clear_surfaces()
	for surface: Dictionary in surfaces:
		var normals: PackedVector3Array = surface.get("normals", PackedVector3Array())
		var colors: PackedColorArray = surface.get("colors", PackedColorArray())
		var arrays := []
		arrays.resize(Mesh.ARRAY_MAX)
		arrays[Mesh.ARRAY_VERTEX] = surface["positions"]
		arrays[Mesh.ARRAY_INDEX] = surface["indices"]
		if not normals.is_empty():
			arrays[Mesh.ARRAY_NORMAL] = normals
		if not colors.is_empty():
			arrays[Mesh.ARRAY_COLOR] = shown_colors(colors)
		var uvs: PackedVector2Array = surface.get("uvs", PackedVector2Array())
		var uvs2: PackedVector2Array = surface.get("uvs2", PackedVector2Array())
		if not uvs.is_empty():
			arrays[Mesh.ARRAY_TEX_UV] = uvs
		if not uvs2.is_empty():
			arrays[Mesh.ARRAY_TEX_UV2] = uvs2
		var number := mesh.get_surface_count()
		mesh.add_surface_from_arrays(Mesh.PRIMITIVE_TRIANGLES, arrays)
		if mesh.get_surface_count() != number + 1:
			return "the engine refused surface %d" % number
		var material: Dictionary = surface.get("material", {})
		mesh.surface_set_material(number, _material(material, has_instances or not colors.is_empty()))
	return ""


func _check_surface(value: Variant) -> String:
	if typeof(value) != TYPE_DICTIONARY:
		return "it must be a Dictionary, not a %s" % type_string(typeof(value))
	var surface: Dictionary = value
	var wrong := _Check.field(surface, "positions", TYPE_PACKED_VECTOR3_ARRAY)
	if wrong == "":
		wrong = _Check.field(surface, "indices", TYPE_PACKED_INT32_ARRAY)
	if wrong != "":
		return wrong
	var positions: PackedVector3Array = surface["positions"]
	if positions.is_empty():
		return "positions is empty"
	wrong = _Check.finite_vectors(positions, "positions")
	if wrong == "":
		wrong = _check_normals(surface.get("normals", PackedVector3Array()), positions.size())
	if wrong == "":
		wrong = _check_colors(surface.get("colors", PackedColorArray()), positions.size())
	for key: String in ["uvs", "uvs2"]:
		if wrong == "" and surface.has(key):
			wrong = _check_uvs(surface, key, positions.size())
	if wrong == "":
		wrong = _check_indices(surface["indices"] as PackedInt32Array, positions.size())
	if wrong == "":
		wrong = _check_material(surface.get("material", {}))
	return wrong


func _check_normals(value: Variant, count: int) -> String:
	var wrong := _Check.value_is(value, TYPE_PACKED_VECTOR3_ARRAY, "normals")
	if wrong != "":
		return wrong
	var normals: PackedVector3Array = value
	if not normals.is_empty() and normals.size() != count:
		return "%d normals for %d positions" % [normals.size(), count]
	return _Check.finite_vectors(normals, "normals")


func _check_colors(value: Variant, count: int) -> String:
	var wrong := _Check.value_is(value, TYPE_PACKED_COLOR_ARRAY, "colors")
	if wrong != "":
		return wrong
	# A mesh keeps 8 bits of each channel, so that no value can do harm.
	var colors: PackedColorArray = value
	if not colors.is_empty() and colors.size() != count:
		return "%d colors for %d positions" % [colors.size(), count]
	return ""


func _check_uvs(surface: Dictionary, key: String, count: int) -> String:
	var wrong := _Check.field(surface, key, TYPE_PACKED_VECTOR2_ARRAY)
	if wrong != "":
		return wrong
	var uvs: PackedVector2Array = surface[key]
	if not uvs.is_empty() and uvs.size() != count:
		return "%d %s for %d positions" % [uvs.size(), key, count]
	return _Check.finite_vector2s(uvs, key)


func _check_indices(indices: PackedInt32Array, count: int) -> String:
	if indices.is_empty() or indices.size() % 3 != 0:
		return "%d indices, there must be three a triangle" % indices.size()
	var key := hash(indices)
	_mutex.lock()
	var known: Variant = _known.get(key)
	_mutex.unlock()
	if known != null and known[0] == indices and known[1] < count:
		return ""
	var highest := 0
	for index: int in indices:
		if index < 0 or index >= count:
			return "index %d, where there are %d positions" % [index, count]
		if index > highest:
			highest = index
	if indices.size() <= _MAX_KNOWN_SIZE:
		_mutex.lock()
		if _known.size() >= _MAX_KNOWN:
			_known.clear()
		_known[key] = [indices, highest]
		_mutex.unlock()
	return ""


func _check_material(value: Variant) -> String:
	var wrong := _Check.value_is(value, TYPE_DICTIONARY, "material")
	if wrong != "":
		return wrong
	var material: Dictionary = value
	if material.has("name"):
		wrong = _Check.text(material, "name")
	if wrong == "" and material.has("base_color"):
		wrong = _Check.field(material, "base_color", TYPE_COLOR)
		if wrong == "":
			wrong = _Check.finite_color(material["base_color"] as Color, "base_color")
	if wrong == "" and material.has("roughness"):
		wrong = _Check.number(material, "roughness", 0.0, 1.0)
	if wrong == "" and material.has("metallic"):
		wrong = _Check.number(material, "metallic", 0.0, 1.0)
	if wrong == "" and material.has("double_sided"):
		wrong = _Check.field(material, "double_sided", TYPE_BOOL)
	return wrong if wrong == "" else "material: " + wrong


func _to_srgb(colors: PackedColorArray) -> PackedColorArray:
	var converted := colors.duplicate()
	for i: int in converted.size():
		converted[i] = converted[i].linear_to_srgb()
	return converted


# The material for values that were checked. Equal values share one.
func _material(values: Dictionary, has_colors: bool) -> Material:
	var own := get_set_aside(values.get("name", "") as String)
	if own != null:
		return own
	var color: Color = values.get("base_color", Color.WHITE)
	var roughness: float = values.get("roughness", 1.0)
	var metallic: float = values.get("metallic", 0.0)
	var double_sided: bool = values.get("double_sided", false)
	var key := [color, roughness, metallic, double_sided, has_colors]
	_mutex.lock()
	var found: StandardMaterial3D = _materials.get(key)
	_mutex.unlock()
	if found != null:
		return found
	var material := StandardMaterial3D.new()
	# Colours on the wire are linear, as those of vertices are; albedo_color is not.
	material.albedo_color = color.linear_to_srgb()
	material.roughness = roughness
	material.metallic = metallic
	if double_sided:
		material.cull_mode = BaseMaterial3D.CULL_DISABLED
	material.vertex_color_use_as_albedo = has_colors
	material.vertex_color_is_srgb = has_colors and _wants_srgb
	if color.a < 1.0:
		material.transparency = BaseMaterial3D.TRANSPARENCY_ALPHA
	_mutex.lock()
	if _materials.size() >= _MAX_MATERIALS:
		_materials.clear()
	# Another thread may have been faster.
	material = _materials.get_or_add(key, material)
	_mutex.unlock()
	return material
