@tool
extends RefCounted
## Figures of a client among the monitors of the editor's debugger, each client's apart.

# The group of each client that has one.
static var _taken: Dictionary[String, bool] = {}

var _group := ""
var _names: Array[StringName] = []


## Adds a monitor for each of [param figures], Callables by the monitor's name.
func add(figures: Dictionary[String, Callable]) -> void:
	if _group != "":
		return
	var number := 1
	_group = "wasgo"
	while _taken.has(_group):
		number += 1
		_group = "wasgo %d" % number
	_taken[_group] = true
	for figure: String in figures:
		var name := StringName("%s/%s" % [_group, figure])
		if not Performance.has_custom_monitor(name):
			Performance.add_custom_monitor(name, figures[figure])
			_names.append(name)


## Removes them.
func remove() -> void:
	for name: StringName in _names:
		if Performance.has_custom_monitor(name):
			Performance.remove_custom_monitor(name)
	_names.clear()
	_taken.erase(_group)
	_group = ""
