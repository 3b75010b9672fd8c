@tool
extends RefCounted
## Where a sidecar is, as text: [code]tcp://host:port[/code], [code]tls://host:port[/code] or [code]unix:///path[/code].

const _Tcp := preload("tcp_transport.gd")
const _Transport := preload("transport.gd")
const _Unix := preload("unix_transport.gd")

## The port that is meant where none is named.
const DEFAULT_PORT := 7777

## Which of the three it is; empty when the text names none of them.
var scheme := ""
## The name or the IP address of the host.
var host := ""
## The port of the host.
var port := DEFAULT_PORT
## The path of the socket, for [code]unix[/code].
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
			_read_host(rest.trim_suffix("/"), text)
		_:
			wrong = "\"%s\" is none of tcp://host:port, tls://host:port and unix:///path" % text.left(200)
	if wrong == "":
		scheme = named


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


## A transport to there, not opened yet. [param certificate] is whom to trust for [code]tls[/code] (null for those that the
## system trusts), [param common_name] the name that the sidecar's certificate is for (empty for that of the host).
func transport(certificate: X509Certificate = null, common_name := "") -> _Transport:
	match scheme:
		"tcp":
			return _Tcp.new(host, port)
		"tls":
			var options := TLSOptions.client(certificate, common_name)
			return _Tcp.new(host, port, options, common_name if common_name != "" else host)
		"unix":
			return _Unix.new(path)
	return null
