defmodule Wasgo.Service.LifeTest do
  # Starting anew, messages without requests, answers by number, clocks and quotas.
  use ExUnit.Case, async: true

  import Wasgo.TestGuests

  alias Wasgo.{Service, ServiceError, TrapError}

  @moduletag :capture_log

  setup do
    Process.flag(:trap_exit, true)
    :ok
  end

  # Echoes lines; traps on one that begins with "!".
  @echo """
  (local $n i32)
  (loop
    (local.set $n (call $in (i32.const 1024)))
    (if (i32.eqz (local.get $n)) (then (call $exit (i32.const 0))))
    (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 33)) (then unreachable))
    (call $out (i32.const 1) (i32.const 1024) (local.get $n))
    (br 0))
  """

  defp start!(body, options) do
    {data, options} = Keyword.pop(options, :data, [])
    {:ok, service} = Service.start_link([module: program(body, data)] ++ options)
    service
  end

  describe "a service that starts its program anew" do
    test "stays, tells who waited, and answers again" do
      service = start!(@echo, restart: [min_delay: 1, max_delay: 5])

      for number <- 1..5 do
        assert {:error, %ServiceError{reason: {:failed, %TrapError{}}}} =
                 Service.request(service, "!", 30_000)

        assert eventually(fn -> Service.request(service, "a") == {:ok, "a"} end)
        assert {:ok, %{restarts: ^number, phase: :ready, pending: 0}} = Service.info(service)
      end

      assert Service.stop(service) == :ok
      assert_receive {:EXIT, ^service, :normal}, 5_000
    end

    test "is asked nothing meanwhile, and can be stopped" do
      service = start!(@echo, restart: [min_delay: 60_000, max_delay: 60_000])
      assert {:error, %ServiceError{reason: {:failed, _}}} = Service.request(service, "!", 30_000)
      assert {:ok, %{phase: :resting}} = Service.info(service)
      assert {:error, %ServiceError{reason: :restarting}} = Service.request(service, "a")
      assert {:error, %ServiceError{reason: :restarting}} = Service.send(service, "a")
      assert {:error, %ServiceError{reason: :restarting}} = Service.connect(service, 80)
      assert Service.stop(service) == :ok
      assert_receive {:EXIT, ^service, :normal}, 5_000
    end

    test "gives up after as many as it may" do
      service = start!("(call $exit (i32.const 3))", restart: [min_delay: 1, max_restarts: 3])
      assert_receive {:EXIT, ^service, {:shutdown, %ServiceError{reason: {:exited, 3}}}}, 30_000
    end

    test "does not stay when its program can't be started at all" do
      assert {:error, %ServiceError{reason: {:exited, 3}}} =
               Service.start_link(
                 module: program("(call $exit (i32.const 3))"),
                 ready: "READY",
                 restart: true
               )
    end
  end

  describe "messages that nobody asked for" do
    @flood "(loop (call $out (i32.const 1) (i32.const 1024) (i32.const 4096)) (br 0))"

    test "come as many as are wanted, and the program waits with the rest" do
      service =
        start!(@flood, data: [{1024, :binary.copy("0123456789abcde\n", 256)}], max_message: 4_096)

      :ok = Service.subscribe(service, 3)
      for _ <- 1..3, do: assert_receive({:wasgo_service, ^service, "0123456789abcde"}, 5_000)

      # What it can't tell waits, and is bounded.
      assert eventually(fn ->
               %{subscriber: %{size: size}, owed: owed} = :sys.get_state(service)
               size >= 900_000 and owed > 0
             end)

      assert :sys.get_state(service).subscriber.size < 4_000_000
      refute_received {:wasgo_service, ^service, _}
      :ok = Service.demand(service, 100_000)

      for _ <- 1..100_000,
          do: assert_receive({:wasgo_service, ^service, "0123456789abcde"}, 5_000)

      refute_received {:wasgo_service, ^service, _}
      assert Service.stop(service, 0) == :ok
      # All that is left, then the end.
      assert drain(service) == %ServiceError{
               reason: :stopped,
               message: "the service is stopped"
             }
    end

    defp drain(service) do
      receive do
        {:wasgo_service, ^service, "0123456789abcde"} -> drain(service)
        {:wasgo_service, ^service, {:ended, exception}} -> exception
      after
        30_000 -> flunk("the end was not told")
      end
    end

    test "a subscriber that ends leaves the program running" do
      service = start!(@echo, [])

      {:ok, other} =
        Task.start(fn -> Service.subscribe(service, 1) && Process.sleep(:infinity) end)

      assert eventually(fn -> :sys.get_state(service).subscriber.pid == other end)
      Process.exit(other, :kill)
      assert eventually(fn -> :sys.get_state(service).subscriber.pid == nil end)
      assert Service.request(service, "a") == {:ok, "a"}
    end

    test "a stream without messages goes both ways, and who sends too fast waits" do
      service =
        start!("(loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 512))))) (call $cat)",
          data: [{512, "x"}],
          framing: :raw,
          subscriber: self()
        )

      bytes = :rand.bytes(4 * 1_048_576)

      sender =
        Task.async(fn ->
          for <<piece::binary-size(65_536) <- bytes>>,
            do: :ok = Service.send(service, piece, 60_000)
        end)

      assert gather(service, byte_size(bytes), []) == bytes
      assert Enum.uniq(Task.await(sender, 60_000)) == [:ok]

      assert {:error, %ArgumentError{message: message}} = Service.request(service, "x")
      assert message =~ "Wasgo.Service.send/3"
    end

    test "what a program does not read in time is told to who sends" do
      service = start!("(loop (br 0))", framing: :raw)

      assert Enum.any?(1..100, fn _ ->
               match?(
                 {:error, %ServiceError{reason: :timeout}},
                 Service.send(service, :binary.copy("x", 65_536), 20)
               )
             end)

      assert Service.stop(service, 0) == :ok
    end

    defp gather(_service, 0, pieces), do: pieces |> Enum.reverse() |> IO.iodata_to_binary()

    defp gather(service, left, pieces) do
      assert_receive {:wasgo_service, ^service, piece} when is_binary(piece), 30_000
      gather(service, left - byte_size(piece), [piece | pieces])
    end
  end

  describe "answers that say which request they are for" do
    # Waits for two lines, and writes the later one first.
    @backwards """
    (local $held i32) (local $first i32)
    (loop $pair
      (local.set $first (call $in (i32.add (i32.const 1024) (local.get $held))))
      (if (i32.eqz (local.get $first)) (then (call $exit (i32.const 0))))
      (local.set $held (i32.add (local.get $held) (local.get $first)))
      (local.set $first (i32.const 0))
      (loop $byte
        (local.set $first (i32.add (local.get $first) (i32.const 1)))
        (br_if $byte
          (i32.and
            (i32.lt_u (local.get $first) (local.get $held))
            (i32.ne (i32.load8_u offset=1023 (local.get $first)) (i32.const 10)))))
      (br_if $pair (i32.eq (local.get $first) (local.get $held)))
      (br_if $pair (i32.ne (i32.load8_u offset=1023 (local.get $held)) (i32.const 10)))
      (call $out (i32.const 1) (i32.add (i32.const 1024) (local.get $first)) (i32.sub (local.get $held) (local.get $first)))
      (call $out (i32.const 1) (i32.const 1024) (local.get $first))
      (local.set $held (i32.const 0))
      (br $pair))
    """

    test "are told to who asked, in whatever order they come" do
      service = start!(@backwards, framing: :json_lines, answers: {:by, "id"})

      for _ <- 1..20 do
        asked =
          for name <- ["a", "b"] do
            Task.async(fn -> Service.request(service, %{"name" => name}, 30_000) end)
          end

        assert Task.await_many(asked, 30_000) == [
                 {:ok, %{"name" => "a"}},
                 {:ok, %{"name" => "b"}}
               ]
      end

      for round <- 1..20 do
        many = for number <- 1..2, do: %{"number" => number * round}
        assert Service.request_many(service, many, 30_000) == {:ok, many}
      end
    end

    test "that are no JSON end the service" do
      service =
        start!(
          "(drop (call $in (i32.const 1024))) (call $out (i32.const 1) (i32.const 512) (i32.const 2)) (call $silent)",
          data: [{512, "{\n"}],
          framing: :json_lines
        )

      assert {:error, %Wasgo.DecodeError{}} = Service.request(service, %{}, 30_000)
      assert_receive {:EXIT, ^service, {:shutdown, %Wasgo.DecodeError{}}}, 5_000
    end
  end

  test "a request that can't be sent disturbs nobody" do
    service = start!(@echo, [])
    numbered = start!(@echo, framing: :json_lines, answers: {:by, "id"})

    for {service, request, reason} <- [
          {service, 1, :not_bytes},
          {service, ["a"], :not_bytes},
          {numbered, "text", :not_a_map},
          {numbered, [1], :not_a_map}
        ] do
      assert {:error, %ServiceError{reason: ^reason}} = Service.request(service, request)
      assert {:error, %ServiceError{reason: ^reason}} = Service.request_many(service, [request])
    end

    assert {:error, %ServiceError{reason: :not_bytes}} = Service.send(service, :atom)
    assert {:error, %Wasgo.EncodeError{}} = Service.request(numbered, %{"a" => self()})
    assert {:error, %Wasgo.EncodeError{}} = Service.send(numbered, {1, 2})
    assert Service.request(service, "fine") == {:ok, "fine"}
    assert Service.request(numbered, %{"a" => 1}, 30_000) == {:ok, %{"a" => 1}}
  end

  test "many requests at once are answered in their order, or none is sent" do
    service = start!(@echo, max_pending: 1_000)
    lines = for number <- 1..1_000, do: "line #{number}"
    assert Service.request_many(service, lines, 30_000) == {:ok, lines}
    assert Service.request_many(service, []) == {:ok, []}
    assert {:error, %ServiceError{reason: :newline}} = Service.request_many(service, ["a", "b\n"])
    assert {:error, %ServiceError{reason: :busy}} = Service.request_many(service, ["x" | lines])
    assert Service.request(service, "still fine") == {:ok, "still fine"}
    long = :binary.copy("x", 60_000)

    assert {:error, %ServiceError{reason: :too_long}} =
             Service.request_many(service, List.duplicate(long, 300))
  end
end
