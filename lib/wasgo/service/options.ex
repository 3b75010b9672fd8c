defmodule Wasgo.Service.Options do
  @moduledoc false
  # A service's options, checked once where they are given, and what of them a program is started with.

  alias Wasgo.Service.{Console, Framing, Network}
  alias Wasgo.Wasm.{Limits, Module, Program}

  @mebibyte 1_048_576
  @default_timeout 5_000

  # A container boots a machine first.
  @boot_timeout 60_000

  @restart [
    min_delay: [type: :timeout, default: 100],
    max_delay: [type: :timeout, default: 30_000],
    max_restarts: [type: {:or, [:pos_integer, {:in, [:infinity]}]}, default: :infinity]
  ]

  @schema [
            module: [type: {:or, [:binary, {:struct, Module}]}, required: true],
            command: [type: {:list_of, :string}, default: []],
            env: [type: {:or, [:map, {:list_of, {:pair, :string, :string}}]}, default: []],
            memory: [type: {:or, [:pos_integer, {:in, [nil]}]}, default: nil],
            limits: [type: {:or, [:keyword, {:struct, Limits}]}, default: []],
            console: [type: :any, default: :wasi],
            framing: [type: :any, default: :line],
            max_message: [type: {:range, 1..(64 * @mebibyte)}, default: 65_536],
            answers: [
              type: {:or, [{:in, [:in_order]}, {:pair, {:in, [:by]}, :string}]},
              default: :in_order
            ],
            ready: [type: {:or, [:string, {:struct, Regex}, {:in, [nil]}]}, default: nil],
            ready_timeout: [type: {:or, [:timeout, {:in, [nil]}]}, default: nil],
            max_pending: [type: :pos_integer, default: 1_024],
            restart: [type: {:or, [:boolean, :keyword]}, default: false],
            network: [type: {:or, [:keyword, {:in, [nil]}]}, default: nil],
            subscriber: [type: {:or, [:pid, {:in, [nil]}]}, default: nil],
            name: [type: :any, default: nil]
          ] ++ Program.grants(true)

  @doc "The options as a map, or a raise that names the wrong one."
  @spec validate!(keyword(), String.t()) :: map()
  def validate!(options, owner) do
    options = Wasgo.Options.validate!(options, @schema, owner)
    env = env!(options.env, owner)
    Program.check!(%{arguments: options.command, environment: env, dirs: options.dirs}, owner)

    unless Framing.kind?(options.framing), do: wrong!(owner, :framing, options.framing)
    unless Console.profile?(options.console), do: wrong!(owner, :console, options.console)

    if options.answers != :in_order and options.framing != :json_lines do
      raise ArgumentError,
            "#{owner}: answers by a key are for the framing :json_lines, and it is #{inspect(options.framing)}"
    end

    %{
      options
      | env: env,
        limits: limits(options),
        restart: restart(options.restart, owner),
        ready_timeout: options.ready_timeout || ready_timeout(options.console),
        network: Network.validate!(options.network, owner)
    }
  end

  defp env!(env, owner) do
    pairs = Enum.to_list(env)

    Wasgo.Options.validate!(
      [env: pairs],
      [env: [type: {:list_of, {:pair, :string, :string}}]],
      owner
    ).env
  end

  defp limits(%{memory: nil} = options), do: Program.limits(options.limits)

  defp limits(%{memory: memory} = options) do
    %{Program.limits(options.limits) | memory: memory}
  end

  defp restart(false, _owner), do: nil
  defp restart(true, owner), do: restart([], owner)

  defp restart(options, owner),
    do: Wasgo.Options.validate!(options, @restart, owner <> ", :restart")

  defp ready_timeout(:wasi), do: @default_timeout
  defp ready_timeout(_container2wasm), do: @boot_timeout

  defp wrong!(owner, name, value) do
    raise ArgumentError,
          "option #{inspect(name)} of #{owner} is none that there is: #{inspect(value)}"
  end

  @doc "The module, compiled. A binary that is no module is the path of one."
  @spec module(Module.t() | binary()) :: {:ok, Module.t()} | {:error, Exception.t()}
  def module(%Module{} = module), do: {:ok, module}
  def module(<<0, "asm", _rest::binary>> = bytes), do: Module.compile(bytes)

  def module(text) do
    if text |> String.trim_leading() |> String.starts_with?(["(", ";;"]) do
      Module.compile(text)
    else
      Module.compile_file(text)
    end
  end
end
