import Config

config :wasgo_example,
  # The world and its scripts, in one file; `:memory` keeps nothing.
  database: Path.expand("../priv/data/island.db", __DIR__),
  # Who may upload scripts, and stop and start stages: `:anyone`, `:nobody` or `{:token, token}`.
  edit: :anyone,
  # What a Godot engine has to know to be shown the world.
  godot_token: "island"

config :wasgo_example, WasgoExampleWeb.Endpoint,
  adapter: Bandit.PhoenixAdapter,
  url: [host: "localhost"],
  http: [ip: {127, 0, 0, 1}, port: 4000],
  render_errors: [formats: [html: WasgoExampleWeb.ErrorHTML], layout: false],
  pubsub_server: WasgoExample.PubSub

config :phoenix, json_library: Jason, filter_parameters: ["token"]
config :logger, :console, format: "$time [$level] $message\n"

import_config "#{config_env()}.exs"
