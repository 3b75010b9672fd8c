defmodule Wasgo.Godot.Process do
  @moduledoc """
  Runs a Godot server beside the VM: starts it, takes its log, and starts it again when it crashes or hangs.

      children = [
        {Wasgo.Godot.Server, token: token, port: 7777, name: MyApp.Godot},
        {Wasgo.Godot.Process,
         executable: "godot", project: "game", server: MyApp.Godot, token: token, name: MyApp.Engine}
      ]

      Supervisor.start_link(children, strategy: :rest_for_one)

  The engine is a process of the operating system: whatever it does, it is no concern of the VM's. It gets `WASGO_URL` and `WASGO_TOKEN` in its environment, which
  only its own user can read, and connects with them; the add-on takes the token from there itself:

      client.url = OS.get_environment("WASGO_URL")

  ## What becomes of it

  | what happens | what is done |
  | --- | --- |
  | it exits, or a signal ends it | it is started again after a pause (`:restart`, `:backoff`) |
  | its connection is lost, and none comes for `:heartbeat_timeout` | it hangs: it is ended, and started again after a pause |
  | it does not connect within `:start_timeout` | the same |
  | it failed more often than `:max_restarts` | this process ends with `{:shutdown, {:gave_up, exit}}` |
  | the server that it connects to ends | it is ended, and this process ends with `{:server_down, reason}` |

  An engine in an endless loop says nothing on its connection, which ends after three of the server's heartbeats. So that is the time until a hang
  is seen, and `:heartbeat_timeout` besides. A program without `:server` is only watched for its end.

  To end a program: its connection is closed with a bye (where there is one, and it is ended on purpose), after `:bye_timeout` it is
  asked with SIGTERM, after `:kill_timeout` it is killed; and with it, each time, all that it has started: wrapper scripts, displays. When the VM ends, also when it is
  killed outright, the program is asked, and killed after `:kill_timeout`, too. What makes a session of its own (a daemon) is beyond reach.

  Each pause is twice as long as the one before, with a random quarter more or less, and is reset when the program has run for `:stable_after`.

  ## Its log

  What it writes goes to `Logger`, a line each; an engine's errors and warnings with their levels, and with the lines that follow them to say where. Metadata are
  `wasgo_process` (the name, or the pid) and `os_pid`. Lines over 4 KiB are cut; more than `:log_rate` lines a second, over a burst of five seconds of them, are left out, and so is
  what `Logger` or a subscriber is too slow for: how much it was is told, in bytes.

  It runs where there is a POSIX shell: Linux, the BSDs, macOS.
  """

  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.Godot.Process.Keeper
  alias Wasgo.{GodotError, Options}

  @typedoc "A process: its pid, or what it is registered as."
  @type process :: GenServer.server()

  @typedoc "How a program ended: the status that it exited with, or the signal that ended it."
  @type exit :: {:status, non_neg_integer()} | {:signal, pos_integer()}

  @typedoc """
  Where it stands: `:starting` (it did not connect yet), `:running`, `:lost` (its connection is), `:ending`, or `:resting` (it will be started).
  """
  @type phase :: :starting | :running | :lost | :ending | :resting

  @typedoc """
  What `subscribe/2` sends, as `{:wasgo_process, pid, event}`.

    * `{:started, os_pid}` - it runs
    * `{:connected, connection}`, `{:disconnected, why}` - what its server tells
    * `{:hung, :start | :lost}` - it did not connect in time, or not again; it is ended
    * `{:exited, exit}`
    * `{:restarting, ms}` - it will be started in so many milliseconds
    * `{:gave_up, exit}` - it will not
    * `{:log, level, text}` - to those who asked for it
    * `{:log_dropped, bytes}` - so much of its log was left out
    * `{:missed, events}` - so many were not sent, since a thousand messages were waiting
  """
  @type event ::
          {:started, non_neg_integer()}
          | {:connected, Connection.t()}
          | {:disconnected, GodotError.why()}
          | {:hung, :start | :lost}
          | {:exited, exit()}
          | {:restarting, non_neg_integer()}
          | {:gave_up, exit()}
          | {:log, :error | :warning | :info, String.t()}
          | {:log_dropped, pos_integer()}
          | {:missed, pos_integer()}

  @typedoc """
  What `info/1` tells.

    * `os_pid` - of the program, while there is one
    * `connection` - of the engine, while there is one
    * `restarts` - how often it was started again
    * `uptime_ms` - since it was started, or nil
    * `last_exit` - how it ended the last time, or nil
    * `log_dropped` - bytes of its log that were left out since the beginning
  """
  @type info :: %{
          phase: phase(),
          os_pid: non_neg_integer() | nil,
          connection: Connection.t() | nil,
          restarts: non_neg_integer(),
          uptime_ms: non_neg_integer() | nil,
          last_exit: exit() | nil,
          log_dropped: non_neg_integer()
        }

  @owner "Wasgo.Godot.Process.start_link/1"

  @doc false
  def schema do
    strings = {:list_of, :string}
    ms = :timeout

    [
      command: [type: {:or, [{:in, [nil]}, strings]}, default: nil],
      executable: [type: :string, default: "godot"],
      project: [type: {:or, [{:in, [nil]}, :string]}, default: nil],
      arguments: [type: strings, default: []],
      env: [type: {:list_of, {:pair, :string, {:or, [:string, {:in, [nil]}]}}}, default: []],
      cd: [type: {:or, [{:in, [nil]}, :string]}, default: nil],
      server: [type: {:or, [{:in, [nil]}, :server]}, default: nil],
      token: [type: {:or, [{:in, [nil]}, :string]}, default: nil],
      url: [type: {:or, [{:in, [nil]}, :string]}, default: nil],
      match: [type: {:function, 1}, default: &__MODULE__.any/1],
      restart: [type: {:in, [:permanent, :transient, :temporary]}, default: :permanent],
      backoff: [type: {:pair, ms, ms}, default: {500, 30_000}],
      stable_after: [type: ms, default: 30_000],
      max_restarts: [type: {:or, [{:in, [:infinity]}, :non_neg_integer]}, default: :infinity],
      max_seconds: [type: {:range, 1..1_000_000}, default: 600],
      start_timeout: [type: ms, default: 30_000],
      heartbeat_timeout: [type: ms, default: 10_000],
      bye_timeout: [type: ms, default: 2_000],
      kill_timeout: [type: ms, default: 5_000],
      log: [type: {:in, [:info, :warning, :error, false]}, default: :info],
      log_rate: [type: {:range, 1..100_000}, default: 200],
      name: [type: :any, default: nil]
    ]
  end

  @doc """
  Starts a program, and a process that keeps it running, linked to the caller.

  Options. What is run:

    * `:executable`, `:project` and `:arguments` - an engine ("godot" unless given, found on the PATH), the folder of a project, and arguments besides
      `--headless --path PROJECT`
    * `:command` - or a program with all of its arguments, as a list
    * `:env` - pairs of a variable's name and its value, or nil to remove it; none unless given
    * `:cd` - the folder to run it in, that of the VM unless given

  Which connection belongs to it:

    * `:server` - the `Wasgo.Godot.Server` that it connects to. None unless given
    * `:token` - that server's, for `WASGO_TOKEN`; needed with `:server`
    * `:url` - for `WASGO_URL`: `tcp://127.0.0.1:PORT` unless given, with the server's port. Needed for a server with TLS (`tls://HOST:PORT`) or a Unix domain
      socket (`unix:///PATH`)
    * `:match` - a function that says of a connection whether it is this program's, such as `&(&1.zone == "north")`, for a server that others connect to as well. All
      are unless given

  When it is started again:

    * `:restart` - `:permanent`, also when it exits with status 0, unless given; `:transient`, then not; or `:temporary`, never. This process ends normally in
      place of that
    * `:backoff` - the shortest and the longest pause before it is, in ms; `{500, 30_000}` unless given
    * `:stable_after` - how long it has to run for the pause to be the shortest again, in ms; 30,000 unless given
    * `:max_restarts`, `:max_seconds` - how often in how many seconds, then it is given up; `:infinity` and 600 unless given
    * `:start_timeout`, `:heartbeat_timeout` - how long it may be without a connection, at first and later, in ms; 30,000 and 10,000 unless given

  How it is ended:

    * `:bye_timeout`, `:kill_timeout` - how long it has to exit after a bye, and after a SIGTERM, in ms; 2,000 and 5,000 unless given

  And besides:

    * `:log` - the least level that goes to `Logger`: `:info` unless given, `:warning`, `:error`, or false for nothing
    * `:log_rate` - lines a second; 200 unless given
    * `:name` - a name for the process, as `GenServer` takes it

  ## Examples

      iex> {:ok, process} = Wasgo.Godot.Process.start_link(command: ["sleep", "60"])
      iex> Wasgo.Godot.Process.info(process).phase
      :running
      iex> Wasgo.Godot.Process.stop(process)
      :ok

      iex> {:error, error} = Wasgo.Godot.Process.start_link(command: ["no such program"])
      iex> error.reason
      {:start, :enoent}
  """
  @spec start_link(keyword()) ::
          {:ok, pid()} | {:error, GodotError.t() | {:already_started, pid()}}
  def start_link(options) do
    options = check(options)

    # In the process of the caller: a start that fails in the new process takes a linked caller with it.
    with {:ok, shell} <- find("sh"),
         {:ok, command} <- command(options),
         :ok <- folder(options.cd),
         {:ok, env} <- environment(options) do
      name = if options.name, do: [name: options.name], else: []
      # A function, so that no crash report shows the token.
      run = fn -> %{shell: shell, command: command, env: env} end
      GenServer.start_link(Keeper, {Map.drop(options, [:token, :env, :command]), run}, name)
    end
  end

  @doc """
  A specification for a supervisor; `start_link/1` has the options.

      iex> spec = Wasgo.Godot.Process.child_spec(name: MyApp.Engine, project: "game", kill_timeout: 3_000)
      iex> {spec.id, spec.restart, spec.shutdown}
      {MyApp.Engine, :transient, 10_000}
  """
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    bye = Keyword.get(options, :bye_timeout, 2_000)
    kill = Keyword.get(options, :kill_timeout, 5_000)

    %{
      id: Keyword.get(options, :name) || __MODULE__,
      start: {__MODULE__, :start_link, [options]},
      restart: :transient,
      shutdown: bye + kill + 5_000
    }
  end

  @doc """
  Ends the program, and this process. Stopping what is stopped is well.

      iex> {:ok, process} = Wasgo.Godot.Process.start_link(command: ["sleep", "60"])
      iex> Wasgo.Godot.Process.stop(process)
      :ok
      iex> Wasgo.Godot.Process.stop(process)
      :ok
  """
  @spec stop(process()) :: :ok
  def stop(process) do
    GenServer.call(process, :stop, :infinity)
  catch
    :exit, {reason, _call} when reason in [:noproc, :normal, :shutdown] -> :ok
    :exit, {{:shutdown, _reason}, _call} -> :ok
  end

  @doc """
  Ends the program and starts it again, at once. It counts neither as a failure nor for the pauses.

      iex> {:ok, process} = Wasgo.Godot.Process.start_link(command: ["sleep", "60"])
      iex> Wasgo.Godot.Process.restart(process)
      :ok
      iex> Wasgo.Godot.Process.info(process).last_exit
      {:signal, 15}
  """
  @spec restart(process()) :: :ok
  def restart(process), do: GenServer.call(process, :restart, :infinity)

  @doc """
  How it stands: see `t:info/0`.

      iex> {:ok, process} = Wasgo.Godot.Process.start_link(command: ["sleep", "60"])
      iex> info = Wasgo.Godot.Process.info(process)
      iex> {info.phase, info.restarts, info.connection}
      {:running, 0, nil}
  """
  @spec info(process()) :: info()
  def info(process), do: GenServer.call(process, :info)

  @doc """
  Has the calling process, which has to be on this node, told what happens, with messages of the shape `{:wasgo_process, pid, event}`; `t:event/0` says of what.
  With `log: true` also of each entry in its log.

      iex> {:ok, process} = Wasgo.Godot.Process.start_link(command: ["sh", "-c", "echo hello; sleep 60"])
      iex> Wasgo.Godot.Process.subscribe(process, log: true)
      :ok
  """
  @spec subscribe(process(), log: boolean()) :: :ok
  def subscribe(process, options \\ []) do
    %{log: log} =
      Options.validate!(
        options,
        [log: [type: :boolean, default: false]],
        "Wasgo.Godot.Process.subscribe/2"
      )

    case GenServer.call(process, {:subscribe, self(), log}) do
      :ok -> :ok
      :remote -> raise ArgumentError, "a subscriber has to be on the node of #{inspect(process)}"
    end
  end

  @doc false
  @spec any(Connection.t()) :: true
  def any(_connection), do: true

  ## Options

  defp check(options) do
    options = Options.validate!(options, schema(), @owner)
    {least, most} = options.backoff

    cond do
      options.command == [] ->
        raise ArgumentError, "option :command of #{@owner} must not be empty"

      options.command == nil and options.project == nil ->
        raise ArgumentError, "#{@owner} needs the option :project, or :command"

      options.server != nil and options.token == nil ->
        raise ArgumentError, "#{@owner} needs the option :token with :server"

      least > most ->
        raise ArgumentError,
              "option :backoff of #{@owner} must have the shorter time first, and is: " <>
                inspect(options.backoff)

      text = Enum.find(texts(options), &String.contains?(&1, <<0>>)) ->
        raise ArgumentError, "#{@owner} takes no text with a NUL, such as #{inspect(text)}"

      true ->
        options
    end
  end

  defp texts(options) do
    env = Enum.flat_map(options.env, &Tuple.to_list/1)

    [options.executable, options.project, options.cd, options.token, options.url]
    |> Enum.concat(options.command || [])
    |> Enum.concat(options.arguments)
    |> Enum.concat(env)
    |> Enum.filter(&is_binary/1)
  end

  defp command(%{command: [program | arguments]}) do
    with {:ok, path} <- find(program), do: {:ok, [path | arguments]}
  end

  defp command(%{executable: executable, project: project, arguments: arguments}) do
    with {:ok, path} <- find(executable),
         :ok <- folder(project) do
      {:ok, [path, "--headless", "--path", Path.expand(project) | arguments]}
    end
  end

  defp find(program) do
    case System.find_executable(program) do
      nil -> error({:start, :enoent}, "there is no program #{inspect(program)}")
      path -> {:ok, Path.expand(path)}
    end
  end

  defp folder(nil), do: :ok

  defp folder(path) do
    if File.dir?(path),
      do: :ok,
      else: error({:start, :enotdir}, "there is no folder #{inspect(path)}")
  end

  defp environment(options) do
    with {:ok, more} <- of_server(options) do
      {:ok,
       Enum.map(more ++ options.env, fn {name, value} -> {to_charlist(name), value(value)} end)}
    end
  end

  defp value(nil), do: false
  defp value(text), do: to_charlist(text)

  defp of_server(%{server: nil}), do: {:ok, []}

  defp of_server(%{server: server, token: token, url: url}) do
    # Also with a URL: it has to run.
    port = Server.port(server)

    if url == nil and port == nil do
      raise ArgumentError,
            "#{@owner} needs the option :url with a server on a Unix domain socket"
    end

    url = url || "tcp://127.0.0.1:#{port}"
    {:ok, [{"WASGO_URL", url}, {"WASGO_TOKEN", token}]}
  catch
    :exit, _reason -> error({:start, :no_server}, "the server #{inspect(server)} does not run")
  end

  defp error(reason, message) do
    {:error, %GodotError{reason: reason, message: "cannot start the program: #{message}"}}
  end
end
