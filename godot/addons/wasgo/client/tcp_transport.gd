@tool
extends "stream_transport.gd"
## Frames over TCP, and over TLS on top of it.

# Which of a name's addresses the next attempt takes. Not all may have the sidecar.
static var _turn := 0

var _host: String
var _port: int
var _tls_options: TLSOptions
var _common_name: String
var _tcp: StreamPeerTCP
var _tls: StreamPeerTLS
var _lookup := IP.RESOLVER_INVALID_ID


## With [param tls_options] what is sent is encrypted, and the sidecar's certificate must be for [param common_name].
func _init(host: String, port: int, tls_options: TLSOptions = null, common_name := "") -> void:
	_host = host
	_port = port
	_tls_options = tls_options
	_common_name = common_name
	_is_encrypted = tls_options != null


func close() -> void:
	_forget_lookup()
	if _tls != null and _tls.get_status() == StreamPeerTLS.STATUS_CONNECTED:
		_tls.disconnect_from_stream()
	if _tcp != null:
		_tcp.disconnect_from_host()
	_tls = null
	_tcp = null
	super()


func _begin() -> void:
	if _host.is_valid_ip_address():
		_connect_to(_host)
		return
	# connect_to_host would wait for the name to be found.
	_lookup = IP.resolve_hostname_queue_item(_host)
	if _lookup == IP.RESOLVER_INVALID_ID:
		lose("cannot look %s up: too many names are being looked up" % _host)


func _connect_to(ip: String) -> void:
	_tcp = StreamPeerTCP.new()
	_stream = _tcp
	var error := _tcp.connect_to_host(ip, _port)
	if error != OK:
		lose("cannot connect to %s:%d: %s" % [ip, _port, error_string(error)])


func _go_on() -> void:
	if _lookup != IP.RESOLVER_INVALID_ID:
		_look_up_further()
		return
	_tcp.poll()
	match _tcp.get_status():
		StreamPeerTCP.STATUS_CONNECTED:
			if _is_encrypted:
				_encrypt()
			elif status == Status.CONNECTING:
				_tcp.set_no_delay(true)
				status = Status.OPEN
		StreamPeerTCP.STATUS_CONNECTING:
			pass
		_:
			lose("cannot connect to %s:%d" % [_host, _port] if status == Status.CONNECTING
					else "the sidecar closed the connection")


func _encrypt() -> void:
	if _tls == null:
		_tcp.set_no_delay(true)
		_tls = StreamPeerTLS.new()
		_stream = _tls
		# What goes wrong at once shows in the status too.
		_tls.connect_to_stream(_tcp, _common_name, _tls_options)
	else:
		_tls.poll()
	match _tls.get_status():
		StreamPeerTLS.STATUS_CONNECTED:
			status = Status.OPEN
		StreamPeerTLS.STATUS_HANDSHAKING:
			pass
		StreamPeerTLS.STATUS_ERROR_HOSTNAME_MISMATCH:
			lose("the certificate of %s:%d is for another name than %s" % [_host, _port, _common_name])
		_:
			lose("no TLS with %s:%d: its certificate is not trusted, or it speaks none" % [_host, _port]
					if status == Status.CONNECTING else "the sidecar closed the connection")


func _look_up_further() -> void:
	match IP.get_resolve_item_status(_lookup):
		IP.RESOLVER_STATUS_DONE:
			var found := IP.get_resolve_item_addresses(_lookup)
			_forget_lookup()
			_turn += 1
			if found.is_empty():
				lose("there is no host %s" % _host)
			else:
				_connect_to(found[_turn % found.size()] as String)
		IP.RESOLVER_STATUS_WAITING:
			pass
		_:
			lose("there is no host %s" % _host)


func _forget_lookup() -> void:
	if _lookup != IP.RESOLVER_INVALID_ID:
		IP.erase_resolve_item(_lookup)
		_lookup = IP.RESOLVER_INVALID_ID
