@tool
extends RefCounted
## Where a sidecar is, as text: [code]tcp://host:port[/code], [code]tls://host:port[/code], [code]ws://host:port/path[/code],
## [code]wss://host:port/path[/code] or [code]unix:///path[/code].

const _Tcp := preload("tcp_transport.gd")
const _Transport := preload("transport.gd")
const _Unix := preload("unix_transport.gd")
const _WebSocket := preload("web_socket_transport.gd")

## The port that is meant where none is named.
const DEFAULT_PORTS: Dictionary[String, int] = {"tcp": 7777, "tls": 7777, "ws": 80, "wss": 443}

## Which of these it is; empty when the text names none of them.
var scheme := ""
## The name or the IP address of the host.
var host := ""
## The port of the host.
var port := 0
## The path of the socket for [code]unix[/code], that at the host for [code]ws[/code] and [code]wss[/code].
var path := ""
## What is wrong with the text; empty when nothing is.
var wrong := ""


func _init(text: String) -> void:
	var at := text.find("://")
	var named := text.left(at) if at > 0 else ""
	var rest := text.substr(at + 3)
	match named:
		"unix":
			path = rest
			if not path.begins_with("/"):
				wrong = "\"%s\" has no absolute path, such as unix:///run/wasgo.sock" % text.left(200)
		"tcp", "tls":
			port = DEFAULT_PORTS[named]
			_read_host(rest.trim_suffix("/"), text)
		"ws", "wss":
			port = DEFAULT_PORTS[named]
			var slash := rest.find("/")
			path = rest.substr(slash) if slash >= 0 else "/"
			_read_host(rest.left(slash) if slash >= 0 else rest, text)
			_check_path(text)
		_:
			wrong = "\"%s\" is none of tcp://host:port, tls://host:port, ws://host:port/path, wss://host:port/path and unix:///path" % text.left(200)
	if wrong == "":
		scheme = named


# It becomes a part of a request's first line.
func _check_path(text: String) -> void:
	for i: int in path.length():
		if path.unicode_at(i) <= 32 or path.unicode_at(i) >= 127:
			wrong = "\"%s\" has a path with characters that are not to be in one" % text.left(200)
			return


## Whether what is sent is encrypted, and the sidecar's certificate looked at.
func is_encrypted() -> bool:
	return scheme == "tls" or scheme == "wss"


func _read_host(rest: String, text: String) -> void:
	host = rest
	var colon := rest.rfind(":")
	# An IPv6 address has colons of its own, and stands in brackets.
	if colon > rest.rfind("]"):
		host = rest.left(colon)
		var number := rest.substr(colon + 1)
		port = number.to_int() if number.is_valid_int() else 0
	host = host.trim_prefix("[").trim_suffix("]")
	if host == "" or host.contains("/") or host.contains(" "):
		wrong = "\"%s\" names no host" % text.left(200)
	elif port < 1 or port > 65535:
		wrong = "\"%s\" has no TCP port from 1 to 65535" % text.left(200)


## A transport to there, not opened yet. [param certificate] is whom to trust where it [method is_encrypted] (null for those that the
## system trusts), [param common_name] the name that the sidecar's certificate is for (empty for that of the host).
func transport(certificate: X509Certificate = null, common_name := "") -> _Transport:
	var options := TLSOptions.client(certificate, common_name) if is_encrypted() else null
	match scheme:
		"tcp", "tls":
			return _Tcp.new(host, port, options, common_name if common_name != "" else host)
		"ws", "wss":
			var named := "[%s]" % host if host.contains(":") else host
			return _WebSocket.new("%s://%s:%d%s" % [scheme, named, port, path], options)
		"unix":
			return _Unix.new(path)
	return null
