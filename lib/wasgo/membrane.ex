defmodule Wasgo.Membrane do
  @moduledoc """
  Stages as elements of a Membrane pipeline.

  | element | runs |
  | --- | --- |
  | `Wasgo.Membrane.Source`, `Wasgo.Membrane.Filter`, `Wasgo.Membrane.Sink` | any stage: `stage: {MyStage, option: value}` |
  | `Wasgo.Membrane.Endpoint` | two: one for what comes in, one for what goes out |
  | `Wasgo.Membrane.Generator` | `Wasgo.Stages.Generate` |
  | `Wasgo.Membrane.ScriptFilter` | `Wasgo.Stages.Script` |
  | `Wasgo.Membrane.ServiceFilter` | `Wasgo.Stages.Service` |
  | `Wasgo.Membrane.GodotSink` | `Wasgo.Stages.Godot` |

  They are compiled where Membrane (core 1.2 or later) is there, which is the application's to list: it is no dependency of Wasgo.

      child(:chunks, %Wasgo.Membrane.Generator{plan: plan, viewers: MyApp.Viewers})
      |> child(:thin, %Wasgo.Membrane.ScriptFilter{store: store, script: "thin", over: :instances})
      |> child(:engine, %Wasgo.Membrane.GodotSink{connection: godot})

  The guide `guides/membrane.md` says what an element does with stream formats, demand and errors.
  """
end
