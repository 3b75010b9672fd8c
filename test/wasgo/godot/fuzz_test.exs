defmodule Wasgo.Godot.FuzzTest do
  # Frames of every kind that an engine may send, broken in every way, in every phase of a connection.
  use ExUnit.Case, async: false

  alias Wasgo.Example.Receiver
  alias Wasgo.Godot.Connection.Event
  alias Wasgo.Godot.{Connection, Server, Transform3D, Variant, Vector3}
  alias Wasgo.{Script, TestPeer}

  @moduletag :capture_log
  @token "the fuzzer's secret"
  @runs 3_000

  defp samples do
    ids = {:packed_int64, <<1::little-64, 2::little-64>>}
    bytes = {:packed_byte, :binary.copy(<<1>>, 32)}

    [
      TestPeer.hello(),
      %{"t" => "proof", "proof" => bytes},
      %{"t" => "ack", "seq" => 1, "bulk" => 1, "work" => 10},
      %{"t" => "credit", "bytes" => 100_000, "work" => 100_000},
      %{"t" => "error", "seq" => 1, "message" => "no"},
      %{"t" => "error", "bulk" => 1, "message" => "no"},
      %{"t" => "ping", "time" => 1},
      %{"t" => "pong", "time" => 1},
      %{"t" => "report", "id" => 1, "counts" => %{"chunks" => 1}},
      %{"t" => "picture", "id" => 1, "png" => bytes},
      %{"t" => "answer", "id" => 1, "value" => [1, 2.5, %Transform3D{}]},
      %{"t" => "answer", "id" => 1, "error" => "no"},
      %{"t" => "request", "id" => 1, "name" => "echo", "args" => [1]},
      %{
        "t" => "resume",
        "rev" => 1,
        "keys" => {:packed_string, ["a", "b"]},
        "hashes" => bytes,
        "meshes" => {:packed_string, []},
        "mesh_hashes" => {:packed_byte, <<>>},
        "have" => bytes
      },
      %{"t" => "want", "what" => "chunk", "keys" => {:packed_string, ["a"]}},
      %{
        "t" => "viewers",
        "ids" => ids,
        "positions" => {:packed_vector3, <<0::192>>},
        "radii" => {:packed_float32, <<0::64>>}
      },
      %{"t" => "event", "name" => "a", "node" => "b", "data" => %{"c" => [nil, true]}},
      %{"t" => "input", "device" => 1, "fields" => %{"class" => "InputEventKey"}},
      %{
        "t" => "attach",
        "scripts" => [%{"id" => 1, "script" => "wander", "node" => "a", "state" => ""}]
      },
      %{"t" => "detach", "ids" => ids},
      %{
        "t" => "notify",
        "ids" => ids,
        "whats" => {:packed_int32, <<17::little-32, 17::little-32>>},
        "args" => [[0.1, Vector3.new(1, 2, 3)], []]
      },
      %{"t" => "scene", "id" => 0, "name" => "a", "glb" => bytes},
      %{"t" => "zstd", "size" => 24, "data" => bytes},
      %{"t" => "a kind of the future", "x" => [1, [2, [3]]]}
    ]
  end

  # Values of every type, and of sizes that do not fit.
  defp strange do
    [
      nil,
      true,
      -1,
      0x7FFF_FFFF_FFFF_FFFF,
      -0x8000_0000_0000_0000,
      :nan,
      :infinity,
      "",
      String.duplicate("é", 3_000),
      "a\0b" |> String.replace("\0", "\t"),
      [],
      [[[[]]]],
      %{},
      %{1 => 2},
      %{"t" => "bye"},
      {:packed_byte, <<>>},
      {:packed_int64, <<255::64>>},
      {:packed_string, ["", "x"]},
      {:packed_vector3, :binary.copy(<<0, 0, 192, 127>>, 3)},
      %Transform3D{},
      {:string_name, "t"}
    ]
  end

  defp mutate(sample) do
    case :rand.uniform(6) do
      1 ->
        change_field(sample)

      2 ->
        Map.delete(sample, Enum.random(Map.keys(sample)))

      3 ->
        Map.put(
          change_field(sample),
          Enum.random(["x", "t", "seq", "id"]),
          Enum.random(strange())
        )

      _bytes ->
        sample
    end
    |> Variant.encode!()
    |> damage(:rand.uniform(4))
  end

  defp change_field(sample),
    do: Map.put(sample, Enum.random(Map.keys(sample)), Enum.random(strange()))

  defp damage(bytes, 1) when byte_size(bytes) > 0 do
    at = :rand.uniform(byte_size(bytes)) - 1
    {before, <<_byte, rest::binary>>} = :erlang.split_binary(bytes, at)
    <<before::binary, :rand.uniform(256) - 1, rest::binary>>
  end

  defp damage(bytes, 2), do: binary_part(bytes, 0, :rand.uniform(byte_size(bytes) + 1) - 1)

  # A count or a length that is far too large.
  defp damage(bytes, 3) when byte_size(bytes) >= 8 do
    at = 4 * (:rand.uniform(div(byte_size(bytes), 4)) - 1)
    {before, <<_word::32, rest::binary>>} = :erlang.split_binary(bytes, at)

    <<before::binary, Enum.random([0xFFFF_FFFF, 0x7FFF_FFFF, 0x1000_0000, 0])::little-32,
      rest::binary>>
  end

  defp damage(bytes, _whole), do: bytes

  test "decoding never fails otherwise than by saying so" do
    for run <- 1..(@runs * 4) do
      :rand.seed(:exsss, {run, 7, 7})
      bytes = samples() |> Enum.random() |> mutate()

      case Event.decode(bytes, 1_000_000) do
        {:ok, _event} ->
          :ok

        {:error, {:malformed, words}, at} when at in [:bytes, :frame] ->
          assert String.valid?(words)
      end
    end
  end

  test "no frame, in any phase, costs more than its own connection" do
    script = Script.new!(File.read!("guest/scripts/wander.wasm"))
    echo = fn args -> {:ok, args} end

    server =
      start_supervised!(
        {Server,
         token: @token,
         max_connections: 64,
         hello_timeout_ms: 60_000,
         heartbeat_ms: 60_000,
         scripts: %{"wander" => script},
         functions: %{"echo" => echo}}
      )

    port = Server.port(server)
    receiver = start_supervised!({Receiver, port: port, token: @token})
    {:ok, well} = Server.await_connection(server, 5_000)
    atoms = :erlang.system_info(:atom_count)

    Enum.reduce(1..@runs, %{}, fn run, sockets ->
      :rand.seed(:exsss, {run, 8, 8})
      phase = Enum.random([:hello, :proof, :open, :open, :open])
      socket = Map.get_lazy(sockets, phase, fn -> enter(port, phase) end)
      sample = Enum.random(samples())
      _gone_maybe = TestPeer.put(socket, TestPeer.framed(mutate(sample)))

      # Some go on with what is left of them, others are new.
      if :rand.uniform(3) == 1 do
        :gen_tcp.close(socket)
        Map.delete(sockets, phase)
      else
        Map.put(sockets, phase, alive(socket, port, phase))
      end
    end)

    assert {:ok, 1} = Connection.send(well, "clear", %{})
    assert :ok = Connection.flush(well)
    assert Receiver.errors(receiver) == []
    assert Process.alive?(server)

    # Names from the wire become no atoms; modules that are loaded meanwhile, also by other tests, have some.
    assert :erlang.system_info(:atom_count) - atoms < div(@runs, 4)
  end

  defp enter(port, :hello), do: TestPeer.connect(port)

  defp enter(port, :proof) do
    socket = TestPeer.connect(port)
    TestPeer.say(socket, TestPeer.hello())
    %{"t" => "challenge"} = TestPeer.hear(socket)
    socket
  end

  defp enter(port, :open), do: TestPeer.join(port, @token)

  # What it answers is thrown away; where it is closed another takes its place.
  defp alive(socket, port, phase) do
    case :gen_tcp.recv(socket, 0, 0) do
      {:ok, _bytes} -> alive(socket, port, phase)
      {:error, :timeout} -> socket
      {:error, _closed} -> enter(port, phase)
    end
  end
end
