defmodule Wasgo.Example.Engine do
  @moduledoc false
  # A Godot engine as a process of the operating system, run by bin/godot with the demo project.

  use GenServer

  @root Path.expand("../..", __DIR__)

  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options), do: GenServer.start_link(__MODULE__, Map.new(options))

  # Whether the engine that there is can draw.
  @spec renders?() :: boolean()
  def renders? do
    {output, status} = System.cmd(bash(), [script(), "--wasgo-check"], stderr_to_stdout: true)
    status == 0 and output =~ "rendering: yes"
  end

  # The last lines that the engine wrote.
  @spec log(GenServer.server()) :: [String.t()]
  def log(engine), do: GenServer.call(engine, :log)

  # Ends it, and waits until it has ended.
  @spec stop(GenServer.server()) :: :ok
  def stop(engine), do: GenServer.stop(engine)

  @impl true
  def init(options) do
    mode =
      if options.render, do: ["--wasgo-render", "--resolution", "1280x720"], else: ["--headless"]

    arguments =
      [script(), "--wasgo-with-stdin"] ++
        mode ++
        ["--path", Path.join(@root, "godot/demo"), "--"] ++
        [
          "--wasgo-address=127.0.0.1",
          "--wasgo-port=#{options.port}",
          "--wasgo-token=#{options.token}"
        ]

    port =
      Port.open({:spawn_executable, bash()}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        line: 1000,
        args: arguments
      ])

    {:ok, %{port: port, lines: [], status: nil}}
  end

  @impl true
  def handle_call(:log, _from, state), do: {:reply, Enum.reverse(state.lines), state}

  @impl true
  def handle_info({port, {:data, {_end, line}}}, %{port: port} = state) do
    {:noreply, %{state | lines: Enum.take([line | state.lines], 40)}}
  end

  def handle_info({port, {:exit_status, status}}, %{port: port} = state) do
    {:noreply, %{state | status: status, lines: ["(ended with status #{status})" | state.lines]}}
  end

  @impl true
  def terminate(_reason, %{status: nil, port: port}) do
    # With the end of its input the script ends the engine.
    Port.close(port)
  end

  def terminate(_reason, _state), do: :ok

  defp bash, do: System.find_executable("bash") || raise("bin/godot needs bash")
  defp script, do: Path.join(@root, "bin/godot")
end
