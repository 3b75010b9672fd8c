defmodule Wasgo.PythonPeer do
  @moduledoc false
  # Python's json, msgpack and cbor2, in a process beside the VM: test/peers/peer.py.

  alias Wasgo.TestJSON

  @peers Path.expand("../peers", __DIR__)

  @doc "What is missing for it here, or nil."
  @spec missing() :: String.t() | nil
  def missing, do: Wasgo.SetupScript.missing("peers/setup", "--python")

  @doc "Starts it. It ends with the calling process."
  @spec start() :: port()
  def start do
    {:ok, python} = python()
    args = ["-u", Path.join(@peers, "peer.py")]
    Port.open({:spawn_executable, python}, [:binary, :exit_status, packet: 4, args: args])
  end

  @doc "What Python says that the bytes are: terms as `described/1` has them."
  @spec read(port(), binary(), atom()) :: {:ok, term()} | {:error, String.t()}
  def read(port, bytes, format) do
    with {:ok, text} <- call(port, "d", format, bytes), do: {:ok, TestJSON.decode!(text)}
  end

  @doc "The ways in which Python writes a term."
  @spec write(port(), term(), atom()) :: {:ok, [binary()]} | {:error, String.t()}
  def write(port, term, format) do
    text = term |> described() |> json() |> IO.iodata_to_binary()
    with {:ok, parts} <- call(port, "w", format, text), do: {:ok, parts(parts)}
  end

  @doc "A term as lists of texts, as Python describes its own."
  @spec described(term()) :: list()
  def described(nil), do: ["n"]
  def described(true), do: ["o", "1"]
  def described(false), do: ["o", "0"]
  def described(:nan), do: ["f", "nan"]
  def described(:infinity), do: ["f", "7ff0000000000000"]
  def described(:neg_infinity), do: ["f", "fff0000000000000"]
  def described(term) when is_integer(term), do: ["i", Integer.to_string(term)]
  def described(term) when is_float(term), do: ["f", hex(<<term::float>>)]
  def described(term) when is_binary(term), do: ["t", hex(term)]
  def described({:blob, binary}), do: ["b", hex(binary)]
  def described({:ext, type, binary}), do: ["x", Integer.to_string(type), hex(binary)]
  def described({:tag, number, term}), do: ["g", Integer.to_string(number), described(term)]
  def described(term) when is_list(term), do: ["l" | Enum.map(term, &described/1)]

  def described(term) when is_map(term) do
    pairs = for {key, value} <- term, do: [described(key), described(value)]
    ["m" | Enum.sort_by(pairs, &IO.iodata_to_binary(json(&1)))]
  end

  defp hex(binary), do: Base.encode16(binary, case: :lower)

  # As Python's json writes lists of such texts.
  defp json(text) when is_binary(text), do: [?", text, ?"]
  defp json(list), do: [?[, Enum.intersperse(Enum.map(list, &json/1), ", "), ?]]

  defp parts(<<size::32, part::binary-size(size), rest::binary>>), do: [part | parts(rest)]
  defp parts(""), do: []

  defp call(port, operation, format, bytes) do
    name = Atom.to_string(format)
    Port.command(port, [operation, byte_size(name), name, bytes])

    receive do
      {^port, {:data, <<0, answer::binary>>}} -> {:ok, answer}
      {^port, {:data, <<1, problem::binary>>}} -> {:error, problem}
      {^port, {:exit_status, status}} -> {:error, "Python ended with status #{status}"}
    end
  end

  # bash by name: the script itself may have lost its mode in a checkout.
  defp python, do: Wasgo.SetupScript.ask("peers/setup", "--python")
end
