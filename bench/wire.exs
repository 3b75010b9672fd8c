# What the wire's formats cost, from Elixir: `mix run --no-start bench/wire.exs [--quick]`. Started by hand; nothing fails because a machine is
# slow. `cargo bench -p wasgo_wire --bench wire` says what the crates alone take.

Code.require_file("measure.exs", __DIR__)

defmodule Bench.Wire do
  alias Wasgo.{Native, Wire}

  @bounds {64, 0x7FFFFFFF, 0xFFFFFFFF}

  # A thing in a world: what a property row or a message holds. The same as in the benchmark in Rust.
  def thing(number) do
    %{
      "id" => number * 1000,
      "name" => "thing number #{number}",
      "alive" => rem(number, 2) == 0,
      "at" => for(part <- [0.25, 1.5, -3.75], do: number * part + 0.1),
      "tags" => ["tree", "conifer", nil]
    }
  end

  def terms do
    [
      {"a message", thing(7)},
      {"1,000 things", Enum.map(1..1000, &thing/1)},
      {"10,000 integers", for(number <- 1..10_000, do: rem(number * 7919, 100_003))},
      {"10,000 floats", for(number <- 1..10_000, do: number * 0.37)},
      {"2,000 texts", for(number <- 1..2_000, do: "a text of some length, #{number}: é")}
    ]
  end

  # Encoding and decoding, for each way to do that.
  def ways do
    wire =
      for format <- Wire.formats() do
        {":#{format}", &Wire.encode!(&1, format), &Wire.decode!(&1, format)}
      end

    otp = [
      {"`:erlang.term_to_binary/1`", &:erlang.term_to_binary/1,
       &:erlang.binary_to_term(&1, [:safe])}
    ]

    wire ++ otp ++ otp_json()
  end

  # OTP 27 has one.
  defp otp_json do
    if Code.ensure_loaded?(:json) do
      json = :json
      [{"`:json`", &IO.iodata_to_binary(json.encode(&1)), &json.decode/1}]
    else
      []
    end
  end

  def measure(term, {_name, encode, decode}, rounds) do
    bytes = encode.(term)
    {byte_size(bytes), of(rounds, fn -> encode.(term) end), of(rounds, fn -> decode.(bytes) end)}
  end

  def of(rounds, fun), do: Bench.samples(Bench.rounds(rounds), fun).p50

  # The costliest input of so many bytes, and messages, in one format: decoded here, and on a dirty scheduler.
  def cut(size, rounds) do
    empty = <<0xDD, size - 5::32, :binary.copy(<<0x80>>, size - 5)::binary>>
    body = Wire.encode!(thing(7), :msgpack)
    count = max(div(size, byte_size(body)), 1)
    things = <<0xDD, count::32, :binary.copy(body, count)::binary>>
    text = "[" <> String.duplicate("1,", div(size, 2) - 1) <> "1]"

    for {format, bytes} <- [msgpack: empty, msgpack: things, json: text] do
      here = fn -> {:ok, _, _} = Native.wire_decode(bytes, format, @bounds, false, false) end

      dirty = fn ->
        {:ok, _, _} = Native.wire_decode_dirty(bytes, format, @bounds, false, false)
      end

      {of(rounds, here), of(rounds, dirty)}
    end
  end
end

alias Bench.Wire, as: B

Bench.header()
time = &Bench.time/1

rows =
  for {name, term} <- B.terms(), way <- B.ways() do
    rounds = if name == "a message", do: 100_000, else: 400

    {size, encode, decode} =
      Bench.step("#{name}, #{elem(way, 0)}", fn -> B.measure(term, way, rounds) end)

    [name, elem(way, 0), Bench.digits(size), time.(encode), time.(decode)]
  end

Bench.table(["", "format", "bytes", "encode, p50", "decode, p50"], rows)

cuts =
  for size <- [64, 256, 1024, 2048, 4096, 8192, 16_384, 65_536] do
    rounds = max(div(2_000_000, size), 100)
    columns = Bench.step("#{size} bytes", fn -> B.cut(size, rounds) end)
    [Bench.digits(size) | for({here, dirty} <- columns, do: "#{time.(here)} / #{time.(dirty)}")]
  end

Bench.table(
  [
    "bytes to decode, here / on a dirty scheduler, p50",
    "empty maps, MessagePack",
    "messages, MessagePack",
    "integers, JSON"
  ],
  cuts
)
