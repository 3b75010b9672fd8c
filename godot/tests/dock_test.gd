extends "test_case.gd"
## The editor's dock, without an editor: what it shows, and that nothing that it is given upsets it.

const Dock := preload("res://addons/wasgo/editor/dock.gd")

var dock: Dock


func _initialize() -> void:
	run("dock_test", [_figures, _states, _several, _rubbish] as Array[Callable])


func _fresh() -> void:
	if dock != null:
		dock.free()
	dock = Dock.new(1.0)
	root.add_child(dock)


func _status() -> Dictionary:
	return {"name": "/root/World/Client", "state": "OPEN", "problem": "", "url": "tcp://127.0.0.1:7777", "server": "wasgo 1", "world": "valley",
			"zone": "north", "bytes_in": 12_345_678, "bytes_in_per_second": 250_000.0, "tick_ms": 1.234, "longest_tick_ms": 5.67, "arrivals": 2, "bulk": 3,
			"rejected": 1234567, "receiver": {"chunks": 1000, "nodes": 12}, "errors": [{"at": 1500, "message": "one"}, {"at": 2500, "message": "two"}]}


# What the part of a panel that has this name shows.
func _shown(name: String) -> String:
	var part := dock.find_child(name, true, false)
	if part is RichTextLabel:
		return (part as RichTextLabel).get_parsed_text() if (part as Control).visible else ""
	return (part as Label).text if part != null and (part as Control).visible else ""


func _figures() -> bool:
	_fresh()
	check(_shown("Hint").contains("No client is running"), "an empty dock says what to do")
	dock.show_client("Game 1", 5, _status())
	equal(_shown("Hint"), "", "one with a client does not")
	var wanted := {"State": "Connected", "Source": "Game 1", "Place": "tcp://127.0.0.1:7777", "World": "World valley, zone north", "Problem": "",
			"Server": "wasgo 1", "Chunks": "1 000", "Nodes": "12", "Received": "12.3 MB", "Per second": "0.25 MB", "Frame time": "1.23 ms",
			"Longest": "5.7 ms", "Waiting": "5", "Refused": "1 234 567", "Errors": "1.5 s  one\n2.5 s  two"}
	for name: String in wanted:
		equal(_shown(name), wanted[name], name)
	return true


func _states() -> bool:
	_fresh()
	for state: String in ["OPEN", "GREETING", "CONNECTING", "WAITING", "CLOSED", "of a later version", ""]:
		dock.show_client("Game 1", 5, _status().merged({"state": state, "problem": "nobody there"}, true))
		equal(_shown("Problem"), "" if state == "OPEN" else "nobody there", "%s: what is wrong" % state)
	equal(_shown("State"), "", "a state that is none")
	dock.show_client("Game 1", 5, {})
	for name: String in ["World", "Problem", "Errors", "ErrorsTitle"]:
		equal(_shown(name), "", "%s is not shown where there is none" % name)
	equal(_shown("Chunks"), "–", "nor is a count")
	return true


func _several() -> bool:
	_fresh()
	for id: int in 3:
		dock.show_client("Game 1", id, _status())
		dock.show_client("Game 12", id, _status())
	equal(dock.ids_of("Game 1"), PackedInt64Array([0, 1, 2]), "the clients of a game")
	dock.forget_client("Game 1", 1)
	dock.forget_client("Game 1", 99)
	equal(dock.ids_of("Game 1"), PackedInt64Array([0, 2]), "one that is gone")
	dock.forget_source("Game 1")
	equal(dock.ids_of("Game 1"), PackedInt64Array(), "a game that is gone")
	equal(dock.ids_of("Game 12"), PackedInt64Array([0, 1, 2]), "another")
	dock.forget_source("Game 12")
	check(_shown("Hint") != "", "when all are gone it says so")
	return true


# A game may have another version of the add-on.
func _rubbish() -> bool:
	_fresh()
	var samples := [null, true, -1, 9223372036854775807, NAN, INF, "x".repeat(5000), [], {}, [1, null, {"at": "x", "message": 5}], {"chunks": "x", "nodes": null},
			Vector3.ONE, PackedByteArray([1]), &"name", ^"a:b"]
	var good := _status()
	for key: String in good:
		for sample: Variant in samples:
			dock.show_client("Game 1", 5, good.merged({key: sample}, true))
			check(_shown("Source") == "Game 1", "%s as %s" % [key, type_string(typeof(sample))])
	var many := []
	for i: int in 5000:
		many.append({"at": i, "message": "x".repeat(1000)})
	dock.show_client("Game 1", 5, good.merged({"errors": many}, true))
	check(_shown("Errors").length() < 32 * 600, "errors are bounded")
	return true
