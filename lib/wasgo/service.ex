defmodule Wasgo.Service do
  @moduledoc """
  A WASI program that runs for long and answers requests over pipes that exist only in memory.

      {:ok, namer} = Wasgo.Service.start_link(module: File.read!("guest/services/namer.wasm"), ready: "READY")
      {:ok, name} = Wasgo.Service.request(namer, "0 0 -2.5 31.0 12.2 0.08 120 14")

  The program reads requests from its standard input, one line each, and writes one line for each to its standard output, in the
  same order. It is given no network, of the host's environment nothing, and no files but what `:dirs` grants. A service is a program that an
  operator deploys, so that it has WASI's clock and random numbers unless they are taken from it (a `Wasgo.Wasm.Command` has neither unless
  granted). Waiting for input it costs nothing, and computing it gets its slices in turn with all other guests.

  The process that started it owns it: with its end the program is stopped. A program that ends by itself ends the process, with the reason
  `{:shutdown, %Wasgo.ServiceError{}}`, so that a supervisor starts it anew.

  ## Options

    * `:module` - a `Wasgo.Wasm.Module`, or the bytes of one; required
    * `:arguments`, `:environment` - lists of strings, and of `{name, value}`; the program's own name (`argv[0]`) is `"service"`
    * `:limits` - a `Wasgo.Wasm.Limits` or keyword list; memory is 256 MiB unless given
    * `:dirs`, `:clock`, `:random` - as for `Wasgo.Wasm.Command`, but clock and randomness are `true` unless given
    * `:ready` - a line that the program writes before its first answer; without it requests may be sent at once
    * `:ready_timeout` - milliseconds in which it must have written it, 5000 unless given
    * `:max_pending` - requests that may wait for their answers, 64 unless given
    * `:name` - as for `GenServer`
  """

  use GenServer

  require Logger

  alias Wasgo.Native
  alias Wasgo.Native.Result
  alias Wasgo.ServiceError
  alias Wasgo.Wasm.{Limits, Module, Program}

  @default_timeout 5_000

  @max_line 65_536

  # The longest that the VM's timers can be set to.
  @longest 0xFFFF_FFFF

  @options [
             module: [type: {:or, [:binary, {:struct, Module}]}, required: true],
             arguments: [type: {:list_of, :string}, default: []],
             environment: [type: {:list_of, {:pair, :string, :string}}, default: []],
             limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
             ready: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
             ready_timeout: [type: :timeout, default: @default_timeout],
             max_pending: [type: :pos_integer, default: 64],
             name: [type: :any, default: nil]
           ] ++ Program.grants(true)

  @doc """
  Starts the program and waits until it is ready.

  Errors: those of compiling and linking; `File.Error` for a directory that can't be opened; `Wasgo.LimitError`; `Wasgo.ServiceError` with `{:exited, status}`, `{:failed, exception}` or `:not_ready`.
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    options = Wasgo.Options.validate!(options, @options, "Wasgo.Service.start_link/1")
    Program.check!(options, "Wasgo.Service.start_link/1")
    options = %{options | limits: Program.limits(options.limits)}
    server = if options.name, do: [name: options.name], else: []

    # A failure to start is the caller's answer, not its end, so that it is told by `:ignore` and a message.
    caller = self()
    reference = make_ref()

    case GenServer.start_link(__MODULE__, {options, caller, reference}, server) do
      :ignore ->
        receive do
          {^reference, exception} -> {:error, exception}
        end

      started ->
        started
    end
  end

  @doc """
  Sends one line and waits for the line that answers it, both without their line breaks.

  Errors: `Wasgo.ServiceError`. After `:timeout` the answer, should it still come, is thrown away; other requests are not disturbed.
  """
  @spec request(GenServer.server(), String.t(), pos_integer()) ::
          {:ok, String.t()} | {:error, ServiceError.t()}
  def request(service, line, timeout \\ @default_timeout)
      when is_binary(line) and is_integer(timeout) and timeout in 1..@longest do
    cond do
      String.contains?(line, ["\n", "\r"]) ->
        {:error, error(:newline, "a request is one line, and this one has a line break in it")}

      byte_size(line) >= @max_line ->
        {:error,
         error(:too_long, "a request of #{byte_size(line)} bytes; a line may have #{@max_line}")}

      true ->
        # The server answers within the time limit by itself.
        GenServer.call(service, {:request, line, timeout}, :infinity)
    end
  catch
    :exit, {{:shutdown, %ServiceError{} = error}, _call} ->
      {:error, error}

    # Whatever ended it: its process says why to whoever is linked to it.
    :exit, {reason, {GenServer, :call, _arguments}} when reason != :calling_self ->
      {:error, error(:stopped, "the service is stopped")}
  end

  @doc """
  Stops the service: its input ends, and if it has not ended after `timeout` milliseconds it is stopped wherever it is.
  """
  @spec stop(GenServer.server(), non_neg_integer()) :: :ok
  def stop(service, timeout \\ 1_000) when is_integer(timeout) and timeout in 0..@longest do
    GenServer.call(service, {:stop, timeout}, :infinity)
  catch
    :exit, _reason -> :ok
  end

  @impl true
  def init({options, caller, reference}) do
    Process.flag(:trap_exit, true)

    with {:ok, module} <- module(options.module),
         {:ok, state} <- start(module, options),
         {:ok, state} <- ready(state, options) do
      {:ok, state}
    else
      {:error, exception} ->
        send(caller, {reference, exception})
        :ignore
    end
  end

  defp module(%Module{} = module), do: {:ok, module}
  defp module(source), do: Module.compile(source)

  defp start(module, options) do
    program =
      options
      |> Map.take([:environment, :dirs, :clock, :random, :limits])
      |> Map.put(:arguments, ["service" | options.arguments])
      |> Map.put(:timeout, :infinity)

    with {:ok, {resource, ref}} <- Program.start(module, program) do
      {:ok,
       %{
         resource: resource,
         ref: ref,
         # What the program wrote since its last line break.
         partial: [],
         partial_size: 0,
         # Requests that were sent and wait for their answers, the eldest first.
         waiting: :queue.new(),
         # Lines that are still to be sent, since the program's input is full.
         unsent: :queue.new(),
         max_pending: options.max_pending,
         stopping: nil
       }}
    end
  end

  defp ready(state, %{ready: nil}), do: {:ok, state}

  defp ready(state, options) do
    deadline = System.monotonic_time(:millisecond) + options.ready_timeout
    ready(state, options, deadline)
  end

  defp ready(%{ref: ref} = state, options, deadline) do
    left = max(deadline - System.monotonic_time(:millisecond), 0)

    receive do
      {:wasgo_service, ^ref, {:stdout, bytes}} ->
        {lines, state} = lines(state, bytes)
        Native.service_give_credit(state.resource, byte_size(bytes), 0)

        cond do
          options.ready in lines -> {:ok, state}
          state.partial_size > @max_line -> {:error, endless_line()}
          true -> ready(state, options, deadline)
        end

      {:wasgo_service, ^ref, {:stderr, bytes}} ->
        ready(stderr(state, bytes), options, deadline)

      {:wasgo_service, ^ref, {:exit, result}} ->
        {:error, exit_error(result)}
    after
      left ->
        Native.service_stop(state.resource)

        message =
          "the service did not write #{inspect(options.ready)} within #{options.ready_timeout} ms"

        {:error, error(:not_ready, message)}
    end
  end

  @impl true
  def handle_call({:request, line, timeout}, from, state) do
    if :queue.len(state.waiting) >= state.max_pending do
      message = "#{state.max_pending} requests wait for this service already"
      {:reply, {:error, error(:busy, message)}, state}
    else
      key = make_ref()
      timer = Process.send_after(self(), {:late, key, timeout}, timeout)
      state = %{state | waiting: :queue.in({key, from, timer}, state.waiting)}
      {:noreply, write(state, [line, ?\n])}
    end
  end

  def handle_call({:stop, timeout}, from, state) do
    Native.service_close_input(state.resource)
    Process.send_after(self(), :stop_now, timeout)
    {:noreply, %{state | stopping: [from | state.stopping || []]}}
  end

  @impl true
  def handle_info({:wasgo_service, ref, {:stdout, bytes}}, %{ref: ref} = state) do
    {lines, state} = lines(state, bytes)
    Native.service_give_credit(state.resource, byte_size(bytes), 0)

    if state.partial_size > @max_line do
      fail(endless_line(), state)
    else
      {:noreply, Enum.reduce(lines, state, &answer/2)}
    end
  end

  def handle_info({:wasgo_service, ref, {:stderr, bytes}}, %{ref: ref} = state) do
    {:noreply, stderr(state, bytes)}
  end

  def handle_info({:wasgo_service, ref, :input_ready}, %{ref: ref} = state) do
    {:noreply, write_unsent(state)}
  end

  def handle_info({:wasgo_service, ref, {:exit, _result}}, %{ref: ref, stopping: [_ | _]} = state) do
    state.stopping |> Enum.each(&GenServer.reply(&1, :ok))
    reply_all(state, error(:stopped, "the service is stopped"))
    {:stop, :normal, %{state | waiting: :queue.new()}}
  end

  def handle_info({:wasgo_service, ref, {:exit, result}}, %{ref: ref} = state) do
    fail(exit_error(result), state)
  end

  def handle_info({:late, key, timeout}, state) do
    late = fn
      {^key, from, _timer} ->
        GenServer.reply(
          from,
          {:error, error(:timeout, "the service gave no answer within #{timeout} ms")}
        )

        # Its answer may still come, and must not be taken for another's.
        [{:given_up, nil, nil}]

      other ->
        [other]
    end

    {:noreply, %{state | waiting: :queue.filter(late, state.waiting)}}
  end

  def handle_info(:stop_now, state) do
    Native.service_stop(state.resource)
    {:noreply, state}
  end

  def handle_info({:EXIT, _from, reason}, state), do: {:stop, reason, state}
  def handle_info(_other, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, state), do: Native.service_stop(state.resource)

  defp fail(error, state) do
    reply_all(state, error)
    {:stop, {:shutdown, error}, %{state | waiting: :queue.new()}}
  end

  defp reply_all(state, error) do
    for {_key, from, _timer} when from != nil <- :queue.to_list(state.waiting) do
      GenServer.reply(from, {:error, error})
    end
  end

  defp answer(line, state) do
    case :queue.out(state.waiting) do
      {{:value, {:given_up, nil, nil}}, waiting} ->
        %{state | waiting: waiting}

      {{:value, {_key, from, timer}}, waiting} ->
        Process.cancel_timer(timer)
        GenServer.reply(from, {:ok, line})
        %{state | waiting: waiting}

      {:empty, _waiting} ->
        Logger.debug(
          "a service wrote a line that nobody asked for: #{inspect(line, printable_limit: 200)}"
        )

        state
    end
  end

  defp write(%{unsent: unsent} = state, line) do
    write_unsent(%{state | unsent: :queue.in(IO.iodata_to_binary(line), unsent)})
  end

  defp write_unsent(state) do
    case :queue.peek(state.unsent) do
      :empty ->
        state

      {:value, line} ->
        case Native.service_write(state.resource, line) do
          :written -> write_unsent(%{state | unsent: :queue.drop(state.unsent)})
          # It says when there is room, or ends.
          other when other in [:full, :closed] -> state
        end
    end
  end

  # The whole lines that `bytes` completes.
  defp lines(state, bytes) do
    case :binary.split(bytes, "\n", [:global]) do
      [part] ->
        {[],
         %{
           state
           | partial: [state.partial | part],
             partial_size: state.partial_size + byte_size(part)
         }}

      [first | rest] ->
        {middle, [last]} = Enum.split(rest, -1)

        whole =
          Enum.map(
            [IO.iodata_to_binary([state.partial | first]) | middle],
            &String.trim_trailing(&1, "\r")
          )

        {whole, %{state | partial: [last], partial_size: byte_size(last)}}
    end
  end

  defp stderr(state, bytes) do
    Logger.debug("a service says: #{inspect(bytes, printable_limit: 500)}")
    Native.service_give_credit(state.resource, 0, byte_size(bytes))
    state
  end

  defp exit_error({:ok, status}) do
    error({:exited, status}, "the service ended with status #{status}")
  end

  defp exit_error({:error, fault}) do
    exception = Result.exception(fault)
    error({:failed, exception}, "the service failed: " <> Exception.message(exception))
  end

  defp endless_line do
    error(:too_long, "the service wrote over #{@max_line} bytes without a line break")
  end

  defp error(reason, message), do: %ServiceError{reason: reason, message: message}
end
