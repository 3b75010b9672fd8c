defmodule Wasgo.Wasm.CommandTest do
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{DecodeError, InstanceError, LimitError, LinkError, Service, TrapError}
  alias Wasgo.Wasm.{Command, Module}

  doctest Command

  @mib 1_048_576

  @flood "(loop (call $out (i32.const 1) (i32.const 65536) (i32.const 65536)) (br 0))"

  defp module!(body, data \\ []), do: Module.compile!(program(body, data))

  # Says in ten bytes each what the functions of WASI for arguments and environment, and then the random ones, give.
  defp told do
    """
    (module
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func $out (param i32 i32)
        (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
      (func (export "_start")
        (drop (call $args_sizes (i32.const 16) (i32.const 20))) (drop (call $args (i32.const 1024) (i32.const 2048)))
        (call $out (i32.const 2048) (i32.load (i32.const 20)))
        (drop (call $environ_sizes (i32.const 16) (i32.const 20))) (drop (call $environ (i32.const 1024) (i32.const 2048)))
        (call $out (i32.const 2048) (i32.load (i32.const 20)))
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 32))) (drop (call $random (i32.const 40) (i32.const 8)))
        (call $out (i32.const 32) (i32.const 16))))
    """
    |> Module.compile!()
  end

  # Opens the file `f` in its first directory, with these flags and rights; ends with the error number, or copies the file.
  defp opener(flags, rights) do
    Module.compile!("""
    (module
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 64) "f") (data (i32.const 128) "changed")
      (func (export "_start") (local $error i32)
        (if (local.tee $error (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 1) (i32.const #{flags})
              (i64.const #{rights}) (i64.const 0) (i32.const 0) (i32.const 16)))
          (then (call $exit (local.get $error))))
        (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))
        (if (i32.eqz (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8))) (then
          (i32.store (i32.const 4) (i32.load (i32.const 8)))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
        (i32.store (i32.const 0) (i32.const 128)) (i32.store (i32.const 4) (i32.const 7))
        (drop (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))))
    """)
  end

  @read 2
  @write 64

  defp dir! do
    path = Path.join(System.tmp_dir!(), "wasgo-command-#{System.unique_integer([:positive])}")
    File.mkdir_p!(Path.join(path, "given"))
    on_exit(fn -> File.rm_rf!(path) end)
    path
  end

  # What a test's process must not find in its mailbox afterwards.
  defp assert_no_messages, do: assert({:messages, []} = Process.info(self(), :messages))

  describe "run" do
    test "returns what was written to both outputs, and the status" do
      module =
        module!(
          "(call $out (i32.const 1) (i32.const 1024) (i32.const 3)) (call $out (i32.const 2) (i32.const 1027) (i32.const 3)) (call $exit (i32.const 7))",
          [{1024, "onetwo"}]
        )

      assert Command.run(module) == {:ok, %{status: 7, stdout: "one", stderr: "two"}}
      assert_no_messages()
    end

    test "hands over input as text, as iodata, and from any enumerable" do
      cat = module!("(call $cat)")
      long = :crypto.strong_rand_bytes(3 * @mib)

      for {stdin, wanted} <- [
            {"", ""},
            {"text", "text"},
            {["i", ?o, ["data"]], "iodata"},
            {long, long},
            {[long, "x"], long <> "x"},
            {Stream.map(1..3, &[Integer.to_string(&1), ?\n]), "1\n2\n3\n"},
            {?a..?e, "abcde"},
            {Stream.map(1..3, fn _ -> long end), long <> long <> long},
            {Stream.cycle(["x"]) |> Stream.take(30_000), String.duplicate("x", 30_000)}
          ] do
        assert {:ok, %{status: 3, stdout: ^wanted, stderr: ""}} = Command.run(cat, stdin: stdin)
      end

      assert_no_messages()
    end

    test "takes no more of an enumerable than the program reads, and lets it clean up" do
      test = self()

      numbers =
        Stream.resource(
          fn -> 0 end,
          fn n -> {[:binary.copy("x", 10_000)], n + 1} end,
          fn n -> send(test, {:taken, n}) end
        )

      one = module!("(drop (call $in (i32.const 1024))) (call $exit (i32.const 1))")
      assert {:ok, %{status: 1}} = Command.run(one, stdin: numbers)
      assert_receive {:taken, n}, 5_000
      # A buffer of a mebibyte, and what was on its way.
      assert n <= 130
    end

    test "does not wait for an enumerable that has nothing to give, and ends it" do
      test = self()

      never =
        Stream.resource(
          fn -> send(test, {:writer, self()}) end,
          fn _ -> Process.sleep(:infinity) end,
          & &1
        )

      silent = module!("(call $silent)")

      assert {:error, %LimitError{reason: :time}} =
               Command.run(silent, stdin: never, timeout: 1_000)

      assert [{:error, _}] = silent |> Command.stream(never, timeout: 1_000) |> Enum.to_list()

      for _ <- 1..2 do
        assert_receive {:writer, writer}, 5_000
        monitor = Process.monitor(writer)
        assert_receive {:DOWN, ^monitor, :process, ^writer, _}, 5_000
      end

      assert {:ok, %{status: 4}} =
               Command.run(module!("(call $exit (i32.const 4))"), stdin: never)

      assert {:links, []} = Process.info(self(), :links)
    end

    test "shows output while an enumerable waits" do
      test = self()

      slow =
        Stream.resource(
          fn -> ["first", "second"] end,
          fn
            [] ->
              {:halt, nil}

            ["second"] ->
              send(test, {:waits, self()})
              receive do: (:go -> {["second"], []})

            [first | rest] ->
              {[first], rest}
          end,
          & &1
        )

      steps =
        module!("(call $cat)")
        |> Command.stream(slow)
        |> Enum.map(fn event ->
          if event == {:stdout, "first"} do
            assert_receive {:waits, writer}, 5_000
            send(writer, :go)
          end

          event
        end)

      assert steps == [{:stdout, "first"}, {:stdout, "second"}, {:exit, 3}]
    end

    test "raises what the enumerable raises, and ends the program" do
      cat = module!("(call $cat)")
      broken = Stream.map(1..3, fn n -> if n == 3, do: raise("broken"), else: "#{n}" end)
      assert_raise RuntimeError, "broken", fn -> Command.run(cat, stdin: broken) end

      assert_raise ArgumentError, fn ->
        Command.run(cat, stdin: Stream.map([1], fn _ -> :no end))
      end

      assert_raise ArgumentError, fn -> Command.run(cat, stdin: [:no]) end

      assert catch_throw(Command.run(cat, stdin: Stream.map([1], fn _ -> throw(:ball) end))) ==
               :ball

      assert_raise RuntimeError, fn -> cat |> Command.stream(broken) |> Stream.run() end
      assert {:links, []} = Process.info(self(), :links)
      assert_no_messages()
    end

    test "leaves nothing behind in a process that traps exits" do
      Process.flag(:trap_exit, true)

      for stdin <- [Stream.map(["a"], & &1), Stream.cycle(["a"])] do
        assert {:ok, _} = Command.run(module!("(drop (call $in (i32.const 1024)))"), stdin: stdin)
      end

      assert_no_messages()
    end

    test "tells any status as it was given" do
      for status <- [0, 1, 126, 255, 256, 100_000, -1] do
        module = module!("(call $exit (i32.const #{status}))")
        assert {:ok, %{status: ^status}} = Command.run(module)
      end
    end

    test "answers a trap with what the program said last" do
      assert {:error, %TrapError{reason: :unreachable, backtrace: [_ | _]} = error} =
               Command.run(module!("unreachable"))

      refute error.message =~ "standard error"

      said =
        module!("(call $out (i32.const 2) (i32.const 1024) (i32.const 600)) unreachable", [
          {1024, "start" <> String.duplicate("é", 290) <> "why it ended\n  "}
        ])

      assert {:error, %TrapError{reason: :unreachable} = error} = Command.run(said)
      assert error.message =~ ~r/; its standard error ends with: é+why it ended$/u
    end

    test "names out-of-bounds pointers as the program's own fault" do
      module =
        module!("(drop (call $write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0)))")

      assert {:error, %TrapError{reason: :refused, backtrace: [_]} = error} = Command.run(module)
      assert error.message =~ "the host refused what the guest asked for: Pointer out of bounds"
    end

    test "stops a program after its time" do
      for body <- ["(loop (br 0))", @flood, "(call $cat)"] do
        # Nothing to read, and yet no end of it.
        {:ok, command} = Command.start(module!(body), timeout: 50)
        assert {:error, %LimitError{reason: :time, value: 50}} = ended(command)
      end

      assert {:error, %LimitError{reason: :time}} =
               Command.run(module!("(loop (br 0))"), timeout: 50)
    end

    test "stops a program that writes too much, and names the output" do
      for {fd, name} <- [{1, "stdout"}, {2, "stderr"}] do
        flood = module!(String.replace(@flood, "$out (i32.const 1)", "$out (i32.const #{fd})"))

        assert {:error, %LimitError{reason: :result_size, value: 16_777_216} = error} =
                 Command.run(flood, timeout: 60_000)

        assert error.message =~ "to its #{name}"
      end

      four = module!("(call $out (i32.const 1) (i32.const 1024) (i32.const 4))", [{1024, "four"}])
      assert {:ok, %{stdout: "four"}} = Command.run(four, max_output: 4)
      assert {:error, %LimitError{reason: :result_size}} = Command.run(four, max_output: 3)
      assert_no_messages()
    end

    test "reads input for ever no longer than it may" do
      assert {:error, %LimitError{reason: :time}} =
               Command.run(module!("(call $silent)"), stdin: Stream.cycle(["x"]), timeout: 100)
    end

    test "holds memory to its limit" do
      grow =
        module!("(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))")

      assert {:ok, %{status: 0}} = Command.run(grow)

      assert {:error, %LimitError{reason: :memory}} =
               Command.run(grow, limits: [memory: 10 * 65_536])
    end

    test "answers what is no command" do
      assert {:error, %DecodeError{}} = Command.run(Module.compile!("(module)"))

      library = """
      (module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (func (export "f")))
      """

      assert {:error, %LinkError{reason: :missing_export, name: "_start"}} =
               Command.run(Module.compile!(library))

      wants = """
      (module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (import "net" "dial" (func)) (func (export "_start")))
      """

      assert {:error, %LinkError{reason: :missing_import, module: "net", name: "dial"}} =
               Command.run(Module.compile!(wants))
    end
  end

  describe "a program is given" do
    test "its arguments and environment, and nothing of the host's" do
      told = told()

      assert {:ok, %{stdout: "command\0" <> <<_time::64, _random::binary-size(8)>>}} =
               Command.run(told)

      assert {:ok, %{stdout: "prog\0-v\0\0ä\0A=1\0B=\0" <> <<_::binary-size(16)>>}} =
               Command.run(told,
                 name: "prog",
                 args: ["-v", "", "ä"],
                 env: %{"A" => "1", "B" => ""}
               )

      assert {:ok, %{stdout: "command\0X=y\0" <> <<_::binary-size(16)>>}} =
               Command.run(told, env: [{"X", "y"}])
    end

    test "neither clock nor randomness unless they are granted" do
      told = told()

      outcome = fn options ->
        assert {:ok, %{stdout: "command\0" <> <<time::little-64, random::binary-size(8)>>}} =
                 Command.run(told, options)

        {time, random}
      end

      assert {0, random} = outcome.([])
      # Of ChaCha8, by another implementation.
      assert random == <<0x6C, 0x3B, 0x9A, 0xA7, 0x67, 0xF7, 0x85, 0xB5>>
      assert {0, ^random} = outcome.(random: {:seed, 0})
      assert {0, other} = outcome.(random: {:seed, 0xFFFF_FFFF_FFFF_FFFF})
      assert other != random
      assert {0, ^other} = outcome.(random: {:seed, 0xFFFF_FFFF_FFFF_FFFF})
      assert elem(outcome.(random: true), 1) != elem(outcome.(random: true), 1)

      {time, ^random} = outcome.(clock: true)
      assert_in_delta time / 1.0e9, System.os_time(:second), 600
    end

    test "directories to read, and to write" do
      path = dir!()
      given = Path.join(path, "given")
      File.write!(Path.join(given, "f"), "content")
      reader = opener(0, @read)
      writer = opener(0, @read + @write)

      assert {:ok, %{status: 0, stdout: "content"}} =
               Command.run(reader, dirs: [{given, "/data", :ro}])

      assert File.read!(Path.join(given, "f")) == "content"
      # EPERM
      assert {:ok, %{status: 63}} = Command.run(writer, dirs: [{given, "/data", :ro}])

      assert {:ok, %{status: 0, stdout: "content"}} =
               Command.run(writer, dirs: [{given, "/data", :rw}])

      assert File.read!(Path.join(given, "f")) == "contentchanged"
      # EBADF: there is no descriptor 3.
      assert {:ok, %{status: 8}} = Command.run(reader)
    end

    test "no way out of a directory through a link" do
      path = dir!()
      given = Path.join(path, "given")
      File.write!(Path.join(path, "secret"), "secret")

      for target <- ["../secret", Path.join(path, "secret")], access <- [:ro, :rw] do
        File.rm(Path.join(given, "f"))
        File.ln_s!(target, Path.join(given, "f"))

        assert {:ok, %{status: status, stdout: ""}} =
                 Command.run(opener(0, @read), dirs: [{given, "/", access}])

        assert status != 0
      end
    end

    test "an error that names the directory that can't be opened" do
      path = dir!()
      File.write!(Path.join(path, "file"), "")
      module = module!("")

      for {name, reason} <- [{"nowhere", :enoent}, {"file", :enotdir}] do
        host = Path.join(path, name)

        assert {:error, %File.Error{reason: ^reason, path: ^host} = error} =
                 Command.run(module, dirs: [{host, "/", :ro}])

        assert Exception.message(error) =~ "could not open directory"
        assert Exception.message(error) =~ host
      end
    end

    test "no more arguments and descriptors than the limits allow" do
      module = module!("")

      for options <- [[args: List.duplicate("", 5_000)], [env: Map.new(1..5_000, &{"#{&1}", ""})]] do
        assert {:error, %LimitError{reason: :arguments, value: 4_096}} =
                 Command.run(module, options)
      end

      long = String.duplicate("x", @mib)

      for options <- [[args: [long]], [env: [{"A", long}]], [env: [{long, "A"}]]] do
        assert {:error, %LimitError{reason: :argument_bytes, value: 262_144}} =
                 Command.run(module, options)
      end

      dirs = List.duplicate({dir!(), "/", :ro}, 300)

      assert {:error, %LimitError{reason: :descriptors, value: 256}} =
               Command.run(module, dirs: dirs)
    end
  end

  describe "a stream" do
    test "gives what is written, and the end last" do
      module =
        module!(
          "(call $out (i32.const 1) (i32.const 1024) (i32.const 3)) (call $out (i32.const 2) (i32.const 1027) (i32.const 3)) (call $cat)",
          [{1024, "onetwo"}]
        )

      assert Enum.to_list(Command.stream(module, "x")) |> Enum.take(2) ==
               [{:stdout, "one"}, {:stderr, "two"}]

      stream = Command.stream(module, ["three"])
      assert List.last(Enum.to_list(stream)) == {:exit, 3}
      # It can be run again.
      assert List.last(Enum.to_list(stream)) == {:exit, 3}
    end

    test "ends with the error of a program that failed or never started" do
      assert [{:error, %TrapError{}}] = Enum.to_list(Command.stream(module!("unreachable"), ""))

      assert [{:error, %File.Error{}}] =
               Enum.to_list(
                 Command.stream(module!(""), "", dirs: [{"/nowhere/at/all", "/", :ro}])
               )

      assert [{:error, %DecodeError{}}] =
               Enum.to_list(Command.stream(Module.compile!("(module)"), ""))
    end

    test "that is left early stops the program and its input" do
      test = self()

      endless =
        Stream.resource(
          fn -> nil end,
          fn nil -> {["x"], nil} end,
          fn nil -> send(test, :cleaned) end
        )

      assert [{:stdout, _}] = module!(@flood) |> Command.stream(endless) |> Enum.take(1)
      assert_receive :cleaned, 5_000
      assert_no_messages()

      assert_raise RuntimeError, "enough", fn ->
        module!(@flood) |> Command.stream("") |> Enum.each(fn _ -> raise "enough" end)
      end

      assert_no_messages()
    end

    test "carries hundreds of megabytes in bounded memory, both ways, with a slow reader" do
      test = self()
      piece = :binary.copy("0123456789abcdef", 4_096)
      pieces = 3_200
      taken = :counters.new(1, [])

      source =
        Stream.repeatedly(fn ->
          :counters.add(taken, 1, 1)
          piece
        end)
        |> Stream.take(pieces)

      total =
        module!("(call $cat)")
        |> Command.stream(source)
        |> Enum.reduce(0, fn
          {:stdout, bytes}, total ->
            total = total + byte_size(bytes)

            # What was taken of the source and has not come out: input that waits, output that waits, what is on its way.
            ahead = :counters.get(taken, 1) * byte_size(piece) - total
            if ahead > 3 * @mib, do: send(test, {:ahead, ahead})
            total

          {:exit, 3}, total ->
            total
        end)

      assert total == pieces * byte_size(piece)
      refute_received {:ahead, _}
    end

    test "whose reader does not read stops the program, and with it the source" do
      taken = :counters.new(1, [])

      test = self()

      source =
        Stream.resource(
          fn -> :binary.copy("x", 65_536) end,
          fn piece ->
            :counters.add(taken, 1, 1)
            {[piece], piece}
          end,
          fn _ -> send(test, :cleaned) end
        )

      [{:stdout, _first}] =
        module!("(call $cat)")
        |> Command.stream(source)
        |> Stream.each(fn _ ->
          # Nobody reads while this goes on: after some time nothing moves any more.
          assert eventually(fn -> still?(taken) end)
          assert :counters.get(taken, 1) <= 3 * 16 + 2
        end)
        |> Enum.take(1)

      # The source was waiting, and is ended as an enumerable is.
      assert_receive :cleaned, 5_000
    end

    defp still?(counter) do
      before = :counters.get(counter, 1)
      for _ <- 1..200, do: round_trip()
      :counters.get(counter, 1) == before
    end

    test "of many at once are each other's neighbours" do
      cat = module!("(call $cat)")

      1..20
      |> Task.async_stream(
        fn n ->
          text = String.duplicate("#{n}\n", 20_000)
          assert {:ok, %{stdout: ^text}} = Command.run(cat, stdin: text, timeout: 60_000)
        end,
        timeout: 60_000
      )
      |> Enum.each(&assert {:ok, _} = &1)
    end
  end

  describe "messages" do
    test "are written and read by the owner" do
      {:ok, command} = Command.start(module!("(call $cat)"))
      assert Command.write(command, ["he", ?l, "lo"]) == :ok
      assert_receive message, 5_000
      assert Command.event(command, message) == {:stdout, "hello"}
      assert Command.event(command, :other) == :unknown
      assert Command.event(command, {:wasgo_service, make_ref(), {:stdout, "x"}}) == :unknown
      assert Command.close_input(command) == :ok
      assert_receive message, 5_000
      assert Command.event(command, message) == {:exit, 3}
      assert Command.write(command, "late") == :closed
      assert Command.stop(command) == :ok
      assert inspect(command) =~ "#Wasgo.Wasm.Command<#Wasgo.Wasm.Module<"
    end

    test "say when a program that read nothing has room again" do
      {:ok, command} = Command.start(module!("(call $cat)"))
      # More than the buffers of input and output take together.
      long = :crypto.strong_rand_bytes(5 * @mib)
      assert {:full, rest} = Command.write(command, long)
      assert byte_size(rest) > @mib
      assert write_all(command, rest, []) == long
    end

    defp write_all(command, rest, read) do
      assert_receive {:wasgo_service, _, _} = message, 30_000

      case Command.event(command, message) do
        {:stdout, bytes} ->
          write_all(command, rest, [read | bytes])

        :input_ready ->
          case Command.write(command, rest) do
            {:full, rest} ->
              write_all(command, rest, read)

            :ok ->
              Command.close_input(command)
              write_all(command, "", read)
          end

        {:exit, 3} ->
          IO.iodata_to_binary(read)
      end
    end

    test "that nobody takes stop the program" do
      {:ok, command} = Command.start(module!(@flood))
      assert eventually(fn -> queued() >= @mib end)
      for _ <- 1..100, do: round_trip()
      assert queued() == @mib

      # For what is taken it may write as much, and no more.
      for _ <- 1..10 do
        assert_receive message
        assert {:stdout, _} = Command.event(command, message)
      end

      assert eventually(fn -> queued() >= @mib end)
      for _ <- 1..100, do: round_trip()
      assert queued() == @mib
      Command.stop(command)
      assert {:error, %InstanceError{reason: :cancelled}} = ended(command)
    end

    defp queued do
      {:messages, messages} = Process.info(self(), :messages)
      Enum.sum(for {:wasgo_service, _, {:stdout, bytes}} <- messages, do: byte_size(bytes))
    end
  end

  defp ended(command) do
    assert_receive {:wasgo_service, _, _} = message, 30_000

    case Command.event(command, message) do
      {kind, _} = last when kind in [:exit, :error] -> last
      _ -> ended(command)
    end
  end

  test "the caller's death stops its program" do
    test = self()
    module = module!(@flood)

    owner =
      spawn(fn ->
        {:ok, command} = Command.start(module)
        send(test, {:command, command})
        Process.sleep(:infinity)
      end)

    assert_receive {:command, command}, 5_000
    assert Command.write(command, "x") == :ok
    Process.exit(owner, :kill)

    assert eventually(fn ->
             Command.write(command, "") == :ok and Command.write(command, "x") == :closed
           end)
  end

  test "a service is given directories, clock and randomness by the same options" do
    path = dir!()
    File.write!(Path.join([path, "given", "f"]), "content\n")
    Process.flag(:trap_exit, true)
    reader = opener(0, @read)

    assert {:error, %Wasgo.ServiceError{reason: {:exited, 8}}} =
             Service.start_link(module: reader, ready: "content")

    assert {:error, %File.Error{path: "/nowhere/at/all"}} =
             Service.start_link(module: reader, dirs: [{"/nowhere/at/all", "/", :ro}])

    assert {:ok, _service} =
             Service.start_link(
               module: reader,
               ready: "content",
               dirs: [{Path.join(path, "given"), "/", :ro}]
             )
  end

  test "options that are wrong are named" do
    module = module!("")

    for {options, words} <- [
          {[arg: []], ~r/has no option :arg/},
          {[args: [1]], ~r/option :args .* a list, each of it a string/},
          {[args: ["a\0b"]], ~r/an argument has a zero byte/},
          {[env: %{"A=B" => "c"}], ~r/a variable's name/},
          {[env: %{"" => "c"}], ~r/a variable's name/},
          {[env: %{a: "c"}], ~r/option :env/},
          {[env: [{"A", "b\0"}]], ~r/a variable's name/},
          {[dirs: ["/"]], ~r/option :dirs is a list of/},
          {[dirs: [{"/tmp", "/", :w}]], ~r/option :dirs is a list of/},
          {[dirs: [{"", "/", :ro}]], ~r/option :dirs is a list of/},
          {[clock: 1], ~r/option :clock/},
          {[random: {:seed, -1}], ~r/option :random/},
          {[random: 5], ~r/option :random/},
          {[timeout: 0], ~r/option :timeout/},
          {[max_output: -1], ~r/option :max_output/},
          {[stdin: 5], ~r/option :stdin/},
          {[limits: [memory: -1]], ~r/option :memory of Wasgo.Wasm.Limits/}
        ] do
      assert_raise ArgumentError, words, fn -> Command.run(module, options) end
    end

    assert_raise ArgumentError, ~r/option :input/, fn -> Command.stream(module, 5) end

    assert_raise ArgumentError, ~r/has no option :stdin/, fn ->
      Command.start(module, stdin: "")
    end

    assert_no_messages()
  end
end
