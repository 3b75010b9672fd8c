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
    [
      extra_applications: [
        :logger,
        :crypto,
        :ssl,
        {:telemetry, :optional},
        {:membrane_core, :optional},
        {:nx, :optional}
      ]
    ]
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
        ["telemetry", "membrane_core", "nx", "ex_doc"],
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

  defp docs do
    pages = [
      "README.md",
      "CHANGELOG.md",
      "CONTRIBUTING.md",
      "guest/README.md",
      "guides/sql-functions.md",
      "guides/membrane.md",
      "guides/services.md",
      "guides/operate.md",
      "godot/PROTOCOL.md"
    ]

    [
      main: "readme",
      source_ref: "v#{@version}",
      extras: for(page <- pages, do: {String.to_atom(page), filename: page_name(page)})
    ]
  end

  # Two pages are called README: the one of `guest/` becomes "guest-readme".
  defp page_name(page) do
    page |> Path.rootname() |> String.replace("/", "-") |> String.downcase()
  end
end
