extends "job.gd"
## Takes chunks out, one in a step.

const _Check := preload("../check.gd")
const _Chunks := preload("../chunks.gd")

var _chunks: _Chunks
var _keys := PackedStringArray()
var _at := 0
var _gone: _Chunks.Chunk


## Checks [param frame]; it takes chunks out of [param chunks].
func prepare(frame: Dictionary, chunks: _Chunks) -> void:
	_chunks = chunks
	part = &"unload"
	error = _Check.field(frame, "keys", TYPE_PACKED_STRING_ARRAY)
	if error == "":
		_keys = frame["keys"]


func step() -> bool:
	if _gone != null:
		if not _gone.free_some():
			return false
		_gone = null
	elif _at < _keys.size():
		_gone = _chunks.take(_keys[_at])
		_at += 1
	return _gone == null and _at >= _keys.size()


func cancel() -> void:
	_at = _keys.size()
	if _gone != null:
		_gone.discard()
		_gone = null
