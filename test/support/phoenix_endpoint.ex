if Code.ensure_loaded?(Phoenix.Endpoint) do
  defmodule Wasgo.TestEndpoint do
    @moduledoc false
    # Starts Phoenix endpoints for tests, served by Bandit on a port of their own.

    @doc "The applications that 1.14 does not start by itself."
    def start_applications do
      for application <- [:telemetry, :plug, :phoenix_pubsub, :phoenix, :bandit] do
        {:ok, _started} = Application.ensure_all_started(application)
      end

      :ok
    end

    @doc "Starts an endpoint under the test's supervisor, and gives its port. Options are those of its configuration; `:https` makes it TLS."
    def start(endpoint, options \\ []) do
      :ok = start_applications()
      scheme = if options[:https], do: :https, else: :http
      listen = Keyword.merge([ip: {127, 0, 0, 1}, port: 0], Keyword.get(options, scheme, []))

      defaults = [
        adapter: Bandit.PhoenixAdapter,
        server: true,
        http: false,
        https: false,
        url: [host: "localhost"],
        secret_key_base: String.duplicate("a secret of the tests ", 4)
      ]

      config = defaults |> Keyword.merge(options) |> Keyword.put(scheme, listen)
      Application.put_env(:wasgo, endpoint, config)
      ExUnit.Callbacks.on_exit(fn -> Application.delete_env(:wasgo, endpoint) end)
      pid = ExUnit.Callbacks.start_supervised!(endpoint)
      {:ok, {_ip, port}} = endpoint.server_info(scheme)
      {port, pid}
    end
  end
end
