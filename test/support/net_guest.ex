defmodule Wasgo.NetGuest do
  @moduledoc false
  # The service that tests of the network talk to: a program with a TCP/IP stack of its own, which does what its standard input says. Its ports and its
  # commands are described in its source.

  alias Wasgo.Service

  @path "test/support/guests_src/net_guest/net_guest.wasm"

  # Bytes of the character generator, after which it begins anew: 95 lines of 72 characters.
  @period (for line <- 0..94, into: "" do
             for(column <- 0..71, into: "", do: <<?\s + rem(line + column, 95)>>) <> "\r\n"
           end)

  @doc "Starts it, with these options for the network; with `:none` that option is not given at all."
  def start!(network \\ [], options \\ []) do
    network = if network == :none, do: [], else: [network: network]

    # It says in a line what came on a connection.
    fixed = [module: @path, ready: ~r/^ready/, ready_timeout: 60_000, max_message: 16_777_216]
    {:ok, service} = Service.start_link(fixed ++ network ++ options)

    service
  end

  @doc "What it answers to a command."
  def ask(service, command) do
    {:ok, answer} = Service.request(service, command, 60_000)
    answer
  end

  def hex(bytes), do: Base.encode16(bytes, case: :lower)

  @doc "So many bytes of what the character generator sends, from a place on."
  def characters(at, length) do
    at = rem(at, byte_size(@period))
    @period |> :binary.copy(div(at + length, byte_size(@period)) + 1) |> binary_part(at, length)
  end

  @doc "Looks again and again until `fun` returns something true, which it has to do at some time."
  def until(fun) do
    fun.() || until(fun)
  end
end
