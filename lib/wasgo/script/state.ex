defmodule Wasgo.Script.State do
  @moduledoc """
  Keys and values that a script keeps between its calls, in memory.

      iex> state = Wasgo.Script.State.new()
      iex> Wasgo.Script.State.put(state, "visits", <<3::little-64>>)
      :ok
      iex> Wasgo.Script.State.get(state, "visits")
      <<3, 0, 0, 0, 0, 0, 0, 0>>

  It is granted to a script, or to an instance of a module or component, as `grant: [state: state]`, and any number of them may share it.
  What a call changes holds when the call succeeds; a call that traps or is stopped has changed nothing. It lives as long as somebody
  refers to it: `to_map/1` and `put/3` bring it to a database and back.

  Keys have up to 1 KiB, values up to 256 KiB. A script that sets more than there is room for is told so.
  """

  alias Wasgo.Native

  @enforce_keys [:resource, :ref]
  defstruct [:resource, :ref]

  @opaque resource :: reference()
  @type t :: %__MODULE__{resource: resource(), ref: reference()}

  @options [
    bytes: [type: {:range, 1..0x4000_0000//1}, default: 1_048_576],
    keys: [type: {:range, 1..1_000_000//1}, default: 4_096]
  ]

  @doc """
  An empty one. Options: `:bytes` of all keys and values together, 1 MiB unless given, and `:keys`, 4,096 unless given.

      iex> state = Wasgo.Script.State.new(bytes: 4_096, keys: 16)
      iex> Wasgo.Script.new!(File.read!("guest/scripts/lamp.wat"), grant: [state: state]).name
      nil
  """
  @spec new(keyword()) :: t()
  def new(options \\ []) do
    options = Wasgo.Options.validate!(options, @options, "Wasgo.Script.State.new/1")
    %__MODULE__{resource: Native.state_new(options.bytes, options.keys), ref: make_ref()}
  end

  @doc """
  The value of a key; `nil` if there is none.

      iex> state = Wasgo.Script.State.new()
      iex> Wasgo.Script.State.get(state, "visits")
      nil
  """
  @spec get(t(), binary()) :: binary() | nil
  def get(%__MODULE__{resource: resource}, key) when is_binary(key),
    do: Native.state_get(resource, key)

  @doc """
  Sets a key. `{:error, %Wasgo.LimitError{}}` when there is no room.

      iex> state = Wasgo.Script.State.new(bytes: 64)
      iex> Wasgo.Script.State.put(state, "home", "12.5,40")
      :ok
      iex> {:error, error} = Wasgo.Script.State.put(state, "diary", String.duplicate("x", 1_000))
      iex> Exception.message(error)
      "the state has no room for 1000 bytes at a key of 5"
  """
  @spec put(t(), binary(), binary()) :: :ok | {:error, Wasgo.LimitError.t()}
  def put(%__MODULE__{resource: resource}, key, value) when is_binary(key) and is_binary(value) do
    if Native.state_put(resource, key, value) do
      :ok
    else
      message =
        "the state has no room for #{byte_size(value)} bytes at a key of #{byte_size(key)}"

      {:error, %Wasgo.LimitError{reason: :state, message: message, asked: byte_size(value)}}
    end
  end

  @doc """
  Takes a key away.

      iex> state = Wasgo.Script.State.new()
      iex> :ok = Wasgo.Script.State.put(state, "visits", <<3>>)
      iex> :ok = Wasgo.Script.State.delete(state, "visits")
      iex> Wasgo.Script.State.get(state, "visits")
      nil
  """
  @spec delete(t(), binary()) :: :ok
  def delete(%__MODULE__{resource: resource}, key) when is_binary(key) do
    Native.state_put(resource, key, nil)
    :ok
  end

  @doc """
  All keys and values.

      iex> state = Wasgo.Script.State.new()
      iex> :ok = Wasgo.Script.State.put(state, "a", "1")
      iex> Wasgo.Script.State.to_map(state)
      %{"a" => "1"}
  """
  @spec to_map(t()) :: %{binary() => binary()}
  def to_map(%__MODULE__{resource: resource}), do: Map.new(Native.state_all(resource))

  @doc """
  Bytes of all keys and values together.

      iex> state = Wasgo.Script.State.new()
      iex> :ok = Wasgo.Script.State.put(state, "visits", <<3>>)
      iex> Wasgo.Script.State.bytes(state)
      7
  """
  @spec bytes(t()) :: non_neg_integer()
  def bytes(%__MODULE__{resource: resource}), do: Native.state_bytes(resource)

  defimpl Inspect do
    def inspect(state, _opts), do: "#Wasgo.Script.State<#{Wasgo.Script.State.bytes(state)} bytes>"
  end
end
