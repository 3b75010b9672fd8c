@tool
class_name WasgoAnswer
extends RefCounted
## What became of a request to the sidecar, by [method WasgoClient.request].
##
## [codeblock]
## var answer: WasgoAnswer = await client.request("inventory", [player_id])
## if answer.is_ok():
##     show_items(answer.value)
## else:
##     push_warning(answer.error)
## [/codeblock]

## [member value] and [member error] are there. [method WasgoClient.request] waits for this already.
signal settled

## What the sidecar's function gave; null when there is an [member error].
var value: Variant = null
## Why there is no value, in words; empty when there is one.
var error := ""
## Whether the answer has come, or will not come any more.
var is_settled := false


## Whether the sidecar's function gave a value (which may be null).
func is_ok() -> bool:
	return is_settled and error == ""


## Makes this the answer: for the client.
func settle(given: Variant, wrong: String) -> void:
	if is_settled:
		return
	value = given
	error = wrong
	is_settled = true
	settled.emit()
