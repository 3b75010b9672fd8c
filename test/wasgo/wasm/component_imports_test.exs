defmodule Wasgo.Wasm.ComponentImportsTest do
  use ExUnit.Case, async: true

  alias Wasgo.{InstanceError, LimitError, LinkError, TrapError}
  alias Wasgo.Wasm.Component

  describe "functions written in Elixir" do
    # `echo` hands what it gets to the host's function and returns what that returns; `spin` waits for it.
    @host """
    (component
      (import "test:host/text@0.1.0" (instance $text
        (export "shout" (func (param "words" string) (param "times" u8) (result (option string))))))
      (import "ping" (func $ping))
      (core module $libc
        (memory (export "memory") 40)
        (global $free (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local i32)
          (local.set 4 (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
          (global.set $free (i32.add (local.get 4) (local.get 3)))
          (local.get 4)))
      (core instance $libc (instantiate $libc))
      (core func $shout (canon lower (func $text "shout")
        (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
      (core func $ping-core (canon lower (func $ping)))
      (core module $m
        (import "host" "shout" (func $shout (param i32 i32 i32 i32)))
        (import "host" "ping" (func $ping))
        (func (export "echo") (param i32 i32 i32) (result i32)
          (call $shout (local.get 0) (local.get 1) (local.get 2) (i32.const 1024)) (i32.const 1024))
        (func (export "ping") (call $ping)))
      (core instance $i (instantiate $m (with "host" (instance
        (export "shout" (func $shout)) (export "ping" (func $ping-core))))))
      (func (export "echo") (param "words" string) (param "times" u8) (result (option string))
        (canon lift (core func $i "echo") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
      (func (export "ping") (canon lift (core func $i "ping"))))
    """

    setup do
      {:ok, host: Component.compile!(@host)}
    end

    defp given(component, shout, ping \\ fn -> nil end, options \\ []) do
      imports = %{"test:host/text" => %{"shout" => shout}, "ping" => ping}
      Component.new!(component, [imports: imports] ++ options)
    end

    test "get typed values and return them", %{host: host} do
      instance =
        given(host, fn words, times ->
          if times > 0, do: String.duplicate(String.upcase(words), times)
        end)

      assert Component.call(instance, "echo", ["hey", 2]) == {:ok, "HEYHEY"}
      assert Component.call(instance, "echo", ["hey", 0]) == {:ok, nil}
      assert Component.call(instance, "ping") == {:ok, nil}
      text = String.duplicate("ä", 100_000)
      assert Component.call(instance, "echo", [text, 1]) == {:ok, String.upcase(text)}
    end

    test "run in a process of their own, once for each time", %{host: host} do
      test = self()

      instance =
        given(host, fn _, _ -> nil end, fn ->
          send(test, {:ping, self(), Process.get(:"$callers")})
        end)

      for _ <- 1..50, do: assert(Component.call(instance, "ping") == {:ok, nil})
      assert_received {:ping, runner, [^test | _]}
      assert runner != test
      for _ <- 1..49, do: assert_received({:ping, _runner, _callers})
      refute_received _
    end

    test "that fail, or return what does not fit, end the call with their words", %{host: host} do
      for {shout, words} <- [
            {fn _, _ -> raise "no voice" end, "no voice"},
            {fn _, _ -> throw(:stop) end, "throw"},
            {fn _, _ -> exit(:gone) end, "gone"},
            {fn _, _ -> 17 end, "its result must be a UTF-8 string"},
            {fn _, _ -> Process.exit(self(), :kill) end, "has ended"}
          ] do
        instance = given(host, shout)

        assert {:error, %TrapError{reason: :import, import: import} = error} =
                 Component.call(instance, "echo", ["a", 1])

        assert import == "test:host/text@0.1.0.shout"
        assert Exception.message(error) =~ words
        assert {:error, %InstanceError{reason: :poisoned}} = Component.call(instance, "ping")
      end
    end

    test "count as the call's time", %{host: host} do
      instance = given(host, fn _, _ -> Process.sleep(:infinity) end)

      assert {:error, %LimitError{reason: :time, value: 50}} =
               Component.call(instance, "echo", ["a", 1], timeout: 50)
    end

    test "can't enter the component that waits for them", %{host: host} do
      {:ok, box} = Agent.start_link(fn -> nil end)
      test = self()

      instance =
        given(host, fn _, _ -> nil end, fn ->
          send(test, Component.call(Agent.get(box, & &1), "echo", ["a", 1]))
        end)

      Agent.update(box, fn _ -> instance end)
      assert Component.call(instance, "ping") == {:ok, nil}
      assert_received {:error, %InstanceError{reason: :busy}}
    end

    test "that are missing or take another number of arguments are told", %{host: host} do
      assert {:error, %LinkError{reason: :missing_import, name: "ping"}} =
               Component.new(host,
                 imports: %{"test:host/text@0.1.0" => %{"shout" => fn _, _ -> nil end}}
               )

      assert {:error, %LinkError{reason: :wrong_type} = error} =
               Component.new(host, imports: %{"test:host/text" => %{"shout" => fn -> nil end}})

      assert Exception.message(error) =~ "a function of 0 arguments"
      assert Exception.message(error) =~ "func(words: string, times: u8) -> option<string>"

      for imports <- [%{"ping" => 1}, %{"a:b/c" => %{"d" => 1}}, %{ping: fn -> nil end}] do
        assert_raise ArgumentError, ~r/must be functions by name/, fn ->
          Component.new(host, imports: imports)
        end
      end
    end
  end
end
