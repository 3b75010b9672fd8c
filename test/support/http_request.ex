defmodule Wasgo.HTTPRequest do
  @moduledoc false
  # One request over a connection of its own: `{status, headers, body}`.

  @doc "Headers are a list of `{name, text}`; a body brings its length with it, unless the headers say otherwise."
  def request(port, method, path, headers \\ [], body \\ "") do
    {:ok, socket} = :gen_tcp.connect(~c"127.0.0.1", port, [:binary, active: false])

    length =
      if body != "" and not given?(headers), do: [{"content-length", byte_size(body)}], else: []

    lines =
      for {name, text} <- [{"host", "localhost"}, {"connection", "close"} | headers] ++ length,
          do: "#{name}: #{text}\r\n"

    :ok = :gen_tcp.send(socket, ["#{method} #{path} HTTP/1.1\r\n", lines, "\r\n"])
    # A server may answer before it has read the body.
    _sent_or_closed = :gen_tcp.send(socket, body)
    answer = read(socket, "")
    :gen_tcp.close(socket)
    parse(answer)
  end

  defp given?(headers),
    do:
      Enum.any?(headers, fn {name, _text} -> name in ["content-length", "transfer-encoding"] end)

  defp read(socket, read) do
    case :gen_tcp.recv(socket, 0, 30_000) do
      {:ok, bytes} -> read(socket, read <> bytes)
      {:error, _closed} -> read
    end
  end

  defp parse(answer) do
    [head, body] = String.split(answer, "\r\n\r\n", parts: 2)
    ["HTTP/1.1 " <> <<status::binary-3, _::binary>> | lines] = String.split(head, "\r\n")

    headers =
      Map.new(lines, fn line ->
        [name, text] = String.split(line, ":", parts: 2)
        {String.downcase(name), String.trim(text)}
      end)

    {String.to_integer(status), headers, body}
  end

  @doc "As `request/5`, with the body's JSON decoded."
  def json(port, method, path, headers \\ [], body \\ "") do
    {status, headers, body} = request(port, method, path, headers, body)
    {status, headers, if(body != "", do: Wasgo.Wire.decode!(body, :json))}
  end
end
