if Code.ensure_loaded?(:proper) do
  defmodule Wasgo.Script.Registry.ObjectsPropertiesTest do
    use ExUnit.Case, async: true

    import Wasgo.TestGuests

    alias :proper_types, as: Gen
    alias Wasgo.Script.Registry
    alias Wasgo.Store

    @numtests 200

    setup do
      store = Store.open!(:memory)
      {:ok, 1} = Registry.put(store, "s", echo())
      for id <- ["a", "b"], do: :ok = Registry.put_object(store, id, "k", "s")
      {:ok, store: store}
    end

    test "any state within the bounds comes back as it was, and nobody else's changes", %{
      store: store
    } do
      :ok = Registry.put_object_state(store, "b", %{"mine" => "still"})

      check(state(), fn map ->
        Registry.put_object_state(store, "a", map) == :ok and
          Registry.object_state(store, "a") == {:ok, map} and
          Registry.object_state(store, "b") == {:ok, %{"mine" => "still"}}
      end)
    end

    test "states that are equal are stored equally, in the order of the keys", %{store: store} do
      check(state(), fn map ->
        :ok = Registry.put_object_state(store, "a", map)
        :ok = Registry.put_object_state(store, "b", map |> Enum.shuffle() |> Map.new())
        rows = Store.query!(store, "SELECT entries FROM wasgo_object_state ORDER BY object").rows
        [[{:blob, entries}], [{:blob, entries}]] = rows
        keys = keys(entries)
        keys == Enum.sort(keys) and length(keys) == map_size(map)
      end)
    end

    test "any bytes in an entry are a map or an error, and never raise", %{store: store} do
      :ok = Registry.put_object_state(store, "a", %{})

      check(nearly(), fn bytes ->
        Store.execute!(store, "UPDATE wasgo_object_state SET entries = ?", [{:blob, bytes}])

        case Registry.object_state(store, "a") do
          {:ok, %{}} -> true
          {:error, %Wasgo.StoreError{reason: :malformed}} -> true
        end
      end)
    end

    defp keys(""), do: []

    defp keys(
           <<n::32-little, key::binary-size(n), m::32-little, _::binary-size(m), rest::binary>>
         ),
         do: [key | keys(rest)]

    # Small ones of any bytes, and now and then one of many keys or of long values.
    defp state do
      small = Gen.list({Gen.binary(), Gen.binary()})

      many =
        map({Gen.integer(0, 4_096), Gen.binary()}, fn {count, value} ->
          for(
            number <- 1..count//1,
            do: {"#{number}", binary_part(value, 0, min(byte_size(value), 200))}
          )
        end)

      long =
        map({Gen.integer(0, 3), Gen.integer(0, 262_144), Gen.integer(0, 1_024)}, fn {count, size,
                                                                                     key} ->
          for number <- 0..count//1,
              do: {:binary.copy(<<number>>, key), :binary.copy(<<255>>, min(size, 261_000))}
        end)

      map(Gen.frequency([{6, small}, {1, many}, {1, long}]), &Map.new/1)
    end

    defp nearly do
      word = Gen.frequency([{4, Gen.integer(0, 8)}, {1, Gen.integer(0, 0xFFFFFFFF)}])

      map({Gen.list(word), Gen.binary()}, fn {words, tail} ->
        for(word <- words, into: <<>>, do: <<word::32-little>>) <> tail
      end)
    end

    defp map(generator, fun), do: :proper_types.bind(generator, &Gen.exactly(fun.(&1)), false)

    defp check(generator, holds) do
      options = [
        :quiet,
        :noshrink,
        {:numtests, @numtests},
        {:to_file, :standard_io},
        :long_result
      ]

      case :proper.quickcheck(:proper.forall(generator, holds), options) do
        true -> :ok
        counterexample -> flunk("does not hold for #{inspect(counterexample, limit: 20)}")
      end
    end
  end
end
