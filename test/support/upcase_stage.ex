defmodule Wasgo.StageTest.Upcase do
  @moduledoc false
  # The stage that the documentation of `Wasgo.Stage` shows.

  use Wasgo.Stage

  @impl true
  def handle_buffer(buffer, state) do
    {:ok, [%{buffer | payload: String.upcase(buffer.payload)}], state}
  end
end
