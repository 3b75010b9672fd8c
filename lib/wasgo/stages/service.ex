defmodule Wasgo.Stages.Service do
  @moduledoc """
  Asks a service one question for each buffer.

    * `:service` - a `Wasgo.Service`; required
    * `:ask` - a function of the buffer that returns the line to send; required
    * `:answer` - a function of the buffer and the line that came back, which returns the buffer to pass on; required
    * `:timeout` - milliseconds for an answer, 5000 unless given

  A request that fails costs its buffer, which becomes `{:error, %Wasgo.ServiceError{}}` in the stream.
  """

  use Wasgo.Stage

  @impl true
  def options do
    [
      service: [type: :server, required: true, doc: "a `Wasgo.Service`"],
      ask: [
        type: {:function, 1},
        required: true,
        doc: "a function of the buffer that returns the line to send"
      ],
      answer: [
        type: {:function, 2},
        required: true,
        doc: "a function of the buffer and the answer that returns the buffer to pass on"
      ],
      timeout: [type: :timeout, default: 5_000, doc: "milliseconds for an answer"]
    ]
  end

  # Requests wait in the service's own line.
  @impl true
  def stateless?(_options), do: true

  @impl true
  def handle_buffer(buffer, state) do
    case Wasgo.Service.request(state.service, state.ask.(buffer), state.timeout) do
      {:ok, line} -> {:ok, [state.answer.(buffer, line)], state}
      {:error, exception} -> {:error, exception, state}
    end
  end
end
