defmodule Wasgo.Wire.Settings do
  @moduledoc false
  # The options of the wire, checked once, as what the native functions take.

  @formats [:json, :msgpack, :cbor, :godot_variant, :postcard, :etf]

  # These formats are read by recursion, as serde has it: Rust's MAX_DEPTH.
  @greatest_depth 128
  @greatest_bytes 0x7FFF_FFFF
  @default_depth 64
  # As for Variants: the largest frame of the wire protocol.
  @default_bytes 64 * 1024 * 1024
  # As terms they take some hundred megabytes at worst.
  @default_values 4_000_000

  @bounds {@default_depth, @default_bytes, @default_values}
  @encode %{json: {false, false}, bounds: @bounds}
  @decode %{bounds: @bounds, last_key: false, atoms: false, trailing: :error, as: :term}

  @type bounds ::
          {depth :: non_neg_integer(), bytes :: pos_integer(), values :: pos_integer()}

  @spec encode!(atom(), keyword()) :: %{json: {boolean(), boolean()}, bounds: bounds()}
  def encode!(format, []) when format in @formats, do: @encode

  def encode!(format, options) do
    format!(format)
    options = Keyword.validate!(options, [:max_depth, :max_bytes, :bytes, :nan])
    only!(options, [:bytes, :nan], format in [:json], "json")

    json = {
      one_of(options, :bytes, [:error, :base64]) == :base64,
      one_of(options, :nan, [:error, :null]) == :null
    }

    %{json: json, bounds: bounds(options)}
  end

  @spec decode!(atom(), keyword()) :: map()
  def decode!(format, []) when format in @formats, do: @decode

  def decode!(format, options) do
    format!(format)

    known = [:max_depth, :max_bytes, :max_values, :trailing, :keys, :duplicate_keys, :as]
    options = Keyword.validate!(options, known)
    serde = "json, msgpack, cbor and postcard"
    only!(options, [:keys], format not in [:godot_variant, :etf], serde)
    only!(options, [:duplicate_keys], format != :etf, serde <> ", and godot_variant")

    %{
      bounds: bounds(options),
      last_key: one_of(options, :duplicate_keys, [:error, :last]) == :last,
      atoms: one_of(options, :keys, [:binaries, :existing_atoms]) == :existing_atoms,
      trailing: one_of(options, :trailing, [:error, :ignore]),
      as: options |> one_of(:as, [:term, :buffer, :membrane_buffer]) |> loaded!()
    }
  end

  defp format!(format) do
    if format not in @formats do
      raise ArgumentError, "the format is one of #{inspect(@formats)}, not #{inspect(format)}"
    end
  end

  defp only!(options, names, fits, formats) do
    with false <- fits, [name | _] <- Enum.filter(names, &Keyword.has_key?(options, &1)) do
      raise ArgumentError, "#{name} is an option for #{formats} only"
    end
  end

  defp bounds(options) do
    {
      within(options, :max_depth, @default_depth, 0..@greatest_depth),
      within(options, :max_bytes, @default_bytes, 1..@greatest_bytes),
      within(options, :max_values, @default_values, 1..0xFFFF_FFFF)
    }
  end

  defp within(options, name, default, first..last//_) do
    value = Keyword.get(options, name, default)

    if value not in first..last do
      raise ArgumentError, "#{name} is #{first} to #{last}, not #{inspect(value)}"
    end

    value
  end

  # The first of them is the default.
  defp one_of(options, name, [default | _] = allowed) do
    value = Keyword.get(options, name, default)

    if value not in allowed do
      raise ArgumentError, "#{name} is one of #{inspect(allowed)}, not #{inspect(value)}"
    end

    value
  end

  defp loaded!(:membrane_buffer) do
    if not Code.ensure_loaded?(Membrane.Buffer) do
      raise ArgumentError, "as: :membrane_buffer wants Membrane, which is not here"
    end

    :membrane_buffer
  end

  defp loaded!(as), do: as
end
