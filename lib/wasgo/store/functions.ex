defmodule Wasgo.Store.Functions do
  @moduledoc false
  # SQL functions written in WebAssembly, created from Elixir.

  alias Wasgo.Store.Request
  alias Wasgo.StoreError

  @options [
    replace: [type: :boolean, default: false],
    if_not_exists: [type: :boolean, default: false],
    deterministic: [type: :boolean, default: false],
    timeout: [type: :timeout, default: 5_000]
  ]

  @spec create(Wasgo.Store.t(), String.t(), binary(), keyword()) ::
          :ok | {:error, StoreError.t()}
  def create(store, name, source, options) do
    options = Wasgo.Options.validate!(options, @options, "Wasgo.Store.create_function/4")

    sql =
      Enum.join([
        "CREATE ",
        if(options.replace, do: "OR REPLACE ", else: ""),
        "FUNCTION ",
        if(options.if_not_exists, do: "IF NOT EXISTS ", else: ""),
        identifier(name),
        " LANGUAGE wasm ",
        if(options.deterministic, do: "DETERMINISTIC ", else: ""),
        "AS ?"
      ])

    with {:ok, _done} <- Request.execute(store, sql, [body(source)], timeout: options.timeout),
         do: :ok
  end

  @spec drop(Wasgo.Store.t(), String.t(), keyword()) :: :ok | {:error, StoreError.t()}
  def drop(store, name, options) do
    options =
      Wasgo.Options.validate!(
        options,
        [
          if_exists: [type: :boolean, default: false],
          timeout: [type: :timeout, default: 5_000]
        ],
        "Wasgo.Store.drop_function/3"
      )

    exists = if options.if_exists, do: "IF EXISTS ", else: ""

    with {:ok, _done} <-
           Request.execute(store, "DROP FUNCTION #{exists}#{identifier(name)}", [],
             timeout: options.timeout
           ),
         do: :ok
  end

  @spec notify(Wasgo.Store.t(), boolean(), String.t(), integer(), list(), timeout()) ::
          {:ok, list()} | {:error, StoreError.t()}
  def notify(store, kind?, of, what, row, timeout) do
    Request.notify(store, {:notify, kind?, of, what, row}, timeout)
  end

  defp identifier(name), do: [?", String.replace(name, "\"", "\"\""), ?"]

  # WebAssembly is kept as a blob, WAT as the text that it is.
  defp body(<<0, "asm", _rest::binary>> = bytes), do: {:blob, bytes}
  defp body(text), do: if(String.valid?(text), do: text, else: {:blob, text})
end
