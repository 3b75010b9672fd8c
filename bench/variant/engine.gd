extends SceneTree
## The engine's part of bench/variant.exs: takes the files that are named after -- on the command line, with a number of rounds in front, and
## prints for each the median, in nanoseconds, of bytes_to_var and of var_to_bytes of the same value, and the bytes that it makes of it.


func _initialize() -> void:
	var arguments := OS.get_cmdline_user_args()
	for name: String in arguments.slice(1):
		_measure(name, arguments[0].to_int())
	quit()


func _measure(name: String, rounds: int) -> void:
	var bytes := FileAccess.get_file_as_bytes("res://" + name)
	var value: Variant = bytes_to_var(bytes)
	var decode: Array[int] = []
	var encode: Array[int] = []
	var size := 0
	for round: int in rounds:
		var began := Time.get_ticks_usec()
		var decoded: Variant = bytes_to_var(bytes)
		decode.append(Time.get_ticks_usec() - began)
		decoded = null
		began = Time.get_ticks_usec()
		var encoded := var_to_bytes(value)
		encode.append(Time.get_ticks_usec() - began)
		size = encoded.size()
	print("median ", name, " ", _median(encode) * 1000, " ", _median(decode) * 1000, " ", size)


func _median(times: Array[int]) -> int:
	times.sort()
	return times[times.size() / 2]
