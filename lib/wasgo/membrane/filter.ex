if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Filter do
    @moduledoc """
    A Membrane filter that runs any stage.

        child(:file, %Membrane.File.Source{location: "world.glb"})
        |> child(:script, %Wasgo.Membrane.Filter{stage: {Wasgo.Stages.Script, store: store, script: "wander"}})
        |> child(:sink, %Membrane.File.Sink{location: "other.glb"})

    The stage runs in processes of its own, so that neither a stop nor another message waits for it. What comes of buffers keeps their order,
    and what a stage leaves of a buffer's times and metadata they keep. The end of the stream waits for what is in flight.

    Stream formats go through the stage (`c:Wasgo.Stage.handle_format/2`) at their place between the buffers; `Membrane.RemoteStream` is
    `Wasgo.Format.Bytes` there and back. One that the stage can't take ends the stream, or the element with `on_error: :raise`.
    """

    use Wasgo.Membrane.Element, kind: :filter
  end
end
