defmodule Wasgo.Format do
  @moduledoc """
  What a stream carries: the stream formats of Wasgo's own payloads.

  | format | payload |
  | --- | --- |
  | `Wasgo.Format.Bytes` | a binary |
  | `Wasgo.Format.Chunks` | a `Wasgo.Gen.Chunk` |
  | `Wasgo.Format.Scene` | a `Wasgo.Scene` |
  | `Wasgo.Format.Rows` | a `Wasgo.Rows` |
  | `Wasgo.Format.Terms` | any term |

  A Membrane stream says its format before its first buffer and again whenever it changes; `c:Wasgo.Stage.handle_format/2` is told. To Membrane
  `Wasgo.Format.Bytes` is `Membrane.RemoteStream`, which other elements know.
  """

  @typedoc "One of the structs above, or a format of somebody else."
  @type t :: struct()

  defmodule Bytes do
    @moduledoc """
    Payloads are binaries: pieces of one stream of bytes (`packetized: false`), whose borders mean nothing, or packets. `content` says of what,
    where that is known: a module that stands for a format, as in `Membrane.RemoteStream`.
    """
    defstruct packetized: false, content: nil
    @type t :: %__MODULE__{packetized: boolean(), content: module() | nil}
  end

  defmodule Chunks do
    @moduledoc "Payloads are `Wasgo.Gen.Chunk`s, or a `Wasgo.Gen.Gone` of one that nobody wants any more; of the world that `plan` makes, where that is known."
    defstruct plan: nil
    @type t :: %__MODULE__{plan: Wasgo.Gen.Plan.t() | nil}
  end

  defmodule Scene do
    @moduledoc "Payloads are `Wasgo.Scene`s."
    defstruct []
    @type t :: %__MODULE__{}
  end

  defmodule Rows do
    @moduledoc "Payloads are `Wasgo.Rows`; all with these columns, where they are known."
    defstruct columns: nil
    @type t :: %__MODULE__{columns: [String.t()] | nil}
  end

  defmodule Terms do
    @moduledoc "Payloads are terms of any kind."
    defstruct []
    @type t :: %__MODULE__{}
  end

  # What a payload may be, by the format that says so: `:unknown` for formats of others.
  @doc false
  @spec payload(t() | nil) :: :binary | :chunk | :scene | :rows | :unknown
  def payload(%Bytes{}), do: :binary
  def payload(%Chunks{}), do: :chunk
  def payload(%Scene{}), do: :scene
  def payload(%Rows{}), do: :rows
  def payload(_other), do: :unknown
end
