import Config

config :wasgo_example, WasgoExampleWeb.Endpoint,
  server: true,
  check_origin: false,
  secret_key_base: String.duplicate("only-for-development-", 4)
