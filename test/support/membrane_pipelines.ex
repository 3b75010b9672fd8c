if Code.ensure_loaded?(Membrane.Testing.Pipeline) do
  defmodule Some.Other.Format do
    @moduledoc false
    defstruct [:x]
  end

  defmodule Wasgo.MembranePipelines do
    @moduledoc false
    # Pipelines of tests, and what they bring.

    import ExUnit.Assertions
    import Membrane.ChildrenSpec
    import Membrane.Testing.Assertions

    alias Membrane.{RemoteStream, Testing}
    alias Wasgo.Membrane.Convert

    defmodule Acts do
      @moduledoc false
      # A source that does these actions and ends.

      use Membrane.Source

      def_options(actions: [spec: list()])
      def_output_pad(:output, accepted_format: _any, flow_control: :push)

      @impl true
      def handle_init(_ctx, options), do: {[], options.actions}

      @impl true
      def handle_playing(_ctx, actions), do: {actions ++ [end_of_stream: :output], []}
    end

    def buffer(payload, fields \\ []), do: struct!(%Membrane.Buffer{payload: payload}, fields)

    def pipeline(spec), do: Testing.Pipeline.start_link_supervised!(spec: spec)

    def stop(pipeline), do: Membrane.Pipeline.terminate(pipeline)

    # A pipeline that may fail without the test, which is told.
    def supervised_apart(spec) do
      {:ok, _supervisor, pipeline} = Testing.Pipeline.start(spec: spec)
      Process.monitor(pipeline)
      pipeline
    end

    def from(payloads, format \\ %RemoteStream{}) do
      buffers = Enum.map(payloads, &if(is_struct(&1, Membrane.Buffer), do: &1, else: buffer(&1)))

      child(:source, %Testing.Source{
        output: Testing.Source.output_from_buffers(buffers),
        stream_format: format
      })
    end

    def to_sink(spec), do: child(spec, :sink, Testing.Sink)

    # The sink's buffers until the end of the stream.
    def all(pipeline) do
      assert_end_of_stream(pipeline, :sink, :input, 20_000)
      for {:buffer, buffer} <- told(pipeline), do: buffer
    end

    def payloads(buffers), do: Enum.map(buffers, & &1.payload)

    # The sink's buffers (their payloads) and formats in their order.
    def events(pipeline) do
      Enum.map(told(pipeline), fn
        {:buffer, buffer} -> {:buffer, buffer.payload}
        {:stream_format, :input, format} -> {:format, format}
      end)
    end

    # What comes of Wasgo's buffers in a filter, as `Wasgo.Pipeline` has it, the errors behind the buffers.
    def run(buffers, stage, format, max_in_flight) do
      filter = %Wasgo.Membrane.Filter{stage: stage, max_in_flight: max_in_flight}

      pipeline =
        buffers
        |> Enum.map(&Convert.to_membrane/1)
        |> from(Convert.format_to_membrane(format))
        |> child(:element, filter)
        |> to_sink()
        |> pipeline()

      buffers = pipeline |> all() |> Enum.map(&{:ok, Convert.to_wasgo(&1)})
      elements = buffers ++ for(exception <- errors(pipeline), do: {:error, exception})
      stop(pipeline)
      elements
    end

    defp errors(pipeline) do
      receive do
        {Testing.Pipeline, ^pipeline,
         {:handle_child_notification, {{:wasgo_error, exception, _about}, :element}}} ->
          [exception | errors(pipeline)]
      after
        0 -> []
      end
    end

    defp told(pipeline) do
      receive do
        {Testing.Pipeline, ^pipeline, {:handle_child_notification, {what, :sink}}}
        when elem(what, 0) in [:buffer, :stream_format] ->
          [what | told(pipeline)]
      after
        0 -> []
      end
    end
  end
end
