defmodule Wasgo.Label do
  @moduledoc false
  # What a process is called where no name is registered: in observer, in crash reports and in the metadata of its log lines.

  # The one key that OTP looks at, from 27 on. Older ones have it in the process dictionary, where observer shows it too.
  @key :"$process_label"

  # Labels the calling process, and gives its log lines this metadata.
  @spec put(term(), keyword()) :: :ok
  def put(label, metadata \\ []) do
    Process.put(@key, label)
    Logger.metadata(metadata)
  end

  @doc "What a process that is registered like this is called; the calling process itself where it is not."
  @spec name(term()) :: term()
  def name(nil), do: self()
  # In a `Wasgo.Supervisor`.
  def name({:via, Registry, {_registry, {_kind, name}}}), do: name
  def name(name), do: name

  @doc "The label of a process; `nil` where it has none, or is gone."
  @spec get(pid()) :: term()
  def get(pid) do
    with {:dictionary, dictionary} <- Process.info(pid, :dictionary),
         {@key, label} <- List.keyfind(dictionary, @key, 0),
         do: label,
         else: (_none -> nil)
  end
end
