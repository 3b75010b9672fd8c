@tool
extends RefCounted
## Figures of a client among the monitors of the editor's debugger, each client's apart.

var _names: Array[StringName] = []


## Adds a monitor for each of [param figures], Callables by the monitor's name.
func add(figures: Dictionary[String, Callable]) -> void:
	if not _names.is_empty() or figures.is_empty():
		return
	var number := 1
	var group := "wasgo"
	# The group of the first client is plain, those of others are numbered.
	while Performance.has_custom_monitor("%s/%s" % [group, figures.keys()[0]]):
		number += 1
		group = "wasgo %d" % number
	for figure: String in figures:
		var name := StringName("%s/%s" % [group, figure])
		if not Performance.has_custom_monitor(name):
			Performance.add_custom_monitor(name, figures[figure])
			_names.append(name)


## Removes them.
func remove() -> void:
	for name: StringName in _names:
		if Performance.has_custom_monitor(name):
			Performance.remove_custom_monitor(name)
	_names.clear()
