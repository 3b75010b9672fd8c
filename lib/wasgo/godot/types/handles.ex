defmodule Wasgo.Godot.RID do
  @moduledoc """
  A resource of one of the engine's servers, by its number: the engine's `RID`. 0 is none.
  """

  defstruct id: 0
  @type t :: %__MODULE__{id: non_neg_integer()}

  @doc """
  A RID of its number, 64 bits without sign.

      iex> inspect(Wasgo.Godot.RID.new(7))
      "#RID(7)"
  """
  @spec new(non_neg_integer()) :: t()
  def new(id) when is_integer(id) and id >= 0, do: %__MODULE__{id: id}
end

defmodule Wasgo.Godot.ObjectID do
  @moduledoc """
  An object of the engine by its instance id, which is all that crosses the wire of it: what the engine decodes as
  `EncodedObjectAsID`. It means something only to the engine process that it came from.
  """

  defstruct id: 0
  @type t :: %__MODULE__{id: non_neg_integer()}

  @doc """
  An object id of its number, 64 bits without sign.

      iex> inspect(Wasgo.Godot.ObjectID.new(7))
      "#ObjectID(7)"
  """
  @spec new(non_neg_integer()) :: t()
  def new(id) when is_integer(id) and id >= 0, do: %__MODULE__{id: id}
end

defmodule Wasgo.Godot.Callable do
  @moduledoc """
  The engine's `Callable`. Nothing of it crosses the wire: the engine decodes every one as a null one.
  """

  defstruct []
  @type t :: %__MODULE__{}

  @doc """
  The null callable.

      iex> inspect(Wasgo.Godot.Callable.new())
      "#Callable()"
  """
  @spec new() :: t()
  def new, do: %__MODULE__{}
end

defmodule Wasgo.Godot.Signal do
  @moduledoc """
  A signal by its name and the instance id of the object that has it: the engine's `Signal`. The default is the null one.
  """

  defstruct name: "", object_id: 0
  @type t :: %__MODULE__{name: String.t(), object_id: non_neg_integer()}

  @doc """
  A signal of its name and its object's instance id, 64 bits without sign.

      iex> inspect(Wasgo.Godot.Signal.new("pressed", 7))
      ~S|#Signal("pressed", 7)|
  """
  @spec new(String.t(), non_neg_integer()) :: t()
  def new(name, object_id) when is_binary(name) and is_integer(object_id) and object_id >= 0 do
    %__MODULE__{name: name, object_id: object_id}
  end
end
