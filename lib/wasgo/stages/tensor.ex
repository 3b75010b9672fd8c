if Code.ensure_loaded?(Nx) do
  defmodule Wasgo.Stages.Tensor do
    @moduledoc """
    Runs a function of tensors, or a `defn`, over buffers. There where Nx is.

      * `:with` - a function of a tensor that returns one; required
      * `:over` - what of a buffer becomes the tensor:
          * `:heights` - the heights of a `Wasgo.Gen.Chunk`, `{samples, samples}`; its mesh and what stands on it follow
          * `:rows` - the values of a `Wasgo.Rows`, `{rows, columns}`
          * `:payload` - a binary payload, of `:type` and `:shape`; this unless given
      * `:type` - for `:payload`, `{:f, 32}` unless given
      * `:shape` - for `:payload`, with `nil` for one axis that is as long as the bytes; one axis unless given
      * `:columns` - for `:rows`, those of the tensor that comes back; the same unless given

    What smooths the ground, each sample the mean of the nine about it:

        iex> smooth = fn heights ->
        ...>   around = Nx.window_sum(heights, {3, 3}, padding: :same)
        ...>   Nx.divide(around, Nx.window_sum(Nx.broadcast(1.0, heights), {3, 3}, padding: :same))
        ...> end
        iex> plan = Wasgo.Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9)
        iex> [before] = plan |> Wasgo.generate([{0, 0}]) |> Wasgo.payloads!()
        iex> [smoothed] =
        ...>   plan
        ...>   |> Wasgo.generate([{0, 0}])
        ...>   |> Wasgo.through({Wasgo.Stages.Tensor, with: smooth, over: :heights})
        ...>   |> Wasgo.payloads!()
        iex> smoothed.stats.max_height < before.stats.max_height
        true
    """

    use Wasgo.Stage

    alias Wasgo.{Format, Gen, Rows, StageError}

    @impl true
    def options do
      [
        with: [
          type: {:function, 1},
          required: true,
          doc: "a function of a tensor that returns one"
        ],
        over: [
          type: {:in, [:payload, :heights, :rows]},
          default: :payload,
          doc: "what of a buffer becomes the tensor"
        ],
        type: [type: :any, default: {:f, 32}, doc: "for payloads, the numbers' type"],
        shape: [
          type: :any,
          default: {nil},
          doc:
            "for payloads, the tensor's shape, with `nil` for an axis that is as long as the bytes"
        ],
        columns: [
          type: {:or, [{:list_of, :string}, {:in, [nil]}]},
          default: nil,
          doc: "for rows, the columns of what comes back"
        ]
      ]
    end

    @impl true
    def check(%{type: type, shape: shape}) do
      cond do
        not is_tuple(shape) or
            not Enum.all?(Tuple.to_list(shape), &(is_nil(&1) or (is_integer(&1) and &1 > 0))) ->
          {:error, "the option :shape must be a tuple of positive integers and nil"}

        Enum.count(Tuple.to_list(shape), &is_nil/1) > 1 ->
          {:error, "the option :shape has more than one nil"}

        true ->
          check_type(type)
      end
    end

    defp check_type(type) do
      Nx.Type.normalize!(type)
      :ok
    rescue
      _error -> {:error, "the option :type must be a type of Nx, and is: #{inspect(type)}"}
    end

    @impl true
    def init(options) do
      with {:ok, _started} <- Application.ensure_all_started(:nx),
           do: {:ok, %{options | type: Nx.Type.normalize!(options.type)}}
    end

    @impl true
    def stateless?(_options), do: true

    @impl true
    def handle_format(format, %{over: over} = state) do
      taken = %{payload: :binary, heights: :chunk, rows: :rows}[over]

      cond do
        Format.payload(format) not in [taken, :unknown] ->
          {:error,
           StageError.format(__MODULE__, format, "#{kind(over)} (over: #{inspect(over)})"), state}

        is_struct(format, Format.Rows) and state.columns != nil ->
          {:ok, %Format.Rows{columns: state.columns}, state}

        true ->
          {:ok, format, state}
      end
    end

    @impl true
    def handle_buffer(buffer, state) do
      case run(state.over, buffer.payload, state) do
        {:ok, payload} -> {:ok, [%{buffer | payload: payload}], state}
        {:error, exception} -> {:error, exception, state}
      end
    end

    defp run(:heights, %Gen.Chunk{} = chunk, state),
      do: Wasgo.Nx.put_heights(chunk, state.with.(Wasgo.Nx.heights(chunk)))

    defp run(:rows, %Rows{rows: []} = rows, state),
      do: {:ok, %{rows | columns: state.columns || rows.columns}}

    defp run(:rows, %Rows{} = rows, state) do
      with {:ok, tensor} <- Wasgo.Nx.rows(rows) do
        Wasgo.Nx.to_rows(state.with.(tensor), state.columns || rows.columns, rows.ids)
      end
    end

    defp run(:payload, payload, state) when is_binary(payload) do
      with {:ok, shape} <- shape(payload, state) do
        case state.with.(Wasgo.Nx.bytes(payload, shape, state.type)) do
          %Nx.Tensor{} = tensor ->
            {:ok, Wasgo.Nx.to_bytes(tensor)}

          other ->
            refused("the function returned #{inspect(other, limit: 5)}, which is no tensor")
        end
      end
    end

    defp run(over, payload, _state) do
      refused(
        "a tensor stage over #{inspect(over)} takes #{kind(over)}, and got #{inspect(payload, limit: 5, printable_limit: 60)}"
      )
    end

    defp shape(payload, %{shape: shape, type: {_kind, bits}}) do
      known =
        for length <- Tuple.to_list(shape),
            length != nil,
            reduce: 1,
            do: (product -> product * length)

      bytes = known * div(bits, 8)
      size = byte_size(payload)

      case Enum.find_index(Tuple.to_list(shape), &is_nil/1) do
        nil when size == bytes ->
          {:ok, shape}

        axis when axis != nil and size > 0 and rem(size, bytes) == 0 ->
          {:ok, put_elem(shape, axis, div(size, bytes))}

        _other ->
          refused(
            "#{size} bytes are no tensor of the shape #{inspect(shape)}, whose elements have #{div(bits, 8)}"
          )
      end
    end

    defp kind(:payload), do: "a binary"
    defp kind(:heights), do: "a Wasgo.Gen.Chunk"
    defp kind(:rows), do: "a Wasgo.Rows"

    defp refused(words), do: {:error, %Wasgo.DecodeError{reason: {:contract, words}}}
  end
end
