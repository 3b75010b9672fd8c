defmodule Wasgo.Gen.Cache.LRU do
  @moduledoc false
  # Keys with a value and a size, of which the least recently used goes first. Two tables of the process that made it: keys, and their order.
  # Each use has a number, the greatest of all before; what was used in an earlier life of the cache is put with the number that it had.

  @enforce_keys [:keys, :order, :most]
  defstruct [:keys, :order, :most, bytes: 0, number: 0]

  @type t :: %__MODULE__{}

  # At most so many bytes.
  @spec new(non_neg_integer()) :: t()
  def new(most) do
    # Other processes may look whether a key is there.
    keys = :ets.new(__MODULE__, [:set, :protected])
    %__MODULE__{keys: keys, order: :ets.new(__MODULE__, [:ordered_set, :private]), most: most}
  end

  @spec member?(t(), binary()) :: boolean()
  def member?(lru, key), do: :ets.member(lru.keys, key)

  @spec count(t()) :: non_neg_integer()
  def count(lru), do: :ets.info(lru.keys, :size)

  # The value, which is now the last to go.
  @spec use(t(), binary()) :: {:ok, term(), t()} | :none
  def use(lru, key) do
    case :ets.lookup(lru.keys, key) do
      [{^key, number, _size, value}] ->
        :ets.delete(lru.order, {number, key})
        next = lru.number + 1
        :ets.insert(lru.order, {{next, key}})
        :ets.update_element(lru.keys, key, {2, next})
        {:ok, value, %{lru | number: next}}

      [] ->
        :none
    end
  end

  # The number of the last use of a key that is there.
  @spec number(t(), binary()) :: non_neg_integer()
  def number(lru, key), do: :ets.lookup_element(lru.keys, key, 2)

  @spec put(t(), binary(), non_neg_integer(), term(), non_neg_integer() | nil) :: t()
  def put(lru, key, size, value, number \\ nil) do
    lru = delete(lru, key)
    number = number || lru.number + 1
    :ets.insert(lru.keys, {key, number, size, value})
    :ets.insert(lru.order, {{number, key}})
    %{lru | bytes: lru.bytes + size, number: max(lru.number, number)}
  end

  # Another value for a key, if it is there: no use of it.
  @spec put_value(t(), binary(), term()) :: t()
  def put_value(lru, key, value) do
    :ets.update_element(lru.keys, key, {4, value})
    lru
  end

  @spec delete(t(), binary()) :: t()
  def delete(lru, key) do
    case :ets.take(lru.keys, key) do
      [{^key, number, size, _value}] ->
        :ets.delete(lru.order, {number, key})
        %{lru | bytes: lru.bytes - size}

      [] ->
        lru
    end
  end

  # Removes what is too much, and says what that was.
  @spec shrink(t()) :: {[binary()], t()}
  def shrink(lru, gone \\ [])

  def shrink(%{bytes: bytes, most: most} = lru, gone) when bytes > most do
    {_number, key} = :ets.first(lru.order)
    shrink(delete(lru, key), [key | gone])
  end

  def shrink(lru, gone), do: {gone, lru}

  @spec clear(t()) :: t()
  def clear(lru) do
    :ets.delete_all_objects(lru.keys)
    :ets.delete_all_objects(lru.order)
    %{lru | bytes: 0}
  end
end
