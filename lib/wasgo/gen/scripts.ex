defmodule Wasgo.Gen.Scripts do
  @moduledoc false
  # The scripts that are given beside a plan: their bytes, their digests, their modules.

  alias Wasgo.{PlanError, Store, Wire}
  alias Wasgo.Script.Registry
  alias Wasgo.Wasm.Module

  @typedoc "A script's bytes and their digest, by its name in the plan."
  @type t :: %{String.t() => {source :: binary(), digest :: String.t()}}

  # Fetches what is kept in a store.
  @spec fetch(map() | keyword()) :: {:ok, t()} | {:error, Exception.t()}
  def fetch(given) do
    Enum.reduce_while(given, {:ok, %{}}, fn {name, script}, {:ok, done} ->
      name = to_string(name)

      case source(script) do
        {:ok, source} -> {:cont, {:ok, Map.put(done, name, {source, digest(source)})}}
        {:error, cause} -> {:halt, {:error, error(name, cause)}}
      end
    end)
  end

  defp source(bytes) when is_binary(bytes), do: {:ok, bytes}
  defp source({%Store{} = store, name}), do: source({store, name, :active})

  defp source({%Store{} = store, name, version}) do
    with {:ok, entry} <- Registry.get(store, name, version), do: {:ok, entry.source}
  end

  defp source(other) do
    raise ArgumentError,
          "a plan's script is its bytes, or {store, name} or {store, name, version}, and not #{inspect(other, limit: 5)}"
  end

  @doc false
  def digest(source), do: :sha256 |> :crypto.hash(source) |> Base.encode16(case: :lower)

  # Those that the plan's text names, as the native half takes them. Text that is none names none: that half says what is wrong with it.
  @spec compile(t(), binary()) ::
          {:ok, [{String.t(), String.t(), reference()}]} | {:error, PlanError.t()}
  def compile(scripts, _text) when scripts == %{}, do: {:ok, []}

  def compile(scripts, text) do
    scripts
    |> Map.take(names(text))
    |> Enum.reduce_while({:ok, []}, fn {name, {source, digest}}, {:ok, done} ->
      case Module.compile(source, deterministic: true) do
        {:ok, module} -> {:cont, {:ok, [{name, digest, module.resource} | done]}}
        {:error, cause} -> {:halt, {:error, error(name, cause)}}
      end
    end)
  end

  defp names(text) do
    case Wire.decode(text, :json) do
      {:ok, %{"scripts" => %{} = scripts}} -> Map.keys(scripts)
      _ -> []
    end
  end

  defp error(name, cause) do
    message = "scripts.#{name}: " <> Exception.message(cause)
    %PlanError{reason: :script, field: "scripts.#{name}", message: message, cause: cause}
  end
end
