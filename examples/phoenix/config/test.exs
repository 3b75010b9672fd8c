import Config

config :logger, level: :warning
config :wasgo_example, database: :memory

config :wasgo_example, WasgoExampleWeb.Endpoint,
  server: true,
  http: [ip: {127, 0, 0, 1}, port: 0],
  check_origin: false,
  secret_key_base: String.duplicate("only-for-tests-------", 4)
