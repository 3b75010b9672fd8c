extends "test_case.gd"
## What the tests of a client share: a client, and a sidecar on a real socket.

const Client := preload("res://addons/wasgo/client.gd")
const Frames := preload("frames.gd")
const Sidecar := preload("sidecar.gd")

const PATIENCE := 15_000

var sidecar: Sidecar
var client: Client
var heard: Array[String] = []


## A client that knows [param to], or a new sidecar; connected unless told otherwise.
func fresh(is_connected := true, to: Sidecar = null) -> void:
	if is_instance_valid(client):
		client.free()
	sidecar = to if to != null else Sidecar.new()
	client = Client.new()
	client.url = sidecar.url
	client.token = Sidecar.TOKEN
	heard = []
	client.connected.connect(func(server: String) -> void: heard.append("connected " + server))
	client.disconnected.connect(func(reason: String) -> void: heard.append("disconnected " + reason))
	client.refused.connect(func(reason: String) -> void: heard.append("refused " + reason))
	client.bye_received.connect(func(reason: String) -> void: heard.append("bye " + reason))
	if is_connected:
		root.add_child(client)
		await greet()


## Greets the client as is due. Its first credit, and its resume, wait to be read.
func greet() -> void:
	await challenge()
	var proof := await answer()
	equal(proof.get("t"), "proof", "what follows the challenge")
	equal(proof.get("proof"), sidecar.proof_of("wasgo 2 engine"), "the engine's proof")
	sidecar.send(sidecar.welcome())
	check(await until(func() -> bool: return client.state == Client.State.OPEN), "the client opens: " + client.last_problem)


## Takes the client's connection and hello, and challenges it.
func challenge() -> void:
	check(await until(sidecar.accept), "the client connects: " + client.last_problem)
	var hello := await answer()
	equal(hello.get("t"), "hello", "the first frame")
	sidecar.challenge()


func until(condition: Callable, patience := PATIENCE) -> bool:
	var end := Time.get_ticks_msec() + patience
	while Time.get_ticks_msec() < end:
		if condition.call():
			return true
		if sidecar != null:
			sidecar.pump()
		await process_frame
	return false


## The next frame of the client, of any kind.
func any_answer() -> Dictionary:
	var end := Time.get_ticks_msec() + PATIENCE
	while Time.get_ticks_msec() < end:
		var frame := sidecar.receive()
		if not frame.is_empty():
			return frame
		await process_frame
	return {}


## The next frame of the client that is none of those that come unasked.
func answer() -> Dictionary:
	while true:
		var frame := await any_answer()
		if not ["credit", "ack", "ping"].has(frame.get("t")):
			return frame
	return {}


## All frames of the client but credit, up to the acknowledgement of these numbers.
func answers_to(seq: int, bulk := 0) -> Array[Dictionary]:
	var all: Array[Dictionary] = []
	while true:
		var frame := await any_answer()
		if frame.get("t") != "credit":
			all.append(frame)
		if frame.is_empty() or (frame.get("t") == "ack" and frame.get("seq") == seq and frame.get("bulk") == bulk):
			break
	equal(all.back().get("t"), "ack", "%d and %d are acknowledged" % [seq, bulk])
	return all


func errors_in(frames: Array[Dictionary]) -> Array[Dictionary]:
	return frames.filter(func(frame: Dictionary) -> bool: return frame.get("t") == "error")


## Waits until the client has ended its connection, and gives the reason.
func ending(what: String) -> String:
	check(await until(func() -> bool: return client.state != Client.State.OPEN), "%s ends the connection" % what)
	return client.last_problem


## Connects again, without the pause before it.
func again() -> void:
	client._retry_at = 0
	client._pause_ms = 1
	await greet()
