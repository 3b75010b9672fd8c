defmodule Wasgo.Stages.ServiceTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{Buffer, Pipeline, Service, ServiceError}
  alias Wasgo.Stages

  defp stage(service, options \\ []) do
    {Stages.Service,
     [service: service, ask: &"ask #{&1.payload}", answer: &%{&1 | payload: &2}] ++ options}
  end

  test "each buffer is asked for, in order, and what the answer makes of it goes on" do
    service = start_supervised!({Service, module: program("(call $cat)")})

    buffers =
      for number <- 1..50, do: Buffer.new(number, pts: number, metadata: %{number: number})

    assert Enum.to_list(Pipeline.through(buffers, stage(service))) ==
             for(
               number <- 1..50,
               do:
                 {:ok,
                  %Buffer{payload: "ask #{number}", pts: number, metadata: %{number: number}}}
             )
  end

  test "a service may be told by its name" do
    name = :"named_#{System.unique_integer([:positive])}"
    start_supervised!({Service, module: program("(call $cat)"), name: name})

    assert [{:ok, %{payload: "ask x"}}] =
             Enum.to_list(Pipeline.through([Buffer.new("x")], stage(name)))
  end

  test "a request that fails costs its buffer" do
    service = start_supervised!({Service, module: program("(call $cat)")})

    assert [
             {:ok, %{payload: "ask a"}},
             {:error, %ServiceError{reason: :newline}},
             {:ok, %{payload: "ask c"}}
           ] =
             Enum.to_list(
               Pipeline.through(Enum.map(["a", "b\n", "c"], &Buffer.new/1), stage(service))
             )

    silent = start_supervised!({Service, module: program("(call $silent)")}, id: :silent)

    assert [{:error, %ServiceError{reason: :timeout}}] =
             Enum.to_list(Pipeline.through([Buffer.new("a")], stage(silent, timeout: 20)))

    assert Service.stop(silent) == :ok
  end

  test "options are checked when the pipeline is built" do
    assert_raise ArgumentError, ~r/option :service .* a process/, fn ->
      Pipeline.through([], stage("name"))
    end

    assert_raise ArgumentError, ~r/option :timeout/, fn ->
      Pipeline.through([], stage(self(), timeout: 0))
    end

    assert_raise ArgumentError, ~r/needs the option :service/, fn ->
      Pipeline.through([], Stages.Service)
    end
  end
end
