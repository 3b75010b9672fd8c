extends "link_peer.gd"
## The same, but it comes back at once however often its connection is ended.


func _initialize() -> void:
	super()
	client.disconnected.connect(_come_back.unbind(1), CONNECT_DEFERRED)


func _come_back() -> void:
	client.stop()
	client.start()
