defmodule Wasgo.Script.Registry.SQL do
  @moduledoc false
  # What the registry's statements have in common.

  alias Wasgo.{Store, StoreError}

  @max_name 256

  # Longer than a store's statements usually have: sources may be large, and other writers many.
  @timeout 60_000

  @spec timeout() :: pos_integer()
  def timeout, do: @timeout

  @spec transaction(Store.t(), (Store.t() -> value)) :: {:ok, value} | {:error, term()}
        when value: var
  def transaction(store, fun), do: Store.transaction(store, fun, timeout: @timeout)

  # Within a transaction an error undoes all of it.
  @spec execute!(Store.t(), String.t(), Store.parameters()) :: Store.executed()
  def execute!(tx, sql, parameters \\ []) do
    case Store.execute(tx, sql, parameters, timeout: @timeout) do
      {:ok, executed} -> executed
      {:error, error} -> Store.rollback(tx, error)
    end
  end

  @spec rows!(Store.t(), String.t(), Store.parameters()) :: [[Store.value()]]
  def rows!(tx, sql, parameters \\ []) do
    case Store.query(tx, sql, parameters, timeout: @timeout) do
      {:ok, %{rows: rows}} -> rows
      {:error, error} -> Store.rollback(tx, error)
    end
  end

  @spec error(atom(), String.t()) :: {:error, StoreError.t()}
  def error(reason, message), do: {:error, %StoreError{reason: reason, message: message}}

  # Undoes the transaction, whose result is then this error.
  @spec fail!(Store.t(), {:error, StoreError.t()}) :: no_return()
  def fail!(tx, {:error, error}), do: Store.rollback(tx, error)

  # The store as it is named in errors: without saying that there is a transaction, which is the registry's own.
  @spec where(Store.t()) :: String.t()
  def where(store), do: inspect(%{store | token: nil})

  # Names come from people and guests: none is believed to be one.
  @spec check_name(term(), String.t()) :: :ok | {:error, StoreError.t()}
  def check_name(name, what) do
    cond do
      not is_binary(name) or not String.valid?(name) ->
        error(:invalid_name, "#{what} must be UTF-8 text, and is: #{inspect(name, limit: 32)}")

      name == "" ->
        error(:invalid_name, "#{what} must not be empty")

      byte_size(name) > @max_name ->
        error(
          :invalid_name,
          "#{what} has #{byte_size(name)} bytes, and may have #{@max_name}: it begins with #{inspect(String.slice(name, 0, 32))}"
        )

      true ->
        :ok
    end
  end

  # As `check_name/2`, for what may be left out.
  @spec check_optional(term(), String.t()) :: :ok | {:error, StoreError.t()}
  def check_optional(nil, _what), do: :ok
  def check_optional(name, what), do: check_name(name, what)

  @spec unknown_script(Store.t(), String.t()) :: {:error, StoreError.t()}
  def unknown_script(store, name),
    do: error(:unknown_script, "there is no script #{inspect(name)} in #{where(store)}")

  @spec unknown_version(Store.t(), String.t(), integer()) :: {:error, StoreError.t()}
  def unknown_version(store, name, version) do
    error(
      :unknown_version,
      "there is no version #{version} of the script #{inspect(name)} in #{where(store)}"
    )
  end
end
