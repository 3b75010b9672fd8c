if Code.ensure_loaded?(Membrane.File.Source) do
  defmodule Wasgo.MembraneFilesTest do
    # With Membrane's own file elements on both sides.
    use ExUnit.Case, async: true

    import Membrane.ChildrenSpec
    import Membrane.Testing.Assertions
    import Wasgo.MembranePipelines, only: [pipeline: 1]
    import Wasgo.TestGuests, only: [script: 1]

    alias Wasgo.{Gen, Scene, Script, Stages}
    alias Wasgo.Membrane.{Filter, ScriptFilter}

    @moduletag :membrane_file

    setup do
      folder =
        Path.join(System.tmp_dir!(), "wasgo-membrane-#{System.unique_integer([:positive])}")

      File.mkdir_p!(folder)
      on_exit(fn -> File.rm_rf!(folder) end)
      plan = Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9)
      {:ok, scene} = plan |> Gen.chunk!({0, 0}) |> Gen.Chunk.to_scene()
      glb = Scene.to_glb!(scene)
      path = Path.join(folder, "in.glb")
      File.write!(path, glb)
      {:ok, path: path, glb: glb, out: Path.join(folder, "out.glb")}
    end

    defp write(spec, out) do
      pipeline = spec |> child(:sink, %Membrane.File.Sink{location: out}) |> pipeline()
      assert_end_of_stream(pipeline, :sink, :input, 60_000)
      Membrane.Pipeline.terminate(pipeline)
      File.read!(out)
    end

    @same "(func (export \"process\") (param i32 i32) (result i64) (call $span (local.get 0) (local.get 1)))"

    test "a script that changes nothing gives a glTF file back as it is", context do
      script = %ScriptFilter{script: Script.new!(script(@same))}

      spec =
        child(:source, %Membrane.File.Source{location: context.path}) |> child(:script, script)

      assert write(spec, context.out) == context.glb
    end

    # Names begin with a capital letter in what it returns. The eight bytes that are looked for are those of "name":"
    @capital """
    (func (export "process") (param $at i32) (param $size i32) (result i64) (local $next i32) (local $letter i32)
      (local.set $next (local.get $at))
      (loop $more
        (if (i64.eq (i64.load (local.get $next)) (i64.const 0x223a22656d616e22))
          (then
            (local.set $letter (i32.load8_u offset=8 (local.get $next)))
            (if (i32.and (i32.ge_u (local.get $letter) (i32.const 97)) (i32.le_u (local.get $letter) (i32.const 122)))
              (then (i32.store8 offset=8 (local.get $next) (i32.sub (local.get $letter) (i32.const 32)))))))
        (local.set $next (i32.add (local.get $next) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $next) (i32.add (local.get $at) (local.get $size)))))
      (call $span (local.get $at) (local.get $size)))
    """

    test "a script that gets the file as a whole gives a valid different one", context do
      script = %ScriptFilter{script: Script.new!(script(@capital))}

      spec =
        child(:source, %Membrane.File.Source{location: context.path, chunk_size: 100})
        |> child(:collect, %Filter{stage: Stages.Collect})
        |> child(:script, script)

      glb = write(spec, context.out)
      assert glb != context.glb
      assert {json, binary} = parts(glb)
      assert {before, ^binary} = parts(context.glb)
      names = names(before)
      assert names != [] and Enum.any?(names, &(&1 != capital(&1)))
      assert names(json) == Enum.map(names, &capital/1)

      assert Map.drop(json, ["nodes", "meshes", "materials", "scenes"]) ==
               Map.drop(before, ["nodes", "meshes", "materials", "scenes"])
    end

    defp capital(<<first, rest::binary>>) when first in ?a..?z, do: <<first - 32, rest::binary>>
    defp capital(name), do: name

    defp names(json) do
      for list <- ["nodes", "meshes", "materials", "scenes"],
          %{"name" => name} <- Map.get(json, list, []),
          do: name
    end

    # A binary glTF file's two chunks, the first of them read.
    defp parts(
           <<"glTF", 2::32-little, size::32-little, length::32-little, "JSON", rest::binary>> =
             glb
         ) do
      assert size == byte_size(glb)
      {json, <<bytes::32-little, "BIN\0", binary::binary>>} = :erlang.split_binary(rest, length)
      assert bytes == byte_size(binary)
      {Wasgo.TestJSON.decode!(json), binary}
    end
  end
else
  defmodule Wasgo.MembraneFilesTest do
    use ExUnit.Case, async: true

    @tag :membrane_file
    test "files", do: flunk("Membrane's file plugin is missing")
  end
end
