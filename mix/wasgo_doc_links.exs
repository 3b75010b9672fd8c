# Looks at every link and picture of the pages in a folder that ex_doc wrote, and names those that lead to no file or to no place
# in it: ex_doc itself warns of some of them only. `bin/docs` runs it.
#
#   elixir mix/wasgo_doc_links.exs FOLDER
defmodule Wasgo.DocLinks do
  def run(folder) do
    pages =
      Map.new(Path.wildcard(Path.join(folder, "*.html")), &{Path.basename(&1), File.read!(&1)})

    places = Map.new(pages, fn {page, text} -> {page, places(text)} end)

    dead =
      for {page, text} <- pages,
          link <- links(text),
          dead?(folder, page, link, places),
          do: "#{page}: #{link}"

    Enum.each(Enum.sort(dead), &IO.puts(:stderr, "dead link in " <> &1))
    if pages == %{}, do: IO.puts(:stderr, "there are no pages in #{folder}")
    if dead != [] or pages == %{}, do: System.halt(1)
    IO.puts("No dead link in #{map_size(pages)} pages.")
  end

  defp places(text),
    do:
      ~r/ id="([^"]*)"/
      |> Regex.scan(text, capture: :all_but_first)
      |> List.flatten()
      |> MapSet.new(&plain/1)

  defp links(text) do
    ~r/<(?:a|img|link|script)\b[^>]*? (?:href|src)="([^"]*)"/
    |> Regex.scan(text, capture: :all_but_first)
    |> List.flatten()
    |> Enum.map(&plain/1)
    |> Enum.uniq()
    |> Enum.reject(&(&1 =~ ~r/^[a-z]+:/ or &1 == "docs_config.js"))
  end

  defp dead?(folder, page, link, places) do
    {file, place} =
      case String.split(link, "#", parts: 2) do
        [file] -> {file, nil}
        ["", place] -> {page, place}
        [file, place] -> {file, place}
      end

    cond do
      not File.exists?(Path.join(folder, URI.decode(file))) -> true
      place in [nil, "", "content"] or not is_map_key(places, file) -> false
      true -> place not in places[file] and URI.decode(place) not in places[file]
    end
  end

  defp plain(text),
    do:
      text
      |> String.replace("&amp;", "&")
      |> String.replace("&#39;", "'")
      |> String.replace("&quot;", "\"")
end

case System.argv() do
  [folder] -> Wasgo.DocLinks.run(folder)
  _ -> raise "usage: elixir mix/wasgo_doc_links.exs FOLDER"
end
