defmodule Wasgo.Store.Opening do
  @moduledoc false
  # How a database is opened: which options a file, memory, a server and a copy of one have, and what they mean.

  alias Wasgo.{Native, Store, StoreError}
  alias Wasgo.Native.Result

  @file_options [
    read_only: [type: :boolean, default: false],
    create: [type: :boolean, default: true],
    wal: [type: :boolean, default: true],
    synchronous: [type: {:in, [:off, :normal, :full]}, default: :full],
    busy_timeout: [type: :non_neg_integer, default: 5_000],
    foreign_keys: [type: :boolean, default: true],
    max_bytes: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
    readers: [type: {:or, [{:range, 0..64}, {:in, [nil]}]}, default: nil]
  ]

  @server_options [
    auth_token: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    connect_timeout: [type: :pos_integer, default: 5_000]
  ]

  @replica_options [
    replica_of: [type: {:or, [:string, {:in, [nil]}]}, default: nil],
    sync_every: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
    read_your_writes: [type: :boolean, default: true]
  ]

  @options @file_options ++ @server_options ++ @replica_options

  # What has a meaning where. The rest is refused: it would be done by nobody.
  @of_server Keyword.keys(@server_options)
  @of_replica Keyword.keys(@server_options ++ @replica_options) ++ [:readers]
  @of_file Keyword.keys(@file_options) ++ [:replica_of]

  @spec open(Path.t() | :memory, keyword()) :: {:ok, Store.t()} | {:error, StoreError.t()}
  def open(location, given) do
    options = Wasgo.Options.validate!(given, @options, "Wasgo.Store.open/2")

    case kind(location, options) do
      :server ->
        with :ok <- known(given, @of_server, "a database on a server") do
          await(Native.store_open_server(server(location, options)), location, location)
        end

      :replica ->
        with :ok <- known(given, @of_replica, "a copy of a server's database") do
          replica =
            {server(options.replica_of, options), options.sync_every, options.read_your_writes}

          open_file(location, options, replica)
        end

      :file ->
        with :ok <- known(given, @of_file, "a database of this machine") do
          open_file(location, options, nil)
        end
    end
  end

  # No path looks like an address by accident. The schemes that are not known here are refused by name.
  defp server?(location),
    do: is_binary(location) and location =~ ~r{\A(https?|libsql|wss?)://}i

  defp kind(location, options) do
    cond do
      server?(location) -> :server
      options.replica_of != nil -> :replica
      true -> :file
    end
  end

  defp known(given, known, what) do
    case Enum.find(given, fn {name, value} -> value != nil and name not in known end) do
      nil ->
        :ok

      {name, _value} ->
        message = "option #{name}: it has no meaning for #{what}"
        {:error, %StoreError{reason: :invalid_option, message: message}}
    end
  end

  defp server(url, options), do: {url, options.auth_token, options.connect_timeout}

  defp open_file(location, options, replica) do
    path = if location == :memory, do: nil, else: Path.expand(location)
    synchronous = Enum.find_index([:off, :normal, :full], &(&1 == options.synchronous))

    native =
      {path, options.read_only, options.create, synchronous, options.busy_timeout,
       options.foreign_keys, options.max_bytes}

    native
    |> Native.store_open(options.wal, options.readers, replica)
    |> await(path || :memory, options.replica_of)
  end

  defp await(opened, location, server) do
    with {:ok, {resource, readers}} <- Result.await(opened) do
      {:ok,
       %Store{
         resource: resource,
         ref: make_ref(),
         location: location,
         server: server,
         readers: readers
       }}
    end
  end
end
