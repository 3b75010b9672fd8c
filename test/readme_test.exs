defmodule Wasgo.ReadmeTest do
  # The README's and the guides' own code, block by block, in one session as a reader would type it. A comment `#=> text` after an expression is
  # what `inspect/1` must give for it.
  use ExUnit.Case, async: false

  alias Wasgo.Example.Receiver

  @root Path.expand("..", __DIR__)
  @port 4455
  @token "secret"

  test "every block of the README runs and gives what it says" do
    blocks = blocks("README.md")
    assert length(blocks) == 3

    # The engine that a reader starts in another terminal: it comes back until somebody listens.
    start_supervised!({Receiver, port: @port, token: @token, reconnect: true})

    run(blocks)
  end

  test "every block of the guide to generation runs and gives what it says" do
    blocks = blocks("guides/generation.md")
    assert length(blocks) == 9
    run(blocks)
  end

  test "every block of the guide to Godot runs and gives what it says" do
    blocks = blocks("guides/godot.md")
    assert length(blocks) == 5
    run(blocks)
  end

  test "every block of the page for those who come from wasmex runs and gives what it says" do
    blocks = blocks("guides/from-wasmex.md")
    assert length(blocks) == 7
    run(blocks)
  end

  test "the defaults in the threat model are those that there are" do
    blocks = blocks("guides/threat-model.md")
    assert length(blocks) == 1
    run(blocks)
  end

  defp blocks(file) do
    text = File.read!(Path.join(@root, file))
    Regex.scan(~r/^```elixir\n(.*?)^```$/ms, text, capture: :all_but_first)
  end

  # What a block imports and binds is there for the next, as in a session.
  defp run(blocks) do
    Enum.reduce(blocks, {[], Code.env_for_eval([])}, fn [block], session ->
      run(block, session)
    end)
  end

  # Evaluates a block in parts, each up to its next expectation; answers the session after it.
  defp run(block, session) do
    block
    |> String.split(~r/^#=> /m)
    |> Enum.reduce({session, :none}, fn part, {{bindings, env}, last} ->
      code =
        case last do
          :none ->
            part

          {:value, value} ->
            [expected, rest] = String.split(part <> "\n", "\n", parts: 2)
            assert inspect(value) == expected
            rest
        end

      quoted = Code.string_to_quoted!(code)
      {value, bindings, env} = Code.eval_quoted_with_env(quoted, bindings, env)
      {{bindings, env}, {:value, value}}
    end)
    |> elem(0)
  end
end
