extends RefCounted
## A frame of the bulk lane on its way into the world.
##
## It is made on a worker thread, which has done there what threads may do, and is then taken further on
## the main thread in steps that are small. A step may find the frame wrong still: then [member error] is
## set and the job is done.

## What is wrong with the frame; empty when nothing is.
var error := ""
## What the next step is, for who looks where time goes.
var part := &"bulk"


## Does a small piece of the work, on the main thread. Returns true when all is done, or can't be.
func step() -> bool:
	return true


## Gives up what was not put into the world yet.
func cancel() -> void:
	pass


## Does all that is left at once. Returns what is wrong; empty when nothing is.
func run() -> String:
	while error == "" and not step():
		pass
	return error
