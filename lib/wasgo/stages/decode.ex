defmodule Wasgo.Stages.Decode do
  @moduledoc """
  Reads values of a format of `Wasgo.Wire` from bytes.

    * `:format` - `:json`, `:msgpack`, `:cbor`, `:postcard`, `:godot_variant` or `:etf`; required
    * `:framing` - `:packets` unless given: each payload is one value; `:stream`: payloads are pieces of one stream of values, however they are
      cut, and a value has the times and metadata of the piece that it ends in
    * `:envelope` - `true` if `Wasgo.Stages.Encode` wrote whole buffers, which then come back; `false` unless given
    * `:options` - of `Wasgo.Wire.decode/3`

  A packet that is no value is an error in its place. In a stream nobody can tell where the next value begins behind one that is broken: it ends
  there.

      iex> [Wasgo.Buffer.new(~s({"x": 1}\\n{"x")), Wasgo.Buffer.new(": 2}\\n")]
      ...> |> Wasgo.Pipeline.through({Wasgo.Stages.Decode, format: :json, framing: :stream})
      ...> |> Enum.map(fn {:ok, buffer} -> buffer.payload end)
      [%{"x" => 1}, %{"x" => 2}]
  """

  use Wasgo.Stage

  alias Wasgo.{Buffer, DecodeError, Format, StageError, Wire}
  alias Wasgo.Wire.Decoder

  @impl true
  def options do
    [
      format: [type: {:in, Wire.formats()}, required: true, doc: "a format of `Wasgo.Wire`"],
      framing: [
        type: {:in, [:packets, :stream]},
        default: :packets,
        doc: "whether each payload is a value, or a piece of a stream of them"
      ],
      envelope: [type: :boolean, default: false, doc: "whether whole buffers were written"],
      options: [type: :keyword, default: [], doc: "options of `Wasgo.Wire.decode/3`"]
    ]
  end

  @impl true
  def check(state) do
    _checked = begin(state)
    :ok
  rescue
    error in ArgumentError -> {:error, "the option :options: " <> Exception.message(error)}
  end

  @impl true
  def init(options), do: {:ok, options |> begin() |> Map.put(:last, nil)}

  @impl true
  def stateless?(%{framing: framing}), do: framing == :packets

  @impl true
  def handle_format(format, state) do
    if Format.payload(format) in [:binary, :unknown],
      do: {:ok, %Format.Terms{}, state},
      else: {:error, StageError.format(__MODULE__, format, "binaries"), state}
  end

  @impl true
  def handle_buffer(%{payload: payload} = buffer, %{framing: :packets} = state)
      when is_binary(payload) do
    case Wire.decode(payload, state.format, state.options) do
      {:ok, value} -> {:ok, [with_value(buffer, value)], state}
      {:error, exception} -> {:error, exception, state}
    end
  end

  def handle_buffer(%{payload: payload} = buffer, state) when is_binary(payload) do
    case Decoder.feed(state.decoder, payload) do
      {:ok, values, decoder} ->
        state = %{state | decoder: decoder, last: buffer}
        {:ok, Enum.map(values, &with_value(buffer, &1)), state}

      {:error, exception} ->
        {:stop, exception, state}
    end
  end

  def handle_buffer(buffer, state) do
    words = "bytes are decoded, not #{inspect(buffer.payload, limit: 5)}"
    {:error, %DecodeError{reason: {:contract, words}}, state}
  end

  @impl true
  def handle_end_of_stream(%{framing: :stream} = state) do
    case Decoder.finish(state.decoder) do
      {:ok, values} ->
        {:ok, Enum.map(values, &with_value(state.last || Buffer.new(nil), &1)), state}

      {:error, exception} ->
        {:error, exception, state}
    end
  end

  def handle_end_of_stream(state), do: {:ok, [], state}

  defp begin(%{format: format} = state) do
    options = if state.envelope, do: [as: :buffer] ++ state.options, else: state.options
    decoder = if state.framing == :stream, do: Decoder.new(format, options)
    Wire.Settings.decode!(format, options)
    Map.merge(state, %{options: options, decoder: decoder})
  end

  # A buffer that was written whole is what it was.
  defp with_value(_buffer, %Buffer{} = value), do: value
  defp with_value(buffer, value), do: %{buffer | payload: value}
end
