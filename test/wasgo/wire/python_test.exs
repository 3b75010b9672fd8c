defmodule Wasgo.Wire.PythonTest do
  # Our bytes as Python reads them, and Python's as we do.
  use ExUnit.Case, async: true

  alias Wasgo.{PythonPeer, Wire}

  @moduletag :python

  @common [
    nil,
    true,
    [],
    %{},
    "",
    "é𝄞\u2028\"\\\n\t/\u0001\u007F",
    0.1,
    -0.5,
    1.0e300,
    5.0e-324,
    100_000.0,
    1.7976931348623157e308,
    [[], [%{"a" => [1, nil]}]],
    String.duplicate("long", 30_000),
    Enum.to_list(1..100_000),
    Map.new(1..20_000, &{"key #{&1}", &1})
  ]

  @integers for power <- [0, 4, 5, 7, 8, 15, 16, 31, 32, 53, 63],
                near <- [-1, 0, 1],
                sign <- [-1, 1],
                integer = sign * (2 ** power + near),
                integer in -0x8000000000000000..0x7FFFFFFFFFFFFFFF,
                do: integer

  @own [
    json: [2 ** 64, 2 ** 127 - 1, -(2 ** 127), 123_456_789_012_345_678_901],
    msgpack:
      [2 ** 64 - 1, :nan, :infinity, %{1 => 2, nil => 3, 2.5 => 4, {:blob, "a"} => "a"}] ++
        for(size <- [0, 1, 2, 3, 4, 8, 16, 17, 255, 256, 65_536], term <- [:blob, :ext]) do
          bytes = :binary.copy(<<200>>, size)
          if term == :ext, do: {:ext, rem(size, 100), bytes}, else: {:blob, bytes}
        end,
    cbor: [
      2 ** 64 - 1,
      2 ** 64,
      -(2 ** 64),
      -(2 ** 64) - 1,
      2 ** 127 - 1,
      -(2 ** 127),
      :nan,
      :infinity,
      :neg_infinity,
      {:blob, ""},
      {:blob, :binary.copy(<<200>>, 70_000)},
      {:tag, 4000, [1, {:tag, 2 ** 40, nil}]},
      %{1 => 2, nil => 3, 2.5 => 4, {:blob, "a"} => "a", -5 => %{}}
    ]
  ]

  setup do
    %{python: PythonPeer.start()}
  end

  for {format, own} <- @own do
    test "Python reads what is written as #{format}", %{python: python} do
      for term <- @common ++ @integers ++ unquote(Macro.escape(own)) ++ random(unquote(format)) do
        bytes = Wire.encode!(term, unquote(format))

        assert PythonPeer.read(python, bytes, unquote(format)) ==
                 {:ok, PythonPeer.described(term)}
      end
    end

    test "what Python writes as #{format} is read", %{python: python} do
      for term <- @common ++ @integers ++ unquote(Macro.escape(own)) ++ random(unquote(format)) do
        {:ok, written} = PythonPeer.write(python, term, unquote(format))
        assert written != []

        for bytes <- written do
          assert Wire.decode(bytes, unquote(format)) == {:ok, term}
          # And in pieces, with another one after it.
          {one, other} = :erlang.split_binary(bytes, div(byte_size(bytes), 2))
          space = if unquote(format) == :json, do: " ", else: ""
          chunks = [one, other <> space <> one, other]
          assert [{:ok, ^term}, {:ok, ^term}] = Enum.to_list(Wire.stream(chunks, unquote(format)))
        end
      end
    end

    test "buffers as #{format} are maps to Python", %{python: python} do
      payload = <<0, 255, 7>>
      buffer = Wasgo.Buffer.new(payload, pts: 40_000_000, metadata: %{"a" => 1})
      bytes = Wire.encode!(buffer, unquote(format))
      payload = if unquote(format) == :json, do: Base.encode64(payload), else: {:blob, payload}

      envelope = %{
        "payload" => payload,
        "pts" => 40_000_000,
        "dts" => nil,
        "metadata" => %{"a" => 1}
      }

      assert PythonPeer.read(python, bytes, unquote(format)) ==
               {:ok, PythonPeer.described(envelope)}

      {:ok, [bytes | _]} = PythonPeer.write(python, envelope, unquote(format))
      assert Wire.decode(bytes, unquote(format), as: :buffer) == {:ok, buffer}
    end
  end

  # The same each time.
  defp random(format) do
    :rand.seed(:exsss, {1, 2, 3})
    for _ <- 1..200, do: random(format, 4)
  end

  defp random(format, depth) do
    case :rand.uniform(if(depth == 0, do: 5, else: 8)) do
      1 -> Enum.random([nil, true, false, Enum.random(-50..50), 2 ** :rand.uniform(62)])
      2 -> :rand.normal() * :math.pow(10, :rand.uniform(600) - 300)
      3 -> Enum.random(-0x8000000000000000..0x7FFFFFFFFFFFFFFF)
      4 -> text()
      5 -> if format == :json, do: text(), else: {:blob, :rand.bytes(:rand.uniform(40))}
      6 -> for _ <- 1..:rand.uniform(20), do: random(format, depth - 1)
      _ -> for _ <- 1..:rand.uniform(6), into: %{}, do: {text(), random(format, depth - 1)}
    end
  end

  defp text do
    for _ <- 1..:rand.uniform(40), into: "" do
      <<Enum.random([:rand.uniform(127), :rand.uniform(0xD000), 0xFFFF + :rand.uniform(0xFFFFF)])::utf8>>
    end
  end
end
