if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Element do
    @moduledoc false
    # Makes an element of a kind around `Wasgo.Membrane.Host`: for any stage, or for one, whose options are then the element's own.

    alias Wasgo.Membrane.Host

    defmacro __using__(arguments) do
      kind = Keyword.fetch!(arguments, :kind)
      stage = arguments |> Keyword.get(:stage) |> Macro.expand(__CALLER__)

      quote do
        use unquote(base(kind))

        def_options(unquote(options(kind, stage)))
        unquote(pads(kind))

        @impl true
        def handle_init(_ctx, options) do
          {spec, settings} =
            Wasgo.Membrane.Element.split(unquote(kind), unquote(stage), Map.from_struct(options))

          {[], Host.new(unquote(kind), spec, settings)}
        end

        @impl true
        def handle_setup(ctx, host), do: {[setup: :incomplete], Host.setup(host, ctx)}

        @impl true
        def handle_playing(_ctx, host), do: Host.playing(host)

        @impl true
        def handle_info(message, _ctx, host), do: Wasgo.Membrane.Element.info(message, host)

        @impl true
        def handle_terminate_request(_ctx, host),
          do: {[terminate: :normal], Host.terminate(host)}

        unquote(input(kind))
        unquote(output(kind))
      end
    end

    defp base(:source), do: Membrane.Source
    defp base(:filter), do: Membrane.Filter
    defp base(:sink), do: Membrane.Sink

    defp pads(:source), do: output_pad()
    defp pads(:sink), do: input_pad()

    defp pads(:filter) do
      quote do
        unquote(input_pad())
        unquote(output_pad())
      end
    end

    defp input_pad do
      quote do
        def_input_pad(:input,
          accepted_format: _any,
          flow_control: :manual,
          demand_unit: :buffers
        )
      end
    end

    defp output_pad do
      quote do
        def_output_pad(:output, accepted_format: _any, flow_control: :manual)
      end
    end

    defp input(:source), do: nil

    defp input(_kind) do
      quote do
        @impl true
        def handle_stream_format(:input, format, _ctx, host), do: {[], Host.format(host, format)}

        @impl true
        def handle_buffer(:input, buffer, _ctx, host), do: {[], Host.buffer(host, buffer)}

        @impl true
        def handle_end_of_stream(:input, _ctx, host), do: {[], Host.end_of_stream(host)}
      end
    end

    defp output(:sink), do: nil

    defp output(_kind) do
      quote do
        @impl true
        def handle_demand(:output, size, _unit, _ctx, host), do: Host.demand(host, size)
      end
    end

    # What `def_options` takes.
    defp options(kind, nil) do
      stage = [
        stage: [
          spec: quote(do: Wasgo.Stage.spec()),
          description: "The stage: a module that is a `Wasgo.Stage`, or `{module, options}`."
        ]
      ]

      stage ++ described(Host.Settings.schema(kind))
    end

    defp options(kind, stage) do
      Code.ensure_compiled!(stage)
      described(stage.options()) ++ described(Host.Settings.schema(kind, stage))
    end

    @doc false
    defmacro endpoint_options do
      stages = [
        input: "The stage that takes buffers: a filter or sink.",
        output: "The stage that makes buffers: a source."
      ]

      stages =
        for {name, description} <- stages,
            do: {name, [spec: quote(do: Wasgo.Stage.spec()), description: description]}

      quote do: def_options(unquote(stages ++ described(Host.Settings.schema(:sink))))
    end

    defp described(schema) do
      for {name, spec} <- schema do
        default = if spec[:required], do: [], else: [default: Macro.escape(spec[:default])]
        description = spec |> Keyword.get(:doc, "") |> String.trim() |> sentence()
        {name, [spec: quote(do: term()), description: description] ++ default}
      end
    end

    defp sentence(""), do: ""

    defp sentence(<<first::utf8, rest::binary>>),
      do: String.upcase(<<first::utf8>>) <> rest <> "."

    # An element's options: its stage with those of the stage, and its own.
    @doc false
    def split(_kind, nil, options), do: Map.pop!(options, :stage)

    def split(kind, stage, options) do
      names = Keyword.keys(stage.options())
      {stage_options, own} = Map.split(options, names)

      settings =
        for {name, _spec} <- Host.Settings.schema(kind), into: %{} do
          {name, Map.get(own, :"element_#{name}", own[name])}
        end

      {{stage, Map.to_list(stage_options)}, settings}
    end

    @doc false
    def info(message, host) do
      case Host.message(host, message) do
        :unknown -> {[], host}
        {actions, host} -> {actions, host}
      end
    end
  end
end
