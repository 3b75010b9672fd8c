defmodule Wasgo.ExamplePetTest do
  use ExUnit.Case, async: true

  import Wasgo.Notified, only: [file_store!: 0]

  alias Wasgo.Example.Pet
  alias Wasgo.Script.Registry
  alias Wasgo.Store

  test "a pet lives on through another script and its old one, loses no tick, and is there after a restart" do
    store = file_store!()
    # As fast as it goes.
    answers = Pet.live(store, 6, fn _due -> :ok end)

    assert for({tick, age, _mood} <- answers, do: {tick, age}) ==
             for(tick <- 1..120, do: {tick, tick})

    assert Pet.told(answers) == [
             "ticks 1 to 40: rex sleeps, and is 1 to 40 steps old",
             "ticks 41 to 80: rex dances, and is 41 to 80 steps old",
             "ticks 81 to 120: rex sleeps, and is 81 to 120 steps old"
           ]

    {:ok, history} = Registry.history(store, "pet")

    assert for(
             %{act: act, version: version, author: author} <- history,
             do: {act, version, author}
           ) == [
             {:put, 1, "Ada"},
             {:activate, 1, "Ada"},
             {:put, 2, "Grace"},
             {:activate, 2, "Grace"},
             {:rollback, 1, "Ada"}
           ]

    :ok = Store.close(store)
    again = Store.open!(store.location)
    assert [{1, 121, "sleeps"} | _] = Pet.live(again, 6, fn _due -> :ok end)
  end

  test "a script that is put while it is notified is the next notification's, and no tick is lost" do
    store = file_store!()
    source = File.read!("guest/scripts/pet.wat")
    {:ok, 1} = Registry.put(store, "pet", source, grants: [:state])
    :ok = Registry.put_object(store, "rex", "pet", "pet")

    ticks =
      Task.async(fn ->
        for _ <- 1..200 do
          {:ok, %{"age" => age, "mood" => mood}} =
            Wasgo.Script.notify(store, "rex", :process, [], timeout: 60_000)

          {age, mood}
        end
      end)

    moods = for number <- 10..29, do: "mood#{number}"

    for mood <- moods,
        do:
          {:ok, _version} =
            Registry.put(store, "pet", String.replace(source, "sleeps", mood), grants: [:state])

    answers = Task.await(ticks, 60_000)
    assert Enum.map(answers, &elem(&1, 0)) == Enum.to_list(1..200)
    assert answers |> Enum.map(&elem(&1, 1)) |> Enum.uniq() |> Kernel.--(["sleeps" | moods]) == []

    assert {:ok, %{"age" => 201, "mood" => "mood29"}} =
             Wasgo.Script.notify(store, "rex", :process, [])
  end
end
