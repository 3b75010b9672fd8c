defmodule Wasgo.ServiceError do
  @moduledoc """
  A service that gave no answer.

  `reason` is one of:

    * `{:exited, status}` - the program ended itself
    * `{:failed, exception}` - it trapped, or hit a limit
    * `:stopped` - it was stopped on purpose
    * `:timeout` - it did not answer in time
    * `:not_ready` - it did not say that it is ready in time
    * `:busy` - too many requests wait for it already
    * `:too_long` - a request or an answer is longer than a line may be
    * `:newline` - a request for a line service has a line break in it
    * `:not_bytes`, `:not_a_map` - a request is no binary, or no map where its number is to be put into it
    * `:control_character` - a request has a character that a container's terminal would act upon
    * `:not_started` - a container ended before its command ran; the message tells what its machine said at last
    * `:empty_argument` - without its shell, a container's command can't be passed an argument without characters
    * `:trailing_character` - nor an argument or a variable that ends with a backslash or with a character that is none of ASCII
    * `:invalid_directory` - a directory can't be mounted in a container where it is to be
    * `:restarting` - its program ended, and is being started anew
    * `:no_network`, `:unknown_port`, `:invalid_rule` - it was given no network, none of its ports has that name, or a rule for what it may
      connect to has no meaning
    * of a connection, those that `Wasgo.Service.Connection` lists, such as `:closed` and `:econnrefused`

  ## Examples

      iex> {:ok, namer} = Wasgo.Service.start_link(module: "guest/services/namer.wasm", ready: "READY")
      iex> {:error, error} = Wasgo.Service.request(namer, "two\\nlines")
      iex> error.reason
      :newline
  """

  defexception [:reason, :message]

  @type reason ::
          {:exited, integer()}
          | {:failed, Exception.t()}
          | :stopped
          | :timeout
          | :not_ready
          | :busy
          | :too_long
          | :newline
          | :not_bytes
          | :not_a_map
          | :control_character
          | :not_started
          | :empty_argument
          | :trailing_character
          | :invalid_directory
          | :restarting
          | :no_network
          | :unknown_port
          | :invalid_rule
          | connection_reason()

  @typedoc "Why a connection is over, or something was not done with it: as of `:gen_tcp`."
  @type connection_reason ::
          :closed
          | :ealready
          | :econnaborted
          | :econnrefused
          | :econnreset
          | :einval
          | :emfile
          | :emsgsize
          | :enetdown
          | :etimedout
          | :not_owner
          | :rejected

  @type t :: %__MODULE__{reason: reason(), message: String.t()}
end
