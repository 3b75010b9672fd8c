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
    * `:control_character` - a request has a character that a container's terminal would act upon
    * `:empty_argument` - a container's command can't be passed an argument without characters
    * `:restarting` - its program ended, and is being started anew
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
          | :control_character
          | :empty_argument
          | :restarting

  @type t :: %__MODULE__{reason: reason(), message: String.t()}
end
