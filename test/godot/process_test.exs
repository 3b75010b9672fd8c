defmodule Wasgo.Godot.EngineProcessTest do
  # Real engines that are run, and what becomes of those that fail.
  use ExUnit.Case, async: true

  alias Wasgo.Godot.{Process, Server}
  alias Wasgo.OsProcess

  @moduletag :godot
  @moduletag timeout: 180_000

  @root Path.expand("../..", __DIR__)
  @token "a secret of these tests"

  # No test fails because the machine is slow.
  @patience 60_000

  defmacrop next(pattern) do
    quote do
      assert_receive {:wasgo_process, _process, unquote(pattern)}, @patience
    end
  end

  defp engine(act) do
    [
      executable: Path.join(@root, "bin/godot"),
      project: Path.join(@root, "godot/tests"),
      arguments: ["--script", "res://process_peer.gd", "--", act],
      token: @token,
      log: false,
      backoff: {50, 400},
      heartbeat_timeout: 500
    ]
  end

  defp start(act, options \\ []) do
    server = start_supervised!({Server, token: @token, heartbeat_ms: 1_000})
    options = engine(act) |> Keyword.put(:server, server) |> Keyword.merge(options)
    process = start_supervised!({Process, options}, restart: :temporary)
    :ok = Process.subscribe(process, log: true)
    process
  end

  # What the engine calls itself; what was started is the script that runs it.
  defp number do
    next({:log, :info, "pid " <> pid})
    String.to_integer(pid)
  end

  test "an engine connects, has a log with levels, and ends when it is told bye" do
    process = start("--act=log")
    pid = number()
    next({:connected, connection})
    next({:log, :info, "a line"})
    next({:log, :warning, "WARNING: a warning\n" <> _where})
    next({:log, :error, "ERROR: an error\n" <> where})
    assert where =~ "at: push_error"
    next({:log, :error, "SCRIPT ERROR: " <> wrong})
    assert wrong =~ "missing"
    assert wrong =~ ~r/\n +at: _fail \(res:\/\/process_peer\.gd:\d+\)/
    assert %{phase: :running, connection: ^connection, restarts: 0} = Process.info(process)
    assert Process.stop(process) == :ok
    next({:exited, {:status, 0}})
    refute OsProcess.alive?(pid)
  end

  test "an engine that crashes is started and connects again" do
    start("--act=crash")

    for _time <- 1..2 do
      next({:connected, _connection})
      next({:log, :error, "ERROR: a test's crash" <> _where})
      next({:log, :error, "handle_crash: " <> _signal})
      next({:exited, {:signal, _number}})
      next({:restarting, _ms})
    end
  end

  test "an engine that a signal ends is, too" do
    process = start("--act=nothing")

    for {name, restarts} <- [{"KILL", 0}, {"SEGV", 1}] do
      pid = number()
      next({:connected, _connection})
      assert Process.info(process).restarts == restarts
      OsProcess.signal(pid, name)
      next({:disconnected, _why})
      next({:exited, {:signal, _number}})
      assert OsProcess.gone?(pid)
    end

    next({:connected, _connection})
  end

  test "an engine that is stopped hangs: it is ended and started again" do
    process = start("--act=nothing")
    pid = number()
    next({:connected, _connection})
    OsProcess.signal(pid, "STOP")
    next({:disconnected, :silent})
    next({:hung, :lost})
    next({:exited, _exit})
    assert OsProcess.gone?(pid)
    next({:connected, _connection})
    assert Process.info(process).restarts == 1
  end

  test "an engine in an endless loop hangs: it is ended and started again" do
    start("--act=loop")

    for _time <- 1..2 do
      pid = number()
      next({:log, :info, "looping"})
      next({:disconnected, :silent})
      next({:hung, :lost})
      next({:exited, _exit})
      assert OsProcess.gone?(pid)
    end
  end

  test "an engine that never connects since it hangs at once is ended and started again" do
    start("--at-once=loop", start_timeout: 4_000)

    for _time <- 1..2 do
      pid = number()
      next({:hung, :start})
      next({:exited, _exit})
      assert OsProcess.gone?(pid)
    end
  end

  test "an engine that exits at once is started after longer and longer pauses, and given up" do
    process = start("--at-once=quit", max_restarts: 3)
    ref = Elixir.Process.monitor(process)

    pauses =
      for _time <- 1..3 do
        next({:exited, {:status, 1}})
        next({:restarting, pause})
        pause
      end

    assert pauses == Enum.sort(pauses)
    assert List.last(pauses) >= 150
    next({:gave_up, {:status, 1}})
    assert_receive {:DOWN, ^ref, :process, _pid, {:shutdown, {:gave_up, _exit}}}, @patience
  end

  test "an engine that floods its log is heard no more than it may, and goes on" do
    process = start("--act=flood", log_rate: 20)
    next({:connected, _connection})
    next({:log_dropped, _bytes})
    assert Process.info(process).log_dropped > 0
    {:messages, messages} = Elixir.Process.info(self(), :messages)
    assert length(messages) < 1_000
    assert Process.stop(process) == :ok
  end

  test "an engine ends with the VM, also when that is killed" do
    options = "--act=nothing" |> engine() |> Keyword.put(:log, false)

    code = """
    Application.ensure_all_started(:logger)
    {:ok, server} = Wasgo.Godot.Server.start_link(token: #{inspect(@token)})
    options = Keyword.put(#{inspect(options)}, :server, server)
    {:ok, process} = Wasgo.Godot.Process.start_link(options)
    Wasgo.Godot.Process.subscribe(process, log: true)
    receive do {:wasgo_process, _process, {:log, _level, "pid " <> pid}} -> IO.puts("engine \#{pid}") end
    receive do {:wasgo_process, _process, {:connected, _connection}} -> IO.puts("connected") end
    Process.sleep(:infinity)
    """

    port =
      Port.open({:spawn_executable, System.find_executable("elixir")}, [
        :binary,
        :exit_status,
        line: 1024,
        args: ["-pa", Path.dirname(:code.which(Wasgo)), "-e", code]
      ])

    {:os_pid, vm} = Port.info(port, :os_pid)
    pid = port |> await_line("engine ") |> String.to_integer()
    await_line(port, "connected")
    assert OsProcess.alive?(pid)
    OsProcess.signal(vm, "KILL")
    assert OsProcess.gone?(pid)
  end

  defp await_line(port, beginning) do
    receive do
      {^port, {:data, {:eol, line}}} ->
        if String.starts_with?(line, beginning),
          do: String.replace_prefix(line, beginning, ""),
          else: await_line(port, beginning)

      {^port, {:exit_status, status}} ->
        flunk("the VM ended by itself, with #{status}")
    after
      @patience -> flunk("the VM told nothing")
    end
  end
end
