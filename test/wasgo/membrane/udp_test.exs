if Code.ensure_loaded?(Membrane.UDP.Source) do
  defmodule Wasgo.MembraneUDPTest do
    # With Membrane's own UDP elements on both sides, and sockets of the test around them.
    use ExUnit.Case, async: true

    import Membrane.ChildrenSpec
    import Membrane.Testing.Assertions
    import Wasgo.MembranePipelines, only: [pipeline: 1]
    import Wasgo.TestGuests, only: [script: 1]

    alias Membrane.UDP
    alias Wasgo.{Buffer, Script}
    alias Wasgo.Membrane.{Filter, ScriptFilter}

    @moduletag :membrane_udp

    @localhost {127, 0, 0, 1}

    defmodule Sender do
      @moduledoc false
      # Puts the port that a datagram came from before it: the metadata is what the source says.
      use Wasgo.Stage

      @impl true
      def init(_options), do: {:ok, nil}

      @impl true
      def handle_buffer(buffer, state) do
        payload = <<buffer.metadata.udp_source_port::16, buffer.payload::binary>>
        {:ok, [%Buffer{buffer | payload: payload}], state}
      end
    end

    # Each byte one more than it was.
    @next """
    (func (export "process") (param $at i32) (param $size i32) (result i64) (local $place i32)
      (block $done
        (loop $more
          (br_if $done (i32.ge_u (local.get $place) (local.get $size)))
          (i32.store8 (i32.add (local.get $at) (local.get $place))
            (i32.add (i32.load8_u (i32.add (local.get $at) (local.get $place))) (i32.const 1)))
          (local.set $place (i32.add (local.get $place) (i32.const 1)))
          (br $more)))
      (call $span (local.get $at) (local.get $size)))
    """

    setup do
      {:ok, socket} = :gen_udp.open(0, [:binary, active: true, ip: @localhost])
      {:ok, port} = :inet.port(socket)
      {:ok, socket: socket, port: port}
    end

    # From the source's socket through the filter to the test's: the pipeline, when it plays, and the port to send to.
    defp play(filter, port) do
      pipeline =
        child(:source, %UDP.Source{local_address: @localhost, local_port_no: 0})
        |> child(:filter, filter)
        |> child(:sink, %UDP.Sink{
          destination_address: @localhost,
          destination_port_no: port,
          local_address: @localhost
        })
        |> pipeline()

      assert_pipeline_notified(pipeline, :source, {:connection_info, @localhost, to}, 60_000)
      # What comes before the source plays it drops.
      assert_child_playing(pipeline, :source, 60_000)
      {pipeline, to}
    end

    defp close(pipeline) do
      Membrane.Testing.Pipeline.notify_child(pipeline, :source, :close_socket)
      assert_end_of_stream(pipeline, :sink, :input, 60_000)
      Membrane.Pipeline.terminate(pipeline)
    end

    test "a script changes datagrams between two sockets", %{socket: socket, port: port} do
      {pipeline, to} = play(%ScriptFilter{script: Script.new!(script(@next))}, port)

      for payload <- ["HAL", "", :binary.copy(<<255>>, 1_400), "bye"] do
        :ok = :gen_udp.send(socket, @localhost, to, payload)
        expected = for <<byte <- payload>>, into: "", do: <<byte + 1>>
        assert_receive {:udp, ^socket, @localhost, _from, ^expected}, 60_000
      end

      close(pipeline)
    end

    test "a stage sees whom a datagram came from", %{socket: socket, port: port} do
      {pipeline, to} = play(%Filter{stage: Sender}, port)
      :ok = :gen_udp.send(socket, @localhost, to, "who")
      assert_receive {:udp, ^socket, @localhost, _from, <<^port::16, "who">>}, 60_000
      close(pipeline)
    end
  end
else
  defmodule Wasgo.MembraneUDPTest do
    use ExUnit.Case, async: true

    @tag :membrane_udp
    test "datagrams", do: flunk("Membrane's UDP plugin is missing")
  end
end
