defmodule WasgoExample.MixProject do
  use Mix.Project

  def project do
    [
      app: :wasgo_example,
      version: "0.1.0",
      elixir: "~> 1.14",
      elixirc_paths: ["lib"],
      start_permanent: Mix.env() == :prod,
      # Libraries may also come through ERL_LIBS: from 1.15 on Mix deletes code paths that no listed dependency owns.
      prune_code_paths: false,
      aliases: aliases(),
      deps: deps(),
      releases: [wasgo_example: [include_executables_for: [:unix]]]
    ]
  end

  def application do
    [
      mod: {WasgoExample.Application, []},
      extra_applications: [:logger, :runtime_tools] ++ beside()
    ]
  end

  # A Hex package that is listed stops every mix command where there is no Hex: there they come as folders of ERL_LIBS.
  defp deps do
    [{:wasgo, path: "../.."}] ++
      if Code.ensure_loaded?(Hex) do
        [
          {:phoenix, "~> 1.7"},
          {:bandit, "~> 1.5"},
          {:jason, "~> 1.4"},
          {:telemetry, "~> 1.0"},
          {:membrane_core, "~> 1.2"}
        ]
      else
        []
      end
  end

  # Applications of ERL_LIBS are started, and put into a release, because they are named here. Membrane may be missing.
  defp beside do
    if Code.ensure_loaded?(Hex),
      do: [],
      else: [
        :phoenix,
        :bandit,
        :jason,
        :telemetry | for(:membrane_core <- there(), do: :membrane_core)
      ]
  end

  defp there, do: if(Code.ensure_loaded?(Membrane.Pipeline), do: [:membrane_core], else: [])

  defp aliases do
    [
      setup: ["deps.get", "assets.setup", "assets.build"],
      "assets.setup": ["cmd --cd assets npm ci --no-audit --no-fund"],
      "assets.build": ["cmd --cd assets npm run build"],
      "assets.deploy": ["cmd --cd assets npm run build -- --minify"]
    ]
  end
end
