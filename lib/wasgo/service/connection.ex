defmodule Wasgo.Service.Connection do
  @moduledoc """
  A connection with a service over its network in memory, used as a socket of `:gen_tcp` is.

      {:ok, connection} = Wasgo.Service.connect(service, 7)
      :ok = Wasgo.Service.Connection.send(connection, "hello")
      {:ok, "hello"} = Wasgo.Service.Connection.recv(connection, 5)
      :ok = Wasgo.Service.Connection.close(connection)

  It belongs to the process that connected, until `controlling_process/2`; with that one's end it is reset. It is *passive*: what came is fetched with `recv/3`, and
  the guest may send no more than 256 KiB ahead, or what `recv/3` waits for if that is more. `setopts/2` makes it *active*: `active: true`, `:once` or a number of
  messages. Its owner then gets `{:tcp, connection, data}`, at the end `{:tcp_closed, connection}`, after an error `{:tcp_error, connection, reason}` before that, and,
  when a number of messages is used up, `{:tcp_passive, connection}`. What is sent to an active connection is not held back: `active: true` is for guests that are
  trusted not to flood the owner's mailbox.

  A connection for datagrams (`Wasgo.Service.connect(service, port, protocol: :udp)`) has the same calls: each `send/2` is one datagram, and so is what each `recv/3` returns,
  whatever length it is asked for. Connecting sends nothing: that nothing listens on the port is known after the first datagram, as `:econnrefused`.

  Any process may send and receive; one at a time waits for what comes.

  Errors are `Wasgo.ServiceError`, with a reason that `:gen_tcp` has: `:closed`, `:timeout`, `:econnrefused`, `:econnreset`, `:econnaborted`, `:etimedout`, `:enetdown` (the guest has
  no address), `:emfile` (too many connections), `:emsgsize`, `:ealready` (another process waits), `:einval` (it is active); and `:not_owner`.
  """

  use GenServer

  alias Wasgo.{Bytes, Native, ServiceError}
  alias Wasgo.Native.Result

  @enforce_keys [:pid]
  defstruct [:pid]

  @type t :: %__MODULE__{pid: pid()}

  # Bytes that the guest may send ahead.
  @window 262_144

  # Bytes that were taken before the guest is told that it may send as many more.
  @gathered 65_536

  # Bytes handed over at once.
  @write 65_536

  # The longest that recv/3 gathers.
  @longest 67_108_864

  # The longest that the VM's timers can be set to.
  @latest 0xFFFF_FFFF

  defguardp is_timeout(timeout)
            when timeout == :infinity or (is_integer(timeout) and timeout in 0..@latest)

  @doc false
  @spec connect(reference(), :inet.port_number(), boolean(), timeout()) ::
          {:ok, t()} | {:error, Exception.t()}
  def connect(resource, port, udp, timeout) do
    start({:connect, resource, port, udp}, timeout)
  end

  @doc false
  @spec accept(reference(), non_neg_integer(), boolean()) :: {:ok, t()} | {:error, Exception.t()}
  def accept(resource, id, udp), do: start({:accept, resource, id, udp}, 20_000)

  defp start(how, timeout) do
    with {:ok, pid} <- GenServer.start(__MODULE__, {how, self()}) do
      connection = %__MODULE__{pid: pid}

      case call(connection, {:opened, timeout}) do
        :ok -> {:ok, connection}
        {:error, exception} -> {:error, exception}
      end
    end
  end

  @doc """
  Sends bytes. Returns when they are on their way to the guest, so that who sends faster than the guest takes has to wait.

      {:ok, connection} = Wasgo.Service.connect(service, 7)
      :ok = Wasgo.Service.Connection.send(connection, ["GET / HTTP/1.0", "\\r\\n\\r\\n"])
  """
  @spec send(t(), iodata()) :: :ok | {:error, ServiceError.t()}
  def send(%__MODULE__{} = connection, data) do
    call(connection, {:send, IO.iodata_to_binary(data)})
  end

  @doc """
  Returns what came: `length` bytes, or with 0 as much as there is, at least one. Fewer than `length` are returned at the end only.

      {:ok, <<length::32>>} = Wasgo.Service.Connection.recv(connection, 4)
      {:ok, message} = Wasgo.Service.Connection.recv(connection, length, 5_000)
      {:ok, what_there_is} = Wasgo.Service.Connection.recv(connection)
  """
  @spec recv(t(), non_neg_integer(), timeout()) :: {:ok, binary()} | {:error, ServiceError.t()}
  def recv(%__MODULE__{} = connection, length \\ 0, timeout \\ :infinity)
      when is_integer(length) and length in 0..@longest and is_timeout(timeout) do
    call(connection, {:recv, length, timeout})
  end

  @doc """
  Ends one direction, or both. After `:write` the guest finds the end of its input, and what it sends still comes. After `:read` what comes is thrown away, and
  `recv/3` returns `:closed`.

      :ok = Wasgo.Service.Connection.send(connection, text)
      :ok = Wasgo.Service.Connection.shutdown(connection, :write)
      {:ok, answer} = Wasgo.Service.Connection.recv(connection)
  """
  @spec shutdown(t(), :write | :read_write | :read) :: :ok | {:error, ServiceError.t()}
  def shutdown(%__MODULE__{} = connection, how) when how in [:read, :write, :read_write] do
    call(connection, {:shutdown, how})
  end

  @doc """
  Closes it. What was sent still arrives: the guest has a minute to take it and to close too, and until it has, the connection counts as one.

      :ok = Wasgo.Service.Connection.send(connection, "bye\\n")
      :ok = Wasgo.Service.Connection.close(connection)
  """
  @spec close(t()) :: :ok
  def close(%__MODULE__{} = connection) do
    _closed_before = call(connection, :close)
    :ok
  end

  @doc """
  Makes another process its owner. Only its owner can.

      {:ok, connection} = Wasgo.Service.connect(service, 7)
      {:ok, pid} = Task.Supervisor.start_child(MyApp.Tasks, fn -> receive(do: ({:take, it} -> converse(it))) end)
      :ok = Wasgo.Service.Connection.controlling_process(connection, pid)
      send(pid, {:take, connection})
  """
  @spec controlling_process(t(), pid()) :: :ok | {:error, ServiceError.t()}
  def controlling_process(%__MODULE__{} = connection, pid) when is_pid(pid) do
    call(connection, {:controlling_process, pid})
  end

  @doc """
  Sets `active: true | false | :once | number`.

      :ok = Wasgo.Service.Connection.setopts(connection, active: :once)

      receive do
        {:tcp, ^connection, bytes} -> {:ok, bytes}
        {:tcp_closed, ^connection} -> :closed
      end
  """
  @spec setopts(t(), active: boolean() | :once | pos_integer()) ::
          :ok | {:error, ServiceError.t()}
  def setopts(%__MODULE__{} = connection, active: active)
      when active in [true, false, :once] or (is_integer(active) and active > 0) do
    call(connection, {:active, active})
  end

  @doc false
  # Sends, and does not wait until it is sent.
  @spec send_beside(t(), iodata()) :: :ok
  def send_beside(%__MODULE__{pid: pid}, data) do
    GenServer.cast(pid, {:send, IO.iodata_to_binary(data)})
  end

  @doc false
  # Ends it at once, by a reset.
  @spec reset(t()) :: :ok
  def reset(%__MODULE__{} = connection) do
    _over_before = call(connection, :reset)
    :ok
  end

  defp call(%{pid: pid}, request) do
    GenServer.call(pid, request, :infinity)
  catch
    :exit, {reason, {GenServer, :call, _arguments}} when reason != :calling_self ->
      {:error, error(:closed)}
  end

  @impl true
  def init({how, owner}) do
    Wasgo.Label.put(__MODULE__)

    opened =
      case how do
        {:connect, resource, port, udp} -> Native.service_connect(resource, port, udp)
        {:accept, resource, id, _udp} -> Native.service_accept(resource, id)
      end

    state = %{
      connection: %__MODULE__{pid: self()},
      owner: owner,
      monitor: Process.monitor(owner),
      resource: nil,
      id: nil,
      datagrams: elem(how, 3),
      # nil while it is not there yet, then :open, then why it is over.
      opened: nil,
      closed: nil,
      # What came and nobody took, its size, and how much more the guest may send.
      buffer: :queue.new(),
      size: 0,
      ahead: 0,
      at_end: false,
      # Whether what comes is thrown away.
      unread: false,
      active: false,
      waiting: nil,
      # Who waits for it to be there, and what waits to be sent.
      opener: nil,
      unsent: :queue.new()
    }

    case Result.await(opened) do
      {:ok, {resource, id}} ->
        state = %{state | resource: resource, id: id}

        if elem(how, 0) == :accept and over_before?(state),
          do: {:ok, %{state | closed: error(:closed), at_end: true}},
          else: {:ok, let_send(state, 0)}

      {:error, exception} ->
        {:ok, %{state | closed: exception, at_end: true}}
    end
  end

  # What the guest wanted may be over by now, and then nobody hears of it. A write that does nothing tells: of no bytes in a stream, or of a datagram that
  # is too long for all.
  defp over_before?(state) do
    nothing = if state.datagrams, do: <<0::size(@write)-unit(8)>>, else: ""
    Native.connection_write(state.resource, nothing) == :closed
  end

  @impl true
  def handle_call({:opened, _timeout}, _from, %{closed: %{} = exception} = state) do
    {:stop, :normal, {:error, exception}, state}
  end

  def handle_call({:opened, _timeout}, _from, %{opened: :open} = state), do: {:reply, :ok, state}

  def handle_call({:opened, timeout}, from, state) do
    timer = timeout != :infinity && Process.send_after(self(), :not_opened, timeout)
    {:noreply, %{state | opener: {from, timer}}}
  end

  # It was closed here, and is there still for what is to arrive.
  def handle_call(:close, _from, %{owner: nil} = state), do: {:reply, :ok, state}
  def handle_call(:reset, _from, state), do: {:stop, :normal, :ok, over(state)}

  def handle_call(_request, _from, %{owner: nil} = state) do
    {:reply, {:error, error(:closed)}, state}
  end

  def handle_call({:send, _data}, _from, %{closed: %{} = exception} = state) do
    {:reply, {:error, exception}, state}
  end

  def handle_call({:send, data}, from, state), do: {:noreply, send_in_turn(state, data, from)}

  def handle_call({:recv, _length, _timeout}, _from, %{waiting: waiting} = state)
      when waiting != nil do
    {:reply, {:error, error(:ealready)}, state}
  end

  def handle_call({:recv, _length, _timeout}, _from, %{active: active} = state)
      when active != false do
    {:reply, {:error, error(:einval)}, state}
  end

  def handle_call({:recv, length, timeout}, from, state) do
    timer = timeout != :infinity && Process.send_after(self(), {:no_data, from}, timeout)
    {:noreply, deliver(%{state | waiting: {from, length, timer}})}
  end

  def handle_call({:active, active}, _from, %{waiting: waiting} = state)
      when active != false and waiting != nil do
    {:reply, {:error, error(:ealready)}, state}
  end

  def handle_call({:active, active}, _from, state) do
    {:reply, :ok, deliver(%{state | active: active})}
  end

  def handle_call({:shutdown, how}, _from, state) do
    if how != :read and state.closed == nil, do: Native.connection_shut_down(state.resource)
    {:reply, :ok, if(how == :write, do: state, else: unread(state))}
  end

  def handle_call({:controlling_process, pid}, {caller, _tag}, %{owner: caller} = state) do
    Process.demonitor(state.monitor, [:flush])
    {:reply, :ok, %{state | owner: pid, monitor: Process.monitor(pid)}}
  end

  def handle_call({:controlling_process, _pid}, _from, state) do
    {:reply, {:error, error(:not_owner)}, state}
  end

  def handle_call(:close, _from, state) do
    state = over(state)

    # What was written is still to arrive: the process goes when the guest has closed too.
    if state.closed == nil do
      Native.connection_close(state.resource)
      {:reply, :ok, %{state | owner: nil}}
    else
      {:stop, :normal, :ok, state}
    end
  end

  @impl true
  def handle_cast({:send, data}, state) do
    if state.closed || state.owner == nil,
      do: {:noreply, state},
      else: {:noreply, send_in_turn(state, data, nil)}
  end

  # Whoever waits is told.
  defp over(state) do
    state = reply_waiting(state, {:error, error(:closed)})
    for {_data, from} <- :queue.to_list(state.unsent), do: reply(from, {:error, error(:closed)})
    %{unread(state) | unsent: :queue.new(), active: false}
  end

  # Nothing is read any more.
  defp unread(state) do
    state = reply_waiting(state, {:error, error(:closed)})
    let_send(%{state | buffer: :queue.new(), size: 0, at_end: true, unread: true}, 0)
  end

  @impl true
  def handle_info({:wasgo_connection, id, event}, %{id: id} = state), do: event(event, state)

  def handle_info(:not_opened, %{opener: {from, _timer}} = state) do
    GenServer.reply(from, {:error, error(:timeout)})
    {:stop, :normal, state}
  end

  def handle_info({:no_data, from}, %{waiting: {from, _length, _timer}} = state) do
    GenServer.reply(from, {:error, error(:timeout)})
    {:noreply, %{state | waiting: nil}}
  end

  # Its resource goes with this process, and so the connection is reset.
  def handle_info(
        {:DOWN, monitor, :process, _pid, _reason},
        %{monitor: monitor, owner: owner} = state
      )
      when owner != nil do
    {:stop, :normal, state}
  end

  def handle_info(_other, state), do: {:noreply, state}

  defp event(:connected, state) do
    state = opened(%{state | opened: :open}, :ok)
    {:noreply, state}
  end

  defp event({:data, data}, %{unread: true} = state) do
    {:noreply, let_send(%{state | ahead: state.ahead - cost(state, data)}, 0)}
  end

  defp event({:data, data}, state) do
    cost = cost(state, data)
    buffer = :queue.in(data, state.buffer)

    {:noreply,
     deliver(%{state | buffer: buffer, size: state.size + cost, ahead: state.ahead - cost})}
  end

  defp event(:peer_closed, state), do: {:noreply, deliver(%{state | at_end: true})}
  defp event(:writable, state), do: {:noreply, write_unsent(state)}

  defp event({:closed, reason}, %{opener: opener} = state) do
    exception = error(if(reason == :normal, do: :closed, else: reason))
    state = opened(%{state | closed: exception, at_end: true}, {:error, exception})

    for {_data, from} <- :queue.to_list(state.unsent), do: reply(from, {:error, exception})
    state = deliver(%{state | unsent: :queue.new()})

    # One that was never there is told of when its owner asks, which may be still to come.
    if state.owner == nil or (state.opened == nil and opener != nil),
      do: {:stop, :normal, state},
      else: {:noreply, state}
  end

  defp opened(%{opener: nil} = state, _answer), do: state

  defp opened(%{opener: {from, timer}} = state, answer) do
    if timer, do: Process.cancel_timer(timer)
    GenServer.reply(from, answer)
    %{state | opener: nil}
  end

  # Sending

  defp send_in_turn(state, data, from) do
    if :queue.is_empty(state.unsent),
      do: write(state, {data, from}),
      else: %{state | unsent: :queue.in({data, from}, state.unsent)}
  end

  # A stream goes in pieces, a datagram as a whole.
  defp write(state, {data, from}) do
    {now, rest} =
      case data do
        <<now::binary-size(@write), rest::binary>> when not state.datagrams -> {now, rest}
        data -> {data, <<>>}
      end

    case Native.connection_write(state.resource, now) do
      :written when rest == <<>> ->
        reply(from, :ok)
        state

      :written ->
        write(state, {rest, from})

      :full ->
        %{state | unsent: :queue.in_r({data, from}, state.unsent)}

      :closed ->
        reply(from, {:error, state.closed || error(:closed)})
        state

      :too_long ->
        reply(from, {:error, error(:emsgsize)})
        state
    end
  end

  defp write_unsent(state) do
    case :queue.out(state.unsent) do
      {:empty, _unsent} ->
        state

      {{:value, item}, unsent} ->
        before = :queue.len(unsent)
        state = write(%{state | unsent: unsent}, item)
        if :queue.len(state.unsent) > before, do: state, else: write_unsent(state)
    end
  end

  defp reply(nil, _answer), do: :ok
  defp reply(from, answer), do: GenServer.reply(from, answer)

  # Receiving

  defp deliver(%{active: false, waiting: nil} = state), do: state
  defp deliver(%{active: false} = state), do: answer(state)

  defp deliver(%{size: 0, at_end: true} = state) do
    if state.closed && state.closed.reason != :closed do
      Kernel.send(state.owner, {:tcp_error, state.connection, state.closed.reason})
    end

    Kernel.send(state.owner, {:tcp_closed, state.connection})
    %{state | active: false}
  end

  defp deliver(state) do
    case take(state, 0) do
      {nil, state} ->
        state

      {data, state} ->
        Kernel.send(state.owner, {:tcp, state.connection, data})
        deliver(%{state | active: after_one(state)})
    end
  end

  defp after_one(%{active: :once}), do: false
  defp after_one(%{active: true}), do: true

  defp after_one(%{active: 1} = state) do
    Kernel.send(state.owner, {:tcp_passive, state.connection})
    false
  end

  defp after_one(%{active: number}), do: number - 1

  defp answer(%{waiting: {_from, length, _timer}} = state) do
    case take(state, length) do
      {nil, %{at_end: true} = state} ->
        reply_waiting(state, {:error, (not state.unread && state.closed) || error(:closed)})

      # The guest has to be let send as much as is waited for.
      {nil, state} ->
        let_send(state, length)

      {data, state} ->
        reply_waiting(state, {:ok, data})
    end
  end

  defp reply_waiting(%{waiting: nil} = state, _answer), do: state

  defp reply_waiting(%{waiting: {from, _length, timer}} = state, answer) do
    if timer, do: Process.cancel_timer(timer)
    GenServer.reply(from, answer)
    %{state | waiting: nil}
  end

  # So many bytes, or all; a datagram is one whatever it has.
  defp take(%{size: 0} = state, _length), do: {nil, state}

  defp take(%{datagrams: true} = state, _length) do
    {{:value, data}, buffer} = :queue.out(state.buffer)
    {data, let_send(%{state | buffer: buffer, size: state.size - cost(state, data)}, 0)}
  end

  defp take(%{size: size} = state, length) when length == 0 or (size < length and state.at_end) do
    data = state.buffer |> :queue.to_list() |> IO.iodata_to_binary()
    {data, let_send(%{state | buffer: :queue.new(), size: 0}, 0)}
  end

  defp take(%{size: size} = state, length) when size < length, do: {nil, state}

  defp take(state, length) do
    {data, buffer} = take_bytes(state.buffer, length, [])
    {data, let_send(%{state | buffer: buffer, size: state.size - length}, 0)}
  end

  defp take_bytes(buffer, length, taken) do
    {{:value, first}, buffer} = :queue.out(buffer)

    case Bytes.take(first, length) do
      {data, rest} ->
        buffer = if rest == <<>>, do: buffer, else: :queue.in_r(rest, buffer)
        {[data | taken] |> Enum.reverse() |> IO.iodata_to_binary(), buffer}

      :short ->
        take_bytes(buffer, length - byte_size(first), [first | taken])
    end
  end

  # What is held here and what is still to come are a window together, and at least what is waited for. Small amounts are gathered.
  defp let_send(%{closed: nil} = state, wanted) do
    more = max(@window, wanted) - state.size - state.ahead

    if more >= @gathered or wanted > state.size + state.ahead do
      Native.connection_give_credit(state.resource, more)
      %{state | ahead: state.ahead + more}
    else
      state
    end
  end

  defp let_send(state, _wanted), do: state

  # An empty datagram takes room too.
  defp cost(%{datagrams: true}, data), do: max(byte_size(data), 1)
  defp cost(_stream, data), do: byte_size(data)

  defp error(reason) do
    %ServiceError{reason: reason, message: "the connection: #{message(reason)}"}
  end

  defp message(:closed), do: "it is closed"
  defp message(:timeout), do: "nothing came in time"
  defp message(:econnrefused), do: "the guest does not listen on that port"
  defp message(:econnreset), do: "the guest reset it"
  defp message(:econnaborted), do: "it was ended here"
  defp message(:etimedout), do: "the guest did not answer in time"
  defp message(:enetdown), do: "the guest has no address"
  defp message(:emsgsize), do: "the datagram is too long"
  defp message(:ealready), do: "another process waits for what comes"
  defp message(:einval), do: "it is active: what comes is sent as messages"
  defp message(:not_owner), do: "it belongs to another process"
  defp message(:rejected), do: "it was refused here"
  defp message(reason), do: to_string(reason)

  defimpl Inspect do
    def inspect(connection, _opts), do: "#Wasgo.Service.Connection<#{inspect(connection.pid)}>"
  end
end
