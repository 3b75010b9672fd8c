defmodule Wasgo.Service.Waiting do
  @moduledoc false
  # Who waits for a service's answers. Pure: a struct, and what an answer means to it.
  #
  # Answers come in the order of the requests, or each with the key of its request. One who asked for many at once gets them at once. Answers that nobody
  # wants any more are still waited for in their place, so that they are not taken for another's.

  defstruct order: :queue.new(), keyed: %{}, owners: %{}, count: 0, next: 1

  @type owner :: reference()

  @type t :: %__MODULE__{
          order: :queue.queue(owner()),
          keyed: %{integer() => {owner(), non_neg_integer()}},
          owners: %{owner() => map()},
          count: non_neg_integer(),
          next: pos_integer()
        }

  @doc "Nobody."
  def new, do: %__MODULE__{}

  @doc "How many answers are waited for."
  def count(%__MODULE__{count: count}), do: count

  @doc "The keys of the next `number` requests."
  def keys(%__MODULE__{next: next}, number), do: Enum.to_list(next..(next + number - 1)//1)

  @doc "Someone waits for `number` answers, as one list if `many`; with `keyed` each has a key of `keys/2`."
  def add(%__MODULE__{} = waiting, owner, who, number, many, keyed) do
    entry = %{who: who, left: number, answers: [], many: many}

    waiting = %{
      waiting
      | owners: Map.put(waiting.owners, owner, entry),
        count: waiting.count + number
    }

    if keyed do
      places =
        waiting
        |> keys(number)
        |> Enum.with_index()
        |> Map.new(fn {key, at} -> {key, {owner, at}} end)

      %{waiting | keyed: Map.merge(waiting.keyed, places), next: waiting.next + number}
    else
      %{waiting | order: :queue.in({owner, number}, waiting.order)}
    end
  end

  @doc "An answer came: whoever has all of theirs with it is to be told, `:none` if nobody asked."
  def answer(%__MODULE__{} = waiting, answer) do
    case :queue.out(waiting.order) do
      {:empty, _order} ->
        :none

      {{:value, {owner, 1}}, order} ->
        give(%{waiting | order: order}, owner, answer)

      {{:value, {owner, number}}, order} ->
        give(%{waiting | order: :queue.in_r({owner, number - 1}, order)}, owner, answer)
    end
  end

  @doc "As `answer/2`, for the request of a key."
  def answer(%__MODULE__{} = waiting, key, answer) do
    case Map.pop(waiting.keyed, key) do
      {nil, _keyed} -> :none
      {{owner, at}, keyed} -> give(%{waiting | keyed: keyed}, owner, {at, answer})
    end
  end

  defp give(waiting, owner, answer) do
    waiting = %{waiting | count: waiting.count - 1}

    case waiting.owners do
      %{^owner => %{left: 1} = entry} ->
        {{entry.who, result(entry, [answer | entry.answers])},
         %{waiting | owners: Map.delete(waiting.owners, owner)}, owner}

      %{^owner => entry} ->
        entry = %{entry | left: entry.left - 1, answers: [answer | entry.answers]}
        {nil, %{waiting | owners: %{waiting.owners | owner => entry}}, owner}

      # Given up.
      %{} ->
        {nil, waiting, owner}
    end
  end

  defp result(%{many: false}, [{at, answer}]) when is_integer(at), do: answer
  defp result(%{many: false}, [answer]), do: answer

  defp result(%{many: true}, [{at, _answer} | _rest] = answers) when is_integer(at) do
    answers |> Enum.sort() |> Enum.map(&elem(&1, 1))
  end

  defp result(%{many: true}, answers), do: Enum.reverse(answers)

  @doc "Someone waits no more: whom to tell, unless they were told already."
  def give_up(%__MODULE__{} = waiting, owner) do
    {entry, owners} = Map.pop(waiting.owners, owner)
    {entry && entry.who, %{waiting | owners: owners}}
  end

  @doc "All who wait."
  def all(%__MODULE__{owners: owners}), do: Enum.map(owners, fn {_owner, entry} -> entry.who end)
end
