defmodule Wasgo.Wire.SchedulingTest do
  # Tracing and monitoring are of the whole VM.
  use ExUnit.Case, async: false

  alias Wasgo.{LongSchedules, Native, NativeCalls, Wire}

  @serde [:json, :msgpack, :cbor, :postcard]

  @functions [
    wire_encode: 4,
    wire_encode_dirty: 4,
    wire_decode: 5,
    wire_decode_dirty: 5,
    wire_variant_encode: 3,
    wire_variant_encode_dirty: 3,
    wire_variant_decode: 5,
    wire_variant_decode_dirty: 5,
    wire_check_etf: 2,
    wire_check_etf_dirty: 2,
    wire_scan: 2,
    wire_scan_dirty: 2
  ]

  setup do
    NativeCalls.watch(@functions)
    :ok
  end

  test "small work is done on the calling scheduler" do
    for format <- @serde,
        term <- [1, "text", %{"a" => [1, 2]}, List.duplicate(%{"a" => 1}, 100)] do
      assert NativeCalls.of(fn -> Wire.encode!(term, format) end) == [:wire_encode]
      bytes = Wire.encode!(term, format)
      assert NativeCalls.of(fn -> Wire.decode!(bytes, format) end) == [:wire_decode]

      assert NativeCalls.of(fn -> Enum.to_list(Wire.stream([bytes <> "\n"], format)) end) |> hd() ==
               :wire_scan
    end

    bytes = Wire.encode!([1], :godot_variant)
    assert NativeCalls.of(fn -> Wire.encode!([1], :godot_variant) end) == [:wire_variant_encode]
    assert NativeCalls.of(fn -> Wire.decode!(bytes, :godot_variant) end) == [:wire_variant_decode]

    assert NativeCalls.of(fn -> Wire.decode!(Wire.encode!([1], :etf), :etf) end) == [
             :wire_check_etf,
             :wire_check_etf
           ]
  end

  test "encoding what is large in any way is given up there, and gives the same on a dirty one" do
    large = [
      List.duplicate(nil, 4_000),
      List.duplicate(%{}, 4_000),
      Map.new(1..4_000, &{"#{&1}", nil}),
      Enum.reduce(1..60, List.duplicate(1, 4_000), fn _, inner -> [inner] end),
      for(_ <- 1..100, do: %{"list" => List.duplicate("x", 50)}),
      String.duplicate("é", 1_000_000)
    ]

    for format <- @serde, term <- large do
      assert NativeCalls.of(fn -> Wire.encode!(term, format) end) == [
               :wire_encode,
               :wire_encode_dirty
             ]

      assert Wire.decode!(Wire.encode!(term, format), format) == term
    end

    assert NativeCalls.of(fn -> Wire.encode!(hd(large), :godot_variant) end) ==
             [:wire_variant_encode, :wire_variant_encode_dirty]
  end

  test "errors are the same on either" do
    for format <- @serde, fill <- [1, 4_000], wrong <- [self(), <<255>>, [1 | 2]] do
      term = List.duplicate(nil, fill) ++ [wrong]
      assert {:error, %Wasgo.EncodeError{path: [^fill]}} = Wire.encode(term, format)
    end

    for fill <- [1, 20_000] do
      bytes = <<0xDD, fill + 1::32, :binary.copy(<<1>>, fill)::binary, 0xC1>>
      offset = 5 + fill
      assert {:error, %Wasgo.DecodeError{offset: ^offset}} = Wire.decode(bytes, :msgpack)
    end
  end

  test "decoding and scanning large input does not begin there" do
    for format <- @serde do
      bytes = Wire.encode!(String.duplicate("é", 20_000), format)
      assert NativeCalls.of(fn -> Wire.decode!(bytes, format) end) == [:wire_decode_dirty]

      assert NativeCalls.of(fn -> Enum.to_list(Wire.stream([bytes], format)) end) == [
               :wire_scan_dirty,
               :wire_decode_dirty
             ]
    end

    bytes = Wire.encode!(String.duplicate("é", 20_000), :etf)
    assert NativeCalls.of(fn -> Wire.decode!(bytes, :etf) end) == [:wire_check_etf_dirty]
    # What is compressed is larger than it looks.
    bytes = :erlang.term_to_binary(List.duplicate("again", 100), [:compressed])
    assert NativeCalls.of(fn -> Wire.decode!(bytes, :etf) end) == [:wire_check_etf_dirty]
  end

  test "work of any size and kind holds no scheduler for long" do
    # More than a slow machine takes for what is meant to be half a millisecond, less than what megabytes would.
    LongSchedules.watch(100)
    maps = <<0xDD, 3_000_000::32, :binary.copy(<<0x80>>, 3_000_000)::binary>>
    large = List.duplicate(%{"a" => [1, 2.5, "text"]}, 100_000)

    works =
      [
        fn -> Wire.decode!(maps, :msgpack) end,
        fn -> Enum.to_list(Wire.stream([maps], :msgpack)) end
      ] ++
        for format <- Wire.formats() do
          fn -> Wire.decode!(Wire.encode!(large, format), format) end
        end

    for work <- works, do: assert(holds_none?(work))
  end

  # Whether `work` was done at least once in five times without a report of its process in native code: what holds a scheduler does
  # so every time, what a busy machine does comes and goes.
  defp holds_none?(work), do: Enum.any?(1..5, fn _ -> reports(work) == [] end)

  defp reports(work) do
    {pid, monitor} = spawn_monitor(work)
    assert_receive {:DOWN, ^monitor, :process, ^pid, :normal}, 120_000

    for {^pid, info} <- LongSchedules.reports(),
        match?({Native, _, _}, info[:out]) or match?({Native, _, _}, info[:in]),
        do: info
  end
end
