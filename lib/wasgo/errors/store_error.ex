defmodule Wasgo.StoreError do
  @moduledoc """
  A database that could not do what it was asked.

  `reason` is SQLite's extended result code in lower case, such as `:constraint_unique`, `:cantopen`, `:notadb`, `:readonly`, or
  one of the store's own:

    * `:timeout`, `:interrupted` (it was closed meanwhile), `:closed`, `:queue_full`
    * `:parameters` (a term that no value stands for), `:param_count`, `:unknown_param`, `:missing_param`, `:duplicate_param`
    * `:empty_sql`, `:multiple_statements`, `:nul_in_sql`, `:sql_too_long`, `:not_utf8` (the SQL, or text in the database)
    * `:row_limit`, `:byte_limit`
    * `:no_transaction`, `:foreign_token`, `:nested_too_deep`, `:transaction_control`, `:transaction_left_open`
    * `:invalid_option`
    * `:unknown_script`, `:unknown_version`, `:unknown_object`, `:no_earlier_version`, `:in_use`, `:invalid_name`, `:malformed`,
      `:schema_version` (`Wasgo.Script.Registry`)

  `code` is SQLite's
  number where there is one, `offset` the byte in the SQL at fault where that is known.
  """

  defexception [:reason, :message, :code, :offset]

  @type t :: %__MODULE__{
          reason: atom(),
          message: String.t(),
          code: integer() | nil,
          offset: non_neg_integer() | nil
        }
end
