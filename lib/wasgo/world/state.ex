defmodule Wasgo.World.State do
  @moduledoc false
  # What a world holds, in tables that its processes read without asking anyone: the newest change of each thing, and which thing each number of the
  # journal was the last change of. Only the world's own process writes them, and only what is committed. (`batches` is a few slots for those who read the same.)
  #
  # An entry is `{key, rev, zone, marks, body}`. Keys are the ids of objects, `:plan`, `{:property, name}`, `{:mesh, name}` and `{:chunk, address}`. A
  # body of `:gone` is the trace of a thing that was removed. Objects have marks: the numbers at which parts of them changed last.

  @enforce_keys [:main, :index, :meta, :numbers, :batches, :rows, :row_index]
  defstruct @enforce_keys

  @type key :: non_neg_integer() | :plan | {:property | :mesh | :chunk, term()}
  @type entry ::
          {key(), rev :: pos_integer(), zone :: String.t() | nil, marks :: tuple() | nil,
           body :: binary() | :gone}
  @type t :: %__MODULE__{}

  @rev 1
  @floor 2
  @sequence 3

  @spec new() :: t()
  def new do
    %__MODULE__{
      main: :ets.new(__MODULE__, [:ordered_set, :protected, read_concurrency: true]),
      index: :ets.new(__MODULE__, [:ordered_set, :protected, read_concurrency: true]),
      meta: :ets.new(__MODULE__, [:set, :protected, read_concurrency: true]),
      numbers: :atomics.new(3, []),
      batches: :ets.new(__MODULE__, [:set, :public, read_concurrency: true]),
      # Given by the process that has the transient values.
      rows: nil,
      row_index: nil
    }
  end

  @doc false
  # Whether the world is there still that these are the tables of.
  @spec there?(t()) :: boolean()
  def there?(state) do
    tables = [state.main, state.index, state.meta, state.rows, state.row_index]
    Enum.all?(tables, &(:ets.info(&1) != :undefined))
  end

  def rev(state), do: :atomics.get(state.numbers, @rev)
  def put_rev(state, rev), do: :atomics.put(state.numbers, @rev, rev)

  # Engines at a number below it do not hear of all that was removed since.
  def floor(state), do: :atomics.get(state.numbers, @floor)
  def put_floor(state, rev), do: :atomics.put(state.numbers, @floor, rev)

  # The number of the last change of transient values.
  def sequence(state), do: :atomics.get(state.numbers, @sequence)
  def put_sequence(state, number), do: :atomics.put(state.numbers, @sequence, number)

  @spec get(t(), key()) :: entry() | nil
  def get(state, key) do
    case :ets.lookup(state.main, key) do
      [entry] -> entry
      [] -> nil
    end
  end

  # Readers go by the index: what they find there must be in the table already, or they would pass it over.
  @spec put(t(), entry()) :: entry() | nil
  def put(state, {key, rev, _zone, _marks, _body} = entry) do
    before = get(state, key)
    :ets.insert(state.main, entry)
    :ets.insert(state.index, {rev, key})
    if before, do: :ets.delete(state.index, elem(before, 1))
    before
  end

  # A trace that nobody needs any more.
  @spec forget(t(), key(), pos_integer()) :: true
  def forget(state, key, rev) do
    :ets.delete(state.main, key)
    :ets.delete(state.index, rev)
  end

  # The entry with the least number beyond `rev`. What changed again meanwhile comes at its new number.
  @spec next(t(), non_neg_integer()) :: entry() | nil
  def next(state, rev) do
    with at when is_integer(at) <- :ets.next(state.index, rev) do
      with [{^at, key}] <- :ets.lookup(state.index, at),
           {_key, ^at, _zone, _marks, _body} = entry <- get(state, key) do
        entry
      else
        _changed_again -> next(state, at)
      end
    else
      :"$end_of_table" -> nil
    end
  end

  # Entries of objects that are there, by id, beyond one, up to a number of them.
  @spec objects(t(), integer(), non_neg_integer(), (entry() -> boolean())) :: [entry()]
  def objects(state, beyond, limit, wanted), do: objects(state, beyond, limit, wanted, [])

  defp objects(_state, _beyond, 0, _wanted, done), do: Enum.reverse(done)

  defp objects(state, beyond, left, wanted, done) do
    with id when is_integer(id) <- :ets.next(state.main, beyond) do
      case get(state, id) do
        {_id, _rev, _zone, _marks, body} = entry when body != :gone ->
          if wanted.(entry),
            do: objects(state, id, left - 1, wanted, [entry | done]),
            else: objects(state, id, left, wanted, done)

        _gone ->
          objects(state, id, left, wanted, done)
      end
    else
      _no_object -> Enum.reverse(done)
    end
  end

  # Entries whose keys are of a kind, that are there.
  @spec of_kind(t(), :property | :mesh | :chunk) :: [entry()]
  def of_kind(state, kind) do
    :ets.select(state.main, [
      {{{kind, :_}, :_, :_, :_, :"$1"}, [{:"=/=", :"$1", :gone}], [:"$_"]}
    ])
  end

  # The plan as it is used, with what it was made of in the native half.
  def plan(state) do
    case :ets.lookup(state.meta, :plan) do
      [{:plan, plan}] -> plan
      [] -> nil
    end
  end

  def put_plan(state, plan), do: :ets.insert(state.meta, {:plan, plan})

  @typedoc "Zones that are connected: since which second of the monotonic clock, and the number that each is at (second of the atomics)."
  @type zones :: %{String.t() => {since :: integer(), :atomics.atomics_ref()}}

  @spec zones(t()) :: zones()
  def zones(state) do
    case :ets.lookup(state.meta, :zones) do
      [{:zones, zones}] -> zones
      [] -> %{}
    end
  end

  def put_zones(state, zones), do: :ets.insert(state.meta, {:zones, zones})
end
