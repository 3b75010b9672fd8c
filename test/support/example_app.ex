defmodule Wasgo.ExampleApp do
  @moduledoc false
  # The Phoenix example as a process of the operating system, on a free port, with a database in memory. It belongs to the process that starts it, and ends with it.

  @root Path.expand("../../examples/phoenix", __DIR__)
  # The first start compiles it, and Wasgo for it.
  @start_ms 280_000

  @doc "Why its page can't be opened here, or `nil`."
  @spec missing() :: String.t() | nil
  def missing do
    cond do
      chromium() == nil ->
        "Chromium is missing (Debian: chromium; or CHROMIUM says where it is)"

      System.find_executable("node") == nil ->
        "Node is missing (Debian: nodejs)"

      not File.dir?(path("assets/node_modules/playwright-core")) ->
        "the page's packages are missing (npm ci in examples/phoenix/assets)"

      true ->
        nil
    end
  end

  @doc "Starts it, with variables of its environment, and answers its port and the process."
  @spec start([{String.t(), String.t()}]) :: {:inet.port_number(), port()}
  def start(variables \\ []) do
    # Its standard input ends with the test.
    script = """
    {:ok, {_address, port}} = WasgoExampleWeb.Endpoint.server_info(:http)
    IO.puts("the port is \#{port}")
    IO.read(:stdio, :line)
    """

    app =
      Port.open({:spawn_executable, System.find_executable("mix")}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        line: 4_096,
        cd: @root,
        env:
          [
            {~c"MIX_ENV", ~c"test"},
            {~c"MIX_BUILD_PATH", String.to_charlist(build_path())},
            {~c"PORT", false}
          ] ++
            for(
              {name, text} <- variables,
              do: {String.to_charlist(name), String.to_charlist(text)}
            ),
        args: ["run", "-e", script]
      ])

    {await_port(app, []), app}
  end

  # Beside that of the tests: which libraries there are is compiled in.
  defp build_path,
    do: Path.join(Path.dirname(Mix.Project.build_path()), "example-phoenix-#{beside()}")

  defp beside, do: :erlang.phash2({System.version(), System.get_env("ERL_LIBS")})

  defp await_port(app, seen) do
    receive do
      {^app, {:data, {_end, "the port is " <> port}}} ->
        String.to_integer(port)

      {^app, {:data, {_end, line}}} ->
        await_port(app, [line | seen])

      {^app, {:exit_status, status}} ->
        raise "the example ended with #{status}:\n" <> Enum.join(Enum.reverse(seen), "\n")
    after
      @start_ms -> raise "the example did not start:\n" <> Enum.join(Enum.reverse(seen), "\n")
    end
  end

  @doc "Bundles the page."
  @spec bundle() :: :ok
  def bundle do
    {_output, 0} = System.cmd("node", ["build.mjs"], cd: path("assets"), stderr_to_stdout: true)
    :ok
  end

  @doc "Runs `test/browser.mjs` against it: what it wrote, and its status."
  @spec browse(:inet.port_number()) :: {String.t(), non_neg_integer()}
  def browse(port) do
    System.cmd("node", ["test/browser.mjs", "http://127.0.0.1:#{port}/"],
      cd: @root,
      stderr_to_stdout: true,
      env: [{"CHROMIUM", chromium()}]
    )
  end

  @spec path(Path.t()) :: Path.t()
  def path(relative), do: Path.join(@root, relative)

  defp chromium, do: System.get_env("CHROMIUM") || System.find_executable("chromium")
end
