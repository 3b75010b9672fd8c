defmodule Wasgo.Service.Tool.Smoke do
  @moduledoc false
  # Whether a program runs: the shortest run that shows it.

  alias Wasgo.{LimitError, Service, ServiceError}
  alias Wasgo.Service.Image
  alias Wasgo.Wasm.{Command, Module}

  # Characters of a program's output that are shown.
  @shown 200

  @doc """
  Runs a program with `memory` bytes for `timeout` milliseconds at most, and says in a sentence how that went. A container is to say a word by its command
  `echo`; of a WASI program, with `arguments` and no input, nothing is expected but that it does not fail.
  """
  @spec run(Image.t(), Module.t(), [String.t()], pos_integer(), pos_integer()) ::
          {:ok, String.t()} | {:error, Exception.t()}
  def run(%Image{kind: :container2wasm}, module, _arguments, memory, timeout) do
    # The failure of a service is no failure of who tries it.
    task =
      Task.async(fn ->
        Process.flag(:trap_exit, true)
        container(module, memory, timeout)
      end)

    Task.await(task, :infinity)
  end

  def run(_program, module, arguments, memory, timeout) do
    options = [
      args: arguments,
      clock: true,
      random: true,
      limits: [memory: memory],
      timeout: timeout
    ]

    started = now()

    case Command.run(module, options) do
      {:ok, %{status: status} = run} ->
        wrote = run |> Map.take([:stdout, :stderr]) |> Enum.map_join(&wrote/1)
        {:ok, "it ended after #{now() - started} ms with status #{status}#{wrote}"}

      # Not every program ends with its input.
      {:error, %LimitError{reason: :time}} ->
        {:ok, "it still ran after #{timeout} ms, and was stopped"}

      {:error, exception} ->
        {:error, exception}
    end
  end

  defp wrote({_stream, ""}), do: ""

  defp wrote({stream, text}) do
    text = Wasgo.Service.Tool.plain(text)
    begin = text |> String.slice(0, @shown) |> String.trim()
    more = if String.length(text) > @shown, do: " ...", else: ""
    "; its #{stream}: " <> begin <> more
  end

  defp container(module, memory, timeout) do
    token = "wasgo-" <> (6 |> :crypto.strong_rand_bytes() |> Base.encode16(case: :lower))
    started = now()

    with {:ok, service} <-
           Service.start_link(
             module: module,
             console: :container2wasm,
             command: ["echo", token],
             memory: memory,
             ready: token,
             ready_timeout: timeout
           ) do
      ready = now() - started

      receive do
        {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 0}}}} ->
          {:ok,
           "its command answered #{ready} ms after the start, and it ended after #{now() - started} ms"}

        {:EXIT, ^service, {:shutdown, %ServiceError{} = error}} ->
          {:error, error}
      after
        timeout ->
          Service.stop(service, 0)
          message = "the container answered, and did not end within #{timeout} ms"
          {:error, %ServiceError{reason: :timeout, message: message}}
      end
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
