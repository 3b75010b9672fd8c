defmodule Wasgo.StoreError do
  @moduledoc """
  A database that could not do what it was asked.

  `reason` is SQLite's extended result code in lower case, such as `:constraint_unique`, `:cantopen`, `:notadb`, `:readonly`, or
  one of the store's own: `:timeout`, `:busy` (its queue is full), `:closed`, `:parameters`, `:limit`, `:transaction`. `code` is SQLite's
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
