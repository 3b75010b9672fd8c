defmodule Wasgo.NativeCalls do
  @moduledoc false
  # Which native functions some work calls. Tracing is of the whole VM, so that tests with this are not async.

  import ExUnit.Assertions

  alias Wasgo.Native

  @doc "Has calls of these functions told, `{name, arity}` each, until the test ends."
  def watch(functions) do
    for {name, arity} <- functions,
        do: :erlang.trace_pattern({Native, name, arity}, true, [])

    ExUnit.Callbacks.on_exit(fn ->
      for {name, arity} <- functions,
          do: :erlang.trace_pattern({Native, name, arity}, false, [])
    end)
  end

  @doc "The watched functions that `work` calls, in their order."
  def of(work) do
    # This process gets the traces, so another one is traced.
    worker =
      spawn_link(fn ->
        receive do: (:start -> work.())
      end)

    monitor = Process.monitor(worker)
    :erlang.trace(worker, true, [:call, :arity])
    send(worker, :start)
    assert_receive {:DOWN, ^monitor, :process, _, :normal}, 30_000
    delivered = :erlang.trace_delivered(worker)
    assert_receive {:trace_delivered, ^worker, ^delivered}, 30_000
    traced(worker)
  end

  defp traced(worker) do
    receive do
      {:trace, ^worker, :call, {Native, name, _arity}} -> [name | traced(worker)]
    after
      0 -> []
    end
  end
end
