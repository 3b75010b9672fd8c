defmodule Wasgo.Service.RealImageTest do
  # Against an image that container2wasm made, of a container with busybox: WASGO_C2W_IMAGE names its file.
  use ExUnit.Case, async: false

  import Wasgo.TestGuests, only: [eventually: 1]

  alias Wasgo.{LimitError, Service, ServiceError}
  alias Wasgo.Service.Image
  alias Wasgo.Wasm.{Engine, Module}

  @moduletag :capture_log
  @moduletag :c2w_image
  @moduletag timeout: 600_000

  # For what a machine of any speed does in the end.
  @patience 300_000

  @all for byte <- 0..255, into: "", do: <<byte>>

  setup_all do
    path = System.fetch_env!("WASGO_C2W_IMAGE")
    {:ok, image} = Image.describe_file(path)
    {:ok, module} = Module.compile_file(path)
    %{path: path, image: image, module: module}
  end

  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  defp start!(module, command, options \\ []) do
    {:ok, service} = start(module, command, options)
    service
  end

  defp start(module, command, options \\ []) do
    [module: module, console: :container2wasm, command: command, ready_timeout: @patience]
    |> Keyword.merge(options)
    |> Service.start_link()
  end

  # What a command writes until it ends, as lines, and its end.
  defp output(module, command, options \\ []) do
    service = start!(module, command, [subscriber: self()] ++ options)
    lines(service, [])
  end

  defp lines(service, lines) do
    receive do
      {:wasgo_service, ^service, {:ended, exception}} -> {Enum.reverse(lines), exception.reason}
      {:wasgo_service, ^service, line} -> lines(service, [line | lines])
    after
      @patience -> flunk("the container neither wrote nor ended")
    end
  end

  defp collect(_service, bytes, size) when byte_size(bytes) >= size, do: bytes

  defp collect(service, bytes, size) do
    receive do
      {:wasgo_service, ^service, more} when is_binary(more) ->
        collect(service, bytes <> more, size)
    after
      @patience -> flunk("#{byte_size(bytes)} of #{size} bytes came")
    end
  end

  # Answers each line with itself and a mark.
  defp echo(suffix \\ ""),
    do: ["sh", "-c", ~s(while read -r line; do echo "<$line>"; done) <> suffix]

  test "is known for what it is", %{image: image} do
    assert image.kind == :container2wasm
    assert image.arch in [:riscv64, :x86_64]
    assert image.network? and image.missing == []
    assert Image.runnable(image) == :ok
  end

  test "says what machine it is", %{module: module, image: image} do
    assert {[line], {:exited, 0}} = output(module, ["uname", "-a"])
    assert line =~ ~r/^Linux .*#{image.arch}/
  end

  test "passes on a command's exit status and its arguments", %{module: module} do
    assert {[], {:exited, 7}} = output(module, ["sh", "-c", "exit 7"])

    script = ~S(for word; do echo "[$word]"; done; echo "$BEFORE$NAME$AFTER" >&2)
    words = ["two words", "$HOME", "-n", "quote'\"s", "back\\slash"]

    # What the machine itself does not pass on.
    awkward = ["", "José", "C:\\", "日本", ".", " "]

    for {words, value} <- [{words, "value"}, {awkward, "value"}, {words, "ü"}, {awkward, "\\"}] do
      environment = [{"BEFORE", "a"}, {"NAME", value}, {"AFTER", "b"}]

      assert {lines, {:exited, 0}} =
               output(module, ["sh", "-c", script, "sh" | words], env: environment)

      assert lines == Enum.map(words, &"[#{&1}]") ++ ["a#{value}b"]
    end
  end

  test "answers 1,000 requests one by one, and 1,000 at once", %{module: module} do
    service = start!(module, echo())

    for number <- 1..1_000 do
      assert Service.request(service, "line #{number}", @patience) ==
               {:ok, "<line #{number}>"}
    end

    lines = for number <- 1..1_000, do: "again #{number}"

    assert Service.request_many(service, lines, @patience) ==
             {:ok, Enum.map(lines, &"<#{&1}>")}

    assert Service.stop(service, @patience) == :ok
    assert_receive {:EXIT, ^service, :normal}, @patience
  end

  test "takes and gives every byte in a raw stream", %{module: module} do
    service = start!(module, ["cat"], framing: :raw, subscriber: self())
    bytes = @all <> "\r\n\n\r\r\n\r" <> @all
    :ok = Service.send(service, bytes, @patience)
    assert collect(service, "", byte_size(bytes)) == bytes
  end

  test "takes and gives every byte in messages after their length", %{module: module} do
    service = start!(module, ["cat"], framing: :length_prefixed)

    for message <- [
          "",
          @all,
          "\r",
          "\r\n",
          :binary.copy(@all, 40),
          :crypto.strong_rand_bytes(9_999)
        ] do
      assert Service.request(service, message, @patience) == {:ok, message}
    end
  end

  @tag :tmp_dir
  test "shares a directory in both directions", %{module: module, tmp_dir: dir} do
    File.write!(Path.join(dir, "from_host"), @all)

    script = """
    while read -r word; do
      cp /shared/from_host /shared/from_guest && mv /shared/from_guest /shared/$word && wc -c < /shared/$word
    done
    """

    service = start!(module, ["sh", "-c", script], dirs: [{dir, "/shared", :rw}])
    assert Service.request(service, "copy", @patience) == {:ok, "256"}
    assert File.read!(Path.join(dir, "copy")) == @all

    File.write!(Path.join(dir, "from_host"), "changed")
    assert Service.request(service, "other", @patience) == {:ok, "7"}
    assert File.read!(Path.join(dir, "other")) == "changed"
    assert Enum.sort(File.ls!(dir)) == ["copy", "from_host", "other"]
  end

  @tag :tmp_dir
  test "can't change a directory that is to be read only", %{module: module, tmp_dir: dir} do
    File.write!(Path.join(dir, "file"), "kept")
    script = "cat /shared/file; echo; echo changed > /shared/file; rm /shared/file; echo done"

    assert {lines, {:exited, 0}} =
             output(module, ["sh", "-c", script], dirs: [{dir, "/shared", :ro}])

    assert hd(lines) == "kept" and List.last(lines) == "done"
    assert File.read!(Path.join(dir, "file")) == "kept"
  end

  @tag :tmp_dir
  test "tells why its command never ran", %{module: module, tmp_dir: dir} do
    assert {:error, %ServiceError{reason: :not_started} = error} =
             start(module, ["true"], dirs: [{dir, "/proc", :ro}])

    assert Exception.message(error) =~ ~s(at "/proc")
  end

  @tag :tmp_dir
  test "is a server of HTTP", %{module: module, tmp_dir: dir} do
    File.write!(Path.join(dir, "index.html"), "a page of the container")
    File.write!(Path.join(dir, "all"), :binary.copy(@all, 200))
    script = "busybox httpd -p 80 -h /web && echo READY && exec sleep 1000000"

    service =
      start!(module, ["sh", "-c", script],
        ready: "READY",
        dirs: [{dir, "/web", :ro}],
        network: [forward: [http: 80]]
      )

    options = [timeout: @patience]

    assert {:ok, %{status: 200, body: "a page of the container"}} =
             Service.http(service, :get, "/", [], "", options)

    all = :binary.copy(@all, 200)

    assert {:ok, %{status: 200, body: ^all}} =
             Service.http(service, :get, "/all", [], "", options)

    assert {:ok, %{status: 404}} = Service.http(service, :get, "/none", [], "", options)

    assert {:error, %ServiceError{reason: :econnrefused}} =
             Service.http(service, :get, "/", [], "", [port: 81] ++ options)
  end

  test "writes 200,000 lines without a pause", %{module: module} do
    assert {lines, {:exited, 0}} = output(module, ["seq", "1", "200000"])
    assert length(lines) == 200_000
    assert lines == Enum.map(1..200_000, &Integer.to_string/1)
  end

  test "is stopped, and killed with its process", %{module: module} do
    {:ok, %{instances: before}} = Engine.info()
    busy = ["sh", "-c", "echo READY; while :; do :; done"]

    service = start!(module, busy, ready: "READY")
    assert Service.stop(service, 0) == :ok
    assert_receive {:EXIT, ^service, :normal}, @patience

    service = start!(module, busy, ready: "READY")
    Process.exit(service, :kill)
    assert_receive {:EXIT, ^service, :killed}, @patience
    assert eventually(fn -> match?({:ok, %{instances: ^before}}, Engine.info()) end)
  end

  test "is started anew when its command ends", %{module: module} do
    script =
      ~s(echo READY; while read -r line; do [ "$line" = die ] && exit 3; echo "<$line>"; done)

    service = start!(module, ["sh", "-c", script], ready: "READY", restart: true)
    assert Service.request(service, "one", @patience) == {:ok, "<one>"}

    assert {:error, %ServiceError{reason: {:exited, 3}}} =
             Service.request(service, "die", @patience)

    assert eventually(fn ->
             match?({:ok, %{phase: :ready, restarts: 1}}, Service.info(service))
           end)

    assert Service.request(service, "two", @patience) == {:ok, "<two>"}
  end

  test "draws random numbers of its own in each copy", %{module: module} do
    command = [
      "sh",
      "-c",
      "head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid"
    ]

    copies = for _copy <- 1..3, do: output(module, command)
    assert Enum.all?(copies, &match?({[_bytes, _uuid], {:exited, 0}}, &1))
    drawn = Enum.flat_map(copies, &elem(&1, 0))
    assert Enum.uniq(drawn) == drawn
  end

  test "takes 1,024 bytes of arguments, and more are refused before it starts", %{module: module} do
    given = fn size -> ["printf", "%s\\n", String.duplicate("x", size)] end

    assert {:error, %LimitError{reason: :argument_bytes} = error} = start(module, given.(1_000))
    [_, bytes] = Regex.run(~r/have (\d+) bytes/, Exception.message(error))
    most = 1_000 - (String.to_integer(bytes) - 1_024)

    assert {[line], {:exited, 0}} = output(module, given.(most))
    assert line == String.duplicate("x", most)
    assert {:error, %LimitError{}} = start(module, given.(most + 1))
  end
end
