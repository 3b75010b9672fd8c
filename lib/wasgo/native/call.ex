defmodule Wasgo.Native.Call do
  @moduledoc false
  # Calls of guests, as telemetry hears of them: those that did not end in their first slice, or failed. All others cost nothing for it.

  alias Wasgo.Native.Result
  alias Wasgo.{Script, Telemetry}
  alias Wasgo.Wasm.{Component, Imports, Instance}

  # As `Wasgo.Native.Result.await/2`, for a call of a function of this guest.
  @spec await(
          Result.native(),
          Imports.t() | nil,
          Script.t() | Instance.t() | Component.Instance.t(),
          String.t()
        ) ::
          {:ok, term()} | {:error, Exception.t()}
  def await({:ok, _value} = ok, _imports, _guest, _function), do: ok

  def await(native, imports, guest, function) do
    Telemetry.span(:call, %{}, about(guest, function), fn -> Result.await(native, imports) end)
  end

  defp about(%Script{name: name}, function),
    do: %{kind: :script, name: name, function: function}

  defp about(%Instance{}, function), do: %{kind: :instance, name: nil, function: function}

  defp about(%Component.Instance{}, function),
    do: %{kind: :component, name: nil, function: function}
end
