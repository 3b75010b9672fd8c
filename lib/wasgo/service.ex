defmodule Wasgo.Service do
  @moduledoc """
  A program that runs for long and answers requests: a plain WASI program, or a container image that container2wasm turned into a module. It speaks over pipes
  that exist only in memory.

      {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      {:ok, name} = Wasgo.Service.request(namer, "0 0 -2.5 31.0 12.2 0.08 120 14")

  The same with a container (`mix wasgo.service.convert` makes the module of an image, `mix wasgo.service.check` and `Wasgo.Service.Image` say what a file is):

      {:ok, python} =
        Wasgo.Service.start_link(
          module: "python.wasm",
          console: :container2wasm,
          command: ["python3", "-u", "/app/faces.py"],
          dirs: [{"priv/faces", "/app", :ro}],
          framing: :json_lines,
          ready: ~r/ready/
        )

      {:ok, %{"smile" => 0.7}} = Wasgo.Service.request(python, %{"text" => "hello"})

  The program is given no network, of the host's environment nothing, and no files but what `:dirs` grants. A service is a program that an operator deploys, so
  that it has WASI's clock and random numbers unless they are taken from it (a `Wasgo.Wasm.Command` has neither unless granted). Waiting for input it
  costs next to nothing, and computing it gets its slices in turn with all other guests.

  ## Its life

  `start_link/1` returns when the program is ready. The process that called it owns the service: with its end the program is stopped, wherever it
  is. A program that ends by itself ends the process, with the reason `{:shutdown, %Wasgo.ServiceError{}}`, so that a supervisor starts it anew; or, with
  `:restart`, the service stays and starts its program anew after a pause that doubles each time. A program that runs
  for ten seconds begins again at the shortest.

  A service that fails takes nothing with it: those who wait are told, and other services go on.

  ## Options

    * `:module` - a `Wasgo.Wasm.Module`, the path of one, or its bytes; required. A module of some size is compiled once per machine
      (`Wasgo.Wasm.Engine`, the cache), then loaded
    * `:command` - a list of strings: the program's arguments after its own name, or the command that a container runs; none unless given
    * `:env` - a map or list of pairs of strings, empty unless given
    * `:dirs`, `:quota`, `:clock`, `:random` - as for `Wasgo.Wasm.Command`, but clock and randomness are `true` unless given. A container finds
      each directory at its path, and only its root user can use it
    * `:memory` - bytes, 256 MiB unless given: a container needs its machine's memory and some 30 MiB. Other `:limits` are those of `Wasgo.Wasm.Limits`
    * `:console` - `:wasi` unless given, or `:container2wasm`: what lies between the program and its streams, see `Wasgo.Service.Console`
    * `:framing` - `:line` unless given, `:json_lines`, `:length_prefixed`, `{:marker, text}` or `:raw`: how messages are told apart, see
      `Wasgo.Service.Framing`
    * `:max_message` - bytes of a message at most, 65,536 unless given
    * `:answers` - `:in_order`, or `{:by, "id"}` with `:json_lines`: each request, a map, is sent with a number in that field, and its answer is what comes with
      the same number, whenever that is
    * `:ready` - what the program writes before its first answer: a string that is a whole message, or a regular expression; without it requests
      may be sent at once
    * `:ready_timeout` - milliseconds in which it must have written it, 5,000 unless given and 60,000 for a container, which boots a machine
    * `:max_pending` - requests that may wait for their answers, 1,024 unless given
    * `:restart` - `false` unless given; `true`, or a keyword list of `:min_delay` (100 ms), `:max_delay` (30 s), `:max_restarts` in a row (`:infinity`)
    * `:network` - what it can reach and be reached at, see `Wasgo.Service.Network`; nothing unless given
    * `:subscriber` - a process that hears from the beginning what nobody asked for, see `subscribe/2`
    * `:name` - as for `GenServer`

  ## Messages without requests

  Programs that speak by themselves, or streams without messages (`framing: :raw`), are for `send/3` and `subscribe/2`: see there.
  """

  alias Wasgo.Service.{Connection, HTTP, Network, Options, Server}
  alias Wasgo.{Label, ServiceError, Telemetry}

  @default_timeout 5_000

  # The longest that the VM's timers can be set to.
  @longest 0xFFFF_FFFF

  # Bytes of requests that are handed over at once.
  @most 16 * 1_048_576

  @connect [
    timeout: [type: {:or, [:timeout, {:in, [:infinity]}]}, default: @default_timeout],
    protocol: [type: {:in, [:tcp, :udp]}, default: :tcp]
  ]

  defguardp is_timeout(timeout) when is_integer(timeout) and timeout in 1..@longest

  @doc false
  def child_spec(options) do
    %{id: Keyword.get(options, :name, __MODULE__), start: {__MODULE__, :start_link, [options]}}
  end

  @doc type: :life
  @doc """
  Starts the program and waits until it is ready.

  Errors: those of compiling and linking; `File.Error` for a module or directory that can't be opened; `Wasgo.LimitError`; `Wasgo.ServiceError` with `{:exited, status}`,
  `{:failed, exception}` or `:not_ready`.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY", memory: 16 * 1_048_576)
      iex> Wasgo.Service.request(namer, "0 0 3 60 45 0.1 10 3")
      {:ok, "Upper Whitlow Fell"}
      iex> {:error, error} = Wasgo.Service.start_link(module: "guest/services/gone.wasm")
      iex> error.reason
      :enoent
  """
  @spec start_link(keyword()) ::
          {:ok, pid()} | {:error, Exception.t() | {:already_started, pid()}}
  def start_link(options) do
    options = Options.validate!(options, "Wasgo.Service.start_link/1")
    reference = make_ref()

    with {:ok, pid} <- Server.start_link(options, {self(), reference}) do
      Server.await_ready(pid, reference)
    end
  end

  @doc type: :ask
  @doc """
  Sends one message and waits for the one that answers it.

  Errors: `Wasgo.ServiceError`. After `timeout` milliseconds the answer, should it still come, is thrown away; other requests are not disturbed.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> Wasgo.Service.request(namer, "0 0 3 60 45 0.1 10 3")
      {:ok, "Upper Whitlow Fell"}
  """
  @spec request(GenServer.server(), term(), pos_integer()) ::
          {:ok, term()} | {:error, Exception.t()}
  def request(service, message, timeout \\ @default_timeout) when is_timeout(timeout) do
    asked(service, 1, {:request, [message], false, timeout})
  end

  @doc type: :ask
  @doc """
  Sends many messages at once and waits for all their answers, which are returned in the order of the requests. It costs far less than one call for each.

  If a request can't be sent none is; if the service ends, or not all answers come within `timeout` milliseconds, that is the result.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> Wasgo.Service.request_many(namer, ["0 0 3 60 45 0.1 10 3", "what?"])
      {:ok, ["Upper Whitlow Fell", "error: x is not a number between -1e15 and 1e15"]}
  """
  @spec request_many(GenServer.server(), [term()], pos_integer()) ::
          {:ok, [term()]} | {:error, Exception.t()}
  def request_many(service, messages, timeout \\ @default_timeout)
  def request_many(_service, [], _timeout), do: {:ok, []}

  def request_many(service, messages, timeout) when is_list(messages) and is_timeout(timeout) do
    case bytes(messages) do
      bytes when bytes > @most ->
        {:error, error(:too_long, "requests of #{bytes} bytes; #{@most} can be sent at once")}

      _few ->
        asked(service, length(messages), {:request, messages, true, timeout})
    end
  end

  defp bytes(messages) do
    Enum.reduce(messages, 0, fn
      message, sum when is_binary(message) -> sum + byte_size(message)
      _term, sum -> sum
    end)
  end

  @doc type: :ask
  @doc """
  Sends one message of which no answer is expected. Returns when the program's input has taken it, which is at once unless the program does not read:
  then whoever sends waits, `timeout` milliseconds at most.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> :ok = Wasgo.Service.subscribe(namer)
      iex> :ok = Wasgo.Service.send(namer, "0 0 3 60 45 0.1 10 3")
      iex> receive do: ({:wasgo_service, ^namer, line} -> line)
      "Upper Whitlow Fell"
  """
  @spec send(GenServer.server(), term(), pos_integer()) :: :ok | {:error, Exception.t()}
  def send(service, message, timeout \\ @default_timeout) when is_timeout(timeout) do
    call(service, {:send, message, timeout})
  end

  @doc type: :ask
  @doc """
  Has the messages that nobody asked for sent to the calling process, as `{:wasgo_service, pid, message}`; of a service with `framing: :raw` that is all that the
  program writes. When the program ends, all that it wrote comes, then `{:wasgo_service, pid, {:ended, exception}}`.

  `demand` is how many are wanted, or `:infinity`; more are asked for with `demand/2`. What is not wanted yet waits, and when 1 MiB waits the program
  has to. There is one subscriber; a later one takes the place of the former.

      :ok = Wasgo.Service.subscribe(service, 1)
      receive do
        {:wasgo_service, _pid, bytes} -> handle(bytes)
      end
      :ok = Wasgo.Service.demand(service, 1)

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> :ok = Wasgo.Service.subscribe(namer, 1)
      iex> :ok = Wasgo.Service.send(namer, "0 0 3 60 45 0.1 10 3")
      iex> receive do: ({:wasgo_service, ^namer, line} -> line)
      "Upper Whitlow Fell"
  """
  @spec subscribe(GenServer.server(), pos_integer() | :infinity) ::
          :ok | {:error, ServiceError.t()}
  def subscribe(service, demand \\ :infinity)
      when demand == :infinity or (is_integer(demand) and demand >= 0) do
    call(service, {:subscribe, self(), demand})
  end

  @doc type: :ask
  @doc """
  Asks for so many messages more.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> :ok = Wasgo.Service.subscribe(namer, 1)
      iex> for _village <- 1..2, do: :ok = Wasgo.Service.send(namer, "0 0 3 60 45 0.1 10 3")
      iex> receive do: ({:wasgo_service, ^namer, "Upper Whitlow Fell"} -> Wasgo.Service.demand(namer, 1))
      :ok
      iex> receive do: ({:wasgo_service, ^namer, line} -> line)
      "Upper Whitlow Fell"
  """
  @spec demand(GenServer.server(), pos_integer() | :infinity) :: :ok | {:error, ServiceError.t()}
  def demand(service, more) when more == :infinity or (is_integer(more) and more > 0) do
    call(service, {:demand, more})
  end

  @doc type: :network
  @doc """
  Connects to a port of the guest over its network (`Wasgo.Service.Network`): a number, or a name of `:forward`. The calling process owns the
  `Wasgo.Service.Connection`.

  Options: `:timeout`, in milliseconds or `:infinity`, #{@default_timeout} unless given; `:protocol`, `:tcp` unless given or `:udp`.

  Errors: `Wasgo.ServiceError` with `:no_network`, `:unknown_port`, or a reason that `Wasgo.Service.Connection` has.

      {:ok, faces} =
        Wasgo.Service.start_link(
          module: "faces.wasm",
          console: :container2wasm,
          command: ["python3", "-u", "/app/faces.py"],
          network: [forward: [faces: 7_000]]
        )

      {:ok, connection} = Wasgo.Service.connect(faces, :faces, timeout: 30_000)
      :ok = Wasgo.Service.Connection.send(connection, "hello\\n")
      {:ok, face} = Wasgo.Service.Connection.recv(connection)

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> {:error, error} = Wasgo.Service.connect(namer, 80)
      iex> error.reason
      :no_network
  """
  @spec connect(GenServer.server(), :inet.port_number() | atom() | String.t(), keyword()) ::
          {:ok, Connection.t()} | {:error, ServiceError.t()}
  def connect(service, port, options \\ []) do
    options = Wasgo.Options.validate!(options, @connect, "Wasgo.Service.connect/3")

    with {:ok, resource, network} <- call(service, :network),
         {:ok, port} <- Network.port(network, port) do
      Connection.connect(resource, port, options.protocol == :udp, options.timeout)
    end
  end

  @doc type: :network
  @doc """
  Sends a request by HTTP to a server in the guest and returns its answer, `%{status: 200, headers: [{"content-type", "text/plain"}], body: "..."}`. Names of headers
  are in lower case.

      {:ok, %{status: 200}} = Wasgo.Service.http(service, :post, "/smile", [{"content-type", "application/json"}], ~s({"text": "hello"}))

  Each request has a connection of its own (HTTP/1.1 with `connection: close`). Options:

    * `:port` - a number or a name of `:forward`, `:http` unless given, which is 80 where it is no name
    * `:timeout` - milliseconds for all of it, #{@default_timeout} unless given
    * `:max_body` - bytes that the answer's body may have, 16 MiB unless given

  Errors: those of `connect/3`, and `Wasgo.DecodeError` for what is no answer of HTTP; `Wasgo.LimitError` with `:result_size`.
  """
  @spec http(
          GenServer.server(),
          atom() | String.t(),
          String.t(),
          [{String.t(), String.t()}],
          iodata(),
          keyword()
        ) ::
          {:ok, %{status: pos_integer(), headers: [{String.t(), String.t()}], body: binary()}}
          | {:error, Exception.t()}
  def http(service, method, path, headers \\ [], body \\ "", options \\ []) do
    HTTP.request(service, method, path, headers, body, options)
  end

  @doc type: :network
  @doc """
  What a service's network did: its guest's `:address`, `{frames, bytes}` `:received` from it and `:sent` to it, its `:connections`, and frames that were `:dropped` by cause.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> {:error, error} = Wasgo.Service.network(namer)
      iex> error.reason
      :no_network
  """
  @spec network(GenServer.server()) :: {:ok, map()} | {:error, ServiceError.t()}
  def network(service) do
    with {:ok, resource, _network} <- call(service, :network), do: Network.status(resource)
  end

  @doc type: :life
  @doc """
  Stops the service. A plain program's input ends, a container's terminal is sent the end of file where its framing is text; if the program has not ended after `timeout`
  milliseconds it is stopped wherever it is.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> Wasgo.Service.stop(namer)
      :ok
  """
  @spec stop(GenServer.server(), non_neg_integer()) :: :ok
  def stop(service, timeout \\ 1_000) when is_integer(timeout) and timeout in 0..@longest do
    _stopped_either_way = call(service, {:stop, timeout})
    :ok
  end

  @doc type: :life
  @doc """
  What a service does: its `:phase` (`:starting`, `:ready`, `:resting` before it is started anew, `:stopping`), how many requests are `:pending`, how many
  `:restarts` there were, its `:module`, and milliseconds `:since` its program began.

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> {:ok, info} = Wasgo.Service.info(namer)
      iex> info.pending
      0
  """
  @spec info(GenServer.server()) :: {:ok, map()} | {:error, ServiceError.t()}
  def info(service) do
    with %{} = info <- call(service, :info), do: {:ok, info}
  end

  defp asked(service, messages, request) do
    Telemetry.span(:request, %{messages: messages}, %{service: Label.name(service)}, fn ->
      call(service, request)
    end)
  end

  # The service answers within the time limit by itself.
  defp call(service, request) do
    GenServer.call(service, request, :infinity)
  catch
    :exit, {{:shutdown, %{__exception__: true} = error}, _call} ->
      {:error, error}

    # Whatever ended it: its process says why to whoever is linked to it.
    :exit, {reason, {GenServer, :call, _arguments}} when reason != :calling_self ->
      {:error, error(:stopped, "the service is stopped")}
  end

  defp error(reason, message), do: %ServiceError{reason: reason, message: message}
end
