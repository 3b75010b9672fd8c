if Code.ensure_loaded?(Phoenix.Channel) do
  defmodule Wasgo.Phoenix.WorldChannel do
    @moduledoc """
    A channel that shows a `Wasgo.World` to web clients, `"world:ID"`.

        defmodule MyAppWeb.WorldChannel do
          use Wasgo.Phoenix.WorldChannel,
            worlds: %{"garden" => MyGame.Garden},
            runners: %{"garden" => MyGame.GardenScripts}

          @impl Wasgo.Phoenix.WorldChannel
          def authorize(:join, %{world: "garden"}, _socket), do: true
          def authorize(:call, %{what: what}, socket) when what >= 10_000, do: socket.assigns.player?
          def authorize(_action, _details, _socket), do: false
        end

    and in the application's socket `channel "world:*", MyAppWeb.WorldChannel`. A client is shown all zones of the world: what stands in it, what moves, who serves its zones, how its
    scripts do, and which chunks of the ground to fetch from `Wasgo.Phoenix.Plug`; it may call objects' scripts and send events, as far as `c:authorize/3` lets it. The messages, and the layout of
    the binary ones, are in the guide `guides/phoenix.md`.

    ## Slow clients

    Nothing is kept for a client: it is at a number of the world, and ten or twenty times a second it is sent what differs, as it is then. It acknowledges what it has applied, and is sent no more than
    `:max_unacknowledged` pushes and about `:max_unacknowledged_bytes` beyond that. A browser that does not read costs as much, and is let go after `:ack_timeout`, which
    is logged. The world's process is asked once, at the join; what moves is encoded once for all clients that are as far, whose ticks come at the same time.

    Phoenix takes messages of any size unless it is told otherwise: `socket "/socket", MyAppWeb.UserSocket, websocket: [max_frame_size: 65_536]`.

    ## Options

      * `:worlds` - a map from ids to `Wasgo.World`s, or a function of an id that returns `{:ok, world}` or `:error`; required
      * `:runners` - likewise the `Wasgo.World.Scripts` of worlds: for calls, and news of scripts
      * `:events` - a `Wasgo.Pipeline.Writer` that takes clients' events, as `Wasgo.Buffer`s
      * `:hz` - how often a client is sent what differs, 20 times a second unless given
      * `:max_radius` - how far a client may see, 2,048 metres unless given
      * `:max_loading` - chunks that a client may be loading, 16 unless given
      * `:max_unacknowledged` (64), `:max_unacknowledged_bytes` (1 MiB), `:ack_timeout` (15,000 ms)
      * `:max_calls` - calls and events of a client that may be under way, 4 unless given; `:call_timeout`, 5,000 ms
      * `:max_messages` - of a client in a second, 60 unless given; twice as many at once. Those that answer pushes are not counted
      * `:log_join`, `:hibernate_after`, `:shutdown` - as of `Phoenix.Channel`

    ## Your own messages

    Clauses of `handle_in/3`, `handle_out/3` and `handle_info/2` in your module come before those of this one; `join/3` may be overridden, and calls `super`. The socket's
    assign `:wasgo_client` is the channel's own.
    """

    require Logger

    alias Phoenix.Socket
    alias Wasgo.Phoenix.{Terms, WorldChannel}
    alias Wasgo.Phoenix.WorldChannel.{Client, Params}
    alias Wasgo.{Buffer, LimitError, Options, World, WorldError}
    alias Wasgo.Pipeline.Writer
    alias Wasgo.World.State

    @typedoc "What a client wants to do."
    @type action :: :join | :call | :event

    @doc """
    Whether a client may do something. Everything else than `true`, `:ok` and `{:ok, map}` refuses it; `{:error, map}` is what a refused client is answered.

      * `:join` - `%{world: id, params: params}`
      * `:call` - `%{world: id, object: id, what: number, args: list}`
      * `:event` - `%{world: id, name: name, data: data}`; what is in the map of `{:ok, map}` is put into the buffer's metadata
    """
    @callback authorize(action(), details :: map(), Socket.t()) ::
                boolean() | :ok | {:ok, map()} | {:error, map()}

    @schema [
      worlds: [type: {:or, [:map, {:function, 1}]}, required: true],
      runners: [type: {:or, [:map, {:function, 1}]}, default: %{}],
      events: [type: {:or, [:server, {:in, [nil]}]}, default: nil],
      hz: [type: {:range, 1..60}, default: 20],
      max_radius: [type: :number, default: 2_048],
      max_loading: [type: {:range, 1..1_024}, default: 16],
      max_unacknowledged: [type: {:range, 1..65_536}, default: 64],
      max_unacknowledged_bytes: [type: {:range, 1_024..1_073_741_824}, default: 1_048_576],
      ack_timeout: [type: :timeout, default: 15_000],
      max_calls: [type: {:range, 1..1_024}, default: 4],
      call_timeout: [type: :timeout, default: 5_000],
      max_messages: [type: {:range, 1..100_000}, default: 60]
    ]

    # So many messages more refused than taken end a channel.
    @most_over 1_000
    # How often a runner that is not there is looked for, in ms.
    @look_again 1_000

    @phoenix [:log_join, :log_handle_in, :hibernate_after, :shutdown]

    defmacro __using__(options) do
      quote do
        @wasgo_channel Keyword.take(unquote(options), unquote(@phoenix))
        use Phoenix.Channel, Keyword.put_new(@wasgo_channel, :log_handle_in, false)
        @behaviour Wasgo.Phoenix.WorldChannel
        @before_compile Wasgo.Phoenix.WorldChannel

        intercept(["event"])

        @doc false
        def __wasgo__, do: Keyword.drop(unquote(options), unquote(@phoenix))

        @impl Phoenix.Channel
        def join(topic, params, socket),
          do: Wasgo.Phoenix.WorldChannel.join(__MODULE__, topic, params, socket)

        defoverridable join: 3
      end
    end

    @doc false
    defmacro __before_compile__(_env) do
      quote do
        @impl Phoenix.Channel
        def handle_in(event, payload, socket),
          do: Wasgo.Phoenix.WorldChannel.handle_in(__MODULE__, event, payload, socket)

        @impl Phoenix.Channel
        def handle_out("event", payload, socket),
          do: Wasgo.Phoenix.WorldChannel.handle_event(payload, socket)

        @impl Phoenix.Channel
        def handle_info(message, socket),
          do: Wasgo.Phoenix.WorldChannel.handle_info(message, socket)
      end
    end

    ## Joining

    @doc false
    @spec join(module(), String.t(), term(), Socket.t()) ::
            {:ok, map(), Socket.t()} | {:error, map()}
    def join(module, "world:" <> id, params, socket) do
      options = Options.validate!(module.__wasgo__(), @schema, "Wasgo.Phoenix.WorldChannel")

      with :ok <- named(id),
           {:ok, _more} <- allowed(module, :join, %{world: id, params: params}, socket),
           {:ok, params} <- Params.join(params),
           {:ok, world} <-
             find(options.worlds, id, "unknown_world", "there is no world #{inspect(id)}"),
           {:ok, followed} <- follow(world) do
        Logger.metadata(wasgo_world: id)
        joined(module, id, options, followed, params, socket)
      end
    end

    def join(_module, _topic, _params, _socket),
      do:
        {:error, %{reason: "unknown_world", message: "the topic is \"world:\" and a world's id"}}

    defp named(id) do
      if byte_size(id) in 1..255 and String.valid?(id),
        do: :ok,
        else: {:error, %{reason: "unknown_world", message: "a world's id has 1 to 255 bytes"}}
    end

    defp find(function, id, reason, message) when is_function(function, 1) do
      with :error <- function.(id), do: {:error, %{reason: reason, message: message}}
    end

    defp find(map, id, reason, message) do
      with :error <- Map.fetch(map, id), do: {:error, %{reason: reason, message: message}}
    end

    defp follow(world) do
      with {:error, _error} <- World.follow(world),
           do: {:error, %{reason: "unavailable", message: "the world is not running now"}}
    end

    defp joined(module, id, options, followed, params, socket) do
      monitor = Process.monitor(followed.pid)
      client = Client.new(id, options, followed, params)
      tick()

      state = %{
        module: module,
        client: client,
        world: monitor,
        runner: nil,
        tasks: %{},
        tokens: options.max_messages * 2,
        filled: now(),
        over: 0
      }

      {scripts, state} = hear_scripts(state)
      {:ok, Client.hello(client, scripts), Socket.assign(socket, :wasgo_client, state)}
    end

    # How the world's scripts do, if there is somebody who runs them.
    defp hear_scripts(%{client: %{options: options, world: id}} = state) do
      with {:ok, runner} <- find(options.runners, id, "", ""),
           {:ok, pid, statuses} <- World.Scripts.subscribe(runner) do
        {statuses, %{state | runner: {Process.monitor(pid), runner}}}
      else
        {:error, %WorldError{}} ->
          Process.send_after(self(), {__MODULE__, :look_again}, @look_again)
          {[], state}

        {:error, _no_runner} ->
          {[], state}
      end
    end

    ## What the client says

    @doc false
    def handle_in(module, event, payload, socket) do
      case spend(socket.assigns.wasgo_client) do
        {:ok, state} ->
          heard(event, payload, state, assign(socket, state), module)

        {:over, state} when state.over > @most_over ->
          flooded(assign(socket, state))

        {:over, state} ->
          refused(
            %{reason: "flood", message: "more messages than a client may send"},
            assign(socket, state)
          )
      end
    end

    # A bucket of tokens: one a message, so many a second.
    defp spend(%{client: %{options: %{max_messages: most}}} = state) do
      now = now()
      tokens = min(state.tokens + (now - state.filled) * most / 1_000, most * 2)
      state = %{state | tokens: tokens, filled: now}

      if tokens >= 1,
        do: {:ok, %{state | tokens: tokens - 1, over: max(state.over - 1, 0)}},
        else: {:over, %{state | over: state.over + 1}}
    end

    # What answers a push is no flood: there are no more of these than pushes.
    defp progress(%{client: client} = state, client), do: state
    defp progress(state, client), do: %{state | client: client, tokens: state.tokens + 1}

    defp flooded(socket),
      do: let_go(socket, "flood", "the client sends more messages than it may")

    defp refused(reply, socket), do: {:reply, {:error, reply}, socket}

    defp heard("ack", payload, state, socket, _module) do
      with %{"seq" => seq} <- payload,
           {:ok, client} <- Client.ack(state.client, seq, now()) do
        {:noreply, assign(socket, progress(state, client))}
      else
        _wrong ->
          {:error, reply} = Params.invalid("seq", "the number of a push")
          refused(reply, socket)
      end
    end

    defp heard("view", payload, state, socket, _module) do
      case Params.view(payload) do
        {:ok, view} ->
          {:reply, {:ok, %{}}, assign(socket, %{state | client: Client.look(state.client, view)})}

        {:error, reply} ->
          refused(reply, socket)
      end
    end

    defp heard("loaded", payload, state, socket, _module) do
      case Params.loaded(payload, state.client.options.max_loading) do
        {:ok, keys} ->
          {:noreply, assign(socket, progress(state, Client.loaded(state.client, keys)))}

        {:error, reply} ->
          refused(reply, socket)
      end
    end

    defp heard("call", payload, state, socket, module) do
      %{world: id, options: options} = state.client

      with {:ok, call} <- Params.call(payload),
           {:ok, _more} <- allowed(module, :call, Map.put(call, :world, id), socket),
           {:ok, runner} <- runner(options, id),
           :ok <- free(state) do
        begin(state, socket, fn ->
          World.Scripts.call(runner, call.object, call.what, call.args, options.call_timeout)
        end)
      else
        {:error, reply} -> refused(reply, socket)
      end
    end

    defp heard("event", payload, state, socket, module) do
      %{world: id, options: options} = state.client

      with {:ok, %{name: name, data: data} = event} <- Params.event(payload),
           {:ok, more} <- allowed(module, :event, Map.put(event, :world, id), socket),
           :ok <- served(options),
           :ok <- free(state) do
        metadata = Map.merge(more, %{kind: :event, world: id})
        buffer = Buffer.new(%{"name" => name, "data" => data}, metadata: metadata)
        begin(state, socket, fn -> written(options.events, buffer, options.call_timeout) end)
      else
        {:error, reply} -> refused(reply, socket)
      end
    end

    defp heard(_other, _payload, _state, socket, _module),
      do: refused(%{reason: "unknown_event", message: "there is no such message"}, socket)

    defp allowed(module, action, details, socket) do
      case module.authorize(action, details, socket) do
        allowed when allowed in [true, :ok] -> {:ok, %{}}
        {:ok, more} when is_map(more) -> {:ok, more}
        {:error, reply} when is_map(reply) -> {:error, reply}
        _no -> {:error, %{reason: "forbidden", message: "it is not allowed"}}
      end
    end

    defp runner(options, id),
      do: find(options.runners, id, "no_runner", "nobody runs scripts of this world")

    defp served(%{events: nil}),
      do: {:error, %{reason: "not_served", message: "the application takes no events"}}

    defp served(_options), do: :ok

    defp free(%{tasks: tasks, client: %{options: %{max_calls: most}}}) do
      if map_size(tasks) < most,
        do: :ok,
        else:
          {:error, %{reason: "busy", message: "#{most} calls and events are under way already"}}
    end

    defp written(writer, buffer, timeout) do
      with :ok <- Writer.write(writer, buffer, timeout), do: {:ok, :written}
    catch
      :exit, _gone ->
        {:error, %{reason: "not_served", message: "what takes events is not running"}}
    end

    # In a process of its own, which answers by the reason that it ends with.
    defp begin(state, socket, fun) do
      {_pid, monitor} = spawn_monitor(fn -> exit({WorldChannel, fun.()}) end)
      state = %{state | tasks: Map.put(state.tasks, monitor, Phoenix.Channel.socket_ref(socket))}
      {:noreply, assign(socket, state)}
    end

    defp answer({WorldChannel, {:ok, :written}}), do: {:ok, %{}}
    defp answer({WorldChannel, {:ok, nil}}), do: {:ok, %{values: nil}}
    defp answer({WorldChannel, {:ok, values}}), do: {:ok, %{values: Terms.values(values)}}

    defp answer({WorldChannel, {:error, %WorldError{reason: :unknown_object} = error}}),
      do: {:error, %{reason: "unknown_object", message: Exception.message(error)}}

    defp answer({WorldChannel, {:error, %WorldError{reason: :stopped} = error}}),
      do: {:error, %{reason: "no_runner", message: Exception.message(error)}}

    defp answer({WorldChannel, {:error, %LimitError{reason: :calls} = error}}),
      do: {:error, %{reason: "busy", message: Exception.message(error)}}

    defp answer({WorldChannel, {:error, %LimitError{reason: :time} = error}}),
      do: {:error, %{reason: "timeout", message: Exception.message(error)}}

    defp answer({WorldChannel, {:error, error}}) when is_exception(error) do
      {:error,
       %{
         reason: "script",
         message: "the script failed",
         error: Map.put(Terms.error(error), :frames, Wasgo.Script.Trace.of(error, nil))
       }}
    end

    defp answer({WorldChannel, {:error, reply}}), do: {:error, reply}
    defp answer(_crashed), do: {:error, %{reason: "script", message: "it could not be done"}}

    ## What others say

    @doc false
    def handle_event(payload, socket) do
      %{client: client} = state = socket.assigns.wasgo_client

      event =
        if is_map(payload), do: Map.drop(payload, ["seq", "dropped"]), else: %{data: payload}

      {:noreply, assign(socket, %{state | client: Client.event(client, event)})}
    end

    @doc false
    def handle_info({__MODULE__, :tick}, socket) do
      %{client: client} = state = socket.assigns.wasgo_client
      now = now()

      if Client.late?(client, now) do
        let_go(
          socket,
          "not_reading",
          "nothing was acknowledged for #{client.options.ack_timeout} ms"
        )
      else
        tick(client.options.hz)
        {pushes, client} = Client.tick(client, now)
        for {event, payload} <- pushes, do: Phoenix.Channel.push(socket, event, payload)
        {:noreply, assign(socket, %{state | client: client})}
      end
    rescue
      # The world's tables end with it: the monitor says so a moment later.
      error in ArgumentError ->
        if State.there?(socket.assigns.wasgo_client.client.tables),
          do: reraise(error, __STACKTRACE__),
          else: world_ended(socket)
    end

    def handle_info({:wasgo_scripts, _pid, status}, socket) do
      %{client: client} = state = socket.assigns.wasgo_client
      {:noreply, assign(socket, %{state | client: Client.script(client, status)})}
    end

    def handle_info({__MODULE__, :look_again}, socket) do
      {statuses, state} = hear_scripts(socket.assigns.wasgo_client)

      {:noreply,
       assign(socket, %{
         state
         | client: Enum.reduce(statuses, state.client, &Client.script(&2, &1))
       })}
    end

    def handle_info({:DOWN, monitor, :process, _pid, reason}, socket) do
      state = socket.assigns.wasgo_client

      case state do
        %{world: ^monitor} ->
          world_ended(socket)

        %{runner: {^monitor, _runner}} ->
          Process.send_after(self(), {__MODULE__, :look_again}, @look_again)
          {:noreply, assign(socket, %{state | runner: nil})}

        %{tasks: %{^monitor => ref}} ->
          Phoenix.Channel.reply(ref, answer(reason))
          {:noreply, assign(socket, %{state | tasks: Map.delete(state.tasks, monitor)})}

        _other ->
          {:noreply, socket}
      end
    end

    def handle_info(_other, socket), do: {:noreply, socket}

    defp world_ended(socket) do
      Phoenix.Channel.push(socket, "bye", bye("world_ended", "the world has ended"))
      {:stop, {:shutdown, :world_ended}, socket}
    end

    defp let_go(socket, reason, message) do
      Logger.warning("Wasgo.Phoenix.WorldChannel: a client is let go: #{message}")
      Phoenix.Channel.push(socket, "bye", bye(reason, message))
      {:stop, {:shutdown, {:let_go, reason}}, socket}
    end

    defp bye(reason, message), do: %{seq: 0, reason: reason, message: message}

    defp assign(socket, state), do: Socket.assign(socket, :wasgo_client, state)

    defp tick, do: send(self(), {__MODULE__, :tick})

    # All clients of a world at the same time, so that one's rows serve the others.
    defp tick(hz) do
      period = max(div(1_000, hz), 1)
      now = now()

      Process.send_after(self(), {__MODULE__, :tick}, now - Integer.mod(now, period) + period,
        abs: true
      )
    end

    defp now, do: System.monotonic_time(:millisecond)
  end
end
