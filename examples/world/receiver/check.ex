defmodule Wasgo.Example.Receiver.Check do
  @moduledoc false
  # What the receiver asks of a field of a frame. Each answers `:ok` or `{:error, words}`; the words name the field.

  alias Wasgo.Godot.{Basis, Quaternion, Transform3D, Vector3}

  @max_text 1024

  @type result :: :ok | {:error, String.t()}

  @widths %{
    packed_byte: 1,
    packed_int32: 4,
    packed_float32: 4,
    packed_int64: 8,
    packed_float64: 8,
    packed_vector3: 12,
    packed_color: 16
  }

  @spec text(map(), String.t()) :: result()
  def text(map, key) do
    case map do
      %{^key => text} when is_binary(text) -> short(text, key)
      _other -> wrong(map, key, "String")
    end
  end

  @spec short(String.t(), String.t()) :: result()
  def short(text, key) do
    # The engine counts characters, not what they look like together.
    if byte_size(text) > @max_text and length(String.codepoints(text)) > @max_text do
      {:error, "#{key} is longer than #{@max_text} characters"}
    else
      :ok
    end
  end

  @spec integer(map(), String.t(), Range.t()) :: result()
  def integer(map, key, first..last//1) do
    case map do
      %{^key => value} when is_integer(value) and value >= first and value <= last -> :ok
      %{^key => value} when is_integer(value) -> outside(key, value, first, last)
      _other -> wrong(map, key, "int")
    end
  end

  @spec integer(map(), String.t()) :: result()
  def integer(map, key) do
    case map do
      %{^key => value} when is_integer(value) -> :ok
      _other -> wrong(map, key, "int")
    end
  end

  @spec number(map(), String.t(), number(), number()) :: result()
  def number(map, key, least, most) do
    case map do
      %{^key => value} when is_number(value) and value >= least and value <= most -> :ok
      %{^key => value} when is_number(value) -> outside(key, value, least, most)
      _other -> wrong(map, key, "finite float")
    end
  end

  @spec dictionary(map(), String.t()) :: result()
  def dictionary(map, key) do
    case map do
      %{^key => value} when is_map(value) and not is_struct(value) -> :ok
      _other -> wrong(map, key, "Dictionary")
    end
  end

  @spec array(map(), String.t(), non_neg_integer() | :infinity) :: result()
  def array(map, key, most \\ :infinity) do
    case map do
      %{^key => value} when is_list(value) and length(value) <= most -> :ok
      %{^key => value} when is_list(value) -> {:error, "#{key} has more than #{most} elements"}
      _other -> wrong(map, key, "Array")
    end
  end

  # A packed array of raw numbers; how many elements it has.
  @spec packed(map(), String.t(), atom()) :: {:ok, non_neg_integer()} | {:error, String.t()}
  def packed(map, key, type) do
    case map do
      %{^key => {^type, bytes}} -> {:ok, div(byte_size(bytes), Map.fetch!(@widths, type))}
      _other -> wrong(map, key, inspect(type) <> " array")
    end
  end

  @spec strings(map(), String.t()) :: result()
  def strings(map, key) do
    case map do
      %{^key => {:packed_string, texts}} -> each(texts, fn text, _index -> short(text, key) end)
      _other -> wrong(map, key, "packed_string array")
    end
  end

  @spec struct(map(), String.t(), module()) :: result()
  def struct(map, key, module) do
    case map do
      %{^key => %{__struct__: ^module} = value} ->
        if finite?(value), do: :ok, else: {:error, "#{key} is not finite"}

      _other ->
        wrong(map, key, module |> Module.split() |> List.last())
    end
  end

  # Infinity and NaN are no floats to the BEAM, so they do not match.
  @spec finite32(binary(), String.t()) :: result()
  def finite32(bytes, key), do: finite32(bytes, key, 0)

  defp finite32(<<_::little-float-32, rest::binary>>, key, at), do: finite32(rest, key, at + 1)
  defp finite32(<<>>, _key, _at), do: :ok
  defp finite32(_rest, key, at), do: {:error, "#{key}: number #{at} is not finite"}

  @spec finite64(binary(), String.t()) :: result()
  def finite64(<<_::little-float-64, rest::binary>>, key), do: finite64(rest, key)
  def finite64(<<>>, _key), do: :ok
  def finite64(_rest, key), do: {:error, "#{key} has a number that is not finite"}

  # Vectors and what is made of them.
  @spec finite?(term()) :: boolean()
  def finite?(%Vector3{x: x, y: y, z: z}), do: is_float(x) and is_float(y) and is_float(z)
  def finite?(%Basis{x: x, y: y, z: z}), do: finite?(x) and finite?(y) and finite?(z)
  def finite?(%Transform3D{} = t), do: finite?(t.basis) and finite?(t.origin)
  def finite?(%Quaternion{x: x, y: y, z: z, w: w}), do: Enum.all?([x, y, z, w], &is_float/1)
  def finite?(_other), do: false

  # `check` takes an element and its index.
  @spec each([term()], (term(), non_neg_integer() -> result())) :: result()
  def each(elements, check) do
    elements
    |> Enum.with_index()
    |> Enum.reduce_while(:ok, fn {element, index}, :ok ->
      case check.(element, index) do
        :ok -> {:cont, :ok}
        {:error, _words} = error -> {:halt, error}
      end
    end)
  end

  @spec within(result(), String.t()) :: result()
  def within(:ok, _place), do: :ok
  def within({:error, words}, place), do: {:error, "#{place}: #{words}"}

  defp outside(key, value, least, most) do
    {:error, "#{key} is #{value}, it must be from #{least} to #{most}"}
  end

  defp wrong(map, key, wanted) do
    case map do
      %{^key => value} -> {:error, "#{key} must be a #{wanted}, not #{inspect(value, limit: 4)}"}
      _none -> {:error, "#{key} is missing, it must be a #{wanted}"}
    end
  end
end
