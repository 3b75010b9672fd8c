# Leaves out the tests that this machine has no engine, tool-chain or library for, and says which and
# why. bin/test has set up what can be set up, tells of the engine through WASGO_GODOT_OK, and repeats
# the lines at its end.

engine = fn ->
  case {System.get_env("WASGO_GODOT_OK"), System.find_executable("bash")} do
    {"1", _bash} ->
      nil

    {"0", _bash} ->
      System.get_env("WASGO_GODOT_REASON", "WASGO_GODOT_OK is 0")

    {_unset, nil} ->
      "bash, which bin/godot runs with, is missing"

    {_unset, bash} ->
      script = Path.expand("../bin/godot", __DIR__)
      {output, status} = System.cmd(bash, [script, "--wasgo-check"], stderr_to_stdout: true)
      if status != 0, do: output |> String.trim() |> String.split("\n") |> List.last()
  end
end

proper = fn ->
  unless Code.ensure_loaded?(:proper) do
    "PropEr is missing (Debian and Ubuntu: erlang-proper)"
  end
end

excluded =
  for {tag, reason} <-
        [godot: engine.(), proper: proper.(), libsql_server: Wasgo.LibsqlServer.missing()] ++
          Wasgo.GuestToolchain.missing(),
      reason != nil do
    line = "tests tagged #{inspect(tag)}: #{reason}"
    IO.puts("Excluding #{line}")
    if file = System.get_env("WASGO_SKIPPED_FILE"), do: File.write!(file, [line, ?\n], [:append])
    tag
  end

ExUnit.start(exclude: excluded)
