defmodule Wasgo.Pipeline.Elements do
  @moduledoc false
  # A source of the elements of any enumerable: buffers, or what `Wasgo.Pipeline.stream/1` gives.

  use Wasgo.Stage

  alias Wasgo.Buffer

  @impl true
  def options, do: [of: [type: :enumerable, required: true]]

  # The enumerable, as far as it was gone through.
  @impl true
  def init(%{of: enumerable}),
    do: {:ok, &Enumerable.reduce(enumerable, &1, fn element, _none -> {:suspend, element} end)}

  # One at a time: the next may take a while.
  @impl true
  def handle_demand(_size, next) do
    case next.({:cont, nil}) do
      {:suspended, %Buffer{} = buffer, next} -> {:ok, [buffer], next}
      {:suspended, {:ok, %Buffer{} = buffer}, next} -> {:ok, [buffer], next}
      {:suspended, {:error, e}, next} when is_exception(e) -> {:error, e, next}
      {:suspended, other, next} -> {:stop, no_buffer(other), next}
      {_done, _none} -> {:end_of_stream, [], nil}
    end
  end

  defp no_buffer(other) do
    %ArgumentError{
      message: "a pipeline carries Wasgo.Buffer structs, and got #{inspect(other, limit: 5)}"
    }
  end

  @impl true
  def terminate(nil), do: :ok
  def terminate(next), do: next.({:halt, nil})
end
