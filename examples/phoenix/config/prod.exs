import Config

config :logger, level: :info
# Without EDIT_TOKEN the page only shows.
config :wasgo_example, edit: :nobody
