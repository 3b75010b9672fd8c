defmodule Wasgo.BytesTest do
  use ExUnit.Case, async: true

  alias Wasgo.Bytes

  test "the first so many, and the rest" do
    assert Bytes.take("abc", 0) == {"", "abc"}
    assert Bytes.take("abc", 2) == {"ab", "c"}
    assert Bytes.take("abc", 3) == {"abc", ""}
    assert Bytes.take("abc", 4) == :short
  end

  test "texts are cut between characters" do
    assert Bytes.text("näh", 9) == "näh"
    assert Bytes.text("näh", 4) == "näh"
    assert Bytes.text("näh", 3) == "nä"
    assert Bytes.text("näh", 2) == "n"
    assert Bytes.text("näh", 0) == ""
  end

  test "parts of given sizes, which are all of it" do
    assert Bytes.parts("abc", [1, 0, 2]) == {:ok, ["a", "", "bc"]}
    assert Bytes.parts("", []) == {:ok, []}
    assert Bytes.parts("", [0]) == {:ok, [""]}
    assert Bytes.parts("abc", [1, 1]) == :error
    assert Bytes.parts("abc", [1, 3]) == :error
    assert Bytes.parts("abc", []) == :error
  end
end
