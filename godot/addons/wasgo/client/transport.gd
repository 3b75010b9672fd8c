@tool
extends RefCounted
## What carries frames between a [WasgoClient] and its sidecar. Nothing here waits, and nothing here
## looks into a frame.
##
## One transport is one attempt to connect, and one connection: it is made, opened, polled once a
## tick and closed. What all of those have in common that carry bytes is in [code]stream_transport.gd[/code].

## Where a transport is between being opened and being of no more use.
enum Status {
	CONNECTING,  ## Not there yet.
	OPEN,  ## Frames may be sent and taken.
	GONE,  ## Closed by the other side, or it never came to be; [member problem] says why.
}

## The most bytes that may wait to be sent.
const MAX_WAITING := 32 * 1024 * 1024

## How far the transport is.
var status := Status.CONNECTING
## Why there is no connection, or what broke it, in words.
var problem := ""
## Whether [member problem] is something that the other side sent and must not have.
var is_broken := false
## Whether everything that has arrived has been taken.
var is_drained := false
## When the last bytes came, by the engine's own clock in milliseconds.
var heard_at := 0
## Bytes that were received and sent.
var bytes_in := 0
var bytes_out := 0


## Begins to connect; [member status] tells what became of it.
func open() -> void:
	lose("this transport cannot be opened")


## Goes on with what is under way. Taking bytes in stops at [param deadline], by the engine's own clock in
## microseconds, however much there is; something is taken in any case.
func poll(_deadline: int) -> void:
	pass


## The next frame that has arrived as a whole, as a PackedByteArray, or null when there is none. One of more than
## [param limit] bytes breaks the connection.
func next_frame(_limit: int) -> Variant:
	return null


## Queues [param frame]. Returns [constant ERR_OUT_OF_MEMORY] where more than [constant MAX_WAITING] bytes would wait.
func put_frame(_frame: PackedByteArray) -> Error:
	return ERR_UNAVAILABLE


## Gives the other side as much of what is queued as it takes now.
func flush() -> void:
	pass


## How many bytes wait to be sent.
func waiting() -> int:
	return 0


## Lets go of everything. Nothing may be called after that.
func close() -> void:
	status = Status.GONE


## Gives the connection up, for [param reason].
func lose(reason: String) -> void:
	if status != Status.GONE:
		status = Status.GONE
		problem = reason


## Gives the connection up because of what came from the other side.
func break_off(reason: String) -> void:
	is_broken = true
	status = Status.GONE
	problem = reason
