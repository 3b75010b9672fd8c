defmodule Wasgo.Wasm.ModuleTest do
  use ExUnit.Case, async: true

  alias Wasgo.{CompileError, LimitError, LinkError}
  alias Wasgo.Wasm.{Instance, Module}

  doctest Wasgo.Wasm.Module

  @namer "guest/services/namer.wasm"
  @thin "guest/scripts/thin.wasm"

  describe "what is no module" do
    test "empty bytes" do
      assert {:error, %CompileError{reason: :compile} = error} = Module.compile("")
      assert Exception.message(error) == "not a valid WebAssembly module: it is empty"
    end

    test "text that is no WAT, with the place in it" do
      assert {:error, %CompileError{} = error} = Module.compile("(module\n  (funk))")
      assert Exception.message(error) =~ "2:4"
    end

    test "a type error" do
      assert {:error, %CompileError{} = error} =
               Module.compile("(module (func (result i32) i64.const 1))")

      assert Exception.message(error) =~ "type mismatch"
    end

    test "bytes of something else" do
      for bytes <- [
            "\d\dELF",
            "GIF89a",
            <<0, "asm">>,
            <<0, "asm", 9, 0, 0, 0>>,
            <<0, "asm", 13, 0, 1, 0>>,
            <<255, 254, 0>>
          ] do
        assert {:error, %CompileError{} = error} = Module.compile(bytes)
        assert Exception.message(error) =~ "not a valid WebAssembly module: "
      end
    end

    test "a module cut short anywhere" do
      bytes = File.read!(@thin)

      for length <- [9, 20, 100, div(byte_size(bytes), 2), byte_size(bytes) - 1] do
        assert {:error, %CompileError{}} = Module.compile(binary_part(bytes, 0, length))
      end
    end

    test "a corrupt module is an error or another module, and never more than that" do
      bytes = File.read!(@thin)
      state = :rand.seed_s(:exsss, {1, 2, 3})

      {results, _} =
        Enum.map_reduce(1..60, state, fn _, state ->
          {at, state} = :rand.uniform_s(byte_size(bytes), state)
          {byte, state} = :rand.uniform_s(256, state)
          <<before::binary-size(at - 1), _, rest::binary>> = bytes
          {Module.compile(<<before::binary, byte - 1, rest::binary>>), state}
        end)

      for {:error, error} <- results, do: assert(%CompileError{} = error)
      assert Enum.any?(results, &match?({:error, _}, &1))
      assert {:ok, _} = Module.compile(bytes)
    end
  end

  describe "validate" do
    test "tells of a module what compiling it tells" do
      for source <- [
            File.read!(@thin),
            File.read!(@namer),
            "(module)",
            ~s|(module (import "a" "g" (global (mut i64))) (import "a" "f" (func (param f32) (result i64 i32))))|,
            ~s|(module (table (export "t") 3 7 funcref) (memory (export "m") 1))|
          ] do
        {:ok, module} = Module.compile(source)

        assert Module.validate(source) ==
                 {:ok,
                  %{
                    kind: :module,
                    imports: module.imports,
                    exports: module.exports,
                    size: module.size
                  }}
      end

      assert {:ok, %{exports: [_ | _]}} = Module.validate(File.read!(@thin))
    end

    test "finds what is wrong where compiling does" do
      for source <- [
            "",
            "GIF89a",
            "(module (funk))",
            "(module (func (result i32) i64.const 1))",
            "(module (memory 1) (memory 1))",
            "(module (tag))",
            binary_part(File.read!(@thin), 0, 100)
          ] do
        assert {:error, %CompileError{} = error} = Module.validate(source)
        assert Exception.message(error) =~ "not a valid WebAssembly module: "
        assert {:error, %CompileError{}} = Module.compile(source)
      end
    end
  end

  describe "a module that would keep a compiler busy" do
    test "is refused with the limit that it is over" do
      nested = String.duplicate("(loop ", 101) <> String.duplicate(")", 101)
      types = Enum.map_join(1..10_001, "", fn _ -> "(type (func))" end)
      exports = Enum.map_join(1..100_001, "", &~s|(export "#{&1}" (func 0))|)

      for {body, reason, value} <- [
            {"(func #{nested})", :loop_depth, 100},
            {"(func #{String.duplicate("(loop)", 2_001)})", :function_loops, 2_000},
            {"(func #{String.duplicate("nop ", 2_097_152)})", :function_size, 2_097_152},
            {String.duplicate("(func #{String.duplicate("(loop)", 2_000)})", 13), :loop_work,
             20_000},
            {types, :module_types, 10_000},
            {"(func) #{exports}", :module_exports, 100_000},
            {String.duplicate("(func)", 200_001), :module_functions, 200_000},
            {"(memory 1)" <> String.duplicate("(data \"\")", 30_001), :module_data_segments,
             30_000},
            {String.duplicate(~s|(import "a" "b" (global i32))|, 10_001), :module_imports,
             10_000},
            {"(func $f) (table 1 funcref) (elem (i32.const 0) #{String.duplicate("$f ", 200_001)})",
             :module_elements, 200_000}
          ] do
        source = "(module #{body})"

        assert {:error, %LimitError{reason: ^reason, value: ^value} = error} =
                 Module.compile(source)

        assert error.asked > value
        assert Exception.message(error) =~ ~r/^the module has .*#{value}/
        assert {:error, %LimitError{reason: ^reason}} = Module.validate(source)
      end
    end
  end

  test "a file that can't be read is named" do
    assert {:error, %File.Error{reason: :enoent} = error} =
             Module.compile_file("guest/no/such.wasm")

    assert Exception.message(error) =~ "guest/no/such.wasm"
  end

  test "a file of WebAssembly or of WAT compiles" do
    assert {:ok, %Module{size: size}} = Module.compile_file(@thin)
    assert size == File.stat!(@thin).size
  end

  test "imports and exports of every kind are told with their types" do
    module =
      Module.compile!("""
      (module
        (import "env" "abort" (func (param i32 i32 i32 i32)))
        (import "world" "memory" (memory 1 4))
        (import "world" "count" (global i64))
        (func (export "f") (param i32 f64) (result i64 f32) (i64.const 0) (f32.const 0))
        (func (export "nothing"))
        (table (export "table") 3 7 funcref)
        (global (export "pi") f64 (f64.const 3.14)))
      """)

    assert module.imports == [
             %{module: "env", name: "abort", kind: :func, type: "(i32, i32, i32, i32) -> ()"},
             %{module: "world", name: "memory", kind: :memory, type: "1..4 pages"},
             %{module: "world", name: "count", kind: :global, type: "i64"}
           ]

    assert module.exports == [
             %{name: "f", kind: :func, type: "(i32, f64) -> i64, f32"},
             %{name: "nothing", kind: :func, type: "() -> ()"},
             %{name: "table", kind: :table, type: "3..7"},
             %{name: "pi", kind: :global, type: "f64"}
           ]
  end

  test "a module that wants more than it is given compiles, and the missing import is named when it is to run" do
    module = Module.compile!(~s|(module (import "net" "dial" (func (param i32) (result i64))))|)

    assert {:error, %LinkError{reason: :missing_import, module: "net", name: "dial"} = error} =
             Instance.new(module)

    assert Exception.message(error) ==
             ~s|import "net" "dial" (func (i32) -> i64) is not granted|
  end

  test "an import of the right name and a wrong type is refused too" do
    module = Module.compile!(~s|(module (import "env" "abort" (func)))|)
    assert {:error, %LinkError{reason: :missing_import, module: "env"}} = Instance.new(module)
  end

  test "a WASI program is no script" do
    module = Module.compile_file(@namer) |> elem(1)
    assert {:error, error} = Instance.new(module)
    assert Exception.message(error) =~ "a WASI program, which is run as a service"
  end

  test "a module may be used by many processes, and compiled by many at once" do
    module = Module.compile!(~s|(module (func (export "one") (result i32) i32.const 1))|)

    answers =
      1..20
      |> Enum.map(fn number ->
        Task.async(fn ->
          own = Module.compile!(~s|(module (func (export "n") (result i32) i32.const #{number}))|)
          {Instance.call!(Instance.new!(module), "one"), Instance.call!(Instance.new!(own), "n")}
        end)
      end)
      |> Task.await_many(30_000)

    assert answers == for(number <- 1..20, do: {[1], [number]})
  end

  test "bang raises the error" do
    assert_raise CompileError, "not a valid WebAssembly module: it is empty", fn ->
      Module.compile!("")
    end
  end

  test "inspect tells size and exports" do
    module =
      Module.compile!(
        ~s|(module (func (export "one") (result i32) i32.const 1) (func (export "two")))|
      )

    assert inspect(module) == "#Wasgo.Wasm.Module<#{module.size} bytes, exports: one, two>"
  end
end
