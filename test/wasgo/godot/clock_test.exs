defmodule Wasgo.Godot.ClockTest do
  # Clocks jump: a machine's wall clock is set, by hand or from the network. What measures time by it waits for ever, or not at all.
  use ExUnit.Case, async: true

  @root Path.expand("../../..", __DIR__)

  @wall_clocks ~r/System\.(system_time|os_time)|:os\.(system_time|timestamp)|:erlang\.(system_time|now|timestamp)|DateTime\.utc_now|NaiveDateTime|Time\.get_unix|Time\.get_datetime|Time\.get_date|Time\.get_time|Time\.get_time_zone|OS\.get_unix/

  test "nothing in the link, in worlds or in the add-on's client looks at the wall clock" do
    files =
      for pattern <-
            ["lib/wasgo/godot/**/*.ex", "lib/wasgo/world/**/*.ex", "lib/wasgo/{godot,world}.ex"] ++
              ["godot/addons/wasgo/**/*.gd"],
          file <- Path.wildcard(Path.join(@root, pattern)),
          do: file

    assert length(files) > 60

    # The ages of files are by the wall clock, and at worst one is removed that was used lately.
    files = Enum.reject(files, &(Path.basename(&1) == "cache.gd"))

    for file <- files, {line, number} <- Enum.with_index(File.stream!(file), 1) do
      refute line =~ @wall_clocks, "#{Path.relative_to(file, @root)}:#{number}: #{line}"
    end
  end
end
