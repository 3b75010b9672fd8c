defmodule Wasgo.Service.Image do
  @moduledoc """
  What a file of WebAssembly is, and what it needs, before anything of it is compiled: a container that container2wasm turned into a module, a WASI program, or
  something that no service can run.

      iex> {:ok, image} = Wasgo.Service.Image.describe_file("guest/services/namer.wasm")
      iex> {image.kind, image.missing}
      {:wasi_command, []}

  `mix wasgo.service.check` prints `report/1` and then tries the program.

  ## How it is told

    * a **component** by its header
    * a **WASI program** (`:wasi_command`) by the function `_start` that it exports; a module with `_initialize` that imports WASI's functions is a `:wasi_reactor`,
      which has nothing to run by itself
    * a **container** (`:container2wasm`) is a WASI program that accepts a connection (`sock_accept`), carries files (`wasi_vfs_pack_fs`) and is an
      emulator by the names of its functions or, without those, by what its data begins with: TinyEMU for riscv64, Bochs for x86_64. It is `preinitialised` when it
      has no `wizer.initialize` any more: its machine was started when it was made
    * everything else is a `:module`

  What a file says of itself is no promise: to know that a program runs, run it.

  A file of 100 MB is looked at in a fraction of a second, once from its beginning to its end.
  """

  alias Wasgo.{CompileError, LimitError, LinkError}
  alias Wasgo.Service.Image.Reader

  @enforce_keys [:kind, :size]
  defstruct [
    :kind,
    :size,
    :arch,
    :preinitialised,
    :memory,
    imports: %{},
    missing: [],
    network?: false,
    data_segments: 0,
    noirqdebug?: nil
  ]

  @type kind :: :container2wasm | :wasi_command | :wasi_reactor | :component | :module

  @typedoc """
    * `kind`, and of containers `arch` and `preinitialised`: see above. `noirqdebug?` is whether the machine's kernel was told so, without which riscv64 ones
      may lose their console after 100,000 writes without a pause (`Wasgo.Service` makes such pauses)
    * `size` - bytes
    * `imports` - the names that it imports, by module, in alphabetical order; `missing` are those that no service is given, as `"module.name"`
    * `memory` - bytes that it has when it starts, and the most that it declares (nil for no limit); nil for one without memory
    * `network?` - whether it can use a network (`Wasgo.Service.Network`)
    * `data_segments` - pieces that its memory is filled with at its start
  """
  @type t :: %__MODULE__{
          kind: kind(),
          size: non_neg_integer(),
          arch: :riscv64 | :x86_64 | nil,
          preinitialised: boolean() | nil,
          memory: %{initial: non_neg_integer(), maximum: non_neg_integer() | nil} | nil,
          imports: %{String.t() => [String.t()]},
          missing: [String.t()],
          network?: boolean(),
          data_segments: non_neg_integer(),
          noirqdebug?: boolean() | nil
        }

  # As `Wasgo.Wasm.Module` takes.
  @most_bytes 256 * 1_048_576

  # As `Wasgo.Service` gives.
  @memory 256 * 1_048_576

  @wasi "wasi_snapshot_preview1"

  @functions ~w(
    args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get
    fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get
    fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times
    path_link path_open path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise random_get
    sched_yield sock_accept sock_recv sock_send sock_shutdown
  )

  @given MapSet.new(@functions, &{@wasi, &1})

  @wanted MapSet.new(~w(_start _initialize wasi_vfs_pack_fs wizer.initialize))

  # Names of functions that only the emulators have, and what stands in their data.
  @name_marks %{"riscv_cpu_interp" => :riscv64, "BX_CPU_C" => :x86_64}
  @data_marks %{
    "ucbbar,riscvemu" => :riscv64,
    "/pack/bbl.bin" => :riscv64,
    "/pack/BIOS-bochs" => :x86_64,
    "BXSHARE" => :x86_64
  }

  # The end of the kernel's arguments as conversions write them.
  @noirqdebug "noirqdebug init="

  # Names that a report shows.
  @shown 12
  @shown_characters 80

  @doc """
  Describes bytes.

  Errors: `Wasgo.CompileError` for what is no WebAssembly or is damaged where this looks, `Wasgo.LimitError` for more than 256 MiB.

      iex> {:ok, image} = Wasgo.Service.Image.describe(<<0, "asm", 1, 0, 0, 0>>)
      iex> image.kind
      :module

      iex> {:error, error} = Wasgo.Service.Image.describe("#!/bin/sh")
      iex> Exception.message(error)
      "not WebAssembly: it begins with \\"#!/bin/sh\\""
  """
  @spec describe(binary()) :: {:ok, t()} | {:error, Exception.t()}
  def describe(bytes) when is_binary(bytes) and byte_size(bytes) > @most_bytes do
    {:error, too_large(byte_size(bytes), "it")}
  end

  def describe(<<0, "asm", 1, 0, 0, 0, _rest::binary>> = bytes) do
    case Reader.read(bytes, @wanted) do
      {:ok, facts} -> {:ok, image(facts, byte_size(bytes))}
      {:error, {at, words}} -> {:error, broken("unreadable WebAssembly: at byte #{at}, #{words}")}
    end
  end

  def describe(<<0, "asm", version::little-16, 1, 0, _rest::binary>> = bytes) when version > 1 do
    {:ok, %__MODULE__{kind: :component, size: byte_size(bytes)}}
  end

  def describe(<<0, "asm", version::little-32, _rest::binary>>) do
    {:error, broken("WebAssembly of version #{version}, which is unknown")}
  end

  def describe(""), do: {:error, broken("not WebAssembly: it is empty")}

  def describe(bytes) do
    begin = binary_part(bytes, 0, min(byte_size(bytes), 16))
    {:error, broken("not WebAssembly: it begins with #{inspect(begin)}")}
  end

  @doc """
  Describes a file. Beside the errors of `describe/1`, a `File.Error` for one that can't be read.

      iex> {:ok, image} = Wasgo.Service.Image.describe_file("guest/services/namer.wasm")
      iex> image.kind
      :wasi_command
      iex> {:error, error} = Wasgo.Service.Image.describe_file("guest/services/gone.wasm")
      iex> error.reason
      :enoent
  """
  @spec describe_file(Path.t()) :: {:ok, t()} | {:error, Exception.t()}
  def describe_file(path) do
    with {:ok, %File.Stat{type: :regular, size: size}} when size <= @most_bytes <-
           File.stat(path),
         {:ok, bytes} <- File.read(path) do
      describe(bytes)
    else
      {:ok, %File.Stat{type: :regular, size: size}} -> {:error, too_large(size, path)}
      {:ok, %File.Stat{type: :directory}} -> {:error, unreadable(path, :eisdir)}
      {:ok, %File.Stat{}} -> {:error, unreadable(path, :einval)}
      {:error, reason} -> {:error, unreadable(path, reason)}
    end
  end

  defp unreadable(path, reason) do
    %File.Error{reason: reason, action: "read file", path: to_string(path)}
  end

  defp too_large(bytes, what) do
    message = "#{what} has #{bytes} bytes; a module may have #{@most_bytes}"
    %LimitError{reason: :module_size, value: @most_bytes, asked: bytes, message: message}
  end

  defp broken(message), do: %CompileError{reason: :compile, message: message}

  defp image(facts, size) do
    arch = if container?(facts), do: arch(facts)
    kind = if arch, do: :container2wasm, else: kind(facts)

    describe_container(facts, %__MODULE__{
      kind: kind,
      size: size,
      arch: arch,
      memory: memory(facts),
      imports: Enum.group_by(Enum.sort(facts.imports), &elem(&1, 0), &elem(&1, 1)),
      missing:
        for(
          {module, name} = import <- facts.imports,
          import not in @given,
          do: module <> "." <> name
        )
        |> Enum.uniq(),
      network?: {@wasi, "sock_accept"} in facts.imports and {@wasi, "sock_recv"} in facts.imports,
      data_segments: facts.data_segments
    })
  end

  defp describe_container(facts, %{kind: :container2wasm} = image) do
    %{
      image
      | preinitialised: "wizer.initialize" not in facts.exports,
        noirqdebug?: Reader.marks(facts.data, [@noirqdebug]) != %{}
    }
  end

  defp describe_container(_facts, image), do: image

  defp memory(%{memory: nil}), do: nil

  defp memory(%{memory: {least, most}, page: page}) do
    %{initial: least * page, maximum: most && most * page}
  end

  defp kind(facts) do
    cond do
      "_start" in facts.exports -> :wasi_command
      "_initialize" in facts.exports and wasi?(facts) -> :wasi_reactor
      true -> :module
    end
  end

  defp wasi?(facts), do: Enum.any?(facts.imports, &match?({@wasi, _name}, &1))

  defp container?(facts) do
    "_start" in facts.exports and "wasi_vfs_pack_fs" in facts.exports and
      {@wasi, "sock_accept"} in facts.imports
  end

  # A container may hold an emulator itself: the names are the module's own, and in its data its own come first.
  defp arch(facts), do: first(facts.names, @name_marks) || first(facts.data, @data_marks)

  defp first(bytes, marks) do
    case Enum.min_by(Reader.marks(bytes, Map.keys(marks)), &elem(&1, 1), fn -> nil end) do
      {mark, _at} -> Map.fetch!(marks, mark)
      nil -> nil
    end
  end

  @doc """
  Whether a service can run it with `memory` bytes, as far as that can be told: the first thing that is in its way.

  Errors: `Wasgo.LinkError` for imports that it is not given, named, or what is no program; `Wasgo.LimitError` with `:memory`.

      iex> {:ok, image} = Wasgo.Service.Image.describe(<<0, "asm", 1, 0, 0, 0>>)
      iex> {:error, error} = Wasgo.Service.Image.runnable(image)
      iex> Exception.message(error)
      "it is no WASI program: a module without the function _start"
  """
  @spec runnable(t(), pos_integer()) :: :ok | {:error, LinkError.t() | LimitError.t()}
  def runnable(%__MODULE__{} = image, memory \\ @memory) do
    cond do
      reason = no_program(image.kind) ->
        {:error,
         %LinkError{
           reason: :missing_export,
           name: "_start",
           message: "it is no WASI program: " <> reason
         }}

      image.missing != [] ->
        message = "it imports what a service is not given: " <> some(image.missing)

        {:error, %LinkError{reason: :missing_import, name: hd(image.missing), message: message}}

      image.memory != nil and image.memory.initial > memory ->
        message =
          "it begins with #{size(image.memory.initial)} of memory, and is granted #{size(memory)}"

        {:error,
         %LimitError{
           reason: :memory,
           value: memory,
           asked: image.memory.initial,
           message: message
         }}

      true ->
        :ok
    end
  end

  defp no_program(:component), do: "a component (Wasgo.Wasm.Component runs those)"
  defp no_program(:wasi_reactor), do: "a reactor, a library that has no function _start"
  defp no_program(:module), do: "a module without the function _start"
  defp no_program(_program), do: nil

  @doc """
  The same in lines for people; `to_string/1` of an image is it.

      iex> {:ok, image} = Wasgo.Service.Image.describe_file("guest/services/namer.wasm")
      iex> image |> Wasgo.Service.Image.report() |> String.split("\\n") |> hd()
      "kind      WASI program (preview 1)"
  """
  @spec report(t()) :: String.t()
  def report(%__MODULE__{} = image) do
    [
      {"kind", kind_words(image)},
      {"size", size(image.size)},
      {"memory", memory_words(image)},
      {"data", image.data_segments > 0 && "#{image.data_segments} segments"},
      {"network", network_words(image)},
      {"console", console_words(image)}
    ]
    |> Enum.concat(Enum.map(image.imports, &{"imports", imports_words(&1)}))
    |> Enum.concat([{"missing", image.missing != [] && some(image.missing)}])
    |> Enum.filter(&elem(&1, 1))
    |> Enum.map_join("\n", fn {name, words} -> String.pad_trailing(name, 10) <> words end)
  end

  defp kind_words(%{kind: :container2wasm} = image) do
    start = if image.preinitialised, do: "started when it was made", else: "starts cold"
    "container by container2wasm, #{image.arch}, #{start}"
  end

  defp kind_words(%{kind: :wasi_command}), do: "WASI program (preview 1)"
  defp kind_words(%{kind: :wasi_reactor}), do: "WASI reactor: a library, which no service can run"

  defp kind_words(%{kind: :component}),
    do: "component, for Wasgo.Wasm.Component: no service can run it"

  defp kind_words(%{kind: :module}), do: "module, for Wasgo.Wasm.Instance: no service can run it"

  defp memory_words(%{kind: :component}), do: nil
  defp memory_words(%{memory: nil}), do: "none"

  defp memory_words(%{memory: %{initial: initial, maximum: nil}}),
    do: "#{size(initial)} at its start, more when it asks"

  defp memory_words(%{memory: %{initial: initial, maximum: maximum}}),
    do: "#{size(initial)} at its start, #{size(maximum)} at most"

  defp network_words(%{network?: true}), do: "can use one (the option :network)"
  defp network_words(%{kind: kind}) when kind in [:wasi_command, :container2wasm], do: "none"
  defp network_words(_image), do: nil

  defp console_words(%{arch: :riscv64, noirqdebug?: false}) do
    "its kernel was not told noirqdebug: Wasgo pauses its output now and then, another host may lose it"
  end

  defp console_words(_image), do: nil

  defp imports_words({module, names}), do: "#{shown(module)}: #{length(names)} (#{some(names)})"

  defp some(names) do
    shown = names |> Enum.take(@shown) |> Enum.map_join(", ", &shown/1)
    if length(names) > @shown, do: shown <> " and #{length(names) - @shown} more", else: shown
  end

  # Names come from the file: no terminal is to act upon them.
  defp shown(name) do
    name = String.slice(name, 0, @shown_characters)
    if name =~ ~r/[[:cntrl:]]/u, do: inspect(name), else: name
  end

  @doc false
  @spec size(non_neg_integer()) :: String.t()
  def size(bytes) when bytes < 10_240, do: "#{bytes} bytes"
  def size(bytes) when bytes < 1_048_576, do: "#{div(bytes, 1_024)} KiB"

  def size(bytes), do: "#{:erlang.float_to_binary(bytes / 1_048_576, decimals: 1)} MiB"

  defimpl String.Chars do
    def to_string(image), do: Wasgo.Service.Image.report(image)
  end

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(image, _opts) do
      what =
        [image.kind, image.arch, image.preinitialised && "preinitialised"]
        |> Enum.filter(& &1)
        |> Enum.join(" ")

      missing = if image.missing == [], do: "", else: ", #{length(image.missing)} imports missing"
      size = Wasgo.Service.Image.size(image.size)
      concat(["#Wasgo.Service.Image<", what, ", ", size, missing, ">"])
    end
  end
end
