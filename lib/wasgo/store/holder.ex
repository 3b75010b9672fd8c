defmodule Wasgo.Store.Holder do
  @moduledoc false
  # A process that opens a database and holds it open: what a supervisor starts and stops, since a store itself is none. The store is the value of its name where
  # that is one of a registry's.

  use GenServer

  alias Wasgo.{Label, Store}

  @spec start_link(map()) :: GenServer.on_start()
  def start_link(%{name: name} = start) do
    GenServer.start_link(__MODULE__, start, if(name, do: [name: name], else: []))
  end

  @impl true
  def init(%{location: location, options: options} = start) do
    Process.flag(:trap_exit, true)

    case Store.open(location, options) do
      {:ok, store} ->
        Label.put({Store, store.location}, wasgo_store: store.location)

        with {:via, Registry, {registry, key}} <- start.name,
             do: Registry.update_value(registry, key, fn _ -> store end)

        {:ok, store}

      {:error, exception} ->
        {:stop, exception}
    end
  end

  @impl true
  def handle_call(:store, _from, store), do: {:reply, store, store}

  @impl true
  def handle_info(_stray, store), do: {:noreply, store}

  @impl true
  def terminate(_reason, store), do: Store.close(store)
end
