defmodule Wasgo.Godot.Connection do
  @moduledoc """
  A Godot engine that is connected to a `Wasgo.Godot.Server`.

      {:ok, connection} = Wasgo.Godot.Server.await_connection(server)

      {:ok, 1} =
        Connection.send(connection, "spawn", %{
          "nodes" => [%{"id" => 1, "name" => "Here", "mesh" => "", "transform" => %Transform3D{}}]
        })

      :ok = Connection.flush(connection)
      {:ok, %{"nodes" => 1}} = Connection.request(connection, "report")

  Frames are those of the wire protocol (`godot/PROTOCOL.md`); their fields are terms as `Wasgo.Godot.Variant` takes them.

  ## Two lanes, and who waits for whom

  What is small and urgent (nodes, rows, meshes) goes by the live lane, chunks and assets by the bulk lane, which never holds up the live one.
  `send/4` waits while there is no room in the frame's lane, and with it whatever makes the frames; with `timeout: 0` it does not wait.
  Frames of one process and lane arrive in the order it sent them.

    * In the live lane no more than the server's `:window` of bytes is ever sent and not acknowledged. A frame larger than the window goes when
      nothing else is outstanding.
    * In the bulk lane the engine sets the pace: it grants bytes and microseconds of its main thread. One that grants nothing is sent nothing.

  A frame is encoded (and, where the engine takes it and is on another machine, compressed) in the process that sends it, and not copied after that.

  ## What the game says

  A connection is a source too: who subscribes (`subscribe/2`) gets one message `{:wasgo_godot, :events, connection}` when there is something, and fetches it
  with `events/1`. What is not fetched is kept up to a bound; the oldest go first, and are counted. `Wasgo.Stages.GodotEvents` is the same as the source of a stream.

  ## When it ends

  A connection ends when either side closes it, when the engine says nothing for three heartbeats, or when it breaks the
  protocol. Whoever waits then gets a `Wasgo.GodotError` with the reason `{:disconnected, why}`, and so does every later
  call. Nothing is sent again by itself: an engine that comes back is a new connection, and starts empty.
  """

  alias Wasgo.Godot.Connection.Frame
  alias Wasgo.{GodotError, Options}

  @enforce_keys [:pid, :ref, :address, :client]
  defstruct [:pid, :ref, :address, :client, world: "", zone: "", compress: false]

  @typedoc """
  A handle. `address` is the engine's end, such as `"127.0.0.1:40122"`, and `client` what it calls itself (a text of the
  peer's); `world` and `zone` are what it asked for; `compress` is whether large frames to it are compressed.
  """
  @type t :: %__MODULE__{
          pid: pid(),
          ref: reference(),
          address: String.t(),
          client: String.t(),
          world: String.t(),
          zone: String.t(),
          compress: boolean()
        }

  @typedoc """
  What the game says, by the kinds of `godot/PROTOCOL.md`. Positions and radii are in metres.
  """
  @type event ::
          {:viewers,
           [{id :: integer(), {x :: float(), y :: float(), z :: float()}, radius :: float()}]}
          | {:event, %{name: String.t(), node: String.t(), data: term()}}
          | {:input, %{String.t() => term()}}
          | {:notify, [{id :: integer(), what :: integer(), args :: [term()]}]}
          | {:attach, [%{id: integer(), script: String.t(), node: String.t(), state: String.t()}]}
          | {:detach, [integer()]}
          | {:scene, %{id: integer(), name: String.t(), glb: binary()}}
          | {:resume, map()}
          | {:want, String.t(), [names_or_hashes :: binary()]}

  @typedoc "The live lane is for what is small and urgent, the bulk lane for chunks and assets."
  @type lane :: :live | :bulk

  @typedoc """
  What was sent and what came of it.

    * `frames`, `bytes` - numbered frames sent in both lanes, and their bytes with the length fields
    * `acknowledged` - how many of these frames the engine has dealt with
    * `unacknowledged_bytes` - the bytes of the others
    * `granted_bytes` - how many bytes the bulk lane may have sent since the beginning
    * `work_us` - what the frames of the bulk lane have cost the engine's main thread, in microseconds
    * `waiting` - senders that wait for room
    * `errors` - frames that the engine could not apply
    * `last_errors` - the last 32 of these, oldest first: the frame's lane and number and the engine's words (at most 512 bytes)
  """
  @type stats :: %{
          frames: non_neg_integer(),
          bytes: non_neg_integer(),
          acknowledged: non_neg_integer(),
          unacknowledged_bytes: non_neg_integer(),
          granted_bytes: non_neg_integer(),
          work_us: non_neg_integer(),
          waiting: non_neg_integer(),
          errors: non_neg_integer(),
          last_errors: [{lane(), number :: pos_integer(), message :: String.t()}]
        }

  @send_timeout 30_000
  @timeout 30_000
  @close_timeout 5_000

  @send_options [
    timeout: [type: {:range, 0..0xFFFF_FFFF}, default: @send_timeout],
    lane: [type: {:in, [nil, :live, :bulk]}, default: nil]
  ]
  @kinds [:viewers, :event, :input, :notify, :attach, :detach, :scene, :resume, :want]

  @doc """
  Sends a numbered frame, waiting while there is no room in its lane. The result is the frame's number in its lane.

  `fields` is a map of what the frame holds besides `"t"` and its number.

  Options:

    * `:timeout` - how long to wait for room, in ms; #{@send_timeout} unless given. With 0 it does not wait: without room the reason is `:full`, and
      the caller gets a message `{:wasgo_godot, {:room, lane}, connection}` once there is room for such a frame
    * `:lane` - `:live` or `:bulk`; the one that is usual for the kind unless given

  Errors: a `Wasgo.GodotError` with the reason `{:encode, _}`, `{:too_large, _}` (more than 64 MiB), `:timeout` (the
  frame was not sent, and will not be), `:full`, `{:too_many_waiting, _}` or `{:disconnected, _}`. After the last of these the
  engine may have got the frame, or not.

      node = %{"id" => 1, "name" => "Hare", "mesh" => "", "transform" => %Wasgo.Godot.Transform3D{}}

      case Wasgo.Godot.Connection.send(connection, "spawn", %{"nodes" => [node]}, timeout: 0) do
        {:ok, number} -> {:sent, number}
        {:error, %Wasgo.GodotError{reason: :full}} -> :later
      end
  """
  @spec send(t(), String.t(), map(), timeout: non_neg_integer(), lane: lane() | nil) ::
          {:ok, number :: pos_integer()} | {:error, GodotError.t()}
  def send(%__MODULE__{} = connection, kind, fields, options \\ []) do
    %{timeout: timeout, lane: lane} =
      Options.validate!(options, @send_options, "Wasgo.Godot.Connection.send/4")

    with {:ok, frame} <- Frame.new(kind, fields, lane, connection.compress),
         do: call(connection, {:send, frame, timeout})
  end

  @doc """
  Waits until the engine has dealt with everything that was sent before this call, for `timeout` ms at most.

      {:ok, _number} = Wasgo.Godot.unload_chunks(connection, [{0, 0}])
      :ok = Wasgo.Godot.Connection.flush(connection, 5_000)
  """
  @spec flush(t(), pos_integer()) :: :ok | {:error, GodotError.t()}
  def flush(%__MODULE__{} = connection, timeout \\ @timeout)
      when is_integer(timeout) and timeout > 0 do
    call(connection, {:flush, timeout})
  end

  @doc """
  Asks the engine something, and waits for its answer for `timeout` ms at most. Reports and pictures come when it has applied what was
  sent before in the live lane.

    * `"report"` (no fields) - `{:ok, counts}`, a map from names as in `godot/PROTOCOL.md` to numbers
    * `"picture"` (`"eye"`, `"target"`, `"fov"`) - `{:ok, png}`
    * `"call"` (`"path"`, `"method"`, `"args"`) - `{:ok, value}`: see `Wasgo.Godot.call/5`
    * `"export"` (`"path"`) - `{:ok, glb}`: see `Wasgo.Godot.export_scene/3`

  An engine that cannot (one without a display takes no pictures), or may not, gives the reason `{:engine, message}`.

      {:ok, %{"nodes" => nodes}} = Wasgo.Godot.Connection.request(connection, "report")

      fields = %{"path" => "Village/Inn", "method" => "open", "args" => []}
      {:ok, answer} = Wasgo.Godot.Connection.request(connection, "call", fields, 1_000)
  """
  @spec request(t(), String.t(), map(), pos_integer()) :: {:ok, term()} | {:error, GodotError.t()}
  def request(connection, kind, fields \\ %{}, timeout \\ @timeout)

  def request(%__MODULE__{} = connection, kind, fields, timeout)
      when kind in ["report", "picture", "call", "export"] and is_map(fields) and
             is_integer(timeout) and timeout > 0 do
    call(connection, {:request, kind, fields, timeout})
  end

  @doc """
  Has the calling process told when the game says something of these kinds: `:all`, or some of #{Enum.map_join(@kinds, ", ", &"`#{inspect(&1)}`")}.

  It gets the message `{:wasgo_godot, :events, connection}`, and no other one until it has called `events/1`. At most 256 events, and 64 MiB of them, are
  kept for it. A connection has 16 subscribers at most; another one gets the reason `{:too_many_waiting, 16}`.

      :ok = Wasgo.Godot.Connection.subscribe(connection, [:viewers, :event])

      receive do
        {:wasgo_godot, :events, ^connection} -> Wasgo.Godot.Connection.events(connection)
      end
  """
  @spec subscribe(t(), [atom()] | :all) :: :ok | {:error, GodotError.t()}
  def subscribe(%__MODULE__{} = connection, kinds \\ :all) do
    if kinds != :all do
      for kind <- kinds, kind not in @kinds do
        raise ArgumentError, "#{inspect(kind)} is none of #{inspect(@kinds)}"
      end
    end

    call(connection, {:subscribe, kinds})
  end

  @doc """
  What the game has said since the last time, oldest first, and how many events there was no room for.

      {:ok, events, _dropped} = Wasgo.Godot.Connection.events(connection)

      for {:event, %{name: "door_opened", node: door, data: data}} <- events do
        Logger.info("\#{door} was opened: \#{inspect(data)}")
      end
  """
  @spec events(t()) ::
          {:ok, [event()], dropped :: non_neg_integer()} | {:error, GodotError.t()}
  def events(%__MODULE__{} = connection), do: call(connection, :events)

  @doc false
  # A frame without a number that answers an `attach`.
  @spec attached(t(), map()) :: :ok | {:error, GodotError.t()}
  def attached(%__MODULE__{} = connection, fields) do
    with {:ok, frame} <- Frame.control("attached", fields),
         do: call(connection, {:control, frame})
  end

  @doc """
  What was sent, and what came of it.

      {:ok, stats} = Wasgo.Godot.Connection.stats(connection)
      {stats.frames - stats.acknowledged, stats.last_errors}
      # {0, []}
  """
  @spec stats(t()) :: {:ok, stats()} | {:error, GodotError.t()}
  def stats(%__MODULE__{} = connection), do: call(connection, :stats)

  @doc """
  Closes the connection: nothing more is taken, what was taken is given `timeout` ms to be sent and acknowledged, then the
  engine is told bye and given a second to read it.

  Closing what is closed is well.

      :ok = Wasgo.Godot.Connection.close(connection)
      {:error, %Wasgo.GodotError{reason: {:disconnected, _why}}} = Wasgo.Godot.Connection.flush(connection)
  """
  @spec close(t(), pos_integer()) :: :ok
  def close(%__MODULE__{} = connection, timeout \\ @close_timeout)
      when is_integer(timeout) and timeout > 0 do
    _closed = call(connection, {:close, timeout})
    :ok
  end

  # The process answers in any case, within the time that the request names.
  defp call(%__MODULE__{pid: pid}, request) do
    GenServer.call(pid, request, :infinity)
  catch
    :exit, {{:shutdown, {:wasgo_godot, why}}, _call} -> disconnected(why)
    :exit, {reason, _call} when reason in [:noproc, :normal] -> disconnected(:gone)
    :exit, {:shutdown, _call} -> disconnected(:stopped)
    :exit, {reason, _call} -> disconnected({:crashed, reason})
  end

  defp disconnected(why), do: {:error, %GodotError{reason: {:disconnected, why}}}

  @doc false
  @spec address(:inet.ip_address(), :inet.port_number()) :: String.t()
  def address(ip, port) when tuple_size(ip) == 8, do: "[#{:inet.ntoa(ip)}]:#{port}"
  def address(ip, port), do: "#{:inet.ntoa(ip)}:#{port}"

  defimpl Inspect do
    def inspect(connection, _options) do
      state = if alive?(connection.pid), do: "open", else: "closed"
      client = Kernel.inspect(connection.client, printable_limit: 80)
      "#Wasgo.Godot.Connection<#{client} at #{connection.address}, #{state}>"
    end

    defp alive?(pid), do: node(pid) != node() or Process.alive?(pid)
  end
end
