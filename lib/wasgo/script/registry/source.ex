defmodule Wasgo.Script.Registry.Source do
  @moduledoc false
  # A source, of which only its bytes are known.

  alias Wasgo.{CompileError, Script}
  alias Wasgo.Wasm.Component

  @type stored :: String.t() | {:blob, binary()}

  # What it is called where its author does not say.
  @spec language(binary()) :: String.t()
  def language(<<0, "asm", _::binary>>), do: "wasm"
  def language(_source), do: "wat"

  @spec hash(binary()) :: String.t()
  def hash(source), do: :sha256 |> :crypto.hash(source) |> Base.encode16(case: :lower)

  # Text is stored as text, which people can read in the database.
  @spec to_stored(binary()) :: stored()
  def to_stored(<<0, "asm", _::binary>> = source), do: {:blob, source}
  def to_stored(source), do: if(String.valid?(source), do: source, else: {:blob, source})

  @spec from_stored(stored()) :: binary()
  def from_stored({:blob, source}), do: source
  def from_stored(source) when is_binary(source), do: source

  # The script, compiled and started. A component by whatever comes before its first word: text may begin with blanks and comments.
  @spec script(binary(), keyword()) :: {:ok, Script.t()} | {:error, Exception.t()}
  def script(source, options) do
    cond do
      not component?(source) ->
        Script.new(source, options)

      Keyword.get(options, :deterministic) == true ->
        message =
          "it is a component, and those can't be deterministic: put it with deterministic: false"

        {:error, %CompileError{reason: :compile, message: message}}

      true ->
        with {:ok, component} <- Component.compile(source), do: Script.new(component, options)
    end
  end

  # A component in bytes says so in the second half of its version.
  @spec component?(binary()) :: boolean()
  def component?(<<0, "asm", _version::16, layer::16-little, _rest::binary>>), do: layer != 0
  def component?(<<0, "asm", _rest::binary>>), do: false
  def component?(text), do: text |> skip() |> opening?()

  defp opening?("(" <> rest) do
    case skip(rest) do
      "component" <> rest -> rest == "" or not word?(rest)
      _ -> false
    end
  end

  defp opening?(_text), do: false

  # The characters that a word of WebAssembly's text may have.
  defp word?(<<character, _::binary>>) do
    character in ?a..?z or character in ?A..?Z or character in ?0..?9 or
      character in ~c"!#$%&'*+-./:<=>?@\\^_`|~"
  end

  defp skip(<<blank, rest::binary>>) when blank in [?\s, ?\t, ?\r, ?\n], do: skip(rest)

  defp skip(";;" <> rest) do
    case :binary.split(rest, ["\n", "\r"]) do
      [_comment, rest] -> skip(rest)
      [_comment] -> ""
    end
  end

  defp skip("(;" <> rest), do: comment(rest, 1)
  defp skip(text), do: text

  # Comments of this kind lie within each other.
  defp comment(text, 0), do: skip(text)
  defp comment("(;" <> rest, depth), do: comment(rest, depth + 1)
  defp comment(";)" <> rest, depth), do: comment(rest, depth - 1)
  defp comment(<<_, rest::binary>>, depth), do: comment(rest, depth)
  defp comment("", _depth), do: ""
end
