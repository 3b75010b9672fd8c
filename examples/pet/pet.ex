defmodule Wasgo.Example.Pet do
  @moduledoc """
  A pet that lives in a database: notified 20 times a second, and given another script and its old one again while it lives.

  Each notification is a transaction: what the pet keeps is there after it, and no other. A script that is put is the next notification's.
  """

  alias Wasgo.Script
  alias Wasgo.Script.Registry
  alias Wasgo.Store

  @source Path.expand("../../guest/scripts/pet.wat", __DIR__)
  @external_resource @source

  @hertz 20

  @type answer :: {tick :: pos_integer(), age :: pos_integer(), mood :: String.t()}

  @doc """
  Lets a pet live for `seconds` in `store`: a third of them asleep, a third with another script that dances, the last with the first again.

  `pace` is called before each tick with the time in milliseconds since the first that it is due at. Answers what the pet said each time.
  """
  @spec live(Store.t(), pos_integer(), (non_neg_integer() -> term())) :: [answer()]
  def live(store, seconds, pace) do
    source = File.read!(@source)
    {:ok, _version} = Registry.put(store, "pet", source, author: "Ada", grants: [:state])
    :ok = Registry.put_object(store, "rex", "pet", "pet")
    ticks = seconds * @hertz
    {second, last} = {div(ticks, 3), div(2 * ticks, 3)}

    for tick <- 1..ticks do
      # From another process: nobody waits for anybody.
      if tick == second + 1, do: Task.await(Task.async(fn -> replace(store, source) end), 60_000)
      if tick == last + 1, do: {:ok, _version} = Registry.rollback(store, "pet", author: "Ada")
      pace.(div((tick - 1) * 1_000, @hertz))

      {:ok, %{"age" => age, "mood" => mood}} =
        Script.notify(store, "rex", :process, [1 / @hertz], timeout: 60_000)

      {tick, age, mood}
    end
  end

  defp replace(store, source) do
    dancing = String.replace(source, "sleeps", "dances")
    {:ok, _version} = Registry.put(store, "pet", dancing, author: "Grace", grants: [:state])
  end

  @doc "What there is to say of it, in lines."
  @spec told([answer()]) :: [String.t()]
  def told(answers) do
    answers
    |> Enum.chunk_by(fn {_tick, _age, mood} -> mood end)
    |> Enum.map(fn [{from, first, mood} | _] = said ->
      {to, last, _mood} = List.last(said)
      "ticks #{from} to #{to}: rex #{mood}, and is #{first} to #{last} steps old"
    end)
  end
end
