defmodule Wasgo.Script.Registry.Terms do
  @moduledoc false
  # On what terms a version of a script runs: whether deterministic, within which limits, granted what. As `put/4` takes them, as the
  # tables hold them, and as `Wasgo.Script.new/2` wants them.

  alias Wasgo.Script.Registry.{JSON, SQL}
  alias Wasgo.Script.State
  alias Wasgo.Store
  alias Wasgo.Wasm.{Bounds, Limits}

  @enforce_keys [:deterministic, :limits, :grants]
  defstruct [:deterministic, :limits, :grants]

  @type limits :: [{atom(), non_neg_integer()}]
  @type grant :: :state | {:random, seed :: non_neg_integer()} | {:sql, [String.t()]}
  @type t :: %__MODULE__{deterministic: boolean(), limits: limits(), grants: [grant()]}

  # In the order in which they are written.
  @sizes [:memory, :table, :input, :result]
  @bounds [:timeout, :fuel]
  @kinds [:state, :random, :sql]

  @most_seed 0xFFFF_FFFF_FFFF_FFFF

  # Wrong options are a programmer's mistake, and raise. Where nobody says whether it is deterministic it is, if it can be.
  @spec new!(boolean() | nil, keyword() | Limits.t(), list(), String.t()) :: t()
  def new!(deterministic?, limits, grants, owner) do
    deterministic? =
      if deterministic? == nil,
        do: not Enum.any?(grants, &match?({:sql, _tables}, &1)),
        else: deterministic?

    %__MODULE__{
      deterministic: deterministic?,
      limits: limits!(limits, deterministic?, owner),
      grants: grants!(grants, deterministic?, owner)
    }
  end

  defp limits!(%Limits{} = limits, deterministic?, owner),
    do: limits |> Map.from_struct() |> Keyword.new() |> limits!(deterministic?, owner)

  defp limits!(limits, deterministic?, owner) do
    {bounds, sizes} = Keyword.split(limits, @bounds)
    owner = "limits: of #{owner}"
    Limits.new(sizes)

    if bounds[:timeout] == :infinity do
      raise ArgumentError, "option :timeout of #{owner} must be a number of milliseconds"
    end

    bounds |> Wasgo.Options.validate!(Bounds.options(), owner) |> Bounds.of(deterministic?, owner)
    for name <- @sizes ++ @bounds, limits[name] != nil, do: {name, limits[name]}
  end

  defp grants!(grants, deterministic?, owner) do
    granted = Enum.map(grants, &grant!(&1, deterministic?, owner))

    for kind <- @kinds do
      case Enum.filter(granted, &(kind(&1) == kind)) do
        [_, _ | _] ->
          raise ArgumentError, "grants: of #{owner} has #{inspect(kind)} more than once"

        others ->
          others
      end
    end
    |> List.flatten()
  end

  defp kind(grant) when is_atom(grant), do: grant
  defp kind(grant), do: elem(grant, 0)

  defp grant!(:state, _deterministic?, _owner), do: :state

  defp grant!({:random, seed}, _deterministic?, _owner)
       when is_integer(seed) and seed in 0..@most_seed,
       do: {:random, seed}

  defp grant!({:sql, [_ | _]} = grant, true, owner) do
    raise ArgumentError,
          "#{owner} can't grant #{inspect(grant)} to a deterministic script, whose results must be the same on every run: " <>
            "leave out deterministic: true"
  end

  defp grant!({:sql, [_ | _] = tables}, false, owner) do
    for table <- tables do
      with {:error, error} <- SQL.check_name(table, "a table in grants: of #{owner}"),
           do: raise(ArgumentError, error.message)
    end

    {:sql, tables |> Enum.uniq() |> Enum.sort()}
  end

  defp grant!(grant, _deterministic?, owner) do
    raise ArgumentError,
          "#{owner} can't grant #{inspect(grant)}: what it can are :state, random: seed and sql: [table, ...]"
  end

  # For the table: the columns `deterministic`, `limits` and `grants`.
  @spec to_row(t()) :: [Store.value()]
  def to_row(%__MODULE__{} = terms) do
    grants =
      Enum.map(terms.grants, fn
        :state -> {:state, true}
        grant -> grant
      end)

    [if(terms.deterministic, do: 1, else: 0), object(terms.limits), object(grants)]
  end

  defp object([]), do: nil
  defp object(members), do: JSON.encode({:object, members})

  # Of what the table holds; `:error` where it is not what `to_row/1` writes.
  @spec from_row([Store.value()]) :: {:ok, t()} | :error
  def from_row([deterministic, limits, grants]) when deterministic in [0, 1] do
    with {:ok, limits} <- members(limits),
         {:ok, limits} <- known(limits, @sizes ++ @bounds, &limit/2),
         {:ok, grants} <- members(grants),
         {:ok, grants} <- known(grants, @kinds, &grant/2) do
      terms = %__MODULE__{deterministic: deterministic == 1, limits: limits, grants: grants}
      if possible?(terms), do: {:ok, terms}, else: :error
    end
  end

  def from_row(_row), do: :error

  # Numbers that no limit can be, and grants that exclude each other, would raise where the script is loaded.
  defp possible?(%{deterministic: deterministic?, limits: limits, grants: grants}) do
    new!(deterministic?, limits, grants, "what is stored")
    true
  rescue
    ArgumentError -> false
  end

  defp members(nil), do: {:ok, %{}}

  defp members(text) when is_binary(text) do
    case JSON.decode(text) do
      {:ok, %{} = members} -> {:ok, members}
      _ -> :error
    end
  end

  defp members(_blob), do: :error

  # A key that nobody knows may be a limit, or something not to be granted: it is not passed over.
  defp known(members, names, read) do
    values =
      for name <- names,
          key = Atom.to_string(name),
          is_map_key(members, key),
          do: {name, members[key]}

    if length(values) == map_size(members) do
      read_all(values, read, [])
    else
      :error
    end
  end

  defp read_all([], _read, done), do: {:ok, Enum.reverse(done)}

  defp read_all([{name, value} | rest], read, done) do
    case read.(name, value) do
      {:ok, nothing} when nothing == nil -> read_all(rest, read, done)
      {:ok, value} -> read_all(rest, read, [value | done])
      :error -> :error
    end
  end

  defp limit(name, value) when is_integer(value) and value >= 0, do: {:ok, {name, value}}
  defp limit(_name, _value), do: :error

  defp grant(:state, true), do: {:ok, :state}
  defp grant(:state, false), do: {:ok, nil}

  defp grant(:random, seed) when is_integer(seed) and seed in 0..@most_seed,
    do: {:ok, {:random, seed}}

  defp grant(:sql, tables) when is_list(tables) do
    if Enum.all?(tables, &is_binary/1), do: {:ok, {:sql, tables}}, else: :error
  end

  defp grant(_name, _value), do: :error

  # For `Wasgo.Script.new/2`; what `options` say goes before what is stored, grant by grant and limit by limit.
  @spec options(t(), Store.t(), keyword()) :: keyword()
  def options(%__MODULE__{} = terms, store, options \\ []) do
    deterministic? =
      case options[:deterministic] do
        nil -> terms.deterministic
        deterministic? -> deterministic?
      end

    {bounds, sizes} = Keyword.split(terms.limits, @bounds)
    # Fuel is of deterministic scripts, and `options` may make it none.
    bounds = if deterministic?, do: bounds, else: Keyword.delete(bounds, :fuel)

    bounds
    |> Keyword.merge(options)
    |> Keyword.merge(
      deterministic: deterministic?,
      limits: sizes(sizes, Keyword.get(options, :limits, [])),
      grant: granted(terms.grants, Keyword.get(options, :grant, []), store)
    )
  end

  defp sizes(_stored, %Limits{} = limits), do: limits
  defp sizes(stored, limits), do: Keyword.merge(stored, limits)

  defp granted(stored, given, store) do
    kinds = Enum.map(given, &kind/1)
    for(grant <- stored, kind(grant) not in kinds, do: real(grant, store)) ++ given
  end

  defp real(:state, _store), do: {:state, State.new()}
  defp real({:random, seed}, _store), do: {:random, seed}

  # Never within a transaction: the script's own statements are none of it.
  defp real({:sql, tables}, store),
    do: {:sql, Store.restrict(%{store | token: nil}, read: tables)}
end
