defmodule Wasgo.Wasm.Bounds do
  @moduledoc false
  # What bounds a call: time for most, fuel for deterministic guests.

  @default_timeout 5_000
  @most_fuel 0x7FFF_FFFF_FFFF_FFFF

  @type native :: {timeout_ms :: pos_integer() | nil, fuel :: pos_integer() | nil}

  def default_timeout, do: @default_timeout

  # The options of everything that runs a guest.
  def options do
    [
      timeout: [type: {:or, [:timeout, {:in, [:infinity, nil]}]}, default: nil],
      fuel: [type: {:or, [{:range, 1..@most_fuel//1}, {:in, [nil]}]}, default: nil]
    ]
  end

  # For a call whose options are all bounds.
  @spec new(keyword(), boolean(), String.t()) :: native()
  def new([], false, _owner), do: {@default_timeout, nil}
  def new([], true, _owner), do: {nil, nil}

  def new(options, deterministic?, owner),
    do: options |> Wasgo.Options.validate!(options(), owner) |> of(deterministic?, owner)

  # For options that hold bounds among others.
  @spec of(map(), boolean(), String.t()) :: native()
  def of(%{timeout: :infinity}, false, owner) do
    raise ArgumentError,
          "option :timeout of #{owner} can be :infinity only for a deterministic guest, whose fuel ends"
  end

  def of(%{fuel: fuel}, false, owner) when fuel != nil do
    raise ArgumentError,
          "option :fuel of #{owner} is for modules that were compiled with deterministic: true"
  end

  def of(%{timeout: nil, fuel: fuel}, deterministic?, _owner),
    do: {if(deterministic?, do: nil, else: @default_timeout), fuel}

  def of(%{timeout: :infinity, fuel: fuel}, _deterministic?, _owner), do: {nil, fuel}
  def of(%{timeout: timeout, fuel: fuel}, _deterministic?, _owner), do: {timeout, fuel}
end
