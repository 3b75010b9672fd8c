defmodule Wasgo.Service.Console do
  @moduledoc """
  What lies between a service's standard streams and the bytes that its program means.

  ## `:wasi`

  A plain WASI program: bytes are what they are, the end of its input is the end of its input, and its exit status is its own.

  ## `:container2wasm`

  A container image that container2wasm turned into a module. In it a machine is emulated that runs Linux, and the streams are that machine's serial
  terminal. The profile makes of it what a program's streams are:

    * the terminal's echo is turned off, and for framings that are not text its line discipline too (`stty raw`), so that every byte goes through
    * a line break that the terminal writes as `"\\r\\n"` is `"\\n"` again, for all byte values exactly
    * the byte 0x01, the emulator's escape, is doubled
    * lines that the terminal would cut (4,095 bytes) or act upon (control characters) are refused before they are sent
    * the input never ends, since the machine would stop at once; `Wasgo.Service.stop/2` sends the terminal's end of file, 0x04, in text framings
    * what the machine says before the command runs is not taken for its output: a marker tells where that begins
    * the command's exit status, which the machine does not pass on, is printed after its end and read there
    * random bytes of the host are mixed into the machine's when it starts: images that were started when they were made share their state

  For that the command is run by the container's own `sh`, with `env` and `stty`, in place of the image's entry point: nearly all images have them. One without
  them runs with `shell: false`, as `{:container2wasm, shell: false}`; then the command is run as it is, after the image's entry point if there is one, with
  the terminal's echo on and without its exit status.

  All arguments, variables and names of directories are together at most 1,024 bytes, in which spaces and line breaks of arguments count twice and the profile's
  own are included: the machine has a block of that size for them. What is over is refused before anything starts.

  The machine loses what is empty, puts what ends with a backslash together with what comes next, and breaks a last character that is none of ASCII. Where an argument or a
  variable is such, the profile passes them all with a character more, which the shell takes off again. Without the shell they are refused, as is in either
  case a directory whose name ends so.

  A machine that ends before it comes to the command is a `Wasgo.ServiceError` with `:not_started`, whose message tells what it said at last.

  Source of all this: measured on images made by container2wasm 0.8 with TinyEMU (riscv64) and Bochs (x86_64).

      {:ok, shell} = Wasgo.Service.start_link(module: "alpine.wasm", console: :container2wasm, command: ["sh"])
  """

  alias Wasgo.{LimitError, ServiceError}
  alias Wasgo.Service.{Framing, Tool}

  @derive {Inspect, only: [:profile, :framing, :state]}
  @enforce_keys [:profile]
  defstruct [
    :profile,
    :framing,
    :token,
    :terminal,
    shell: true,
    state: :open,
    pending: "",
    before: 0,
    said: ""
  ]

  @type profile :: :wasi | :container2wasm | {:container2wasm, shell: boolean()}

  @type t :: %__MODULE__{
          profile: :wasi | :container2wasm,
          framing: Framing.t(),
          token: String.t() | nil,
          terminal: nil | {rows :: pos_integer(), columns :: pos_integer()},
          shell: boolean(),
          state: :open | :before_marker | :after_status,
          pending: binary(),
          before: non_neg_integer(),
          said: binary()
        }

  # The terminal keeps so many bytes of a line, its line break included.
  @longest_line 4_095

  # The block of the machine for arguments, variables and directories.
  @block 1_024

  # What the machine may say before the marker comes: the kernel's messages at most.
  @most_before_marker 1_048_576

  # Bytes of it that are kept for who has to find out why the marker never came.
  @said 500

  # A last character for words that the machine would not pass on as they are, and what takes it off each of them.
  @mark "."
  @unmark ~S(for __;do shift;set -- "$@" "${__%.}";done;)

  @end_of_file <<4>>

  @unit_separator <<0x1F>>

  @doc """
  Whether it is a profile.

      iex> for profile <- [:wasi, {:container2wasm, shell: false}, :docker], do: Wasgo.Service.Console.profile?(profile)
      [true, true, false]
  """
  @spec profile?(term()) :: boolean()
  def profile?({:container2wasm, [shell: shell]}), do: is_boolean(shell)
  def profile?(profile), do: profile in [:wasi, :container2wasm]

  @doc """
  A console for one run of a command. Without a command it is the image's own that is run, which no shell of ours can be put around.

      iex> console = Wasgo.Service.Console.new(:container2wasm, Wasgo.Service.Framing.new(:line), ["python3", "/app/faces.py"])
      iex> {console.profile, Wasgo.Service.Console.open?(console)}
      {:container2wasm, false}
  """
  @spec new(profile(), Framing.t(), [String.t()]) :: t()
  def new(:wasi, framing, _command) do
    %__MODULE__{profile: :wasi, framing: framing, shell: false}
  end

  def new(profile, framing, command)
      when profile == {:container2wasm, [shell: false]} or command == [] do
    %__MODULE__{profile: :container2wasm, framing: framing, shell: false}
  end

  def new(_container2wasm, framing, _command) do
    token = 9 |> :crypto.strong_rand_bytes() |> Base.url_encode64()
    %__MODULE__{profile: :container2wasm, framing: framing, token: token, state: :before_marker}
  end

  @doc """
  A console for a command at a terminal where a person sits: echo and line editing stay the machine's, and what it writes is not changed.

      iex> console = Wasgo.Service.Console.terminal(["sh"], {24, 80})
      iex> {:ok, arguments, []} = Wasgo.Service.Console.arguments(console, ["sh"], [], [], nil)
      iex> Enum.any?(arguments, &String.contains?(&1, "stty rows 24 cols 80"))
      true
  """
  @spec terminal([String.t()], {pos_integer(), pos_integer()}) :: t()
  def terminal(command, size) do
    %{new(:container2wasm, Framing.new(:raw), command) | terminal: size}
  end

  @doc """
  The program's arguments, its own name first, and its environment, for a command with `environment` and directories known to it by `dirs`, with a network or not.

  Errors: `Wasgo.LimitError` with `:argument_bytes`; `Wasgo.ServiceError` with `:empty_argument`, `:trailing_character` or `:invalid_directory`.

      iex> wasi = Wasgo.Service.Console.new(:wasi, Wasgo.Service.Framing.new(:line), ["--seed", "7"])
      iex> Wasgo.Service.Console.arguments(wasi, ["--seed", "7"], [], [], nil)
      {:ok, ["service", "--seed", "7"], []}
      iex> container = Wasgo.Service.Console.new({:container2wasm, shell: false}, Wasgo.Service.Framing.new(:line), ["cat", ""])
      iex> {:error, error} = Wasgo.Service.Console.arguments(container, ["cat", ""], [], [], nil)
      iex> error.reason
      :empty_argument
  """
  @spec arguments(
          t(),
          [String.t()],
          [{String.t(), String.t()}],
          [String.t()],
          nil | pos_integer()
        ) ::
          {:ok, [String.t()], [{String.t(), String.t()}]} | {:error, Exception.t()}
  def arguments(%__MODULE__{profile: :wasi}, command, environment, _dirs, _listener) do
    {:ok, ["service" | command], environment}
  end

  def arguments(%__MODULE__{} = console, command, environment, dirs, listener) do
    {words, variables} = wrapped(console, command, environment)

    with :ok <- passable(words, variables),
         :ok <- mountable(dirs),
         :ok <- fits(console, block(words, variables, dirs, listener), listener) do
      {:ok, ["service" | network(listener)] ++ entry_point(console) ++ words, variables}
    end
  end

  # What the machine would not pass on as it is.
  defp altered?(""), do: true
  defp altered?(word), do: :binary.last(word) == ?\\ or :binary.last(word) >= 0x80

  defp altered_variable?({_name, value}), do: value != "" and altered?(value)

  defp passable(words, variables) do
    word = Enum.find(words, &altered?/1)
    variable = Enum.find(variables, &altered_variable?/1)

    cond do
      word == "" ->
        message = "an empty argument can't be passed to a container's command without its shell"
        {:error, %ServiceError{reason: :empty_argument, message: message}}

      word || variable ->
        message =
          "what ends with a backslash or with a character that is none of ASCII can't be passed to a container without its shell: " <>
            inspect(word || variable)

        {:error, %ServiceError{reason: :trailing_character, message: message}}

      true ->
        :ok
    end
  end

  defp mountable(dirs) do
    case Enum.find(dirs, &(unmountable?(&1) or altered?(&1))) do
      nil ->
        :ok

      dir ->
        message =
          "a directory can't be mounted in a container at #{inspect(dir)}: not at its root or /pack, nor with \"..\" in the name, a slash, " <>
            "a backslash or a character that is none of ASCII at its end"

        {:error, %ServiceError{reason: :invalid_directory, message: message}}
    end
  end

  # The machine has a directory of its own called "pack".
  defp unmountable?(dir) do
    names = dir |> Path.split() |> Enum.reject(&(&1 in ["/", "."]))
    names in [[], ["pack"]] or ".." in names or String.ends_with?(dir, "/")
  end

  defp fits(_console, bytes, _listener) when bytes <= @block, do: :ok

  defp fits(console, bytes, listener) do
    {words, []} = wrapped(console, [], [])

    message =
      "arguments, environment and directories have #{bytes} bytes; a container is passed #{@block} at most" <>
        ", of which the profile takes #{block(words, [], [], listener)}"

    {:error, %LimitError{reason: :argument_bytes, value: @block, message: message}}
  end

  # What the machine makes of it: a line for each of the entry point, the command, variables, directories, the network and the time.
  defp block(words, environment, dirs, listener) do
    command = Enum.map(words, &[&1, List.duplicate("\\", breaks(&1)), " "])
    variables = for {name, value} <- environment, do: ["env: ", name, "=", value, "\n"]
    breaks = Enum.sum(for {_name, value} <- environment, do: breaks(value))
    directories = Enum.map(dirs, &["m: ", &1, "\n"])
    net = if listener, do: "n: 02:00:00:00:00:01\n", else: ""

    IO.iodata_length(["e: env\nc: ", command, variables, directories, net, "t: 1234567890\n"]) +
      breaks
  end

  # Spaces and line breaks are marked by a byte more.
  defp breaks(word), do: length(:binary.matches(word, [" ", "\n"]))

  # With its own entry point, an image would take our shell for an argument of that. By `env` since the emulator takes what begins with "-" for its own.
  defp entry_point(%{shell: true}), do: ["-entrypoint", "env"]
  defp entry_point(%{shell: false}), do: []

  defp network(nil), do: []
  # The emulator listens at this one by itself.
  defp network(3), do: ["-net", "socket"]
  defp network(listener), do: ["-net", "socket=listenfd=#{listener}"]

  # Words and variables. The machine's own environment can't have all of these; `env` in the container can.
  defp wrapped(%{shell: false}, command, environment), do: {command, environment}

  defp wrapped(%{shell: true} = console, command, environment) do
    {altered, variables} = Enum.split_with(environment, &altered_variable?/1)
    set = for {name, value} <- altered, do: name <> "=" <> value
    command = if set == [], do: command, else: ["env" | set] ++ command
    marked? = Enum.any?(command, &altered?/1)
    command = if marked?, do: Enum.map(command, &(&1 <> @mark)), else: command
    {["sh", "-c", script(console, marked?), "sh" | command], variables}
  end

  # The status is told after a character that programs hardly write, so that nothing else has to be held back until it is clear that it is no status.
  defp script(%{token: token} = console, marked?) do
    seed = 24 |> :crypto.strong_rand_bytes() |> Base.url_encode64()
    unmark = if marked?, do: @unmark, else: ""

    ~s(stty #{modes(console)};echo #{seed}>/dev/urandom;#{unmark}echo #{token};"$@";printf '\\037#{token}=%d\\n' $?)
  end

  defp modes(%{terminal: {rows, columns}}), do: "rows #{rows} cols #{columns}"
  defp modes(console), do: if(Framing.text?(console.framing), do: "-echo", else: "raw -echo")

  @doc """
  The bytes to send for a message's bytes.

  Errors: `Wasgo.ServiceError` with `:too_long` or `:control_character`.

      iex> container = Wasgo.Service.Console.new(:container2wasm, Wasgo.Service.Framing.new(:line), ["cat"])
      iex> Wasgo.Service.Console.encode(container, ["hello", ?\\n])
      {:ok, "hello\\n"}
      iex> {:error, error} = Wasgo.Service.Console.encode(container, <<"hello", 3, ?\\n>>)
      iex> error.reason
      :control_character
      iex> bytes = Wasgo.Service.Console.new(:container2wasm, Wasgo.Service.Framing.new(:length_prefixed), ["cat"])
      iex> Wasgo.Service.Console.encode(bytes, <<0, 1, 2>>)
      {:ok, <<0, 1, 1, 2>>}
  """
  @spec encode(t(), iodata()) :: {:ok, iodata()} | {:error, ServiceError.t()}
  def encode(%__MODULE__{profile: :wasi}, bytes), do: {:ok, bytes}

  def encode(%__MODULE__{} = console, bytes) do
    bytes = IO.iodata_to_binary(bytes)
    escaped = :binary.replace(bytes, <<1>>, <<1, 1>>, [:global])
    if Framing.text?(console.framing), do: check(bytes, escaped), else: {:ok, escaped}
  end

  defp check(bytes, escaped) do
    cond do
      bytes |> :binary.split("\n", [:global]) |> Enum.any?(&(byte_size(&1) >= @longest_line)) ->
        message =
          "a line of #{byte_size(bytes)} bytes; the container's terminal cuts what is over #{@longest_line}"

        {:error, %ServiceError{reason: :too_long, message: message}}

      character = control_character(bytes) ->
        message =
          "a line with the control character #{inspect(character, base: :hex)}, which the container's terminal acts upon" <>
            "; framings that are not text send it as it is"

        {:error, %ServiceError{reason: :control_character, message: message}}

      true ->
        {:ok, escaped}
    end
  end

  # Tabulators and line breaks are text.
  defp control_character(<<byte, _rest::binary>>)
       when (byte < 32 and byte not in [9, 10]) or byte == 127,
       do: byte

  defp control_character(<<_byte, rest::binary>>), do: control_character(rest)
  defp control_character(<<>>), do: nil

  @doc """
  What the bytes that came mean: output of the command, and its exit status once that was told.

  Errors: `Wasgo.ServiceError` with `:too_long` for a machine that talks on without ever coming to the command.

      iex> console = Wasgo.Service.Console.new(:container2wasm, Wasgo.Service.Framing.new(:line), ["cat"])
      iex> {:ok, "", nil, console} = Wasgo.Service.Console.decode(console, "booting Linux\\r\\n")
      iex> {:ok, output, nil, console} = Wasgo.Service.Console.decode(console, "\#{console.token}\\r\\nhello\\r\\n")
      iex> {output, Wasgo.Service.Console.open?(console)}
      {"hello\\n", true}
      iex> {:ok, "", status, _console} = Wasgo.Service.Console.decode(console, "\\x1F\#{console.token}=3\\r\\n")
      iex> status
      3
  """
  @spec decode(t(), binary()) ::
          {:ok, binary(), integer() | nil, t()} | {:error, ServiceError.t()}
  def decode(%__MODULE__{profile: :wasi} = console, bytes), do: {:ok, bytes, nil, console}

  # A person's terminal wants line breaks as they are.
  def decode(%__MODULE__{terminal: {_rows, _columns}} = console, bytes) do
    pending = console.pending
    scan(%{console | pending: ""}, pending <> bytes)
  end

  def decode(%__MODULE__{} = console, bytes) do
    # A "\r" at the end may be one half of a line break.
    {bytes, held} = hold(console.pending <> bytes)
    text = :binary.replace(bytes, "\r\n", "\n", [:global])
    scan(%{console | pending: held}, text)
  end

  @doc """
  Whether the end of the output is held back, since what comes next may give it another meaning: of `"\\r"` whether it was one half of a line break.
  In a stream without lines that matters only for a moment: then `flush/1`.

      iex> console = Wasgo.Service.Console.new({:container2wasm, shell: false}, Wasgo.Service.Framing.new(:raw), [])
      iex> {:ok, "50%", nil, console} = Wasgo.Service.Console.decode(console, "50%\\r")
      iex> Wasgo.Service.Console.holds?(console)
      true
  """
  @spec holds?(t()) :: boolean()
  def holds?(%__MODULE__{} = console),
    do: rest(console) != "" and not Framing.text?(console.framing)

  @doc """
  What was held back, as it is: nothing came after it.

      iex> console = Wasgo.Service.Console.new({:container2wasm, shell: false}, Wasgo.Service.Framing.new(:raw), [])
      iex> {:ok, "50%", nil, console} = Wasgo.Service.Console.decode(console, "50%\\r")
      iex> {held, console} = Wasgo.Service.Console.flush(console)
      iex> {held, Wasgo.Service.Console.holds?(console)}
      {"\\r", false}
  """
  @spec flush(t()) :: {binary(), t()}
  def flush(%__MODULE__{} = console), do: {rest(console), %{console | pending: ""}}

  @doc """
  What was held back at the end of the output.

      iex> console = Wasgo.Service.Console.new({:container2wasm, shell: false}, Wasgo.Service.Framing.new(:line), [])
      iex> {:ok, "hello", nil, console} = Wasgo.Service.Console.decode(console, "hello\\r")
      iex> Wasgo.Service.Console.rest(console)
      "\\r"
  """
  @spec rest(t()) :: binary()
  def rest(%__MODULE__{state: :open, pending: pending}), do: pending
  def rest(%__MODULE__{}), do: ""

  @doc """
  What asks the program politely to end: bytes to send, or the end of its input; nothing when there is no way.

      iex> for {profile, kind} <- [wasi: :line, container2wasm: :line, container2wasm: :raw] do
      ...>   Wasgo.Service.Console.farewell(Wasgo.Service.Console.new(profile, Wasgo.Service.Framing.new(kind), ["cat"]))
      ...> end
      [:close, {:send, <<4>>}, :nothing]
  """
  @spec farewell(t()) :: {:send, binary()} | :close | :nothing
  def farewell(%__MODULE__{profile: :wasi}), do: :close

  def farewell(%__MODULE__{} = console) do
    if Framing.text?(console.framing), do: {:send, @end_of_file}, else: :nothing
  end

  @doc """
  Whether the machine has come to the command.

      iex> console = Wasgo.Service.Console.new(:container2wasm, Wasgo.Service.Framing.new(:line), ["cat"])
      iex> {:ok, "", nil, booted} = Wasgo.Service.Console.decode(console, "booting Linux\\r\\n\#{console.token}\\r\\n")
      iex> {Wasgo.Service.Console.open?(console), Wasgo.Service.Console.open?(booted)}
      {false, true}
  """
  @spec open?(t()) :: boolean()
  def open?(%__MODULE__{state: state}), do: state != :before_marker

  @doc """
  Why a machine that ended itself with `status` before it came to the command did so; nothing for one that had come to it.

      iex> console = Wasgo.Service.Console.new(:container2wasm, Wasgo.Service.Framing.new(:line), ["cat"])
      iex> {:ok, "", nil, console} = Wasgo.Service.Console.decode(console, "no shell\\r\\n")
      iex> Wasgo.Service.Console.not_started(console, 0).reason
      :not_started
  """
  @spec not_started(t(), integer()) :: ServiceError.t() | nil
  def not_started(%__MODULE__{state: :before_marker} = console, status) do
    said = (console.said <> console.pending) |> String.replace(~r/\s+/, " ") |> Tool.plain()

    message =
      "the container ended with status #{status} before its command ran; it said at last: " <>
        if(said =~ ~r/\S/, do: String.trim(said), else: "nothing")

    %ServiceError{reason: :not_started, message: message}
  end

  def not_started(%__MODULE__{}, _status), do: nil

  defp last(text), do: binary_part(text, byte_size(text), -min(byte_size(text), @said))

  defp hold(bytes) do
    size = byte_size(bytes) - 1

    if size >= 0 and :binary.at(bytes, size) == ?\r do
      {binary_part(bytes, 0, size), "\r"}
    else
      {bytes, ""}
    end
  end

  defp scan(%{token: nil} = console, text), do: {:ok, text, nil, console}

  defp scan(%{state: :before_marker, token: token} = console, text) do
    case :binary.split(text, token <> line_break(console)) do
      [_before, output] ->
        scan(%{console | state: :open}, output)

      [text] ->
        kept = min(byte_size(text), byte_size(token))
        passed = byte_size(text) - kept
        said = last(console.said <> binary_part(text, 0, passed))
        pending = binary_part(text, byte_size(text), -kept) <> console.pending
        before(%{console | before: console.before + passed, said: said, pending: pending})
    end
  end

  defp scan(%{state: :open, token: token} = console, text) do
    mark = @unit_separator <> token <> "="

    case :binary.split(text, mark) do
      [output, status] ->
        case Integer.parse(status) do
          {status, <<byte, _power_off::binary>>} when byte in [?\r, ?\n] ->
            {:ok, output, status, %{console | state: :after_status, pending: ""}}

          _cut ->
            {:ok, output, nil, %{console | pending: mark <> status <> console.pending}}
        end

      [output] ->
        {output, held} = hold_mark(output, mark)
        {:ok, output, nil, %{console | pending: held <> console.pending}}
    end
  end

  defp scan(%{state: :after_status} = console, _text) do
    {:ok, "", nil, %{console | pending: ""}}
  end

  defp line_break(%{terminal: nil}), do: "\n"
  defp line_break(%{terminal: _size}), do: "\r\n"

  defp before(%{before: bytes}) when bytes > @most_before_marker do
    message = "the container wrote #{bytes} bytes and did not come to its command"
    {:error, %ServiceError{reason: :too_long, message: message}}
  end

  defp before(console), do: {:ok, "", nil, console}

  # The end of the output that may be the beginning of the mark.
  defp hold_mark(output, mark) do
    size = byte_size(output)

    1..min(size, byte_size(mark) - 1)//1
    |> Enum.reverse()
    |> Enum.find(&(binary_part(output, size, -&1) == binary_part(mark, 0, &1)))
    |> case do
      nil -> {output, ""}
      held -> {binary_part(output, 0, size - held), binary_part(output, size, -held)}
    end
  end
end
