defmodule Wasgo.Godot.EngineZstdTest do
  # What is compressed here is decompressed by a real engine, and the other way round.
  use ExUnit.Case, async: true

  alias Wasgo.TestEngine
  alias Wasgo.Wire.Zstd

  @moduletag :godot

  setup do
    {:ok, listener} =
      :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, packet: 4, active: false, nodelay: true])

    {:ok, port} = :inet.port(listener)
    engine = TestEngine.start("zstd_peer.gd", ["--port=#{port}"])
    {:ok, socket} = :gen_tcp.accept(listener, 20_000)
    %{engine: engine, socket: socket}
  end

  defp ask(socket, what, size, bytes) do
    :ok = :gen_tcp.send(socket, <<what, size::32, bytes::binary>>)
    {:ok, answer} = :gen_tcp.recv(socket, 0, 20_000)
    answer
  end

  defp compress(socket, bytes), do: ask(socket, 0, 0, bytes)
  defp decompress(socket, bytes, size), do: ask(socket, 1, size, bytes)

  test "both sides read each other's frames, of any size and level", context do
    noise = :crypto.strong_rand_bytes(5_000)

    for bytes <- [
          "a",
          "wasgo",
          noise,
          String.duplicate("the same again; ", 20_000),
          :binary.copy(noise, 200),
          :binary.copy(<<0>>, 4_000_000)
        ] do
      size = byte_size(bytes)
      assert Zstd.decompress(compress(context.socket, bytes), size) == {:ok, bytes}

      for level <- [1, 3, 9] do
        frame = Zstd.compress!(bytes, level: level)
        assert decompress(context.socket, frame, size) == bytes
      end
    end

    :gen_tcp.close(context.socket)
    assert TestEngine.await_exit(context.engine) == 0
  end
end
