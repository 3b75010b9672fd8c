defmodule Wasgo.LibsqlServer do
  @moduledoc false
  # A libSQL server for tests: the one that WASGO_LIBSQL_SERVER names (with WASGO_LIBSQL_TOKEN, if it wants one), or an sqld that is on
  # the PATH, started for as long as the tests run.

  # Why there is none.
  def missing do
    if url() == nil and executable() == nil do
      "no libSQL server: neither does WASGO_LIBSQL_SERVER name one, nor is sqld on the PATH"
    end
  end

  # `{url, options}` of one that answers; call it in `setup_all`.
  def start do
    case url() do
      nil -> {start_executable(), []}
      url -> {url, token()}
    end
  end

  defp url, do: environment("WASGO_LIBSQL_SERVER")
  defp executable, do: System.find_executable("sqld")

  defp token do
    case environment("WASGO_LIBSQL_TOKEN") do
      nil -> []
      token -> [auth_token: token]
    end
  end

  defp environment(name) do
    case System.get_env(name, "") do
      "" -> nil
      value -> value
    end
  end

  defp start_executable do
    port = free_port()
    dir = Path.join(System.tmp_dir!(), "wasgo-sqld-#{System.pid()}-#{port}")

    server =
      Port.open({:spawn_executable, executable()}, [
        :binary,
        :stderr_to_stdout,
        :exit_status,
        args: ["--http-listen-addr", "127.0.0.1:#{port}", "--db-path", dir]
      ])

    {:os_pid, pid} = Port.info(server, :os_pid)

    ExUnit.Callbacks.on_exit(fn ->
      System.cmd("kill", [Integer.to_string(pid)])
      File.rm_rf!(dir)
    end)

    wait(server, "listening for incoming user HTTP connection", "")
    "http://127.0.0.1:#{port}"
  end

  # It says when it is ready.
  defp wait(server, words, said) do
    receive do
      {^server, {:data, data}} ->
        said = said <> data
        if not String.contains?(said, words), do: wait(server, words, said)

      {^server, {:exit_status, status}} ->
        raise "sqld ended with status #{status}: #{said}"
    end
  end

  defp free_port do
    {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(socket)
    :gen_tcp.close(socket)
    port
  end
end
