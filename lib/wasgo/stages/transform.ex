defmodule Wasgo.Stages.Transform do
  @moduledoc """
  Runs an Elixir function over buffers.

    * `:with` - a function of a buffer that returns `{:ok, buffer}` or `{:error, exception}`; required

      iex> [Wasgo.Buffer.new("a")]
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Transform, with: &{:ok, %{&1 | payload: &1.payload <> "!"}}})
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      ["a!"]
  """

  use Wasgo.Stage

  @impl true
  def options, do: [with: [type: {:function, 1}, required: true]]

  @impl true
  def handle_buffer(buffer, %{with: fun} = state) do
    case fun.(buffer) do
      {:ok, %Wasgo.Buffer{} = buffer} -> {:ok, [buffer], state}
      {:error, exception} when is_exception(exception) -> {:error, exception, state}
    end
  end
end
