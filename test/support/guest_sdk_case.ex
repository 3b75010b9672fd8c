defmodule Wasgo.GuestSdkCase do
  @moduledoc false
  # What every SDK has to do, asked of one small program in each language: `use Wasgo.GuestSdkCase, source: "echo.c", tag: :guest_c`.
  # The programs are in guests_src/ and are built once for each module of tests.
  #
  # With `texts: :kept` the SDK makes texts that stay for ever, and is asked for few of them.

  use ExUnit.CaseTemplate

  using options do
    quote do
      alias Wasgo.{GuestSdkCase, Script}

      @moduletag unquote(options[:tag])

      setup_all do
        {:ok, module: GuestSdkCase.build(unquote(options[:source]))}
      end

      setup %{module: module} do
        {:ok, script: Script.new!(module)}
      end

      test "every type is read and written", %{script: script} do
        assert Enum.sort(script.exports) == [:notification, :process]

        for row <- [
              [0, -1, 0x7FFF_FFFF_FFFF_FFFF, -0x8000_0000_0000_0000],
              [0.0, 1.5, -2.75e300, :nan, :infinity, :neg_infinity],
              ["", "text", "dröm 🌲", "a\0b"],
              [{:blob, ""}, {:blob, <<0, 255, 128>>}],
              [nil, 1, nil, "x", {:blob, "y"}, 2.5]
            ],
            _again <- 1..2 do
          assert Script.notify(script, :process, row) == {:ok, row}
        end
      end

      test "rows may have no values, and the most", %{script: script} do
        for row <- [[], Enum.to_list(1..1024), [], for(i <- 1..1024, do: "text #{i}")] do
          assert Script.notify(script, :process, row) == {:ok, row}
        end
      end

      test "other types read kindly, and what is not there", %{script: script} do
        assert {:ok, readings} =
                 Script.notify(script, :physics_process, [2, 1.5, "t", {:blob, "bb"}, nil])

        assert Enum.chunk_every(readings, 3) == [
                 [2.0, 2, {:blob, ""}],
                 [1.5, 0, {:blob, ""}],
                 [0.0, 0, {:blob, "t"}],
                 [0.0, 0, {:blob, "bb"}],
                 [0.0, 0, {:blob, ""}],
                 [0.0, 0, {:blob, ""}]
               ]
      end

      test "an unknown notification changes nothing", %{script: script} do
        for what <- [:ready, 10_000, -1, 0x7FFF_FFFF] do
          assert Script.notify(script, what, [1]) == {:ok, nil}
        end
      end

      test "buffers go through, empty and large", %{script: script} do
        assert Script.process(script, "") == {:ok, ""}
        assert Script.process(script, "abc") == {:ok, "cba"}
        bytes = :crypto.strong_rand_bytes(200_001)
        backwards = bytes |> :binary.bin_to_list() |> Enum.reverse() |> :binary.list_to_bin()
        assert Script.process(script, bytes) == {:ok, backwards}
        assert Script.process(script, "again") == {:ok, "niaga"}
      end

      # 1,000 times 100 kB are more than the 64 MiB that a script may have.
      test "memory is used again", %{script: script} do
        bytes = String.duplicate("x", 100_000)

        row =
          case unquote(options[:texts]) do
            :kept -> [{:blob, bytes}, 1]
            nil -> [bytes, 1]
          end

        for _again <- 1..1_000 do
          assert Script.notify(script, :process, row) == {:ok, row}
          assert Script.process(script, bytes) == {:ok, bytes}
        end
      end
    end
  end

  @doc "The bytes of the program `source`, built now."
  @spec build(String.t()) :: binary()
  def build(source) do
    into = Path.join(System.tmp_dir!(), "wasgo-sdk-#{source}-#{System.pid()}")
    File.mkdir_p!(into)

    try do
      source = Path.join([__DIR__, "guests_src", source])
      {:ok, path} = Wasgo.GuestToolchain.build(source, into)
      File.read!(path)
    after
      File.rm_rf!(into)
    end
  end
end
