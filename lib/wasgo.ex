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

  This module has the few functions that one types first. What they stand for:

    * `Wasgo.Gen` makes worlds, `Wasgo.Scene` holds and writes them
    * `Wasgo.Script` runs what users wrote, `Wasgo.Script.Registry` keeps it in a `Wasgo.Store`
    * `Wasgo.Service` runs WASI programs that answer requests
    * `Wasgo.Pipeline` and `Wasgo.Stage` are the stream and its parts
    * `Wasgo.Godot` is the engine at its end
    * `Wasgo.Supervisor` runs what an application needs of it, `Wasgo.Telemetry` tells what it does, and `info/0` what there is
  """

  alias Wasgo.Native.Result
  alias Wasgo.{Gen, Pipeline, Script, Stages}

  @doc "Makes a plan of a world: `Wasgo.Gen.plan/1`."
  @spec plan(keyword()) :: {:ok, Gen.Plan.t()} | {:error, Exception.t()}
  defdelegate plan(options), to: Gen

  @doc "As `plan/1`, but raises."
  @spec plan!(keyword()) :: Gen.Plan.t()
  defdelegate plan!(options), to: Gen

  @doc "A lazy stream of the chunks at `coordinates`: a pipeline that begins with `Wasgo.Stages.Generate`."
  @spec generate(Gen.Plan.t(), Enumerable.t()) :: Enumerable.t()
  def generate(%Gen.Plan{} = plan, coordinates) do
    Pipeline.stream([{Stages.Generate, plan: plan, chunks: coordinates}])
  end

  @doc "Makes a script of a file of WebAssembly or WAT: `Wasgo.Script.new/2`."
  @spec script(Path.t(), keyword()) :: {:ok, Script.t()} | {:error, Exception.t()}
  def script(path, options \\ []) do
    with {:ok, module} <- Wasgo.Wasm.Module.compile_file(path) do
      Script.new(module, Keyword.put_new(options, :name, Path.basename(path, Path.extname(path))))
    end
  end

  @doc "As `script/2`, but raises."
  @spec script!(Path.t(), keyword()) :: Script.t()
  def script!(path, options \\ []), do: Result.bang!(script(path, options))

  @doc "The stream through one more stage: `Wasgo.Pipeline.through/2`."
  @spec through(Enumerable.t(), Wasgo.Stage.spec()) :: Enumerable.t()
  defdelegate through(stream, stage), to: Pipeline

  @doc "Runs a stream to its end: `Wasgo.Pipeline.run/1`."
  @spec run(Enumerable.t()) :: {:ok, non_neg_integer()} | {:error, Exception.t()}
  defdelegate run(stream), to: Pipeline

  @doc """
  Prints what Wasgo is made of here, what it may use, and what runs. `Wasgo.Info.collect/0` has the same as terms.
  """
  @spec info() :: :ok
  def info, do: IO.write(Wasgo.Info.text(Wasgo.Info.collect()))

  @doc "Runs a stream to its end and gives the payloads of its buffers as a list. The first error is raised."
  @spec payloads!(Enumerable.t()) :: [term()]
  def payloads!(stream) do
    Enum.map(stream, fn
      {:ok, buffer} -> buffer.payload
      {:error, exception} -> raise exception
    end)
  end
end
