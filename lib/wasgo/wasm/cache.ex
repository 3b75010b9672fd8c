defmodule Wasgo.Wasm.Cache do
  @moduledoc """
  Compiled modules, kept in a folder: a second start compiles nothing.

  There is nothing to call. `Wasgo.Wasm.Module.compile/1` looks here first, and a module of a megabyte that took seconds to compile
  is loaded in about a millisecond. The folder is `wasgo/modules` in the user's cache folder (`~/.cache` on Linux) and holds at most
  512 MiB, of which the least recently used goes first.

  Another folder, size or none:

      config :wasgo, Wasgo.Wasm.Cache, dir: "/var/cache/my_app/modules", max_bytes: 2_147_483_648
      config :wasgo, Wasgo.Wasm.Cache, dir: nil

  The environment's `WASGO_CACHE_DIR` goes before the configuration; when it is set and empty there is no folder. Both are read
  once, when the first module is compiled. `configure/1` changes the folder of a running system.

  A folder that can't be used is said once in the log, and modules are then compiled as if there were none. Nothing that goes
  wrong with the folder later (a full disk, a damaged file) fails a compilation; `info/0` counts it.

  With or without a folder, modules of the same bytes share one machine code in a VM as long as one of them is alive, and processes
  that compile the same bytes at once wait for one compilation.

  ## Whom the folder trusts

  What is in the folder is machine code, which runs with all the rights of the VM. So the folder and its files must belong to the
  user who runs the VM, and nobody else may write them: another folder is refused, another file deleted. Each file carries a digest
  under a key that only this user can read, over all its bytes, and one that is damaged or not made by Wasgo is compiled anew. The
  digest of a file above 512 KiB is computed when a VM first uses it, and then again when the file's size or times have changed.

  Large files are mapped into memory, so that VMs on one machine share them. Keep the folder on a local disk: a file on a network's disk
  that becomes unreadable under a running system would end it.
  """

  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.Wasm.Engine

  require Logger

  @default_bytes 512 * 1_048_576

  # Numbers of bytes go to the native code as 64 bits.
  @most_bytes 0x7FFF_FFFF_FFFF_FFFF

  @schema [
    dir: [type: {:or, [:string, {:in, [:default, nil]}]}, default: :default],
    max_bytes: [type: {:range, 0..@most_bytes}, default: @default_bytes]
  ]

  @typedoc """
  `dir` is nil without a folder. `bytes` and `entries` are what the folder holds now, and `max_bytes` what it may hold. The others count
  since the VM started:

    * `shared` - modules that another process had, or was compiling, already
    * `hits` - modules loaded from the folder
    * `misses` - modules compiled
    * `refused` - files that were damaged or not to be trusted; each is a miss too
    * `stored` - files written
    * `failed` - files that could not be written
    * `evicted` - files deleted to make room
  """
  @type info :: %{
          dir: Path.t() | nil,
          max_bytes: non_neg_integer(),
          bytes: non_neg_integer(),
          entries: non_neg_integer(),
          shared: non_neg_integer(),
          hits: non_neg_integer(),
          misses: non_neg_integer(),
          refused: non_neg_integer(),
          stored: non_neg_integer(),
          failed: non_neg_integer(),
          evicted: non_neg_integer()
        }

  @doc """
  Takes another folder from now on.

  Options:

    * `:dir` - a path, made with its parents if it isn't there; `:default` for the user's cache folder, which is the default; nil for none
    * `:max_bytes` - how much it may hold, #{@default_bytes} unless given

  Errors: `Wasgo.CacheError`; the folder is then the one it was.

      iex> {:error, error} = Wasgo.Wasm.Cache.configure(dir: "/dev/null/modules")
      iex> error.reason
      :unusable
  """
  @spec configure(keyword()) :: :ok | {:error, Exception.t()}
  def configure(options) do
    options = Wasgo.Options.validate!(options, @schema, "Wasgo.Wasm.Cache.configure/1")

    with {:ok, dir} <- folder(options.dir),
         {:ok, nil} <- Result.await(Native.wasm_cache_configure(dir, options.max_bytes)) do
      :ok
    end
  end

  @doc """
  What the cache has done, and what its folder holds.

      iex> {:ok, info} = Wasgo.Wasm.Cache.info()
      iex> info.misses >= 0 and info.bytes <= info.max_bytes
      true
  """
  @spec info() :: {:ok, info()} | {:error, Exception.t()}
  def info do
    ready()
    Result.await(Native.wasm_cache_info())
  end

  @doc """
  Deletes what is in the folder, and answers how many files that were. Modules that are loaded stay so.

      {:ok, files} = Wasgo.Wasm.Cache.clear()
  """
  @spec clear() :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  def clear do
    ready()
    Result.await(Native.wasm_cache_clear())
  end

  # Sets the folder of the configuration, the first time. Afterwards this costs some nanoseconds.
  @doc false
  def ready do
    unless :persistent_term.get(__MODULE__, false) do
      start()
      :persistent_term.put(__MODULE__, true)
    end
  end

  defp start do
    Engine.ready()

    options =
      :wasgo
      |> Application.get_env(__MODULE__, [])
      |> Wasgo.Options.validate!(@schema, "config :wasgo, Wasgo.Wasm.Cache")

    # Of several processes that come here at once one opens the folder, and the others wait for that.
    with {:ok, dir} <- folder(System.get_env("WASGO_CACHE_DIR") || options.dir),
         {:ok, nil} <- Result.await(Native.wasm_cache_default(dir, options.max_bytes)) do
      :ok
    else
      {:error, error} ->
        Logger.warning("modules will be compiled at each start: #{Exception.message(error)}")
    end
  end

  # The native code knows no folder as "".
  defp folder(nil), do: {:ok, ""}
  defp folder(""), do: {:ok, ""}

  defp folder(:default) do
    {:ok, Path.join(:filename.basedir(:user_cache, "wasgo"), "modules")}
  rescue
    _no_home ->
      message = "there is no cache folder, because the user has no home folder"
      {:error, %Wasgo.CacheError{reason: :unusable, message: message}}
  end

  defp folder(path), do: {:ok, Path.expand(path)}
end
