defmodule Wasgo.Store.Transaction do
  @moduledoc false
  # A function within a transaction, and the ways in which it ends.

  alias Wasgo.{Native, Telemetry}
  alias Wasgo.Native.Result

  @default_timeout 5_000
  @options [timeout: [type: :timeout, default: @default_timeout]]

  def run(store, fun, options) do
    %{timeout: timeout} = Wasgo.Options.validate!(options, @options, "Wasgo.Store.transaction/3")
    token = store.token || Native.store_token(store.resource)
    span = Telemetry.start(:transaction, %{location: store.location})
    inside = %{store | token: token}

    result = with :ok <- step(inside, :begin, timeout), do: run_inside(inside, fun, timeout, span)

    Telemetry.stop(span, Telemetry.error(result))
    result
  end

  def rollback(%{token: token}, reason), do: throw({__MODULE__, :rollback, token, reason})

  defp run_inside(inside, fun, timeout, span) do
    value = fun.(inside)

    with {:error, error} <- commit(inside, value, timeout) do
      # What can't be committed would stay open, and keep all others waiting.
      undo(inside, timeout)
      {:error, error}
    end
  catch
    :throw, {__MODULE__, :rollback, token, reason} when token == inside.token ->
      with :ok <- undo(inside, timeout), do: {:error, reason}

    kind, reason ->
      undo(inside, timeout)
      Telemetry.exception(span, kind, reason, __STACKTRACE__)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp commit(inside, value, timeout) do
    with :ok <- step(inside, :commit, timeout), do: {:ok, value}
  end

  # A statement that was stopped may have undone the transaction already.
  defp undo(inside, timeout) do
    # Undoing is never given less time than usual: left undone, it keeps all others waiting.
    case step(inside, :rollback, max(timeout, @default_timeout)) do
      {:error, %Wasgo.StoreError{reason: :no_transaction}} -> :ok
      result -> result
    end
  end

  defp step(%{resource: resource, token: token}, step, timeout) do
    with {:ok, _done} <-
           resource |> Native.store_submit({token, nil}, step, timeout) |> Result.await() do
      :ok
    end
  end
end
