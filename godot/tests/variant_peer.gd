extends "socket_peer.gd"
## The engine's half of a test that is driven over a socket: takes Variants as bytes, and gives back what
## bytes_to_var and var_to_bytes make of them.
##
## There: a 32-bit big-endian length and the bytes. Back: a length, the type's number in a byte, the bytes.
## An object comes as an EncodedObjectAsID, which has an id of its own to be written; the one that it holds
## goes back, as an int.

# The values are small: their rest is waited for.
func _answer() -> void:
	var length := _socket.get_u32()
	var result := _socket.get_data(length)
	var value: Variant = bytes_to_var(result[1] as PackedByteArray)
	var is_id := typeof(value) == TYPE_OBJECT and value is EncodedObjectAsID
	var bytes := var_to_bytes((value as EncodedObjectAsID).object_id if is_id else value)
	_socket.put_u32(bytes.size() + 1)
	_socket.put_u8(typeof(value))
	_socket.put_data(bytes)
