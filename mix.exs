Code.require_file("mix/wasgo_native.ex", __DIR__)

defmodule Wasgo.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :wasgo,
      version: @version,
      elixir: "~> 1.14",
      compilers: [:wasgo_native] ++ Mix.compilers(),
      elixirc_paths: elixirc_paths(Mix.env()),
      # Neighbours (Membrane, Phoenix ...) may also come through ERL_LIBS. From 1.15 on Mix deletes
      # code paths that no listed dependency owns, and they would silently not be there.
      prune_code_paths: false,
      start_permanent: Mix.env() == :prod,
      deps: deps(),
      name: "Wasgo",
      description: description(),
      package: package(),
      docs: docs()
    ]
  end

  def application do
    [extra_applications: [:logger, :crypto, :ssl] ++ neighbours()]
  end

  # From 1.20 on the compiler complains of optional applications that are not there.
  defp neighbours do
    for application <- ~w(telemetry phoenix plug websock websock_adapter membrane_core nx)a,
        is_list(:code.lib_dir(application)),
        do: {application, :optional}
  end

  defp elixirc_paths(:test), do: ["lib", "test/support", "examples/world", "examples/pet"]
  defp elixirc_paths(_), do: ["lib"]

  # What comes from Hex. A listed Hex package stops every mix command on a machine that has no Hex, or
  # that has Hex but never fetched the package; so the list is empty there. CONTRIBUTING.md says more.
  defp deps do
    if list_optional_deps?() do
      [
        {:telemetry, "~> 1.0", optional: true},
        {:membrane_core, "~> 1.2", optional: true},
        {:nx, "~> 0.7", optional: true},
        {:phoenix, "~> 1.7", optional: true},
        {:websock_adapter, "~> 0.5", optional: true},
        {:phoenix_live_dashboard, "~> 0.8", optional: true},
        {:bandit, "~> 1.5", only: :test},
        {:ex_doc, "~> 0.34", only: :dev, runtime: false}
      ]
    else
      []
    end
  end

  defp list_optional_deps? do
    case System.get_env("WASGO_OPTIONAL_DEPS") do
      "1" -> true
      "0" -> false
      _ -> Code.ensure_loaded?(Hex) and (dependency?() or fetched?())
    end
  end

  # As a dependency of another project the optional ones only matter if that project lists them too,
  # and it is the one that fetches; listing them gives the right order of compilation.
  defp dependency?, do: Mix.Project.get() not in [nil, __MODULE__]

  # `mix deps.get` has succeeded here.
  defp fetched? do
    File.regular?(Path.join(__DIR__, "mix.lock")) and
      Enum.all?(
        ~w(telemetry membrane_core nx phoenix websock_adapter phoenix_live_dashboard bandit ex_doc),
        &File.dir?(Path.join([__DIR__, "deps", &1]))
      )
  end

  defp description do
    "Procedural generation, untrusted WebAssembly scripts and WASI services as stages of one stream " <>
      "into a Godot 4 server, inside the BEAM."
  end

  # priv is left out: the library in it is built on the user's machine.
  defp package do
    [
      licenses: ["MIT"],
      links: %{},
      files: [
        "lib",
        "mix",
        "mix.exs",
        ".formatter.exs",
        "native",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "godot/addons",
        "godot/PROTOCOL.md",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE"
      ]
    ]
  end

  # `bin/docs` builds them, with Hex's ex_doc or the system's.
  defp docs do
    [
      main: "readme",
      source_ref: "v#{@version}",
      extras: extras(),
      groups_for_extras: [
        Guides: ~r"^guides/[^/]+\.md$",
        Livebooks: ~r"\.livemd$",
        Reference: ["godot/PROTOCOL.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"]
      ],
      groups_for_modules: module_groups(),
      groups_for_docs: for({type, title} <- function_groups(), do: {title, &(&1[:type] == type)}),
      nest_modules_by_prefix: [Wasgo.Gen, Wasgo.Godot, Wasgo.Scene, Wasgo.Stages, Wasgo.Wasm],
      # The same pictures and sources, where a page of the docs looks for them.
      assets: %{
        "guides/images" => "guides/images",
        "./guides/images" => "images",
        "guest/scripts" => "scripts",
        "guest/services" => "services",
        "guest/wit" => "wit",
        "guest/assemblyscript" => "assemblyscript",
        "guest/c" => "c",
        "guest/rust/wasgo/src" => "rust/wasgo/src"
      },
      skip_code_autolink_to: &left_out?/1
    ]
  end

  # In the order in which they are read first; a page that is not named here comes after these.
  defp extras do
    guides =
      ~w(generation services sql-functions godot membrane phoenix operate from-wasmex threat-model)

    guides = Enum.filter(Enum.map(guides, &"guides/#{&1}.md"), &File.regular?/1)

    pages =
      ["README.md", "guest/README.md"] ++
        Enum.uniq(guides ++ Enum.sort(Path.wildcard("guides/*.md"))) ++
        Enum.sort(Path.wildcard("guides/livebooks/*.livemd")) ++
        ["godot/PROTOCOL.md", "CHANGELOG.md", "CONTRIBUTING.md"]

    for(page <- pages, do: {String.to_atom(page), filename: page_name(page)}) ++
      [LICENSE: [title: "Licence"]]
  end

  # Two pages are called README: the one of `guest/` becomes "guest-readme".
  defp page_name(page) do
    page |> Path.rootname() |> String.replace("/", "-") |> String.downcase()
  end

  # In the order in which they are read; a module belongs to the first that matches it.
  defp module_groups do
    [
      Stream: ~r/^Wasgo\.(Buffer|Format|Nx|Pipeline|Rows|Stage|Stages\.(?!Godot)\w+|Wire)(\.|$)/,
      Generation: ~r/^Wasgo\.Gen(\.|$)/,
      Scenes: ~r/^Wasgo\.Scene(\.|$)/,
      "Scripts & wasm": [~r/^Wasgo\.Script(\.(?!Registry)|$)/, ~r/^Wasgo\.Wasm\./],
      Store: [Wasgo.Store, Wasgo.Script.Registry],
      Services: ~r/^Wasgo\.Service(\.|$)/,
      World: ~r/^Wasgo\.World(\.|$)/,
      Godot:
        ~r/^Wasgo\.(Godot|Godot\.(Connection|Frame|Process|Scripts|Server)|Stages\.Godot\w*)$/,
      "Godot values": ~r/^Wasgo\.Godot\./,
      Phoenix: ~r/^Wasgo\.Phoenix(\.|$)/,
      Membrane: ~r/^Wasgo\.Membrane(\.|$)/,
      Operation: ~r/^Wasgo\.(Info|Supervisor|Telemetry)(\.|$)/,
      Errors: ~r/^Wasgo\.\w+Error$/
    ]
  end

  # The values of `@doc type:` of functions, and what the docs call them.
  defp function_groups do
    [
      plan: "Plans",
      make: "Land",
      thing: "Things",
      look: "Looking at it",
      source: "Sources",
      body: "Bodies",
      combine: "Two or more fields",
      shape: "One field, changed",
      water: "Water",
      file: "Files",
      inspect: "Checking and measuring",
      change: "Changing",
      open: "Opening and closing",
      query: "Queries",
      copy: "Copies",
      function: "SQL functions",
      watch: "Changes",
      new: "Making",
      run: "Running",
      notification: "Notifications",
      life: "Life",
      ask: "Messages",
      network: "Network",
      version: "Scripts and their versions",
      object: "Objects",
      schema: "Schema",
      call: "Calls",
      memory: "Memory",
      guest: "Globals and tables"
    ]
  end

  # What is compiled only where a neighbour is there cannot be linked to where it is not.
  defp left_out?("Wasgo.Membrane." <> _rest), do: not Code.ensure_loaded?(Membrane.Filter)

  defp left_out?("Wasgo.Phoenix.LiveDashboardPage" <> _rest),
    do: not Code.ensure_loaded?(Phoenix.LiveDashboard.PageBuilder)

  defp left_out?("Wasgo.Phoenix." <> _rest), do: not Code.ensure_loaded?(Phoenix.Socket)
  defp left_out?("Wasgo.Nx" <> _rest), do: not Code.ensure_loaded?(Nx)
  defp left_out?("Wasgo.Stages.Tensor" <> _rest), do: not Code.ensure_loaded?(Nx)
  defp left_out?(_code), do: false
end
