defmodule Wasgo.GodotError do
  @moduledoc """
  Something that the link to a Godot engine could not do.

  `reason` is one of:

    * `{:listen, posix}` - the listener could not be opened, for instance `{:listen, :eaddrinuse}`
    * `:timeout` - it took longer than the caller waits. A frame that was to be sent was not
    * `:full` - there is no room for the frame now, and the caller did not want to wait. It was not sent
    * `{:disconnected, why}` - the connection is closed, or closed while the caller waited; `t:why/0` says why
    * `{:encode, exception}` - a frame that cannot be written as a Variant, with the `Wasgo.EncodeError`
    * `{:too_large, limit}` - a frame of more bytes than one may have
    * `{:too_many_waiting, limit}` - that many callers wait for this connection already
    * `{:start, why}` - a program was not started: `:enoent` (there is none of that name), `:enotdir` (nor such a folder) or `:no_server`
    * `{:engine, message}` - the engine answered a request with an error, in its words

  ## Examples

      iex> {:ok, server} = Wasgo.Godot.Server.start_link(token: "a shared secret")
      iex> {:error, error} = Wasgo.Godot.Server.await_connection(server, 1)
      iex> error.reason
      :timeout
  """

  alias Wasgo.EncodeError

  @enforce_keys [:reason]
  defexception [:reason, :message]

  @typedoc """
  Why a connection ended.

    * `:closed` - by `Wasgo.Godot.Connection.close/2`
    * `:stopped` - its server was stopped
    * `{:bye, text}` - the engine ended it on purpose
    * `:lost` - the engine is gone, without a word
    * `:silent` - nothing was heard from it for three heartbeats
    * `:not_reading` - it asks, and does not read the answers
    * `:hello_timeout` - it did not finish the handshake in time
    * `{:refused, text}` - its hello or its proof was not accepted
    * `:world_gone` - the world that it showed has ended
    * `{:malformed, words}` - it sent what the protocol does not know
    * `{:too_large, limit}` - it declared a frame of more bytes than it may send
    * `{:socket, reason}` - the socket failed: a POSIX code, or what TLS found wrong
    * `:gone` - it had ended before the call; why is in the log, and was told to those who subscribed to its server
    * `{:crashed, term}` - the connection's process did; a fault of the library
  """
  @type why ::
          :closed
          | :stopped
          | {:bye, String.t()}
          | :lost
          | :silent
          | :not_reading
          | :hello_timeout
          | :world_gone
          | {:refused, String.t()}
          | {:malformed, String.t()}
          | {:too_large, limit :: pos_integer()}
          | {:socket, atom() | tuple()}
          | :gone
          | {:crashed, term()}

  @type reason ::
          {:listen, atom()}
          | :timeout
          | :full
          | {:disconnected, why()}
          | {:encode, EncodeError.t()}
          | {:too_large, limit :: pos_integer()}
          | {:too_many_waiting, limit :: pos_integer()}
          | {:start, :enoent | :enotdir | :no_server}
          | {:engine, String.t()}

  @type t :: %__MODULE__{reason: reason(), message: String.t() | nil}

  @impl true
  @doc """
  The reason in words.

      iex> Exception.message(%Wasgo.GodotError{reason: {:disconnected, :silent}})
      "the connection to the engine is closed: nothing was heard from it for three heartbeats"
  """
  def message(%__MODULE__{message: message}) when is_binary(message), do: message
  def message(%__MODULE__{reason: reason}), do: words(reason)

  defp words({:listen, posix}), do: "cannot listen: #{:inet.format_error(posix)}"
  defp words(:timeout), do: "the engine did not do it in time"
  defp words(:full), do: "there is no room for the frame now"
  defp words({:disconnected, why}), do: "the connection to the engine is closed: #{why(why)}"
  defp words({:encode, error}), do: "the frame cannot be encoded: #{Exception.message(error)}"
  defp words({:too_large, limit}), do: "the frame is larger than the limit of #{limit} bytes"
  defp words({:too_many_waiting, limit}), do: "#{limit} callers wait for this connection already"
  defp words({:engine, message}), do: "the engine says: #{message}"
  defp words(other), do: inspect(other)

  # Texts from the peer are shown as Elixir would write them, so that they cannot forge a line of a log.
  @doc false
  @spec why(why()) :: String.t()
  def why(:closed), do: "it was closed here"
  def why(:stopped), do: "the server was stopped"
  def why({:bye, text}), do: "the engine said bye: #{inspect(text)}"
  def why(:lost), do: "the engine is gone"
  def why(:silent), do: "nothing was heard from it for three heartbeats"
  def why(:not_reading), do: "it does not read what it asked for"
  def why(:hello_timeout), do: "it did not finish the handshake in time"
  def why(:world_gone), do: "the world that it showed has ended"
  def why({:refused, reason}), do: "refused: #{reason}"
  def why({:malformed, words}), do: "it sent #{words}"
  def why({:too_large, limit}), do: "it declared a frame of more than #{limit} bytes"

  def why({:socket, {:tls_alert, {_kind, words}}}),
    do: "the TLS handshake failed: #{inspect(to_string(words))}"

  def why({:socket, posix}) when is_atom(posix),
    do: "the socket failed: #{:inet.format_error(posix)}"

  def why({:socket, reason}), do: "the socket failed: #{inspect(reason, limit: 16)}"
  def why(:gone), do: "it had ended before"
  def why({:crashed, reason}), do: "its process crashed: #{inspect(reason, limit: 16)}"
  def why(other), do: inspect(other, limit: 16)
end
