if Code.ensure_loaded?(Nx) do
  defmodule Wasgo.NxTest.Smoothing do
    @moduledoc false
    import Nx.Defn

    # Each sample the mean of the nine about it.
    defn smooth(heights) do
      Nx.window_sum(heights, {3, 3}, padding: :same) /
        Nx.window_sum(Nx.broadcast(1.0, Nx.shape(heights)), {3, 3}, padding: :same)
    end
  end

  defmodule Wasgo.NxTest do
    use ExUnit.Case, async: true

    alias Wasgo.{Buffer, DecodeError, Gen, Pipeline, Rows, StageError, StageRuntimes}
    alias Wasgo.Stages.Tensor

    @moduletag :nx

    setup_all do
      {:ok, _started} = Application.ensure_all_started(:nx)
      plan = Gen.plan!(seed: 7, chunk_size: 32.0, samples: 33)
      {:ok, plan: plan, chunk: Gen.chunk!(plan, {0, 0})}
    end

    doctest Wasgo.Nx
    doctest Wasgo.Stages.Tensor

    defp run(buffers, options),
      do: buffers |> Pipeline.through({Tensor, options}) |> Enum.to_list()

    defp near(one, other, most),
      do: one |> Nx.subtract(other) |> Nx.abs() |> Nx.reduce_max() |> Nx.to_number() <= most

    describe "heights" do
      test "are the chunk's own, by row and column, and share its bytes", %{chunk: chunk} do
        tensor = Wasgo.Nx.heights(chunk)

        for {x, z} <- [{0, 0}, {32, 0}, {5, 17}],
            do: assert(Nx.to_number(tensor[z][x]) == Gen.Chunk.height(chunk, x, z))

        assert Wasgo.Nx.to_bytes(tensor) == chunk.heights
      end

      test "that are put back unchanged change nothing but normals on the border", %{chunk: chunk} do
        assert {:ok, same} = Wasgo.Nx.put_heights(chunk, Wasgo.Nx.heights(chunk))
        assert same.heights == chunk.heights
        assert same.ground.positions == chunk.ground.positions
        assert same.scatter == chunk.scatter

        inner = fn surface ->
          surface
          |> Wasgo.Nx.normals()
          |> Nx.reshape({33, 33, 3})
          |> Nx.slice([1, 1, 0], [31, 31, 3])
        end

        assert near(inner.(same.ground), inner.(chunk.ground), 1.0e-4)

        for {name, value} <- chunk.stats,
            name != :mean_slope,
            do: assert_in_delta(Map.fetch!(same.stats, name), value, 1.0e-3)
      end

      test "move the mesh and what stands on it", %{chunk: chunk} do
        assert {:ok, raised} = Wasgo.Nx.put_heights(chunk, Nx.add(Wasgo.Nx.heights(chunk), 10))
        assert_in_delta raised.stats.min_height, chunk.stats.min_height + 10, 1.0e-3
        up = Nx.subtract(Wasgo.Nx.positions(raised.ground), Wasgo.Nx.positions(chunk.ground))
        assert near(up, Nx.tensor([0, 10, 0]), 1.0e-3)

        for {before, now} <- Enum.zip(Gen.Chunk.scatter(chunk), Gen.Chunk.scatter(raised)) do
          assert_in_delta now.y, before.y + 10, 1.0e-3
          assert Map.drop(now, [:y]) == Map.drop(before, [:y])
        end

        assert {:ok, _scene} = Gen.Chunk.to_scene(raised)
      end

      test "of a plane have its normals", %{chunk: chunk} do
        # One up for each to the right.
        plane = Nx.iota({33, 33}, axis: 1, type: {:f, 32})
        assert {:ok, chunk} = Wasgo.Nx.put_heights(chunk, plane)
        half = :math.sqrt(0.5)
        assert near(Wasgo.Nx.normals(chunk.ground), Nx.tensor([-half, half, 0.0]), 1.0e-6)
        assert_in_delta chunk.stats.mean_slope, 1 - half, 1.0e-6
      end

      test "of another shape, or that are no numbers, are refused", %{chunk: chunk} do
        nan = Nx.divide(Nx.broadcast(0.0, {33, 33}), 0)

        for {tensor, words} <- [
              {Nx.iota({32, 33}), "{33, 33}"},
              {nan, "no number"},
              {:none, "not :none"}
            ] do
          assert {:error, %StageError{} = error} = Wasgo.Nx.put_heights(chunk, tensor)
          assert Exception.message(error) =~ words
        end
      end
    end

    describe "surfaces" do
      test "go there and back", %{chunk: %{ground: ground}} do
        attributes =
          for name <- [:positions, :normals, :colors, :indices],
              do: {name, apply(Wasgo.Nx, name, [ground])}

        assert Wasgo.Nx.put_surface(ground, attributes) == {:ok, ground}
        assert Nx.shape(attributes[:indices]) == {2048, 3}
        assert Wasgo.Nx.normals(%{ground | normals: ""}) == nil
      end

      test "with attributes that don't agree are refused", %{chunk: %{ground: ground}} do
        assert {:error, %StageError{}} = Wasgo.Nx.put_surface(ground, positions: Nx.iota({10, 3}))
        assert {:error, %StageError{}} = Wasgo.Nx.put_surface(ground, colors: Nx.iota({1089, 3}))
      end
    end

    describe "rows" do
      test "go there and back, with nil where nothing is said" do
        rows = Rows.new(["x", "y"], [{7, [1.0, nil]}, {8, [3.0, :infinity]}])
        assert {:ok, tensor} = Wasgo.Nx.rows(rows)
        assert Wasgo.Nx.to_rows(tensor, rows.columns, rows.ids) == {:ok, rows}
      end

      test "with text are refused" do
        assert {:error, error} = Wasgo.Nx.rows(Rows.new(["x"], [{7, ["a"]}]))
        assert Exception.message(error) =~ ~s|"a", which is no number|
      end
    end

    describe "a stage of tensors" do
      for runtime <- StageRuntimes.names() do
        test "gives the same in #{runtime}", %{chunk: chunk} do
          stage = {Tensor, with: &Nx.add(&1, 1), over: :heights}
          buffers = for pts <- 1..3//1, do: %Buffer{payload: chunk, pts: pts}
          {:ok, raised} = Wasgo.Nx.put_heights(chunk, Nx.add(Wasgo.Nx.heights(chunk), 1))

          assert StageRuntimes.run(unquote(runtime), buffers, stage, %Wasgo.Format.Chunks{}) ==
                   for(pts <- 1..3//1, do: {:ok, %Buffer{payload: raised, pts: pts}})
        end
      end

      test "runs a defn", %{chunk: chunk} do
        stage = [with: &Wasgo.NxTest.Smoothing.smooth/1, over: :heights]
        assert [{:ok, %{payload: smoothed}}] = run([Buffer.new(chunk)], stage)
        assert smoothed.stats.max_height < chunk.stats.max_height
        assert smoothed.stats.min_height > chunk.stats.min_height
        assert smoothed.stats.mean_slope < chunk.stats.mean_slope
      end

      test "over payloads has their type and shape" do
        bytes = for number <- 1..6//1, into: <<>>, do: <<number::16-native>>
        options = [with: &Nx.sum(&1, axes: [1]), type: {:s, 16}, shape: {nil, 3}]
        assert [{:ok, %{payload: sums}}] = run([Buffer.new(bytes)], options)
        # Sums are wider than what they are of.
        assert for(<<sum::64-native <- sums>>, do: sum) in [[6, 15]] or
                 for(<<sum::32-native <- sums>>, do: sum) == [6, 15]
      end

      test "over rows may give other columns" do
        rows = Rows.new(["x", "y"], [{7, [3, 4]}])
        length = &(&1 |> Nx.multiply(&1) |> Nx.sum(axes: [1], keep_axes: true) |> Nx.sqrt())

        assert [{:ok, %{payload: answer}}] =
                 run([Buffer.new(rows)], with: length, over: :rows, columns: ["length"])

        assert answer == Rows.new(["length"], [{7, [5.0]}])
      end

      test "refuses bytes that don't fit, payloads of another kind, and what is no tensor" do
        for {payload, options} <- [
              {"abc", []},
              {"", []},
              {"abcdefgh", [shape: {3}]},
              {:none, []},
              {"abcd", [with: fn _tensor -> :none end]},
              {"abcd", [over: :heights]}
            ] do
          options = Keyword.merge([with: & &1], options)

          assert [{:error, %DecodeError{reason: {:contract, words}}}] =
                   run([Buffer.new(payload)], options)

          assert is_binary(words)
        end
      end

      test "checks its options when the pipeline is built" do
        for {options, words} <- [
              {[shape: {nil, nil}], ":shape has more than one nil"},
              {[shape: 3], ":shape must be a tuple"},
              {[type: :text], ":type must be a type of Nx"}
            ] do
          assert_raise ArgumentError, ~r/#{words}/, fn -> run([], [with: & &1] ++ options) end
        end
      end
    end
  end
else
  defmodule Wasgo.NxTest do
    use ExUnit.Case, async: true

    @tag :nx
    test "tensors", do: flunk("Nx is missing")
  end
end
