if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Endpoint do
    @moduledoc """
    A Membrane endpoint of two stages: what comes in goes to one, what goes out another makes. For what is both, such as a connection.

        child(:godot, %Wasgo.Membrane.Endpoint{
          input: {Wasgo.Stages.Godot, connection: connection},
          output: {MyApp.Notifications, connection: connection}
        })

    The input works as `Wasgo.Membrane.Sink`, the output as `Wasgo.Membrane.Source`; the end of one does not end the other.
    """

    use Membrane.Endpoint

    require Wasgo.Membrane.Element
    alias Wasgo.Membrane.{Element, Host}

    Element.endpoint_options()

    def_input_pad(:input, accepted_format: _any, flow_control: :manual, demand_unit: :buffers)
    def_output_pad(:output, accepted_format: _any, flow_control: :manual)

    @impl true
    def handle_init(_ctx, options) do
      {specs, settings} = options |> Map.from_struct() |> Map.split([:input, :output])

      {[],
       %{
         input: Host.new(:sink, specs.input, settings),
         output: Host.new(:source, specs.output, Map.take(settings, [:on_error]))
       }}
    end

    @impl true
    def handle_setup(ctx, hosts) do
      {[setup: :incomplete],
       %{input: Host.setup(hosts.input, ctx), output: Host.setup(hosts.output, ctx)}}
    end

    @impl true
    def handle_playing(_ctx, hosts) do
      {asks, input} = Host.playing(hosts.input)
      {formats, output} = Host.playing(hosts.output)
      {formats ++ asks, %{input: input, output: output}}
    end

    @impl true
    def handle_stream_format(:input, format, _ctx, hosts),
      do: {[], %{hosts | input: Host.format(hosts.input, format)}}

    @impl true
    def handle_buffer(:input, buffer, _ctx, hosts),
      do: {[], %{hosts | input: Host.buffer(hosts.input, buffer)}}

    @impl true
    def handle_end_of_stream(:input, _ctx, hosts),
      do: {[], %{hosts | input: Host.end_of_stream(hosts.input)}}

    @impl true
    def handle_demand(:output, size, _unit, _ctx, hosts) do
      {actions, output} = Host.demand(hosts.output, size)
      {actions, %{hosts | output: output}}
    end

    @impl true
    def handle_info(message, _ctx, hosts) do
      Enum.find_value([:input, :output], {[], hosts}, fn side ->
        with {actions, host} <- known(Host.message(Map.fetch!(hosts, side), message)) do
          set_up(actions, Map.put(hosts, side, host))
        end
      end)
    end

    @impl true
    def handle_terminate_request(_ctx, hosts) do
      {[terminate: :normal],
       %{input: Host.terminate(hosts.input), output: Host.terminate(hosts.output)}}
    end

    defp known(:unknown), do: nil
    defp known(answer), do: answer

    # The element is ready when both stages are.
    defp set_up([setup: :complete], hosts) do
      if Enum.all?([hosts.input, hosts.output], &Host.ready?/1),
        do: {[setup: :complete], hosts},
        else: {[], hosts}
    end

    defp set_up(actions, hosts), do: {actions, hosts}
  end
end
