defmodule Wasgo.Script.SourceMap do
  @moduledoc """
  Which line of its source a byte of a module is of, as a source map of revision 3 says: what `asc --sourceMap` and other compilers to WebAssembly write. The *generated column*
  of its one line is a byte of the module.

      iex> map = ~s({"version": 3, "sources": ["hop.ts"], "sourcesContent": ["let a = 1;"], "mappings": "wBAAC,IACE"})
      iex> {:ok, map} = Wasgo.Script.SourceMap.parse(map)
      iex> Wasgo.Script.SourceMap.find(map, 27)
      %{file: "hop.ts", line: 1, column: 2}
      iex> {:ok, module} = Wasgo.Script.SourceMap.embed(<<0, "asm", 1::32-little>>, map)
      iex> {:ok, ^map} = Wasgo.Script.SourceMap.of_module(module)
      iex> Wasgo.Script.SourceMap.sources(map)
      [%{file: "hop.ts", text: "let a = 1;"}]

  Texts of AssemblyScript's own library (`~lib/`) are left out.

  A module carries its map with it: as a custom section `sourceMappingURL` at its end that holds a data URL. What the module does is the same.
  """

  alias Wasgo.{Bytes, DecodeError, Wire}

  @derive {Inspect, only: [:sources]}
  @enforce_keys [:sources, :contents, :mappings]
  defstruct [:sources, :contents, :mappings]

  @typedoc "`contents` are the texts of the `sources`, or `nil`; `mappings` as in the map's text."
  @type t :: %__MODULE__{
          sources: [String.t()],
          contents: [String.t() | nil],
          mappings: String.t()
        }

  @typedoc "A place in a source; lines and columns are counted from 1."
  @type place :: %{file: String.t(), line: pos_integer(), column: pos_integer()}

  @section "sourceMappingURL"
  @prefix "data:application/json;base64,"
  @most_bytes 16 * 1_048_576

  @doc """
  A map from its JSON, as text or decoded. Errors: `Wasgo.DecodeError`, which says what is wrong.

      iex> {:ok, map} = Wasgo.Script.SourceMap.parse(~s({"version": 3, "sources": ["hop.ts"], "mappings": "wBAAC,IACE"}))
      iex> map.sources
      ["hop.ts"]
      iex> {:error, error} = Wasgo.Script.SourceMap.parse(~s({"version": 2}))
      iex> Exception.message(error)
      "the source map is refused: it has no version 3 with sources and mappings"
  """
  @spec parse(String.t() | map()) :: {:ok, t()} | {:error, DecodeError.t()}
  def parse(text) when is_binary(text) do
    with {:ok, map} <- Wire.decode(text, :json, max_bytes: @most_bytes), do: parse(map)
  end

  def parse(%{"version" => 3, "sources" => sources, "mappings" => mappings} = map)
      when is_list(sources) and is_binary(mappings) do
    contents = Map.get(map, "sourcesContent") || []
    root = Map.get(map, "sourceRoot") || ""

    cond do
      not Enum.all?(sources, &is_binary/1) or not is_binary(root) ->
        wrong("its sources are not texts")

      not (is_list(contents) and Enum.all?(contents, &(is_binary(&1) or is_nil(&1)))) ->
        wrong("its sourcesContent is not a list of texts")

      segments(mappings) == :error ->
        wrong("its mappings are not what they should be")

      true ->
        count = length(sources)
        contents = Enum.take(contents ++ List.duplicate(nil, count), count)
        contents = Enum.zip_with(sources, contents, &own/2)
        {:ok, %__MODULE__{sources: sources, contents: contents, mappings: mappings}}
    end
  end

  def parse(%{"sections" => _sections}), do: wrong("maps of sections are not taken")
  def parse(_other), do: wrong("it has no version 3 with sources and mappings")

  # AssemblyScript gives the whole of its library, which nobody has written here.
  defp own("~lib/" <> _rest, _text), do: nil
  defp own(_file, text), do: text

  defp wrong(words),
    do: {:error, %DecodeError{reason: {:contract, "the source map is refused: #{words}"}}}

  @doc """
  The place that a byte of the module is of, or `nil` where the map does not say.

      iex> {:ok, map} = Wasgo.Script.SourceMap.parse(~s({"version": 3, "sources": ["hop.ts"], "mappings": "wBAAC,IACE"}))
      iex> for byte <- [3, 24, 30], do: Wasgo.Script.SourceMap.find(map, byte)
      [nil, %{column: 2, file: "hop.ts", line: 1}, %{column: 4, file: "hop.ts", line: 2}]
  """
  @spec find(t(), non_neg_integer()) :: place() | nil
  def find(%__MODULE__{} = map, offset) do
    found =
      map.mappings
      |> segments()
      |> Enum.take_while(fn {at, _source, _line, _column} -> at <= offset end)
      |> List.last()

    with {_at, source, line, column} when is_integer(source) <- found,
         file when is_binary(file) <- Enum.at(map.sources, source) do
      %{file: file, line: line + 1, column: column + 1}
    else
      _none -> nil
    end
  end

  @doc """
  The sources of which the map has the text.

      iex> map = ~s({"version": 3, "sources": ["hop.ts", "~lib/math.ts"], "sourcesContent": ["let a = 1;", "..."], "mappings": ""})
      iex> {:ok, map} = Wasgo.Script.SourceMap.parse(map)
      iex> Wasgo.Script.SourceMap.sources(map)
      [%{file: "hop.ts", text: "let a = 1;"}]
  """
  @spec sources(t()) :: [%{file: String.t(), text: String.t()}]
  def sources(%__MODULE__{} = map) do
    for {file, text} <- Enum.zip(map.sources, map.contents),
        text != nil,
        do: %{file: file, text: text}
  end

  ## In a module

  @doc """
  The module with the map in it. Of one that is no module of WebAssembly it is an error.

      module = File.read!("hop.wasm")
      {:ok, map} = Wasgo.Script.SourceMap.parse(File.read!("hop.wasm.map"))
      {:ok, module} = Wasgo.Script.SourceMap.embed(module, map)
      {:ok, version} = Wasgo.Script.Registry.put(store, "hop", module)
  """
  @spec embed(binary(), t()) :: {:ok, binary()} | {:error, DecodeError.t()}
  def embed(<<0, "asm", 1::32-little, _::binary>> = module, %__MODULE__{} = map) do
    text =
      Wire.encode!(
        %{
          "version" => 3,
          "sources" => map.sources,
          "sourcesContent" => map.contents,
          "mappings" => map.mappings
        },
        :json
      )

    content = [vector(@section), vector(@prefix <> Base.encode64(text))]
    {:ok, IO.iodata_to_binary([module, 0, vector(content)])}
  end

  def embed(_other, _map), do: wrong("what it is for is no module")

  defp vector(bytes), do: [leb(IO.iodata_length(bytes)), bytes]

  defp leb(number) when number < 0x80, do: <<number>>
  defp leb(number), do: <<1::1, number::7, leb(Bitwise.bsr(number, 7))::binary>>

  @doc """
  The map that a module has in it, the last one of several; `:none` where there is none that can be read.

      iex> Wasgo.Script.SourceMap.of_module(File.read!("guest/scripts/thin.wasm"))
      :none
  """
  @spec of_module(binary()) :: {:ok, t()} | :none
  def of_module(<<0, "asm", 1::32-little, sections::binary>>) do
    with @prefix <> encoded <- url(sections, nil),
         {:ok, text} <- Base.decode64(encoded),
         {:ok, map} <- parse(text) do
      {:ok, map}
    else
      _none -> :none
    end
  end

  def of_module(_other), do: :none

  defp url(<<id, rest::binary>>, found) do
    with {:ok, content, rest} <- take(rest),
         do: url(rest, if(id == 0, do: section_url(content) || found, else: found)),
         else: (:error -> found)
  end

  defp url("", found), do: found

  defp section_url(content) do
    with {:ok, @section, rest} <- take(content),
         {:ok, url, ""} <- take(rest),
         do: url,
         else: (_other -> nil)
  end

  # Bytes with their length before them.
  defp take(bytes) do
    with {length, rest} <- unleb(bytes, 0, 0),
         {taken, rest} <- Bytes.take(rest, length) do
      {:ok, taken, rest}
    else
      _short -> :error
    end
  end

  defp unleb(<<more::1, bits::7, rest::binary>>, shift, sum) when shift < 35 do
    sum = sum + Bitwise.bsl(bits, shift)
    if more == 1, do: unleb(rest, shift + 7, sum), else: {sum, rest}
  end

  defp unleb(_bytes, _shift, _sum), do: :error

  ## Mappings: base64 VLQ, each number of a segment the difference from the one before

  # Of the first line, which is all that a module has: `[{byte, source | nil, line, column}]`, in order.
  defp segments(mappings) do
    [line | _] = :binary.split(mappings, ";")
    segments(line, {0, 0, 0, 0}, [])
  end

  defp segments("", _last, done), do: done |> Enum.reverse() |> Enum.sort_by(&elem(&1, 0))
  defp segments("," <> rest, last, done), do: segments(rest, last, done)

  defp segments(text, {at, source, line, column}, done) do
    case numbers(text, []) do
      {[a], rest} ->
        segments(rest, {at + a, source, line, column}, [{at + a, nil, 0, 0} | done])

      {[a, b, c, d | name], rest} when length(name) <= 1 ->
        place = {at + a, source + b, line + c, column + d}
        if negative?(place), do: :error, else: segments(rest, place, [place | done])

      _wrong ->
        :error
    end
  end

  defp negative?(place), do: place |> Tuple.to_list() |> Enum.any?(&(&1 < 0))

  # At most the five of a segment, and what follows them.
  defp numbers(text, read) when text == "" or binary_part(text, 0, 1) == ",",
    do: {Enum.reverse(read), text}

  defp numbers(_text, read) when length(read) == 5, do: :error

  defp numbers(text, read) do
    with {number, rest} <- number(text, 0, 0), do: numbers(rest, [number | read])
  end

  # 32 bits and a sign, least first.
  defp number(<<character, rest::binary>>, shift, sum) when shift < 35 do
    with digit when is_integer(digit) <- digit(character) do
      sum = sum + Bitwise.bsl(Bitwise.band(digit, 31), shift)

      cond do
        Bitwise.band(digit, 32) != 0 -> number(rest, shift + 5, sum)
        Bitwise.band(sum, 1) == 1 -> {-Bitwise.bsr(sum, 1), rest}
        true -> {Bitwise.bsr(sum, 1), rest}
      end
    end
  end

  defp number(_text, _shift, _sum), do: :error

  defp digit(character) when character in ?A..?Z, do: character - ?A
  defp digit(character) when character in ?a..?z, do: character - ?a + 26
  defp digit(character) when character in ?0..?9, do: character - ?0 + 52
  defp digit(?+), do: 62
  defp digit(?/), do: 63
  defp digit(_other), do: :error
end
