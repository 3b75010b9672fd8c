defmodule Mix.Tasks.Wasgo.Preview do
  @shortdoc "Draws a plan of a world as a PNG"

  @moduledoc """
  Draws a plan of a world, from above or at an angle: hill shade, the ground's colours, water, caves and floating rocks, and dots where things
  stand.

      $ mix wasgo.preview plan.exs --size 1024 --metres 2000 --center 300,-150 --out plan.png

  The plan is a file of Elixir code whose last value is a `Wasgo.Gen.Plan`, or of the text in which plans are stored
  (`Wasgo.Gen.Plan.to_json/1`), with a name that ends in `.json`. A number in place of the file is the seed of the usual world.

    * `--size` - pixels along a side, 1024 unless given
    * `--metres` - side of the square that is seen, 1024 unless given
    * `--center` - its middle, as `x,z` in metres
    * `--no-scatter` - leaves out what stands on the ground
    * `--angle` - degrees above the horizon from which it is seen, 15 to 90, looking north; from above unless given
    * `--below` - a height in metres: everything above it is cut away, to look into caves
    * `--out` - the file to write; the plan's name with `.png` unless given
  """

  use Mix.Task

  alias Wasgo.Gen

  @switches [
    size: :integer,
    metres: :float,
    center: :string,
    scatter: :boolean,
    angle: :float,
    below: :float,
    out: :string
  ]

  @impl true
  def run(arguments) do
    case OptionParser.parse(arguments, strict: @switches) do
      {options, [plan], []} ->
        Mix.Task.run("app.start")
        draw(plan, options)

      {_options, _plans, [{switch, _} | _]} ->
        Mix.raise("mix wasgo.preview does not know #{switch}, or not with that value")

      {_options, plans, []} ->
        Mix.raise("mix wasgo.preview draws one plan, and was given #{length(plans)}")
    end
  end

  defp draw(name, options) do
    plan = plan(name)
    out = options[:out] || Path.rootname(Path.basename(name)) <> ".png"
    begin = System.monotonic_time(:millisecond)

    settings =
      options
      |> Keyword.take([:size, :metres, :scatter, :below])
      |> Keyword.merge(center(options))
      |> Keyword.merge(if options[:angle], do: [view: options[:angle]], else: [])

    case Gen.preview(plan, settings) do
      {:ok, picture} ->
        write(picture, out, System.monotonic_time(:millisecond) - begin)

      {:error, error} ->
        Mix.raise(Exception.message(error))
    end
  rescue
    error in ArgumentError -> Mix.raise(Exception.message(error))
  end

  defp write(picture, out, milliseconds) do
    case Gen.Picture.save(picture, out) do
      :ok ->
        Mix.shell().info(
          "#{out}: #{picture.size} x #{picture.size} pixels of #{picture.metres} m in #{milliseconds} ms"
        )

      {:error, reason} ->
        Mix.raise("#{out} can't be written: #{:file.format_error(reason)}")
    end
  end

  defp center(options) do
    case options[:center] do
      nil ->
        []

      text ->
        with [x, z] <- String.split(text, ","),
             {x, ""} <- Float.parse(x),
             {z, ""} <- Float.parse(z) do
          [center: {x, z}]
        else
          _ -> Mix.raise("--center is two numbers, as in 300,-150, and not #{text}")
        end
    end
  end

  defp plan(name) do
    case Integer.parse(name) do
      {seed, ""} -> ok(Gen.plan(seed: seed), name)
      _ -> from_file(name, Path.extname(name))
    end
  end

  defp from_file(path, ".json") do
    case File.read(path) do
      {:ok, text} -> ok(Gen.from_json(text), path)
      {:error, reason} -> Mix.raise("#{path} can't be read: #{:file.format_error(reason)}")
    end
  end

  defp from_file(path, _extension) do
    unless File.regular?(path), do: Mix.raise("there is no file #{path}")

    case Code.eval_file(path) do
      {%Gen.Plan{} = plan, _binding} ->
        plan

      {{:ok, %Gen.Plan{} = plan}, _binding} ->
        plan

      {{:error, error}, _binding} when is_exception(error) ->
        ok({:error, error}, path)

      {other, _} ->
        Mix.raise("#{path} ends with #{inspect(other, limit: 5)}, not with a Wasgo.Gen.Plan")
    end
  end

  defp ok({:ok, plan}, _name), do: plan
  defp ok({:error, error}, name), do: Mix.raise("#{name}: #{Exception.message(error)}")
end
