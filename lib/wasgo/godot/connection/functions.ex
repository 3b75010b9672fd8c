defmodule Wasgo.Godot.Connection.Functions do
  @moduledoc false
  # Functions of the application that the engine asks for by name, each in a process of its own with a time limit.
  #
  # It must never run one in the connection's process, nor let one hold it up or take it along.

  require Logger

  alias Wasgo.Godot.Connection.Frame

  # How many may run at once for one connection, in milliseconds how long, and in words how much memory each may have.
  @most 64
  @timeout 10_000
  @max_heap 32 * 1024 * 1024
  @max_words 200
  # Answers wait for nobody's credit, so they are small.
  @max_answer 4 * 1024 * 1024

  defstruct running: %{}

  @type t :: %__MODULE__{running: %{reference() => {pid(), integer(), reference(), String.t()}}}

  @spec limit() :: pos_integer()
  def limit, do: @most

  # `{:error, words}` at once, or the answer comes as a message that `handle/2` knows.
  @spec start(t(), map(), integer(), String.t(), [term()], term()) ::
          {:ok, t()} | {:error, String.t()}
  def start(%__MODULE__{running: running}, _table, _id, _name, _args, _connection)
      when map_size(running) >= @most,
      do: {:error, "#{@most} requests are being answered already"}

  def start(%__MODULE__{} = functions, table, id, name, args, connection) do
    case table do
      %{^name => function} ->
        {pid, ref} = spawn_monitor(fn -> run(function, id, args, connection) end)
        end_together(pid)
        timer = Process.send_after(self(), {:function_timeout, ref}, @timeout)
        {:ok, %{functions | running: Map.put(functions.running, ref, {pid, id, timer, name})}}

      _other ->
        {:error, "there is no function #{inspect(name, printable_limit: 80)}"}
    end
  end

  # A connection that is killed has no time to end them.
  defp end_together(pid) do
    connection = self()

    spawn(fn ->
      theirs = Process.monitor(connection)
      its = Process.monitor(pid)

      receive do
        {:DOWN, ^theirs, :process, _connection, _reason} -> Process.exit(pid, :kill)
        {:DOWN, ^its, :process, _pid, _reason} -> :ok
      end
    end)
  end

  # Its result, as the bytes of a frame where it is well, is how the process ends.
  defp run(function, id, args, connection) do
    Process.flag(:max_heap_size, %{size: @max_heap, kill: true, error_logger: false})

    result =
      try do
        if is_function(function, 2), do: function.(args, connection), else: function.(args)
      catch
        kind, reason ->
          {:wasgo_failed, Exception.format(kind, reason, __STACKTRACE__)}
      end

    exit({:shutdown, {:wasgo_answer, encoded(result, id)}})
  end

  defp encoded({:ok, value}, id) do
    case Frame.control("answer", %{"id" => id, "value" => value}) do
      {:ok, frame} ->
        if IO.iodata_length(frame) <= @max_answer,
          do: {:ok, frame},
          else: {:error, "the answer is larger than #{@max_answer} bytes"}

      {:error, error} ->
        {:error, error}
    end
  end

  defp encoded(other, _id), do: other

  # What a message means for the functions that run: the answer to `id`, or nothing.
  @spec handle(t(), term()) ::
          {:answer, integer(), {:ok, frame :: iodata()} | {:error, String.t()}, t()} | :other
  def handle(%__MODULE__{running: running} = functions, {:DOWN, ref, :process, _pid, reason})
      when is_map_key(running, ref) do
    {{_pid, id, timer, name}, running} = Map.pop(running, ref)
    Process.cancel_timer(timer)
    {:answer, id, result(reason, name), %{functions | running: running}}
  end

  def handle(%__MODULE__{running: running} = functions, {:function_timeout, ref}) do
    with %{^ref => {pid, id, _timer, name}} <- running do
      Process.demonitor(ref, [:flush])
      Process.exit(pid, :kill)
      words = "#{inspect(name)} took longer than #{@timeout} ms"
      {:answer, id, {:error, words}, %{functions | running: Map.delete(running, ref)}}
    else
      _done_meanwhile -> :other
    end
  end

  def handle(_functions, _message), do: :other

  defp result({:shutdown, {:wasgo_answer, {:ok, frame}}}, _name), do: {:ok, frame}

  defp result({:shutdown, {:wasgo_answer, {:error, %{__exception__: true} = error}}}, _name),
    do: {:error, Exception.message(error)}

  defp result({:shutdown, {:wasgo_answer, {:error, words}}}, _name) when is_binary(words),
    do: {:error, words}

  # What went wrong here is for the log; the engine is told no more than that.
  defp result({:shutdown, {:wasgo_answer, {:wasgo_failed, words}}}, name) do
    Logger.error("Wasgo.Godot: the function #{inspect(name)} failed: #{words}")
    {:error, "#{inspect(name)} failed"}
  end

  defp result({:shutdown, {:wasgo_answer, other}}, name) do
    got = inspect(other, limit: 5, printable_limit: @max_words)

    Logger.error(
      "Wasgo.Godot: the function #{inspect(name)} returned neither {:ok, value} nor {:error, words}: #{got}"
    )

    {:error, "#{inspect(name)} failed"}
  end

  defp result(reason, name) do
    Logger.error("Wasgo.Godot: the function #{inspect(name)} ended: #{inspect(reason, limit: 8)}")
    {:error, "#{inspect(name)} failed"}
  end

  # Nobody waits for them any more.
  @spec stop(t()) :: :ok
  def stop(%__MODULE__{running: running}) do
    for {_ref, {pid, _id, _timer, _name}} <- running, do: Process.exit(pid, :kill)
    :ok
  end
end
