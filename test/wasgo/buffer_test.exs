defmodule Wasgo.BufferTest do
  use ExUnit.Case, async: true

  doctest Wasgo.Buffer

  test "a buffer needs a payload, and takes only its own fields" do
    assert_raise ArgumentError, fn -> struct!(Wasgo.Buffer, pts: 1) end
    assert_raise KeyError, fn -> Wasgo.Buffer.new("x", colour: 1) end

    assert Wasgo.Buffer.new("x", pts: 1, dts: 2) == %Wasgo.Buffer{
             payload: "x",
             pts: 1,
             dts: 2,
             metadata: %{}
           }
  end
end
