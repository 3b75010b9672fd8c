defmodule Wasgo.Stages.Service do
  @moduledoc """
  Asks a service one question for each buffer.

    * `:service` - a `Wasgo.Service`, or
    * `:pool` - a `Wasgo.Service.Pool`; one of them is required
    * `:ask` - a function of the buffer that returns the message to send, as the service's framing takes it; required
    * `:answer` - a function of the buffer and the message that came back, which returns the buffer to pass on; required
    * `:timeout` - milliseconds for an answer, 5000 unless given
    * `:retries` - how many more copies of a pool are asked when one ended before it answered, 0 unless given

  A request that fails costs its buffer, which becomes `{:error, %Wasgo.ServiceError{}}` in the stream; an element of Membrane has `:on_error` for it.

  The stage has no state, so that many buffers can be asked for at once: `Wasgo.Pipeline.through/3` and the elements have `:max_concurrency` and `:max_in_flight`,
  and `ordered: false` for answers in the order in which they come. In a pool each copy has its share of them; a single service is sent one request behind the other, and a program whose
  answers carry the numbers of their requests (`answers: {:by, "id"}`) may answer in any order.

      buffers
      |> Wasgo.Pipeline.through({Wasgo.Stages.Service, pool: faces, ask: &ask/1, answer: &answer/2, retries: 2}, max_concurrency: 8)
  """

  use Wasgo.Stage

  alias Wasgo.Service.Pool

  @impl true
  def options do
    [
      service: [type: {:or, [:server, {:in, [nil]}]}, default: nil, doc: "a `Wasgo.Service`"],
      pool: [type: {:or, [:server, {:in, [nil]}]}, default: nil, doc: "a `Wasgo.Service.Pool`"],
      ask: [
        type: {:function, 1},
        required: true,
        doc: "a function of the buffer that returns the message to send"
      ],
      answer: [
        type: {:function, 2},
        required: true,
        doc: "a function of the buffer and the answer that returns the buffer to pass on"
      ],
      timeout: [type: :timeout, default: 5_000, doc: "milliseconds for an answer"],
      retries: [
        type: {:range, 0..100},
        default: 0,
        doc: "how many more copies of a pool are asked when one ended before it answered"
      ]
    ]
  end

  # Requests wait in the service's own line.
  @impl true
  def stateless?(_options), do: true

  @impl true
  def check(%{service: nil, pool: nil}), do: {:error, "needs the option :service or :pool"}

  def check(%{service: service, pool: pool}) when service != nil and pool != nil do
    {:error, "takes one of the options :service and :pool, not both"}
  end

  def check(%{pool: nil, retries: retries}) when retries > 0 do
    {:error, "takes the option :retries with a :pool only: a single service has no other copy"}
  end

  def check(_options), do: :ok

  @impl true
  def handle_buffer(buffer, state) do
    case request(state, state.ask.(buffer)) do
      {:ok, answer} -> {:ok, [state.answer.(buffer, answer)], state}
      {:error, exception} -> {:error, exception, state}
    end
  end

  defp request(%{pool: nil} = state, message) do
    Wasgo.Service.request(state.service, message, state.timeout)
  end

  defp request(state, message) do
    Pool.request(state.pool, message, state.timeout, retries: state.retries)
  end
end
