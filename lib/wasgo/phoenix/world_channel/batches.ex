defmodule Wasgo.Phoenix.WorldChannel.Batches do
  @moduledoc false
  # Rows that are encoded once for all clients of a world. Whoever finds none for where it is makes one and leaves it there; the others, whose ticks come at the same time, take it.
  # A client that was slow makes its own, which ends where the world is, and is with the others from the next one on.

  alias Wasgo.Phoenix.WorldChannel.{Follower, Rows}
  alias Wasgo.World.Transient.Cursor

  # The newest are kept, as many as a pass of one tick may have.
  @slots 8

  @typedoc "Values beyond `from` of objects from `at` to `to`, as clients at a number of the journal know them."
  @type batch ::
          {slot :: 0..7, from :: non_neg_integer(), at :: non_neg_integer(), Cursor.t(),
           rev :: non_neg_integer(), encoded :: binary() | nil}

  @doc false
  # The next rows for a client, encoded (`nil` where they are none), if somebody made them; or newly made, if they may be.
  @spec next(Follower.t(), make? :: boolean()) :: {binary() | nil, Follower.t()} | :none
  def next(%{tables: tables} = follower, make?) do
    cond do
      not Cursor.behind?(follower.values, tables) -> :none
      batch = find(follower) -> take(follower, batch)
      make? -> make(follower)
      true -> :none
    end
  end

  # All that the client lacks up to where it ends; it may say again what the client was told already. The furthest.
  defp find(%{tables: tables, values: %{from: from, at: at}, rev: rev}) do
    fitting =
      for {_slot, its_from, its_at, to, ^rev, _encoded} = batch <- :ets.tab2list(tables.batches),
          its_from <= from and its_at <= at and to.at > at,
          do: batch

    Enum.max_by(fitting, fn {_slot, _from, _at, to, _rev, _encoded} -> to.at end, fn -> nil end)
  end

  defp take(follower, {_slot, _from, _at, to, _rev, encoded}) do
    values = if Cursor.whole?(to), do: to, else: %{follower.values | at: to.at}
    {encoded, %{follower | values: values}}
  end

  defp make(%{tables: tables, values: %{from: from, at: at}, rev: rev} = follower) do
    {rows, follower} = Follower.rows(follower)
    encoded = if rows != [], do: Rows.encode(rows)
    slot = :ets.update_counter(tables.batches, :last, {2, 1, @slots - 1, 0}, {:last, 0})
    :ets.insert(tables.batches, {slot, from, at, follower.values, rev, encoded})
    {encoded, follower}
  end
end
