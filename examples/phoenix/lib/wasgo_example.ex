defmodule WasgoExample do
  @moduledoc """
  An island that is generated, lived on by scripts of its visitors, and shown to browsers and Godot servers as it is.

    * `WasgoExample.Island` - what the land is like
    * `WasgoExample.Seeds` - what stands on it at first, and the scripts of that
    * `WasgoExample.Survey` - the pipeline that goes over the land: generate, script, service, world
    * `WasgoExample.Stages` - what each stage does, and the buttons that stop and start them
    * `WasgoExampleWeb` - the endpoint: the page, its channel, uploads, and the socket for engines
  """

  @doc "The world's name: in the channel's topic, and for engines."
  @spec world_name() :: String.t()
  def world_name, do: "island"

  @doc "The database that holds the world and its scripts."
  @spec store() :: Wasgo.Store.t()
  def store, do: :persistent_term.get({__MODULE__, :store})

  @doc false
  def put_store(store), do: :persistent_term.put({__MODULE__, :store}, store)

  @doc "Whether someone who shows `token` (or nothing: `nil`) may change scripts and stages."
  @spec may_edit?(String.t() | nil) :: boolean()
  def may_edit?(token) do
    case Application.fetch_env!(:wasgo_example, :edit) do
      :anyone -> true
      :nobody -> false
      {:token, expected} -> is_binary(token) and Plug.Crypto.secure_compare(token, expected)
    end
  end
end
