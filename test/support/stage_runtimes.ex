defmodule Wasgo.StageRuntimes do
  @moduledoc false
  # Each way to run a stage: gives the elements that come of buffers, as `Wasgo.Pipeline` has them. A Membrane pipeline tells of errors beside its
  # buffers, so that they come behind them here.

  import ExUnit.Assertions

  alias Wasgo.Pipeline
  alias Wasgo.Pipeline.{Messages, Reader, Writer}

  @doc "Names of the runtimes that there are."
  def names, do: [:stream, :own_process, :reader, :writer, :messages] ++ membrane()

  @doc "Whether a runtime is Membrane's."
  def membrane?(runtime), do: String.starts_with?(Atom.to_string(runtime), "membrane")

  if Code.ensure_loaded?(Membrane.Testing.Pipeline) do
    defp membrane, do: [:membrane, :membrane_one_in_flight]
  else
    defp membrane, do: []
  end

  @doc "What comes of buffers in a stage, and its format, where the runtime has formats."
  def run(runtime, buffers, stage, format \\ %Wasgo.Format.Terms{})

  def run(:stream, buffers, stage, _format), do: Enum.to_list(Pipeline.through(buffers, stage))

  def run(:own_process, buffers, stage, _format),
    do: Enum.to_list(Pipeline.through(buffers, stage, max_in_flight: 3, timeout: 60_000))

  def run(:reader, buffers, stage, _format) do
    {:ok, reader} = Reader.start_link([buffers, stage])
    elements = read(reader, [])
    Reader.close(reader)
    elements
  end

  def run(:writer, buffers, stage, _format) do
    {:ok, writer} = Writer.start_link([stage], to: self(), max_in_flight: 2)
    for buffer <- buffers, do: Writer.write(writer, buffer)
    {:ok, _summary} = Writer.close(writer)
    written(writer)
  end

  def run(:messages, buffers, stage, _format) do
    messages = Messages.start([buffers, stage], demand: 2)
    heard(messages, [])
  end

  if Code.ensure_loaded?(Membrane.Testing.Pipeline) do
    def run(membrane, buffers, stage, format)
        when membrane in [:membrane, :membrane_one_in_flight] do
      most = if membrane == :membrane, do: 32, else: 1
      Wasgo.MembranePipelines.run(buffers, stage, format, most)
    end
  end

  defp read(reader, elements) do
    case Reader.read(reader, 2, 60_000) do
      {:ok, more} -> read(reader, elements ++ more)
      :end_of_stream -> elements
    end
  end

  defp written(writer) do
    receive do
      {Writer, ^writer, element} -> [element | written(writer)]
    after
      0 -> []
    end
  end

  defp heard(%{ref: ref} = messages, elements) do
    assert_receive {:wasgo, ^ref, message}, 60_000

    case message do
      :end_of_stream ->
        Enum.reverse(elements)

      element ->
        Messages.demand(messages, 1)
        heard(messages, [element | elements])
    end
  end
end
