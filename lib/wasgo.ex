defmodule Wasgo do
  @moduledoc """
  Procedural generation, untrusted user scripts and WASI services as stages of one stream, inside the BEAM, into a Godot 4 server.

      iex> plan = Wasgo.plan!(seed: 7)
      iex> thin = Wasgo.script!("guest/scripts/thin.wasm")
      iex> chunks =
      ...>   plan
      ...>   |> Wasgo.generate([{0, 0}, {1, 0}, {2, 0}])
      ...>   |> Wasgo.through({Wasgo.Stages.Script, script: thin, over: :instances})
      ...>   |> Wasgo.payloads!()
      iex> Enum.map(chunks, & &1.coordinate)
      [{0, 0}, {1, 0}, {2, 0}]

  Nothing runs before the stream is consumed. What fails is a value, in the stream in place of its buffer, and names what is at fault:

      iex> {:error, error} = Wasgo.Script.new(~s|(module (import "env" "fly" (func)))|)
      iex> Exception.message(error)
      ~s|import "env" "fly" (func () -> ()) is not granted|

  This module has the few functions that one types first. What they stand for:

    * `Wasgo.Gen` makes worlds, `Wasgo.Scene` holds and writes them
    * `Wasgo.Script` runs what users wrote, `Wasgo.Script.Registry` keeps it in a `Wasgo.Store`
    * `Wasgo.Service` runs WASI programs and containers that answer requests
    * `Wasgo.Wasm.Module`, `Wasgo.Wasm.Instance`, `Wasgo.Wasm.Component` and `Wasgo.Wasm.Command` are all else that is WebAssembly
    * `Wasgo.Pipeline` and `Wasgo.Stage` are the stream and its parts
    * `Wasgo.World` is what a set of Godot servers shares, `Wasgo.Godot` the engine at a stream's end
    * `Wasgo.Phoenix`, `Wasgo.Membrane` and `Wasgo.Nx` are the ways to it from where these libraries are
    * `Wasgo.Supervisor` runs what an application needs of it, `Wasgo.Telemetry` tells what it does, and `info/0` what there is

  In `iex`, `h Wasgo.Wasm.Limits` says what holds a guest; every handle shows what it is when it is inspected.
  """

  alias Wasgo.Native.Result
  alias Wasgo.{Gen, Pipeline, Script, Stages}

  @doc """
  Makes a plan of a world: `Wasgo.Gen.plan/1`.

      iex> {:ok, plan} = Wasgo.plan(seed: 7)
      iex> plan
      #Wasgo.Gen.Plan<seed 7, chunks of 64.0 m with 65 x 65 samples, scatters 4 tree, 4 conifer, 4 rock, 3 bush>
  """
  @spec plan(keyword()) :: {:ok, Gen.Plan.t()} | {:error, Exception.t()}
  defdelegate plan(options), to: Gen

  @doc """
  As `plan/1`, but raises.

      iex> Wasgo.plan!(seed: 7).chunk_size
      64.0
  """
  @spec plan!(keyword()) :: Gen.Plan.t()
  defdelegate plan!(options), to: Gen

  @doc """
  A lazy stream of the chunks at `coordinates`: a pipeline that begins with `Wasgo.Stages.Generate`.

      iex> [{:ok, buffer}] = Wasgo.generate(Wasgo.plan!(seed: 7), [{0, 0}]) |> Enum.to_list()
      iex> buffer.payload.coordinate
      {0, 0}
  """
  @spec generate(Gen.Plan.t(), Enumerable.t()) :: Enumerable.t()
  def generate(%Gen.Plan{} = plan, coordinates) do
    Pipeline.stream([{Stages.Generate, plan: plan, chunks: coordinates}])
  end

  @doc """
  Makes a script of a file of WebAssembly or WAT: `Wasgo.Script.new/2`. It is called as the file is, unless `:name` says otherwise.

      iex> {:ok, thin} = Wasgo.script("guest/scripts/thin.wasm")
      iex> thin.name
      "thin"
      iex> {:error, error} = Wasgo.script("guest/scripts/gone.wasm")
      iex> error.reason
      :enoent
  """
  @spec script(Path.t(), keyword()) :: {:ok, Script.t()} | {:error, Exception.t()}
  def script(path, options \\ []) do
    with {:ok, module} <- Wasgo.Wasm.Module.compile_file(path) do
      Script.new(module, Keyword.put_new(options, :name, Path.basename(path, Path.extname(path))))
    end
  end

  @doc """
  As `script/2`, but raises.

      iex> Wasgo.script!("guest/scripts/thin.wasm", name: "forester").name
      "forester"
  """
  @spec script!(Path.t(), keyword()) :: Script.t()
  def script!(path, options \\ []), do: Result.bang!(script(path, options))

  @doc """
  The stream through one more stage: `Wasgo.Pipeline.through/2`.

      iex> upcase = fn buffer -> {:ok, %{buffer | payload: String.upcase(buffer.payload)}} end
      iex> [Wasgo.Buffer.new("a")] |> Wasgo.through({Wasgo.Stages.Transform, with: upcase}) |> Wasgo.payloads!()
      ["A"]
  """
  @spec through(Enumerable.t(), Wasgo.Stage.spec()) :: Enumerable.t()
  defdelegate through(stream, stage), to: Pipeline

  @doc """
  Runs a stream to its end: `Wasgo.Pipeline.run/1`.

      iex> Wasgo.run([Wasgo.Buffer.new("a"), Wasgo.Buffer.new("b")])
      {:ok, 2}
  """
  @spec run(Enumerable.t()) :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  defdelegate run(stream), to: Pipeline

  @doc """
  Prints what Wasgo is made of here, what it may use, and what runs. `Wasgo.Info.collect/0` has the same as terms.

      Wasgo.info()
      # Wasgo        0.1.0 (native half 0.1.0)
      # ...
      # guests       2 instances of 1 modules; 2 calls so far, 0 of them beyond their first slice, 0 trapped, 0 at a limit
      # stores       1 open
      # running      Wasgo.World "harbour"
  """
  @spec info() :: :ok
  def info, do: IO.write(Wasgo.Info.text(Wasgo.Info.collect()))

  @doc """
  Runs a stream to its end and gives the payloads of its buffers as a list. The first error is raised.

      iex> Wasgo.payloads!([{:ok, Wasgo.Buffer.new("a")}, {:ok, Wasgo.Buffer.new("b")}])
      ["a", "b"]
  """
  @spec payloads!(Enumerable.t()) :: [term()]
  def payloads!(stream) do
    Enum.map(stream, fn
      {:ok, buffer} -> buffer.payload
      {:error, exception} -> raise exception
    end)
  end
end
