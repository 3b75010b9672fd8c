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

  ## Who waits for whom

  The engine acknowledges what it has applied. No more than the server's `:window` of bytes is ever sent and not
  acknowledged: `send/4` waits while there is no room, and with it whatever makes the frames. A frame larger than the
  window goes when nothing else is outstanding. Frames of one process arrive in the order it sent them.

  A frame is encoded in the process that sends it, and not copied after that.

  ## When it ends

  A connection ends when either side closes it, when the engine says nothing for three heartbeats, or when it breaks the
  protocol. Whoever waits then gets a `Wasgo.GodotError` with the reason `{:disconnected, why}`, and so does every later
  call. Nothing is sent again by itself: an engine that comes back is a new connection, and starts empty.
  """

  alias Wasgo.Godot.Connection.Frame
  alias Wasgo.{GodotError, Options}

  @enforce_keys [:pid, :ref, :address, :client]
  defstruct [:pid, :ref, :address, :client]

  @typedoc """
  A handle. `address` is the engine's end, such as `"127.0.0.1:40122"`, and `client` what it calls itself (a text of the
  peer's).
  """
  @type t :: %__MODULE__{
          pid: pid(),
          ref: reference(),
          address: String.t(),
          client: String.t()
        }

  @typedoc """
  What was sent and what came of it.

    * `frames`, `bytes` - numbered frames sent, and their bytes with the length fields
    * `acknowledged` - how many of these frames the engine has dealt with
    * `unacknowledged_bytes` - the bytes of the others
    * `waiting` - senders that wait for room
    * `errors` - frames that the engine could not apply
    * `last_errors` - the last 32 of these, oldest first: the frame's number and the engine's words (at most 512 bytes)
  """
  @type stats :: %{
          frames: non_neg_integer(),
          bytes: non_neg_integer(),
          acknowledged: non_neg_integer(),
          unacknowledged_bytes: non_neg_integer(),
          waiting: non_neg_integer(),
          errors: non_neg_integer(),
          last_errors: [{seq :: pos_integer(), message :: String.t()}]
        }

  @send_timeout 30_000
  @timeout 30_000
  @close_timeout 5_000

  @send_options [timeout: [type: :timeout, default: @send_timeout]]

  @doc """
  Sends a numbered frame, waiting while the window is full. The result is the frame's number.

  `fields` is a map of what the frame holds besides `"t"` and `"seq"`.

  Options:

    * `:timeout` - how long to wait for room, in ms; #{@send_timeout} unless given

  Errors: a `Wasgo.GodotError` with the reason `{:encode, _}`, `{:too_large, _}` (more than 64 MiB), `:timeout` (the
  frame was not sent, and will not be), `{:too_many_waiting, _}` or `{:disconnected, _}`. After the last of these the
  engine may have got the frame, or not.
  """
  @spec send(t(), String.t(), map(), timeout: pos_integer()) ::
          {:ok, seq :: pos_integer()} | {:error, GodotError.t()}
  def send(%__MODULE__{} = connection, kind, fields, options \\ []) do
    %{timeout: timeout} =
      Options.validate!(options, @send_options, "Wasgo.Godot.Connection.send/4")

    with {:ok, frame} <- Frame.new(kind, fields), do: call(connection, {:send, frame, timeout})
  end

  @doc """
  Waits until the engine has dealt with everything that was sent before this call, for `timeout` ms at most.
  """
  @spec flush(t(), pos_integer()) :: :ok | {:error, GodotError.t()}
  def flush(%__MODULE__{} = connection, timeout \\ @timeout)
      when is_integer(timeout) and timeout > 0 do
    call(connection, {:flush, timeout})
  end

  @doc """
  Asks the engine something, and waits for its answer for `timeout` ms at most. It answers when it has applied what was
  sent before.

    * `"report"` (no fields) - `{:ok, counts}`, a map from names as in `godot/PROTOCOL.md` to numbers
    * `"picture"` (`"eye"`, `"target"`, `"fov"`) - `{:ok, png}`

  An engine that cannot (one without a display takes no pictures) gives the reason `{:engine, message}`.
  """
  @spec request(t(), String.t(), map(), pos_integer()) ::
          {:ok, %{String.t() => non_neg_integer()} | binary()} | {:error, GodotError.t()}
  def request(connection, kind, fields \\ %{}, timeout \\ @timeout)

  def request(%__MODULE__{} = connection, kind, fields, timeout)
      when kind in ["report", "picture"] and is_map(fields) and is_integer(timeout) and
             timeout > 0 do
    call(connection, {:request, kind, fields, timeout})
  end

  @doc "What was sent, and what came of it."
  @spec stats(t()) :: {:ok, stats()} | {:error, GodotError.t()}
  def stats(%__MODULE__{} = connection), do: call(connection, :stats)

  @doc """
  Closes the connection: nothing more is taken, what was taken is given `timeout` ms to be sent and acknowledged, then the
  engine is told bye and given a second to read it.

  Closing what is closed is well.
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
