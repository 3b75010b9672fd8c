defmodule Wasgo.Script.Registry.JSON do
  @moduledoc false
  # The little JSON (RFC 8259) that the registry's tables hold: objects, arrays, strings, integers, true, false and null. A library for
  # it would be a dependency, and OTP has one only from version 27 on.

  # What is read may have been written by others: deeper than this it is none of ours.
  @max_depth 8

  @type t :: nil | boolean() | integer() | String.t() | [t()] | %{String.t() => t()}

  @doc false
  # Objects are given as lists of pairs, and keep their order: what is equal is written equally.
  @spec encode(t() | {:object, [{atom() | String.t(), t()}]}) :: String.t()
  def encode(value), do: value |> write() |> IO.iodata_to_binary()

  defp write(value) when is_boolean(value) or value == nil, do: inspect_null(value)
  defp write(value) when is_integer(value), do: Integer.to_string(value)
  defp write(value) when is_binary(value), do: [?", escape(value), ?"]
  defp write({:object, members}), do: [?{, Enum.map_intersperse(members, ?,, &member/1), ?}]

  defp write(values) when is_list(values),
    do: [?[, Enum.map_intersperse(values, ?,, &write/1), ?]]

  defp inspect_null(nil), do: "null"
  defp inspect_null(boolean), do: Atom.to_string(boolean)

  defp member({key, value}), do: [write(to_string(key)), ?:, write(value)]

  defp escape(text), do: for(<<character::utf8 <- text>>, do: character(character))

  defp character(?"), do: ~S(\")
  defp character(?\\), do: ~S(\\)

  defp character(control) when control < 0x20,
    do: ["\\u", control |> Integer.to_string(16) |> String.pad_leading(4, "0")]

  defp character(other), do: <<other::utf8>>

  @doc false
  @spec decode(String.t()) :: {:ok, t()} | :error
  def decode(text) do
    {value, rest} = text |> space() |> value(@max_depth)
    if space(rest) == "", do: {:ok, value}, else: :error
  catch
    :not_json -> :error
  end

  defp value(_text, 0), do: wrong()
  defp value("null" <> rest, _depth), do: {nil, rest}
  defp value("true" <> rest, _depth), do: {true, rest}
  defp value("false" <> rest, _depth), do: {false, rest}
  defp value("\"" <> rest, _depth), do: string(rest, [])

  defp value("[" <> rest, depth) do
    case space(rest) do
      "]" <> rest -> {[], rest}
      rest -> elements(rest, depth, [])
    end
  end

  defp value("{" <> rest, depth) do
    case space(rest) do
      "}" <> rest -> {%{}, rest}
      rest -> members(rest, depth, %{})
    end
  end

  defp value(<<first, _::binary>> = text, _depth) when first in ?0..?9 or first == ?-,
    do: number(text)

  defp value(_text, _depth), do: wrong()

  # Whole ones: no limit and no seed has a fraction.
  defp number(<<"-0", next, _::binary>>) when next in ?0..?9, do: wrong()
  defp number(<<"0", next, _::binary>>) when next in ?0..?9, do: wrong()

  defp number(text) do
    case Integer.parse(text) do
      {_integer, <<next, _::binary>>} when next in [?., ?e, ?E] -> wrong()
      {integer, rest} -> {integer, rest}
      :error -> wrong()
    end
  end

  defp elements(text, depth, read) do
    {value, rest} = value(text, depth - 1)

    case space(rest) do
      "," <> rest -> rest |> space() |> elements(depth, [value | read])
      "]" <> rest -> {Enum.reverse([value | read]), rest}
      _ -> wrong()
    end
  end

  defp members("\"" <> text, depth, read) do
    {key, rest} = string(text, [])

    with ":" <> rest <- space(rest),
         {value, rest} = rest |> space() |> value(depth - 1),
         read = Map.put(read, key, value) do
      case space(rest) do
        "," <> rest -> rest |> space() |> members(depth, read)
        "}" <> rest -> {read, rest}
        _ -> wrong()
      end
    else
      _ -> wrong()
    end
  end

  defp members(_text, _depth, _read), do: wrong()

  @escapes %{
    ?" => ?",
    ?\\ => ?\\,
    ?/ => ?/,
    ?b => ?\b,
    ?f => ?\f,
    ?n => ?\n,
    ?r => ?\r,
    ?t => ?\t
  }

  defp string("\"" <> rest, read), do: {read |> Enum.reverse() |> List.to_string(), rest}

  # A character beyond 16 bits is two escapes.
  defp string("\\u" <> rest, read) do
    case hex(rest) do
      {high, "\\u" <> rest} when high in 0xD800..0xDBFF ->
        {low, rest} = hex(rest)
        if low not in 0xDC00..0xDFFF, do: wrong()
        string(rest, [0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00) | read])

      {code, _rest} when code in 0xD800..0xDFFF ->
        wrong()

      {code, rest} ->
        string(rest, [code | read])
    end
  end

  defp string(<<"\\", escaped, rest::binary>>, read) when is_map_key(@escapes, escaped),
    do: string(rest, [Map.fetch!(@escapes, escaped) | read])

  defp string(<<character::utf8, rest::binary>>, read)
       when character >= 0x20 and character != ?\\,
       do: string(rest, [character | read])

  defp string(_text, _read), do: wrong()

  defp hex(<<digits::binary-size(4), rest::binary>>) do
    case Base.decode16(digits, case: :mixed) do
      {:ok, <<code::16>>} -> {code, rest}
      :error -> wrong()
    end
  end

  defp hex(_text), do: wrong()

  defp space(<<blank, rest::binary>>) when blank in [?\s, ?\t, ?\r, ?\n], do: space(rest)
  defp space(text), do: text

  @spec wrong() :: no_return()
  defp wrong, do: throw(:not_json)
end
