import Config

config :logger, level: :info

config :wasgo_example, WasgoExampleWeb.Endpoint,
  cache_static_manifest: "priv/static/cache_manifest.json"
