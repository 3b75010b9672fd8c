defmodule Wasgo.BadLink do
  @moduledoc false
  # A wire between an engine and a sidecar that can be cut, stalled, slowed, or made to deliver bytes one at a time. It listens on a port of the loopback, and
  # connects to another for each connection that it takes.

  use GenServer

  # As much as is read at once, and how often a slow wire gets something, in ms.
  @piece 65_536
  @beat 10

  @doc "Starts a wire to a port, linked to the caller."
  def start_link(port), do: GenServer.start_link(__MODULE__, port)

  def child_spec(port), do: %{id: make_ref(), start: {__MODULE__, :start_link, [port]}}

  @doc "Where engines connect."
  def port(link), do: GenServer.call(link, :port)

  @doc "How bytes go from now on: `:well`, `:stalled`, `{:slow, bytes_a_second}` or `:bytewise`. Both ways, also of connections that are open."
  def set(link, manner), do: GenServer.call(link, {:set, manner})

  @doc "Ends every connection at once, without a word. Others may follow."
  def cut(link), do: GenServer.call(link, :cut)

  @doc "How many bytes went to the engine, and to the sidecar, since the start."
  def bytes(link), do: GenServer.call(link, :bytes)

  @doc "How many connections there were."
  def connections(link), do: GenServer.call(link, :connections)

  @impl true
  def init(target) do
    {:ok, listener} =
      :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, active: false, reuseaddr: true])

    link = self()
    manner = :atomics.new(1, signed: true)
    counts = :counters.new(3, [])
    spawn_link(fn -> accept(link, listener, target, manner, counts) end)
    {:ok, %{listener: listener, manner: manner, counts: counts, sockets: []}}
  end

  @impl true
  def handle_call(:port, _from, state) do
    {:ok, port} = :inet.port(state.listener)
    {:reply, port, state}
  end

  def handle_call({:set, manner}, _from, state) do
    code =
      case manner do
        :well -> 0
        :stalled -> -1
        :bytewise -> -2
        {:slow, rate} -> rate
      end

    :atomics.put(state.manner, 1, code)
    {:reply, :ok, state}
  end

  def handle_call(:cut, _from, state) do
    for socket <- state.sockets do
      :inet.setopts(socket, linger: {true, 0})
      :gen_tcp.close(socket)
    end

    {:reply, :ok, %{state | sockets: []}}
  end

  def handle_call(:bytes, _from, state),
    do: {:reply, {:counters.get(state.counts, 1), :counters.get(state.counts, 2)}, state}

  def handle_call(:connections, _from, state), do: {:reply, :counters.get(state.counts, 3), state}

  @impl true
  def handle_info({:sockets, sockets}, state),
    do: {:noreply, %{state | sockets: sockets ++ state.sockets}}

  defp accept(link, listener, target, manner, counts) do
    {:ok, engine} = :gen_tcp.accept(listener)
    settings = [:binary, active: false, nodelay: true]

    case :gen_tcp.connect({127, 0, 0, 1}, target, settings) do
      {:ok, sidecar} ->
        :inet.setopts(engine, nodelay: true)
        :counters.add(counts, 3, 1)
        # Whoever closes them must own neither.
        send(link, {:sockets, [engine, sidecar]})
        spawn(fn -> pump(engine, sidecar, manner, counts, 2) end)
        spawn(fn -> pump(sidecar, engine, manner, counts, 1) end)

      # The sidecar is not there now.
      {:error, _refused} ->
        :gen_tcp.close(engine)
    end

    accept(link, listener, target, manner, counts)
  end

  defp pump(from, to, manner, counts, counter) do
    with :ok <- await(manner),
         {:ok, bytes} <- :gen_tcp.recv(from, 0),
         :ok <- pass(to, bytes, manner, counts, counter) do
      pump(from, to, manner, counts, counter)
    else
      _ended ->
        :gen_tcp.close(from)
        :gen_tcp.close(to)
    end
  end

  # A wire that is stalled reads nothing.
  defp await(manner) do
    if :atomics.get(manner, 1) == -1 do
      pause()
      await(manner)
    else
      :ok
    end
  end

  defp pass(_to, <<>>, _manner, _counts, _counter), do: :ok

  defp pass(to, bytes, manner, counts, counter) do
    case :atomics.get(manner, 1) do
      -1 ->
        pause()
        pass(to, bytes, manner, counts, counter)

      code ->
        size = size(code, byte_size(bytes))
        {piece, rest} = :erlang.split_binary(bytes, size)

        with :ok <- :gen_tcp.send(to, piece) do
          :counters.add(counts, counter, size)
          if code > 0, do: pause()
          pass(to, rest, manner, counts, counter)
        end
    end
  end

  defp size(0, there), do: min(there, @piece)
  defp size(-2, _there), do: 1
  defp size(rate, there), do: there |> min(max(div(rate * @beat, 1000), 1))

  # What the wire is for: to let time pass.
  defp pause do
    receive do
    after
      @beat -> :ok
    end
  end
end
