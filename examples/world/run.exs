# A generated, scripted world, streamed to a real Godot server. See lib/wasgo.ex for how to do the like in a few lines.

unless Code.ensure_loaded?(Wasgo.Example.World) do
  {:ok, _modules, _warnings} =
    Kernel.ParallelCompiler.compile(Path.wildcard(Path.join(__DIR__, "**/*.ex")))
end

Wasgo.Example.Command.main(System.argv())
