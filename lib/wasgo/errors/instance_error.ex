defmodule Wasgo.InstanceError do
  @moduledoc """
  An instance that can't be used the way it was asked to.

  `reason` is one of:

    * `:busy` - another process's call is under way
    * `:poisoned` - a call was stopped in the middle, so that nothing is known of the instance's memory, or a component
      trapped; make a new one
    * `:closed` - it was closed
    * `:cancelled` - the call was stopped because the instance was closed
    * `:arguments` - the arguments do not fit the parameters
    * `:out_of_bounds` - memory was addressed that is not there
    * `:engine` - the engine failed; a fault of the host, not of the guest

  ## Examples

      iex> instance = Wasgo.Wasm.Instance.new!(Wasgo.Wasm.Module.compile!(~s|(module (func (export "age") (param i32)))|))
      iex> {:error, error} = Wasgo.Wasm.Instance.call(instance, "age", ["seven"])
      iex> error.reason
      :arguments
  """

  defexception [:reason, :message]

  @type t :: %__MODULE__{reason: atom(), message: String.t()}
end
