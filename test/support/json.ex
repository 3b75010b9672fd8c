defmodule Wasgo.TestJSON do
  @moduledoc false
  # Reads and writes JSON (RFC 8259) for fixtures and test servers, since OTP 25 does not. Objects are maps with binary keys, null is nil; of a key that
  # comes twice the later value stands. Raises ArgumentError on what is not JSON.

  @spec decode!(binary()) :: term()
  def decode!(text) do
    case value(space(text)) do
      {value, rest} -> if space(rest) == "", do: value, else: wrong(rest)
    end
  end

  defp value("null" <> rest), do: {nil, rest}
  defp value("true" <> rest), do: {true, rest}
  defp value("false" <> rest), do: {false, rest}
  defp value("\"" <> rest), do: string(rest, [])
  defp value("[" <> rest), do: array(space(rest))
  defp value("{" <> rest), do: object(space(rest))
  defp value(text), do: number(text)

  defp array("]" <> rest), do: {[], rest}
  defp array(text), do: array(text, [])

  defp array(text, values) do
    {value, rest} = value(text)

    case space(rest) do
      "," <> rest -> array(space(rest), [value | values])
      "]" <> rest -> {Enum.reverse([value | values]), rest}
      rest -> wrong(rest)
    end
  end

  defp object("}" <> rest), do: {%{}, rest}
  defp object(text), do: object(text, %{})

  defp object("\"" <> text, members) do
    {key, rest} = string(text, [])

    case space(rest) do
      ":" <> rest ->
        {value, rest} = value(space(rest))
        members = Map.put(members, key, value)

        case space(rest) do
          "," <> rest -> object(space(rest), members)
          "}" <> rest -> {members, rest}
          rest -> wrong(rest)
        end

      rest ->
        wrong(rest)
    end
  end

  defp object(text, _members), do: wrong(text)

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

  defp string("\"" <> rest, parts), do: {IO.iodata_to_binary(Enum.reverse(parts)), rest}

  # A character beyond 16 bits is two escapes.
  defp string(
         <<"\\u", high::binary-size(4), "\\u", low::binary-size(4), rest::binary>> = text,
         parts
       ) do
    case {hex(high, text), hex(low, text)} do
      {high, low} when high in 0xD800..0xDBFF and low in 0xDC00..0xDFFF ->
        string(rest, [<<0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00)::utf8>> | parts])

      {high, _low} when high not in 0xD800..0xDFFF ->
        <<_::binary-size(6), rest::binary>> = text
        string(rest, [<<high::utf8>> | parts])

      _ ->
        wrong(text)
    end
  end

  defp string(<<"\\u", code::binary-size(4), rest::binary>> = text, parts) do
    code = hex(code, text)
    if code in 0xD800..0xDFFF, do: wrong(text), else: string(rest, [<<code::utf8>> | parts])
  end

  defp string(<<"\\", escape, rest::binary>> = text, parts) do
    case @escapes do
      %{^escape => character} -> string(rest, [character | parts])
      _ -> wrong(text)
    end
  end

  defp string(<<character::utf8, rest::binary>>, parts) when character >= 0x20 do
    string(rest, [<<character::utf8>> | parts])
  end

  defp string(text, _parts), do: wrong(text)

  defp hex(digits, text) do
    case Base.decode16(digits, case: :mixed) do
      {:ok, <<code::16>>} -> code
      :error -> wrong(text)
    end
  end

  defp number(text) do
    case Regex.run(~r/\A(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?/, text) do
      [all, integer] ->
        {String.to_integer(integer), after_number(text, all)}

      [all, integer, fraction] ->
        {String.to_float(integer <> fraction), after_number(text, all)}

      [all, integer, "", power] ->
        {String.to_float(integer <> ".0" <> power), after_number(text, all)}

      [all, integer, part, power] ->
        {String.to_float(integer <> part <> power), after_number(text, all)}

      nil ->
        wrong(text)
    end
  end

  defp after_number(text, number),
    do: binary_part(text, byte_size(number), byte_size(text) - byte_size(number))

  defp space(<<blank, rest::binary>>) when blank in [?\s, ?\t, ?\r, ?\n], do: space(rest)
  defp space(text), do: text

  defp wrong(text), do: raise(ArgumentError, "not JSON: #{inspect(String.slice(text, 0, 32))}")

  # Maps with atoms or binaries for keys; nil is null.
  @spec encode(term()) :: iodata()
  def encode(nil), do: "null"
  def encode(value) when is_boolean(value), do: to_string(value)
  def encode(value) when is_integer(value), do: Integer.to_string(value)
  def encode(value) when is_float(value), do: Float.to_string(value)
  def encode(value) when is_list(value), do: [?[, separated(Enum.map(value, &encode/1)), ?]]

  def encode(value) when is_map(value) do
    members = for {key, value} <- value, do: [encode(to_string(key)), ?:, encode(value)]
    [?{, separated(members), ?}]
  end

  def encode(text) when is_binary(text), do: [?", escape(text, 0, text, []), ?"]

  defp separated(parts), do: Enum.intersperse(parts, ?,)

  # Pieces without anything to escape stay parts of the text.
  defp escape(rest, from, text, done) do
    case rest do
      <<char, rest::binary>> when char < 0x20 or char in [?", ?\\] ->
        at = byte_size(text) - byte_size(rest) - 1
        plain = binary_part(text, from, at - from)
        code = char |> Integer.to_string(16) |> String.pad_leading(4, "0")
        escape(rest, at + 1, text, [done, plain, "\\u", code])

      <<_char, rest::binary>> ->
        escape(rest, from, text, done)

      "" ->
        [done, binary_part(text, from, byte_size(text) - from)]
    end
  end
end
