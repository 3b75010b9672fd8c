if Code.ensure_loaded?(Phoenix.Channel) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.WorldChannelCase do
    @moduledoc false
    # Clients of `Wasgo.Phoenix.WorldChannel`, as browsers are: each test has a world of its own behind the endpoint of its module, as `context.world`, with a plan when it is tagged `plan: true`.
    #
    # There are three channels: one as an application has it at `/socket`, one with room for little at `/small`, and one at `/hasty` that also has little patience.

    use ExUnit.CaseTemplate

    alias Wasgo.ChannelClient, as: Client
    alias Wasgo.Gen.{Tiling, View}
    alias Wasgo.{Gen, HTTPRequest, Store, TestEndpoint, World}

    @patience 20_000

    using do
      quote do
        import Wasgo.WorldChannelCase
        alias Wasgo.ChannelClient, as: Client

        @moduletag :phoenix
        @moduletag :capture_log
        @patience 20_000

        defmodule Module.concat(__MODULE__, Endpoint) do
          use Phoenix.Endpoint, otp_app: :wasgo

          socket("/socket", Wasgo.WorldChannelCase.Socket, websocket: [max_frame_size: 65_536])
          socket("/small", Wasgo.WorldChannelCase.SmallSocket, websocket: true)
          socket("/hasty", Wasgo.WorldChannelCase.HastySocket, websocket: true)
          plug(Wasgo.WorldChannelCase.Files)
        end
      end
    end

    defmodule Worlds do
      @moduledoc false
      # Worlds and their runners by their ids, each test's own.
      def world(id), do: named("world_" <> id)
      def runner(id), do: named("runner_" <> id)

      defp named(name) do
        {:ok, String.to_existing_atom(name)}
      rescue
        ArgumentError -> :error
      end
    end

    defmodule Channel do
      @moduledoc false
      use Wasgo.Phoenix.WorldChannel,
        worlds: &Worlds.world/1,
        runners: &Worlds.runner/1,
        events: :channel_test_events,
        max_calls: 2

      @impl Wasgo.Phoenix.WorldChannel
      def authorize(:join, %{world: "forbidden"}, _socket), do: false
      def authorize(:join, %{world: "why"}, _socket), do: {:error, %{reason: "full"}}
      def authorize(:join, _details, _socket), do: true
      def authorize(:call, %{what: what}, _socket), do: what != 10_666
      def authorize(:event, %{name: "wave"}, _socket), do: {:ok, %{who: "ada"}}
      def authorize(_action, _details, _socket), do: false

      @impl Phoenix.Channel
      def handle_in("mine", payload, socket), do: {:reply, {:ok, helped(payload)}, socket}

      defp helped(payload), do: Map.put(payload, "mine", true)

      @impl Phoenix.Channel
      def handle_info({:mine, text}, socket) do
        push(socket, "mine", %{text: text})
        {:noreply, socket}
      end
    end

    defmodule SmallChannel do
      @moduledoc false
      use Wasgo.Phoenix.WorldChannel,
        worlds: &Worlds.world/1,
        max_unacknowledged: 4,
        max_loading: 2,
        max_messages: 10

      @impl Wasgo.Phoenix.WorldChannel
      def authorize(:join, _details, _socket), do: true
      def authorize(_action, _details, _socket), do: false
    end

    defmodule HastyChannel do
      @moduledoc false
      # It says to the process that is registered as `test_` and the world's id who it is.
      use Wasgo.Phoenix.WorldChannel,
        worlds: &Worlds.world/1,
        max_unacknowledged: 4,
        ack_timeout: 1_000

      @impl Wasgo.Phoenix.WorldChannel
      def authorize(:join, %{world: id}, socket) do
        send(String.to_existing_atom("test_" <> id), {:joined, self(), socket.transport_pid})
        true
      end

      def authorize(_action, _details, _socket), do: false
    end

    defmodule OneChannel do
      @moduledoc false
      defmacro __using__(channel) do
        quote do
          use Phoenix.Socket

          channel("world:*", unquote(channel))

          @impl true
          def connect(_params, socket), do: {:ok, socket}

          @impl true
          def id(_socket), do: nil
        end
      end
    end

    defmodule Socket do
      @moduledoc false
      use OneChannel, Channel
    end

    defmodule SmallSocket do
      @moduledoc false
      use OneChannel, SmallChannel
    end

    defmodule HastySocket do
      @moduledoc false
      use OneChannel, HastyChannel
    end

    defmodule Files do
      @moduledoc false
      # The files that channels name.
      def init(options), do: options

      def call(%{path_info: ["wasgo" | path]} = conn, _options) do
        options = [worlds: &Worlds.world/1, authorize: fn _, _, _ -> true end]
        Wasgo.Phoenix.Plug.call(%{conn | path_info: path}, Wasgo.Phoenix.Plug.init(options))
      end
    end

    setup_all %{module: module} do
      pubsub = Module.concat(module, PubSub)
      endpoint = Module.concat(module, Endpoint)
      :ok = TestEndpoint.start_applications()
      start_supervised!({Phoenix.PubSub, name: pubsub})
      {port, _pid} = TestEndpoint.start(endpoint, pubsub_server: pubsub)
      %{port: port, endpoint: endpoint}
    end

    setup context do
      id = "w#{System.unique_integer([:positive])}"
      Process.register(self(), String.to_atom("test_" <> id))
      {:ok, store} = Store.open(:memory)
      plan = if context[:plan], do: Gen.plan!(seed: 7, samples: 17, chunk_size: 32)

      world =
        start_supervised!(
          {World, name: id, store: store, plan: plan, as: String.to_atom("world_" <> id), hz: 60}
        )

      %{id: id, store: store, world: world, plan: plan, topic: "world:" <> id}
    end

    @doc "Connects and joins: the client, `\"ok\"` or `\"error\"`, and the answer; the client alone when it does not read."
    def join(context, params \\ %{}, path \\ "/socket", options \\ []) do
      {:ok, client} = Client.start_link(context.port, path, options)
      ref = Client.push(client, context.topic, "phx_join", params)
      if options[:read] == false, do: client, else: joined(client, ref)
    end

    defp joined(client, ref) do
      assert_receive {^client, "phx_reply", {^ref, status, answer}}, @patience
      {client, status, answer}
    end

    @doc "Pushes, and gives the status and the response of the reply."
    def ask(client, context, event, payload) do
      ref = Client.push(client, context.topic, event, payload)
      assert_receive {^client, "phx_reply", {^ref, status, answer}}, @patience
      {status, answer}
    end

    def ack(client, context, seq), do: Client.push(client, context.topic, "ack", %{"seq" => seq})

    @doc "How many lines of a log, taken with the metadata `:wasgo_world`, say that a client of the test's world is let go."
    def let_go(log, context) do
      log
      |> String.split("\n")
      |> Enum.count(&(&1 =~ "is let go" and &1 =~ ~r/wasgo_world=#{context.id}\b/))
    end

    @doc "States until the client is at a number, all of them acknowledged."
    def states(client, context, rev, done \\ []) do
      assert_receive {^client, "state", state}, @patience
      ack(client, context, state["seq"])
      done = [state | done]
      if state["rev"] >= rev, do: Enum.reverse(done), else: states(client, context, rev, done)
    end

    @doc "The file of a chunk that was named."
    def fetch(context, chunk),
      do: HTTPRequest.request(context.port, "GET", "/wasgo/worlds/#{context.id}/#{chunk["path"]}")

    @doc "The keys of the chunks that are to be shown of a plan at a client's view."
    def wanted(plan, %{"position" => [x, y, z], "radius" => radius}) do
      {:ok, tiling} = Tiling.new(plan)
      viewer = %{id: 0, position: {x / 1, y / 1, z / 1}, radius: radius / 1, level: 0}
      {[], view} = View.look(View.new(tiling), [viewer])
      view.wanted |> Map.keys() |> Enum.map(&Wasgo.Phoenix.Content.key/1) |> Enum.sort()
    end

    @doc "Loads what is named, until the client, which shows `shown`, shows what `wanted?` wants: `%{key => chunk}`."
    def load_until(client, context, shown, wanted?) do
      if wanted?.(shown) do
        shown
      else
        assert_receive {^client, "chunks", %{"put" => put, "gone" => gone, "seq" => seq}},
                       @patience

        ack(client, context, seq)
        keys = Enum.map(put, & &1["key"])
        Client.push(client, context.topic, "loaded", %{"chunks" => keys})
        shown = shown |> Map.merge(Map.new(put, &{&1["key"], &1})) |> Map.drop(gone)
        load_until(client, context, shown, wanted?)
      end
    end
  end
end
