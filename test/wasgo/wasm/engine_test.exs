defmodule Wasgo.Wasm.EngineTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.Wasm.{Engine, Instance, Module}

  doctest Engine

  test "counts instances until they are freed" do
    # Others' come and go, so that only a crowd can be told.
    module = Module.compile!("(module (memory 1))")
    instances = for _ <- 1..500, do: Instance.new!(module)
    {:ok, %{instances: many}} = Engine.info()
    assert many >= 500
    Enum.each(instances, &Instance.close/1)
    assert eventually(fn -> elem(Engine.info(), 1).instances <= many - 400 end)
  end

  describe "in a VM that was just started" do
    defp elsewhere(config) do
      code = """
      Application.put_env(:wasgo, Wasgo.Wasm.Engine, #{inspect(config)})
      Application.put_env(:wasgo, Wasgo.Wasm.Cache, dir: nil)
      module = Wasgo.Wasm.Module.compile!("(module (memory 1))")
      made = for _ <- 1..8, do: Wasgo.Wasm.Instance.new(module)
      {:ok, info} = Wasgo.Wasm.Engine.info()
      IO.puts("INFO " <> Base.encode64(:erlang.term_to_binary({info, Enum.count(made, &match?({:ok, _}, &1)), made})))
      """

      args = ["-pa", Path.join(:code.lib_dir(:wasgo), "ebin"), "-e", code]
      {output, status} = System.cmd("elixir", args, stderr_to_stdout: true)

      case Regex.run(~r/INFO (\S+)/, output) do
        [_, encoded] -> encoded |> Base.decode64!() |> :erlang.binary_to_term()
        nil -> {status, output}
      end
    end

    test "takes its settings from the configuration" do
      {info, made, answers} = elsewhere(workers: 3, instances: 5)
      assert %{workers: 3, max_instances: 5, instances: 5} = info
      assert made == 5
      assert {:error, %Wasgo.LimitError{reason: :instances, value: 5}} = List.last(answers)
    end

    test "has defaults, and refuses settings that are none" do
      assert {%{workers: workers, max_instances: most}, 8, _} = elsewhere([])
      assert workers > 0 and most > 1_000
      assert {1, output} = elsewhere(workers: 0)
      assert output =~ "config :wasgo, Wasgo.Wasm.Engine"
    end
  end
end
