defmodule WasgoExample.Seeds do
  @moduledoc """
  What there is at first: the scripts of `priv/scripts`, 18 hares and 6 lanterns on the meadow.

  A database that has them already keeps its own: scripts that visitors have changed stay changed.
  """

  alias Wasgo.{Gen, Script, World}
  alias WasgoExample.Island

  @scripts [
    {"hare", "hare.wasm", "assemblyscript"},
    {"lantern", "lantern.wat", "wat"},
    {"grove", "grove.wasm", "assemblyscript"}
  ]

  @hares 18
  @lanterns 6

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

  @doc "Puts hares and lanterns onto the meadow of a world that has nothing on it."
  @spec objects!(World.t()) :: :ok
  def objects!(world) do
    if World.objects(world, limit: 1) == [] do
      for kind <- 0..2,
          do: {:ok, _rev} = World.put_mesh(world, %{Gen.creature(40 + kind) | name: "hare_#{kind}"})

      {:ok, _rev} = World.put_mesh(world, crystal())
      {:ok, _all} = World.mutate(world, hares() ++ lanterns())
    end

    :ok
  end

  defp crystal do
    prop = Gen.prop!({:crystals, height: 1.6, count: 5, color: {0.9, 0.5, 0.12}}, seed: 3)
    %{hd(prop.lods).mesh | name: "lantern"}
  end

  # In a sunflower's spiral: even, and not in rank and file.
  defp hares do
    for number <- 1..@hares do
      {x, z} = spiral(number, @hares, 24.0)

      {:put,
       name: "hare #{number}",
       mesh: "hare_#{rem(number, 3)}",
       script: "hare",
       position: {x, Island.meadow(), z},
       yaw: number * 0.7}
    end
  end

  defp lanterns do
    for number <- 1..@lanterns do
      turn = number / @lanterns * 2 * :math.pi()

      {:put,
       name: "lantern #{number}",
       mesh: "lantern",
       script: "lantern",
       position: {30.0 * :math.cos(turn), Island.meadow(), 30.0 * :math.sin(turn)},
       yaw: turn}
    end
  end

  defp spiral(number, of, radius) do
    away = radius * :math.sqrt(number / of)
    {away * :math.cos(number * 2.4), away * :math.sin(number * 2.4)}
  end
end
