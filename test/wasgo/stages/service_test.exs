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

  @echo """
  (local $n i32)
  (loop
    (local.set $n (call $in (i32.const 1024)))
    (if (i32.eqz (local.get $n)) (then (call $exit (i32.const 0))))
    (call $out (i32.const 1) (i32.const 1024) (local.get $n))
    (br 0))
  """

  test "a pool is asked by several at once; a copy that is killed costs no buffer" do
    Process.flag(:trap_exit, true)

    {:ok, pool} =
      Service.Pool.start_link(service: [module: program(@echo)], size: 2, max_in_flight: 2)

    stage =
      {Stages.Service,
       pool: pool, ask: &"ask #{&1.payload}", answer: &%{&1 | payload: &2}, retries: 5}

    kill = fn buffer ->
      if buffer.payload == 40 do
        {:ok, %{copies: [copy | _]}} = Service.Pool.info(pool)
        Process.exit(copy, :kill)
      end

      {:ok, buffer}
    end

    answers =
      for(number <- 1..200, do: Buffer.new(number))
      |> Pipeline.through({Stages.Transform, with: kill})
      |> Pipeline.through(stage, max_concurrency: 4, max_in_flight: 16)
      |> Enum.map(fn {:ok, buffer} -> buffer.payload end)

    assert answers == for(number <- 1..200, do: "ask #{number}")
    assert {:ok, %{replaced: 1}} = Service.Pool.info(pool)
  end

  test "answers are passed on in the order in which they came, where that of the buffers does not matter" do
    first = :ets.new(:first, [:public])

    # The first waits for another's answer.
    answer = fn
      %{payload: 1} = buffer, line ->
        :ets.insert(first, {:worker, self()})

        receive do
          :go -> %{buffer | payload: line}
        after
          30_000 -> flunk("no other was answered before it")
        end

      buffer, line ->
        assert eventually(fn -> :ets.lookup(first, :worker) != [] end)
        send(:ets.lookup_element(first, :worker, 2), :go)
        %{buffer | payload: line}
    end

    service = start_supervised!({Service, module: program("(call $cat)")})
    stage = {Stages.Service, service: service, ask: &"#{&1.payload}", answer: answer}
    buffers = for number <- 1..10, do: Buffer.new(number)
    together = [max_concurrency: 2, max_in_flight: 10]

    for {ordered, first?} <- [{true, true}, {false, false}] do
      :ets.delete_all_objects(first)

      lines =
        buffers
        |> Pipeline.through(stage, [ordered: ordered] ++ together)
        |> Enum.map(fn {:ok, buffer} -> buffer.payload end)

      assert Enum.sort(lines) == Enum.sort(for(number <- 1..10, do: "#{number}"))
      assert hd(lines) == "1" == first?
    end
  end

  test "options are checked when the pipeline is built" do
    assert_raise ArgumentError, ~r/option :service .* a process/, fn ->
      Pipeline.through([], stage("name"))
    end

    assert_raise ArgumentError, ~r/option :timeout/, fn ->
      Pipeline.through([], stage(self(), timeout: 0))
    end

    for {options, words} <- [
          {[], ~r/needs the option :service or :pool/},
          {[service: self(), pool: self()], ~r/one of the options :service and :pool/},
          {[service: self(), retries: 1], ~r/option :retries with a :pool only/}
        ] do
      assert_raise ArgumentError, words, fn ->
        Pipeline.through(
          [],
          {Stages.Service, [ask: & &1.payload, answer: fn _, _ -> nil end] ++ options}
        )
      end
    end
  end
end
