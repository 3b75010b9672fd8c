defmodule Wasgo.Stages.TransformTest do
  use ExUnit.Case, async: true

  alias Wasgo.{Buffer, Pipeline}
  alias Wasgo.Stages.Transform

  doctest Wasgo.Stages.Transform

  test "an error of the function takes its buffer's place" do
    odd = fn buffer ->
      if rem(buffer.payload, 2) == 0,
        do: {:ok, buffer},
        else: {:error, %RuntimeError{message: "#{buffer.payload} is odd"}}
    end

    assert [{:ok, %Buffer{payload: 2}}, {:error, error}, {:ok, %Buffer{payload: 4}}] =
             Enum.to_list(Pipeline.through(Enum.map(2..4, &Buffer.new/1), {Transform, with: odd}))

    assert Exception.message(error) == "3 is odd"
  end

  test "what a function returned that is neither is an error that says so" do
    assert [{:error, error}] =
             Enum.to_list(Pipeline.through([Buffer.new(1)], {Transform, with: fn _ -> 7 end}))

    assert %Wasgo.StageError{reason: :returned, stage: Transform} = error
    assert Exception.message(error) =~ "returned 7, and should return {:ok, buffer}"
  end

  test "options are checked when the pipeline is built" do
    assert_raise ArgumentError, ~r/option :with .* a function of 1 arguments/, fn ->
      Pipeline.through([], {Transform, with: fn -> :ok end})
    end

    assert_raise ArgumentError, ~r/needs the option :with/, fn ->
      Pipeline.through([], Transform)
    end
  end
end
