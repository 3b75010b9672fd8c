defmodule Wasgo.Bench.MembranePipelines do
  @moduledoc false
  # A source and a sink that do nothing, and between them the same work in a bare filter and in a stage's.

  import Membrane.ChildrenSpec

  defmodule Source do
    @moduledoc false
    use Membrane.Source

    def_options(payload: [spec: binary()], count: [spec: pos_integer()])
    def_output_pad(:output, accepted_format: _any, flow_control: :manual)

    @impl true
    def handle_init(_ctx, options), do: {[], Map.put(Map.from_struct(options), :number, 0)}

    @impl true
    def handle_playing(_ctx, state),
      do: {[stream_format: {:output, %Membrane.RemoteStream{}}], state}

    @impl true
    def handle_demand(:output, size, _unit, _ctx, state) do
      last = min(state.number + size, state.count)

      buffers =
        for number <- (state.number + 1)..last//1,
            do: %Membrane.Buffer{payload: state.payload, pts: number}

      ending =
        if last == state.count and state.number < last, do: [end_of_stream: :output], else: []

      {if(buffers == [], do: [], else: [buffer: {:output, buffers}]) ++ ending,
       %{state | number: last}}
    end
  end

  defmodule Bare do
    @moduledoc false
    use Membrane.Filter

    def_options(fun: [spec: term()])
    def_input_pad(:input, accepted_format: _any)
    def_output_pad(:output, accepted_format: _any)

    @impl true
    def handle_init(_ctx, options), do: {[], options.fun}

    @impl true
    def handle_buffer(:input, buffer, _ctx, fun),
      do: {[buffer: {:output, %{buffer | payload: fun.(buffer.payload)}}], fun}
  end

  defmodule Sink do
    @moduledoc false
    use Membrane.Sink

    def_options(to: [spec: pid()])
    def_input_pad(:input, accepted_format: _any, flow_control: :auto)

    @impl true
    def handle_init(_ctx, options), do: {[], options.to}

    @impl true
    def handle_buffer(:input, _buffer, _ctx, to), do: {[], to}

    @impl true
    def handle_end_of_stream(:input, _ctx, to) do
      send(to, :bench_done)
      {[], to}
    end
  end

  def all(fun, payload, count, stage) do
    run = fn element ->
      fn ->
        spec =
          child(:source, %Source{payload: payload, count: count})
          |> child(:element, element)
          |> child(:sink, %Sink{to: self()})

        {:ok, supervisor, pipeline} = Membrane.Testing.Pipeline.start(spec: spec)
        ref = Process.monitor(supervisor)
        receive do: (:bench_done -> :ok)
        Membrane.Pipeline.terminate(pipeline)
        receive do: ({:DOWN, ^ref, _, _, _} -> :ok)
      end
    end

    %{
      "a bare Membrane filter" => run.(%Bare{fun: fun}),
      "Wasgo.Membrane.Filter" => run.(%Wasgo.Membrane.Filter{stage: stage}),
      "... with 64 in flight" => run.(%Wasgo.Membrane.Filter{stage: stage, max_in_flight: 64}),
      "... with 256 in flight" => run.(%Wasgo.Membrane.Filter{stage: stage, max_in_flight: 256})
    }
  end
end
