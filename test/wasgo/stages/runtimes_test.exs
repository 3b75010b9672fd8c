defmodule Wasgo.Stages.RuntimesTest do
  # Every stage, under every runtime that is there: what comes of it is the same.
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{
    Buffer,
    Format,
    Gen,
    LimitError,
    Rows,
    Script,
    Service,
    Stages,
    StageRuntimes,
    Store
  }

  alias Wasgo.Script.Registry

  doctest Wasgo.Stages.Collect

  # A Membrane pipeline tells of errors apart.
  defp apart(elements), do: Enum.split_with(elements, &match?({:ok, _}, &1))

  for runtime <- StageRuntimes.names() do
    describe "#{runtime}" do
      @describetag if(runtime in [:membrane, :membrane_one_in_flight],
                     do: [membrane: true],
                     else: []
                   )
      @runtime runtime

      test "a function" do
        fun = fn
          %{payload: 3} -> {:error, %RuntimeError{message: "three"}}
          buffer -> {:ok, %{buffer | payload: buffer.payload * 2}}
        end

        buffers =
          for number <- 1..40//1, do: Buffer.new(number, pts: number, metadata: %{n: number})

        {oks, errors} = apart(StageRuntimes.run(@runtime, buffers, {Stages.Transform, with: fun}))

        assert oks ==
                 for(
                   buffer <- buffers,
                   buffer.payload != 3,
                   do: {:ok, %{buffer | payload: buffer.payload * 2}}
                 )

        assert errors == [{:error, %RuntimeError{message: "three"}}]
      end

      test "operations on scenes, of which one makes several" do
        {:ok, scene} =
          Gen.Chunk.to_scene(Gen.chunk!(Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0}))

        broken = %{scene | roots: [999]}
        buffers = for payload <- [scene, broken, scene], do: Buffer.new(payload, pts: 3)
        stage = {Stages.Transform, scene: [split: :material, to_glb: []]}
        {oks, errors} = apart(StageRuntimes.run(@runtime, buffers, stage, %Format.Scene{}))
        files = for part <- Wasgo.Scene.split!(scene, :material), do: Wasgo.Scene.to_glb!(part)

        assert for({:ok, buffer} <- oks, do: {buffer.payload, buffer.pts}) ==
                 for(file <- files ++ files, do: {file, 3})

        assert [{:error, %Wasgo.SceneError{}}] = errors
      end

      test "a script over payloads" do
        buffers = for payload <- ["a", "!", "b"], do: Buffer.new(payload)
        stage = {Stages.Script, script: Script.new!(echo())}
        {oks, errors} = apart(StageRuntimes.run(@runtime, buffers, stage, %Format.Bytes{}))
        assert oks == [ok: Buffer.new("a"), ok: Buffer.new("b")]
        assert [{:error, %Wasgo.TrapError{reason: :unreachable}}] = errors
      end

      test "a stored script, which another version takes over from between two buffers" do
        store = Store.open!(:memory)
        {:ok, 1} = Registry.put(store, "speaker", answering("one"))
        test = self()

        # The second buffer comes once there is another version.
        buffers =
          Stream.map(1..3//1, fn number ->
            if number == 2, do: {:ok, 2} = Registry.put(store, "speaker", answering("two"))
            send(test, {:given, number})
            Buffer.new("#{number}")
          end)

        # A Membrane pipeline's source gives all at once.
        buffers =
          if StageRuntimes.membrane?(@runtime),
            do: Enum.to_list(buffers),
            else: buffers

        stage = {Stages.Script, store: store, script: "speaker", refresh: 1}
        elements = StageRuntimes.run(@runtime, buffers, stage, %Format.Bytes{})
        payloads = for {:ok, buffer} <- elements, do: buffer.payload
        assert length(payloads) == 3
        assert Enum.all?(payloads, &(&1 in ["one", "two"]))
        assert Enum.sort(payloads) == payloads
        Store.close(store)
      end

      test "a script over rows, whose failures cost rows" do
        script = Script.new!(File.read!("guest/scripts/wander.wasm"))
        row = [1, 0.0, 0.0, 0.0, 0.0, 0.0]
        rows = Rows.new(["id", "time", "x", "y", "z", "phase"], [{7, row}, {8, row}])
        stage = {Stages.Script, script: script, over: :rows}

        assert [{:ok, %{payload: answer, pts: 5}}] =
                 StageRuntimes.run(@runtime, [Buffer.new(rows, pts: 5)], stage, %Format.Rows{})

        assert %Rows{ids: [7, 8], columns: ["position:x" | _]} = answer
      end

      test "a script over instances" do
        chunk = Gen.chunk!(Gen.plan!(seed: 7, chunk_size: 8.0, samples: 9), {0, 0})
        stage = {Stages.Script, script: Script.new!(answering("")), over: :instances}

        assert [{:ok, %{payload: bare}}] =
                 StageRuntimes.run(@runtime, [Buffer.new(chunk)], stage, %Format.Chunks{})

        assert Gen.Chunk.count(bare) == 0
      end

      test "a service" do
        service = start_supervised!({Service, module: program("(call $cat)")})

        stage =
          {Stages.Service,
           service: service, ask: &"ask #{&1.payload}", answer: &%{&1 | payload: &2}}

        buffers = for number <- 1..20//1, do: Buffer.new(number)

        assert StageRuntimes.run(@runtime, buffers, stage) ==
                 for(number <- 1..20//1, do: {:ok, Buffer.new("ask #{number}")})
      end

      test "collecting, to its limit" do
        buffers = [Buffer.new("gl", pts: 3), Buffer.new("TF")]

        assert StageRuntimes.run(@runtime, buffers, Stages.Collect, %Format.Bytes{}) == [
                 ok: Buffer.new("glTF", pts: 3)
               ]

        assert StageRuntimes.run(@runtime, [], Stages.Collect, %Format.Bytes{}) == []

        assert [{:error, %LimitError{reason: :bytes, value: 3, asked: 4}}] =
                 StageRuntimes.run(
                   @runtime,
                   buffers,
                   {Stages.Collect, max_bytes: 3},
                   %Format.Bytes{}
                 )
      end

      test "a stage that makes buffers at the end, and one that makes none" do
        stage = {Wasgo.StageTest.Scripted, to: self()}
        buffers = Enum.map([1, :drop, :twice], &Buffer.new/1)

        payloads =
          for {:ok, buffer} <- StageRuntimes.run(@runtime, buffers, stage), do: buffer.payload

        assert payloads == [1, 1, 2, {:end, 3}]
        assert_receive {:init, _pid}
        assert_receive {:terminate, _pid}, 20_000
      end

      # In Membrane that ends the element: the elements' own tests tell how.
      unless StageRuntimes.membrane?(runtime) do
        test "a stage that can't begin" do
          stage = {Wasgo.StageTest.Scripted, to: self(), init: :error}

          assert [{:error, %RuntimeError{message: "it does not begin"}}] =
                   StageRuntimes.run(@runtime, [Buffer.new(1), Buffer.new(2)], stage)
        end
      end

      test "a stage that stops itself" do
        stage = {Wasgo.StageTest.Scripted, to: self()}
        buffers = Enum.map([1, :stop, 3], &Buffer.new/1)

        assert [{:ok, %{payload: 1}}, {:error, %RuntimeError{message: "a stop"}}] =
                 StageRuntimes.run(@runtime, buffers, stage)

        assert_receive {:terminate, _pid}, 20_000
      end
    end
  end
end
