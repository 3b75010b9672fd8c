if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Host do
    @moduledoc false
    # What the elements share: a stage in its workers between an input and an output that know how much they may have.
    #
    # The element's process only passes on. The input is asked for as many buffers as may be in flight; those that are done wait for the output's
    # demand, and count as in flight until they are gone.

    alias Wasgo.Membrane.Convert
    alias Wasgo.Stage
    alias Wasgo.Stage.Runner

    defmodule Settings do
      @moduledoc false
      # The options of elements that are not their stage's.

      @schema [
        on_error: [
          type: {:in, [:drop, :stop, :raise]},
          default: :drop,
          doc: """
          what an error does: costs the buffer that it came of (`:drop`), ends the stream (`:stop`), or the element (`:raise`). The parent is told \
          in each case: `{:wasgo_error, exception, %{on_error: on_error, pts: pts, metadata: metadata}}`
          """
        ],
        max_in_flight: [
          type: {:range, 1..1024},
          default: 32,
          doc: "buffers that the element holds at once"
        ],
        max_concurrency: [
          type: {:range, 1..64},
          default: 1,
          doc: "buffers that a stage without state handles at once; their order is kept"
        ],
        ordered: [
          type: :boolean,
          default: true,
          doc: "`false` to pass on what comes of buffers in the order in which they are done"
        ],
        timeout: [
          type: {:or, [:timeout, {:in, [:infinity]}]},
          default: :infinity,
          doc:
            "milliseconds that the stage has for a buffer: its process is killed behind them, and another takes over"
        ]
      ]

      # A source makes one after the other, and decides itself how long that takes.
      def schema(:source), do: Keyword.take(@schema, [:on_error])
      def schema(_kind), do: @schema

      # One that a stage has an option of the same name for has another name here.
      def schema(kind, stage) do
        taken = stage.options()

        for {name, spec} <- schema(kind) do
          if Keyword.has_key?(taken, name), do: {:"element_#{name}", spec}, else: {name, spec}
        end
      end
    end

    @enforce_keys [:kind, :spec, :settings]
    defstruct [
      :kind,
      :spec,
      :settings,
      runner: nil,
      guard: nil,
      # What is to go out: buffers, formats, and the end.
      out: :queue.new(),
      # Buffers among them.
      held: 0,
      demand: 0,
      # Buffers that the input was asked for and has not brought.
      asked: 0,
      phase: :new,
      # No more comes in, and nothing that comes of anything goes out any more.
      input_ended?: false,
      ended?: false
    ]

    @type t :: %__MODULE__{}

    # Checks all options; a wrong one raises with its name, when the element is made.
    @spec new(:source | :filter | :sink, Stage.spec(), map()) :: t()
    def new(kind, spec, settings) do
      {module, options} = Stage.check!(spec)
      kind!(kind, module)

      settings =
        Wasgo.Options.validate!(Map.to_list(settings), Settings.schema(kind), "the element")

      Runner.concurrency!(module, options, Map.get(settings, :max_concurrency, 1))
      %__MODULE__{kind: kind, spec: {module, options}, settings: settings}
    end

    defp kind!(kind, module) do
      case {kind == :source, Stage.source?(module)} do
        {same, same} ->
          :ok

        {true, false} ->
          raise ArgumentError, "#{inspect(module)} is no source: it makes no buffers by itself"

        {false, true} ->
          raise ArgumentError, "#{inspect(module)} is a source: it takes no buffers"
      end
    end

    @spec setup(t(), map()) :: t()
    def setup(host, ctx) do
      start = fn argument ->
        {:ok, pid} =
          Membrane.UtilitySupervisor.start_child(
            ctx.utility_supervisor,
            {Stage.Worker, argument}
          )

        # However the element ends, what the stage opened is given back.
        cleanup = fn -> Stage.Worker.stop(pid) end
        Membrane.ResourceGuard.register(ctx.resource_guard, cleanup, tag: pid)
        {:ok, pid}
      end

      settings =
        host.settings |> Map.take([:max_concurrency, :timeout, :ordered]) |> Map.to_list()

      runner = Runner.new(host.spec, [start: start] ++ settings)
      %{host | runner: runner, guard: ctx.resource_guard, phase: :starting}
    end

    @spec terminate(t()) :: t()
    def terminate(%{runner: nil} = host), do: host
    def terminate(host), do: %{host | runner: Runner.stop(host.runner), phase: :ended}

    # Whether the stage has begun.
    @spec ready?(t()) :: boolean()
    def ready?(host), do: host.phase == :ready

    # The stream begins.
    @spec playing(t()) :: {[term()], t()}
    def playing(%{kind: :source} = host) do
      format = Convert.format_to_membrane(host.runner.format)
      {[stream_format: {:output, format}], %{host | phase: :playing}}
    end

    def playing(host), do: ask(%{host | phase: :playing})

    @spec format(t(), term()) :: t()
    def format(host, format) do
      push(host, {:format, Convert.format_to_wasgo(format)})
    end

    @spec buffer(t(), Membrane.Buffer.t()) :: t()
    def buffer(host, buffer) do
      push(%{host | asked: max(host.asked - 1, 0)}, {:buffer, Convert.to_wasgo(buffer)})
    end

    @spec end_of_stream(t()) :: t()
    def end_of_stream(host), do: push(%{host | input_ended?: true}, :end_of_stream)

    defp push(host, item), do: %{host | runner: Runner.push(host.runner, item)}

    # The output may have `size` buffers from now on.
    @spec demand(t(), non_neg_integer()) :: {[term()], t()}
    def demand(%{kind: :source, phase: :playing} = host, size) do
      # What was asked of the source and is not there yet comes too.
      more = size - host.asked - host.held
      if more > 0, do: Runner.demand(host.runner, more)
      flush(%{host | demand: size, asked: host.asked + max(more, 0)}, [])
    end

    def demand(host, size), do: flush(%{host | demand: size}, [])

    # A message of the element's: `:unknown`, or the actions that it leads to.
    @spec message(t(), term()) :: {[term()], t()} | :unknown
    def message(%{runner: nil}, _message), do: :unknown

    def message(host, {__MODULE__, :raise, exception}) do
      _host = terminate(host)
      raise exception
    end

    def message(host, message) do
      if Runner.message?(host.runner, message) do
        {events, runner} = Runner.handle(host.runner, message)
        release(host, runner, message)
        {actions, host} = events(events, %{host | runner: runner}, [])
        if host.phase == :playing, do: flush(host, actions), else: {Enum.reverse(actions), host}
      else
        :unknown
      end
    end

    # A worker that another has taken the place of needs no cleaning up any more.
    defp release(host, runner, message) do
      pid = if elem(message, 0) == :DOWN, do: elem(message, 3), else: elem(message, 1)

      if runner.phase != :ended and not is_map_key(runner.workers, pid),
        do: Membrane.ResourceGuard.unregister(host.guard, pid)
    end

    defp events([], host, actions), do: {actions, host}

    defp events([event | events], host, actions) do
      {more, host} = event(event, host)
      events(events, host, more ++ actions)
    end

    defp event(:ready, %{phase: :starting} = host),
      do: {[setup: :complete], %{host | phase: :ready}}

    defp event({:failed, exception}, host),
      do: {told(host, exception, nil), raise_next(host, exception)}

    defp event(_event, %{ended?: true} = host), do: {[], host}
    defp event({:format, format}, host), do: {[], put(host, {:format, format}, 0)}
    defp event(:end_of_stream, host), do: {[], ending(host)}

    defp event({:buffers, buffers}, %{kind: :sink} = host) when is_list(buffers), do: {[], host}

    defp event({:buffers, buffers}, host) do
      count = length(buffers)
      asked = if host.kind == :source, do: max(host.asked - count, 0), else: host.asked
      {[], %{Enum.reduce(buffers, host, &put(&2, {:buffer, &1}, 1)) | asked: asked}}
    end

    defp event({:error, exception, buffer}, host) do
      case host.settings.on_error do
        :drop -> {told(host, exception, buffer), host}
        :stop -> {told(host, exception, buffer), ending(host)}
        :raise -> {told(host, exception, buffer), raise_next(host, exception)}
      end
    end

    defp event({:stop, exception}, host) do
      case host.settings.on_error do
        :raise -> {told(host, exception, nil), raise_next(host, exception)}
        _drop_or_stop -> {told(host, exception, nil), ending(host)}
      end
    end

    # What is done goes out, and then the end; nothing else does.
    defp ending(host) do
      host = put(host, :end_of_stream, 0)
      %{host | runner: Runner.stop(host.runner), ended?: true}
    end

    defp told(host, exception, buffer) do
      about = %{
        on_error: host.settings.on_error,
        pts: buffer && buffer.pts,
        metadata: (buffer && buffer.metadata) || %{}
      }

      [notify_parent: {:wasgo_error, exception, about}]
    end

    # The parent is told first: actions of a callback that raises are lost.
    defp raise_next(host, exception) do
      send(self(), {__MODULE__, :raise, exception})
      %{host | phase: :ended, ended?: true}
    end

    defp put(host, what, count),
      do: %{host | out: :queue.in(what, host.out), held: host.held + count}

    # What may go out does; `actions` are those before, the last first.
    defp flush(host, actions) do
      {actions, host} = out(host, actions)
      {asks, host} = ask(host)
      {Enum.reverse(actions) ++ asks, host}
    end

    defp out(host, actions) do
      case :queue.peek(host.out) do
        {:value, {:buffer, _}} when host.demand > 0 ->
          {buffers, host} = take(host, [])
          out(host, [{:buffer, {:output, buffers}} | actions])

        {:value, {:format, _format}} when host.kind == :sink ->
          out(drop(host), actions)

        {:value, {:format, format}} ->
          format = Convert.format_to_membrane(format)
          out(drop(host), [{:stream_format, {:output, format}} | actions])

        {:value, :end_of_stream} when host.kind == :sink ->
          out(drop(host), [{:notify_parent, :wasgo_end_of_stream} | actions])

        {:value, :end_of_stream} ->
          out(drop(host), [{:end_of_stream, :output} | actions])

        _empty_or_no_demand ->
          {actions, host}
      end
    end

    defp drop(host), do: %{host | out: :queue.drop(host.out)}

    # Buffers one behind the other go out as one message.
    defp take(%{demand: demand} = host, buffers) do
      case :queue.peek(host.out) do
        {:value, {:buffer, buffer}} when demand > 0 ->
          host = %{drop(host) | demand: demand - 1, held: host.held - 1}
          take(host, [Convert.to_membrane(buffer) | buffers])

        _other ->
          {Enum.reverse(buffers), host}
      end
    end

    # Asks the input for what there is room for, once half of it is there.
    defp ask(%{kind: :source} = host), do: {[], host}
    defp ask(host) when host.ended? or host.input_ended?, do: {[], host}

    defp ask(host) do
      most = host.settings.max_in_flight
      room = most - Runner.size(host.runner) - host.held

      if room > host.asked and (host.asked == 0 or room - host.asked >= div(most, 2)),
        do: {[demand: {:input, room}], %{host | asked: room}},
        else: {[], host}
    end
  end
end
