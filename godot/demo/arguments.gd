extends RefCounted
## What the demo is told: by arguments after [code]--[/code] on the command line, or else by the environment.
##
## [code]--wasgo-url=[/code] (or [code]WASGO_URL[/code]) says where the sidecar is; [code]--wasgo-address=[/code] and [code]--wasgo-port=[/code]
## say the same of TCP. [code]--wasgo-token=[/code] ([code]WASGO_TOKEN[/code]) is the secret, [code]--wasgo-world=[/code] ([code]WASGO_WORLD[/code]) and
## [code]--wasgo-zone=[/code] ([code]WASGO_ZONE[/code]) say which world, and which part of it.

const _Client := preload("res://addons/wasgo/client.gd")

## Arguments that begin otherwise, by their names: [code]"fly-speed": "30"[/code].
var others: Dictionary[String, String] = {}
## What is wrong with them; empty when nothing is.
var wrong := ""

var _given: Dictionary[String, String] = {}


func _init() -> void:
	for part: String in ["url", "token", "world", "zone"]:
		var value := OS.get_environment("WASGO_" + part.to_upper())
		if value != "":
			_given[part] = value
	for argument: String in OS.get_cmdline_user_args():
		# A token may hold the sign itself.
		var at := argument.find("=")
		var named := argument.left(at) if at > 0 else argument
		var value := argument.substr(at + 1) if at > 0 else ""
		match named:
			"--wasgo-url", "--wasgo-token", "--wasgo-world", "--wasgo-zone", "--wasgo-address", "--wasgo-port":
				_given[named.trim_prefix("--wasgo-")] = value
			_:
				if named.begins_with("--wasgo-") or not named.begins_with("--"):
					wrong = "unknown argument \"%s\"" % argument
				others[named.trim_prefix("--")] = value
	var port: String = _given.get("port", "7777")
	if not port.is_valid_int() or port.to_int() < 1 or port.to_int() > 65535:
		wrong = "--wasgo-port must be from 1 to 65535, not \"%s\"" % port
	if _given.has("port") or _given.has("address"):
		_given["url"] = "tcp://%s:%s" % [_given.get("address", "127.0.0.1"), port]


## Tells [param client] what it was told.
func apply(client: _Client) -> void:
	client.url = _given.get("url", client.url)
	client.token = _given.get("token", client.token)
	client.world = _given.get("world", client.world)
	client.zone = _given.get("zone", client.zone)


## The number under [param named] among [member others], or [param otherwise].
func number(named: String, otherwise: float) -> float:
	var value: String = others.get(named, "")
	if value == "":
		return otherwise
	if not value.is_valid_float():
		wrong = "--%s must be a number, not \"%s\"" % [named, value]
		return otherwise
	return value.to_float()
