defmodule Wasgo.Godot.Server.Strangers do
  @moduledoc false
  # How many lines of the log may be about connections that were never welcomed: anybody can open one, and each would have a line.
  #
  # The connections count for themselves; the server is sent `:strangers` when it is time to tell of those that had no line.

  @most 20
  @period_ms 10_000

  @opaque t :: :atomics.atomics_ref()

  @spec new() :: t()
  def new, do: :atomics.new(1, signed: false)

  # Whether the caller may write a line of its own.
  @spec log?(t(), server :: pid()) :: boolean()
  def log?(strangers, server) do
    count = :atomics.add_get(strangers, 1, 1)
    if count == 1, do: Process.send_after(server, :strangers, @period_ms)
    count <= @most
  end

  # How many had none. Counts anew.
  @spec settle(t()) :: non_neg_integer()
  def settle(strangers), do: max(:atomics.exchange(strangers, 1, 0) - @most, 0)
end
