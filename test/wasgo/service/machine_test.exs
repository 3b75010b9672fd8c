defmodule Wasgo.Service.MachineTest do
  # Against a program that behaves at its streams as container images do.
  use ExUnit.Case, async: true

  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.{Service, ServiceError}
  alias Wasgo.Wasm.{Command, Module}

  @moduletag :capture_log
  @moduletag :guest_c

  setup_all do
    path =
      Path.join(System.tmp_dir!(), "wasgo-machine-#{System.unique_integer([:positive])}.wasm")

    on_exit(fn -> File.rm(path) end)
    clang = System.get_env("WASGO_CLANG", "clang")
    source = Path.expand("../../support/machine.c", __DIR__)
    flags = ["--target=wasm32-wasi", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    {"", 0} = System.cmd(clang, flags ++ [source, "-o", path], stderr_to_stdout: true)
    %{machine: Module.compile!(File.read!(path))}
  end

  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  defp start!(machine, command, options \\ []) do
    options = [module: machine, console: :container2wasm, command: command] ++ options
    {:ok, service} = Service.start_link(options)
    service
  end

  test "shows what it would be without the profile", %{machine: machine} do
    arguments = [args: ["upper"], name: "service"]
    assert {:ok, %{status: 1}} = Command.run(machine, [stdin: "hello\n"] ++ arguments)
    assert {:ok, %{status: 1}} = Command.run(machine, args: [String.duplicate("x", 1_024)])
    assert {:ok, command} = Command.start(machine, arguments)
    :ok = Command.write(command, "hello\n")
    assert eventually(fn -> told(command) =~ "hello\r\nHELLO\r\n" end)
    Command.stop(command)
  end

  defp told(command) do
    text = Process.get(command.ref, "")

    text =
      receive do
        message ->
          case Command.event(command, message) do
            {:stdout, bytes} -> text <> bytes
            _other -> text
          end
      after
        0 -> text
      end

    Process.put(command.ref, text)
    text
  end

  test "answers lines, without echo and with plain line breaks", %{machine: machine} do
    service = start!(machine, ["upper"])
    assert Service.request(service, "hello") == {:ok, "HELLO"}
    assert Service.request(service, "") == {:ok, ""}
    lines = for number <- 1..1_000, do: "line #{number}"

    assert Service.request_many(service, lines, 60_000) ==
             {:ok, Enum.map(lines, &String.upcase/1)}

    assert {:error, %ServiceError{reason: :control_character}} =
             Service.request(service, "a\x03b")

    longest = String.duplicate("x", 4_094)
    assert {:error, %ServiceError{reason: :too_long}} = Service.request(service, longest <> "x")
    assert Service.request(service, longest) == {:ok, String.upcase(longest)}
    assert Service.stop(service, 30_000) == :ok
    assert_receive {:EXIT, ^service, :normal}, 5_000
  end

  test "is ready when its command says so", %{machine: machine} do
    service = start!(machine, ["upper", "READY now\n"], ready: ~r/READY/)
    assert Service.request(service, "hello") == {:ok, "HELLO"}

    assert {:error, %ServiceError{reason: :not_ready} = error} =
             Service.start_link(
               module: machine,
               console: :container2wasm,
               command: ["hang"],
               ready: ~r/READY/,
               ready_timeout: 3_000
             )

    assert Exception.message(error) =~ "write ~r/READY/ within 3000 ms"
  end

  test "passes every byte where the framing is not text", %{machine: machine} do
    service = start!(machine, ["backwards"], framing: :length_prefixed)
    all = for byte <- 0..255, into: "", do: <<byte>>

    for message <- [all, :binary.copy(all, 100), "", "\r\n\r", :rand.bytes(1_000)] do
      backwards = message |> :binary.bin_to_list() |> Enum.reverse() |> :binary.list_to_bin()
      assert Service.request(service, message, 60_000) == {:ok, backwards}
    end

    # No end of file reaches a command that reads everything.
    assert Service.stop(service) == :ok
  end

  test "writes every byte, and its end is heard", %{machine: machine} do
    service = start!(machine, ["bytes"], framing: :raw, subscriber: self())
    assert IO.iodata_to_binary(gather(service, [])) == for(byte <- 0..255, into: "", do: <<byte>>)
    service = start!(machine, ["upper", "then"], framing: :raw, ready: "then")
    :ok = Service.subscribe(service)
    :ok = Service.send(service, "abc\nexit 7\n")
    assert_receive {:wasgo_service, ^service, "ABC\n"}, 30_000

    assert_receive {:wasgo_service, ^service, {:ended, %ServiceError{reason: {:exited, 7}}}},
                   30_000

    assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 7}}}}, 30_000
  end

  test "has the status of its command, not its own", %{machine: machine} do
    service = start!(machine, ["upper"])
    assert {:error, %ServiceError{reason: {:exited, 42}}} = Service.request(service, "exit 42")
    service = start!(machine, ["false"])
    assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 1}}}}, 30_000
    service = start!(machine, ["nonsense"])
    assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 127}}}}, 30_000
  end

  test "passes on words and variables whatever they end with", %{machine: machine} do
    words = ["", "José", "C:\\", "plain", ".", " "]
    service = start!(machine, ["say" | words], framing: :line, subscriber: self())
    assert gather(service, []) == words

    for value <- ["", "José", "C:\\", "plain"] do
      environment = [{"BEFORE", "x"}, {"NAME", value}, {"AFTER", "y"}]
      options = [env: environment, subscriber: self()]
      assert gather(start!(machine, ["variable", "NAME"], options), []) == [value]
      assert gather(start!(machine, ["variable", "AFTER"], options), []) == ["y"]
    end
  end

  test "writes 200,000 lines, with a pause now and then for its kernel", %{machine: machine} do
    service = start!(machine, ["count", "200000"], subscriber: self())
    assert gather(service, []) == for(number <- 1..200_000, do: "line #{number}")
  end

  defp gather(service, lines) do
    receive do
      {:wasgo_service, ^service, {:ended, _exception}} -> Enum.reverse(lines)
      {:wasgo_service, ^service, line} -> gather(service, [line | lines])
    after
      60_000 -> flunk("no line for a minute")
    end
  end

  test "without a shell runs as it is", %{machine: machine} do
    {:ok, service} =
      Service.start_link(
        module: machine,
        console: {:container2wasm, shell: false},
        command: ["upper", "ready\n"],
        ready: "ready"
      )

    # The terminal's echo is the answer that comes first.
    assert Service.request(service, "hello") == {:ok, "hello"}
  end

  test "that hangs is stopped", %{machine: machine} do
    service = start!(machine, ["hang"])
    assert Service.stop(service, 50) == :ok
    assert_receive {:EXIT, ^service, :normal}, 5_000
  end
end
