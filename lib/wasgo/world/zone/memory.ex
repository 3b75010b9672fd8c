defmodule Wasgo.World.Zone.Memory do
  @moduledoc false
  # What the engine of a zone holds of the world's objects: `{id, rev, :there | :gone}`, by the frame with that number. It outlives the connection, in the world's
  # process, so that an engine that comes back is sent what it lacks and not what it has.

  @enforce_keys [:table]
  defstruct [:table, sure?: false, base: 0]

  @type t :: %__MODULE__{}

  # Of so many frames back it is known which transient values were sent before them.
  @most_marks 256

  @spec new() :: t()
  def new do
    memory = %__MODULE__{table: :ets.new(__MODULE__, [:set, :public])}
    put_used(memory)
    memory
  end

  @spec delete(t()) :: true
  def delete(memory), do: :ets.delete(memory.table)

  @doc false
  # When it was used last, in the VM's own time.
  @spec age(t()) :: integer()
  def age(memory), do: :ets.lookup_element(memory.table, :used, 2)

  defp put_used(memory), do: :ets.insert(memory.table, {:used, System.monotonic_time()})

  @doc false
  # The memory for an engine that begins at a number, and the number of the last transient value that it surely has. One that holds nothing is known; so is one that
  # is where the last one was. Of another it is not known which objects it has.
  @spec begin(t(), non_neg_integer(), reset? :: boolean()) :: {t(), non_neg_integer()}
  def begin(memory, rev, reset?) do
    put_used(memory)

    case :ets.lookup(memory.table, :range) do
      [{:range, from, to, marks, sure?}] when rev >= from and rev <= to and not reset? ->
        # What was sent after that it may have or not.
        :ets.select_replace(memory.table, [
          {{:"$1", :"$2", :_}, [{:is_integer, :"$1"}, {:>, :"$2", rev}],
           [{{:"$1", :"$2", :unsure}}]}
        ])

        marks = Enum.drop_while(marks, fn {at, _sequence} -> at > rev end)
        # Of what it was not sent since the first time nobody knows more than then.
        :ets.insert(memory.table, {:range, from, rev, marks, sure?})
        sequence = with [{_at, sequence} | _] <- marks, do: sequence, else: ([] -> 0)
        {%{memory | sure?: sure?, base: from}, sequence}

      _unknown ->
        :ets.delete_all_objects(memory.table)
        put_used(memory)
        :ets.insert(memory.table, {:range, rev, rev, [], reset?})
        {%{memory | sure?: reset?, base: rev}, 0}
    end
  end

  @doc false
  # What the engine has of an object.
  @spec of(t(), tuple()) :: {:there, pos_integer()} | :gone | :unsure
  def of(memory, {id, _rev, _zone, marks, _body}) do
    case :ets.lookup(memory.table, id) do
      [{_id, rev, :there}] -> {:there, rev}
      [{_id, _rev, what}] -> what
      [] when memory.sure? -> :gone
      [] -> if elem(marks, 0) <= memory.base or elem(marks, 6), do: :unsure, else: :gone
    end
  end

  @doc false
  # A frame was sent: what it makes of objects, and which transient values went before it.
  @spec sent(t(), pos_integer(), [{non_neg_integer(), :there | :gone}], non_neg_integer()) :: true
  def sent(memory, rev, objects, sequence) do
    :ets.insert(memory.table, for({id, what} <- objects, do: {id, rev, what}))
    [{:range, from, _to, marks, sure?}] = :ets.lookup(memory.table, :range)
    marks = Enum.take([{rev, sequence} | marks], @most_marks)
    :ets.insert(memory.table, {:range, from, rev, marks, sure?})
  end
end
