defmodule Wasgo.Godot.Server do
  @moduledoc """
  Listens for Godot engines that run the Wasgo add-on.

      {:ok, server} = Wasgo.Godot.Server.start_link(token: "a shared secret", port: 7777)
      {:ok, connection} = Wasgo.Godot.Server.await_connection(server)

  It belongs under a supervisor:

      children = [{Wasgo.Godot.Server, token: token, port: 7777, name: MyApp.Godot}]

  Each engine that proves that it knows the token becomes a `Wasgo.Godot.Connection`, with a process of its own: what one
  of them does, or fails to do, is of no concern to the others, nor to the listener. The protocol is written down in
  `godot/PROTOCOL.md`.

  Engines may come by WebSocket too, through the web server of a Phoenix application or a plain Bandit: `Wasgo.Phoenix.GodotSocket`. To it they are
  connections as any other. With `port: nil` nothing else is listened on.

  ## Who may connect

  The token never crosses the wire: both sides prove that they know it, with numbers that are good for one connection. What follows is
  only encrypted with `:tls`. So without it keep the listener on the loopback, which is the default, on a Unix domain socket (`:path`), or inside a tunnel.

  ## Worlds

  An engine may ask for a `Wasgo.World` by its name, and for a zone of it. `:worlds` says which there are:

      {Wasgo.Godot.Server, token: token, port: 7777, worlds: %{"garden" => MyApp.Garden}}

  ## Functions

  `WasgoClient.request(name, args)` in the engine calls what `:functions` has under that name, in a process of its own, for 10 s at most:

      functions: %{"greet" => fn [name] -> {:ok, "Hello, " <> name} end}
  """

  use GenServer

  require Logger

  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.Godot.Connection.{Peer, Transport}
  alias Wasgo.Godot.Server.{Listener, Strangers}
  alias Wasgo.{GodotError, Options}

  @typedoc "A server: its pid, or what it is registered as."
  @type server :: GenServer.server()

  @typedoc "What `subscribe/1` sends."
  @type event ::
          {:wasgo_godot, :connected | {:disconnected, GodotError.why()}, Connection.t()}

  @options [
    token: [type: {:or, [:string, {:function, 1}]}, required: true],
    path: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    tls: [type: {:or, [:keyword, {:in, [nil]}]}, default: nil],
    worlds: [type: {:or, [:map, {:function, 1}]}, default: %{}],
    functions: [type: :map, default: %{}],
    scripts: [
      type: {:or, [{:struct, Wasgo.Store}, :map, {:function, 1}, {:in, [nil]}]},
      default: nil
    ],
    compress: [type: {:in, [:auto, true, false]}, default: :auto],
    port: [type: {:or, [{:range, 0..65_535}, {:in, [nil]}]}, default: 0],
    ip: [type: :any, default: {127, 0, 0, 1}],
    max_connections: [type: {:range, 1..65_536}, default: 16],
    window: [type: :pos_integer, default: 8 * 1024 * 1024],
    heartbeat_ms: [type: {:range, 10..3_600_000}, default: 2_000],
    hello_timeout_ms: [type: :timeout, default: 5_000],
    name: [type: :any, default: nil]
  ]

  # What it calls itself.
  @server "wasgo #{Mix.Project.config()[:version]}"
  # Those who are told that the server is full, at once. Others are just closed.
  @max_refused 32
  # How long connections may take to say bye, in ms: they give their peers a second.
  @stop_ms 2_000
  # The pause after the system has refused to accept a connection, in ms.
  @accept_pause_ms 100

  @enforce_keys [:listener, :supervisor, :options]
  defstruct [
    :listener,
    :supervisor,
    :acceptor,
    :options,
    peers: %{},
    connections: [],
    subscribers: %{},
    waiting: %{}
  ]

  @doc """
  Starts a listener, linked to the caller.

  Options:

    * `:token` - the shared secret that an engine has to know; required, and not empty. Or a function of what the engine says of itself (a map of
      `:client`, `:world`, `:zone` and `:address`, all of them texts that anybody may have sent) that returns `{:ok, token}` or `:error`
    * `:port` - the TCP port; 0, the default, is any that is free (`port/1` tells), and with `nil` nothing is listened on: engines come by
      `Wasgo.Phoenix.GodotSocket`
    * `:ip` - the address to listen on, as a tuple; `{127, 0, 0, 1}` unless given
    * `:path` - the path of a Unix domain socket, in the place of a port. Only the user that runs this may connect. A socket that nobody listens on
      any more is replaced
    * `:tls` - options of Erlang's `:ssl` for a server, such as `[certfile: "sidecar.pem", keyfile: "sidecar.key"]`; no TLS unless given
    * `:worlds` - the worlds that engines may ask for: a map from names to servers, or a function of a name that returns `{:ok, server}` or `:error`
    * `:functions` - what engines may ask for: a map from names to functions of a list of arguments (and, if they take two, the connection). They
      return `{:ok, value}` or `{:error, words | exception}`. `put_function/3` adds to them
    * `:scripts` - where scripts for the engine's nodes are found, and that they are run: see `Wasgo.Godot.Scripts`; none are unless given
    * `:compress` - whether large frames are compressed for engines that take it: `true`, `false`, or `:auto`, the default, for those on other machines
    * `:max_connections` - connections at once, those that did not say hello yet included; 16 unless given. The next one
      is refused, and the add-on tries again later
    * `:window` - bytes that may be sent and not acknowledged, for each connection; 8 MiB unless given
    * `:heartbeat_ms` - how often a connection is asked for a sign of life; it is closed after three without one. 2000
      unless given
    * `:hello_timeout_ms` - how long a newcomer may take to say hello; 5000 unless given
    * `:name` - a name for the process, as `GenServer` takes it

  A port that cannot be listened on is an error, and harms nobody:

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> port = Wasgo.Godot.Server.port(server)
      iex> {:error, error} = Wasgo.Godot.Server.start_link(token: "secret", port: port)
      iex> error.reason
      {:listen, :eaddrinuse}
  """
  @spec start_link(keyword()) ::
          {:ok, pid()} | {:error, GodotError.t() | {:already_started, pid()}}
  def start_link(options) do
    options = check(options)

    # In the process of the caller: a start that fails in the new process takes a linked caller with it.
    with {:ok, listener} <- Listener.open(options) do
      name = if options.name, do: [name: options.name], else: []

      with {:ok, pid} <- GenServer.start_link(__MODULE__, {listener, options}, name) do
        # Where it is gone already, the link tells.
        if listener, do: :gen_tcp.controlling_process(listener, pid)
        {:ok, pid}
      else
        error ->
          if listener, do: :gen_tcp.close(listener)
          error
      end
    end
  end

  @doc false
  # The options, for a supervisor that checks them before it starts anything.
  def options, do: @options

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      iex> children = [{Wasgo.Godot.Server, token: "a shared secret", name: Harbour.Godot, max_connections: 4}]
      iex> {:ok, _supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      iex> Wasgo.Godot.Server.connections(Harbour.Godot)
      []
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: Keyword.get(options, :name) || __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      shutdown: @stop_ms + 3_000
    }
  end

  @doc """
  Adds a function that engines may ask for, in place of the one that has the name; `nil` removes it. Connections that are open know it at once.

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> Wasgo.Godot.Server.put_function(server, "double", fn [n] -> {:ok, 2 * n} end)
      :ok
  """
  @spec put_function(server(), String.t(), function() | nil) :: :ok
  def put_function(server, name, function) do
    if function, do: check_function(name, function, "Wasgo.Godot.Server.put_function/3")
    GenServer.call(server, {:put_function, name, function})
  end

  @doc """
  The port that is listened on; `nil` for a Unix domain socket, or where nothing is.

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> Wasgo.Godot.Server.port(server) in 1..65_535
      true
  """
  @spec port(server()) :: :inet.port_number() | nil
  def port(server), do: GenServer.call(server, :port)

  @doc """
  The engines that are connected, the newest last.

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> Wasgo.Godot.Server.connections(server)
      []
  """
  @spec connections(server()) :: [Connection.t()]
  def connections(server), do: GenServer.call(server, :connections)

  @doc """
  The newest connection, or the next one if there is none; waits for at most `timeout` ms.

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> {:error, error} = Wasgo.Godot.Server.await_connection(server, 1)
      iex> error.reason
      :timeout
  """
  @spec await_connection(server(), pos_integer()) ::
          {:ok, Connection.t()} | {:error, GodotError.t()}
  def await_connection(server, timeout \\ 30_000) when is_integer(timeout) and timeout > 0 do
    GenServer.call(server, {:await, timeout}, :infinity)
  end

  @doc """
  Has the calling process told of engines that come and go, with messages of the shape `t:event/0`.

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> Wasgo.Godot.Server.subscribe(server)
      :ok
  """
  @spec subscribe(server()) :: :ok
  def subscribe(server), do: GenServer.call(server, {:subscribe, self()})

  @doc """
  Stops listening, says bye to every engine and closes. Takes two seconds at most.

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "secret")
      iex> Wasgo.Godot.Server.stop(server)
      :ok
  """
  @spec stop(server()) :: :ok
  def stop(server), do: GenServer.stop(server)

  @doc false
  # The connection for a socket that another process has: see `Wasgo.Godot.Connection.Transport`. `:full` also from a server that is not there now.
  @spec mount(server(), Transport.t()) :: {:ok, pid()} | :full
  def mount(server, %Transport{} = transport) do
    with {:ok, pid} <- GenServer.call(server, :peer) do
      :ok = Peer.give_transport(pid, transport)
      {:ok, pid}
    end
  catch
    :exit, _gone -> :full
  end

  ## Options

  defp check(options) do
    options = Options.validate!(options, @options, "Wasgo.Godot.Server.start_link/1")

    if options.token == "",
      do: wrong(":token of Wasgo.Godot.Server.start_link/1 must not be empty")

    for {name, function} <- options.functions,
        do: check_function(name, function, "Wasgo.Godot.Server.start_link/1")

    with path when is_binary(path) <- options.path,
         true <- options.tls != nil or options.port != 0 do
      wrong(":path of Wasgo.Godot.Server.start_link/1 is in the place of :port and :tls")
    end

    if options.port == nil and options.tls != nil do
      wrong(":tls of Wasgo.Godot.Server.start_link/1 is for a :port, and there is none")
    end

    case :inet.ntoa(options.ip) do
      {:error, :einval} ->
        wrong(
          ":ip of Wasgo.Godot.Server.start_link/1 must be an address as a tuple, and is: " <>
            inspect(options.ip)
        )

      _text ->
        options
    end
  end

  @spec wrong(String.t()) :: no_return()
  defp wrong(words), do: raise(ArgumentError, "option " <> words)

  defp check_function(name, function, _where)
       when is_binary(name) and (is_function(function, 1) or is_function(function, 2)),
       do: :ok

  defp check_function(name, function, where) do
    raise ArgumentError,
          "functions of #{where} have a text for a name and take the arguments, and the connection if they like, " <>
            "unlike #{inspect({name, function})}"
  end

  ## The process

  @impl true
  def init({listener, options}) do
    Process.flag(:trap_exit, true)
    Wasgo.Label.put({__MODULE__, Wasgo.Label.name(options.name)})
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)

    options =
      options
      |> Map.take([
        :max_connections,
        :window,
        :heartbeat_ms,
        :hello_timeout_ms,
        :path,
        :tls,
        :worlds,
        :functions,
        :scripts,
        :compress
      ])
      |> Map.merge(%{
        token: token(options.token),
        server: @server,
        supervisor: supervisor,
        strangers: Strangers.new(),
        refuse: nil
      })

    state = %Server{listener: listener, supervisor: supervisor, options: options}
    {:ok, if(listener, do: start_acceptor(state), else: state)}
  end

  # Inside a function, so that no crash report shows it.
  defp token(token) when is_function(token), do: token
  defp token(token), do: fn _asked -> {:ok, token} end

  @impl true
  def handle_call(:port, _from, %{listener: listener, options: %{path: path}} = state)
      when listener == nil or is_binary(path),
      do: {:reply, nil, state}

  def handle_call(:port, _from, state) do
    {:ok, port} = :inet.port(state.listener)
    {:reply, port, state}
  end

  def handle_call({:put_function, name, function}, _from, state) do
    functions =
      if function,
        do: Map.put(state.options.functions, name, function),
        else: Map.delete(state.options.functions, name)

    for pid <- Map.keys(state.peers), do: GenServer.cast(pid, {:functions, functions})
    {:reply, :ok, %{state | options: %{state.options | functions: functions}}}
  end

  def handle_call(:connections, _from, state) do
    {:reply, Enum.reverse(state.connections), state}
  end

  def handle_call({:await, _timeout}, _from, %{connections: [newest | _]} = state) do
    {:reply, {:ok, newest}, state}
  end

  def handle_call({:await, timeout}, {pid, _tag} = from, state) do
    ref = Process.monitor(pid)
    timer = Process.send_after(self(), {:expire, ref}, timeout)
    {:noreply, %{state | waiting: Map.put(state.waiting, ref, {from, timer})}}
  end

  def handle_call({:subscribe, pid}, _from, state) do
    if pid in Map.values(state.subscribers) do
      {:reply, :ok, state}
    else
      {:reply, :ok, %{state | subscribers: Map.put(state.subscribers, Process.monitor(pid), pid)}}
    end
  end

  # The acceptor, or a web server, has a newcomer.
  def handle_call(:peer, _from, state) do
    kinds = Enum.frequencies(Map.values(state.peers))

    cond do
      Map.get(kinds, :welcome, 0) < state.options.max_connections -> start_peer(state, :welcome)
      Map.get(kinds, :refused, 0) < @max_refused -> start_peer(state, :refused)
      true -> {:reply, :full, state}
    end
  end

  @impl true
  def handle_cast({:welcomed, connection}, state) do
    publish(state, :connected, connection)

    for {ref, {from, timer}} <- state.waiting do
      forget(ref, timer)
      GenServer.reply(from, {:ok, connection})
    end

    {:noreply, %{state | connections: [connection | state.connections], waiting: %{}}}
  end

  def handle_cast({:ending, pid, why}, state), do: {:noreply, remove(state, pid, why)}

  @impl true
  def handle_info({:DOWN, ref, :process, pid, reason}, state) do
    state = %{state | subscribers: Map.delete(state.subscribers, ref)}

    case {Map.pop(state.peers, pid), Map.pop(state.waiting, ref)} do
      {{nil, _peers}, {nil, _waiting}} ->
        {:noreply, state}

      {{nil, _peers}, {{_from, timer}, waiting}} ->
        forget(ref, timer)
        {:noreply, %{state | waiting: waiting}}

      {{_kind, peers}, _none} ->
        why = why(reason)
        # It had no time for that itself.
        with {:crashed, _reason} <- why, do: log_crash(state, pid, why)
        {:noreply, remove(%{state | peers: peers}, pid, why)}
    end
  end

  def handle_info({:expire, ref}, state) do
    case Map.pop(state.waiting, ref) do
      {nil, _waiting} ->
        {:noreply, state}

      {{from, timer}, waiting} ->
        forget(ref, timer)
        GenServer.reply(from, {:error, %GodotError{reason: :timeout}})
        {:noreply, %{state | waiting: waiting}}
    end
  end

  def handle_info(:strangers, state) do
    count = Strangers.settle(state.options.strangers)

    if count > 0,
      do: Logger.warning("Wasgo.Godot: #{count} more connections ended that were not welcomed")

    {:noreply, state}
  end

  def handle_info({:EXIT, acceptor, reason}, %{acceptor: acceptor} = state) do
    if reason == :closed do
      {:stop, {:shutdown, :listener_closed}, state}
    else
      Logger.error("Wasgo.Godot: the acceptor ended, and is started again: #{inspect(reason)}")
      {:noreply, start_acceptor(state)}
    end
  end

  def handle_info({:EXIT, supervisor, reason}, %{supervisor: supervisor} = state) do
    {:stop, reason, state}
  end

  # Of the parent, GenServer takes care.
  def handle_info({:EXIT, _pid, _reason}, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state) do
    if state.listener, do: :gen_tcp.close(state.listener)
    if state.options.path, do: File.rm(state.options.path)
    Enum.each(Map.keys(state.peers), &Peer.part(&1, :stopped))
    timer = Process.send_after(self(), :stop_timeout, @stop_ms)
    await_peers(state)
    Process.cancel_timer(timer)
  end

  defp await_peers(%{peers: peers}) when peers == %{}, do: :ok

  defp await_peers(state) do
    receive do
      {:DOWN, _ref, :process, pid, reason} ->
        state = %{state | peers: Map.delete(state.peers, pid)}
        await_peers(remove(state, pid, why(reason)))

      {:"$gen_cast", {:ending, pid, why}} ->
        await_peers(remove(state, pid, why))

      :stop_timeout ->
        :ok
    end
  end

  ## Peers

  defp start_peer(state, kind) do
    options = %{state.options | refuse: if(kind == :refused, do: "full")}
    {:ok, pid} = DynamicSupervisor.start_child(state.supervisor, {Peer, {self(), options}})
    Process.monitor(pid)
    {:reply, {:ok, pid}, %{state | peers: Map.put(state.peers, pid, kind)}}
  end

  defp remove(state, pid, why) do
    case Enum.split_with(state.connections, &(&1.pid == pid)) do
      {[connection], others} ->
        publish(state, {:disconnected, why}, connection)
        %{state | connections: others}

      {[], _all} ->
        state
    end
  end

  defp log_crash(state, pid, why) do
    known = Enum.find(state.connections, &(&1.pid == pid))
    address = if known, do: known.address, else: "a newcomer"

    if known || Strangers.log?(state.options.strangers, self()),
      do: Logger.warning("Wasgo.Godot: #{address} is disconnected: #{GodotError.why(why)}")
  end

  defp publish(state, event, connection) do
    for {_ref, pid} <- state.subscribers, do: send(pid, {:wasgo_godot, event, connection})
  end

  defp forget(ref, timer) do
    Process.demonitor(ref, [:flush])
    Process.cancel_timer(timer)
  end

  defp why({:shutdown, {:wasgo_godot, why}}), do: why
  defp why(:shutdown), do: :stopped
  defp why(reason), do: {:crashed, reason}

  ## The acceptor

  defp start_acceptor(state) do
    server = self()

    begin = fn ->
      Wasgo.Label.put({__MODULE__, :acceptor})
      accept(server, state.listener)
    end

    %{state | acceptor: spawn_link(begin)}
  end

  defp accept(server, listener) do
    case :gen_tcp.accept(listener) do
      {:ok, socket} ->
        case GenServer.call(server, :peer, :infinity) do
          {:ok, pid} -> Peer.give_socket(pid, socket)
          :full -> :gen_tcp.close(socket)
        end

      {:error, reason} when reason in [:closed, :einval] ->
        exit(:closed)

      # Out of descriptors, or the peer gave up: it may be well again soon.
      {:error, reason} ->
        Logger.warning("Wasgo.Godot: cannot accept: #{:inet.format_error(reason)}")
        receive after: (@accept_pause_ms -> :ok)
    end

    accept(server, listener)
  end
end
