defmodule Wasgo.ReadmeTest do
  # The README's own code, block by block, in one session as a reader would type it. A comment `#=> text` after an expression is
  # what `inspect/1` must give for it.
  use ExUnit.Case, async: false

  alias Wasgo.Example.Receiver

  @readme File.read!(Path.expand("../README.md", __DIR__))
  @port 4455
  @token "secret"

  test "every block of the README runs and gives what it says" do
    blocks = Regex.scan(~r/^```elixir\n(.*?)^```$/ms, @readme, capture: :all_but_first)
    assert length(blocks) == 3

    # The engine that a reader starts in another terminal: it comes back until somebody listens.
    start_supervised!({Receiver, port: @port, token: @token, reconnect: true})

    Enum.reduce(blocks, [], fn [block], bindings -> run(block, bindings) end)
  end

  # Evaluates a block in parts, each up to its next expectation; answers the bindings after it.
  defp run(block, bindings) do
    block
    |> String.split(~r/^#=> /m)
    |> Enum.reduce({bindings, :none}, fn part, {bindings, last} ->
      code =
        case last do
          :none ->
            part

          {:value, value} ->
            [expected, rest] = String.split(part <> "\n", "\n", parts: 2)
            assert inspect(value) == expected
            rest
        end

      {value, bindings} = Code.eval_string(code, bindings)
      {bindings, {:value, value}}
    end)
    |> elem(0)
  end
end
