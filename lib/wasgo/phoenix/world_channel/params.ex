defmodule Wasgo.Phoenix.WorldChannel.Params do
  @moduledoc false
  # What clients say, checked: `{:ok, value}` or `{:error, reply}`, which names the field at fault.

  alias Wasgo.Phoenix.Content
  alias Wasgo.Script

  @most_held 4_096
  @most_args 32
  @most_text 1_024
  @farthest 1.0e9
  @most_id 0x3FFF_FFFF_FFFF_FFFF

  @type reply :: %{reason: String.t(), message: String.t(), field: String.t()}

  @spec invalid(String.t(), String.t()) :: {:error, reply()}
  def invalid(field, should),
    do: {:error, %{reason: "invalid", field: field, message: "#{field} should be #{should}"}}

  @doc false
  @spec join(term()) ::
          {:ok,
           %{
             rev: non_neg_integer(),
             identity: String.t() | nil,
             view: {tuple(), float()} | nil,
             held: %{tuple() => String.t()}
           }}
          | {:error, reply()}
  def join(params) when is_map(params) do
    with {:ok, rev} <- rev(Map.get(params, "rev")),
         {:ok, identity} <- identity(Map.get(params, "identity")),
         {:ok, view} <- optional_view(Map.get(params, "view")),
         {:ok, held} <- held(Map.get(params, "held")) do
      {:ok, %{rev: rev, identity: identity, view: view, held: held}}
    end
  end

  def join(_other), do: invalid("params", "an object")

  defp rev(nil), do: {:ok, 0}
  defp rev(rev) when is_integer(rev) and rev >= 0, do: {:ok, rev}
  defp rev(_other), do: invalid("rev", "an integer of 0 or more")

  defp identity(nil), do: {:ok, nil}
  defp identity(text) when is_binary(text) and byte_size(text) <= 255, do: {:ok, text}
  defp identity(_other), do: invalid("identity", "a text that a join answered")

  defp optional_view(nil), do: {:ok, nil}
  defp optional_view(view), do: view(view)

  defp held(nil), do: {:ok, %{}}

  defp held(held) when is_map(held) and map_size(held) <= @most_held do
    Enum.reduce_while(held, {:ok, %{}}, fn {key, hash}, {:ok, done} ->
      with {:ok, address} <- Content.address(key),
           true <- is_binary(hash) and byte_size(hash) == 32,
           do: {:cont, {:ok, Map.put(done, address, hash)}},
           else: (_wrong -> {:halt, invalid("held", "keys of chunks with their hashes")})
    end)
  end

  defp held(_other), do: invalid("held", "an object of at most #{@most_held} chunks")

  @doc false
  @spec view(term()) :: {:ok, {{float(), float(), float()}, float()}} | {:error, reply()}
  def view(%{"position" => position, "radius" => radius}) do
    with {:ok, position} <- position(position) do
      if is_number(radius) and radius > 0 and radius <= @farthest,
        do: {:ok, {position, radius / 1}},
        else: invalid("radius", "a number of metres above 0")
    end
  end

  def view(%{"position" => _position}), do: invalid("radius", "a number of metres above 0")
  def view(%{}), do: invalid("position", "[x, y, z] in metres")
  def view(_other), do: invalid("view", "an object with position and radius")

  defp position([_, _, _] = position) do
    if Enum.all?(position, &(is_number(&1) and abs(&1) <= @farthest)),
      do: {:ok, position |> Enum.map(&(&1 / 1)) |> List.to_tuple()},
      else: position(nil)
  end

  defp position(_other), do: invalid("position", "[x, y, z] in metres")

  @doc false
  @spec loaded(term(), pos_integer()) :: {:ok, {[tuple()], [tuple()]}} | {:error, reply()}
  def loaded(params, most) when is_map(params) do
    with {:ok, loaded} <- keys("chunks", Map.get(params, "chunks", []), most),
         {:ok, failed} <- keys("failed", Map.get(params, "failed", []), most),
         do: {:ok, {loaded, failed}}
  end

  def loaded(_other, _most), do: invalid("chunks", "a list of keys of chunks")

  defp keys(field, keys, most) when is_list(keys) and length(keys) <= most do
    found = for key <- keys, is_binary(key), {:ok, address} <- [Content.address(key)], do: address
    if length(found) == length(keys), do: {:ok, found}, else: keys(field, nil, most)
  end

  defp keys(field, _other, most), do: invalid(field, "a list of at most #{most} keys of chunks")

  @doc false
  @spec call(term()) ::
          {:ok, %{object: non_neg_integer(), what: integer(), args: list()}} | {:error, reply()}
  def call(params) when is_map(params) do
    with {:ok, object} <- object(Map.get(params, "object")),
         {:ok, what} <- what(Map.get(params, "what")),
         {:ok, args} <- args(Map.get(params, "args", [])),
         do: {:ok, %{object: object, what: what, args: args}}
  end

  def call(_other), do: invalid("object", "the id of an object")

  defp object(id) when is_integer(id) and id in 0..@most_id, do: {:ok, id}

  defp object(text) when is_binary(text) and byte_size(text) <= 19 do
    case Integer.parse(text) do
      {id, ""} -> object(id)
      _other -> object(nil)
    end
  end

  defp object(_other), do: invalid("object", "the id of an object")

  @names Map.new(Script.notifications(), fn {name, number} -> {Atom.to_string(name), number} end)

  defp what(number) when is_integer(number) and number in 0..0x7FFF_FFFF, do: {:ok, number}
  defp what(name) when is_map_key(@names, name), do: {:ok, Map.fetch!(@names, name)}
  defp what(_other), do: invalid("what", "the name of a notification, or its number")

  defp args(args) when is_list(args) and length(args) <= @most_args do
    if Enum.all?(args, &arg?/1),
      do: {:ok, args},
      else: invalid("args", "numbers, texts of at most #{@most_text} bytes, truths and null")
  end

  defp args(_other), do: invalid("args", "a list of at most #{@most_args} values")

  defp arg?(value) when is_integer(value),
    do: value in -0x8000_0000_0000_0000..0x7FFF_FFFF_FFFF_FFFF

  defp arg?(value) when is_float(value) or is_boolean(value) or is_nil(value), do: true
  defp arg?(value), do: is_binary(value) and byte_size(value) <= @most_text

  @doc false
  @spec event(term()) :: {:ok, %{name: String.t(), data: term()}} | {:error, reply()}
  def event(%{"name" => name} = params)
      when is_binary(name) and byte_size(name) in 1..255 do
    {:ok, %{name: name, data: Map.get(params, "data")}}
  end

  def event(_other), do: invalid("name", "a text of 1 to 255 bytes")
end
