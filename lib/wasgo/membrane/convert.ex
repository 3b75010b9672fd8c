if Code.ensure_loaded?(Membrane.Element) do
  defmodule Wasgo.Membrane.Convert do
    @moduledoc false
    # Membrane's buffers and formats, and Wasgo's.

    alias Membrane.RemoteStream
    alias Wasgo.Format

    @spec to_wasgo(Membrane.Buffer.t()) :: Wasgo.Buffer.t()
    def to_wasgo(%Membrane.Buffer{} = buffer) do
      %Wasgo.Buffer{
        payload: buffer.payload,
        pts: buffer.pts,
        dts: buffer.dts,
        metadata: buffer.metadata
      }
    end

    @spec to_membrane(Wasgo.Buffer.t()) :: Membrane.Buffer.t()
    def to_membrane(%Wasgo.Buffer{} = buffer) do
      %Membrane.Buffer{
        payload: buffer.payload,
        pts: buffer.pts,
        dts: buffer.dts,
        metadata: buffer.metadata
      }
    end

    @spec format_to_wasgo(Membrane.StreamFormat.t()) :: struct()
    def format_to_wasgo(%RemoteStream{} = format),
      do: %Format.Bytes{packetized: format.type == :packetized, content: format.content_format}

    def format_to_wasgo(format), do: format

    @spec format_to_membrane(struct() | nil) :: Membrane.StreamFormat.t()
    def format_to_membrane(%Format.Bytes{} = format) do
      type = if format.packetized, do: :packetized, else: :bytestream
      %RemoteStream{type: type, content_format: format.content}
    end

    def format_to_membrane(nil), do: %Format.Terms{}
    def format_to_membrane(format), do: format
  end
end
