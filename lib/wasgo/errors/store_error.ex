defmodule Wasgo.StoreError do
  @moduledoc """
  A database that could not do what it was asked.

  `reason` is SQLite's extended result code in lower case, such as `:constraint_unique`, `:cantopen`, `:notadb`, `:readonly`, or
  one of the store's own:

    * `:timeout`, `:interrupted` (by `Wasgo.Store.interrupt/1`, or it was closed meanwhile), `:closed`, `:queue_full`
    * `:auth`: the SQL of a restricted handle, or of a guest, may not do that; the message names what
    * `:parameters` (a term that no value stands for), `:param_count`, `:unknown_param`, `:missing_param`, `:duplicate_param`
    * `:empty_sql`, `:multiple_statements`, `:nul_in_sql`, `:sql_too_long`, `:not_utf8` (the SQL, or text in the database)
    * `:row_limit`, `:byte_limit`, `:duplicate_column` (rows that were to be maps)
    * `:too_many_streams`
    * `:exists`, `:backup_running` (`Wasgo.Store.backup/3`)
    * `:no_transaction`, `:foreign_token`, `:nested_too_deep`, `:transaction_control`, `:transaction_left_open`
    * `:invalid_option`
    * of a database on a server: `:unreachable` (it was asked for nothing), `:disconnected` (what was asked for may have been done),
      `:unauthorized`, `:bad_answer`, `:not_remote` (it can't do that), `:args_invalid`, `:stream_expired`, `:transaction_timeout`,
      `:response_too_large`, `:blocked`, `:proxy`, and `:server` for all else that it says
    * of a copy of one: `:sync` (it could not be brought up to date), `:no_replica` (it is none)
    * `:not_built`: the native half was built without the feature for that
    * `:function` (one written in WebAssembly), `:script` (`Wasgo.Script.notify/5`); `cause` says what went wrong there, such as
      `:unreachable`, `:time`, `:fuel`, `:contract`, `:compile`
    * `:unknown_script`, `:unknown_version`, `:unknown_object`, `:no_earlier_version`, `:in_use`, `:invalid_name`, `:malformed`,
      `:schema_version` (`Wasgo.Script.Registry`)

  `code` is SQLite's
  number where there is one, `offset` the byte in the SQL at fault where that is known.

      iex> {:error, error} = Wasgo.Store.query(Wasgo.Store.open!(:memory), "SELECT name FROM pets")
      iex> Exception.message(error)
      "no such table: pets (error)"
  """

  defexception [:reason, :message, :code, :offset, :cause]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          code: integer() | nil,
          offset: non_neg_integer() | nil,
          cause: atom() | nil
        }
end
