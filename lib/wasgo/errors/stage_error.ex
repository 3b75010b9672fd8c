defmodule Wasgo.StageError do
  @moduledoc """
  A stage is at fault: its code, or how it was put together with others.

  `reason` is one of

    * `:crashed` - a callback of it raised, threw or exited; `cause` is the exception where there is one
    * `:returned` - a callback returned what it may not
    * `:killed` - its process was killed
    * `:format` - it can't take what the stream carries

  ## Examples

      iex> lost = fn _buffer -> raise "no such village" end
      iex> [{:error, error}] =
      ...>   [Wasgo.Buffer.new("brook")]
      ...>   |> Wasgo.Pipeline.through({Wasgo.Stages.Transform, with: lost}, timeout: 5_000)
      ...>   |> Enum.to_list()
      iex> {error.reason, error.stage, Exception.message(error.cause)}
      {:crashed, Wasgo.Stages.Transform, "no such village"}
  """

  @enforce_keys [:reason, :stage, :message]
  defexception [:reason, :stage, :message, :cause]

  @type t :: %__MODULE__{
          reason: :crashed | :returned | :killed | :format,
          stage: module(),
          message: String.t(),
          cause: Exception.t() | nil
        }

  @impl true
  def message(error), do: error.message

  @doc false
  def crashed(stage, callback, kind, reason, stack) do
    words = Exception.format_banner(kind, reason, stack)
    cause = if kind == :error, do: Exception.normalize(:error, reason, stack)
    message = "#{inspect(stage)}.#{callback} ended with #{words}"
    %__MODULE__{reason: :crashed, stage: stage, message: message, cause: cause}
  end

  @doc false
  def returned(stage, callback, value) do
    message =
      "#{inspect(stage)}.#{callback} returned #{inspect(value, limit: 5, printable_limit: 60)}"

    %__MODULE__{reason: :returned, stage: stage, message: message}
  end

  @doc false
  def killed(stage, reason) do
    message = "the process of #{inspect(stage)} was ended: #{inspect(reason, limit: 5)}"
    %__MODULE__{reason: :killed, stage: stage, message: message}
  end

  @doc false
  def format(stage, format, wanted) do
    message = "#{inspect(stage)} takes #{wanted}, and the stream carries #{inspect(format)}"
    %__MODULE__{reason: :format, stage: stage, message: message}
  end
end
