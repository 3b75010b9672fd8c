defmodule Wasgo.Stages.Transform do
  @moduledoc """
  Runs an Elixir function over buffers.

    * `:with` - a function of a buffer that returns `{:ok, buffer}` or `{:error, exception}`; required
    * `:format` - a struct of `Wasgo.Format` that says what the new payloads are, or a function of the format before; the same unless given

      iex> [Wasgo.Buffer.new("a")]
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Transform, with: &{:ok, %{&1 | payload: &1.payload <> "!"}}})
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      ["a!"]
  """

  use Wasgo.Stage

  @impl true
  def options do
    [
      with: [
        type: {:function, 1},
        required: true,
        doc: "a function of a buffer that returns `{:ok, buffer}` or `{:error, exception}`"
      ],
      format: [
        type: :any,
        default: nil,
        doc: "what the new payloads are, or a function of what they were"
      ]
    ]
  end

  @impl true
  def check(%{format: format})
      when is_nil(format) or is_struct(format) or is_function(format, 1),
      do: :ok

  def check(_options), do: {:error, "the option :format must be a struct or a function of one"}

  @impl true
  def stateless?(_options), do: true

  @impl true
  def handle_format(before, %{format: nil} = state), do: {:ok, before, state}

  def handle_format(before, %{format: fun} = state) when is_function(fun),
    do: {:ok, fun.(before), state}

  def handle_format(_before, %{format: format} = state), do: {:ok, format, state}

  @impl true
  def handle_buffer(buffer, %{with: fun} = state) do
    case fun.(buffer) do
      {:ok, %Wasgo.Buffer{} = buffer} -> {:ok, [buffer], state}
      {:error, exception} when is_exception(exception) -> {:error, exception, state}
    end
  end
end
