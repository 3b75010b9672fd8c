defmodule Wasgo.Stages.Script do
  @moduledoc """
  Runs a user script over buffers.

    * `:script` - a `Wasgo.Script`, or the name of one in `:store`; required
    * `:store` - a `Wasgo.Store` with a `Wasgo.Script.Registry`, for a `:script` by its name
    * `:refresh` - milliseconds after which a stored script is looked for anew, 1000 unless given: a version that was made active since takes over
      between two buffers. One that can't be loaded doesn't, and its error takes the place of a buffer once
    * `:over` - what of a buffer the script gets, and gives back:
        * `:payload` - a binary payload, through `process`; this unless given
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
  alias Wasgo.{Format, Rows, Script, Store}
  alias Wasgo.Script.Registry

  @numbers -0x8000_0000..0x7FFF_FFFF

  @impl true
  def options do
    [
      script: [
        type: {:or, [{:struct, Script}, :string]},
        required: true,
        doc: "the script, or the name of one in `store`"
      ],
      store: [
        type: {:or, [{:struct, Store}, {:in, [nil]}]},
        default: nil,
        doc: "a store with a registry of scripts"
      ],
      refresh: [
        type: :timeout,
        default: 1_000,
        doc: "milliseconds after which a stored script is looked for anew"
      ],
      over: [
        type: {:in, [:payload, :instances, :rows]},
        default: :payload,
        doc: "what of a buffer the script gets, and gives back"
      ],
      what: [
        type: {:or, [{:in, names()}, {:range, @numbers}]},
        default: :process,
        doc: "for rows, what the nodes are notified of"
      ],
      timeout: [type: :timeout, default: 5_000, doc: "milliseconds for one buffer"]
    ]
  end

  @impl true
  def check(%{script: name, store: nil}) when is_binary(name),
    do: {:error, "the option :script is the name #{inspect(name)}, and :store is missing"}

  def check(_options), do: :ok

  @impl true
  def init(options) do
    state = Map.merge(options, %{what: Script.number(options.what), looked: now()})

    with {:ok, script} <- find(options), :ok <- usable(script, options.over) do
      {:ok, Map.merge(state, %{script: script, name: options.script})}
    end
  end

  # What a script was given to import may tell one buffer of another.
  @impl true
  def stateless?(%{script: %Script{imports: imports}}), do: imports == nil

  def stateless?(%{script: name, store: store}) do
    case Registry.get(store, name) do
      {:ok, entry} -> :state not in entry.grants
      {:error, _told_when_it_begins} -> true
    end
  end

  @impl true
  def handle_format(format, %{over: over} = state) do
    taken = %{payload: :binary, instances: :chunk, rows: :rows}[over]

    cond do
      Format.payload(format) not in [taken, :unknown] ->
        {:error,
         Wasgo.StageError.format(__MODULE__, format, "#{kind(over)} (over: #{inspect(over)})"),
         state}

      # Its columns are the script's own.
      is_struct(format, Format.Rows) ->
        {:ok, %Format.Rows{columns: non_empty(state.script.columns)}, state}

      true ->
        {:ok, format, state}
    end
  end

  defp non_empty([]), do: nil
  defp non_empty(columns), do: columns

  @impl true
  def handle_buffer(buffer, state) do
    case refreshed(state) do
      {:ok, state} ->
        case run(state.over, buffer, state) do
          {:ok, buffer} -> {:ok, [buffer], state}
          {:error, exception} -> {:error, exception, state}
        end

      {:error, exception, state} ->
        {:error, exception, state}
    end
  end

  defp find(%{script: %Script{} = script}), do: {:ok, script}
  defp find(%{script: name, store: store}), do: Registry.load(store, name)

  defp usable(script, over) do
    needed = if over == :rows, do: :notification, else: :process

    if needed in script.exports do
      :ok
    else
      name = %{notification: "_notification", process: "process"}[needed]
      message = "#{inspect(script)} exports no #{name}, which a stage over #{inspect(over)} calls"
      {:error, %Wasgo.LinkError{reason: :missing_export, message: message, name: name}}
    end
  end

  defp refreshed(%{name: name} = state) when is_binary(name) do
    if now() - state.looked >= state.refresh,
      do: look(%{state | looked: now()}),
      else: {:ok, state}
  end

  defp refreshed(state), do: {:ok, state}

  defp look(%{script: %{version: version}} = state) do
    with {:ok, active} when active != version <- Registry.active_version(state.store, state.name),
         {:ok, script} <- Registry.load(state.store, state.name),
         :ok <- usable(script, state.over) do
      {:ok, %{state | script: script}}
    else
      {:ok, ^version} -> {:ok, state}
      {:error, exception} -> {:error, exception, state}
    end
  end

  defp now, do: System.monotonic_time(:millisecond)

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
    words =
      "a script stage over #{inspect(over)} takes #{kind(over)}, and got #{inspect(buffer.payload, limit: 5, printable_limit: 60)}"

    {:error, %Wasgo.DecodeError{reason: {:contract, words}}}
  end

  defp kind(:payload), do: "a binary"
  defp kind(:instances), do: "a Wasgo.Gen.Chunk"
  defp kind(:rows), do: "a Wasgo.Rows"

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
