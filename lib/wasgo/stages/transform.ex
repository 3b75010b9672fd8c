defmodule Wasgo.Stages.Transform do
  @moduledoc """
  Changes buffers: with an Elixir function, or with the operations of `Wasgo.Scene` by their names.

    * `:with` - a function of a buffer that returns `{:ok, buffer}` or `{:error, exception}`
    * `:scene` - a list of operations; this or `:with` is required
    * `:format` - a struct of `Wasgo.Format` that says what the new payloads are, or a function of the format before; the same unless given, or
      what the operations make

  ## Examples

      iex> [Wasgo.Buffer.new("a")]
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Transform, with: &{:ok, %{&1 | payload: &1.payload <> "!"}}})
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      ["a!"]

  ## Scenes

      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{:ok, buffer}] =
      ...>   [
      ...>     {Wasgo.Stages.Generate, plan: plan, chunks: [{0, 0}]},
      ...>     {Wasgo.Stages.Transform, scene: [:bounds, simplify: [ratio: 0.1], transform: [translation: {0, 10, 0}], to_glb: []]}
      ...>   ]
      ...>   |> Wasgo.Pipeline.stream()
      ...>   |> Enum.to_list()
      iex> <<"glTF", _::binary>> = buffer.payload
      iex> Map.keys(buffer.metadata)
      [:bounds, :coordinate, :simplify_error]

  Payloads are `Wasgo.Scene`s, `Wasgo.Gen.Chunk`s and `Wasgo.Gen.Volume`s, which become scenes, and bytes of GLB files, which are read. An operation is a
  name, or `{name, options}` with the options of the function of that name:

    * `:from_glb` - how bytes are read; only as the first
    * `:to_glb` - only as the last: payloads are bytes then
    * `:transform` - `translation: {x, y, z}` in metres, `rotation: {x, y, z, w}` (a quaternion), `scale:` a number or `{x, y, z}`, done in the order
      scale, rotation, translation; or a matrix as `Wasgo.Scene.transform/2` takes it
    * `:simplify` - adds `:simplify_error` to the metadata, in metres
    * `:lods`, `:optimize`, `:tangents`, `:compact`
    * `:split` - `:root`, `:material` or `{:grid, side}`: a buffer for each part, with its number from 0 as `:part` in the metadata; what follows is
      done to each
    * `:merge` - `with: [scene, ...]` and `name:`: what there is becomes one scene with those; parts of a buffer are one again
    * `:validate` - adds `:counts` to the metadata
    * `:bounds` - adds `:bounds` to the metadata, as `Wasgo.Scene.bounds/1` gives them

  An error names its operation. The work is done on native threads, and the stage has no state: `max_concurrency:` has several buffers worked on.
  """

  use Wasgo.Stage

  alias Wasgo.Stages.Transform.Operations
  alias Wasgo.{Format, StageError}

  @impl true
  def options do
    [
      with: [
        type: {:or, [{:function, 1}, {:in, [nil]}]},
        default: nil,
        doc: "a function of a buffer that returns `{:ok, buffer}` or `{:error, exception}`"
      ],
      scene: [
        type: :any,
        default: nil,
        doc: "operations of `Wasgo.Scene`, in the place of `with`"
      ],
      format: [
        type: :any,
        default: nil,
        doc: "what the new payloads are, or a function of what they were"
      ]
    ]
  end

  @impl true
  def check(%{with: nil, scene: nil}), do: {:error, "needs the option :with or :scene"}

  def check(%{with: fun, scene: scene}) when fun != nil and scene != nil,
    do: {:error, "has the options :with and :scene, and takes one of them"}

  def check(%{format: format})
      when not (is_nil(format) or is_struct(format) or is_function(format, 1)),
      do: {:error, "the option :format must be a struct or a function of one"}

  def check(%{scene: nil}), do: :ok
  def check(%{scene: scene}), do: with({:ok, _operations} <- Operations.check(scene), do: :ok)

  @impl true
  def stateless?(_options), do: true

  @impl true
  def init(%{scene: nil} = options), do: {:ok, options}

  def init(options) do
    {:ok, operations} = Operations.check(options.scene)
    {:ok, %{options | scene: operations}}
  end

  @impl true
  def handle_format(before, %{format: nil, scene: [_ | _] = operations} = state) do
    cond do
      Format.payload(before) not in [:binary, :chunk, :scene, :unknown] ->
        wanted = "scenes, chunks or bytes of GLB files"
        {:error, StageError.format(__MODULE__, before, wanted), state}

      Operations.bytes?(operations) ->
        {:ok, %Format.Bytes{packetized: true}, state}

      true ->
        {:ok, %Format.Scene{}, state}
    end
  end

  def handle_format(before, %{format: nil} = state), do: {:ok, before, state}

  def handle_format(before, %{format: fun} = state) when is_function(fun),
    do: {:ok, fun.(before), state}

  def handle_format(_before, %{format: format} = state), do: {:ok, format, state}

  @impl true
  def handle_buffer(buffer, %{scene: [_ | _] = operations} = state) do
    case Operations.run(buffer.payload, operations) do
      {:ok, parts} ->
        {:ok,
         for {payload, about} <- parts do
           %{buffer | payload: payload, metadata: Map.merge(buffer.metadata, about)}
         end, state}

      {:error, exception} ->
        {:error, exception, state}
    end
  end

  def handle_buffer(buffer, %{with: fun} = state) do
    case fun.(buffer) do
      {:ok, %Wasgo.Buffer{} = buffer} -> {:ok, [buffer], state}
      {:error, exception} when is_exception(exception) -> {:error, exception, state}
      other -> {:error, returned(other), state}
    end
  end

  defp returned(other) do
    value = inspect(other, limit: 5, printable_limit: 60)

    message =
      "the function of #{inspect(__MODULE__)} returned #{value}, and should return {:ok, buffer} or {:error, exception}"

    %StageError{reason: :returned, stage: __MODULE__, message: message}
  end
end
