defmodule Wasgo.Godot.Connection.State do
  @moduledoc false
  # What the process of one connection knows. The phases are `:accepted` (no socket yet), `:greeting` (until the hello), `:proving` (until the
  # proof), `:open`, `:closing` (what was sent is yet to be acknowledged) and `{:parting, why}` (the last frame is out; what still comes is thrown away).

  alias Wasgo.Godot.Connection.{Calls, Credit, Framing, Functions, Inbox, Window}

  defstruct [
    :server,
    :options,
    :transport,
    :framing,
    :outbox,
    :handle,
    :window,
    :handshake,
    :hello,
    :zone,
    :scripts,
    # The connection as telemetry hears of it, from when it was open.
    :span,
    phase: :accepted,
    credit: %Credit{},
    calls: %Calls{},
    open_calls: 0,
    inbox: %Inbox{},
    functions: %Functions{},
    rooms: %{},
    pushed: %{},
    closers: [],
    next_id: 1,
    errors: [],
    error_count: 0,
    heard_at: 0
  ]

  @type t :: %__MODULE__{}

  @spec new(pid(), map(), max_hello :: pos_integer()) :: t()
  def new(server, options, max_hello) do
    %__MODULE__{
      server: server,
      options: options,
      window: Window.new(options.window),
      framing: Framing.new(max_hello)
    }
  end

  # Of the log lines of an open connection.
  @spec metadata(Wasgo.Godot.Connection.t()) :: keyword(String.t())
  def metadata(handle) do
    [wasgo_connection: handle.address, wasgo_world: handle.world, wasgo_zone: handle.zone]
  end

  @spec address(t()) :: String.t()
  def address(%__MODULE__{transport: nil}), do: "?"
  def address(%__MODULE__{transport: transport}), do: transport.address
end
