defmodule Wasgo.Script.Registry do
  @moduledoc """
  Scripts kept in a `Wasgo.Store`: every version of each, one of them active, with the terms on which it runs and a history of who changed
  what; and the objects of a world that have a script, with what each keeps.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, 1} = Wasgo.Script.Registry.put(store, "wander", File.read!("guest/scripts/wander.wasm"))
      iex> {:ok, script} = Wasgo.Script.Registry.load(store, "wander")
      iex> {script.name, script.version}
      {"wander", 1}

  A source is checked before it is stored: what does not compile, wants what is not granted or keeps no part of the contract never
  replaces what works.

  ## Versions

  They are numbered from 1, without gaps, and do not change. `put/4` makes the next one, and the active one of it unless told not to;
  `activate/4` makes another one active, and `rollback/3` the one that was before.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, 1} = Wasgo.Script.Registry.put(store, "npc", File.read!("guest/scripts/wander.wasm"))
      iex> {:ok, 2} = Wasgo.Script.Registry.put(store, "npc", File.read!("guest/scripts/shy.wasm"), author: "Ada")
      iex> Wasgo.Script.Registry.rollback(store, "npc", author: "Grace")
      {:ok, 1}
      iex> {:ok, history} = Wasgo.Script.Registry.history(store, "npc")
      iex> for act <- history, do: {act.act, act.version, act.author}
      [{:put, 1, nil}, {:activate, 1, nil}, {:put, 2, "Ada"}, {:activate, 2, "Ada"}, {:rollback, 1, "Grace"}]

  ## Objects

  An object is whatever has a script: a lamp, a door, a player's pet. It keeps keys and values, as a `Wasgo.Script.State` does.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, 1} = Wasgo.Script.Registry.put(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> :ok = Wasgo.Script.Registry.put_object_state(store, "lamp-7", %{"lit" => <<1>>})
      iex> Wasgo.Script.Registry.object_state(store, "lamp-7")
      {:ok, %{"lit" => <<1>>}}
      iex> {:error, error} = Wasgo.Script.Registry.delete(store, "lamp")
      iex> Exception.message(error)
      ~s|the script "lamp" in #Wasgo.Store<memory> is in use by "lamp-7"|

  ## Errors

  Those of the registry itself are `Wasgo.StoreError`s with the reasons `:unknown_script`, `:unknown_version`, `:unknown_object`,
  `:no_earlier_version`, `:in_use`, `:invalid_name` (names, ids, kinds, languages and authors are UTF-8 text of 1 to 256 bytes),
  `:malformed` (a row that Wasgo did not write) and `:schema_version`. Wrong options raise.

  ## Tables

  They are made when they are first needed, and those of an older Wasgo brought up to date, by whichever function comes first. Scripts that
  were stored before versions had terms run as they did: not deterministic, within the usual limits, granted nothing. What a newer Wasgo wrote
  is refused and not touched. Everything is in tables of the names `wasgo_...`, which SQL may read.
  """

  import Wasgo.Script.Registry.SQL

  alias Wasgo.Native.Result
  alias Wasgo.Script.Registry.{Changes, Entries, Objects, Schema, Source, Terms}
  alias Wasgo.{Script, Store, StoreError}

  @author [type: {:or, [:string, {:in, [nil]}]}, default: nil]

  @put_options [
    author: @author,
    language: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    limits: [type: {:or, [:keyword, {:struct, Wasgo.Wasm.Limits}]}, default: []],
    grants: [type: :list, default: []],
    deterministic: [type: {:or, [:boolean, {:in, [nil]}]}, default: nil],
    activate: [type: :boolean, default: true]
  ]

  @author_options [author: @author]
  @delete_options [objects: [type: :boolean, default: false], author: @author]
  @history_options [limit: [type: {:range, 1..100_000}, default: 1_000]]

  @typedoc "What a script may be granted: see `put/4`."
  @type grant :: :state | {:random, seed :: non_neg_integer()} | {:sql, tables :: [String.t()]}

  @typedoc "What is known of a version. `size` is that of the source, `hash` its SHA-256; `columns` are as the script names them."
  @type entry :: %{
          required(:name) => String.t(),
          required(:version) => pos_integer(),
          required(:active) => boolean(),
          required(:language) => String.t(),
          required(:size) => non_neg_integer(),
          required(:hash) => String.t(),
          required(:author) => String.t() | nil,
          required(:created) => String.t(),
          required(:deterministic) => boolean(),
          required(:limits) => keyword(non_neg_integer()),
          required(:grants) => [grant()],
          required(:columns) => [String.t()],
          optional(:source) => binary()
        }

  @typedoc "A line of the history. A deletion is of no version."
  @type act :: %{
          number: pos_integer(),
          name: String.t(),
          version: pos_integer() | nil,
          act: :put | :activate | :rollback | :delete,
          at: String.t(),
          author: String.t() | nil
        }

  @type object :: %{id: String.t(), kind: String.t(), script: String.t()}

  @doc type: :version
  @doc """
  Stores `source` (WebAssembly bytes or WAT text, of any length) as the next version of the script `name`, and answers its number.

  Options:

    * `:author` - who wrote it, for people
    * `:language` - what it was written in, for people; `"wasm"` or `"wat"` by the source unless given
    * `:deterministic` - see `Wasgo.Script.new/2`; `true` unless given, or tables are granted. Components can't be, and are refused unless it
      is `false`
    * `:limits` - a keyword list as `Wasgo.Wasm.Limits` has it, and `:timeout` and `:fuel`
    * `:grants` - what the script may import: a list of `:state`, `random: seed`, and `sql: [table, ...]` for tables that it may read. What
      reads tables is not deterministic. Nothing unless given
    * `:activate` - make it the active version; `true` unless given. With `false` a new script has no active version yet

  The same source on the same terms (language, limits, grants, deterministic) as the active version is not stored again: the answer is the
  active version's number.

  The script is compiled, linked with what is granted and started before anything is written. What it starts with is a state of its own,
  the random numbers of the seed, and the store's tables, to read. Errors are those of `Wasgo.Script.new/2` and of the store.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> thin = File.read!("guest/scripts/thin.wasm")
      iex> Wasgo.Script.Registry.put(store, "thin", thin, language: "c", limits: [memory: 2_097_152, fuel: 1_000_000])
      {:ok, 1}
      iex> {:error, error} = Wasgo.Script.Registry.put(store, "thin", "(module)")
      iex> error.reason
      :missing_export
      iex> {:ok, entry} = Wasgo.Script.Registry.get(store, "thin")
      iex> {entry.version, entry.language, entry.limits}
      {1, "c", [memory: 2_097_152, fuel: 1_000_000]}
  """
  @spec put(Store.t(), String.t(), binary(), keyword()) ::
          {:ok, pos_integer()} | {:error, Exception.t()}
  def put(%Store{} = store, name, source, options \\ []) when is_binary(source) do
    owner = "Wasgo.Script.Registry.put/4"
    options = Wasgo.Options.validate!(options, @put_options, owner)
    options = %{options | language: options.language || Source.language(source)}
    terms = Terms.new!(options.deterministic, options.limits, options.grants, owner)

    with :ok <- check_name(name, "the script's name"),
         :ok <- check_name(options.language, "the script's language"),
         :ok <- check_optional(options.author, "the author"),
         :ok <- Schema.migrate(store),
         {:ok, script} <- Source.script(source, [name: name] ++ Terms.options(terms, store)) do
      Changes.put(store, name, source, script.columns, terms, options)
    end
  end

  @doc type: :version
  @doc """
  As `put/4`, but raises.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"), author: "Ada")
      1
  """
  @spec put!(Store.t(), String.t(), binary(), keyword()) :: pos_integer()
  def put!(store, name, source, options \\ []),
    do: Result.bang!(put(store, name, source, options))

  @doc type: :version
  @doc """
  A version of a script, compiled on its terms and ready to call.

  `options` are those of `Wasgo.Script.new/2`, and go before what is stored, limit by limit and grant by grant; `:version` is the version's
  number, the active one unless given. The stored `:timeout` and `:fuel` are for the start: those of a call are options of the call.

  Granted `:state` is a new `Wasgo.Script.State`, unless `options` bring one (`grant: [state: state]`); granted tables may be read, and
  nothing else of the store (`Wasgo.Store.restrict/2`).

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"), limits: [memory: 1_048_576])
      iex> {:ok, lamp} = Wasgo.Script.Registry.load(store, "lamp", version: 1)
      iex> Wasgo.Script.notify(lamp, :process, [23.0])
      {:ok, [1.0, 1]}
      iex> {:error, error} = Wasgo.Script.Registry.load(store, "lamp", version: 2)
      iex> error.reason
      :unknown_version
  """
  @spec load(Store.t(), String.t(), keyword()) :: {:ok, Script.t()} | {:error, Exception.t()}
  def load(%Store{} = store, name, options \\ []) when is_list(options) do
    {version, options} = Keyword.pop(options, :version)

    with {:ok, entry} <- get(store, name, version || :active) do
      terms = struct!(Terms, Map.take(entry, [:deterministic, :limits, :grants]))
      options = Terms.options(terms, store, options)
      Source.script(entry.source, Keyword.merge(options, name: name, version: entry.version))
    end
  end

  @doc type: :version
  @doc """
  As `load/3`, but raises.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> Wasgo.Script.Registry.load!(store, "lamp")
      #Wasgo.Script<"lamp", version 1, notification, columns light_energy, visible, 539 bytes>
  """
  @spec load!(Store.t(), String.t(), keyword()) :: Script.t()
  def load!(store, name, options \\ []), do: Result.bang!(load(store, name, options))

  @doc type: :version
  @doc """
  A version of a script, with its source.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> wat = File.read!("guest/scripts/lamp.wat")
      iex> {:ok, 1} = Wasgo.Script.Registry.put(store, "lamp", wat)
      iex> {:ok, entry} = Wasgo.Script.Registry.get(store, "lamp", 1)
      iex> {entry.source == wat, entry.language, entry.active, entry.deterministic}
      {true, "wat", true, true}
  """
  @spec get(Store.t(), String.t(), pos_integer() | :active) ::
          {:ok, entry()} | {:error, StoreError.t()}
  def get(%Store{} = store, name, version \\ :active)
      when version == :active or is_integer(version) do
    with :ok <- check_name(name, "the script's name"), :ok <- Schema.migrate(store) do
      Entries.get(store, name, version)
    end
  end

  @doc type: :version
  @doc """
  As `get/3`, but raises.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"), author: "Ada")
      iex> Wasgo.Script.Registry.get!(store, "lamp").author
      "Ada"
  """
  @spec get!(Store.t(), String.t(), pos_integer() | :active) :: entry()
  def get!(store, name, version \\ :active), do: Result.bang!(get(store, name, version))

  @doc type: :version
  @doc """
  The number of a script's active version; the version itself is not read, which makes this quick enough to ask often.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "pet", File.read!("guest/scripts/shy.wasm"))
      iex> Wasgo.Script.Registry.active_version(store, "pet")
      {:ok, 1}
  """
  @spec active_version(Store.t(), String.t()) :: {:ok, pos_integer()} | {:error, StoreError.t()}
  def active_version(%Store{} = store, name) do
    with :ok <- Schema.migrate(store), do: Entries.active_version(store, name)
  end

  @doc type: :version
  @doc """
  The active version of every script that has one, by name.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "pet", File.read!("guest/scripts/shy.wasm"), author: "Ada")
      iex> {:ok, [entry]} = Wasgo.Script.Registry.list(store)
      iex> {entry.name, entry.version}
      {"pet", 1}
  """
  @spec list(Store.t()) :: {:ok, [entry()]} | {:error, StoreError.t()}
  def list(%Store{} = store), do: with(:ok <- Schema.migrate(store), do: Entries.list(store))

  @doc type: :version
  @doc """
  All versions of a script, the oldest first.

      iex> store = Wasgo.Store.open!(:memory)
      iex> for file <- ["wander", "shy"], do: Wasgo.Script.Registry.put!(store, "pet", File.read!("guest/scripts/\#{file}.wasm"))
      iex> {:ok, versions} = Wasgo.Script.Registry.versions(store, "pet")
      iex> for version <- versions, do: version.version
      [1, 2]
  """
  @spec versions(Store.t(), String.t()) :: {:ok, [entry()]} | {:error, StoreError.t()}
  def versions(%Store{} = store, name) do
    with :ok <- check_name(name, "the script's name"),
         :ok <- Schema.migrate(store),
         do: Entries.versions(store, name)
  end

  @doc type: :version
  @doc """
  What was done to a script of this name, the oldest first; of a long history the newest `:limit` acts, 1,000 unless given. It outlives the
  script. A `put/4` that activates is two acts.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "pet", File.read!("guest/scripts/shy.wasm"), author: "Ada")
      iex> {:ok, history} = Wasgo.Script.Registry.history(store, "pet")
      iex> for act <- history, do: {act.act, act.author}
      [put: "Ada", activate: "Ada"]
  """
  @spec history(Store.t(), String.t(), keyword()) :: {:ok, [act()]} | {:error, StoreError.t()}
  def history(%Store{} = store, name, options \\ []) do
    %{limit: limit} =
      Wasgo.Options.validate!(options, @history_options, "Wasgo.Script.Registry.history/3")

    with :ok <- check_name(name, "the script's name"),
         :ok <- Schema.migrate(store),
         do: Entries.history(store, name, limit)
  end

  @doc type: :version
  @doc """
  Makes a version the active one, and answers its number. Options: `:author`, for the history. Of the version that is active already there
  is nothing to do, nor to tell.

      iex> store = Wasgo.Store.open!(:memory)
      iex> for file <- ["wander", "shy"], do: Wasgo.Script.Registry.put!(store, "pet", File.read!("guest/scripts/\#{file}.wasm"))
      iex> Wasgo.Script.Registry.activate(store, "pet", 1)
      {:ok, 1}
  """
  @spec activate(Store.t(), String.t(), pos_integer(), keyword()) ::
          {:ok, pos_integer()} | {:error, StoreError.t()}
  def activate(%Store{} = store, name, version, options \\ []) when is_integer(version) do
    with {:ok, options} <- ready(store, name, options, @author_options, "activate/4"),
         do: Changes.activate(store, name, version, options.author)
  end

  @doc type: :version
  @doc """
  Makes the version active again that was before the active one, and answers its number. Options: `:author`, for the history.

  It undoes an activation, as the history tells them: done again, it goes back one further, and at the first it is the error
  `:no_earlier_version`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> for file <- ["wander", "shy"], do: Wasgo.Script.Registry.put!(store, "pet", File.read!("guest/scripts/\#{file}.wasm"))
      iex> Wasgo.Script.Registry.rollback(store, "pet", author: "Grace")
      {:ok, 1}
      iex> {:error, error} = Wasgo.Script.Registry.rollback(store, "pet")
      iex> error.reason
      :no_earlier_version
  """
  @spec rollback(Store.t(), String.t(), keyword()) ::
          {:ok, pos_integer()} | {:error, StoreError.t()}
  def rollback(%Store{} = store, name, options \\ []) do
    with {:ok, options} <- ready(store, name, options, @author_options, "rollback/3"),
         do: Changes.rollback(store, name, options.author)
  end

  @doc type: :version
  @doc """
  Deletes a script with all of its versions. Its history stays. Options:

    * `:objects` - delete its objects too, with what they keep. Unless given, a script that has some is the error `:in_use`, which names them
    * `:author` - for the history

  ## Examples

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> {:error, error} = Wasgo.Script.Registry.delete(store, "lamp")
      iex> error.reason
      :in_use
      iex> Wasgo.Script.Registry.delete(store, "lamp", objects: true, author: "Grace")
      :ok
  """
  @spec delete(Store.t(), String.t(), keyword()) :: :ok | {:error, StoreError.t()}
  def delete(%Store{} = store, name, options \\ []) do
    with {:ok, options} <- ready(store, name, options, @delete_options, "delete/3"),
         do: Changes.delete(store, name, options.objects, options.author)
  end

  defp ready(store, name, options, schema, function) do
    options = Wasgo.Options.validate!(options, schema, "Wasgo.Script.Registry.#{function}")

    with :ok <- check_name(name, "the script's name"),
         :ok <- check_optional(options.author, "the author"),
         :ok <- Schema.migrate(store),
         do: {:ok, options}
  end

  @doc type: :object
  @doc """
  Makes an object, or changes its kind and script. The script has to be there; it need not have an active version yet.

  Options: `:state` - `:keep` unless given, also where the script changes, since a new script may want what the old one knew; or `:clear`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> for name <- ["wander", "shy"], do: Wasgo.Script.Registry.put!(store, name, File.read!("guest/scripts/\#{name}.wasm"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "fox-3", "creature", "wander")
      iex> :ok = Wasgo.Script.Registry.put_object(store, "fox-3", "creature", "shy", state: :clear)
      iex> Wasgo.Script.Registry.get_object(store, "fox-3")
      {:ok, %{id: "fox-3", kind: "creature", script: "shy"}}
  """
  @spec put_object(Store.t(), String.t(), String.t(), String.t(), keyword()) ::
          :ok | {:error, StoreError.t()}
  def put_object(%Store{} = store, id, kind, script, options \\ []),
    do: Objects.put(store, id, kind, script, options)

  @doc type: :object
  @doc """
  An object: its id, kind and script.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> {:ok, object} = Wasgo.Script.Registry.get_object(store, "lamp-7")
      iex> {object.kind, object.script}
      {"furniture", "lamp"}
  """
  @spec get_object(Store.t(), String.t()) :: {:ok, object()} | {:error, StoreError.t()}
  def get_object(%Store{} = store, id), do: Objects.get(store, id)

  @doc type: :object
  @doc """
  Objects, by id. Options: `:kind` and `:script`, of which they are; `:after`, an id, and `:limit`, for a part of many: without a limit more
  than 100,000 are the error `:row_limit`.

      iex> {:ok, store} = Wasgo.Store.open(:memory)
      iex> {:ok, 1} = Wasgo.Script.Registry.put(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> for id <- ["a", "b", "c"], do: :ok = Wasgo.Script.Registry.put_object(store, id, "furniture", "lamp")
      iex> Wasgo.Script.Registry.list_objects(store, kind: "furniture", after: "a", limit: 1)
      {:ok, [%{id: "b", kind: "furniture", script: "lamp"}]}
  """
  @spec list_objects(Store.t(), keyword()) :: {:ok, [object()]} | {:error, StoreError.t()}
  def list_objects(%Store{} = store, options \\ []), do: Objects.list(store, options)

  @doc type: :object
  @doc """
  Deletes an object, with what it keeps.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> Wasgo.Script.Registry.delete_object(store, "lamp-7")
      :ok
  """
  @spec delete_object(Store.t(), String.t()) :: :ok | {:error, StoreError.t()}
  def delete_object(%Store{} = store, id), do: Objects.delete(store, id)

  @doc type: :object
  @doc """
  What an object keeps: values by keys, both binaries. Of a new object that is nothing.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> Wasgo.Script.Registry.object_state(store, "lamp-7")
      {:ok, %{}}
  """
  @spec object_state(Store.t(), String.t()) ::
          {:ok, %{binary() => binary()}} | {:error, StoreError.t()}
  def object_state(%Store{} = store, id), do: Objects.state(store, id)

  @doc type: :object
  @doc """
  Sets all that an object keeps. The bounds are those of `Wasgo.Script.State`: 4,096 keys of up to 1 KiB, values of up to 256 KiB, 1 MiB
  together. More is a `Wasgo.LimitError` with the reason `:state`.

      iex> store = Wasgo.Store.open!(:memory)
      iex> Wasgo.Script.Registry.put!(store, "lamp", File.read!("guest/scripts/lamp.wat"))
      iex> :ok = Wasgo.Script.Registry.put_object(store, "lamp-7", "furniture", "lamp")
      iex> :ok = Wasgo.Script.Registry.put_object_state(store, "lamp-7", %{"lit" => <<1>>, "owner" => "Ada"})
      iex> Wasgo.Script.Registry.object_state(store, "lamp-7")
      {:ok, %{"lit" => <<1>>, "owner" => "Ada"}}
  """
  @spec put_object_state(Store.t(), String.t(), %{binary() => binary()}) ::
          :ok | {:error, StoreError.t() | Wasgo.LimitError.t()}
  def put_object_state(%Store{} = store, id, state) when is_map(state) and not is_struct(state),
    do: Objects.put_state(store, id, state)

  @doc type: :schema
  @doc """
  Makes the tables, or brings those of an older Wasgo up to date: #{Schema.version()} is the schema's version. Every function does so where it
  is needed; done before, nobody waits for it.

      iex> Wasgo.Script.Registry.migrate(Wasgo.Store.open!(:memory))
      :ok
  """
  @spec migrate(Store.t()) :: :ok | {:error, Exception.t()}
  def migrate(%Store{} = store), do: Schema.migrate(store)
end
