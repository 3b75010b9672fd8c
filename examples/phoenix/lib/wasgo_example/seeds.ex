defmodule WasgoExample.Seeds do
  @moduledoc """
  What there is at first: the scripts of `priv/scripts`, 18 creatures and 6 crystals on the meadow.

  A database that has them already keeps its own: scripts that visitors have changed stay changed.
  """

  alias Wasgo.{Gen, Script, World}
  alias Wasgo.Godot.Vector3
  alias WasgoExample.Island

  @scripts [
    {"creature", "creature.wasm", "assemblyscript"},
    {"crystal", "crystal.wat", "wat"},
    {"grove", "grove.wasm", "assemblyscript"}
  ]

  @creatures 18
  @crystals 6

  @doc "The names of the scripts that the page lets visitors edit."
  @spec script_names() :: [String.t()]
  def script_names, do: for({name, _file, _language} <- @scripts, do: name)

  @doc "Stores the scripts that the database lacks."
  @spec scripts!(Wasgo.Store.t()) :: :ok
  def scripts!(store) do
    for {name, file, language} <- @scripts do
      case Script.Registry.active_version(store, name) do
        {:ok, _version} ->
          :ok

        {:error, %Wasgo.StoreError{reason: :unknown_script}} ->
          source = File.read!(Application.app_dir(:wasgo_example, ["priv", "scripts", file]))
          Script.Registry.put!(store, name, source, language: language, author: "the island")
      end
    end

    :ok
  end

  @doc "Puts creatures and crystals onto the meadow of a world that has nothing on it."
  @spec objects!(World.t()) :: :ok
  def objects!(world) do
    if World.objects(world, limit: 1) == [] do
      for kind <- 0..2,
          do:
            {:ok, _rev} =
              World.put_mesh(world, %{Gen.creature(40 + kind) | name: "creature_#{kind}"})

      {:ok, _rev} = World.put_mesh(world, crystal())
      {:ok, _all} = World.mutate(world, creatures() ++ crystals())
    end

    :ok
  end

  defp crystal do
    prop = Gen.prop!({:crystals, height: 3.2, count: 7, color: {0.32, 0.1, 0.7}}, seed: 3)
    %{hd(prop.lods).mesh | name: "crystal"}
  end

  # In a sunflower's spiral: even, and not in rank and file.
  defp creatures do
    for number <- 1..@creatures do
      {x, z} = spiral(number, @creatures, 24.0)

      {:put,
       name: "creature #{number}",
       mesh: "creature_#{rem(number, 3)}",
       script: "creature",
       position: {x, Island.meadow(), z},
       yaw: number * 0.7,
       properties: %{"scale" => Vector3.new(2, 2, 2)}}
    end
  end

  defp crystals do
    for number <- 1..@crystals do
      turn = number / @crystals * 2 * :math.pi()

      {:put,
       name: "crystal #{number}",
       mesh: "crystal",
       script: "crystal",
       position: {30.0 * :math.cos(turn + 0.5), Island.meadow(), 30.0 * :math.sin(turn + 0.5)},
       yaw: turn}
    end
  end

  defp spiral(number, of, radius) do
    away = radius * :math.sqrt(number / of)
    {away * :math.cos(number * 2.4), away * :math.sin(number * 2.4)}
  end
end
