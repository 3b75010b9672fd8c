defmodule Wasgo.Godot.Connection.Handshake do
  @moduledoc false
  # Who is there: a hello, a challenge, and a proof that the token is known, without telling it. Pure, but for the nonce.
  #
  # The token itself is kept inside a function, so that no crash report or state shows it.

  @nonce 32
  @protocol 2
  @oldest 2

  @enforce_keys [:mac]
  defstruct [:mac, :hello, :challenge]

  @typedoc "`mac` is HMAC-SHA256 with the token as its key."
  @type t :: %__MODULE__{
          mac: (iodata() -> binary()),
          hello: binary() | nil,
          challenge: binary() | nil
        }

  @spec protocol() :: pos_integer()
  def protocol, do: @protocol

  @spec oldest() :: pos_integer()
  def oldest, do: @oldest

  @spec nonce() :: binary()
  def nonce, do: :crypto.strong_rand_bytes(@nonce)

  # The newest version that both know.
  @spec version(newest :: integer(), oldest :: integer()) :: {:ok, pos_integer()} | :error
  def version(newest, oldest) when oldest <= @protocol and newest >= @oldest,
    do: {:ok, min(newest, @protocol)}

  def version(_newest, _oldest), do: :error

  @doc false
  # The key for one token; nobody knows one for `nil`.
  @spec new(String.t() | nil) :: t()
  def new(nil), do: new(:crypto.strong_rand_bytes(32))
  def new(token), do: %__MODULE__{mac: &:crypto.mac(:hmac, :sha256, token, &1)}

  @spec proof(t(), :engine | :sidecar) :: binary()
  def proof(%__MODULE__{mac: mac, hello: hello, challenge: challenge}, side) do
    mac.([
      "wasgo 2 #{side}",
      :crypto.hash(:sha256, hello),
      :crypto.hash(:sha256, challenge)
    ])
  end

  @spec proven?(t(), binary(), :engine | :sidecar) :: boolean()
  def proven?(handshake, proof, side) do
    expected = proof(handshake, side)
    byte_size(proof) == byte_size(expected) and :crypto.hash_equals(proof, expected)
  end
end
