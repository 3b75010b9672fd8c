if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Generator do
    @moduledoc """
    A Membrane source of generated chunks, of a list or around viewers: `Wasgo.Stages.Generate`. The stream's format is `Wasgo.Format.Chunks`.

        child(:chunks, %Wasgo.Membrane.Generator{plan: plan, chunks: [{0, 0}, {1, 0}]})
    """
    use Wasgo.Membrane.Element, kind: :source, stage: Wasgo.Stages.Generate
  end

  defmodule Wasgo.Membrane.ScriptFilter do
    @moduledoc """
    A Membrane filter that runs a user script over its buffers: `Wasgo.Stages.Script`, as `Wasgo.Membrane.Filter` runs it.

        child(:thin, %Wasgo.Membrane.ScriptFilter{script: thin, over: :instances})
    """
    use Wasgo.Membrane.Element, kind: :filter, stage: Wasgo.Stages.Script
  end

  defmodule Wasgo.Membrane.ServiceFilter do
    @moduledoc """
    A Membrane filter that asks a service for each buffer: `Wasgo.Stages.Service`, as `Wasgo.Membrane.Filter` runs it.

        child(:name, %Wasgo.Membrane.ServiceFilter{
          service: MyApp.Namer,
          ask: & &1.payload,
          answer: fn buffer, name -> %{buffer | metadata: Map.put(buffer.metadata, :name, name)} end
        })
    """
    use Wasgo.Membrane.Element, kind: :filter, stage: Wasgo.Stages.Service
  end

  defmodule Wasgo.Membrane.GodotSink do
    @moduledoc """
    A Membrane sink that sends chunks and rows to a Godot server: `Wasgo.Stages.Godot`, as `Wasgo.Membrane.Sink` runs it.

        child(:engine, %Wasgo.Membrane.GodotSink{connection: godot})
    """
    use Wasgo.Membrane.Element, kind: :sink, stage: Wasgo.Stages.Godot
  end
end
