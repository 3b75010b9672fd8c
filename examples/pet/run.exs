# A pet in a database, for some seconds: `mix run --no-start examples/pet/run.exs [DATABASE]`. Run again with the same file, it is older.

unless Code.ensure_loaded?(Wasgo.Example.Pet), do: Code.require_file("pet.ex", __DIR__)

alias Wasgo.Example.Pet
alias Wasgo.Store

store = Store.open!(List.first(System.argv()) || :memory)
began = System.monotonic_time(:millisecond)

pace = fn due ->
  Process.sleep(max(began + due - System.monotonic_time(:millisecond), 0))
end

store |> Pet.live(6, pace) |> Pet.told() |> Enum.each(&IO.puts/1)
