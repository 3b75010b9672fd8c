defmodule Wasgo.Telemetry.Events do
  @moduledoc false
  # The one list of events: `Wasgo.Telemetry.events/0` and the table in the documentation are made of it.

  @span %{
    start: [
      monotonic_time: "when it began",
      system_time: "the same, as time of day"
    ],
    stop: [duration: "from the start", monotonic_time: "when it ended"],
    context: [telemetry_span_context: "a reference, the same in all events of the span"],
    error: [error: "an exception, or `nil`"],
    exception: [kind: "`:error`, `:exit` or `:throw`", reason: "what", stacktrace: "where"]
  }

  # Each span: what it is, measurements of its start and (also) its stop, metadata of all of its events.
  @spans [
    compile: %{
      doc: "A module or component is compiled, or taken from the cache",
      start: [bytes: "of the source"],
      metadata: [kind: "`:module` or `:component`"]
    },
    call: %{
      doc:
        "A guest's call that did not end in its first slice, or failed; it begins where that slice ended",
      metadata: [
        kind: "`:script`, `:instance` or `:component`",
        name: "the script's, or `nil`",
        function: "what was called"
      ]
    },
    query: %{
      doc: "A request of a `Wasgo.Store`",
      stop: [rows: "that came back"],
      metadata: [
        operation: "`:query`, `:execute`, `:execute_many`, `:batch`, `:notify`, `:fetch`",
        location: "of the store",
        sql: "the statement, without its parameters"
      ]
    },
    transaction: %{
      doc: "A `Wasgo.Store.transaction/3`, its function included",
      metadata: [location: "of the store"]
    },
    generate: %{
      doc: "A chunk or a cube is generated, or taken from a cache, for who waits for it",
      metadata: [kind: "`:chunk` or `:volume`", address: "coordinates and level"]
    },
    stage: %{
      doc: "A stage, from its first `init` to its `terminate`",
      stop: [
        run_time: "in its callbacks; of buffers reckoned from each sixteenth",
        received: "buffers",
        sent: "buffers",
        errors: "buffers that failed"
      ],
      metadata: [stage: "its module"]
    },
    request: %{
      doc: "Requests to a `Wasgo.Service`, one or many at once",
      start: [messages: "requests"],
      metadata: [service: "its name or pid"]
    },
    service: %{
      doc: "A program of a `Wasgo.Service`, from when it was ready until it ended",
      metadata: [service: "its name or pid", restarts: "how often it was started anew before"]
    },
    connection: %{
      doc: "An engine is connected",
      stop: [frames: "sent", bytes: "sent", refused: "frames that the engine could not apply"],
      metadata: [
        address: "the engine's end",
        client: "what it calls itself",
        world: "that it asked for, or \"\"",
        zone: "that it asked for, or \"\""
      ]
    },
    commit: %{
      doc: "A `Wasgo.World` writes mutations",
      start: [mutations: "journal entries", waiting: "requests that wait for the next"],
      metadata: [world: "its name"]
    },
    zone: %{
      doc: "A zone of a world has an engine",
      metadata: [world: "its name", zone: "its name"]
    }
  ]

  @occurrences [
    {[:limit, :reached],
     %{
       doc: "A limit of a guest or of the native half was reached",
       measurements: [count: "1"],
       metadata: [
         reason: "which, as of `Wasgo.LimitError`",
         limit: "its value, or `nil`",
         asked: "what was asked for, or `nil`"
       ]
     }},
    {[:stage, :error],
     %{
       doc: "A buffer failed in a stage",
       measurements: [count: "1"],
       metadata: [stage: "its module", error: "an exception"]
     }},
    {[:script, :stopped],
     %{
       doc: "A script is run no more for a node of an engine or an object of a world",
       measurements: [count: "1"],
       metadata: [
         script: "its name",
         object: "id of the node or object",
         of: "`:engine` or `:world`",
         reason: "in words"
       ]
     }},
    {[:frame, :refused],
     %{
       doc: "An engine could not apply a frame",
       measurements: [count: "1"],
       metadata: [
         address: "the engine's end",
         lane: "`:live` or `:bulk`",
         number: "of the frame",
         reason: "in the engine's words"
       ]
     }}
  ]

  @gauges [
    vm: %{
      doc: "Memory of the VM and the process, to see what others hold",
      measurements: [
        total: "that the BEAM has",
        binary: "of that for binaries",
        resident: "of the whole process, native memory included; 0 where it is not known"
      ],
      metadata: []
    },
    engine: %{
      doc: "The WebAssembly engine, which all applications of a VM share; once it was started",
      measurements: [
        calls: "calls and starts of guests so far, each of one row or many",
        pooled: "of these, that did not end in their first slice",
        traps: "of these, ended by a trap",
        limits: "of these, ended by a limit",
        slices: "that workers ran so far",
        queue_time: "that slices waited for workers so far",
        run_time: "of workers in slices so far",
        under_way: "calls in the pool",
        waiting: "slices that wait for a worker",
        workers: "threads",
        instances: "that there are",
        max_instances: "that there may be",
        memory: "of guests",
        modules: "compiled, that somebody holds",
        code_bytes: "of their machine code",
        compiles: "that wait for a compiler",
        garbage: "instances that wait to be freed"
      ],
      metadata: []
    },
    jobs: %{
      doc: "The native pool that generates, writes scenes and encodes",
      measurements: [
        waiting: "jobs",
        running: "jobs",
        done: "jobs so far",
        queue_time: "of these so far",
        run_time: "of these so far"
      ],
      metadata: []
    },
    stores: %{
      doc: "Databases",
      measurements: [open: "databases that somebody holds"],
      metadata: []
    },
    cache: %{
      doc: "A `Wasgo.Gen.Cache`",
      measurements: [
        bytes: "in the store",
        memory: "in memory",
        hits: "so far",
        made: "so far",
        failed: "so far"
      ],
      metadata: [name: "in its supervisor"]
    },
    world: %{
      doc: "A `Wasgo.World`",
      measurements: [
        rev: "number of the last mutation",
        objects: "",
        waiting: "requests that are not in the store yet",
        superseded: "rows that will be deleted",
        transient: "objects with values of `put_rows/2`",
        zones: "that have an engine"
      ],
      metadata: [world: "its name"]
    },
    connection: %{
      doc: "An engine that is connected to a `Wasgo.Godot.Server`",
      measurements: [
        frames: "sent so far",
        bytes: "sent so far",
        acknowledged: "frames so far",
        outstanding: "bytes that are sent and not acknowledged",
        waiting: "senders that wait for room",
        work: "of the engine's main thread for the bulk lane so far",
        refused: "frames that it could not apply so far",
        queue: "messages in the mailbox of the connection's process"
      ],
      metadata: [
        server: "its name in its supervisor",
        address: "the engine's end",
        world: "that it asked for",
        zone: "that it asked for"
      ]
    },
    service: %{
      doc: "A `Wasgo.Service`",
      measurements: [
        pending: "requests without an answer",
        restarts: "of its program so far",
        ready: "1, or 0 where it can't be asked now"
      ],
      metadata: [name: "in its supervisor"]
    },
    pool: %{
      doc: "A `Wasgo.Service.Pool`",
      measurements: [
        ready: "copies",
        spare: "copies",
        starting: "copies",
        in_flight: "requests",
        waiting: "requests that wait for a copy",
        replaced: "copies so far"
      ],
      metadata: [name: "in its supervisor"]
    },
    pipeline: %{
      doc: "A stage of a `Wasgo.Pipeline.Server`",
      measurements: [
        received: "buffers so far",
        sent: "buffers so far",
        errors: "buffers that failed so far",
        waiting: "buffers before it",
        under_way: "buffers in it",
        restarts: "so far",
        running: "1, or 0 where it is not"
      ],
      metadata: [pipeline: "its name", stage: "the stage's name in it", module: "the stage"]
    }
  ]

  spans =
    for {thing, spec} <- @spans,
        given = Map.get(spec, :start, []),
        metadata = spec.metadata ++ @span.context,
        event <- [
          %{
            name: [:wasgo, thing, :start],
            doc: spec.doc,
            measurements: @span.start ++ given,
            metadata: metadata
          },
          %{
            name: [:wasgo, thing, :stop],
            doc: spec.doc <> ": its end",
            measurements: @span.stop ++ given ++ Map.get(spec, :stop, []),
            metadata: metadata ++ @span.error
          },
          %{
            name: [:wasgo, thing, :exception],
            doc: spec.doc <> ": something was raised in it",
            measurements: @span.stop ++ given,
            metadata: metadata ++ @span.exception
          }
        ],
        # What has no code of others in it raises nothing.
        thing in [:transaction, :stage] or List.last(event.name) != :exception do
      event
    end

  occurrences =
    for {name, spec} <- @occurrences do
      %{
        name: [:wasgo | name],
        doc: spec.doc,
        measurements: spec.measurements,
        metadata: spec.metadata
      }
    end

  gauges =
    for {thing, spec} <- @gauges do
      %{
        name: [:wasgo, thing, :gauge],
        doc: spec.doc,
        measurements: spec.measurements,
        metadata: spec.metadata
      }
    end

  @events spans ++ occurrences ++ gauges

  @spec all() :: [Wasgo.Telemetry.event()]
  def all, do: @events

  # The list as a table in Markdown.
  @spec table() :: String.t()
  def table do
    rows =
      for event <- @events do
        "| `#{inspect(event.name)}` | #{event.doc} | #{cell(event.measurements)} | #{cell(event.metadata)} |\n"
      end

    head = "| event | what it is | measurements | metadata |\n| --- | --- | --- | --- |\n"
    IO.iodata_to_binary([head | rows])
  end

  defp cell(pairs) do
    Enum.map_join(pairs, ", ", fn
      {name, ""} -> "`#{name}`"
      {name, words} -> "`#{name}` (#{words})"
    end)
  end
end
