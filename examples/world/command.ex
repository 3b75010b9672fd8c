defmodule Wasgo.Example.Command do
  @moduledoc false
  # The example as a command: its arguments, its progress and its exit status.

  alias Wasgo.Example.{Progress, Table, World}

  @switches [receiver: :string, out: :string, seconds: :integer, seed: :integer]

  @usage """
  usage: bin/demo [--receiver godot|elixir] [--out DIR] [--seconds N] [--seed N]

    --receiver   godot (a headless engine by bin/godot), or elixir (a receiver inside this program)
    --out        folder for world.glb, world.png and world.db; the current one unless given
    --seconds    how long the creatures move; 10 unless given
    --seed       the world's seed; 2026 unless given
  """

  @spec main([String.t()]) :: no_return()
  def main(arguments) do
    # Logs come between the progress lines otherwise.
    Logger.configure(level: :warning)

    with {:ok, options} <- parse(arguments),
         {:ok, result} <- World.run(options) do
      IO.puts(Table.result(result))

      case result.differences do
        [] ->
          IO.puts(Progress.good("every count is the same on both sides"))
          System.halt(0)

        differences ->
          Enum.each(differences, &IO.puts(Progress.bad(&1)))
          System.halt(1)
      end
    else
      {:usage, text} ->
        IO.puts(text)
        System.halt(2)

      {:error, exception} ->
        IO.puts(Progress.bad(Exception.message(exception)))
        System.halt(1)
    end
  end

  defp parse(arguments) do
    case OptionParser.parse(arguments, strict: @switches) do
      {options, [], []} ->
        options =
          Map.merge(%{receiver: "godot", out: ".", seconds: 10, seed: 2026}, Map.new(options))

        cond do
          options.receiver not in ["godot", "elixir"] -> {:usage, @usage}
          options.seconds not in 1..3600 -> {:usage, @usage}
          options.seed < 0 -> {:usage, @usage}
          true -> {:ok, options}
        end

      {_options, rest, invalid} ->
        what = Enum.map_join(invalid, " ", &elem(&1, 0)) <> Enum.join(rest, " ")
        {:usage, "not understood: #{what}\n\n" <> @usage}
    end
  end
end
