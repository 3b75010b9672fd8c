# What Variants cost, in Rust, from Elixir and in the engine, over the same bytes: `mix run --no-start bench/variant.exs [--quick]`. Started by hand;
# nothing fails because a machine is slow. The figures of Rust are those of the last `cargo bench -p wasgo_wire --bench variant`; those of the engine are
# there where `bin/godot` finds one.

Code.require_file("measure.exs", __DIR__)

defmodule Bench.Variant do
  alias Wasgo.Godot.Variant

  @root Path.expand("..", __DIR__)

  # Vertices along a side of the mesh: 224 x 224 squares are 100,352 triangles. The same as in the benchmark in Rust.
  @side 225
  @dictionaries 10_000

  def mesh do
    corners = @side * @side
    across = 0..(@side - 2)

    indices =
      for z <- across, x <- across, a = z * @side + x, into: <<>> do
        for corner <- [a, a + 1, a + @side, a + 1, a + @side + 1, a + @side],
            into: <<>>,
            do: <<corner::32-little>>
      end

    %{
      "t" => "chunk",
      "positions" => {:packed_vector3, floats(3 * corners)},
      "normals" => {:packed_vector3, floats(3 * corners)},
      "colors" => {:packed_color, floats(4 * corners)},
      "indices" => {:packed_int32, indices}
    }
  end

  defp floats(count),
    do:
      for(number <- 0..(count - 1), into: <<>>, do: <<:math.sin(number * 0.37)::float-32-little>>)

  def dictionaries do
    for number <- 0..(@dictionaries - 1) do
      %{
        "id" => number,
        "name" => "thing #{number}",
        "speed" => number * 0.37,
        "alive" => rem(number, 2) == 0
      }
    end
  end

  # How much there is of each, in what its speed is told in.
  def amount("mesh", bytes), do: {bytes / 1.0e9, "GB/s"}
  # Every key and every value.
  def amount("dictionaries", _bytes), do: {8 * @dictionaries / 1.0e6, "M values/s"}

  def elixir(term, bytes) do
    rounds = Bench.rounds(400)

    {Bench.samples(rounds, fn -> Variant.encode!(term) end).p50,
     Bench.samples(rounds, fn -> Variant.decode!(bytes) end).p50}
  end

  def rust(name) do
    {Bench.Floor.median("#{name}, encode", "variant"),
     Bench.Floor.median("#{name}, decode", "variant")}
  end

  # `{name, {encode, decode, bytes}}` of each file, none without an engine.
  def engine(files) do
    folder = Path.join(System.tmp_dir!(), "wasgo-bench-#{System.pid()}")
    File.mkdir_p!(folder)
    File.write!(Path.join(folder, "project.godot"), "config_version=5\n")
    File.cp!(Path.join(__DIR__, "variant/engine.gd"), Path.join(folder, "engine.gd"))
    for {name, bytes} <- files, do: File.write!(Path.join(folder, name), bytes)

    arguments =
      ["--path", folder, "--script", "res://engine.gd", "--", "#{Bench.rounds(200)}"] ++
        for({name, _bytes} <- files, do: name)

    # It ends with its input, should this be ended.
    arguments = ["-k", "5", "120", Path.join(@root, "bin/godot") | arguments]
    {output, _status} = System.cmd("timeout", arguments, stderr_to_stdout: true)
    File.rm_rf!(folder)

    for [_line, name | numbers] <- Regex.scan(~r/^median (\S+) (\d+) (\d+) (\d+)$/m, output),
        into: %{},
        do: {name, numbers |> Enum.map(&String.to_integer/1) |> List.to_tuple()}
  rescue
    # No `timeout`, or no shell.
    ErlangError -> %{}
  end

  def row(name, way, bytes, {encode, decode}) do
    [name, way, Bench.time(encode), speed(name, bytes, encode), Bench.time(decode)] ++
      [speed(name, bytes, decode)]
  end

  defp speed(_name, _bytes, nil), do: "-"
  defp speed(_name, _bytes, time) when time <= 0, do: "-"

  defp speed(name, bytes, time) do
    {amount, unit} = amount(name, bytes)
    "#{Bench.digits(amount / time * 1.0e9)} #{unit}"
  end
end

alias Bench.Variant, as: B

Bench.header()

terms = [{"mesh", B.mesh()}, {"dictionaries", B.dictionaries()}]
files = for {name, term} <- terms, do: {name, Wasgo.Godot.Variant.encode!(term)}
engine = Bench.step("the engine", fn -> B.engine(files) end)

rows =
  for {name, term} <- terms do
    {_name, bytes} = List.keyfind(files, name, 0)
    size = byte_size(bytes)
    elixir = Bench.step("#{name}, from Elixir", fn -> B.elixir(term, bytes) end)

    {encode, decode, made} = Map.get(engine, name, {nil, nil, size})
    # What is compared has to be the same.
    ^made = size

    [
      B.row(name, "Rust", size, B.rust(name)),
      B.row(name, "Elixir", size, elixir),
      B.row(name, "engine", size, {encode, decode})
    ]
  end

Bench.table(["", "in", "encode, p50", "", "decode, p50", ""], Enum.concat(rows))
