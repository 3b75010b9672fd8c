extends "client_case.gd"
## The opening of a connection: proofs right and wrong, refusals, transports, stalls.

# Proofs over "hello" and "challenge" as if these were the frames, worked out by another implementation: of the token "token", and of none.
const KNOWN_PROOF := "a669e6225687c4ebce754ffeff3b1dfc752a4b3989e546904d3634533eb5c682"
const KNOWN_PROOF_OF_NO_TOKEN := "6b7f9f07f4f0c1a7066ff3f6aa2f9e09491812921b7411203a9617613a2bfad9"


func _initialize() -> void:
	run("client_handshake_test", [_known_proof, _tokens, _wrong_proofs, _malformed_frames, _refusals, _frames_too_early, _stalls, _tls,
			_unix_sockets] as Array[Callable])


func _known_proof() -> bool:
	var handshake: RefCounted = Client._Handshake.new("token", "", "", "x")
	handshake._hello = "hello".to_utf8_buffer()
	handshake._challenge = "challenge".to_utf8_buffer()
	equal((handshake._proof_of("wasgo 2 engine") as PackedByteArray).hex_encode(), KNOWN_PROOF, "the proof")
	handshake = Client._Handshake.new("", "", "", "x")
	handshake._hello = "hello".to_utf8_buffer()
	handshake._challenge = "challenge".to_utf8_buffer()
	equal((handshake._proof_of("wasgo 2 engine") as PackedByteArray).hex_encode(), KNOWN_PROOF_OF_NO_TOKEN, "the proof without a token")
	return true


func _tokens() -> bool:
	for token: String in ["secret", "ein längeres Geheimnis 🔑", "x".repeat(500)]:
		await fresh(false)
		client.token = token
		root.add_child(client)
		await challenge()
		equal((await answer()).get("proof"), sidecar.proof_of("wasgo 2 engine", token), "the engine's proof")
		sidecar.send(Frames.with(sidecar.welcome(), ["proof"], sidecar.proof_of("wasgo 2 sidecar", token)))
		check(await until(client.is_open), "the client opens")
	# From the environment, by the name that the project's settings have.
	OS.set_environment("WASGO_TOKEN", "from outside")
	await fresh(false)
	client.token = ""
	root.add_child(client)
	await challenge()
	equal((await answer()).get("proof"), sidecar.proof_of("wasgo 2 engine", "from outside"), "a token of the environment")
	OS.unset_environment("WASGO_TOKEN")
	return true


# Lets the client try again, up to where its proof is there.
func _proved() -> void:
	client._retry_at = 0
	client._pause_ms = 1
	client.last_problem = ""
	await challenge()
	await answer()


func _is_given_up(what: String) -> void:
	check(await until(func() -> bool: return client.last_problem != ""), "%s ends the attempt" % what)
	equal(client.state, Client.State.WAITING, "%s: another attempt follows" % what)
	equal(await _rest(), {}, "%s: without a word" % what)


# The next frame before the client has closed.
func _rest() -> Dictionary:
	await until(sidecar.is_closed)
	return sidecar.receive()


func _wrong_proofs() -> bool:
	await fresh(false)
	root.add_child(client)
	await _proved()
	var right := sidecar.welcome()
	sidecar.send(right)
	check(await until(client.is_open), "the client opens")
	client._end("for the test", true)
	await _proved()
	sidecar.send(right)
	await _is_given_up("the welcome of another connection")
	await _proved()
	sidecar.send(Frames.with(right, ["proof"], sidecar.proof_of("wasgo 2 engine")))
	await _is_given_up("the engine's own proof")
	await _proved()
	sidecar.send(Frames.with(right, ["proof"], sidecar.proof_of("wasgo 2 sidecar", "another token")))
	await _is_given_up("the proof of another token")
	check(client.last_problem.contains("does not know the token"), "and it says so: " + client.last_problem)
	for size: int in [0, 31, 33, 64]:
		await _proved()
		var proof := sidecar.proof_of("wasgo 2 sidecar") + sidecar.proof_of("wasgo 2 sidecar")
		sidecar.send(Frames.with(right, ["proof"], proof.slice(0, size)))
		await _is_given_up("a proof of %d bytes" % size)
	for bit: int in [0, 7, 100, 255]:
		await _proved()
		var proof := sidecar.proof_of("wasgo 2 sidecar")
		proof[bit / 8] ^= 1 << (bit % 8)
		sidecar.send(Frames.with(right, ["proof"], proof))
		await _is_given_up("a proof with bit %d turned" % bit)
	equal(heard, ["connected test", "disconnected for the test"] as Array[String], "it was connected once")
	return true


func _malformed_frames() -> bool:
	await fresh(false)
	root.add_child(client)
	for key: String in ["protocol", "nonce"]:
		for value: Variant in [Frames.MISSING, null, "", 0, 1, 3, -2, 2.0, NAN, [], {}, PackedByteArray(), PackedByteArray([1]), 9223372036854775807]:
			client._retry_at = 0
			client._pause_ms = 1
			client.last_problem = ""
			check(await until(sidecar.accept), "the client connects")
			await answer()
			var frame := {"t": "challenge", "protocol": 2, "nonce": Crypto.new().generate_random_bytes(32)}
			sidecar.send(Frames.with(frame, [key], value))
			await _is_given_up("a challenge with %s %s" % [key, str(value)])
	for key: String in ["protocol", "server", "heartbeat_ms", "proof", "world"]:
		for value: Variant in [Frames.MISSING, null, 0, 1, 3, -1, 2.5, NAN, [], {}, PackedByteArray([1]), 9223372036854775807, "x".repeat(1025)]:
			await _proved()
			sidecar.send(Frames.with(sidecar.welcome(), [key], value))
			if key == "heartbeat_ms" and typeof(value) == TYPE_INT and value >= 10 and value <= 3_600_000:
				continue
			await _is_given_up("a welcome with %s %s" % [key, str(value).left(20)])
	equal(heard, [] as Array[String], "it was never connected")
	client._retry_at = 0
	await greet()
	return true


func _refusals() -> bool:
	await fresh(false)
	root.add_child(client)
	for reason: String in ["full", "zone"]:
		check(await until(sidecar.accept), "connects")
		sidecar.send({"t": "refuse", "reason": reason})
		check(await until(func() -> bool: return heard.has("refused " + reason)), "refused is told")
		equal(client.state, Client.State.WAITING, "after %s it tries again" % reason)
	for reason: Variant in ["protocol", "token", "world", "malformed", "of a later version", "", null, 5]:
		if client.state == Client.State.CLOSED:
			client.start()
		heard.clear()
		await challenge()
		await answer()
		sidecar.send({"t": "refuse", "reason": reason, "protocol": 1, "protocol_min": 1})
		check(await until(func() -> bool: return not heard.is_empty()), "refused is told")
		equal(client.state, Client.State.CLOSED, "what is refused for %s stays so" % str(reason))
	client.start()
	await greet()
	return true


func _frames_too_early() -> bool:
	await fresh(false)
	root.add_child(client)
	var large := {"t": "challenge", "protocol": 2, "nonce": Crypto.new().generate_random_bytes(32), "ballast": "x".repeat(70_000)}
	for frame: Dictionary in [{"t": "clear", "seq": 1}, {"t": "ping", "time": 1}, {"t": "bye", "reason": "x"}, {"t": "call", "id": 1}, large, {}, {"t": 1},
			{"t": "zstd", "size": 8, "data": PackedByteArray([1])}, {"t": "challenge", "deep": [[[[[[]]]]]]}, {"t": "welcome"}]:
		client._retry_at = 0
		client._pause_ms = 1
		client.last_problem = ""
		check(await until(sidecar.accept), "the client connects")
		await answer()
		sidecar.send(frame)
		await _is_given_up("%s instead of a challenge" % str(frame).left(50))
		await _proved()
		sidecar.send(frame if str(frame.get("t")) != "welcome" else {"t": "challenge", "protocol": 2, "nonce": Crypto.new().generate_random_bytes(32)})
		await _is_given_up("%s instead of a welcome" % str(frame).left(50))
	equal(heard, [] as Array[String], "it was never connected")
	return true


func _stalls() -> bool:
	await fresh(false)
	root.add_child(client)
	check(await until(sidecar.accept), "the client connects")
	await answer()
	check(client._opening.until - Time.get_ticks_msec() <= Client._Opening.PATIENCE_MS, "the challenge has a time")
	client._opening.until = 0
	await _is_given_up("no challenge")
	await _proved()
	sidecar.send_raw(Sidecar.packed(sidecar.welcome()).slice(0, -1))
	for i: int in 10:
		await process_frame
	equal(client.state, Client.State.GREETING, "a welcome without its end is waited for")
	client._opening.until = 0
	await _is_given_up("half a welcome")
	await _proved()
	sidecar.disconnect_now()
	await _is_given_up("a sidecar that goes")
	# An address that nobody answers from.
	client.stop()
	client.url = "tcp://192.0.2.1:7777"
	client.start()
	if client.state == Client.State.CONNECTING:
		client._opening.until = 0
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "silence is given up: " + client.last_problem)
	client.stop()
	client.url = "tcp://no-such-host.invalid:7777"
	client.start()
	check(await until(func() -> bool: return client.state == Client.State.WAITING, 6000), "so is a name that is none: " + client.last_problem)
	return true


func _tls() -> bool:
	var to := Sidecar.new()
	var certificate := to.encrypt("sidecar.test")
	await fresh(false, to)
	client.tls_certificate = certificate
	client.tls_common_name = "sidecar.test"
	root.add_child(client)
	await greet()
	# Many pieces each way.
	var ballast := Crypto.new().generate_random_bytes(1024)
	while ballast.size() < 3_000_000:
		ballast.append_array(ballast)
	var sizes: Array[int] = []
	client.frame_received.connect(func(_kind: String, frame: Dictionary) -> void: sizes.append(hash(frame["ballast"])))
	sidecar.send({"t": "mesh", "seq": 1, "ballast": ballast})
	client.send_frame({"t": "note", "ballast": ballast})
	client.send_frame({"t": "end"})
	var note := await answer()
	equal(hash(note.get("ballast")), hash(ballast), "a large frame goes over TLS")
	equal(await answer(), {"t": "end"}, "and one after it")
	while sidecar.acked["seq"] == 0 and not (await any_answer()).is_empty():
		pass
	equal(sizes, [hash(ballast)] as Array[int], "and comes")
	sidecar.disconnect_now()
	await ending("closing")
	client.stop()
	# Certificates from a file.
	certificate.save("user://sidecar.crt")
	client.tls_certificate = null
	client.tls_certificate_path = "user://sidecar.crt"
	client.start()
	await greet()
	client.stop()
	client.tls_certificate_path = "user://none.crt"
	client.start()
	check(client.state == Client.State.CLOSED and client.last_problem.contains("none.crt"), "no certificate: " + client.last_problem)
	for wrong: Array in [[certificate, "", "another name"], [null, "sidecar.test", "nobody trusts it"]]:
		client.tls_certificate = wrong[0]
		client.tls_certificate_path = ""
		client.tls_common_name = wrong[1]
		client.start()
		check(await until(sidecar.accept), "connects")
		check(await until(func() -> bool: return client.state == Client.State.WAITING), "%s: %s" % [wrong[2], client.last_problem])
		equal(sidecar.receive(), {}, "%s: nothing is told" % wrong[2])
		client.stop()
	# A sidecar that speaks no TLS.
	var plain := Sidecar.new()
	sidecar = plain
	client.url = plain.url.replace("tcp:", "tls:")
	client.start()
	check(await until(plain.accept), "connects")
	plain.send({"t": "refuse", "reason": "full"})
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "no TLS: " + client.last_problem)
	return true


func _unix_sockets() -> bool:
	await fresh(false)
	client.url = "unix:///" + "x".repeat(120)
	root.add_child(client)
	check(client.last_problem.is_empty() or client.state == Client.State.WAITING, "a long path")
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "a path that is too long: " + client.last_problem)
	client.stop()
	client.url = "unix:///nowhere/at/all.sock"
	client.start()
	check(await until(func() -> bool: return client.state == Client.State.WAITING), "no socket: " + client.last_problem)
	if not ClassDB.can_instantiate(&"UDSServer"):
		check(client.last_problem.contains("no Unix domain sockets"), "an engine without these says so: " + client.last_problem)
		return true
	var path := ProjectSettings.globalize_path("user://").path_join("wasgo_test_%d.sock" % OS.get_process_id())
	DirAccess.make_dir_recursive_absolute(path.get_base_dir())
	var to := Sidecar.new(path)
	await fresh(true, to)
	sidecar.send({"t": "ping", "time": 1})
	equal(await answer(), {"t": "pong", "time": 1}, "a ping over a socket of the file system")
	sidecar.disconnect_now()
	await ending("closing")
	await again()
	DirAccess.remove_absolute(path)
	return true
