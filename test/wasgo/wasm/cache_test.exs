defmodule Wasgo.Wasm.CacheTest do
  # The engine has one cache, and other tests compile modules.
  use ExUnit.Case, async: false

  alias Wasgo.CacheError
  alias Wasgo.Wasm.{Cache, Instance, Module}

  doctest Wasgo.Wasm.Cache

  setup do
    dir = Path.join(System.tmp_dir!(), "wasgo-cache-#{System.unique_integer([:positive])}")
    File.rm_rf!(dir)

    on_exit(fn ->
      :ok = Cache.configure(dir: nil)
      File.rm_rf!(dir)
    end)

    {:ok, dir: dir}
  end

  # A module that no other test compiles, and that nobody keeps.
  defp source(number) do
    "(module (func (export \"cached\") (result i64) i64.const #{number + 7_000_000}))"
  end

  # In a process of its own, which ends with the module. The module is freed on another thread, soon after.
  defp run(number) do
    Task.await(Task.async(fn -> compile_and_call(number) end))
  end

  defp compile_and_call(number) do
    [result] =
      number |> source() |> Module.compile!() |> Instance.new!() |> Instance.call!("cached")

    result - 7_000_000
  end

  # Runs until what was compiled before is freed and comes from the folder.
  defp run_until_hit(number, hits, tries \\ 500) do
    assert run(number) == number

    cond do
      info().hits > hits -> :ok
      tries == 0 -> flunk("the module never came from the folder: #{inspect(info())}")
      true -> run_until_hit(number, hits, tries - 1)
    end
  end

  defp info do
    {:ok, info} = Cache.info()
    info
  end

  defp entries(dir), do: Path.wildcard(Path.join(dir, "*.code"))

  test "what was compiled is stored, and loaded when it is compiled again", %{dir: dir} do
    :ok = Cache.configure(dir: dir, max_bytes: 10_000_000)
    before = info()
    assert %{dir: ^dir, max_bytes: 10_000_000, entries: 0, bytes: 0} = before
    assert run(1) == 1
    assert [entry] = entries(dir)
    size = File.stat!(entry).size
    assert %{entries: 1, bytes: ^size} = info()
    assert info().stored == before.stored + 1
    assert info().misses == before.misses + 1
    run_until_hit(1, before.hits)
    assert info().misses == before.misses + 1
  end

  test "what lives is shared, with a folder or without" do
    :ok = Cache.configure(dir: nil)
    module = Module.compile!(source(2))
    before = info()
    again = Module.compile!(source(2))
    assert info().shared == before.shared + 1
    assert info().misses == before.misses
    assert Instance.call!(Instance.new!(again), "cached") == [7_000_002]
    assert Instance.call!(Instance.new!(module), "cached") == [7_000_002]
  end

  test "a hundred processes that compile the same get one compilation" do
    before = info()

    modules =
      1..100
      |> Enum.map(fn _ -> Task.async(fn -> Module.compile!(source(3)) end) end)
      |> Task.await_many(30_000)

    assert info().misses == before.misses + 1
    assert info().shared == before.shared + 99
    # Each is a module of its own to its users.
    assert modules |> Enum.map(& &1.ref) |> Enum.uniq() |> length() == 100
  end

  test "a damaged file is compiled anew", %{dir: dir} do
    :ok = Cache.configure(dir: dir)
    run(4)
    [entry] = entries(dir)
    good = File.read!(entry)
    at = div(byte_size(good), 2)
    {head, <<byte, rest::binary>>} = :erlang.split_binary(good, at)
    File.rm!(entry)
    File.write!(entry, <<head::binary, Bitwise.bxor(byte, 1), rest::binary>>)
    File.chmod!(entry, 0o400)
    before = info()

    # As long as somebody has the first one, nobody asks for the file.
    Enum.find(1..500, fn _ ->
      assert run(4) == 4
      info().refused > before.refused
    end)

    assert info().refused == before.refused + 1
    assert info().hits == before.hits or File.read!(entry) != good
    assert [^entry] = entries(dir)
  end

  test "the folder can be cleared, and what is loaded stays", %{dir: dir} do
    :ok = Cache.configure(dir: dir)
    module = Module.compile!(source(5))
    assert run(6) == 6
    assert Cache.clear() == {:ok, 2}
    assert %{entries: 0, bytes: 0} = info()
    assert Instance.call!(Instance.new!(module), "cached") == [7_000_005]
    :ok = Cache.configure(dir: nil)
    assert Cache.clear() == {:ok, 0}
  end

  test "a folder that others may write is refused, and the one before stays", %{dir: dir} do
    :ok = Cache.configure(dir: dir)
    open = dir <> "-open"
    File.mkdir_p!(open)
    on_exit(fn -> File.rm_rf!(open) end)
    File.chmod!(open, 0o777)
    assert {:error, %CacheError{reason: :untrusted} = error} = Cache.configure(dir: open)

    assert Exception.message(error) ==
             "the folder #{inspect(open)} can't keep compiled modules: other users may change or read it"

    assert info().dir == dir
    assert File.ls!(open) == []
  end

  test "a folder that can't be made is an error" do
    assert {:error, %CacheError{reason: :unusable} = error} = Cache.configure(dir: "/dev/null/x")

    assert Exception.message(error) =~ "/dev/null/x"
  end

  test "a wrong option is the programmer's mistake" do
    assert_raise ArgumentError, ~r/:dir of Wasgo.Wasm.Cache/, fn -> Cache.configure(dir: 7) end
    assert_raise ArgumentError, ~r/:max_bytes/, fn -> Cache.configure(max_bytes: -1) end
    assert_raise ArgumentError, ~r/no option :size/, fn -> Cache.configure(size: 1) end
  end

  describe "another VM" do
    # Compiles a module in a VM that was just started; answers what the cache says, and what was logged.
    defp elsewhere(env, config \\ "[]") do
      code = """
      Application.put_env(:wasgo, Wasgo.Wasm.Cache, #{config})
      kept = for _ <- 1..3, do: Wasgo.Wasm.Module.compile!(#{inspect(source(7))})
      1..20
      |> Enum.map(fn n -> Task.async(fn -> Wasgo.Wasm.Module.compile!("(module (func (export \\"x\#{n}\\")))") end) end)
      |> Task.await_many(30_000)
      {:ok, info} = Wasgo.Wasm.Cache.info()
      # Alive until here, and so shared.
      3 = length(kept)
      IO.puts("INFO " <> Base.encode64(:erlang.term_to_binary(info)))
      """

      args = ["-pa", Path.join(:code.lib_dir(:wasgo), "ebin"), "-e", code]

      # An empty variable can only be set this way. What goes wrong must not leave files with the user.
      set = for {name, value} <- env, value != nil, do: "#{name}=#{value}"

      env = [
        {"WASGO_CACHE_DIR", nil},
        {"XDG_CACHE_HOME", Path.join(System.tmp_dir!(), "wasgo-no-home")}
      ]

      {output, 0} = System.cmd("env", set ++ ["elixir" | args], env: env, stderr_to_stdout: true)
      [_, encoded] = Regex.run(~r/INFO (\S+)/, output)
      {encoded |> Base.decode64!() |> :erlang.binary_to_term(), output}
    end

    test "takes its folder from the environment, and finds there what this one compiled", %{
      dir: dir
    } do
      :ok = Cache.configure(dir: dir)
      run(7)
      {info, output} = elsewhere([{"WASGO_CACHE_DIR", dir}])
      assert %{dir: ^dir, hits: 1, misses: 20, stored: 20, max_bytes: 536_870_912} = info
      refute output =~ "warning"
      assert {%{hits: 21, misses: 0}, _} = elsewhere([{"WASGO_CACHE_DIR", dir}], "[dir: nil]")
    end

    test "takes its folder from the configuration", %{dir: dir} do
      {info, _} = elsewhere([], "[dir: #{inspect(dir)}, max_bytes: 1_000_000]")
      assert %{dir: ^dir, max_bytes: 1_000_000, stored: 21} = info
    end

    test "has a folder of its user's unless told otherwise", %{dir: dir} do
      {info, _} = elsewhere([{"XDG_CACHE_HOME", dir}])
      assert String.starts_with?(info.dir, dir) or match?({:unix, :darwin}, :os.type())
      assert String.ends_with?(info.dir, "wasgo/modules")
    end

    test "has none when the environment or the configuration says so" do
      assert {%{dir: nil, stored: 0}, output} = elsewhere([{"WASGO_CACHE_DIR", ""}])
      refute output =~ "compiled at each start"
      assert {%{dir: nil}, _} = elsewhere([], "[dir: nil]")
    end

    test "says once that a folder can't be used, and compiles" do
      {info, output} = elsewhere([{"WASGO_CACHE_DIR", "/dev/null/x"}])
      assert %{dir: nil, misses: 21} = info
      assert length(String.split(output, "modules will be compiled at each start")) == 2
      assert output =~ "/dev/null/x"
    end
  end
end
