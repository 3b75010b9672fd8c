defmodule Wasgo.Stages.Script do
  @moduledoc """
  Runs a user script over buffers.

    * `:script` - a `Wasgo.Script`; required
    * `:over` - what of a buffer the script gets, and gives back:
        * `:payload` - a binary payload, through `process`
        * `:instances` - the instance table of a `Wasgo.Gen.Chunk`, through `process`: the script decides what stands on the chunk. A table that
          makes no sense is refused
        * `:rows` - the rows of a `Wasgo.Rows`, each through `_notification`: the payload becomes the rows that the script returned; those of nodes
          that it has nothing to say of are left out
    * `:what` - for `:rows`, what the nodes are notified of; `:process` unless given
    * `:timeout` - milliseconds for one buffer, 5000 unless given

  A script that traps, loops or returns rubbish costs its buffer, which becomes `{:error, exception}` in the stream; with `:rows` it
  costs the one row, and the first such error is in the buffer's metadata as `:script_errors` with their number: `{count, exception}`.

      iex> script = Wasgo.Script.new!(File.read!("guest/scripts/thin.wasm"))
      iex> plan = Wasgo.Gen.plan!(seed: 7)
      iex> [{:ok, %{payload: chunk}}] =
      ...>   [{Wasgo.Stages.Generate, plan: plan, chunks: [{0, 0}]}, {Wasgo.Stages.Script, script: script, over: :instances}]
      ...>   |> Wasgo.Pipeline.stream()
      ...>   |> Enum.to_list()
      iex> Wasgo.Gen.Chunk.count(chunk) < Wasgo.Gen.Chunk.count(Wasgo.Gen.chunk!(plan, {0, 0}))
      true
  """

  use Wasgo.Stage

  alias Wasgo.Gen.Chunk
  alias Wasgo.{Rows, Script}

  @numbers -0x8000_0000..0x7FFF_FFFF

  @impl true
  def options do
    [
      script: [type: {:struct, Script}, required: true],
      over: [type: {:in, [:payload, :instances, :rows]}, default: :payload],
      what: [type: {:or, [{:in, names()}, {:range, @numbers}]}, default: :process],
      timeout: [type: :timeout, default: 5_000]
    ]
  end

  @impl true
  def init(%{script: script, over: over} = options) do
    needed = if over == :rows, do: :notification, else: :process

    if needed in script.exports do
      {:ok, %{options | what: Script.number(options.what)}}
    else
      name = %{notification: "_notification", process: "process"}[needed]
      message = "#{inspect(script)} exports no #{name}, which a stage over #{inspect(over)} calls"
      {:error, %Wasgo.LinkError{reason: :missing_export, message: message, name: name}}
    end
  end

  @impl true
  def handle_buffer(buffer, %{over: over} = state) do
    case run(over, buffer, state) do
      {:ok, buffer} -> {:ok, [buffer], state}
      {:error, exception} -> {:error, exception, state}
    end
  end

  defp run(:payload, %{payload: payload} = buffer, state) when is_binary(payload) do
    with {:ok, output} <- Script.process(state.script, payload, timeout: state.timeout) do
      {:ok, %{buffer | payload: output}}
    end
  end

  defp run(:instances, %{payload: %Chunk{} = chunk} = buffer, state) do
    with {:ok, table} <- Script.process(state.script, chunk.scatter, timeout: state.timeout),
         {:ok, chunk} <- Chunk.put_scatter(chunk, table) do
      {:ok, %{buffer | payload: chunk}}
    end
  end

  defp run(:rows, %{payload: %Rows{} = rows} = buffer, state) do
    with {:ok, answers} <-
           Script.notify_many(state.script, state.what, rows.rows, timeout: state.timeout) do
      pairs = Enum.zip(rows.ids, even(state.script, answers))
      changed = for {id, {:ok, row}} when row != nil <- pairs, do: {id, row}
      failed = for {_id, {:error, exception}} <- pairs, do: exception

      {:ok,
       %{
         buffer
         | payload: Rows.new(columns(state.script, changed), changed),
           metadata: failed(buffer.metadata, failed)
       }}
    end
  end

  defp run(over, buffer, _state) do
    kind = %{payload: "a binary", instances: "a Wasgo.Gen.Chunk", rows: "a Wasgo.Rows"}[over]

    words =
      "a script stage over #{inspect(over)} takes #{kind}, and got #{inspect(buffer.payload, limit: 5, printable_limit: 60)}"

    {:error, %Wasgo.DecodeError{reason: {:contract, words}}}
  end

  # A script that names no columns may return rows of any length: the first says how long they are.
  defp even(%{columns: []}, answers) do
    width =
      Enum.find_value(answers, fn answer ->
        match?({:ok, [_ | _]}, answer) && length(elem(answer, 1))
      end)

    Enum.map(answers, fn
      {:ok, row} when is_list(row) and length(row) != width and width != nil ->
        words = "_notification returned #{length(row)} values, and #{width} for a row before"
        {:error, %Wasgo.DecodeError{reason: {:contract, words}}}

      answer ->
        answer
    end)
  end

  defp even(_script, answers), do: answers

  defp names, do: Map.keys(Script.notifications())

  # A script that names no columns has them named by number.
  defp columns(%{columns: []}, [{_id, row} | _]), do: Enum.map(1..length(row)//1, &"column_#{&1}")
  defp columns(%{columns: columns}, _changed), do: columns

  defp failed(metadata, []), do: metadata

  defp failed(metadata, [first | _] = all),
    do: Map.put(metadata, :script_errors, {length(all), first})
end
