defmodule Wasgo.HostileGuestsTest do
  @moduledoc """
  Every way in which one guest may be hostile, with the answer that it must get. A new case is a file in `guests` (or a generator in
  `test/support/hostile_guests.ex`) and a line here: a name, the guest, what is done with it, the answer.

  What is done:

    * `:compile`
    * `{:instance, options}` - compile and instantiate
    * `{:call, export, arguments, options}` - and call; `limits:` among the options are the instance's
    * `{:call_many, export, rows, options}`
    * `{:script, options}` - make a script
    * `{:notify, rows, options}`, `{:process, input, options}` - and have it notified, or process
    * `{:service, options}` - start it as a service

  The answer is `{:ok, term}`; `:ok`, whatever the term; or an error's struct and reason, and, if need be, its `value`. Of a reason
  that is a tuple its first element. `{:row, answer}` is the only row's answer.

  After each case another instance answers, of another module and of the same if it compiles.
  """

  use ExUnit.Case, async: true

  alias Wasgo.{CompileError, DecodeError, HostileGuests, LimitError, LinkError, Script, Service}
  alias Wasgo.{ServiceError, TrapError}
  alias Wasgo.Wasm.{Instance, Module}

  @moduletag :capture_log
  @moduletag timeout: 120_000

  @mib 1_048_576
  # Of the scripts that are generated.
  @memory 40 * 65_536

  stopped = fn value -> {LimitError, :time, value} end
  contract = {DecodeError, :contract}
  stack = {LimitError, :stack, 524_288}
  raw = &HostileGuests.raw/4
  row = fn count, size, slots, heap -> {:row, [raw.(count, size, slots, heap)]} end

  @endless [
    {"a loop in a call", "spin", {:call, "spin", [], timeout: 30}, stopped.(30)},
    {"a loop in the start function", "spin_in_start", {:instance, timeout: 30}, stopped.(30)},
    {"a loop in _initialize", "spin_in_initialize", {:instance, timeout: 30}, stopped.(30)},
    {"a loop in wasgo_alloc", "spin_in_alloc", {:notify, [[1]], timeout: 30}, stopped.(30)},
    {"a loop in wasgo_alloc for a buffer", "spin_in_alloc", {:process, "x", timeout: 30},
     stopped.(30)},
    {"a loop in _columns", "spin_in_columns", {:script, timeout: 30}, stopped.(30)},
    {"a loop in _notification", "spin_in_notification", {:notify, [[1], [2]], timeout: 30},
     stopped.(30)},
    {"a loop in process", "spin_in_process", {:process, "x", timeout: 30}, stopped.(30)},
    {"endless tail calls", "spin_without_a_loop", {:call, "direct", [], timeout: 30},
     stopped.(30)},
    {"endless tail calls through a table", "spin_without_a_loop",
     {:call, "indirect", [], timeout: 30}, stopped.(30)},
    {"2^40 calls", "spin_without_a_loop", {:call, "tree", [40], timeout: 30}, stopped.(30)},
    {"growing for ever what can't grow", "memory_grown", {:call, "forever", [], timeout: 50},
     stopped.(50)},
    {"memory.fill of everything for ever", "bulk", {:call, "fill", [], timeout: 50},
     stopped.(50)},
    {"memory.copy of everything for ever", "bulk", {:call, "copy", [], timeout: 50},
     stopped.(50)},
    {"memory.init for ever", "bulk", {:call, "init", [], timeout: 50}, stopped.(50)},
    {"table.fill for ever", "bulk", {:call, "table_fill", [], timeout: 50}, stopped.(50)},
    {"table.copy for ever", "bulk", {:call, "table_copy", [], timeout: 50}, stopped.(50)}
  ]

  @recursive [
    {"a function that calls itself", "recursion", {:call, "self", [], []}, stack},
    {"two that call each other", "recursion", {:call, "mutual", [], []}, stack},
    {"one that calls itself through a table", "recursion", {:call, "table", [], []}, stack},
    {"one with many results", "recursion", {:call, "results", [], []}, stack},
    {"frames of 80 kB", {:wide_frames, [10_000]}, {:call, "f", [], []}, stack},
    {"in the start function", "recursion_in_start", {:instance, []}, stack},
    {"in wasgo_alloc", "recursion_in_script", {:notify, [[1, 2]], []}, {:row, stack}},
    {"in _notification", "recursion_in_script", {:notify, [[1]], []}, {:row, stack}},
    {"in process", "recursion_in_script", {:process, "x", []}, stack}
  ]

  @greedy [
    {"4 GiB to begin with", "memory_declared", {:instance, []}, {LimitError, :memory, 64 * @mib}},
    {"memory by the page", "memory_grown", {:call, "steps", [], []},
     {LimitError, :memory, 64 * @mib}},
    {"memory at once", "memory_grown", {:call, "at_once", [], []},
     {LimitError, :memory, 64 * @mib}},
    {"a negative number of pages", "memory_grown", {:call, "negative", [], []}, {:ok, [-1]}},
    {"more memory, and then none", "memory_grown", {:call, "modest", [], []}, {:ok, [1]}},
    {"memory in the start function", "memory_in_start", {:instance, []},
     {LimitError, :memory, 64 * @mib}},
    {"little memory, of which there is less", "memory_grown",
     {:call, "steps", [], limits: [memory: @mib]}, {LimitError, :memory, @mib}},
    {"a table of 2^32 elements", "table_declared", {:instance, []}, {LimitError, :table, 20_000}},
    {"a table by the hundred", "table_grown", {:call, "steps", [], []},
     {LimitError, :table, 20_000}},
    {"a table at once", "table_grown", {:call, "at_once", [], []}, {:ok, [-1]}},
    {"17 tables", {:tables, [17]}, {:instance, []}, {LimitError, :tables, 16}},
    {"16 tables", {:tables, [16]}, {:instance, []}, :ok},
    {"filling past the end", "bulk", {:call, "fill_past_the_end", [], []},
     {TrapError, :memory_out_of_bounds}},
    {"copying past the end", "bulk", {:call, "copy_past_the_end", [], []},
     {TrapError, :memory_out_of_bounds}},
    {"initialising past the end", "bulk", {:call, "init_past_the_end", [], []},
     {TrapError, :memory_out_of_bounds}},
    {"copying past a table's end", "bulk", {:call, "table_copy_past_the_end", [], []},
     {TrapError, :table_out_of_bounds}}
  ]

  @place [
    {"its last 8 bytes for 24", @memory - 8, {:row, contract}},
    {"its end", @memory, {:row, contract}},
    {"what wraps to its beginning", 0xFFFF_FFF8, {:row, contract}},
    {"half of 2^32", 0x8000_0000, {:row, contract}},
    {"an odd one", 65_537, {:row, contract}},
    {"an even one that is no multiple of 8", 65_540, {:row, contract}},
    {"none", 0, {:row, contract}},
    {"its last 24 bytes", @memory - 24, {:row, {:ok, [1]}}},
    {"its first bytes but none", 8, {:row, {:ok, [1]}}}
  ]

  @spans [
    {"a byte past the end", {@memory, 1}, {:row, contract}, contract},
    {"nothing at the end", {@memory, 0}, {:row, contract}, {:ok, ""}},
    {"nothing past the end", {@memory + 1, 0}, {:row, contract}, contract},
    {"a byte too many", {@memory - 8, 9}, {:row, contract}, contract},
    {"what wraps to the beginning", {0xFFFF_FFF8, 16}, {:row, contract}, contract},
    {"the last byte there could be", {0xFFFF_FFFF, 1}, {:row, contract}, contract},
    {"a negative length", {0, 0xFFFF_FFFF}, {:row, {LimitError, :result_size, @mib}},
     {LimitError, :result_size, 16 * @mib}},
    {"both negative", {-1, -1}, {:row, {LimitError, :result_size, @mib}},
     {LimitError, :result_size, 16 * @mib}},
    {"a byte more than a row may have", {0, @mib + 1}, {:row, {LimitError, :result_size, @mib}},
     :ok},
    {"a byte more than a result may have", {0, 16 * @mib + 1},
     {:row, {LimitError, :result_size, @mib}}, {LimitError, :result_size, 16 * @mib}},
    {"as much as a result may have, and more than there is", {8, 16 * @mib},
     {:row, {LimitError, :result_size, @mib}}, contract},
    {"nothing at all", {0, 0}, {:row, {:ok, nil}}, {:ok, ""}},
    {"its input", {65_536, 24}, {:row, {:ok, [1]}}, :ok},
    {"a part of its input", {65_544, 16}, {:row, contract}, :ok},
    {"its input from an odd place", {65_537, 24}, {:row, contract}, :ok}
  ]

  @columns [
    {"past the end", {@memory, 1}, contract},
    {"wrapping", {0xFFFF_FFF8, 16}, contract},
    {"of more than 64 KiB", {0, 65_537}, {LimitError, :result_size, 65_536}},
    {"of everything", {0, -1}, {LimitError, :result_size, 65_536}},
    {"of no names", {0, 65_536}, :ok}
  ]

  @rows [
    {"no header", {:row, [<<1, 0, 0, 0>>]}, {:row, contract}},
    {"2^32 values", row.(0xFFFF_FFFF, 8, [], ""), {:row, contract}},
    {"more values than there are", row.(2, 24, [{1, 0, 7}], ""), {:row, contract}},
    {"more values than a row may have", row.(1_025, 24, [{1, 0, 7}], ""), {:row, contract}},
    {"2^32 bytes", row.(1, 0xFFFF_FFFF, [{1, 0, 7}], ""), {:row, contract}},
    {"a byte more than there is", row.(1, 25, [{1, 0, 7}], ""), {:row, contract}},
    {"fewer bytes than its header", row.(0, 7, [], ""), {:row, contract}},
    {"a value of no type", row.(1, 24, [{0, 0, 7}], ""), {:row, contract}},
    {"a value of a type to come", row.(1, 24, [{6, 0, 7}], ""), {:row, contract}},
    {"a text past its end", row.(1, 26, [{3, 3, 24}], "hi"), {:row, contract}},
    {"a text of 2^32 bytes", row.(1, 26, [{3, 0xFFFF_FFFF, 24}], "hi"), {:row, contract}},
    {"a text whose end wraps 2^64", row.(1, 26, [{3, 2, 0xFFFF_FFFF_FFFF_FFFF}], "hi"),
     {:row, contract}},
    {"a text whose place wraps 2^32", row.(1, 26, [{3, 2, 0x1_0000_0018}], "hi"),
     {:row, contract}},
    {"a text that is not UTF-8", row.(1, 26, [{3, 2, 24}], <<0xC3, 0x28>>), {:row, contract}},
    {"a text with a surrogate", row.(1, 27, [{3, 3, 24}], <<0xED, 0xA0, 0x80>>),
     {:row, contract}},
    {"a blob past its end", row.(1, 26, [{4, 2, 25}], "hi"), {:row, contract}},
    {"two blobs that overlap", row.(2, 42, [{4, 2, 40}, {4, 2, 40}], "hi"), {:row, contract}},
    {"a blob over a text", row.(2, 42, [{3, 2, 40}, {4, 1, 41}], "hi"), {:row, contract}},
    {"a blob of its own header and slots", row.(1, 24, [{4, 24, 0}], ""), {:row, contract}},
    {"a thousand blobs of a mebibyte in one", "row_of_overlapping_blobs", {:row, contract}},
    {"NaN of every sort",
     row.(3, 56, [{2, 0, 0x7FF8_0000_0000_0001}, {2, 0, 0xFFF0_DEAD_BEEF_0001}, {2, 0, -1}], ""),
     {:row, {:ok, [:nan, :nan, :nan]}}},
    {"infinities",
     row.(2, 40, [{2, 0, 0x7FF0_0000_0000_0000}, {2, 0, 0xFFF0_0000_0000_0000}], ""),
     {:row, {:ok, [:infinity, :neg_infinity]}}},
    {"denormals", row.(2, 40, [{2, 0, 1}, {2, 0, 0x800F_FFFF_FFFF_FFFF}], ""),
     {:row, {:ok, [5.0e-324, -2.225073858507201e-308]}}},
    {"numbers that claim a length", row.(2, 40, [{1, 0xFFFF_FFFF, 7}, {5, 9, 9}], ""),
     {:row, {:ok, [7, nil]}}}
  ]

  @large [
    {"100,000 functions", {:functions, [100_000]}, {:instance, []}, :ok},
    {"100,000 exports", {:exports, [100_000]}, {:call, "f100000", [], []}, {:ok, []}},
    {"10,000 blocks, one in the other", {:nested, [:block, 10_000]}, {:call, "f", [], []},
     {:ok, []}},
    {"100 loops, one in the other", {:nested, [:loop, 100]}, {:call, "f", [], []}, {:ok, []}},
    {"100,000 loops, one in the other", {:nested, [:loop, 100_000]}, :compile,
     {LimitError, :loop_depth, 100}},
    {"100,000 loops, one after the other", {:loops, [100_000]}, :compile,
     {LimitError, :function_loops, 2_000}},
    {"100 loops that carry 1,000 variables", {:carrying, [100, 1_000]}, :compile,
     {LimitError, :loop_work, 20_000}},
    {"10 loops that carry 100 variables", {:carrying, [10, 100]}, {:call, "f", [], []},
     {:ok, []}},
    {"50,000 locals", {:locals, [50_000]}, {:call, "f", [], []}, {:ok, []}},
    {"50,001 locals", {:locals, [50_001]}, :compile, {CompileError, :compile}},
    {"2^32 - 1 locals", {:locals, [0xFFFF_FFFF]}, :compile, {CompileError, :compile}},
    {"a jump table of 65,000", {:jump_table, [65_000]}, {:call, "f", [], []}, {:ok, []}},
    {"a jump table of 100,000", {:jump_table, [100_000]}, :compile, {CompileError, :compile}},
    {"16 MB of data past the end", {:data_past_the_end, [16_000_000]}, {:instance, []},
     {TrapError, :memory_out_of_bounds}},
    {"30,000 segments of data", {:data_segments, [30_000]}, {:instance, []}, :ok},
    {"30,001 segments of data", {:data_segments, [30_001]}, :compile,
     {LimitError, :module_data_segments, 30_000}},
    {"a name of 100,000 bytes", {:long_name, [100_000]},
     {:call, String.duplicate("n", 100_000), [], []}, {:ok, []}},
    {"a name of 100,001 bytes", {:long_name, [100_001]}, :compile, {CompileError, :compile}},
    {"10,000 types", {:types, [10_000]}, {:instance, []}, :ok},
    {"10,001 types", {:types, [10_001]}, :compile, {LimitError, :module_types, 10_000}},
    {"500,000 globals", {:globals, [500_000]}, {:instance, []}, :ok},
    {"a thousand results for each of 100,000 rows", {:results, [1_000]},
     {:call_many, "f", List.duplicate([1], 100_000), []}, {LimitError, :result_size, 16 * @mib}},
    {"1,001 results", {:results, [1_001]}, :compile, {CompileError, :compile}},
    {"a result as large as may be", "result_of_16_mib", {:process, "x", []}, :ok},
    {"a result a byte larger", "result_of_16_mib", {:process, "xy", []},
     {LimitError, :result_size, 16 * @mib}},
    {"rows that are too large together", "rows_of_1_mib", {:notify, List.duplicate([1], 17), []},
     {LimitError, :result_size, 16 * @mib}},
    {"instances eaten and thrown away", "eat_and_trap", {:notify, [[1]], []},
     {:row, {TrapError, :unreachable}}}
  ]

  @services [
    {"a line without an end", "wasi_stdout_line", {:service, ready_timeout: 60_000},
     {ServiceError, :too_long}},
    {"line breaks for ever", "wasi_stdout_line_breaks", {:service, ready_timeout: 200},
     {ServiceError, :not_ready}},
    {"standard error for ever", "wasi_stderr", {:service, ready_timeout: 200},
     {ServiceError, :not_ready}},
    {"empty writes for ever", "wasi_empty_writes", {:service, ready_timeout: 200},
     {ServiceError, :not_ready}},
    {"waiting for millions", "wasi_poll_of_millions", {:service, ready_timeout: 60_000},
     {ServiceError, :failed}},
    {"randomness for all of its memory", "wasi_random_of_everything",
     {:service, ready_timeout: 500}, {ServiceError, :not_ready}},
    {"a service that is a script", "spin", {:service, []}, {DecodeError, :contract}},
    {"a script that is a service", "wasi_stderr", {:script, []}, {DecodeError, :contract}},
    {"no contract at all", "spin", {:script, []}, {LinkError, :missing_export}}
  ]

  setup_all do
    source =
      ~s|(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))|

    {:ok, healthy: Instance.new!(Module.compile!(source))}
  end

  defp answer_of(source, :compile), do: Module.compile(source)

  defp answer_of(source, {:instance, options}) do
    with {:ok, module} <- Module.compile(source), do: Instance.new(module, options)
  end

  defp answer_of(source, {call, export, arguments, options}) when call in [:call, :call_many] do
    {limits, options} = Keyword.split(options, [:limits])

    with {:ok, instance} <- answer_of(source, {:instance, limits}) do
      apply(Instance, call, [instance, export, arguments, options])
    end
  end

  defp answer_of(source, {:script, options}), do: Script.new(source, options)

  defp answer_of(source, {:notify, rows, options}) do
    with {:ok, script} <- Script.new(source),
         do: Script.notify_many(script, :process, rows, options)
  end

  defp answer_of(source, {:process, input, options}) do
    with {:ok, script} <- Script.new(source), do: Script.process(script, input, options)
  end

  defp answer_of(source, {:service, options}) do
    Service.start_link([module: source, ready: "READY"] ++ options)
  end

  defp check(answer, :ok), do: assert({:ok, _} = answer)
  defp check(answer, {:ok, _} = expected), do: assert(answer == expected)
  defp check({:ok, [answer]}, {:row, expected}), do: check(answer, expected)

  defp check(answer, {struct, reason}) do
    assert {:error, %^struct{reason: found} = error} = answer
    assert kind(found) == reason
    # What reaches a log is short whatever the guest's names are.
    assert byte_size(Exception.message(error)) < 2_000
  end

  defp check(answer, {struct, reason, value}) do
    check(answer, {struct, reason})
    assert elem(answer, 1).value == value
  end

  defp kind(reason) when is_tuple(reason), do: elem(reason, 0)
  defp kind(reason), do: reason

  defp play(guest, action, answer, healthy) do
    Process.flag(:trap_exit, true)
    guest |> HostileGuests.source() |> answer_of(action) |> check(answer)
    assert Instance.call(healthy, "add", [40, 2]) == {:ok, [42]}
  end

  for {group, cases} <- [
        endless: @endless,
        recursion: @recursive,
        greed: @greedy,
        size: @large,
        service: @services
      ],
      {name, guest, action, answer} <- cases do
    @case {guest, action, answer}
    test "#{group}: #{name}", %{healthy: healthy} do
      {guest, action, answer} = @case
      play(guest, action, answer, healthy)
    end
  end

  for {name, pointer, answer} <- @place do
    @case {pointer, answer}
    test "wasgo_alloc answers #{name}", %{healthy: healthy} do
      {pointer, answer} = @case
      play({:alloc, [pointer]}, {:notify, [[1]], []}, answer, healthy)
    end
  end

  for {name, {pointer, length}, notified, processed} <- @spans do
    @case {[pointer, length], notified, processed}
    test "a span of #{name}", %{healthy: healthy} do
      {span, notified, processed} = @case
      play({:span, span}, {:notify, [[1]], []}, notified, healthy)
      play({:span, span}, {:process, "12345678", []}, processed, healthy)
    end
  end

  for {name, {pointer, length}, answer} <- @columns do
    @case {[pointer, length, true], answer}
    test "_columns #{name}", %{healthy: healthy} do
      {span, answer} = @case
      play({:span, span}, {:script, []}, answer, healthy)
    end
  end

  for {name, guest, answer} <- @rows do
    @case {guest, answer}
    test "a row with #{name}", %{healthy: healthy} do
      {guest, answer} = @case
      play(guest, {:notify, [[1]], []}, answer, healthy)
    end
  end

  test "every file of guests is in the tables" do
    files =
      for path <- Path.wildcard("test/hostile/guests/*.wat"), do: Path.basename(path, ".wat")

    used =
      for {_, guest, _, _} <- @endless ++ @recursive ++ @greedy ++ @large ++ @services, do: guest

    used = used ++ for {_, guest, _} <- @rows, do: guest
    assert files -- used == []
  end

  test "names of 50,000 bytes in a backtrace of 20 are cut short, for each of many rows" do
    instance = Instance.new!(Module.compile!(HostileGuests.long_backtrace(20)))
    assert {:ok, answers} = Instance.call_many(instance, "f", List.duplicate([], 200))

    for {:error, error} <- answers do
      assert %TrapError{reason: :unreachable} = error
      assert byte_size(Exception.message(error)) < 1_000
      assert Enum.all?(error.backtrace, &(byte_size(&1) < 1_000))
    end

    assert length(answers) == 200
    assert {:error, %TrapError{backtrace: [_ | _]}} = hd(answers)
  end
end
