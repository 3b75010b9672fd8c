defmodule Wasgo.Godot.ProcessTest do
  # Programs of the shell, in place of engines; test/godot/process_test.exs has those.
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog
  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.Godot.{Process, Server}
  alias Wasgo.{GodotError, OsProcess, TestPeer}

  doctest Process

  # No test fails because the machine is slow.
  @patience 30_000

  # A program that waits for a line "go" in a file before it does anything, so that whoever subscribes hears all of it.
  defp start(script, options \\ []) do
    {arguments, options} = Keyword.pop(options, :arguments, [])
    gate = Path.join(System.tmp_dir!(), "wasgo-process-#{System.unique_integer([:positive])}")
    on_exit(fn -> File.rm(gate) end)
    command = ["sh", "-c", "while ! [ -e '#{gate}' ]; do sleep 0.02; done\n" <> script, "sh"]

    defaults = [
      command: command ++ arguments,
      log: false,
      backoff: {10, 100},
      kill_timeout: 5_000
    ]

    child = {Process, Keyword.merge(defaults, options)}
    process = start_supervised!(child, id: make_ref(), restart: :temporary)
    :ok = Process.subscribe(process, log: true)
    Elixir.Process.monitor(process)
    hear_of_start(process, Process.info(process).os_pid)
    File.touch!(gate)
    process
  end

  # It may have been started before anybody subscribed.
  defp hear_of_start(_process, nil), do: :ok

  defp hear_of_start(process, os_pid) do
    started = {:wasgo_process, process, {:started, os_pid}}

    receive do
      ^started -> :ok
    after
      0 -> :ok
    end

    send(self(), started)
  end

  defmacrop next(pattern) do
    quote do
      assert_receive {:wasgo_process, _process, unquote(pattern)}, @patience
    end
  end

  defp line do
    next({:log, _level, text})
    text
  end

  defp number, do: String.to_integer(line())

  describe "a program" do
    test "is started with its arguments and its environment as they are" do
      arguments = ["", "two words", "it's", "$HOME `x` \\", "é\n*"]

      script = ~S"""
      for argument; do printf '<%s>' "$argument" | tr '\n' '|'; done; echo
      echo "$WASGO_ONE/${HOME-none}/$(pwd)"
      sleep 60
      """

      env = [{"WASGO_ONE", "a b'\""}, {"HOME", nil}]
      start(script, arguments: arguments, env: env, cd: "/")
      next({:started, pid})
      assert is_integer(pid)
      assert line() == "<><two words><it's><$HOME `x` \\><é|*>"
      assert line() == "a b'\"/none//"
    end

    test "is known by its number, its state and its time" do
      process = start("echo $$; exec sleep 60")
      next({:started, pid})
      assert number() == pid
      info = Process.info(process)
      assert %{phase: :running, os_pid: ^pid, restarts: 0, last_exit: nil, log_dropped: 0} = info
      assert info.uptime_ms >= 0
    end

    test "that exits, or is ended by a signal, is started again" do
      process = start("echo up; exec sleep 60")

      for {name, signal, restarts} <- [{"SEGV", 11, 1}, {"KILL", 9, 2}, {"TERM", 15, 3}] do
        next({:started, pid})
        assert line() == "up"
        OsProcess.signal(pid, name)
        next({:exited, {:signal, ^signal}})
        next({:restarting, _ms})
        assert eventually(fn -> Process.info(process).restarts == restarts end)
        assert Process.info(process).last_exit == {:signal, signal}
      end
    end

    test "that is not there is an error, and harms nobody" do
      assert {:error, %GodotError{reason: {:start, :enoent}} = error} =
               Process.start_link(command: ["wasgo-no-such-program"])

      assert Exception.message(error) =~ ~s("wasgo-no-such-program")
      folder = [executable: "sh", project: "/no/such/folder"]
      assert {:error, %GodotError{reason: {:start, :enotdir}}} = Process.start_link(folder)

      assert {:error, %GodotError{reason: {:start, :no_server}}} =
               Process.start_link(command: ["true"], server: :no_such_server, token: "secret")
    end

    test "that cannot be run is told as one that exits" do
      path =
        Path.join(System.tmp_dir!(), "wasgo-no-program-#{System.unique_integer([:positive])}")

      File.write!(path, <<127, "ELF, and nothing else">>)
      File.chmod!(path, 0o755)
      on_exit(fn -> File.rm(path) end)
      options = [command: [path], restart: :temporary, log: false]
      process = start_supervised!({Process, options}, restart: :temporary)
      ref = Elixir.Process.monitor(process)
      assert_receive {:DOWN, ^ref, :process, _pid, reason}, @patience
      assert reason in [:normal, :noproc]
    end
  end

  describe "one that fails at once, for ever" do
    test "is started again after pauses that grow, and is given up when told so" do
      process = start("exit 3", backoff: {40, 320}, max_restarts: 5, max_seconds: 600)

      pauses =
        for _time <- 1..5 do
          next({:exited, {:status, 3}})
          next({:restarting, pause})
          pause
        end

      for {pause, wanted} <- Enum.zip(pauses, [40, 80, 160, 320, 320]) do
        assert pause >= wanted * 0.74 and pause <= min(wanted * 1.26, 320)
      end

      next({:gave_up, {:status, 3}})

      assert_receive {:DOWN, _ref, :process, ^process, {:shutdown, {:gave_up, {:status, 3}}}},
                     @patience
    end

    test "is not given up where that took longer than the time that counts" do
      start("sleep 1.2; exit 1", max_restarts: 1, max_seconds: 1)
      for _time <- 1..3, do: next({:restarting, _pause})
      refute_received {:wasgo_process, _process, {:gave_up, _exit}}
    end

    test "has the shortest pause again when it ran for long enough" do
      start("sleep 0.3; exit 1", backoff: {10, 100_000}, stable_after: 100)

      for _time <- 1..4 do
        next({:restarting, pause})
        assert pause in 7..13
      end
    end
  end

  describe "which ends are no failures" do
    test "a transient program's with status 0" do
      process = start("exit 0", restart: :transient)
      next({:exited, {:status, 0}})
      assert_receive {:DOWN, _ref, :process, ^process, :normal}, @patience
    end

    test "a permanent program is started again then, too" do
      start("exit 0")
      for _time <- 1..3, do: next({:restarting, _pause})
    end

    test "a temporary program is not, whatever its end" do
      process = start("exit 9", restart: :temporary)
      next({:exited, {:status, 9}})
      assert_receive {:DOWN, _ref, :process, ^process, :normal}, @patience
    end
  end

  describe "its end" do
    test "is asked for, and waited for" do
      process =
        start(
          "exec 2>/dev/null; trap 'echo bye; exit 4' TERM; echo $$; while :; do sleep 0.05; done"
        )

      pid = number()
      assert Process.stop(process) == :ok
      refute OsProcess.alive?(pid)
      assert line() == "bye"
      next({:exited, {:status, 4}})
      assert Process.stop(process) == :ok
    end

    test "is made where it does not come, with all that it started" do
      script = """
      trap '' TERM
      sh -c 'trap "" TERM; echo $$; while :; do sleep 1; done' &
      sleep 1000 &
      echo $!
      echo $$
      while :; do sleep 1; done
      """

      process = start(script, kill_timeout: 300)
      pids = [number(), number(), number()]
      assert Enum.count(pids, &OsProcess.alive?/1) >= 2
      assert Process.stop(process) == :ok
      assert OsProcess.gone?(pids)
      next({:exited, {:signal, 9}})
    end

    test "comes to one that is stopped, too" do
      process = start("echo $$; exec sleep 1000")
      pid = number()
      OsProcess.signal(pid, "STOP")
      assert Process.stop(process) == :ok
      next({:exited, {:signal, 15}})
      refute OsProcess.alive?(pid)
    end

    test "takes what it has left behind with it, and does not wait for that" do
      start("sleep 1000 & echo $!; trap '' TERM; sleep 1000 & echo $!; exit 7",
        restart: :temporary
      )

      pids = [number(), number()]
      next({:exited, {:status, 7}})
      assert OsProcess.gone?(pids)
    end

    test "is told also when a program's own output goes on" do
      # As much of it as there can be, before and after the end.
      for _time <- 1..10 do
        start("yes & yes noise & yes & exit 7", restart: :temporary, log_rate: 10)
        next({:exited, {:status, 7}})
      end
    end

    test "comes with that of the process, however that ends" do
      for reason <- [:shutdown, :kill] do
        {:ok, process} =
          Process.start_link(command: ["sh", "-c", "echo $$; exec sleep 1000"], log: false)

        :ok = Process.subscribe(process, log: true)
        pid = eventually_pid(process)
        Elixir.Process.unlink(process)
        Elixir.Process.exit(process, reason)
        assert OsProcess.gone?(pid)
      end
    end

    test "comes with that of the VM, also when it is killed" do
      script = "trap '' HUP; sh -c 'echo child $$; exec sleep 1000' & echo program $$; wait"

      code = """
      {:ok, process} = Wasgo.Godot.Process.start_link(command: ["sh", "-c", #{inspect(script)}])
      Wasgo.Godot.Process.subscribe(process, log: true)
      for _line <- 1..2 do
        receive do {:wasgo_process, _process, {:log, _level, text}} -> IO.puts(text) end
      end
      Process.sleep(:infinity)
      """

      # The compiled native half is not needed for this, and is not looked for twice.
      ebin = Path.dirname(:code.which(Wasgo))
      args = ["-pa", ebin, "-e", "Application.ensure_all_started(:logger)\n" <> code]
      elixir = System.find_executable("elixir")
      options = [:binary, :exit_status, line: 1024, args: args]
      port = Port.open({:spawn_executable, elixir}, options)
      {:os_pid, vm} = Port.info(port, :os_pid)
      pids = read_pids(port, [])
      assert Enum.all?(pids, &OsProcess.alive?/1)
      OsProcess.signal(vm, "KILL")
      assert OsProcess.gone?(pids)
    end

    defp read_pids(_port, [_one, _two] = pids), do: pids

    defp read_pids(port, pids) do
      receive do
        {^port, {:data, {:eol, line}}} ->
          case Regex.run(~r/^(?:child|program) (\d+)$/, line) do
            [_line, pid] -> read_pids(port, [String.to_integer(pid) | pids])
            nil -> read_pids(port, pids)
          end

        {^port, {:exit_status, status}} ->
          flunk("the VM ended by itself, with #{status}")
      after
        @patience -> flunk("the VM told nothing")
      end
    end

    defp eventually_pid(process) do
      assert eventually(fn -> Process.info(process).os_pid != nil end)
      Process.info(process).os_pid
    end

    test "and a new beginning, when that is wanted" do
      process = start("echo $$; exec sleep 1000", backoff: {60_000, 60_000})
      first = number()
      assert Process.restart(process) == :ok
      refute OsProcess.alive?(first)
      second = number()
      assert second != first

      # Also in place of a pause.
      OsProcess.signal(second, "KILL")
      next({:restarting, pause})
      assert pause > 30_000
      assert %{phase: :resting, os_pid: nil, uptime_ms: nil} = Process.info(process)
      assert Process.restart(process) == :ok
      assert number() not in [first, second]
      assert %{phase: :running, restarts: 2} = Process.info(process)
    end

    test "ends a pause" do
      process = start("exit 1", backoff: {60_000, 60_000})
      next({:restarting, _pause})
      assert Process.stop(process) == :ok
    end
  end

  describe "its log" do
    test "goes to Logger with its levels, and to those who subscribed" do
      script = """
      echo 'just so'
      { echo 'WARNING: careful'; echo '     at: f (a.cpp:1)'; echo 'SCRIPT ERROR: wrong'; echo '   at: g (res://b.gd:2)'; } >&2
      echo after
      sleep 1000
      """

      name = :"engine #{System.unique_integer()}"

      log =
        capture_log([metadata: [:wasgo_process, :os_pid]], fn ->
          process = start(script, log: :info, name: name)
          assert line() == "just so"
          next({:log, :warning, "WARNING: careful\n     at: f (a.cpp:1)"})
          next({:log, :error, "SCRIPT ERROR: wrong\n   at: g (res://b.gd:2)"})
          next({:log, :info, "after"})
          %{os_pid: pid} = Process.info(process)
          send(self(), {:os_pid, pid})
        end)

      assert_received {:os_pid, pid}
      assert log =~ "WARNING: careful\n     at: f (a.cpp:1)"
      assert log =~ ~r/\[error\].*SCRIPT ERROR: wrong\n   at: g/
      assert log =~ "os_pid=#{pid}"
      assert log =~ inspect(name)
    end

    test "goes to Logger from the level on that is wanted, or not at all" do
      # It says that it is done until somebody listens.
      script = "echo quiet; echo 'ERROR: loud'; while :; do echo done; sleep 0.1; done"

      for {level, loud?} <- [{:error, true}, {false, false}] do
        log =
          capture_log(fn ->
            {:ok, process} = Process.start_link(command: ["sh", "-c", script], log: level)

            :ok = Process.subscribe(process, log: true)
            next({:log, :info, "done"})
            Process.stop(process)
          end)

        refute log =~ "quiet"
        assert log =~ "ERROR: loud" == loud?
      end
    end

    test "is cut where it floods, counted, and fills no mailbox" do
      process = start("yes 'all work and no play'", log_rate: 10)
      next({:log_dropped, first})
      assert first > 0

      for _time <- 1..3 do
        next({:log_dropped, _bytes})
        {:links, links} = Elixir.Process.info(process, :links)

        for pid <- [process | Enum.filter(links, &is_pid/1)] do
          {:message_queue_len, length} = Elixir.Process.info(pid, :message_queue_len)
          assert length < 500
        end
      end

      assert eventually(fn -> Process.info(process).log_dropped > 1_000_000 end)
      {:messages, messages} = Elixir.Process.info(self(), :messages)
      assert Enum.count(messages, &match?({:wasgo_process, _, {:log, _, _}}, &1)) < 500
      assert Process.stop(process) == :ok
    end

    test "is not for a subscriber that does not read, who is told so" do
      process = start("while :; do echo line; done", log_rate: 100_000)
      test = self()

      spawn_link(fn ->
        :ok = Process.subscribe(process, log: true)
        send(test, :subscribed)
        receive do: (:read -> :ok)
        {:message_queue_len, length} = Elixir.Process.info(self(), :message_queue_len)
        send(test, {:waiting, length})
        drain()
        send(test, {:missed, missed()})
      end)
      |> then(fn reader ->
        assert_receive :subscribed, @patience

        assert eventually(fn ->
                 Elixir.Process.info(reader, :message_queue_len) == {:message_queue_len, 1_000}
               end)

        send(reader, :read)
      end)

      assert_receive {:waiting, length}, @patience
      assert length <= 1_001
      assert_receive {:missed, missed}, @patience
      assert missed > 0
      Process.stop(process)
    end

    defp drain do
      receive do
        {:wasgo_process, _process, {:log, _level, _text}} -> drain()
      after
        0 -> :ok
      end
    end

    defp missed do
      receive do
        {:wasgo_process, _process, {:missed, missed}} -> missed
        _other -> missed()
      after
        @patience -> flunk("it was not told what it missed")
      end
    end
  end

  describe "a program that has to connect" do
    setup do
      server = start_supervised!({Server, token: "a secret", heartbeat_ms: 1_000})
      %{server: server, options: [server: server, token: "a secret"]}
    end

    # What the script connects with is told by it; the test does so in its place.
    defp join do
      assert "tcp://127.0.0.1:" <> port = line()
      TestPeer.join(String.to_integer(port), "a secret")
    end

    @connecting ~S(echo "$WASGO_URL"; exec sleep 1000)

    test "is told where by its environment, and nothing by its command line", context do
      script = ~S(echo "$WASGO_URL $WASGO_TOKEN"; exec sleep 1000)
      process = start(script, context.options)
      assert line() == "tcp://127.0.0.1:#{Server.port(context.server)} a secret"
      %{os_pid: pid} = Process.info(process)

      if File.exists?("/proc/self/cmdline"),
        do: refute(File.read!("/proc/#{pid}/cmdline") =~ "secret")

      refute inspect(:sys.get_state(process), limit: :infinity) =~ "a secret"
    end

    test "finds its server by any kind of name" do
      start_supervised!({Registry, keys: :unique, name: __MODULE__.Registry})
      name = {:via, Registry, {__MODULE__.Registry, "server"}}
      start_supervised!({Server, token: "a secret", name: name}, id: :named)
      process = start(@connecting, server: name, token: "a secret")
      _socket = join()
      next({:connected, _connection})
      assert Process.info(process).phase == :running
    end

    test "is told the URL that is given for it, which a Unix domain socket needs" do
      path = Path.join(System.tmp_dir!(), "wasgo-process-#{System.unique_integer([:positive])}")
      server = start_supervised!({Server, token: "a secret", path: path}, id: :unix)
      options = [server: server, token: "a secret"]

      assert_raise ArgumentError, ~r/:url/, fn ->
        Process.start_link([command: ["true"]] ++ options)
      end

      start(~S(echo "$WASGO_URL"; exec sleep 1000), [url: "unix://" <> path] ++ options)
      assert line() == "unix://" <> path
    end

    test "runs when it has connected, and is lost when the connection is", context do
      process = start(@connecting, context.options)
      assert Process.info(process).phase == :starting
      socket = join()
      next({:connected, connection})
      assert %{phase: :running, connection: ^connection} = Process.info(process)
      :gen_tcp.close(socket)
      next({:disconnected, :lost})
      assert %{phase: :lost, connection: nil} = Process.info(process)
      _socket = TestPeer.join(Server.port(context.server), "a secret")
      next({:connected, _connection})
      assert Process.info(process).phase == :running
    end

    test "hangs when it does not connect in time: it is ended and started again", context do
      start(@connecting, [start_timeout: 300] ++ context.options)
      next({:started, first})
      next({:hung, :start})
      next({:exited, {:signal, 15}})
      refute OsProcess.alive?(first)
      next({:started, _second})
    end

    test "hangs when its connection is lost and none comes", context do
      process = start(@connecting, [heartbeat_timeout: 300] ++ context.options)
      socket = join()
      next({:started, first})
      next({:connected, _connection})
      :gen_tcp.close(socket)
      next({:hung, :lost})
      next({:exited, {:signal, 15}})
      next({:started, second})
      assert first != second
      assert Process.info(process).phase == :starting
    end

    test "hangs when it says nothing more", context do
      start(@connecting, [heartbeat_timeout: 100] ++ context.options)
      # It answers no ping.
      _socket = join()
      next({:connected, _connection})
      next({:disconnected, :silent})
      next({:hung, :lost})
      next({:exited, _exit})
    end

    test "is said bye when it is stopped, and asked when it does not end", context do
      process = start(@connecting, [bye_timeout: 300] ++ context.options)
      socket = join()
      next({:connected, _connection})
      stopping = Task.async(fn -> Process.stop(process) end)
      assert %{"t" => "bye"} = TestPeer.hear_beyond_pings(socket)
      :gen_tcp.close(socket)
      assert Task.await(stopping, @patience) == :ok
      next({:exited, {:signal, 15}})
    end

    test "is one of several where its connection is told from theirs", context do
      process = start(@connecting, [match: &(&1.client == "mine")] ++ context.options)
      _socket = join()
      assert {:ok, _other} = Server.await_connection(context.server, @patience)
      assert Process.info(process).phase == :starting
    end

    test "ends with its server", context do
      process = start(@connecting, context.options)
      next({:started, pid})

      capture_log(fn ->
        stop_supervised!(Server)
        assert_receive {:DOWN, _ref, :process, ^process, {:server_down, _reason}}, @patience
      end)

      assert OsProcess.gone?(pid)
    end
  end

  test "options that make no sense raise" do
    for options <- [
          [],
          [command: []],
          [command: ["true", 5]],
          [command: ["true", "a\0b"]],
          [command: ["true"], env: [{"A", 5}]],
          [command: ["true"], server: self()],
          [command: ["true"], backoff: {100, 10}],
          [command: ["true"], restart: :always],
          [command: ["true"], log_rate: 0],
          [command: ["true"], unknown: 1]
        ] do
      assert_raise ArgumentError, fn -> Process.start_link(options) end
    end
  end
end
