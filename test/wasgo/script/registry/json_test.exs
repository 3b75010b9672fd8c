defmodule Wasgo.Script.Registry.JSONTest do
  use ExUnit.Case, async: true

  alias Wasgo.Script.Registry.JSON
  alias Wasgo.{Store, TestJSON}

  test "what is written is read, here and by the database" do
    store = Store.open!(:memory)

    for value <- [
          [],
          ["a", "", "\"\\\n\0\u007f\u2028é😀"],
          [1, -1, 0, 18_446_744_073_709_551_615, true, false, nil],
          [[["a"]], []]
        ] do
      text = JSON.encode(value)
      assert JSON.decode(text) == {:ok, value}
      assert TestJSON.decode!(text) == value
      assert Store.query!(store, "SELECT json_valid(?)", [text]).rows == [[1]]
    end

    text = JSON.encode({:object, b: 1, a: ["x"]})
    assert text == ~s|{"b":1,"a":["x"]}|
    assert JSON.decode(text) == {:ok, %{"a" => ["x"], "b" => 1}}
    assert JSON.encode({:object, []}) == "{}"
  end

  test "what others write is read alike" do
    for text <- [
          ~S| { "a" : [ 1 , "b" , { } ] , "c" : null } |,
          ~S|"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"|,
          "\t[\r\n]",
          "-0",
          "{\"a\":1,\"a\":2}"
        ] do
      assert JSON.decode(text) == {:ok, TestJSON.decode!(text)}
    end
  end

  test "what is no JSON, has fractions or nests without end is refused" do
    for text <- [
          "",
          "[",
          "[1",
          "[1,",
          "[1,]",
          "[1 2]",
          "{",
          "{1:2}",
          ~s|{"a"}|,
          ~s|{"a":}|,
          ~s|{"a":1,}|,
          ~s|"a|,
          ~s|"\\x"|,
          ~s|"\\u12"|,
          ~s|"\\ud800"|,
          ~s|"\\ud800\\u0041"|,
          "\"\n\"",
          <<?", 255, ?">>,
          "1.5",
          "1e3",
          "tru",
          "[] []",
          "+1",
          "01",
          "-01",
          "-+1",
          "-",
          String.duplicate("[", 100_000),
          String.duplicate("[", 20) <> String.duplicate("]", 20)
        ] do
      assert {text, JSON.decode(text)} == {text, :error}
    end
  end
end
