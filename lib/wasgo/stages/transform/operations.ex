defmodule Wasgo.Stages.Transform.Operations do
  @moduledoc false
  # What `Wasgo.Scene` does, by name: a list of operations that was checked, and what comes of a payload in it.

  alias Wasgo.Gen.{Chunk, Volume}
  alias Wasgo.{DecodeError, Scene, SceneError}

  # Each operation with its options; what they may be, beyond this, `Wasgo.Scene` says.
  @operations [
    from_glb: [
      lossy: [type: :boolean, default: false],
      scene: [type: {:or, [:non_neg_integer, {:in, [nil]}]}, default: nil],
      max_memory: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
      max_json_bytes: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
      max_vertices: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
      max_triangles: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
      max_nodes: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
      max_image_bytes: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil]
    ],
    to_glb: [instancing: [type: :boolean, default: false]],
    validate: [],
    bounds: [],
    transform: [
      matrix: [type: :any, default: nil],
      translation: [type: :any, default: {0.0, 0.0, 0.0}],
      rotation: [type: :any, default: {0.0, 0.0, 0.0, 1.0}],
      scale: [type: :any, default: 1.0]
    ],
    simplify: [
      ratio: [type: :number, default: 0.5],
      error: [type: {:or, [:number, {:in, [:infinity]}]}, default: :infinity],
      lock_borders: [type: :boolean, default: true]
    ],
    lods: [
      ratios: [type: {:list_of, :number}, default: [0.5, 0.25, 0.1]],
      error: [type: {:or, [:number, {:in, [:infinity]}]}, default: :infinity]
    ],
    optimize: [],
    tangents: [],
    compact: [],
    split: [
      by: [
        type: {:or, [{:in, [:root, :material]}, {:pair, {:in, [:grid]}, :number}]},
        default: :root
      ]
    ],
    merge: [
      with: [type: {:list_of, {:struct, Scene}}, default: []],
      name: [type: :string, default: "world"]
    ]
  ]

  @names Keyword.keys(@operations)

  # What the options of `:transform` look like.
  @shapes %{
    matrix: "a tuple of 12 numbers",
    translation: "{x, y, z}",
    rotation: "{x, y, z, w}, not all of them 0",
    scale: "a number or {x, y, z}"
  }

  # Parts that may come of one payload.
  @most_parts 10_000

  @type operation :: {atom(), keyword()}

  @doc false
  # The operations of a list, with their options filled in; a message for people that names the one that is wrong.
  @spec check(term()) :: {:ok, [operation()]} | {:error, String.t()}
  def check([_ | _] = list) do
    with {:ok, operations} <- each(list, []), :ok <- order(operations), do: {:ok, operations}
  end

  def check(other),
    do: {:error, "the option :scene is #{words(other)}, and must be a list of operations"}

  defp each([], operations), do: {:ok, Enum.reverse(operations)}

  defp each([item | rest], operations) do
    case operation(item) do
      {:ok, operation} -> each(rest, [operation | operations])
      {:error, message} -> {:error, message}
    end
  end

  defp operation(name) when is_atom(name), do: operation({name, []})

  # What there is one thing to say about.
  defp operation({:split, by}) when is_atom(by) or is_tuple(by), do: operation({:split, by: by})

  defp operation({:transform, matrix}) when is_tuple(matrix),
    do: operation({:transform, matrix: matrix})

  defp operation({name, options}) when name in @names do
    options =
      Wasgo.Options.validate!(options, @operations[name], "the operation #{inspect(name)}")

    prepared(name, options)
  rescue
    error in ArgumentError -> {:error, Exception.message(error)}
  end

  defp operation({name, _options}),
    do:
      {:error,
       "there is no operation #{words(name)}; there are #{Enum.map_join(@names, ", ", &inspect/1)}"}

  defp operation(other),
    do: {:error, "an operation is a name, or {name, options}, and not #{words(other)}"}

  defp prepared(:transform, %{matrix: matrix} = options) do
    wrong = Enum.find(Map.to_list(options), fn {name, value} -> not transform?(name, value) end)
    alone? = Map.delete(options, :matrix) == defaults(:transform)

    cond do
      wrong != nil ->
        {name, value} = wrong

        {:error,
         "option #{inspect(name)} of the operation :transform is #{words(value)}, and must be #{@shapes[name]}"}

      matrix == nil ->
        {:ok, {:transform, matrix: matrix(options)}}

      alone? ->
        {:ok, {:transform, matrix: matrix}}

      true ->
        {:error, "the operation :transform has a :matrix and something beside it"}
    end
  end

  # What isn't given is left to the scene.
  defp prepared(:from_glb, options),
    do: {:ok, {:from_glb, for({name, value} <- options, value != nil, do: {name, value})}}

  defp prepared(name, options), do: {:ok, {name, Map.to_list(options)}}

  defp defaults(name),
    do:
      for(
        {option, spec} <- @operations[name],
        option != :matrix,
        into: %{},
        do: {option, spec[:default]}
      )

  defp order(operations) do
    names = Keyword.keys(operations)

    cond do
      :from_glb in tl(names) -> {:error, "the operation :from_glb can only be the first"}
      :to_glb in Enum.drop(names, -1) -> {:error, "the operation :to_glb can only be the last"}
      true -> :ok
    end
  end

  defp transform?(:matrix, matrix), do: matrix == nil or numbers?(matrix, 12)
  defp transform?(:translation, vector), do: numbers?(vector, 3)
  defp transform?(:scale, scale), do: numbers?({scale}, 1) or numbers?(scale, 3)

  defp transform?(:rotation, turn),
    do: numbers?(turn, 4) and Enum.any?(Tuple.to_list(turn), &(&1 != 0))

  # Far beyond these nothing can be seen, and products would have no number.
  defp numbers?(tuple, count) when is_tuple(tuple) and tuple_size(tuple) == count,
    do: Enum.all?(Tuple.to_list(tuple), &(is_number(&1) and abs(&1) <= 1.0e30))

  defp numbers?(_other, _count), do: false

  # Scaled, then turned, then moved: row by row.
  defp matrix(%{translation: {tx, ty, tz}, rotation: rotation, scale: scale}) do
    {sx, sy, sz} = if is_number(scale), do: {scale, scale, scale}, else: scale
    {x, y, z, w} = rotation
    # Halved first, it has a length whatever it is.
    most = Enum.max(Enum.map([x, y, z, w], &abs/1))
    {x, y, z, w} = {x / most, y / most, z / most, w / most}
    two = 2 / (x * x + y * y + z * z + w * w)

    {(1 - two * (y * y + z * z)) * sx, two * (x * y - z * w) * sy, two * (x * z + y * w) * sz, tx,
     two * (x * y + z * w) * sx, (1 - two * (x * x + z * z)) * sy, two * (y * z - x * w) * sz, ty,
     two * (x * z - y * w) * sx, two * (y * z + x * w) * sy, (1 - two * (x * x + y * y)) * sz, tz}
  end

  @doc false
  # Whether bytes come of it.
  @spec bytes?([operation()]) :: boolean()
  def bytes?(operations), do: match?({:to_glb, _options}, List.last(operations))

  @doc false
  # What comes of a payload: other payloads, each with what the operations have to say about it.
  @spec run(term(), [operation()]) :: {:ok, [{term(), map()}]} | {:error, Exception.t()}
  def run(payload, operations) do
    with {:ok, scene, operations} <- scene(payload, operations),
         do: all(operations, [{scene, %{}}])
  end

  defp scene(%Scene{} = scene, [{:from_glb, _} | _]),
    do: unfit(:from_glb, scene, "bytes of a GLB file")

  defp scene(%Scene{} = scene, operations), do: {:ok, scene, operations}

  defp scene(bytes, [{:from_glb, options} | rest]) when is_binary(bytes),
    do: read(bytes, options, rest)

  defp scene(bytes, operations) when is_binary(bytes), do: read(bytes, [], operations)

  defp scene(%module{} = made, operations) when module in [Chunk, Volume] do
    case operations do
      [{:from_glb, _} | _] -> unfit(:from_glb, made, "bytes of a GLB file")
      _others -> with({:ok, scene} <- module.to_scene(made), do: {:ok, scene, operations})
    end
  end

  defp scene(other, [{name, _} | _]),
    do:
      unfit(
        name,
        other,
        "a Wasgo.Scene, a Wasgo.Gen.Chunk, a Wasgo.Gen.Volume or bytes of a GLB file"
      )

  defp read(bytes, options, rest) do
    with {:ok, scene} <- named(Scene.from_glb(bytes, options), :from_glb), do: {:ok, scene, rest}
  end

  defp unfit(name, payload, wanted) do
    message = "#{name} takes #{wanted}, and got #{words(payload)}"
    {:error, %DecodeError{reason: {:contract, message}}}
  end

  defp all([], parts), do: {:ok, parts}

  defp all([{:merge, options} | rest], parts) do
    {scenes, abouts} = Enum.unzip(parts)
    about = abouts |> Enum.reduce(%{}, &Map.merge(&2, &1)) |> Map.delete(:part)
    all(rest, [{Scene.merge(scenes ++ options[:with], options[:name]), about}])
  end

  defp all([{name, options} | rest], parts) do
    with {:ok, parts} <- over(parts, name, options, []), do: all(rest, parts)
  end

  defp over([], :split, _options, done) when length(done) > @most_parts do
    message = "split: the scene has #{length(done)} parts, allowed: #{@most_parts}"
    {:error, %SceneError{reason: :too_many, message: message}}
  end

  defp over([], _name, _options, done), do: {:ok, Enum.reverse(done)}

  defp over([{scene, about} | rest], name, options, done) do
    with {:ok, parts} <- named(one(name, scene, options), name) do
      done =
        Enum.reduce(parts, done, fn {part, more}, done ->
          [{part, Map.merge(about, more)} | done]
        end)

      over(rest, name, options, done)
    end
  end

  defp one(:to_glb, scene, options), do: same(Scene.to_glb(scene, options))
  defp one(:transform, scene, options), do: same(Scene.transform(scene, options[:matrix]))
  defp one(:lods, scene, options), do: same(Scene.lods(scene, options))
  defp one(:optimize, scene, _options), do: same(Scene.optimize(scene))
  defp one(:tangents, scene, _options), do: same(Scene.tangents(scene))
  defp one(:compact, scene, _options), do: same(Scene.compact(scene))

  defp one(:validate, scene, _options) do
    with {:ok, counts} <- Scene.validate(scene), do: {:ok, [{scene, %{counts: counts}}]}
  end

  defp one(:bounds, scene, _options) do
    with {:ok, bounds} <- Scene.bounds(scene), do: {:ok, [{scene, %{bounds: bounds}}]}
  end

  defp one(:simplify, scene, options) do
    with {:ok, {scene, error}} <- Scene.simplify(scene, options),
         do: {:ok, [{scene, %{simplify_error: error}}]}
  end

  defp one(:split, scene, options) do
    with {:ok, parts} <- Scene.split(scene, options[:by]) do
      {:ok, for({part, number} <- Enum.with_index(parts), do: {part, %{part: number}})}
    end
  end

  defp same({:ok, changed}), do: {:ok, [{changed, %{}}]}
  defp same({:error, _exception} = error), do: error

  # The message says which operation it was.
  defp named({:error, %SceneError{message: message} = error}, name),
    do: {:error, %{error | message: "#{name}: #{message}"}}

  defp named({:error, %DecodeError{reason: {:gltf, fault, place, words}} = error}, name),
    do: {:error, %{error | reason: {:gltf, fault, place, "#{words} (#{name})"}}}

  defp named(result, _name), do: result

  defp words(term), do: inspect(term, limit: 5, printable_limit: 60)
end
