if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.WorldChannel.ChunksTest do
    # The ground around a client.
    use Wasgo.WorldChannelCase, async: true

    alias Wasgo.{Gen, World}

    @moduletag plan: true

    test "the ground is named the nearest first, as it is loaded, and let go when it is out of view",
         context do
      view = %{"position" => [16, 0, 16], "radius" => 60}
      {client, "ok", hello} = join(context, %{"view" => view}, "/small")
      assert %{"chunk_size" => 32.0, "seed" => "7"} = hello["plan"]

      assert_receive {^client, "chunks", %{"put" => [first, second], "gone" => [], "seq" => seq}},
                     @patience

      ack(client, context, seq)

      assert %{"key" => "0,0", "level" => 0, "size" => 32.0} = first
      assert first["origin"] == [0.0, 0.0, 0.0]

      assert {200, %{"etag" => tag}, <<"glTF", _::binary>>} = fetch(context, first)
      assert tag == ~s("#{first["hash"]}")
      assert {200, _, _} = fetch(context, second)

      Client.push(client, context.topic, "loaded", %{"chunks" => ["0,0"]})
      assert_receive {^client, "chunks", %{"put" => [third], "seq" => seq}}, @patience
      ack(client, context, seq)

      Client.push(client, context.topic, "loaded", %{
        "chunks" => [second["key"]],
        "failed" => [third["key"]]
      })

      shown = %{"0,0" => first, second["key"] => second}
      near = load_until(client, context, shown, &all?(&1, context, view, [third["key"]]))
      assert map_size(near) >= 8

      # Far away all of it goes, and comes again at the same paths.
      elsewhere = %{"position" => [10_000, 0, 0], "radius" => 60}
      {"ok", %{}} = ask(client, context, "view", elsewhere)
      far = load_until(client, context, near, &all?(&1, context, elsewhere))
      assert Enum.all?(Map.values(far), fn %{"origin" => [x, _, _]} -> x > 9_000 end)
      {"ok", %{}} = ask(client, context, "view", view)
      back = load_until(client, context, far, &all?(&1, context, view))
      assert Map.take(back, Map.keys(near)) == near
    end

    # Whether the chunks of a view are shown, but for some, and no others.
    defp all?(shown, context, view, but \\ []),
      do: Enum.sort(Map.keys(shown) ++ but) == wanted(context.plan, view)

    test "ground that a client holds is not named again, and what was edited is", context do
      view = %{"position" => [16, 0, 16], "radius" => 20}
      {client, "ok", %{"identity" => identity}} = join(context, %{"view" => view})
      shown = load_until(client, context, %{}, &all?(&1, context, view))
      held = Map.new(shown, fn {key, chunk} -> {key, chunk["hash"]} end)

      params = %{
        "view" => view,
        "held" => held,
        "identity" => identity,
        "rev" => World.rev(context.world)
      }

      {again, "ok", _hello} = join(context, params)

      node = %Wasgo.Scene.Node{name: "edited"}
      glb = Wasgo.Scene.to_glb!(%Wasgo.Scene{nodes: [node], roots: [0]})

      {:ok, _rev} = World.put_chunk(context.world, {0, 0, 0}, glb)

      assert_receive {^again, "chunks", pushed}, @patience
      assert %{"put" => [%{"key" => "0,0"} = chunk], "gone" => []} = pushed
      assert {200, _, ^glb} = fetch(context, chunk)
      {404, _, _} = fetch(context, shown["0,0"])
    end

    test "the ground changes with the plan", context do
      view = %{"position" => [16, 0, 16], "radius" => 20}
      {client, "ok", %{"plan" => %{"digest" => digest}}} = join(context, %{"view" => view})
      before = load_until(client, context, %{}, &all?(&1, context, view))

      {:ok, _rev} = World.set_plan(context.world, Gen.plan!(seed: 8, samples: 17, chunk_size: 32))

      assert_receive {^client, "plan", %{"plan" => %{"digest" => other, "seed" => "8"}}},
                     @patience

      assert other != digest
      # Each is another one now, in the same place.
      changed? = fn now ->
        Enum.all?(now, fn {key, chunk} -> chunk["hash"] != before[key]["hash"] end)
      end

      now = load_until(client, context, before, changed?)
      assert Map.keys(now) == Map.keys(before)
    end
  end
end
