defmodule Wasgo.Gen.Building do
  @moduledoc """
  A building by itself, made by `Wasgo.Gen.building/2`. Its origin is at the middle of its outline, on the ground; its front is towards -Z.

    * `lods` - `Wasgo.Scene.Mesh`es from the finest to the coarsest: everything; walls with flat windows; boxes with roofs. A surface for
      each material
    * `boxes` - what one can't walk through: `{middle, half_sides}` in metres
    * `entrances` - the doors, the main one first: `position` of the middle of the threshold, the way `outward` as `{x, z}`, `width`
    * `outline` - its corners `{x, z}`, counter-clockwise from above
    * `height` - of its highest point, in metres

  ## Presets

  `:cottage`, `:townhouse`, `:farmhouse`, `:barn`, `:tower`, `:church`, `:hall`, `:shop`, `:castle_wall`, `:gatehouse`.

  ## Grammars

  A building may have a grammar of its own: a map of

    * `start` - the rule for the footprint
    * `paints` - by name: `%{material: :plaster, colors: [{r, g, b}, ...]}`, linear, of which a building has one. Materials are `:plaster`, `:brick`,
      `:stone`, `:timber`, `:plank`, `:tile`, `:slate`, `:thatch`, `:glass`, `:metal`, `:cloth`, `:earth`, `:flame`
    * `rules` - by name: lists of steps, each applied to the shape that the rule is called for

  | step | takes | what it does |
  | --- | --- | --- |
  | `{:extrude, height: {least, greatest}, rule: "mass"}` | a plan | makes a mass of it, 0.1 to 100 m high |
  | `{:offset, by: 0.4, rule: "r"}` | a plan, mass or top | grows or shrinks it, -20 to 5 m |
  | `{:split, axis: :y, parts: [[size: {:fixed, 3.0}, rule: "r"]]}` | a mass, face or plan | cuts it: sizes are `{:fixed, m}`, `{:share, s}`, `{:repeat, m}` |
  | `{:faces, entrance: "door", side: "wall", top: "roof"}` | a mass | takes it apart; also `front` and `back` |
  | `{:roof, kind: :gable, pitch: 0.9}` | a top | `:gable`, `:hip`, `:mansard`, `:spire`, `:flat`, `:battlement`; `overhang`, `paint`, `wall`, `chimneys`, `dormers` |
  | `:fill` | a face or top | fills it as it is |
  | `{:insert, {:window, width: 1.0}}` | a face | `:window`, `:door`, `:arch`, `:timber`, `:band`, `:cornice`, `:pillar`, `:buttress`, `:awning`, `:sign`, `:quoins` |
  | `{:choose, [[weight: 2, rule: "a"], [weight: 1, rule: "b"]]}` | anything | one of some rules, by chance |
  | `{:when, test: {:wide, 4.0}, then: "a", otherwise: "b"}` | anything | by what it is like: `:wide`, `:high`, `:deep`, `:rectangle` |
  | `{:paint, "wall"}` | anything | the paint of what follows |
  | `{:rule, "r"}` | anything | another rule |

      iex> grammar = %{
      ...>   start: "lot",
      ...>   paints: %{"wall" => %{material: :brick, colors: [{0.4, 0.15, 0.1}]}, "roof" => %{material: :slate, colors: [{0.1, 0.1, 0.12}]}},
      ...>   rules: %{
      ...>     "lot" => [{:paint, "wall"}, {:extrude, height: {3.0, 4.0}, rule: "mass"}],
      ...>     "mass" => [{:faces, entrance: "front", top: "roof"}],
      ...>     "front" => [{:insert, {:door, width: 1.2}}],
      ...>     "roof" => [{:roof, kind: :hip, pitch: 0.6, paint: "roof", wall: "wall", chimney: "wall"}]
      ...>   }
      ...> }
      iex> {:ok, shed} = Wasgo.Gen.building([grammar: grammar, footprint: {:rectangle, width: 6, depth: 4}], seed: 1)
      iex> [door] = shed.entrances
      iex> {_east, south} = door.outward
      iex> south
      -1.0
  """

  alias Wasgo.Gen.{Object, Plan, Spec}
  alias Wasgo.{Native, PlanError, Scene}
  alias Wasgo.Native.Result

  @keys [:name, :seed, :spec, :lods, :boxes, :entrances, :outline, :height]
  @enforce_keys @keys
  defstruct @keys

  @type t :: %__MODULE__{
          name: String.t(),
          seed: non_neg_integer(),
          spec: binary(),
          lods: [Scene.Mesh.t()],
          boxes: [{Scene.point(), Scene.point()}],
          entrances: [
            %{position: Scene.point(), outward: {float(), float()}, width: float()}
          ],
          outline: [{float(), float()}],
          height: float()
        }

  @typedoc "A preset, or options with `:preset` or `:grammar`."
  @type spec :: atom() | keyword() | map()

  @doc false
  @spec make(spec(), non_neg_integer()) :: {:ok, t()} | {:error, PlanError.t()}
  def make(spec, seed) do
    with {:ok, text} <- Spec.text(Spec.building(spec)),
         {:ok, native} <- Result.await(Native.gen_building(text, seed)) do
      {:ok, new(name(spec), seed, text, native)}
    end
  end

  defp name(preset) when is_atom(preset), do: Atom.to_string(preset)
  defp name(options), do: to_string(Map.new(options)[:preset] || "building")

  defp new(name, seed, text, {lods, boxes, doors, outline, height}) do
    %__MODULE__{
      name: name,
      seed: seed,
      spec: text,
      lods:
        for {surfaces, lod} <- Enum.with_index(lods) do
          Object.mesh(if(lod == 0, do: name, else: "#{name}_lod#{lod}"), surfaces)
        end,
      boxes: Object.unpack(boxes),
      entrances:
        for {position, outward, width} <- doors do
          %{position: position, outward: outward, width: width}
        end,
      outline: outline,
      height: height
    }
  end

  @doc """
  How many triangles a level of detail has.

      iex> Wasgo.Gen.building!(:cottage, seed: 7) |> Wasgo.Gen.Building.triangles() > 100
      true
  """
  @spec triangles(t(), non_neg_integer()) :: non_neg_integer()
  def triangles(%__MODULE__{lods: lods}, lod \\ 0) do
    lods
    |> Enum.fetch!(lod)
    |> Map.fetch!(:surfaces)
    |> Enum.map(&div(byte_size(&1.indices), 12))
    |> Enum.sum()
  end

  @doc """
  The building as a scene of one node; `:lod` counts from 0, the finest.

      iex> {:ok, scene} = Wasgo.Gen.building!(:cottage, seed: 7) |> Wasgo.Gen.Building.to_scene()
      iex> {:ok, glb} = Wasgo.Scene.to_glb(scene)
      iex> binary_part(glb, 0, 4)
      "glTF"
  """
  @spec to_scene(t(), lod: 0..2) :: {:ok, Scene.t()}
  def to_scene(%__MODULE__{} = building, options \\ []) do
    options =
      Wasgo.Options.validate!(
        options,
        [lod: [type: {:range, 0..2}, default: 0]],
        "Building.to_scene/2"
      )

    {:ok,
     %Scene{
       name: building.name,
       nodes: [%Scene.Node{name: building.name, mesh: 0}],
       meshes: [Enum.fetch!(building.lods, options.lod)],
       materials: Plan.materials(),
       roots: [0]
     }}
  end

  defimpl Inspect do
    def inspect(building, _opts) do
      "#Wasgo.Gen.Building<#{building.name}, #{Float.round(building.height, 1)} m high, " <>
        "#{Wasgo.Gen.Building.triangles(building)} triangles>"
    end
  end
end
