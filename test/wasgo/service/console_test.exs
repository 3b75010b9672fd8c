defmodule Wasgo.Service.ConsoleTest do
  use ExUnit.Case, async: true

  alias Wasgo.{LimitError, Service, ServiceError}
  alias Wasgo.Service.{Console, Framing}

  doctest Console

  defp console(framing \\ :line) do
    Console.new(:container2wasm, Framing.new(framing), ["command"])
  end

  defp decode_all(console, pieces) do
    Enum.reduce(pieces, {"", nil, console}, fn piece, {output, status, console} ->
      {:ok, more, told, console} = Console.decode(console, piece)
      {output <> more, told || status, console}
    end)
  end

  test "line breaks, marker and status are found however the output is cut" do
    %{token: token} = console = console()
    meant = for byte <- 0..255, into: "", do: <<byte>>
    meant = meant <> "\r\r\n\n\r"
    sent = fn text -> String.replace(text, "\n", "\r\n") end

    # Bytes that are no text are cut and replaced as bytes.
    written =
      sent.("machine: booting\n#{token}\n") <>
        :binary.replace(meant, "\n", "\r\n", [:global]) <> sent.("\x1f#{token}=137\npower off\n")

    for at <- 0..byte_size(written) do
      pieces = [binary_part(written, 0, at), binary_part(written, at, byte_size(written) - at)]
      assert {^meant, 137, _console} = decode_all(console, pieces)
    end

    assert {^meant, 137, _console} = decode_all(console, for(<<byte <- written>>, do: <<byte>>))
  end

  test "what only looks like the status is output" do
    %{token: token} = console = console()
    {"", nil, console} = decode_all(console, [token <> "\r\n"])
    almost = "\x1f#{token}!\r\n\x1f#{String.slice(token, 0, 5)}"
    assert {output, nil, console} = decode_all(console, for(<<byte <- almost>>, do: <<byte>>))
    assert output <> Console.rest(console) == String.replace(almost, "\r\n", "\n")
  end

  test "a machine that talks on without coming to its command is given up" do
    line = :binary.copy("kernel: hello\r\n", 1_000)

    assert {:error, %ServiceError{reason: :too_long}} =
             Enum.reduce_while(1..100, console(), fn _, console ->
               case Console.decode(console, line) do
                 {:ok, "", nil, console} ->
                   assert byte_size(console.pending) < 100
                   {:cont, console}

                 error ->
                   {:halt, error}
               end
             end)
  end

  test "what the terminal would cut or act upon is refused in text, and sent as it is otherwise" do
    assert {:error, %ServiceError{reason: :too_long}} =
             Console.encode(console(), :binary.copy("x", 4_095) <> "\n")

    assert {:ok, _bytes} = Console.encode(console(), :binary.copy("x", 4_094) <> "\n")

    for byte <- [0, 1, 3, 4, 8, 13, 21, 26, 27, 28, 127] do
      assert {:error, %ServiceError{reason: :control_character} = error} =
               Console.encode(console(), <<"a", byte, "b\n">>)

      assert Exception.message(error) =~ "0x"
    end

    all = for byte <- 0..255, into: "", do: <<byte>>

    assert {:ok, <<0, 1, 1, 2, 3, _rest::binary>>} =
             Console.encode(console(:length_prefixed), all)
  end

  test "over 1,024 bytes of arguments are refused before anything starts" do
    long = String.duplicate("x", 1_000)

    for {options, bytes} <- [
          {[command: ["cat", long]], 1_000},
          {[command: ["cat"], env: %{"A" => long}], 1_000}
        ] do
      assert {:error, %LimitError{reason: :argument_bytes, value: 1_024} = error} =
               Service.start_link([module: "(module)", console: :container2wasm] ++ options)

      assert [_, given] = Regex.run(~r/have (\d+) bytes/, Exception.message(error))
      assert String.to_integer(given) > bytes
    end
  end

  test "what the machine would not pass on as it is takes a detour through the shell" do
    plain = ["cat", "x", "é.", "ü y"]
    environment = [{"A", ""}, {"B", "é."}]

    assert {:ok, ["service", "-entrypoint", "env", "sh", "-c", script, "sh" | ^plain],
            ^environment} = Console.arguments(console(), plain, environment, [], nil)

    refute script =~ "%."

    for word <- ["", "C:\\", "José", "日本"] do
      assert {:ok, ["service", "-entrypoint", "env", "sh", "-c", script, "sh" | words], []} =
               Console.arguments(console(), ["cat", word, "x"], [], [], nil)

      assert script =~ "${__%.}"
      assert words == ["cat.", word <> ".", "x."]
    end

    environment = [{"A", "a"}, {"B", "José"}, {"C", ""}, {"D", "\\"}]

    assert {:ok, arguments, [{"A", "a"}, {"C", ""}]} =
             Console.arguments(console(), ["cat"], environment, [], nil)

    assert Enum.drop(arguments, 7) == ["env.", "B=José.", "D=\\.", "cat."]
  end

  test "without a shell what the machine would not pass on is refused before anything starts" do
    for {options, reason} <- [
          {[command: ["cat", ""]], :empty_argument},
          {[command: ["cat", "C:\\"]], :trailing_character},
          {[command: ["cat", "José"]], :trailing_character},
          {[command: ["cat"], env: %{"A" => "\\"}], :trailing_character},
          {[command: ["cat"], env: %{"A" => "ü"}], :trailing_character}
        ] do
      service = [module: "(module)", console: {:container2wasm, shell: false}]
      assert {:error, %ServiceError{reason: ^reason}} = Service.start_link(service ++ options)
    end
  end

  test "a directory that a container can't mount is refused before anything starts" do
    for dir <- ["/", ".", "/./.", "/pack", "/data/", "/a/../b", "/José", "/a\\"] do
      options = [module: "(module)", console: :container2wasm, dirs: [{".", dir, :ro}]]

      assert {:error, %ServiceError{reason: :invalid_directory} = error} =
               Service.start_link(options)

      assert Exception.message(error) =~ inspect(dir)
    end

    for dir <- ["/data", "data", "/my data", "/a:b", "/é/x", "/a/pack"] do
      assert {:ok, _arguments, []} = Console.arguments(console(), ["cat"], [], [dir], nil)
    end
  end

  test "a machine that ends before it comes to its command tells why" do
    said = ~S(\1b[31mERRO\1b[0m runc run failed: \22env\22 not found\0d\0a)

    program = """
    (module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\10\\00\\00\\00\\39\\00\\00\\00")
      (data (i32.const 16) "booting\\0d\\0a#{said}")
      (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
    """

    Process.flag(:trap_exit, true)

    assert {:error, %ServiceError{reason: :not_started} = error} =
             Service.start_link(module: program, console: :container2wasm, command: ["cat"])

    assert Exception.message(error) =~
             ~s(with status 0 before its command ran; it said at last: booting ERRO runc run failed: "env" not found)
  end

  test "spaces and line breaks of arguments take twice their room, as in the machine's block" do
    given = fn word -> Console.arguments(console(), ["cat", word], [], [], nil) end
    assert {:error, %LimitError{} = plain} = given.(String.duplicate("x", 1_000))
    assert {:error, %LimitError{} = spaces} = given.(String.duplicate(" ", 1_000))

    number =
      &(~r/have (\d+) bytes/
        |> Regex.run(Exception.message(&1))
        |> List.last()
        |> String.to_integer())

    assert number.(spaces) == number.(plain) + 1_000
  end

  test "at a person's terminal the machine's line breaks and echo stay, and its status is read" do
    console = Console.terminal(["sh"], {24, 80})
    {:ok, arguments, []} = Console.arguments(console, ["sh"], [], [], nil)
    assert Enum.at(arguments, 5) =~ ~r/^stty rows 24 cols 80;/
    assert Console.encode(console, "\x03\x01") == {:ok, "\x03\x01\x01"}

    text = "booting\r\n#{console.token}\r\n$ ls\r\nfile\r"
    assert {:ok, "$ ls\r\nfile\r", nil, console} = Console.decode(console, text)
    assert {:ok, "\n", nil, console} = Console.decode(console, "\n\x1f" <> console.token)
    assert {:ok, "", 3, _console} = Console.decode(console, "=3\r\npower off")
  end

  test "is given a new token and other random bytes at each start" do
    {:ok, one, []} = Console.arguments(console(), ["cat"], [], [], nil)
    {:ok, other, []} = Console.arguments(console(), ["cat"], [], [], nil)
    assert ["service", "-entrypoint", "env", "sh", "-c", script, "sh", "cat"] = one
    assert one != other
    assert script =~ "/dev/urandom"
  end
end
