# Phoenix brings WebSock along.
if Code.ensure_loaded?(WebSock) do
  defmodule Wasgo.Phoenix.GodotSocket do
    @moduledoc """
    Godot engines by WebSocket, through the web server that is there already.

    In a Phoenix application it is a socket as any other:

        defmodule MyAppWeb.GodotSocket do
          use Wasgo.Phoenix.GodotSocket, server: MyApp.Godot
        end

        defmodule MyAppWeb.Endpoint do
          use Phoenix.Endpoint, otp_app: :my_app

          socket "/godot", MyAppWeb.GodotSocket,
            websocket: [connect_info: [:peer_data, :x_headers], max_frame_size: 65_536]
        end

    `:server` is the `Wasgo.Godot.Server`, by its name; required.

    Beside it stands the `Wasgo.Godot.Server` that the connections belong to, before the endpoint in the list of children. It may listen on a port of its own besides,
    or on none:

        {Wasgo.Godot.Server, name: MyApp.Godot, token: token, port: nil}

    The add-on's client then connects to `ws://localhost:4000/godot/websocket`, or `wss://` where the web server, or a proxy before it, speaks TLS. All else is as
    by TCP: the token, worlds and zones, functions, credit, and that an engine that comes back is sent what it lacks. `Wasgo.Godot.Server.await_connection/2` and its like
    make no difference between the two.

    Without Phoenix, `Wasgo.Phoenix.GodotSocket.Plug` does the same in any Plug application.

    ## Options of the socket

    Phoenix's own, in `websocket:`:

      * `:max_frame_size` - how many bytes the web server takes at once: 65,536. No message of the protocol is larger than half of that, and nobody should hold more for an
        engine that has not proved yet that it knows the token. A larger one, or none, is warned of when the endpoint starts. Messages in several frames are
        bounded by the web server itself: in Bandit by `max_fragmented_message_size` of the endpoint's `http: [websocket_options: ...]`, 8 MB unless given
      * `:connect_info` - with `:peer_data` connections and the log tell the engine's address; with `:x_headers` an engine that comes through a proxy on this machine is
        known to be elsewhere, which the server's `compress: :auto` goes by
      * `:compress` - is to stay off (as it is unless set): what is large is compressed already, as the server's `:compress` says
      * `:timeout` - has to be more than the server's `:heartbeat_ms`; 60 s unless given
      * `:fullsweep_after` - 20 or so keeps the memory of idle connections low

    ## Who may connect

    An engine sends no `Origin`, and Phoenix lets those pass that send none. `:check_origin` therefore stays as it is: it is for browsers, and keeps pages of other sites away.
    Who has not said hello, or not proved to know the token, counts as a connection and is closed after the server's `:hello_timeout_ms`. When there are
    `:max_connections` others are refused; the engine tries again later. So where anybody can reach the endpoint, let the server have many more connections than there are
    engines, and a short `:hello_timeout_ms`: strangers cannot get in, but they can take the places.

    ## How it ends

    The close code says why, and its text in words: 1000 for a `bye` and for `Wasgo.Godot.Connection.close/2`, 1001 when the server or the world stops, 1003 for text messages, 1008 for what breaks the protocol,
    1009 for what is too large, 1011 for an error here, 1013 when the server is full or not there.
    """

    # What `use` makes of it has the callbacks of `Phoenix.Socket.Transport`, whose names and answers are the same.
    @behaviour WebSock

    require Logger

    alias Wasgo.Godot.{Connection, Server}
    alias Wasgo.Godot.Connection.Transport
    alias Wasgo.{Bytes, GodotError, Options}

    @max_message Transport.max_message()
    # What the web server should take at once: a message, and the little around it.
    @max_frame_size 2 * @max_message
    # How long a connection may take to deal with what came before it is taken for stuck, in ms: it asks the application for tokens and worlds.
    @patience 30_000
    # How long the web server's process may stay when the connection has ended, in ms. The other side may read nothing, and never close.
    @closing_ms 2_000
    # Why a connection ends that sends messages of the other kind.
    @text {:malformed, "a text message"}
    # What fits into a close frame beside the code.
    @max_detail 123

    @options [server: [type: :server, required: true]]

    @enforce_keys [:peer, :ref]
    defstruct [:peer, :ref, next?: false]

    @typedoc "What a new socket begins with; `new/2` makes it."
    @opaque start :: {Server.server(), address :: String.t(), local? :: boolean()}

    @doc false
    defmacro __using__(options) do
      quote bind_quoted: [options: options] do
        if Code.ensure_loaded?(Phoenix.Socket.Transport),
          do: @behaviour(Phoenix.Socket.Transport),
          else: @behaviour(WebSock)

        @wasgo_server Wasgo.Phoenix.GodotSocket.server!(options, __MODULE__)

        @doc false
        def child_spec(options), do: Wasgo.Phoenix.GodotSocket.check(options, __MODULE__)

        @doc false
        def connect(config),
          do:
            {:ok,
             Wasgo.Phoenix.GodotSocket.new(@wasgo_server, Map.get(config, :connect_info, %{}))}

        @doc false
        defdelegate init(start), to: Wasgo.Phoenix.GodotSocket
        @doc false
        defdelegate handle_in(message, state), to: Wasgo.Phoenix.GodotSocket
        @doc false
        defdelegate handle_info(message, state), to: Wasgo.Phoenix.GodotSocket
        @doc false
        defdelegate terminate(reason, state), to: Wasgo.Phoenix.GodotSocket
      end
    end

    @doc false
    # What `use` was given. Raises where that is not a server.
    @spec server!(keyword(), module()) :: Server.server()
    def server!(options, module),
      do:
        Options.validate!(options, @options, "use #{inspect(__MODULE__)} in #{inspect(module)}").server

    @doc false
    # Looks at what an endpoint mounts `module` with, when it starts. There is nothing to start.
    @spec check(keyword(), module()) :: :ignore
    def check(options, module) do
      if Keyword.get(options, :longpoll, false),
        do: raise(ArgumentError, "#{inspect(module)} has no longpoll, only websocket")

      websocket = Keyword.get(options, :websocket, true)
      settings = if Keyword.keyword?(websocket), do: websocket, else: []

      if Keyword.get(settings, :max_frame_size, :infinity) > @max_frame_size do
        Logger.warning(
          "#{inspect(module)}: without `max_frame_size: #{@max_frame_size}` in `websocket:` the web server holds more for engines that are not known yet than they need"
        )
      end

      :ignore
    end

    @doc false
    # Of the web server, what a connection needs.
    @spec limits() :: keyword()
    def limits,
      do: [max_frame_size: @max_frame_size, max_fragmented_message_size: @max_frame_size]

    @doc """
    What `init/1` takes, for those who upgrade a request by themselves:

        WebSockAdapter.upgrade(conn, Wasgo.Phoenix.GodotSocket, Wasgo.Phoenix.GodotSocket.new(MyApp.Godot), max_frame_size: 65_536)

    `info` may have `:peer_data` and `:x_headers`, as Phoenix gathers them.
    """
    @spec new(Server.server(), map()) :: start()
    def new(server, info \\ %{}) do
      proxied? = List.keymember?(Map.get(info, :x_headers) || [], "x-forwarded-for", 0)

      case Map.get(info, :peer_data) do
        %{address: {:local, path}} ->
          {server, "unix:#{path}", not proxied?}

        %{address: ip, port: port} when is_tuple(ip) ->
          {server, Connection.address(ip, port), Transport.loopback?(ip) and not proxied?}

        _unknown ->
          {server, "?", false}
      end
    end

    @doc false
    def init({server, address, local?}) do
      case Server.mount(server, Transport.of_process(self(), address, local?)) do
        {:ok, peer} ->
          end_after(peer)
          {:ok, %__MODULE__{peer: peer, ref: Process.monitor(peer)}}

        :full ->
          end_after(nil)
          {:stop, :normal, closing({:refused, "full"}), %__MODULE__{peer: nil, ref: nil}}
      end
    end

    @doc false
    def handle_in(_message, %{peer: nil} = state), do: {:ok, state}

    def handle_in({bytes, options}, state) do
      size = IO.iodata_length(bytes)

      cond do
        options[:opcode] != :binary -> broken(state, @text)
        size > @max_message -> broken(state, {:too_large, @max_message})
        true -> hand_over(IO.iodata_to_binary(bytes), state)
      end
    end

    # The web server reads on when this returns: nothing piles up here, nor at the connection.
    defp hand_over(bytes, %{next?: true} = state) do
      send(state.peer, {:wasgo_bytes, self(), bytes})
      {:ok, %{state | next?: false}}
    end

    defp hand_over(bytes, %{peer: peer, ref: ref} = state) do
      receive do
        {:wasgo_next, ^peer} -> hand_over(bytes, %{state | next?: true})
        {:DOWN, ^ref, :process, ^peer, reason} -> ended(reason, state)
      after
        @patience ->
          Process.exit(peer, :kill)
          {:ok, state}
      end
    end

    # The connection ends, and says why; it is told nothing more.
    defp broken(state, why) do
      send(state.peer, {:wasgo_broken, self(), why})
      {:ok, %{state | peer: nil}}
    end

    @doc false
    def handle_info({:wasgo_next, _peer}, state), do: {:ok, %{state | next?: true}}

    # Written is what the web server has given to the system, which it does before it takes the next message.
    def handle_info({:wasgo_write, writer, bytes}, state) do
      send(self(), {:wasgo_written, writer})
      {:push, {:binary, bytes}, state}
    end

    def handle_info({:wasgo_written, writer}, state) do
      send(writer, {:wasgo_written, self()})
      {:ok, state}
    end

    def handle_info({:DOWN, ref, :process, _peer, reason}, %{ref: ref} = state),
      do: ended(reason, state)

    def handle_info(_stray, state), do: {:ok, state}

    @doc false
    def terminate(_reason, _state), do: :ok

    defp ended(reason, state) do
      why =
        case reason do
          {:shutdown, {:wasgo_godot, why}} -> why
          :shutdown -> :stopped
          crash -> {:crashed, crash}
        end

      {:stop, :normal, closing(why), %{state | peer: nil}}
    end

    # What crashed is nothing that the other side should be told.
    defp closing({:crashed, _reason}), do: {1011, "an error of the sidecar's"}
    defp closing(why), do: {code(why), why |> GodotError.why() |> Bytes.text(@max_detail)}

    defp code({:bye, _text}), do: 1000
    defp code(why) when why in [:closed, :lost], do: 1000
    defp code(why) when why in [:stopped, :world_gone], do: 1001
    defp code(@text), do: 1003
    defp code({:too_large, _limit}), do: 1009
    defp code({:refused, reason}) when reason in ["full", "zone"], do: 1013
    defp code(_why), do: 1008

    # The web server's process goes on until the other side closes, and it may wait in `send` for one that does not read.
    defp end_after(peer) do
      web = self()

      spawn(fn ->
        if peer, do: await_either(web, peer)
        # Of one that is gone this tells at once.
        ref = Process.monitor(web)

        receive do
          {:DOWN, ^ref, :process, _web, _reason} -> :ok
        after
          @closing_ms -> Process.exit(web, :kill)
        end
      end)
    end

    defp await_either(web, peer) do
      {one, other} = {Process.monitor(web), Process.monitor(peer)}
      receive do: ({:DOWN, ref, :process, _pid, _reason} when ref in [one, other] -> :ok)
      Process.demonitor(one, [:flush])
    end
  end
end
