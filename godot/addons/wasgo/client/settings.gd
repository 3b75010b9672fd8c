@tool
extends RefCounted
## The project's settings of Wasgo, [code]wasgo/...[/code], which a client starts with.

## The name of each, what it is unless the project says otherwise, and how the editor shows it (hint, and its text).
const ALL: Dictionary[String, Array] = {
	"wasgo/connection/url": ["tcp://127.0.0.1:7777", PROPERTY_HINT_PLACEHOLDER_TEXT, "tcp://127.0.0.1:7777"],
	"wasgo/connection/token_environment_variable": ["WASGO_TOKEN", PROPERTY_HINT_NONE, ""],
	"wasgo/connection/world": ["", PROPERTY_HINT_NONE, ""],
	"wasgo/connection/zone": ["", PROPERTY_HINT_NONE, ""],
	"wasgo/connection/tls_certificate": ["", PROPERTY_HINT_FILE, "*.crt,*.pem"],
	"wasgo/limits/tick_budget_ms": [6.0, PROPERTY_HINT_RANGE, "0.1,100,0.1,suffix:ms"],
	"wasgo/limits/window_kilobytes": [4096, PROPERTY_HINT_RANGE, "64,262144,1,suffix:KiB"],
	"wasgo/limits/window_work_ms": [40.0, PROPERTY_HINT_RANGE, "1,1000,1,suffix:ms"],
	"wasgo/limits/max_frame_kilobytes": [65536, PROPERTY_HINT_RANGE, "64,65536,1,suffix:KiB"],
	"wasgo/cache/folder": ["user://wasgo_cache", PROPERTY_HINT_NONE, ""],
	"wasgo/cache/max_megabytes": [512, PROPERTY_HINT_RANGE, "0,65536,1,suffix:MiB"],
}


## The value of the setting [param name], which is one of [constant ALL]; what the project says counts when it is of the right type.
static func value(name: String) -> Variant:
	var otherwise: Variant = ALL[name][0]
	var found: Variant = ProjectSettings.get_setting(name, otherwise)
	if typeof(otherwise) == TYPE_FLOAT and typeof(found) == TYPE_INT:
		return float(found)
	return found if typeof(found) == typeof(otherwise) else otherwise


## Tells the editor of all settings, so that they are shown with what they are unless set.
static func register() -> void:
	for name: String in ALL:
		var entry: Array = ALL[name]
		if not ProjectSettings.has_setting(name):
			ProjectSettings.set_setting(name, entry[0])
		ProjectSettings.set_initial_value(name, entry[0])
		ProjectSettings.set_as_basic(name, true)
		ProjectSettings.add_property_info({"name": name, "type": typeof(entry[0]), "hint": entry[1], "hint_string": entry[2]})
