defmodule Wasgo.Godot.Process.Output do
  @moduledoc false
  # Owns the port of a program, and does nothing but to take what it writes: a port sends as fast as the program writes, so that
  # whoever owns it must not wait for anything. It passes on so many lines a second, and no more than `@window` entries that were
  # not taken yet; the rest is dropped, and counted. It ends with the program, and the program with it.
  #
  # To the keeper: `{:wasgo_output, pid, {:pid, n} | {:entries, entries} | {:dropped, bytes} | {:exited, exit}}`. From it: `take/2`, `command/2`.

  alias Wasgo.Godot.Process.Log

  # Entries on the way to the keeper.
  @window 256
  # Lines that may come at once, in seconds of the rate.
  @burst 5
  # Nothing more belongs to an entry after so many ms: the engine writes it with one call for each line.
  @quiet_ms 30
  # How often drops are told, in ms.
  @tell_ms 1_000
  # Enough for the wrapper's last line.
  @tail 96

  # The program's own process group is that of the wrapper: the VM makes one for each port. So the wrapper can end all that the
  # program has started, and does as soon as its input ends, which it does however the VM ends. It tells the status before it ends
  # with its group, which is how nothing is left of a program whose children outlive it.
  @wrapper """
  nonce=$1 grace=$2
  shift 2
  exec 3<&0 2>&1
  sh -c 'nonce=$1; shift; echo "$nonce pid $$"; exec "$@"' wasgo "$nonce" "$@" </dev/null 3<&- &
  program=$!
  trap '' TERM HUP INT
  (
    while read -r word <&3; do
      case $word in
        term) kill -TERM 0; kill -CONT 0 ;;
        kill) kill -KILL 0 ;;
      esac
    done
    kill -TERM 0
    kill -CONT 0
    while [ "$grace" -gt 0 ]; do
      sleep 1
      grace=$((grace - 1))
    done
    kill -KILL 0
  ) </dev/null >/dev/null 2>&1 &
  exec 3<&- 2>/dev/null
  wait "$program"
  printf '\\n%s exit %s\\n' "$nonce" "$?"
  kill -KILL 0
  """

  @type exit :: {:status, non_neg_integer()} | {:signal, pos_integer()}

  @doc """
  Starts a program, and links the process that owns its port to the caller. `settings` has `:shell`, `:command`, `:env` (as `Port.open/2` takes it), `:cd` or nil, `:grace`
  (seconds that it has when nobody is left to end it) and `:rate` (lines a second).
  """
  @spec start_link(map()) :: pid()
  def start_link(settings) do
    keeper = self()
    :erlang.spawn_opt(fn -> init(keeper, settings) end, [:link, priority: :high])
  end

  @doc "Says that so many entries were taken."
  @spec take(pid(), pos_integer()) :: :ok
  def take(output, count) do
    send(output, {:taken, count})
    :ok
  end

  @doc "`:term` asks the program and all that it started to end, `:kill` ends them."
  @spec command(pid(), :term | :kill) :: :ok
  def command(output, word) do
    send(output, {:command, word})
    :ok
  end

  defp init(keeper, settings) do
    nonce = Base.encode16(:crypto.strong_rand_bytes(12), case: :lower)
    arguments = ["-c", @wrapper, "wasgo", nonce, "#{settings.grace}"] ++ settings.command

    options = [
      :binary,
      :exit_status,
      :hide,
      args: arguments,
      env: settings.env
    ]

    options = if settings.cd, do: [{:cd, settings.cd} | options], else: options
    port = Port.open({:spawn_executable, settings.shell}, options)

    loop(%{
      port: port,
      keeper: keeper,
      nonce: nonce,
      log: Log.new(nonce),
      rate: settings.rate,
      lines: settings.rate * @burst,
      filled_at: now(),
      under_way: 0,
      dropped: 0,
      told_at: now() - @tell_ms,
      last_words: :binary.compile_pattern(nonce <> " exit "),
      told: nil,
      tail: "",
      head: ""
    })
  end

  defp loop(%{port: port} = state) do
    receive do
      {^port, {:data, bytes}} ->
        state |> data(bytes) |> loop()

      {^port, {:exit_status, status}} ->
        state |> finish() |> tell({:exited, exit(status, state)})

      {:taken, count} ->
        loop(%{state | under_way: state.under_way - count})

      {:command, word} ->
        # The program may be gone already.
        _sent = word |> Atom.to_string() |> write(port)
        loop(state)
    after
      pause(state) ->
        state |> flush(:entry) |> tell_dropped() |> loop()
    end
  end

  defp write(word, port) do
    Port.command(port, [word, ?\n])
  rescue
    ArgumentError -> false
  end

  defp pause(state) do
    cond do
      Log.open?(state.log) -> @quiet_ms
      state.dropped > 0 -> max(0, state.told_at + @tell_ms - now())
      true -> :infinity
    end
  end

  ## What it writes

  defp data(state, bytes) do
    state = state |> fill() |> first(bytes) |> last(bytes)
    allowed = if state.under_way < @window, do: state.lines, else: 0
    {entries, used, dropped, log} = Log.feed(state.log, bytes, allowed)

    %{
      state
      | log: log,
        lines: state.lines - used,
        dropped: state.dropped + dropped,
        tail: tail(state.tail, bytes)
    }
    |> pass_on(entries)
    |> tell_dropped()
  end

  # The wrapper's first line tells the program's number.
  defp first(%{head: nil} = state, _bytes), do: state

  defp first(state, bytes) do
    head = state.head <> binary_part(bytes, 0, min(byte_size(bytes), @tail))

    case Regex.run(~r/^#{state.nonce} pid (\d+)\n/, head) do
      [_all, pid] ->
        tell(state, {:pid, String.to_integer(pid)})
        %{state | head: nil}

      nil ->
        %{state | head: if(byte_size(head) < @tail, do: head)}
    end
  end

  # Its last line tells the status. What the program has left behind may write more after it, until it is ended.
  defp last(%{told: nil} = state, bytes) do
    across = state.tail <> binary_part(bytes, 0, min(byte_size(bytes), @tail))
    told = status(across, state.nonce)

    case told == nil && :binary.match(bytes, state.last_words) do
      {at, length} -> %{state | told: status(part(bytes, at, length + 8), state.nonce)}
      _found_or_not_there -> %{state | told: told}
    end
  end

  defp last(state, _bytes), do: state

  defp part(bytes, at, size), do: binary_part(bytes, at, min(size, byte_size(bytes) - at))

  # A line that is cut is found with what follows.
  defp status(text, nonce) do
    case Regex.run(~r/#{nonce} exit (\d+)\n/, text) do
      [_all, status] -> String.to_integer(status)
      nil -> nil
    end
  end

  defp tail(_before, bytes) when byte_size(bytes) >= @tail,
    do: :binary.copy(binary_part(bytes, byte_size(bytes), -@tail))

  defp tail(before, bytes) do
    joined = before <> bytes
    binary_part(joined, byte_size(joined), -min(byte_size(joined), @tail))
  end

  defp fill(state) do
    most = state.rate * @burst
    new = div((now() - state.filled_at) * state.rate, 1000)

    if new > 0,
      do: %{state | lines: min(most, state.lines + new), filled_at: now()},
      else: state
  end

  defp flush(state, what) do
    {entries, log} = Log.flush(state.log, what)
    pass_on(%{state | log: log}, entries)
  end

  defp finish(state), do: state |> flush(:all) |> Map.put(:told_at, 0) |> tell_dropped()

  defp pass_on(state, []), do: state

  # Of one piece there may be more than the window has left.
  defp pass_on(state, entries) do
    {sent, left_out} = Enum.split(entries, @window - state.under_way)
    if sent != [], do: tell(state, {:entries, sent})
    bytes = left_out |> Enum.map(fn {_level, text} -> byte_size(text) + 1 end) |> Enum.sum()
    %{state | under_way: state.under_way + length(sent), dropped: state.dropped + bytes}
  end

  defp tell_dropped(%{dropped: 0} = state), do: state

  defp tell_dropped(state) do
    if now() - state.told_at >= @tell_ms do
      tell(state, {:dropped, state.dropped})
      %{state | dropped: 0, told_at: now()}
    else
      state
    end
  end

  defp tell(state, what) do
    send(state.keeper, {:wasgo_output, self(), what})
    state
  end

  ## How it ended

  # A shell tells a signal as a status of 128 and more, and nothing when it was ended itself.
  defp exit(status, state), do: of_shell(state.told || status)

  defp of_shell(status) when status > 128 and status <= 192, do: {:signal, status - 128}
  defp of_shell(status), do: {:status, status}

  defp now, do: System.monotonic_time(:millisecond)
end
