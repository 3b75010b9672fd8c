defmodule Wasgo.Store.Access do
  @moduledoc false
  # What a user's SQL may reach, checked here and kept in Rust.

  alias Wasgo.Native

  @options [
    read: [type: :list, default: []],
    write: [type: :list, default: []],
    through: [type: {:list_of, {:or, [:string, :atom]}}, default: []]
  ]

  # What `allow` lets, of what the handle has.
  @spec new(Wasgo.Store.t(), keyword(), String.t()) :: reference()
  def new(store, allow, owner) do
    options = Wasgo.Options.validate!(allow, @options, owner)

    Native.store_access(
      store.access,
      Enum.map(options.read, &table!(&1, :read, owner)),
      Enum.map(options.write, &table!(&1, :write, owner)),
      Enum.map(options.through, &to_string/1)
    )
  end

  defp table!(name, _option, _owner) when is_binary(name), do: {name, nil}

  defp table!(name, _option, _owner) when is_atom(name) and name != nil,
    do: {to_string(name), nil}

  defp table!({name, columns} = given, option, owner) when is_list(columns) do
    {name, nil} = table!(name, option, owner)

    if Enum.all?(columns, &(is_binary(&1) or is_atom(&1))) do
      {name, Enum.map(columns, &to_string/1)}
    else
      refuse!(given, option, owner)
    end
  end

  defp table!(given, option, owner), do: refuse!(given, option, owner)

  defp refuse!(given, option, owner) do
    raise ArgumentError,
          "option #{inspect(option)} of #{owner} lists names of tables, or {name, columns}, and has: #{inspect(given)}"
  end
end
