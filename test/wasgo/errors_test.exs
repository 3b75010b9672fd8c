defmodule Wasgo.ErrorsTest do
  use ExUnit.Case, async: true

  alias Wasgo.Native.Result

  # Those of the wire, of engines and of worlds are tested beside what they are of.
  for error <- [
        Wasgo.CompileError,
        Wasgo.DecodeError,
        Wasgo.InstanceError,
        Wasgo.LimitError,
        Wasgo.LinkError,
        Wasgo.PlanError,
        Wasgo.SceneError,
        Wasgo.ServiceError,
        Wasgo.StageError,
        Wasgo.StoreError,
        Wasgo.TrapError
      ] do
    doctest error
  end

  # What the native code answers, by the exception that it becomes.
  @faults [
    {%{kind: :compile, reason: :compile, message: "m"},
     %Wasgo.CompileError{reason: :compile, message: "m"}},
    {%{kind: :link, reason: :missing_import, message: "m", module: "net", name: "dial"},
     %Wasgo.LinkError{reason: :missing_import, message: "m", module: "net", name: "dial"}},
    {%{kind: :link, reason: :missing_export, message: "m", name: "f"},
     %Wasgo.LinkError{reason: :missing_export, message: "m", module: nil, name: "f"}},
    {%{kind: :trap, reason: :unreachable, message: "m", backtrace: ["f"]},
     %Wasgo.TrapError{reason: :unreachable, message: "m", backtrace: ["f"]}},
    {%{kind: :trap, reason: :exited, message: "m", status: 3},
     %Wasgo.TrapError{reason: :exited, message: "m", backtrace: [], status: 3}},
    {%{kind: :limit, reason: :memory, message: "m", value: 1, asked: 2},
     %Wasgo.LimitError{reason: :memory, message: "m", value: 1, asked: 2}},
    {%{kind: :instance, reason: :busy, message: "m"},
     %Wasgo.InstanceError{reason: :busy, message: "m"}},
    {%{kind: :store, reason: :full, message: "m", code: 13, offset: nil},
     %Wasgo.StoreError{reason: :full, message: "m", code: 13}},
    {%{kind: :plan, reason: :out_of_range, message: "m", field: "seed"},
     %Wasgo.PlanError{reason: :out_of_range, message: "m", field: "seed"}},
    {%{kind: :scene, reason: :invalid, message: "m"},
     %Wasgo.SceneError{reason: :invalid, message: "m"}},
    {%{kind: :decode, reason: :contract, message: "m"},
     %Wasgo.DecodeError{reason: {:contract, "m"}}}
  ]

  test "a native fault is the exception of its kind, with the native message" do
    for {fault, exception} <- @faults do
      assert Result.await({:error, fault}) == {:error, exception}
      assert Exception.message(exception) == "m"
      assert_raise exception.__struct__, "m", fn -> Result.bang!({:error, exception}) end
    end
  end

  test "a result that comes later is waited for, and no other message is taken" do
    reference = make_ref()
    send(self(), {make_ref(), {:ok, :other}})
    send(self(), {reference, {:error, %{kind: :instance, reason: :closed, message: "m"}}})

    assert Result.await({:pending, reference}) ==
             {:error, %Wasgo.InstanceError{reason: :closed, message: "m"}}

    assert_received {_, {:ok, :other}}
    refute_received _
    assert Result.await({:ok, 1}) == {:ok, 1}
    assert Result.bang!({:ok, 1}) == 1
  end

  test "a service's error says what it was told" do
    error = %Wasgo.ServiceError{reason: {:exited, 3}, message: "the service ended with status 3"}
    assert Exception.message(error) == "the service ended with status 3"
  end

  test "every reason of a decode error has its words" do
    for {reason, words} <- [
          {{:truncated, 8, 3}, "8 bytes are needed, 3 are left"},
          {{:count, 9, 3}, "9 elements are declared, which the 3 bytes left cannot hold"},
          {{:unknown_type, 77}, "there is no type 77"},
          {{:element_type, :int, :string}, "int is declared, string follows"},
          {{:element_type, :int, nil}, "int is declared, nil follows"},
          {:full_object, "it is a full object, which is never taken"},
          {:not_utf8, "it is not UTF-8"},
          {:obsolete_node_path, "it is a node path in an obsolete format"},
          {{:node_path_flags, 4}, "the node path has unknown flags, 4"},
          {{:too_deep, 64}, "it nests deeper than max_depth, 64"},
          {{:too_large, 9, 8}, "9 bytes are more than max_bytes, 8"},
          {{:trailing, 2}, "2 more bytes follow the value"},
          {{:contract, "the words"}, "the words"}
        ] do
      assert Exception.message(%Wasgo.DecodeError{reason: reason}) == words
      at = %Wasgo.DecodeError{reason: reason, offset: 4, reading: {:value, :int}}
      assert Exception.message(at) == "at byte 4, reading the value of int: " <> words
    end

    for {reading, words} <- [
          input: "reading the input",
          header: "reading the type of a value",
          count: "reading the count of array",
          element_type: "reading the element type of array"
        ] do
      reading = if reading in [:input, :header], do: reading, else: {reading, :array}

      assert Exception.message(%Wasgo.DecodeError{reason: :not_utf8, reading: reading}) ==
               words <> ": it is not UTF-8"
    end
  end
end
