defmodule Wasgo.ServiceTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{
    CompileError,
    DecodeError,
    LimitError,
    LinkError,
    Native,
    Service,
    ServiceError,
    TrapError
  }

  alias Wasgo.Wasm.Module

  doctest Service

  @namer "guest/services/namer.wasm"
  @moduletag :capture_log

  # The process that starts a service is linked to it; here its end is to be a message.
  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  defp start!(body, options \\ []) do
    {data, options} = Keyword.pop(options, :data, [])
    {:ok, service} = Service.start_link([module: program(body, data)] ++ options)
    service
  end

  # Answers lines that end with "+" only together with a later one that does not. It looks at the
  # last line it has read: one read may bring several, when the program starts or runs slowly.
  @holding """
  (local $held i32) (local $n i32)
  (loop
    (local.set $n (call $in (i32.add (i32.const 1024) (local.get $held))))
    (if (i32.eqz (local.get $n)) (then (call $exit (i32.const 0))))
    (local.set $held (i32.add (local.get $held) (local.get $n)))
    (if (i32.ne (i32.load8_u (i32.add (i32.const 1022) (local.get $held))) (i32.const 43))
      (then
        (call $out (i32.const 1) (i32.const 1024) (local.get $held))
        (local.set $held (i32.const 0))))
    (br 0))
  """

  # Writes "READY", a line, then what `body` does.
  defp ready(body),
    do: {"(call $out (i32.const 1) (i32.const 512) (i32.const 6)) " <> body, [{512, "READY\n"}]}

  describe "the committed namer" do
    test "answers with names, always the same" do
      {:ok, namer} = Service.start_link(module: File.read!(@namer), ready: "READY")
      assert Service.request(namer, "0 0 3 60 45 0.1 10 3") == {:ok, "Upper Whitlow Fell"}
      assert {:ok, "error: " <> _} = Service.request(namer, "what?")
      assert Service.request(namer, "0 0 3 60 45 0.1 10 3") == {:ok, "Upper Whitlow Fell"}
      assert Service.stop(namer) == :ok
    end

    test "answers many processes, each with its own" do
      {:ok, namer} =
        Service.start_link(module: Module.compile_file(@namer) |> elem(1), ready: "READY")

      ask = fn number ->
        Service.request(namer, "#{number} #{-number} 3 60 45 0.1 10 3", 30_000)
      end

      one_by_one = for number <- 1..60, do: ask.(number)

      assert 1..60 |> Enum.map(&Task.async(fn -> ask.(&1) end)) |> Task.await_many(30_000) ==
               one_by_one

      assert one_by_one |> Enum.uniq() |> length() > 20
    end
  end

  test "many requests in flight are answered in order" do
    cat = start!("(call $cat)")

    1..8
    |> Enum.map(fn process ->
      Task.async(fn ->
        for round <- 1..200,
            do:
              assert(Service.request(cat, "#{process} #{round}") == {:ok, "#{process} #{round}"})
      end)
    end)
    |> Task.await_many(30_000)
  end

  test "lines may be long, in either direction" do
    cat = start!("(call $cat)")
    line = :binary.copy("x", 65_535)
    assert Service.request(cat, line) == {:ok, line}
    assert Service.request(cat, "") == {:ok, ""}
    assert {:error, %ServiceError{reason: :too_long} = error} = Service.request(cat, line <> "y")
    assert Exception.message(error) =~ "65536 bytes"
    assert Service.request(cat, "short") == {:ok, "short"}
  end

  test "a request with a line break is refused" do
    cat = start!("(call $cat)")

    for line <- ["a\nb", "a\r", "\n"],
        do: assert({:error, %ServiceError{reason: :newline}} = Service.request(cat, line))

    assert Service.request(cat, "whole") == {:ok, "whole"}
  end

  test "arguments and environment are what was given, and nothing of the host's" do
    sizes = """
    (drop (call $args (i32.const 32) (i32.const 36))) (drop (call $environ (i32.const 40) (i32.const 44)))
    (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.load (i32.const 32))))
    (i32.store8 (i32.const 65) (i32.add (i32.const 48) (i32.load (i32.const 40))))
    (i32.store8 (i32.const 66) (i32.const 10))
    (drop (call $in (i32.const 1024)))
    (call $out (i32.const 1) (i32.const 64) (i32.const 3))
    (call $silent)
    """

    assert Service.request(start!(sizes), "?") == {:ok, "10"}
    given = start!(sizes, command: ["-v", "x"], env: %{"KEY" => "value"})
    assert Service.request(given, "?") == {:ok, "31"}
  end

  describe "a program that does not start well" do
    test "is no WASI program, or no program at all" do
      assert {:error, %CompileError{}} = Service.start_link(module: "(rubbish)")
      assert {:error, %CompileError{}} = Service.start_link(module: "\0asm rubbish")

      assert {:error, %File.Error{path: "no/such.wasm"}} =
               Service.start_link(module: "no/such.wasm")

      assert {:error, %DecodeError{} = error} = Service.start_link(module: "(module)")
      assert Exception.message(error) =~ "it is no WASI program"
      refute_received {_ref, %CompileError{}}
    end

    test "misses an import, which is named" do
      for {module, name} <- [{"net", "dial"}, {"wasi_snapshot_preview1", "teleport"}] do
        source = """
        (module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
          (import "#{module}" "#{name}" (func)) (func (export "_start")))
        """

        assert {:error, %LinkError{reason: :missing_import, module: ^module, name: ^name} = error} =
                 Service.start_link(module: source)

        assert Exception.message(error) =~ ~s|import "#{module}" "#{name}"|
      end
    end

    test "exits at once, before it is ready" do
      assert {:error, %ServiceError{reason: {:exited, 7}} = error} =
               Service.start_link(module: program("(call $exit (i32.const 7))"), ready: "READY")

      assert Exception.message(error) == "the service ended with status 7"

      assert {:error, %ServiceError{reason: {:exited, 0}}} =
               Service.start_link(module: program(""), ready: "READY")
    end

    test "traps before it is ready" do
      assert {:error, %ServiceError{reason: {:failed, %TrapError{reason: :unreachable}}} = error} =
               Service.start_link(module: program("unreachable"), ready: "READY")

      assert Exception.message(error) =~ "the service failed: "
    end

    test "never says that it is ready" do
      assert {:error, %ServiceError{reason: :not_ready} = error} =
               Service.start_link(
                 module: program("(call $silent)"),
                 ready: "READY",
                 ready_timeout: 50
               )

      assert Exception.message(error) == ~s|the service did not write "READY" within 50 ms|

      assert {:error, %ServiceError{reason: :not_ready}} =
               Service.start_link(
                 module: program("(loop (br 0))"),
                 ready: "READY",
                 ready_timeout: 50
               )
    end

    test "floods before it is ready" do
      assert {:error, %ServiceError{reason: :too_long}} =
               Service.start_link(
                 module:
                   program(
                     "(loop (call $out (i32.const 1) (i32.const 1024) (i32.const 4096)) (br 0))"
                   ),
                 ready: "READY",
                 ready_timeout: 30_000
               )
    end

    test "is given too little memory" do
      assert {:error, %ServiceError{reason: {:failed, %LimitError{reason: :memory}}}} =
               Service.start_link(
                 module: program("(call $silent)"),
                 limits: [memory: 65_536],
                 ready: "READY"
               )
    end

    test "has 256 MiB of memory unless another limit of memory is given" do
      large =
        String.replace(
          program("(call $cat)"),
          ~s|(memory (export "memory") 4)|,
          ~s|(memory (export "memory") 4000)|
        )

      assert {:ok, service} = Service.start_link(module: large)
      assert Service.request(service, "x") == {:ok, "x"}
      assert {:ok, service} = Service.start_link(module: large, limits: [table: 100])
      assert Service.request(service, "x") == {:ok, "x"}
    end
  end

  describe "a program that ends" do
    test "at once ends its process, with the reason" do
      service = start!("(call $exit (i32.const 7))")
      assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 7}}}}, 5_000
      assert {:error, %ServiceError{reason: :stopped}} = Service.request(service, "anyone?")
    end

    test "in the middle of an answer fails those that wait for one" do
      body =
        "(drop (call $in (i32.const 1024))) (call $out (i32.const 1) (i32.const 1024) (i32.const 2)) (call $exit (i32.const 4))"

      service = start!(body)
      assert {:error, %ServiceError{reason: {:exited, 4}}} = Service.request(service, "question")
      assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 4}}}}, 5_000
    end

    test "by a trap tells it to who waits" do
      service = start!("(drop (call $in (i32.const 1024))) unreachable")

      assert {:error, %ServiceError{reason: {:failed, %TrapError{reason: :unreachable}}}} =
               Service.request(service, "?")

      assert_receive {:EXIT, ^service,
                      {:shutdown, %ServiceError{reason: {:failed, %TrapError{}}}}},
                     5_000
    end

    test "is started anew by its supervisor" do
      {body, data} =
        ready(
          "(drop (call $in (i32.const 1024))) (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 33)) (then unreachable)) (call $out (i32.const 1) (i32.const 1024) (i32.const 2)) (call $cat)"
        )

      name = :"service_#{System.unique_integer([:positive])}"

      {:ok, supervisor} =
        Supervisor.start_link(
          [{Service, module: program(body, data), ready: "READY", name: name}],
          strategy: :one_for_one
        )

      first = Process.whereis(name)
      monitor = Process.monitor(first)
      assert {:error, %ServiceError{reason: {:failed, %TrapError{}}}} = Service.request(name, "!")
      assert_receive {:DOWN, ^monitor, :process, ^first, _}, 5_000
      # The supervisor has dealt with it once it answers.
      assert [{_, second, :worker, _}] = Supervisor.which_children(supervisor)
      assert is_pid(second) and second != first
      assert Service.request(name, "a") == {:ok, "a"}
      Supervisor.stop(supervisor)
      assert {:error, %ServiceError{reason: :stopped}} = Service.request(name, "a")
    end
  end

  describe "a program that misbehaves" do
    test "gives no answer" do
      service = start!("(call $silent)")

      assert {:error, %ServiceError{reason: :timeout} = error} =
               Service.request(service, "hello", 30)

      assert Exception.message(error) == "the service gave no answer within 30 ms"
      assert Process.alive?(service)
    end

    test "answers too late: later requests get their own answers" do
      service = start!(@holding)
      assert {:error, %ServiceError{reason: :timeout}} = Service.request(service, "held+", 30)
      assert Service.request(service, "two") == {:ok, "two"}

      assert {:error, %ServiceError{reason: :timeout}} =
               Service.request(service, "held again+", 30)

      assert Service.request(service, "three") == {:ok, "three"}
    end

    test "is asked no more than max_pending at once" do
      service = start!(@holding, max_pending: 2)
      assert {:error, %ServiceError{reason: :timeout}} = Service.request(service, "h1+", 20)
      assert {:error, %ServiceError{reason: :timeout}} = Service.request(service, "h2+", 20)
      assert {:error, %ServiceError{reason: :busy} = error} = Service.request(service, "x")
      assert Exception.message(error) == "2 requests wait for this service already, of 2 at most"
    end

    test "floods its output without a line break" do
      body =
        "(drop (call $in (i32.const 1024))) (loop (call $out (i32.const 1) (i32.const 8192) (i32.const 4096)) (br 0))"

      service = start!(body)
      assert {:error, %ServiceError{reason: :too_long} = error} = Service.request(service, "go")
      assert Exception.message(error) =~ "over 65536 bytes without a line break"
      assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: :too_long}}}, 5_000
    end

    test "floods its output with lines that nobody asked for" do
      service =
        start!("(loop (call $out (i32.const 1) (i32.const 1024) (i32.const 4096)) (br 0))",
          data: [{1024, :binary.copy("spam\n", 819) <> "\n"}]
        )

      assert {:ok, answer} = Service.request(service, "ham")
      assert answer in ["spam", ""]
      assert Service.stop(service, 50) == :ok
    end

    test "floods its standard error, and still answers" do
      body = """
      (local $n i32)
      (loop (call $out (i32.const 2) (i32.const 1024) (i32.const 4096))
        (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $n) (i32.const 1000))))
      (call $cat)
      """

      assert Service.request(start!(body), "hello", 30_000) == {:ok, "hello"}
    end

    test "spins: it is stopped, and the others go on meanwhile" do
      spinning = for _ <- 1..4, do: start!("(loop (br 0))")
      cat = start!("(call $cat)")
      for number <- 1..50, do: assert(Service.request(cat, "#{number}") == {:ok, "#{number}"})
      for service <- spinning, do: assert(Service.stop(service, 0) == :ok)
      for service <- spinning, do: assert_receive({:EXIT, ^service, :normal}, 5_000)
      assert Service.request(cat, "last") == {:ok, "last"}
    end

    test "does not read its input, until it does" do
      # More than the input's buffer of a mebibyte, so that lines wait in the process too.
      service =
        start!("(loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 512))))) (call $cat)",
          data: [{512, "x"}],
          max_pending: 100
        )

      line = :binary.copy("y", 60_000)

      answers =
        1..40
        |> Enum.map(fn _ -> Task.async(fn -> Service.request(service, line, 30_000) end) end)
        |> Task.await_many(30_000)

      assert Enum.all?(answers, &(&1 == {:ok, line}))
    end
  end

  describe "stopping" do
    test "ends the program's input and waits for its end; again it does nothing" do
      service = start!("(call $cat)")
      assert Service.stop(service) == :ok
      assert_receive {:EXIT, ^service, :normal}, 5_000
      assert Service.stop(service) == :ok
      assert {:error, %ServiceError{reason: :stopped}} = Service.request(service, "x")
    end

    test "fails those that wait for an answer" do
      service = start!("(call $silent)")
      task = Task.async(fn -> Service.request(service, "x", 30_000) end)
      assert eventually(fn -> match?({:ok, %{pending: 1}}, Service.info(service)) end)
      assert Service.stop(service) == :ok
      assert {:error, %ServiceError{reason: :stopped}} = Task.await(task)
    end

    test "two at once both hear of it" do
      service = start!("(loop (br 0))")
      tasks = for _ <- 1..2, do: Task.async(fn -> Service.stop(service, 50) end)
      assert Task.await_many(tasks) == [:ok, :ok]
    end
  end

  describe "the program's owner" do
    # A program that runs reads all that it is sent; one that was stopped reads nothing, and its input is closed.
    # One that reads as fast as it is written to is never found full, and has shown what is asked for by then.
    defp fill(_resource, 0), do: :written

    defp fill(resource, times) do
      case Native.service_write(resource, :binary.copy("x", 524_288)) do
        :written -> fill(resource, times - 1)
        full_or_closed -> full_or_closed
      end
    end

    defp reads?(resource, tries) do
      fill(resource, 20) == :written or
        Enum.any?(1..tries//1, fn _ ->
          round_trip()
          Native.service_write(resource, "x") == :written
        end)
    end

    defp owned do
      test = self()
      source = program("(call $silent)")

      owner =
        spawn(fn ->
          {:ok, service} = Service.start_link(module: source)
          send(test, {:service, service})
          receive do: (:never -> :ok)
        end)

      assert_receive {:service, service}, 5_000
      {owner, service, :sys.get_state(service).resource}
    end

    test "takes it along when it dies" do
      {owner, service, resource} = owned()
      assert reads?(resource, 20_000)
      monitor = Process.monitor(service)
      Process.exit(owner, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, _}, 5_000
      assert eventually(fn -> not reads?(resource, 50) end)
    end

    test "or when the service's own process is killed" do
      {_owner, service, resource} = owned()
      assert reads?(resource, 20_000)
      monitor = Process.monitor(service)
      Process.exit(service, :kill)
      assert_receive {:DOWN, ^monitor, :process, _, :killed}, 5_000
      assert eventually(fn -> not reads?(resource, 50) end)
      assert {:error, %ServiceError{reason: :stopped}} = Service.request(service, "x")
    end

    test "who waits for an answer when the process is killed gets an error" do
      service = start!("(call $silent)")
      task = Task.async(fn -> Service.request(service, "x", 30_000) end)
      assert eventually(fn -> match?({:ok, %{pending: 1}}, Service.info(service)) end)
      Process.exit(service, :kill)
      assert {:error, %ServiceError{reason: :stopped}} = Task.await(task)
    end
  end

  test "options that are wrong are named" do
    for {options, words} <- [
          {[], ~r/Wasgo.Service.start_link\/1 needs the option :module/},
          {[module: 1], ~r/option :module/},
          {[module: "", command: [1]], ~r/option :command .* a list, each of it a string/},
          {[module: "", env: [:home]], ~r/option :env/},
          {[module: "", env: [{"HOME", 1}]], ~r/option :env/},
          {[module: "", env: [{"A=B", "1"}]], ~r/a variable's name/},
          {[module: "", framing: :telegraph], ~r/option :framing .*:telegraph/},
          {[module: "", framing: {:marker, "a\nb"}], ~r/option :framing/},
          {[module: "", console: :teletype], ~r/option :console/},
          {[module: "", answers: {:by, "id"}],
           ~r/answers by a key are for the framing :json_lines/},
          {[module: "", restart: [tries: 3]], ~r/:restart has no option :tries/},
          {[module: "", quota: -1], ~r/option :quota/},
          {[module: "", clock: {:offset, 1.5}], ~r/option :clock/},
          {[module: "", max_pending: 0], ~r/option :max_pending/},
          {[module: "", ready_timeout: 0], ~r/option :ready_timeout/},
          {[module: "", limits: [memory: -1]], ~r/option :memory of Wasgo.Wasm.Limits/}
        ] do
      assert_raise ArgumentError, words, fn -> Service.start_link(options) end
    end

    cat = start!("(call $cat)")

    for timeout <- [0, -1, :infinity, 0x1_0000_0000],
        do: assert_raise(FunctionClauseError, fn -> Service.request(cat, "x", timeout) end)

    assert Service.request(cat, "fine") == {:ok, "fine"}
  end
end
