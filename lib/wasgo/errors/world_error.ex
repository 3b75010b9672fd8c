defmodule Wasgo.WorldError do
  @moduledoc """
  Something that a `Wasgo.World` could not do. Nothing of it was done then.

  `reason` is one of:

    * `:invalid` - a value that an object, a mutation or rows cannot have; `field` names it
    * `:unknown_object`, `:unknown_mesh`, `:unknown_payload` - there is none of that id, name or hash
    * `:in_use` - a mesh that objects still show
    * `{:limit, what}` - one more would be too many or too large: `:objects`, `:meshes`, `:chunks`, `:properties`, `:payload_bytes`, `:mutations`, `:zones`,
      `:subscribers`
    * `:overloaded` - more waits to be written than may; nothing of this was begun
    * `:plan` - a plan that cannot be kept; `cause` says why
    * `:store` - the store failed; `cause` is its `Wasgo.StoreError`
    * `{:damaged, rev}` - the store's row of that number cannot be read
    * `:schema_version` - a newer Wasgo wrote the world
    * `:taken_over` - another process has started this world since, and writes it now
    * `:stopped` - the world has ended, or ended before it answered: what was asked for may have been done then

  ## Examples

      iex> {:ok, world} = Wasgo.World.start_link(name: "garden", store: Wasgo.Store.open!(:memory))
      iex> {:error, error} = Wasgo.World.put(world, name: "lamp", mesh: "lantern")
      iex> {error.reason, Exception.message(error)}
      {:unknown_mesh, ~s|the world has no mesh "lantern"|}
  """

  @enforce_keys [:reason]
  defexception [:reason, :message, :field, :cause]

  @type reason ::
          :invalid
          | :unknown_object
          | :unknown_mesh
          | :unknown_payload
          | :in_use
          | {:limit, atom()}
          | :overloaded
          | :plan
          | :store
          | {:damaged, non_neg_integer()}
          | :schema_version
          | :taken_over
          | :stopped

  @type t :: %__MODULE__{
          reason: reason(),
          message: String.t() | nil,
          field: String.t() | nil,
          cause: Exception.t() | nil
        }

  @impl true
  @doc """
  The reason in words.

      iex> Exception.message(%Wasgo.WorldError{reason: :overloaded})
      "more waits to be written to the world than may"
  """
  def message(%__MODULE__{message: message}) when is_binary(message), do: message

  def message(%__MODULE__{reason: :store, cause: cause}) when cause != nil,
    do: "the world's store failed: #{Exception.message(cause)}"

  def message(%__MODULE__{reason: reason}), do: words(reason)

  defp words(:overloaded), do: "more waits to be written to the world than may"
  defp words(:taken_over), do: "another process has started this world since, and writes it now"
  defp words(:stopped), do: "the world has ended"
  defp words(:schema_version), do: "the world was written by a newer Wasgo"
  defp words({:damaged, rev}), do: "row #{rev} of the world's journal cannot be read"
  defp words({:limit, what}), do: "the world has no room for more #{what}"
  defp words(other), do: inspect(other)

  @doc false
  @spec invalid(String.t(), String.t()) :: {:error, t()}
  def invalid(field, words),
    do: {:error, %__MODULE__{reason: :invalid, field: field, message: "#{field} #{words}"}}

  @doc false
  @spec store(Exception.t()) :: t()
  def store(cause), do: %__MODULE__{reason: :store, cause: cause}
end
