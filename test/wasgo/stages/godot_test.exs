defmodule Wasgo.Stages.GodotTest do
  # Not beside others that look at the log.
  use ExUnit.Case, async: false

  alias Wasgo.Gen.{Gone, Viewers}
  alias Wasgo.Godot.Server
  alias Wasgo.{Gen, Pipeline, Stages, TestPeer}

  doctest Wasgo.Godot.Frame

  @token "a secret of the stage's tests"
  @moduletag :capture_log

  test "an engine is told of the chunks of every level, and of those that go" do
    server = start_supervised!({Server, token: @token})
    Server.subscribe(server)
    socket = TestPeer.join(Server.port(server), @token)
    assert_receive {:wasgo_godot, :connected, connection}, 5_000
    TestPeer.grant(socket)

    {:ok, viewers} = Viewers.start_link()
    :ok = Viewers.put(viewers, 1, {0, 0}, radius: 30)
    plan = Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9, levels: 2, scatter: [])
    generate = {Stages.Generate, plan: plan, viewers: viewers}
    stream = Pipeline.stream!([generate, {Stages.Godot, connection: connection}])

    # Told so much, it moves; and told so much more, it has had enough.
    buffers =
      stream
      |> Stream.with_index(1)
      |> Stream.each(fn {_buffer, number} ->
        if number == 40, do: Viewers.put(viewers, 1, {24, 0}, radius: 30)
      end)
      |> Enum.take(60)
      |> Enum.map(&elem(&1, 0))

    expected =
      for %{payload: payload} <- buffers do
        {x, z} = payload.coordinate
        key = if payload.level == 0, do: "#{x},#{z}", else: "#{x},#{z},#{payload.level}"
        if is_struct(payload, Gone), do: {:unload, [key]}, else: {:chunk, key}
      end

    heard =
      for number <- 1..length(expected) do
        assert %{"bulk" => ^number} = frame = TestPeer.hear_beyond_pings(socket)

        case frame do
          %{"t" => "chunk", "key" => key} -> {:chunk, key}
          %{"t" => "unload", "keys" => {:packed_string, keys}} -> {:unload, keys}
        end
      end

    assert heard == expected
    assert Enum.any?(heard, &(elem(&1, 0) == :unload))
    keys = for {:chunk, key} <- heard, do: key
    assert Enum.any?(keys, &String.ends_with?(&1, ",1")) and "0,0" in keys
    :gen_tcp.close(socket)
  end
end
