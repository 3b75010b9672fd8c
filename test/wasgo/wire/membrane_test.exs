defmodule Wasgo.Wire.MembraneTest do
  # A module of another library comes and goes.
  use ExUnit.Case, async: false

  alias Wasgo.Wire

  # Where Membrane is not, a struct of the same name and fields stands in for it.
  setup_all do
    if not Code.ensure_loaded?(Membrane.Buffer) do
      fields = quote(do: defstruct([:payload, :pts, :dts, metadata: %{}]))
      Module.create(Membrane.Buffer, fields, Macro.Env.location(__ENV__))

      on_exit(fn ->
        :code.delete(Membrane.Buffer)
        :code.purge(Membrane.Buffer)
      end)
    end

    :ok
  end

  test "Membrane's buffers come back, as themselves or as Wasgo's" do
    fields = [payload: <<0, 255>>, pts: 40_000_000, dts: nil, metadata: %{"key" => [1]}]
    membrane = struct!(Membrane.Buffer, fields)
    ours = struct!(Wasgo.Buffer, fields)

    for format <- Wire.formats() do
      bytes = Wire.encode!(membrane, format)
      assert bytes == Wire.encode!(ours, format)
      assert Wire.decode(bytes, format, as: :membrane_buffer) == {:ok, membrane}
      assert Wire.decode(bytes, format, as: :buffer) == {:ok, ours}
    end
  end
end
