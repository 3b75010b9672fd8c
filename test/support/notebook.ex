defmodule Wasgo.Notebook do
  @moduledoc false
  # Runs a Livebook notebook as Livebook would: its Elixir cells in order, in one session, but for the first, which installs what is
  # installed here already. What the notebook has recorded as a cell's output has to be what the cell gives.
  #
  # With WASGO_REWRITE=1 the recorded outputs are written anew instead.

  import ExUnit.Assertions
  import ExUnit.CaptureIO, only: [with_io: 1]

  @recorded ~s(<!-- livebook:{"output":true} -->)

  # As Livebook shows values.
  @shown [pretty: true, width: 100]

  @doc """
  Runs every cell. A cell that lacks a tool, an image or the like answers `{:unavailable, reason}`, which passes for what is recorded
  unless the test is `:complete`: run where nothing is lacking.
  """
  def run(path, options \\ []) do
    blocks = path |> File.read!() |> String.split("\n") |> parse([])
    [setup | cells] = for {:cell, _line, _code} = cell <- blocks, do: cell
    assert {:cell, _line, "Mix.install(" <> _rest} = setup
    assert cells != []

    session = {[], Code.env_for_eval(file: path)}

    {blocks, _session} =
      Enum.map_reduce(blocks, {session, :none}, &step(&1, &2, setup, path, options))

    if rewrite?(), do: File.write!(path, Enum.map_join(blocks, "\n", &text/1))
    :ok
  end

  defp step(setup, {session, _last}, setup, _path, _options), do: {setup, {session, :none}}

  defp step({:cell, line, code} = cell, {{bindings, env}, _last}, _setup, path, _options) do
    quoted = Code.string_to_quoted!(code, file: path, line: line)

    # What a cell prints is for those who read along.
    {{value, bindings, env}, _printed} =
      with_io(fn -> Code.eval_quoted_with_env(quoted, bindings, env) end)

    {cell, {{bindings, env}, {:value, value, line}}}
  end

  defp step({:output, recorded}, {session, {:value, value, line}}, _setup, path, options) do
    tolerated? = tolerated?(value, options)
    given = if tolerated?, do: recorded, else: inspect(value, @shown)

    unless rewrite?() do
      assert given == recorded or same?(value, recorded),
             "the cell in line #{line} of #{Path.basename(path)} gives\n\n#{given}\n\nand not\n\n#{recorded}"
    end

    {{:output, given}, {session, :none}}
  end

  defp step(text, state, _setup, _path, _options), do: {text, state}

  defp tolerated?({:unavailable, _reason}, options),
    do: not Keyword.get(options, :complete, false)

  defp tolerated?(_value, _options), do: false

  # The keys of maps are shown in another order from OTP 26 on.
  defp same?(value, recorded) do
    with {:ok, quoted} <- Code.string_to_quoted(recorded, existing_atoms_only: true),
         true <- Macro.quoted_literal?(quoted) do
      {literal, _bindings} = Code.eval_quoted(quoted)
      literal === value
    else
      _no_literal -> false
    end
  end

  defp rewrite?, do: System.get_env("WASGO_REWRITE") == "1"

  # Cells are told with the line that their code begins in.
  defp parse([], blocks), do: Enum.reverse(blocks)

  defp parse(["```elixir" | rest], blocks) do
    {code, ["```" | rest]} = Enum.split_while(rest, &(&1 != "```"))
    parse(rest, [{:cell, line(blocks) + 1, Enum.join(code, "\n")} | blocks])
  end

  defp parse([@recorded, "", "```" | rest], blocks) do
    {output, ["```" | rest]} = Enum.split_while(rest, &(&1 != "```"))
    parse(rest, [{:output, Enum.join(output, "\n")} | blocks])
  end

  defp parse([line | rest], blocks), do: parse(rest, [{:text, line} | blocks])

  defp line(blocks) do
    1 + (blocks |> Enum.map(&(&1 |> text() |> String.split("\n") |> length())) |> Enum.sum())
  end

  defp text({:text, line}), do: line
  defp text({:cell, _line, code}), do: "```elixir\n#{code}\n```"
  defp text({:output, output}), do: "#{@recorded}\n\n```\n#{output}\n```"
end
