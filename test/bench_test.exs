defmodule Wasgo.BenchTest do
  # The benchmarks still run and print their tables. No figure is looked at: that is for people, on a quiet machine.
  use ExUnit.Case, async: true

  # Each in a VM of its own, which is to be quick and gone: this is for a machine that has come to a stop.
  @moduletag timeout: 300_000

  test "bench/core.exs" do
    assert rows(run("core.exs"), 3) > 10
  end

  test "bench/store.exs" do
    output = run("store.exs")
    assert rows(output, 5) >= 4
    assert rows(output, 4) >= 10
  end

  test "bench/query.exs" do
    output = run("query.exs")
    assert rows(output, 5) >= 3
    assert rows(output, 4) >= 10
  end

  test "bench/wasm.exs" do
    output = run("wasm.exs")
    assert rows(output, 6) > 10
    assert rows(output, 4) > 30
  end

  test "bench/telemetry.exs" do
    columns = if Code.ensure_loaded?(:telemetry), do: 4, else: 2
    assert rows(run("telemetry.exs"), columns) >= 5
  end

  test "bench/service_net.exs" do
    assert rows(run("service_net.exs"), 4) >= 6
  end

  test "bench/wire.exs" do
    output = run("wire.exs")
    assert rows(output, 5) >= 35
    assert rows(output, 4) >= 8
  end

  test "bench/world.exs" do
    assert rows(run("world.exs"), 2) >= 12
  end

  test "bench/channel.exs" do
    assert rows(run("channel.exs"), 6) >= 3
  end

  test "bench/variant.exs" do
    assert rows(run("variant.exs"), 6) >= 6
  end

  @tag :python
  test "bench/frames.exs" do
    assert rows(run("frames.exs"), 4) >= 12
  end

  test "bench/generate.exs" do
    output = run("generate.exs")
    assert rows(output, 3) >= 9
    assert rows(output, 5) >= 4
  end

  test "bench/service.exs" do
    assert rows(run("service.exs"), 2) >= 4
  end

  defp run(program) do
    path = Path.expand("../bench/#{program}", __DIR__)
    ebin = Path.dirname(:code.which(Wasgo))

    {output, status} =
      System.cmd(System.find_executable("elixir"), ["-pa", ebin, path, "--quick"],
        stderr_to_stdout: true,
        env: [{"WASGO_CACHE_DIR", ""}]
      )

    assert status == 0, output
    output
  end

  # Rows of so many cells, the first of which says what was measured.
  defp rows(output, cells) do
    output
    |> String.split("\n")
    |> Enum.count(&(&1 =~ ~r/^\| [^|-][^|]*(\|[^|]*){#{cells - 1}}\|$/))
  end
end
