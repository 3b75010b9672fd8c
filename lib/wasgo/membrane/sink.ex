if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Sink do
    @moduledoc """
    A Membrane sink that gives its buffers to any stage; what the stage passes on goes nowhere.

    Membrane tells the parent of the stream's end when it arrives. That the stage has done all of it is told by the notification
    `:wasgo_end_of_stream`.

        child(:chunks, %Wasgo.Membrane.Generator{plan: plan, viewers: MyApp.Viewers})
        |> child(:engine, %Wasgo.Membrane.Sink{stage: {Wasgo.Stages.Godot, connection: godot}})
    """

    use Wasgo.Membrane.Element, kind: :sink
  end
end
