# How fast frames leave, from a process of this VM to one of another program: `mix run --no-start bench/frames.exs [--quick] [--small]`. Started by hand;
# nothing fails because a machine is slow. The other program is bench/frames/reader.py, for which Python 3 is needed; where there is a C compiler it becomes
# bench/frames/reader.c once it is connected, which takes a twentieth of the time. `--small` leaves the large frames out.

Code.require_file("measure.exs", __DIR__)

defmodule Bench.Frames do
  alias Wasgo.Godot.Connection.{Frame, Pusher}
  alias Wasgo.Godot.{Connection, Server}
  alias Wasgo.{Buffer, Pipeline}

  @token "a benchmark's secret"
  @reader Path.join(__DIR__, "frames/reader.py")
  @counter Path.join(__DIR__, "frames/reader.c")
  # A quarter of the frames are sent before, to warm up.
  @warm_up 4

  # Changes of two properties of 36 nodes.
  def small do
    column = {:packed_float64, for(n <- 1..36, into: "", do: <<n * 0.37::float-little>>)}

    {"rows",
     %{
       "columns" => {:packed_string, ["position:x", "position:y"]},
       "ids" => {:packed_int64, for(id <- 1..36, into: "", do: <<id::64-little>>)},
       "values" => [column, column]
     }}
  end

  # As many bytes in one array.
  def single do
    {"rows", %{"values" => {:packed_float64, :binary.copy(<<0.37::float-little>>, 118)}}}
  end

  # A chunk's worth of vertices.
  def large do
    part = :binary.copy(<<0.5::float-little-32>>, 3 * 29_127)

    surface = %{
      "positions" => {:packed_vector3, part},
      "normals" => {:packed_vector3, part},
      "colors" => {:packed_color, <<>>},
      "indices" => {:packed_int32, :binary.copy(<<7::32-little>>, 87_381)},
      "material" => %{}
    }

    {"chunk", %{"key" => "0", "name" => "chunk", "surfaces" => [surface]}}
  end

  def size({kind, fields}) do
    {:ok, frame} = Frame.new(kind, fields)
    Frame.size(frame, 1)
  end

  # Seconds for so many frames, from the first call to the last acknowledgement.
  def time(count, send), do: linked(fn connection -> timed(connection, count, send) end)

  defp linked(fun) do
    {:ok, server} = Server.start_link(token: @token, heartbeat_ms: 3_600_000)
    start_reader(Server.port(server), [@token])
    {:ok, connection} = Server.await_connection(server, 20_000)
    result = Bench.apart(fn -> fun.(connection) end)
    Server.stop(server)
    result
  end

  # It ends with its socket.
  defp start_reader(port, arguments) do
    python = System.find_executable("python3") || raise "python3 is missing"
    Port.open({:spawn_executable, python}, args: [@reader, "#{port}", counter() | arguments])
  end

  # What the C compiler made of the reader, or an empty text where there is none.
  def counter do
    with nil <- :persistent_term.get(__MODULE__, nil) do
      made = Path.join(System.tmp_dir!(), "wasgo-frames-reader-#{System.pid()}")
      compiler = System.find_executable("cc")
      made = if compiler && compiled?(compiler, made), do: made, else: ""
      if made != "", do: System.at_exit(fn _status -> File.rm(made) end)
      :persistent_term.put(__MODULE__, made)
      made
    end
  end

  defp compiled?(compiler, made) do
    {words, status} = System.cmd(compiler, ["-O2", "-o", made, @counter], stderr_to_stdout: true)
    if status != 0, do: IO.puts(:stderr, words)
    status == 0
  end

  defp timed(connection, count, send) do
    send.(connection, max(div(count, @warm_up), 1))
    :ok = Connection.flush(connection, 600_000)
    began = :erlang.monotonic_time()
    send.(connection, count)
    :ok = Connection.flush(connection, 600_000)
    Bench.nanoseconds(:erlang.monotonic_time() - began) / 1.0e9
  end

  ## Ways

  def pipeline(frame) do
    fn connection, count ->
      source = Stream.map(1..count, fn _number -> Buffer.new(frame) end)

      [source, {Wasgo.Stages.Godot, connection: connection}]
      |> Pipeline.stream()
      |> Enum.each(fn {:ok, _buffer} -> :ok end)
    end
  end

  def pusher({kind, fields}) do
    fn connection, count ->
      1..count
      |> Enum.reduce(Pusher.new(connection), fn _number, pusher ->
        {:ok, pusher} = Pusher.push(pusher, kind, fields, 30_000)
        pusher
      end)
      |> Pusher.close()
    end
  end

  def calls({kind, fields}) do
    fn connection, count ->
      for _number <- 1..count, do: {:ok, _} = Connection.send(connection, kind, fields)
    end
  end

  def calls_of_many(frame, processes) do
    send = calls(frame)

    fn connection, count ->
      1..processes
      |> Task.async_stream(fn _one -> send.(connection, max(div(count, processes), 1)) end,
        max_concurrency: processes,
        timeout: :infinity
      )
      |> Stream.run()
    end
  end

  # Seconds for the parts alone.
  def encode({kind, fields}, count) do
    alone(count, fn -> {:ok, _frame} = Frame.new(kind, fields) end)
  end

  # To the same reader, which only empties its socket: bytes that are there already, together as the writer has them.
  def socket(bytes, count, together) do
    {:ok, listener} =
      :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, active: false, nodelay: true])

    {:ok, port} = :inet.port(listener)
    start_reader(port, [])
    {:ok, socket} = :gen_tcp.accept(listener, 20_000)
    batch = List.duplicate(bytes, together)
    seconds = alone(max(div(count, together), 1), fn -> :ok = :gen_tcp.send(socket, batch) end)
    :gen_tcp.close(socket)
    :gen_tcp.close(listener)
    seconds
  end

  defp alone(count, fun) do
    Bench.apart(fn ->
      Bench.repeat(max(div(count, @warm_up), 1), fun)
      began = :erlang.monotonic_time()
      Bench.repeat(count, fun)
      Bench.nanoseconds(:erlang.monotonic_time() - began) / 1.0e9
    end)
  end

  def row(name, frame, count, seconds) do
    each = seconds / count * 1.0e9
    speed = size(frame) * count / seconds / 1.0e9
    [name, Bench.time(each), "#{Bench.digits(count / seconds)}", "#{Bench.digits(speed)} GB/s"]
  end
end

Logger.configure(level: :error)
alias Bench.Frames, as: B

Bench.header()

language = if B.counter() == "", do: "Python", else: "C"
IO.puts("The reader counts in #{language}.\n")
large = if "--small" in System.argv(), do: [], else: [{"1 MiB", B.large(), 2_000, 1}]

for {name, frame, full, together} <- [
      {"1 KiB in four arrays", B.small(), 600_000, 64},
      {"1 KiB in one array", B.single(), 600_000, 64} | large
    ] do
  count = Bench.rounds(full)
  {kind, fields} = frame
  {:ok, encoded} = Wasgo.Godot.Connection.Frame.new(kind, fields)
  bytes = IO.iodata_to_binary(Wasgo.Godot.Connection.Frame.numbered(encoded, 1))

  ways = [
    {"`Wasgo.Pipeline` and `Wasgo.Stages.Godot`", fn -> B.time(count, B.pipeline(frame)) end},
    {"its pusher alone", fn -> B.time(count, B.pusher(frame)) end},
    {"`Connection.send/4`, one process", fn -> B.time(count, B.calls(frame)) end},
    {"`Connection.send/4`, 8 processes", fn -> B.time(count, B.calls_of_many(frame, 8)) end},
    {"of that encoding", fn -> B.encode(frame, count) end},
    {"of that the socket", fn -> B.socket(bytes, count, together) end}
  ]

  rows =
    for {way, run} <- ways do
      B.row(way, frame, count, Bench.step("#{name}, #{way}", run))
    end

  Bench.table(
    ["frames of #{name} (#{Bench.digits(B.size(frame))} bytes)", "each", "a second", ""],
    rows
  )
end
