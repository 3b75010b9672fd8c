defmodule Wasgo.Service.Subscriber do
  @moduledoc false
  # Who hears what nobody asked a service for, how much of it they still want, and what waits for them. The functions send what may be sent.

  defstruct pid: nil, demand: 0, waiting: :queue.new(), size: 0

  @type t :: %__MODULE__{
          pid: pid() | nil,
          demand: non_neg_integer() | :infinity,
          waiting: :queue.queue({term(), non_neg_integer()}),
          size: non_neg_integer()
        }

  @doc "Another one, or the same one anew; what waits is theirs."
  @spec put(t(), pid() | nil, non_neg_integer() | :infinity) :: t()
  def put(%__MODULE__{} = subscriber, nil, _demand), do: subscriber

  def put(%__MODULE__{} = subscriber, pid, demand) do
    Process.monitor(pid)
    pass_on(%{subscriber | pid: pid, demand: demand})
  end

  @doc "It is gone, and what waited for it too."
  @spec gone() :: t()
  def gone, do: %__MODULE__{}

  @doc "It wants so many messages more."
  @spec demand(t(), pos_integer() | :infinity) :: t()
  def demand(%__MODULE__{demand: before} = subscriber, more) do
    sum = if :infinity in [more, before], do: :infinity, else: before + more
    pass_on(%{subscriber | demand: sum})
  end

  @doc "Whether there is one."
  @spec any?(t()) :: boolean()
  def any?(%__MODULE__{pid: pid}), do: pid != nil

  @doc "A message for it."
  @spec tell(t(), term()) :: t()
  def tell(%__MODULE__{} = subscriber, message) do
    size = if is_binary(message), do: byte_size(message), else: :erlang.external_size(message)
    waiting = :queue.in({message, size}, subscriber.waiting)
    pass_on(%{subscriber | waiting: waiting, size: subscriber.size + size})
  end

  @doc "All that waits, wanted or not, then that the program ended: it could not be asked for any more."
  @spec ended(t(), Exception.t()) :: t()
  def ended(%__MODULE__{pid: nil} = subscriber, _exception), do: subscriber

  def ended(%__MODULE__{demand: demand} = subscriber, exception) do
    subscriber = pass_on(%{subscriber | demand: :infinity})
    send(subscriber.pid, {:wasgo_service, self(), {:ended, exception}})
    %{subscriber | demand: demand}
  end

  defp pass_on(%{pid: nil} = subscriber), do: subscriber
  defp pass_on(%{demand: 0} = subscriber), do: subscriber

  defp pass_on(subscriber) do
    case :queue.out(subscriber.waiting) do
      {:empty, _waiting} ->
        subscriber

      {{:value, {message, size}}, waiting} ->
        send(subscriber.pid, {:wasgo_service, self(), message})
        demand = if subscriber.demand == :infinity, do: :infinity, else: subscriber.demand - 1
        pass_on(%{subscriber | waiting: waiting, size: subscriber.size - size, demand: demand})
    end
  end
end
