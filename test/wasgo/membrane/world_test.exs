if Code.ensure_loaded?(Membrane.Testing.Pipeline) do
  defmodule Wasgo.MembraneWorldTest do
    # One pipeline with every kind of work: generation, a stored script, a service and the engine's end.
    use ExUnit.Case, async: true

    import Membrane.ChildrenSpec
    import Membrane.Testing.Assertions
    import Wasgo.MembranePipelines, only: [pipeline: 1]

    alias Wasgo.Example.Receiver
    alias Wasgo.Gen.Chunk
    alias Wasgo.Godot.{Connection, Server}
    alias Wasgo.Membrane.{Generator, GodotSink, ScriptFilter, ServiceFilter}
    alias Wasgo.{Gen, Service, Store}
    alias Wasgo.Script.Registry

    @moduletag :membrane

    test "chunks are generated, thinned by a stored script, named by a service, and reach the receiver, each once" do
      store = Store.open!(:memory)
      {:ok, 1} = Registry.put(store, "thin", File.read!("guest/scripts/thin.wasm"))

      service =
        start_supervised!(
          {Service, module: File.read!("guest/services/namer.wasm"), ready: "READY"}
        )

      server = start_supervised!({Server, token: "t"})
      receiver = start_supervised!({Receiver, port: Server.port(server), token: "t"})
      {:ok, connection} = Server.await_connection(server, 20_000)
      coordinates = for x <- 0..3//1, z <- 0..3//1, do: {x, z}
      test = self()

      answer = fn %{payload: chunk} = buffer, name ->
        send(test, {:named, chunk.coordinate, Chunk.count(chunk)})
        %{buffer | payload: %{chunk | name: name}}
      end

      pipeline =
        child(:generator, %Generator{plan: Gen.plan!(seed: 7), chunks: coordinates})
        |> child(:script, %ScriptFilter{
          store: store,
          script: "thin",
          over: :instances,
          max_concurrency: 2
        })
        |> child(:service, %ServiceFilter{
          service: service,
          ask: fn %{payload: %{coordinate: {x, z}}} -> "#{x} #{z} 7 0.0 8.0 0.1" end,
          answer: answer
        })
        |> child(:godot, %GodotSink{connection: connection})
        |> pipeline()

      assert_pipeline_notified(pipeline, :godot, :wasgo_end_of_stream, 60_000)

      named =
        for _ <- coordinates,
            do: receive(do: ({:named, coordinate, count} -> {coordinate, count}))

      assert Enum.map(named, &elem(&1, 0)) == coordinates
      :ok = Connection.flush(connection)

      assert %{"chunks" => 16, "errors" => 0, "instances" => instances} =
               Receiver.counts(receiver)

      assert instances == named |> Enum.map(&elem(&1, 1)) |> Enum.sum()
      Store.close(store)
    end
  end
else
  defmodule Wasgo.MembraneWorldTest do
    use ExUnit.Case, async: true

    @tag :membrane
    test "a pipeline with every kind of work", do: flunk("Membrane is missing")
  end
end
