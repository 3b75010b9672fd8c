defmodule Wasgo.Store.LibsqlServerTest do
  # Databases on a libSQL server, where there is one.
  use ExUnit.Case, async: true

  @moduletag :libsql_server

  use Wasgo.ServerCases

  setup_all do
    {url, options} = Wasgo.LibsqlServer.start()
    %{url: url, options: options}
  end

  test "a batch that leaves a transaction open is undone, and told of", context do
    store = connect(context)
    t = table(store, "a", context.options)

    assert {:error, %StoreError{reason: :transaction_left_open}} =
             Store.batch(store, "BEGIN; INSERT INTO #{t} VALUES (6)")

    assert Store.query!(store, "SELECT a FROM #{t}").rows == []
  end

  test "a statement that never ends is given up", context do
    store = connect(context)

    endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    assert {:error, %StoreError{reason: :timeout}} = Store.query(store, endless, [], timeout: 200)
    assert Store.query!(store, "SELECT 1").rows == [[1]]
  end
end
