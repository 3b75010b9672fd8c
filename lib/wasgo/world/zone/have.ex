defmodule Wasgo.World.Zone.Have do
  @moduledoc false
  # The contents that an engine can get without being sent them: those that it named, and where it keeps what it is sent also that. A value.
  #
  # It goes by the beginnings of hashes, as the engine names them. One that is another's beginning too, or of a content that the engine has lost, costs a question:
  # the engine asks for what it does not have.

  # So many bytes of a hash are told. Of 65,536 contents and 1,000 chunks that are wanted one in 65 is taken for another.
  @bytes 4
  @most 131_072

  defstruct known: MapSet.new(), keeps?: false

  @type t :: %__MODULE__{known: MapSet.t(binary()), keeps?: boolean()}

  @doc false
  # `have` as it is on the wire. What is left over is none.
  @spec new(binary(), keeps? :: boolean()) :: t()
  def new(have, keeps?) do
    known =
      for <<start::binary-size(@bytes) <- have>>, into: MapSet.new(), do: :binary.copy(start)

    %__MODULE__{known: known, keeps?: keeps?}
  end

  @spec member?(t(), binary()) :: boolean()
  def member?(have, <<start::binary-size(@bytes), _::binary>>),
    do: MapSet.member?(have.known, start)

  @doc false
  # The engine was sent it.
  @spec sent(t(), binary()) :: t()
  def sent(%{keeps?: true} = have, <<start::binary-size(@bytes), _::binary>>) do
    if MapSet.size(have.known) < @most,
      do: %{have | known: MapSet.put(have.known, :binary.copy(start))},
      else: have
  end

  def sent(have, _hash), do: have

  @doc false
  # The engine does not have it after all.
  @spec lost(t(), binary()) :: t()
  def lost(have, <<start::binary-size(@bytes), _::binary>>),
    do: %{have | known: MapSet.delete(have.known, start)}
end
