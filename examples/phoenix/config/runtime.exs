import Config

# What visitors who edit have to know.
if token = System.get_env("EDIT_TOKEN"), do: config(:wasgo_example, edit: {:token, token})

if config_env() == :prod do
  need = fn name ->
    System.get_env(name) ||
      raise "the environment variable #{name} is missing: README.md says what it is"
  end

  port = String.to_integer(System.get_env("PORT", "4000"))
  host = System.get_env("PHX_HOST", "localhost")

  config :wasgo_example,
    database: System.get_env("DATABASE", "island.db"),
    godot_token: need.("GODOT_TOKEN")

  config :wasgo_example, WasgoExampleWeb.Endpoint,
    server: true,
    url: [host: host, port: port],
    http: [ip: {0, 0, 0, 0}, port: port],
    secret_key_base: need.("SECRET_KEY_BASE")
else
  if port = System.get_env("PORT") do
    config :wasgo_example, WasgoExampleWeb.Endpoint, http: [port: String.to_integer(port)]
  end

  if database = System.get_env("DATABASE"), do: config(:wasgo_example, database: database)
end
