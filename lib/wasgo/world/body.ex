defmodule Wasgo.World.Body do
  @moduledoc false
  # Objects and entries as bytes: those that the journal has in its rows, and what the tables in memory hold of an object.

  alias Wasgo.World.Object

  @version 1

  @spec encode(Object.t()) :: binary()
  def encode(%Object{} = o) do
    :erlang.term_to_binary(
      {@version, o.name, o.mesh, o.glb, o.scene, o.transform, o.properties, o.script, o.colliders}
    )
  end

  @spec decode(non_neg_integer(), String.t() | nil, binary()) :: Object.t()
  def decode(id, zone, bytes) do
    {@version, name, mesh, glb, scene, transform, properties, script, colliders} =
      :erlang.binary_to_term(bytes)

    %Object{
      id: id,
      zone: zone,
      name: name,
      mesh: mesh,
      glb: glb,
      scene: scene,
      transform: transform,
      properties: properties,
      script: script,
      colliders: colliders
    }
  end

  # A row says of itself whether it is whole.
  @spec row(term()) :: binary()
  def row(term) do
    bytes = :erlang.term_to_binary({@version, term})
    <<:erlang.crc32(bytes)::32, bytes::binary>>
  end

  @spec unrow(term()) :: {:ok, term()} | :newer | :error
  def unrow(<<crc::32, bytes::binary>>) do
    with true <- :erlang.crc32(bytes) == crc,
         {version, term} when is_integer(version) <- :erlang.binary_to_term(bytes) do
      if version == @version, do: {:ok, term}, else: :newer
    else
      _broken -> :error
    end
  rescue
    ArgumentError -> :error
  end

  def unrow(_bytes), do: :error
end
