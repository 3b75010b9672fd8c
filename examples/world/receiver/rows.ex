defmodule Wasgo.Example.Receiver.Rows do
  @moduledoc false
  # Checks property changes that come by columns, and applies them to nodes.
  #
  # The engine asks the node itself what its properties are. Here is a table instead, of what scripts are likely to move.

  alias Wasgo.Example.Receiver.Check
  alias Wasgo.Godot.{Basis, Quaternion, Transform3D, Vector3}

  @max_columns 64
  @vectors ~w(position rotation rotation_degrees scale global_position global_rotation)
  @properties Map.merge(
                for(name <- @vectors, into: %{}, do: {name, :vector3}),
                for(
                  name <- @vectors,
                  part <- ~w(x y z),
                  into: %{},
                  do: {"#{name}:#{part}", :float}
                )
              )
              |> Map.merge(%{
                "quaternion" => :quaternion,
                "basis" => :basis,
                "transform" => :transform3d,
                "global_transform" => :transform3d,
                "visible" => :bool,
                "top_level" => :bool,
                "transparency" => :float,
                "lod_bias" => :float,
                "layers" => :int,
                "cast_shadow" => :int
              })

  # Nodes are maps with `:properties`. The result has how many rows and values were for nodes that are there.
  @spec apply(map(), %{integer() => map()}) ::
          {:ok, %{integer() => map()}, rows :: non_neg_integer(), values :: non_neg_integer()}
          | {:error, String.t()}
  def apply(frame, nodes) do
    with :ok <- Check.strings(frame, "columns"),
         {:ok, count} <- Check.packed(frame, "ids", :packed_int64),
         %{"columns" => {_, columns}, "ids" => {_, ids}} = frame,
         :ok <- few(columns),
         :ok <- Check.array(frame, "values"),
         {:ok, values} <- columns(columns, frame["values"], count) do
      ids = for <<id::little-signed-64 <- ids>>, do: id
      {:ok, nodes, rows, set} = set_all(ids, columns, values, nodes)
      {:ok, nodes, rows, set}
    end
  end

  defp few(columns) when length(columns) <= @max_columns, do: :ok
  defp few(columns), do: {:error, "#{length(columns)} columns, more than #{@max_columns}"}

  defp columns(columns, values, _count) when length(columns) != length(values) do
    {:error, "#{length(values)} arrays of values for #{length(columns)} columns"}
  end

  defp columns(columns, values, count) do
    columns
    |> Enum.zip(values)
    |> Enum.reduce_while({:ok, []}, fn {column, values}, {:ok, done} ->
      case column(column, values, count) do
        {:ok, list} -> {:cont, {:ok, [list | done]}}
        {:error, words} -> {:halt, {:error, "column #{inspect(column)}: #{words}"}}
      end
    end)
    |> case do
      {:ok, lists} -> {:ok, Enum.reverse(lists)}
      error -> error
    end
  end

  defp column(column, values, count) do
    with {:ok, type} <- type(column),
         {:ok, list} <- list(values, type),
         :ok <- as_many(list, count) do
      {:ok, list}
    end
  end

  defp type(column) do
    case @properties do
      %{^column => type} -> {:ok, type}
      _none -> {:error, "it is no property that this receiver knows"}
    end
  end

  defp list({:packed_float64, bytes}, type) when type in [:float, :int] do
    with :ok <- Check.finite64(bytes, "the values") do
      {:ok, for(<<value::little-float-64 <- bytes>>, do: value)}
    end
  end

  defp list({:packed_int64, bytes}, type) when type in [:float, :int, :bool] do
    {:ok, for(<<value::little-signed-64 <- bytes>>, do: value)}
  end

  defp list(values, type) when is_list(values) do
    case Enum.find(values, &(not fits?(type, &1))) do
      nil -> {:ok, values}
      value -> {:error, "it takes a finite #{type}, not #{inspect(value, limit: 4)}"}
    end
  end

  defp list({type, _bytes}, wanted), do: {:error, "it takes a #{wanted}, not #{inspect(type)}"}
  defp list(_other, _wanted), do: {:error, "the values are no array"}

  defp as_many(list, count) when length(list) == count, do: :ok
  defp as_many(list, count), do: {:error, "#{length(list)} values for #{count} ids"}

  # Null leaves a property alone.
  defp fits?(_type, nil), do: true
  defp fits?(type, value) when is_float(value), do: type in [:float, :int]
  defp fits?(type, value) when is_integer(value), do: type in [:float, :int, :bool]
  defp fits?(type, value) when is_boolean(value), do: type == :bool
  defp fits?(:vector3, %Vector3{} = value), do: Check.finite?(value)
  defp fits?(:basis, %Basis{} = value), do: Check.finite?(value)
  defp fits?(:transform3d, %Transform3D{} = value), do: Check.finite?(value)

  defp fits?(:quaternion, %Quaternion{x: x, y: y, z: z, w: w} = value) do
    Check.finite?(value) and abs(x * x + y * y + z * z + w * w - 1) < 1.0e-3
  end

  defp fits?(_type, _value), do: false

  defp set_all(ids, columns, values, nodes) do
    changes =
      case values do
        [] -> Enum.map(ids, fn _id -> [] end)
        _some -> Enum.zip_with(values, & &1)
      end

    {nodes, rows, set} =
      ids
      |> Enum.zip(changes)
      |> Enum.reduce({nodes, 0, 0}, fn {id, row}, {nodes, rows, set} ->
        case nodes do
          %{^id => node} ->
            row = for {column, value} <- Enum.zip(columns, row), value != nil, do: {column, value}
            properties = Enum.into(row, node.properties)
            {%{nodes | id => %{node | properties: properties}}, rows + 1, set + length(row)}

          # It may have been despawned.
          _none ->
            {nodes, rows, set}
        end
      end)

    {:ok, nodes, rows, set}
  end
end
