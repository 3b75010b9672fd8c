defmodule Wasgo.Godot.TypedArray do
  @moduledoc """
  An Array that declares the type of its elements. An untyped one is a list.

  `type` is a `t:Wasgo.Godot.Variant.element_type/0`.
  """
  alias Wasgo.Godot.Variant

  @enforce_keys [:type]
  defstruct [:type, values: []]
  @type t :: %__MODULE__{type: Variant.element_type(), values: [Variant.t()]}

  @doc """
  An array of its element type and elements. Encoding checks the elements.

      iex> inspect(Wasgo.Godot.TypedArray.new(:int, [1, 2]))
      "#TypedArray(:int, [1, 2])"
  """
  @spec new(Variant.element_type(), [Variant.t()]) :: t()
  def new(type, values \\ []) when is_list(values), do: %__MODULE__{type: type, values: values}
end

defmodule Wasgo.Godot.Dictionary do
  @moduledoc """
  A Dictionary that keeps its order, or declares the types of its keys and values. Otherwise a map is enough.

  The types are `t:Wasgo.Godot.Variant.element_type/0`; `nil` is any.
  """
  alias Wasgo.Godot.Variant

  defstruct pairs: [], key_type: nil, value_type: nil

  @type t :: %__MODULE__{
          pairs: [{Variant.t(), Variant.t()}],
          key_type: Variant.element_type(),
          value_type: Variant.element_type()
        }

  @doc """
  A dictionary of its pairs, and of `:key_type` and `:value_type` if it has any. Encoding checks the pairs.

      iex> inspect(Wasgo.Godot.Dictionary.new([{"z", 1}, {"a", 2}], key_type: :string))
      ~S|#Dictionary([{"z", 1}, {"a", 2}], :string, nil)|
  """
  @spec new([{Variant.t(), Variant.t()}], keyword()) :: t()
  def new(pairs, types \\ []) when is_list(pairs) do
    types = Keyword.validate!(types, [:key_type, :value_type])
    struct!(__MODULE__, [pairs: pairs] ++ types)
  end

  @doc """
  The pairs as a map. Of a key that comes twice the later value stands, as in the engine.

      iex> Wasgo.Godot.Dictionary.to_map(Wasgo.Godot.Dictionary.new([{"z", 1}, {"a", 2}, {"z", 3}]))
      %{"a" => 2, "z" => 3}
  """
  @spec to_map(t()) :: %{optional(Variant.t()) => Variant.t()}
  def to_map(%__MODULE__{pairs: pairs}), do: Map.new(pairs)
end
