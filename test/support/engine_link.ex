defmodule Wasgo.EngineLink do
  @moduledoc false
  # A server with real engines at its other end: started, connected, asked until they show what is wanted. For tests to `import`.
  #
  # The server tells the test's process of its connections, and ends with the test. An engine is a script of godot/tests, as `Wasgo.TestEngine` runs it: `talk_peer.gd` says in lines
  # what it hears, `zone_peer.gd` shows a zone of a world and answers questions about it.

  import ExUnit.Assertions

  alias Wasgo.Godot
  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.{TestEngine, World}

  @token "the engine's secret"
  # For machines that are busy with something else, in ms. Less than a test may take.
  @patience 40_000

  def token, do: @token

  @doc "A server that tells this process of its connections. It may be stopped, and is not started again then."
  @spec start_server(keyword()) :: pid()
  def start_server(options \\ []) do
    options = Keyword.put_new(options, :token, @token)

    server =
      ExUnit.Callbacks.start_supervised!({Server, options}, id: make_ref(), restart: :temporary)

    Server.subscribe(server)
    server
  end

  @doc "An engine that runs `script` and connects to a port of this machine, or a URL."
  @spec start_engine(String.t(), :inet.port_number() | String.t(), [String.t()]) :: port()
  def start_engine(script, where, arguments \\ []) do
    where = if is_integer(where), do: "--port=#{where}", else: "--url=#{where}"
    TestEngine.start(script, [where, "--token=#{@token}"] ++ arguments)
  end

  @doc "Waits for the next connection."
  @spec connected() :: Connection.t()
  def connected do
    assert_receive {:wasgo_godot, :connected, connection}, @patience
    connection
  end

  @doc "Waits until a connection has ended, and gives the reason."
  @spec disconnected(Connection.t()) :: term()
  def disconnected(connection) do
    assert_receive {:wasgo_godot, {:disconnected, reason}, ^connection}, @patience
    reason
  end

  @doc "What TLS needs for a server named sidecar.test, and the argument with which `talk_peer.gd` trusts it."
  @spec certificate() :: {keyword(), String.t()}
  def certificate do
    names = [{:Extension, {2, 5, 29, 17}, false, [dNSName: ~c"sidecar.test"]}]
    made = [key: {:rsa, 2048, 65_537}, digest: :sha256]
    chain = %{root: made, intermediates: [], peer: made ++ [extensions: names]}
    data = :public_key.pkix_test_data(%{server_chain: chain, client_chain: chain})
    [trusted | _] = data.client_config[:cacerts]
    pem = :public_key.pem_encode([{:Certificate, trusted, :not_encrypted}])
    {data.server_config, "--certificate=" <> Base.encode64(pem)}
  end

  @doc "Sends each of `payloads` in both lanes to `talk_peer.gd`, which has to have them as they are; the connection's figures then."
  @spec exchange(port(), Connection.t(), [binary()]) :: map()
  def exchange(engine, connection, payloads) do
    for {lane, kind} <- [live: "test live", bulk: "test bulk"], bytes <- payloads do
      fields = %{"bytes" => {:packed_byte, bytes}}
      assert {:ok, _number} = Connection.send(connection, kind, fields, lane: lane)
      expected = Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
      assert TestEngine.await_line(engine, kind <> " ") == expected
    end

    assert :ok = Connection.flush(connection)
    assert {:ok, %{errors: 0} = stats} = Connection.stats(connection)
    stats
  end

  @doc "The engine's report, once it is as `wanted?` has it."
  @spec report(Connection.t(), (map() -> boolean())) :: map()
  def report(connection, wanted?),
    do: look("the report", fn -> Connection.request(connection, "report") end, wanted?)

  @doc "Calls a method of `zone_peer.gd` until its value is `wanted`, or as the function `wanted` has it; gives the value."
  @spec ask(Connection.t(), String.t(), [term()], term()) :: term()
  def ask(connection, method, arguments, wanted) do
    wanted? = if is_function(wanted, 1), do: wanted, else: &(&1 == wanted)
    look(method, fn -> Godot.call(connection, "Peer", method, arguments) end, wanted?)
  end

  # Each look is an answer of the engine, at its own pace.
  defp look(what, ask, wanted?, until \\ nil) do
    until = until || System.monotonic_time(:millisecond) + @patience
    {:ok, value} = ask.()

    cond do
      wanted?.(value) -> value
      System.monotonic_time(:millisecond) > until -> flunk("#{what} stays #{inspect(value)}")
      true -> look(what, ask, wanted?, until)
    end
  end

  @doc "What `World.zone/2` says, once all that its engine is to see has been sent."
  @spec settled(GenServer.server(), String.t()) :: map()
  def settled(world, zone) do
    info = World.zone(world, zone)

    if info.making == 0 and info.chunks > 0 and info.waiting == [] and
         World.zone(world, zone).frames == info.frames,
       do: info,
       else: settled(world, zone)
  end
end
