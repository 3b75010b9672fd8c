defmodule Wasgo.Godot.Process.Backoff do
  @moduledoc false
  # How long to wait before a program is started again: twice as long each time, and never the same for two programs that fail together.

  @enforce_keys [:least, :most]
  defstruct [:least, :most, attempts: 0]

  @type t :: %__MODULE__{least: pos_integer(), most: pos_integer(), attempts: non_neg_integer()}

  # Over this the wait is the longest there is, whatever the shortest.
  @max_doublings 32

  @spec new({pos_integer(), pos_integer()}) :: t()
  def new({least, most}), do: %__MODULE__{least: least, most: most}

  @doc "The next wait in ms, which is at most a quarter shorter or longer than the one it stands for, and never over the longest."
  @spec next(t()) :: {pos_integer(), t()}
  def next(%__MODULE__{least: least, most: most, attempts: attempts} = backoff) do
    wait = min(most, least * 2 ** min(attempts, @max_doublings))
    jitter = 0.75 + :rand.uniform() / 2

    {wait |> Kernel.*(jitter) |> round() |> min(most) |> max(1),
     %{backoff | attempts: attempts + 1}}
  end

  @spec reset(t()) :: t()
  def reset(%__MODULE__{} = backoff), do: %{backoff | attempts: 0}
end
