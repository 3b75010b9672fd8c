defmodule Wasgo.Info do
  @moduledoc """
  What Wasgo is made of here, what it may use, and what runs: `Wasgo.info/0` prints it.

      iex> info = Wasgo.Info.collect()
      iex> info.versions.wasgo
      "0.1.0"
      iex> info.limits.instances > 0
      true
  """

  alias Wasgo.{Label, Native, Telemetry}

  @version Mix.Project.config()[:version]

  lock = Path.expand("../../Cargo.lock", __DIR__)
  @external_resource lock

  # What the native half is built with.
  locked = fn name ->
    with {:ok, text} <- File.read(lock),
         [_all, version] <- Regex.run(~r/name = "#{name}"\nversion = "([^"]+)"/, text),
         do: version,
         else: (_none -> "unknown")
  end

  @wasmtime locked.("wasmtime")
  @libsql locked.("libsql")

  @optional [
    telemetry: :telemetry,
    phoenix: Phoenix,
    live_dashboard: Phoenix.LiveDashboard,
    membrane: Membrane.Pipeline,
    nx: Nx
  ]

  @typedoc """
    * `versions` - of Wasgo, its parts, and what it runs on
    * `native` - the features that the native half was built with, and whether it is optimised
    * `optional` - libraries that are there
    * `limits` - of the engine: worker threads, instances, and how many of these the pool has places for
    * `native_load` - what the native half holds and has done, `nil` for the engine that nobody used yet
    * `memory` - bytes: of the BEAM, and of the whole process
    * `running` - processes by what they are, `{Wasgo.World, "garden"}` say, with how many there are of each
  """
  @type t :: %{
          versions: %{atom() => String.t()},
          native: %{features: [String.t()], optimised: boolean()},
          optional: [atom()],
          limits: %{atom() => non_neg_integer()},
          native_load: map(),
          memory: %{beam: non_neg_integer(), process: non_neg_integer()},
          running: [{term(), pos_integer()}]
        }

  @doc """
  Collects it. It looks at each process of the VM once, as observer does: on a VM with hundreds of thousands of them that takes a moment.

      iex> info = Wasgo.Info.collect()
      iex> info.versions.otp == System.otp_release()
      true
      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, _harbour} = Wasgo.World.start_link(store: store, name: "harbour")
      iex> {{Wasgo.World, "harbour"}, 1} in Wasgo.Info.collect().running
      true
  """
  @spec collect() :: t()
  def collect do
    {native, sqlite, features, optimised} = Native.native_build()
    {:ok, engine} = Wasgo.Wasm.Engine.info()

    %{
      versions: %{
        wasgo: @version,
        native: native,
        wasmtime: @wasmtime,
        libsql: @libsql,
        sqlite: sqlite,
        protocol: to_string(Wasgo.Godot.Connection.Handshake.protocol()),
        elixir: System.version(),
        otp: System.otp_release()
      },
      native: %{features: features, optimised: optimised},
      optional: for({name, module} <- @optional, Code.ensure_loaded?(module), do: name),
      limits: %{
        workers: engine.workers,
        instances: engine.max_instances,
        pooled_instances: engine.pool
      },
      native_load: Native.native_load(),
      memory: %{beam: :erlang.memory(:total), process: Telemetry.Gauges.resident()},
      running: running()
    }
  end

  defp running do
    Process.list()
    |> Enum.map(&Label.get/1)
    |> Enum.filter(&ours?/1)
    |> Enum.map(&what/1)
    |> Enum.frequencies()
    |> Enum.sort_by(fn {what, _count} -> inspect(what) end)
  end

  defp ours?(label) when is_tuple(label) and tuple_size(label) > 0, do: ours?(elem(label, 0))

  defp ours?(label) when is_atom(label),
    do: String.starts_with?(Atom.to_string(label), "Elixir.Wasgo.")

  defp ours?(_other), do: false

  # Of what has no name there may be many: they are counted together.
  defp what(label) when is_tuple(label) do
    if label |> Tuple.to_list() |> Enum.any?(&is_pid/1), do: elem(label, 0), else: label
  end

  defp what(label), do: label

  @doc """
  What `collect/0` gives, as text.

      iex> Wasgo.Info.text(Wasgo.Info.collect()) =~ "native half"
      true
  """
  @spec text(t()) :: String.t()
  def text(info) do
    versions = info.versions
    load = info.native_load
    engine = load.engine || %{}

    rows = [
      {"Wasgo",
       "#{versions.wasgo} (native half #{versions.native}#{unless info.native.optimised, do: ", not optimised"})"},
      {"built with",
       "wasmtime #{versions.wasmtime}, libSQL #{versions.libsql} (SQLite #{versions.sqlite}), features #{list(info.native.features)}"},
      {"runs on", "Elixir #{versions.elixir}, OTP #{versions.otp}"},
      {"optional", list(info.optional)},
      {"protocol", "#{versions.protocol} (godot/PROTOCOL.md)"},
      {"limits",
       "#{info.limits.workers} workers, #{info.limits.instances} instances, of these #{info.limits.pooled_instances} in the pool"},
      {"memory",
       "process #{size(info.memory.process)}, BEAM #{size(info.memory.beam)}, guests #{size(engine[:memory] || 0)}, " <>
         "machine code #{size(engine[:code_bytes] || 0)}"},
      {"guests",
       "#{engine[:instances] || 0} instances of #{engine[:modules] || 0} modules; #{engine[:calls] || 0} calls so far, " <>
         "#{engine[:pooled] || 0} of them beyond their first slice, #{engine[:traps] || 0} trapped, #{engine[:limits] || 0} at a limit"},
      {"native pool",
       "#{load.jobs.done} jobs so far, #{load.jobs.running} run and #{load.jobs.waiting} wait"},
      {"stores", "#{load.stores.open} open"}
    ]

    lines = for {name, words} <- rows, do: "#{String.pad_trailing(name, 12)} #{words}\n"
    IO.iodata_to_binary([lines, running(info.running)])
  end

  defp running([]), do: "running      nothing\n"

  defp running(running) do
    for {{what, count}, at} <- Enum.with_index(running) do
      name = if at == 0, do: "running", else: ""
      "#{String.pad_trailing(name, 12)} #{label(what)}#{if count > 1, do: " x #{count}"}\n"
    end
  end

  defp label(what) when is_tuple(what),
    do: what |> Tuple.to_list() |> Enum.map_join(" ", &inspect/1)

  defp label(what), do: inspect(what)

  defp list([]), do: "none"
  defp list(names), do: Enum.map_join(names, ", ", &to_string/1)

  defp size(bytes) when bytes < 1_048_576, do: "#{div(bytes, 1_024)} KiB"
  defp size(bytes), do: "#{div(bytes, 1_048_576)} MiB"
end
