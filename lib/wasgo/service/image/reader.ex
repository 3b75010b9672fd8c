defmodule Wasgo.Service.Image.Reader do
  @moduledoc false
  # Reads what a module says of itself: its imports, exports and memory, and marks in its data. Bodies of functions are skipped, so that a hundred megabytes
  # take as long as one look at them. Nothing that is declared is believed before it is compared with what is there.

  alias Wasgo.Bytes

  @type facts :: %{
          imports: [{module :: String.t(), name :: String.t()}],
          exports: MapSet.t(String.t()),
          memory: {pages :: non_neg_integer(), most :: non_neg_integer() | nil} | nil,
          page: pos_integer(),
          data_segments: non_neg_integer(),
          names: binary() | nil,
          data: binary() | nil
        }

  @header <<0, "asm", 1, 0, 0, 0>>

  # As many as `Wasgo.Wasm.Module` takes.
  @most_imports 10_000
  @most_exports 100_000

  # The longest name that WebAssembly's tools take.
  @longest_name 100_000

  # Sections of a module that is not made to waste time: those that there are, and custom ones.
  @most_sections 10_000

  @page 65_536

  @empty %{
    imports: [],
    exports: MapSet.new(),
    memory: nil,
    page: @page,
    data_segments: 0,
    names: nil,
    data: nil
  }

  @doc "The facts of a module's bytes, of which only exports named in `wanted` are kept; or where and at what reading them failed."
  @spec read(binary(), MapSet.t(String.t())) ::
          {:ok, facts()} | {:error, {offset :: non_neg_integer(), words :: String.t()}}
  def read(@header <> sections = bytes, wanted) do
    {:ok, sections(sections, @empty, wanted, @most_sections)}
  catch
    {:unreadable, rest, words} -> {:error, {byte_size(bytes) - rest, words}}
  end

  # What is left of the module is kept as its size only: where that is, is what is left of the whole.
  defp sections(<<>>, facts, _wanted, _most), do: facts
  defp sections(rest, _facts, _wanted, 0), do: fail(rest, "over #{@most_sections} sections")

  defp sections(<<id, rest::binary>>, facts, wanted, most) do
    {size, rest} = number(rest, 32)

    case Bytes.take(rest, size) do
      {section, rest} ->
        facts = at(rest, fn -> section(id, section, facts, wanted) end)
        sections(rest, facts, wanted, most - 1)

      :short ->
        fail(rest, "a section of #{size} bytes, of which #{byte_size(rest)} are there")
    end
  end

  # A fault within a section is said with its place in the module.
  defp at(after_it, fun) do
    fun.()
  catch
    {:unreadable, rest, words} -> throw({:unreadable, rest + byte_size(after_it), words})
  end

  defp section(0, section, facts, _wanted) do
    case name(section) do
      {"name", names} -> %{facts | names: names}
      _other -> facts
    end
  end

  defp section(2, section, facts, _wanted) do
    {count, rest} = count(section, @most_imports, "imports")
    {imports, facts} = imports(rest, count, [], facts)
    %{facts | imports: imports}
  end

  defp section(5, section, facts, _wanted) do
    case count(section, 1_000, "memories") do
      {0, _rest} -> facts
      {_some, rest} -> memory(facts, elem(limits(rest), 0))
    end
  end

  defp section(7, section, facts, wanted) do
    {count, rest} = count(section, @most_exports, "exports")
    %{facts | exports: exports(rest, count, wanted, facts.exports)}
  end

  defp section(11, section, facts, _wanted) do
    {segments, data} = number(section, 32)

    if segments > byte_size(data),
      do: fail(data, "#{segments} data segments in #{byte_size(data)} bytes")

    %{facts | data_segments: segments, data: data}
  end

  defp section(_other, _section, facts, _wanted), do: facts

  defp imports(_rest, 0, imports, facts), do: {Enum.reverse(imports), facts}

  defp imports(rest, count, imports, facts) do
    {module, rest} = name(rest)
    {name, rest} = name(rest)
    {facts, rest} = import_type(rest, facts)
    imports(rest, count - 1, [{:binary.copy(module), :binary.copy(name)} | imports], facts)
  end

  defp import_type(<<0, rest::binary>>, facts), do: {facts, elem(number(rest, 32), 1)}

  defp import_type(<<1, rest::binary>>, facts),
    do: {facts, rest |> value_type() |> limits() |> elem(1)}

  defp import_type(<<2, rest::binary>>, facts) do
    {limits, rest} = limits(rest)
    {memory(facts, limits), rest}
  end

  defp import_type(<<3, rest::binary>>, facts) do
    case value_type(rest) do
      <<_mutable, rest::binary>> -> {facts, rest}
      short -> fail(short, "the type of a global")
    end
  end

  defp import_type(<<4, _attribute, rest::binary>>, facts),
    do: {facts, elem(number(rest, 32), 1)}

  defp import_type(rest, _facts), do: fail(rest, "an import of no kind that there is")

  # References to types have the type after them.
  defp value_type(<<byte, rest::binary>>) when byte in [0x63, 0x64],
    do: elem(number(rest, 33), 1)

  defp value_type(<<_byte, rest::binary>>), do: rest
  defp value_type(<<>>), do: fail(<<>>, "a type")

  defp exports(_rest, 0, _wanted, exports), do: exports

  defp exports(rest, count, wanted, exports) do
    {name, rest} = name(rest)

    case rest do
      <<kind, rest::binary>> when kind in 0..4 ->
        {_index, rest} = number(rest, 32)

        exports =
          if kind == 0 and MapSet.member?(wanted, name),
            do: MapSet.put(exports, :binary.copy(name)),
            else: exports

        exports(rest, count - 1, wanted, exports)

      _other ->
        fail(rest, "an export of no kind that there is")
    end
  end

  # Flags: 1 a maximum, 2 shared, 4 of 64 bits, 8 a size of pages.
  defp limits(<<flags, rest::binary>>) when flags < 16 do
    bits = if :erlang.band(flags, 4) == 0, do: 32, else: 64
    {least, rest} = number(rest, bits)

    {most, rest} = if :erlang.band(flags, 1) == 0, do: {nil, rest}, else: number(rest, bits)

    {page, rest} = if :erlang.band(flags, 8) == 0, do: {16, rest}, else: number(rest, 32)

    if page not in [0, 16], do: fail(rest, "a memory with pages of no size that there is")
    {{least, most, Integer.pow(2, page)}, rest}
  end

  defp limits(rest), do: fail(rest, "limits")

  # The first one is the program's.
  defp memory(%{memory: nil} = facts, {least, most, page}),
    do: %{facts | memory: {least, most}, page: page}

  defp memory(facts, _limits), do: facts

  # Each of them takes a byte at least.
  defp count(section, most, what) do
    {count, rest} = number(section, 32)

    cond do
      count > most -> fail(rest, "#{count} #{what}, of which a module may have #{most}")
      count > byte_size(rest) -> fail(rest, "#{count} #{what} in #{byte_size(rest)} bytes")
      true -> {count, rest}
    end
  end

  defp name(bytes) do
    {size, rest} = number(bytes, 32)

    if size > @longest_name, do: fail(rest, "a name of #{size} bytes")

    case Bytes.take(rest, size) do
      {name, rest} ->
        if String.valid?(name), do: {name, rest}, else: fail(rest, "a name that is not UTF-8")

      :short ->
        fail(rest, "a name of #{size} bytes, of which #{byte_size(rest)} are there")
    end
  end

  # LEB128, unsigned.
  defp number(bytes, bits), do: number(bytes, bits, 0, 0)

  defp number(<<0::1, low::7, rest::binary>>, bits, shift, sum) when shift < bits,
    do: {sum + :erlang.bsl(low, shift), rest}

  defp number(<<1::1, low::7, rest::binary>>, bits, shift, sum) when shift < bits,
    do: number(rest, bits, shift + 7, sum + :erlang.bsl(low, shift))

  defp number(rest, bits, _shift, _sum), do: fail(rest, "a number of #{bits} bits")

  @spec fail(binary(), String.t()) :: no_return()
  defp fail(rest, words), do: throw({:unreadable, byte_size(rest), words})

  @doc """
  The first place of each mark that is in the bytes, in one pass: a mark that was found is not looked for any more, so that bytes full of it cost no more than
  others.
  """
  @spec marks(binary() | nil, [binary()]) :: %{binary() => non_neg_integer()}
  def marks(nil, _marks), do: %{}
  def marks(bytes, marks), do: marks(bytes, 0, marks, %{})

  defp marks(_bytes, _from, [], found), do: found

  defp marks(bytes, from, marks, found) do
    case :binary.match(bytes, marks, scope: {from, byte_size(bytes) - from}) do
      {at, length} ->
        mark = binary_part(bytes, at, length)
        marks(bytes, at, List.delete(marks, mark), Map.put(found, mark, at))

      :nomatch ->
        found
    end
  end
end
