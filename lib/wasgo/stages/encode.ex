defmodule Wasgo.Stages.Encode do
  @moduledoc """
  Writes payloads, or whole buffers, in a format of `Wasgo.Wire`.

    * `:format` - `:json`, `:msgpack`, `:cbor`, `:postcard`, `:godot_variant` or `:etf`; required
    * `:envelope` - `true` writes the whole buffer, its times and metadata too; only the payload unless given
    * `:options` - of `Wasgo.Wire.encode/3`
    * `:ending` - bytes behind each value, such as `"\\n"` for lines of JSON; none unless given

  Each buffer becomes one of bytes. A payload that the format can't say is an error in its place.

      iex> [Wasgo.Buffer.new(%{"x" => 1}), Wasgo.Buffer.new({:no, :text})]
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Encode, format: :json, ending: "\\n"})
      ...> |> Enum.map(fn {kind, _what} -> kind end)
      [:ok, :error]
  """

  use Wasgo.Stage

  alias Wasgo.{Format, Wire}

  @impl true
  def options do
    [
      format: [type: {:in, Wire.formats()}, required: true, doc: "a format of `Wasgo.Wire`"],
      envelope: [type: :boolean, default: false, doc: "whether the whole buffer is written"],
      options: [type: :keyword, default: [], doc: "options of `Wasgo.Wire.encode/3`"],
      ending: [type: :binary, default: "", doc: "bytes behind each value"]
    ]
  end

  @impl true
  def check(%{format: format, options: options}) do
    Wire.Settings.encode!(format, options)
    :ok
  rescue
    error in ArgumentError -> {:error, "the option :options: " <> Exception.message(error)}
  end

  @impl true
  def stateless?(_options), do: true

  @impl true
  def handle_format(_format, state), do: {:ok, %Format.Bytes{packetized: true}, state}

  @impl true
  def handle_buffer(buffer, state) do
    what = if state.envelope, do: buffer, else: buffer.payload

    case Wire.encode(what, state.format, state.options) do
      {:ok, bytes} -> {:ok, [%{buffer | payload: bytes <> state.ending}], state}
      {:error, exception} -> {:error, exception, state}
    end
  end
end
