extends "client_case.gd"
## A client whose sidecar is behind a web server: what a WebSocket carries, and what it may do wrong.


func _initialize() -> void:
	run("client_web_socket_test", [_frames, _budget, _closing, _hostile, _nobody, _urls])


func web_sidecar() -> Sidecar:
	var to := Sidecar.new()
	to.serve_web()
	return to


# Frames of any size, both ways, in messages that know nothing of them.
func _frames() -> bool:
	await fresh(true, web_sidecar())
	var ballast := Crypto.new().generate_random_bytes(1024)
	while ballast.size() < 3_000_000:
		ballast.append_array(ballast)
	var found: Array[int] = []
	client.frame_received.connect(func(_kind: String, frame: Dictionary) -> void: found.append(hash(frame["ballast"])))
	sidecar.send({"t": "mesh", "seq": 1, "ballast": ballast})
	sidecar.send({"t": "mesh", "seq": 2, "ballast": ballast.slice(0, 10)})
	equal(client.send_frame({"t": "note", "ballast": ballast}), OK, "a large frame is queued")
	check((client.status()["outbox_bytes"] as int) > 2_900_000, "and waits, counted")
	equal(client.send_frame({"t": "end"}), OK, "and one behind it")
	var note := await answer()
	equal(hash(note.get("ballast")), hash(ballast), "a large frame goes")
	equal(await answer(), {"t": "end"}, "and one after it")
	while sidecar.acked["seq"] != 2 and not (await any_answer()).is_empty():
		pass
	equal(found, [hash(ballast), hash(ballast.slice(0, 10))] as Array[int], "and large and small ones come")
	# Byte by byte.
	for byte: int in Sidecar.packed({"t": "mesh", "seq": 3, "ballast": ballast.slice(0, 20)}):
		sidecar.web.put_packet(PackedByteArray([byte]))
	sidecar.web.put_packet(PackedByteArray())
	sidecar.send({"t": "mesh", "seq": 4, "ballast": PackedByteArray()})
	while sidecar.acked["seq"] != 4 and not (await any_answer()).is_empty():
		pass
	equal(found.slice(2), [hash(ballast.slice(0, 20)), hash(PackedByteArray())] as Array[int], "however they are cut")
	return true


# What has arrived waits where there is no time for it, and is not lost.
func _budget() -> bool:
	await fresh(true, web_sidecar())
	var ballast := PackedByteArray()
	ballast.resize(24_000_000)
	sidecar.send({"t": "mesh", "seq": 1, "ballast": ballast})
	client.set_process(false)
	check(sidecar.unsent() > 0, "the system takes a part of it")
	var before: int = client.status()["bytes_in"]
	client.tick_budget_ms = 0.1
	client._process(0.0)
	var taken: int = client.status()["bytes_in"] - before
	check(taken > 0, "a tick takes something in any case")
	check(taken < ballast.size(), "and no more than there is time for: %d" % taken)
	client.tick_budget_ms = 6.0
	client.set_process(true)
	while sidecar.acked["seq"] != 1 and not (await any_answer()).is_empty():
		pass
	equal(sidecar.acked["seq"], 1, "all of it comes")
	return true


func _closing() -> bool:
	await fresh(true, web_sidecar())
	sidecar.web.close(1008, "it sent nonsense")
	equal(await ending("a close frame"), "the sidecar closed the connection (1008): it sent nonsense", "its code and words are told")
	await fresh(true, web_sidecar())
	sidecar.web.close(-1)
	check((await ending("a cut")).begins_with("the sidecar closed the connection"), "a cut is told")
	await fresh(true, web_sidecar())
	client.stop("enough")
	check(await until(sidecar.is_closed), "the end is told")
	equal(sidecar.web.get_close_code(), 1000, "by its code")
	await fresh(true, web_sidecar())
	sidecar.send({"t": "bye", "reason": "all done"})
	equal(await ending("a bye"), "bye: all done", "the sidecar's bye is heard")
	return true


func _hostile() -> bool:
	await fresh(true, web_sidecar())
	sidecar.web.send_text("text")
	equal(await ending("text"), "a text message where bytes are due", "a text message")
	# More than the engine has room for.
	await fresh(true, web_sidecar())
	var large := PackedByteArray()
	large.resize(600_000)
	sidecar.web.put_packet(large)
	check((await ending("too large a message")).begins_with("the sidecar closed the connection"), "a message beyond the buffer: " + client.last_problem)
	await fresh(true, web_sidecar())
	sidecar.send_raw(Sidecar.length_field(0x0400_0001))
	check((await ending("too large a frame")).contains("more than the limit"), "a frame beyond the limit")
	await fresh(true, web_sidecar())
	sidecar.web.put_packet(Crypto.new().generate_random_bytes(5_000))
	check((await ending("noise")) != "", "noise")
	# No web server at all.
	var to := Sidecar.new()
	await fresh(false, to)
	client.url = to.url.replace("tcp:", "ws:")
	root.add_child(client)
	check(await until(to.accept), "connects")
	to.send_raw("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nx: y\r\n\r\n".to_utf8_buffer())
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "a refusal: " + client.last_problem)
	check(client.last_problem.contains("no WebSocket at ws://127.0.0.1"), "says so: " + client.last_problem)
	return true


func _nobody() -> bool:
	await fresh(false, web_sidecar())
	sidecar.stop_listening()
	root.add_child(client)
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "nobody listens: " + client.last_problem)
	check(client.last_problem.contains("no WebSocket at"), "says so: " + client.last_problem)
	client.stop()
	client.url = "ws://no.such.host.invalid/x"
	client.start()
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "a name that is none: " + client.last_problem)
	return true


func _urls() -> bool:
	const Url := preload("res://addons/wasgo/client/url.gd")
	for case: Array in [["ws://a", "a", 80, "/"], ["wss://a/", "a", 443, "/"], ["wss://a.b/c/d?e=f", "a.b", 443, "/c/d?e=f"],
			["ws://[::1]:4000/x", "::1", 4000, "/x"]]:
		var url := Url.new(case[0] as String)
		equal([url.wrong, url.host, url.port, url.path], ["", case[1], case[2], case[3]], case[0] as String)
	return true
