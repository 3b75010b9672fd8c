if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Source do
    @moduledoc """
    A Membrane source of what any source stage makes.

        child(:ticks, %Wasgo.Membrane.Source{
          stage: {Wasgo.Stages.Ticks, rate: 20, count: 100, payload: fn number, _seconds -> number end}
        })

    The stage makes as many buffers as the element behind demands, in a process of its own. The stream's format is what the stage says, or
    `Wasgo.Format.Terms`.
    """

    use Wasgo.Membrane.Element, kind: :source
  end
end
