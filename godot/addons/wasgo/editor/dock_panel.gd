@tool
extends PanelContainer
## One client in the dock.

const _GOOD := Color(0.42, 0.80, 0.45)
const _BUSY := Color(0.95, 0.76, 0.33)
const _BAD := Color(0.93, 0.42, 0.40)
const _OFF := Color(0.6, 0.6, 0.6)
const _MAX_ERRORS := 32
# What each state is called, and its colour.
const _STATES := {
	"OPEN": ["Connected", _GOOD],
	"GREETING": ["Greeting", _BUSY],
	"CONNECTING": ["Connecting", _BUSY],
	"WAITING": ["Trying again", _BAD],
	"CLOSED": ["Closed", _OFF],
}

var _dot := Panel.new()
var _light := StyleBoxFlat.new()
var _state := Label.new()
var _source := Label.new()
var _place := Label.new()
var _world := Label.new()
var _problem := Label.new()
var _figures := GridContainer.new()
var _values: Dictionary[String, Label] = {}
var _errors_title := Label.new()
var _errors := RichTextLabel.new()
var _shown_errors := ""


## [param scale] is how much larger than usual the editor draws everything.
func _init(scale := 1.0) -> void:
	size_flags_horizontal = Control.SIZE_EXPAND_FILL
	var margin := MarginContainer.new()
	for side: StringName in [&"margin_left", &"margin_right", &"margin_top", &"margin_bottom"]:
		margin.add_theme_constant_override(side, int(8 * scale))
	var rows := VBoxContainer.new()
	rows.add_theme_constant_override(&"separation", int(4 * scale))
	margin.add_child(rows)
	add_child(margin)
	rows.add_child(_make_head(scale))
	for line: Label in [_place, _world]:
		_label(line, "Place" if line == _place else "World", 0.75)
		line.text_overrun_behavior = TextServer.OVERRUN_TRIM_ELLIPSIS
		line.clip_text = true
		rows.add_child(line)
	_label(_problem, "Problem", 1.0)
	_problem.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	_problem.modulate = _BAD
	rows.add_child(_problem)
	rows.add_child(HSeparator.new())
	_figures.columns = 2
	_figures.add_theme_constant_override(&"h_separation", int(12 * scale))
	_figures.add_theme_constant_override(&"v_separation", 0)
	for figure: String in ["Server", "Chunks", "Nodes", "Received", "Per second", "Frame time", "Longest", "Waiting", "Refused"]:
		_add_figure(figure)
	rows.add_child(_figures)
	rows.add_child(HSeparator.new())
	_label(_errors_title, "ErrorsTitle", 0.75)
	_errors_title.text = "Last errors"
	rows.add_child(_errors_title)
	_errors.name = "Errors"
	_errors.custom_minimum_size = Vector2(0, 72 * scale)
	_errors.scroll_following = true
	_errors.selection_enabled = true
	_errors.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
	rows.add_child(_errors)


func _make_head(scale: float) -> HBoxContainer:
	var head := HBoxContainer.new()
	head.add_theme_constant_override(&"separation", int(8 * scale))
	_light.set_corner_radius_all(int(5 * scale))
	_dot.add_theme_stylebox_override(&"panel", _light)
	_dot.custom_minimum_size = Vector2(10, 10) * scale
	_dot.size_flags_vertical = Control.SIZE_SHRINK_CENTER
	head.add_child(_dot)
	_label(_state, "State", 1.0)
	_state.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	head.add_child(_state)
	_label(_source, "Source", 0.6)
	head.add_child(_source)
	return head


static func _label(label: Label, name: String, alpha: float) -> void:
	label.name = name
	label.modulate.a = alpha
	# So that it can have a tooltip.
	label.mouse_filter = Control.MOUSE_FILTER_PASS


func _add_figure(figure: String) -> void:
	var title := Label.new()
	title.text = figure
	title.modulate.a = 0.75
	_figures.add_child(title)
	var value := Label.new()
	value.name = figure
	value.size_flags_horizontal = Control.SIZE_EXPAND_FILL
	value.horizontal_alignment = HORIZONTAL_ALIGNMENT_RIGHT
	value.text_overrun_behavior = TextServer.OVERRUN_TRIM_ELLIPSIS
	value.clip_text = true
	_values[figure] = value
	_figures.add_child(value)


## Shows [param status], as [method WasgoClient.status] gives it, of a client of [param source].
func show_status(source: String, status: Dictionary) -> void:
	var state := _text(status, "state")
	var known: Array = _STATES.get(state, [state, _OFF])
	_state.text = known[0]
	_light.bg_color = known[1]
	_source.text = source
	var world := _text(status, "world")
	_place.text = _text(status, "url")
	_place.tooltip_text = "%s\n%s" % [_text(status, "name"), _place.text]
	var zone := _text(status, "zone")
	_world.text = "World %s%s" % [world, ", zone " + zone if zone != "" else ""]
	_world.tooltip_text = "%s\n%s" % [_world.text, _text(status, "identity")]
	_world.visible = world != ""
	_problem.text = _text(status, "problem") if state != "OPEN" else ""
	_problem.visible = _problem.text != ""
	_show_figures(status)
	_show_errors(status.get("errors"))


func _show_figures(status: Dictionary) -> void:
	var held: Variant = status.get("receiver")
	var holds: Dictionary = held if typeof(held) == TYPE_DICTIONARY else {}
	var server := _text(status, "server")
	_values["Server"].text = server if server != "" else "–"
	_values["Chunks"].text = _whole(holds, "chunks")
	_values["Nodes"].text = _whole(holds, "nodes")
	_values["Received"].text = "%.1f MB" % (_number(status, "bytes_in") / 1e6)
	_values["Per second"].text = "%.2f MB" % (_number(status, "bytes_in_per_second") / 1e6)
	_values["Frame time"].text = "%.2f ms" % _number(status, "tick_ms")
	_values["Longest"].text = "%.1f ms" % _number(status, "longest_tick_ms")
	_values["Waiting"].text = "%d" % int(_number(status, "arrivals") + _number(status, "bulk"))
	_values["Refused"].text = _whole(status, "rejected")


func _show_errors(value: Variant) -> void:
	var errors: Array = value if typeof(value) == TYPE_ARRAY else []
	var lines := PackedStringArray()
	for entry: Variant in errors.slice(-_MAX_ERRORS):
		if typeof(entry) == TYPE_DICTIONARY:
			lines.append("%.1f s  %s" % [_number(entry as Dictionary, "at") / 1000.0, _text(entry as Dictionary, "message")])
	var text := "\n".join(lines)
	_errors.visible = text != ""
	_errors_title.visible = text != ""
	# Setting it anew would lose what is selected.
	if text != _shown_errors:
		_shown_errors = text
		_errors.clear()
		_errors.add_text(text)


static func _text(from: Dictionary, key: String) -> String:
	var value: Variant = from.get(key)
	return (value as String).left(500) if typeof(value) == TYPE_STRING else ""


static func _number(from: Dictionary, key: String) -> float:
	var value: Variant = from.get(key)
	return value if typeof(value) == TYPE_FLOAT or typeof(value) == TYPE_INT else 0.0


# A count with its thousands apart; a dash where there is none.
static func _whole(from: Dictionary, key: String) -> String:
	if not from.has(key):
		return "–"
	var digits := str(int(_number(from, key)))
	var apart := ""
	for i: int in digits.length():
		if i > 0 and (digits.length() - i) % 3 == 0 and digits[i - 1] != "-":
			apart += " "
		apart += digits[i]
	return apart
