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

# Optional libraries, as dependencies of Hex's or through ERL_LIBS.
library = fn module, name ->
  unless Code.ensure_loaded?(module), do: "#{name} is missing (a dependency, or in ERL_LIBS)"
end

neighbours = [
  telemetry: library.(:telemetry, "telemetry"),
  nx: library.(Nx, "Nx"),
  phoenix: library.(Phoenix.Endpoint, "Phoenix") || library.(Bandit, "Bandit"),
  websock: library.(WebSockAdapter, "WebSockAdapter") || library.(Bandit, "Bandit"),
  live_dashboard:
    library.(Phoenix.LiveDashboard.Router, "LiveDashboard") || library.(Bandit, "Bandit"),
  plug: library.(Plug, "Plug") || library.(Bandit, "Bandit"),
  membrane: library.(Membrane.Testing.Pipeline, "Membrane"),
  membrane_file: library.(Membrane.File.Source, "Membrane's file plugin"),
  membrane_udp: library.(Membrane.UDP.Source, "Membrane's UDP plugin")
]

# Parts of the native half that it may have been built without.
built = fn location, options, what ->
  case Wasgo.Store.open(location, options) do
    {:error, %{reason: :not_built}} -> "the native half was built without #{what}"
    _ -> nil
  end
end

nowhere = "http://127.0.0.1:1"
copy = Path.join(System.tmp_dir!(), "wasgo-no-copy-#{System.pid()}.db")
remote = built.(nowhere, [connect_timeout: 1], "the feature remote")
replication = built.(copy, [replica_of: nowhere, connect_timeout: 1], "the feature replication")

image = fn ->
  case System.get_env("WASGO_C2W_IMAGE", "") do
    "" -> "no image of a container: WASGO_C2W_IMAGE names none that container2wasm made"
    path -> unless File.regular?(path), do: "WASGO_C2W_IMAGE names #{path}, which is not a file"
  end
end

server = remote || Wasgo.LibsqlServer.missing()

excluded =
  for {tag, reason} <-
        [godot: engine.(), proper: proper.(), python: Wasgo.PythonPeer.missing()] ++
          [
            remote: remote,
            replication: replication,
            libsql_server: server,
            c2w_image: image.(),
            wasi_programs: Wasgo.WasiPrograms.missing(),
            gltf_validator: Wasgo.GltfValidator.missing(),
            chromium: Wasgo.ExampleApp.missing(),
            node: unless(System.find_executable("node"), do: "Node is missing (Debian: nodejs)")
          ] ++
          neighbours ++ Wasgo.GuestToolchain.missing(),
      reason != nil do
    line = "tests tagged #{inspect(tag)}: #{reason}"
    IO.puts("Excluding #{line}")
    if file = System.get_env("WASGO_SKIPPED_FILE"), do: File.write!(file, [line, ?\n], [:append])
    tag
  end

# What comes at once takes longer on a machine that is busy with something else; only what never comes is waited for so long.
ExUnit.start(
  exclude: excluded,
  formatters: Wasgo.FailureList.formatters(),
  assert_receive_timeout: 10_000
)
