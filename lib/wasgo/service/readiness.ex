defmodule Wasgo.Service.Readiness do
  @moduledoc false
  # Whether what a program says is what it was to say when it is ready.

  # Bytes of a stream without messages among which it is looked for.
  @longest 65_536

  @doc "Whether a message is it: the same, or one that the regular expression matches."
  @spec message?(String.t() | Regex.t(), term()) :: boolean()
  def message?(%Regex{} = ready, text) when is_binary(text), do: Regex.match?(ready, text)
  def message?(ready, message), do: ready == message

  @doc "Looks for it in a stream: what comes behind it, or what is to be looked at once more when more has come."
  @spec find(String.t() | Regex.t(), binary()) :: {:ready, binary()} | {:not_yet, binary()}
  def find(ready, text) do
    case behind(ready, text) do
      nil -> {:not_yet, binary_part(text, byte_size(text), -min(byte_size(text), @longest))}
      rest -> {:ready, rest}
    end
  end

  defp behind(%Regex{} = ready, text) do
    case Regex.run(ready, text, return: :index) do
      [{start, length} | _groups] ->
        binary_part(text, start + length, byte_size(text) - start - length)

      nil ->
        nil
    end
  end

  defp behind(ready, text) do
    case :binary.split(text, ready) do
      [_before, rest] -> rest
      [_text] -> nil
    end
  end
end
