import Config

# Only for work on Wasgo itself: a project that depends on Wasgo does not read this file.
if config_env() == :test do
  # What the tests provoke on purpose (traps, refused peers) is noise in their output.
  config :logger, level: :warning

  # Tests compile what they test, whatever an earlier run left. Those of the cache have a folder of their own.
  config :wasgo, Wasgo.Wasm.Cache, dir: nil
end
