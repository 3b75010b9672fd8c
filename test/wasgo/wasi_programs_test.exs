defmodule Wasgo.WasiProgramsTest do
  # Interpreters that others compiled to WASI, as registries have them.
  use ExUnit.Case, async: true

  alias Wasgo.{LinkError, Service, WasiPrograms}
  alias Wasgo.Service.Image
  alias Wasgo.Wasm.{Command, Module}

  @moduletag :wasi_programs
  @moduletag timeout: 600_000

  @patience 300_000

  setup_all do
    # Python takes ten seconds to compile: once for all tests.
    %{python: Module.compile!(File.read!(WasiPrograms.path(:python)))}
  end

  test "Python is described without being compiled" do
    assert {:ok, %Image{kind: :wasi_command, missing: [], arch: nil} = image} =
             Image.describe_file(WasiPrograms.path(:python))

    assert Image.runnable(image) == :ok
    assert {:error, error} = Image.runnable(image, 1_048_576)
    assert error.reason == :memory
  end

  test "Python runs a script with its standard library, given and returned by its streams", %{
    python: python
  } do
    script = """
    import json, sys, hashlib
    rows = [json.loads(line) for line in sys.stdin]
    print(json.dumps({"sum": sum(row["n"] for row in rows), "digits": str(2 ** 200)}, sort_keys=True))
    print(hashlib.sha256(b"wasgo").hexdigest())
    print("done", file=sys.stderr)
    sys.exit(len(rows))
    """

    input = Stream.map(1..100, &~s({"n": #{&1}}\n))
    options = [args: ["-c", script], stdin: input, timeout: @patience]

    assert {:ok, %{status: 100, stdout: out, stderr: "done\n"}} = Command.run(python, options)
    [json, digest] = String.split(out, "\n", trim: true)
    assert json == ~s({"digits": "#{Integer.pow(2, 200)}", "sum": 5050})
    assert digest == :crypto.hash(:sha256, "wasgo") |> Base.encode16(case: :lower)
  end

  @tag :tmp_dir
  test "Python answers lines as a service, its script in a directory", %{
    python: python,
    tmp_dir: dir
  } do
    File.write!(Path.join(dir, "service.py"), """
    import json, sys
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"id": request["id"], "upper": request["text"].upper()}), flush=True)
    """)

    {:ok, service} =
      Service.start_link(
        module: python,
        command: ["/app/service.py"],
        dirs: [{dir, "/app", :ro}],
        framing: :json_lines,
        answers: {:by, "id"},
        ready: "ready",
        ready_timeout: @patience
      )

    assert Service.request(service, %{"text" => "héllo"}, @patience) ==
             {:ok, %{"upper" => "HÉLLO"}}

    requests = for number <- 1..500, do: %{"text" => "line #{number}"}
    answers = for number <- 1..500, do: %{"upper" => "LINE #{number}"}
    assert Service.request_many(service, requests, @patience) == {:ok, answers}
    assert Service.stop(service, @patience) == :ok
  end

  test "Python that fails says why, and its status is its own", %{python: python} do
    assert {:ok, %{status: 1, stderr: words}} =
             Command.run(python, args: ["-c", "open('/etc/passwd')"], timeout: @patience)

    assert words =~ "FileNotFoundError" or words =~ "PermissionError" or words =~ "OSError"
  end

  test "a module that wants functions of its own host is refused, and they are named" do
    path = WasiPrograms.path(:quickjs)
    assert {:ok, %Image{kind: :wasi_reactor} = image} = Image.describe_file(path)
    assert "env.host_call" in image.missing
    assert {:error, %LinkError{reason: :missing_export}} = Image.runnable(image)

    assert {:error, %LinkError{reason: :missing_import, module: "env", name: name}} =
             path |> File.read!() |> Module.compile!() |> Command.run()

    assert ("env." <> name) in image.missing
  end
end
