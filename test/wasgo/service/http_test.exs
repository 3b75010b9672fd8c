defmodule Wasgo.Service.HTTPTest do
  use ExUnit.Case, async: true

  import Wasgo.NetGuest

  alias Wasgo.{DecodeError, LimitError, Service, ServiceError}

  @moduletag :capture_log
  @moduletag timeout: 300_000

  # Milliseconds within which nothing is that is to come.
  @soon 50

  # One guest for all: what it answers is in each path.
  setup_all do
    test = self()

    spawn_link(fn ->
      send(test, {:service, start!()})
      Process.sleep(:infinity)
    end)

    receive do: ({:service, service} -> %{service: service})
  end

  defp get(service, path, options \\ []), do: request(service, :get, path, [], "", options)

  defp request(service, method, path, headers, body, options \\ []) do
    Service.http(
      service,
      method,
      path,
      headers,
      body,
      Keyword.put_new(options, :timeout, 60_000)
    )
  end

  # A path whose answer is the text.
  defp raw(text, kind \\ "raw"), do: "/#{kind}/#{hex(text)}"

  defp bad({:error, %DecodeError{reason: {:http, _why}} = error}), do: Exception.message(error)

  @ok "HTTP/1.1 200 OK\r\n"

  describe "an answer" do
    test "is its status, its headers by names in lower case, and its body", %{service: service} do
      text =
        @ok <>
          "Content-Length: 5\r\nX-Odd-Name:  spaced \r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nhello"

      assert {:ok, %{status: 200, headers: headers, body: "hello"}} = get(service, raw(text))

      assert headers == [
               {"content-length", "5"},
               {"x-odd-name", "spaced"},
               {"set-cookie", "a"},
               {"set-cookie", "b"}
             ]
    end

    test "may be any status", %{service: service} do
      for status <- [201, 404, 500, 599] do
        assert {:ok, %{status: ^status, body: ""}} =
                 get(service, raw("HTTP/1.1 #{status} What\r\ncontent-length: 0\r\n\r\n"))
      end

      assert {:ok, %{status: 404, body: ""}} = get(service, "/")
    end

    test "ends with its length, though the server does not close", %{service: service} do
      text = @ok <> "content-length: 5\r\n\r\nhello"
      assert {:ok, %{body: "hello"}} = get(service, raw(text, "hold"))
      assert {:ok, %{body: "hello"}} = get(service, raw(text <> "and more"))
    end

    test "may come byte by byte", %{service: service} do
      length = @ok <> "content-length: 5\r\nx: y\r\n\r\nhello"

      chunked =
        @ok <> "transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nlate: z\r\n\r\n"

      for text <- [length, chunked],
          do: assert({:ok, %{body: "hello"}} = get(service, raw(text, "slow")))
    end

    test "may come in pieces", %{service: service} do
      head = @ok <> "Transfer-Encoding: Chunked\r\n\r\n"
      big = String.duplicate("0123456789abcdef", 100)

      for {pieces, body} <- [
            {"0\r\n\r\n", ""},
            {"1\r\na\r\n00001\r\nb\r\n0\r\n\r\n", "ab"},
            {"A\r\n0123456789\r\na \t\r\n0123456789\r\n0;last\r\nx: y\r\n\r\n",
             "01234567890123456789"},
            {"3\r\n\r\n\r\r\n0\r\n\r\n", "\r\n\r"},
            {"640\r\n#{big}\r\n0\r\n\r\n", big}
          ] do
        assert {:ok, %{body: ^body}} = get(service, raw(head <> pieces))
      end
    end

    test "in pieces goes before its length", %{service: service} do
      text = @ok <> "content-length: 99\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
      assert {:ok, %{body: "a"}} = get(service, raw(text))
    end

    test "without a length ends with the connection", %{service: service} do
      assert {:ok, %{body: "hello"}} = get(service, raw(@ok <> "\r\nhello"))
      assert {:ok, %{body: ""}} = get(service, raw("HTTP/1.0 200 OK\r\n\r\n"))

      assert {:error, %ServiceError{reason: :econnreset}} =
               get(service, raw(@ok <> "\r\nhello", "reset"))
    end

    test "comes after those that are none yet", %{service: service} do
      before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
      text = before <> @ok <> "content-length: 1\r\n\r\na"

      assert {:ok, %{status: 200, headers: [{"content-length", "1"}], body: "a"}} =
               get(service, raw(text))
    end

    test "has no body if it may have none", %{service: service} do
      head = "content-length: 5\r\n\r\n"

      assert {:ok, %{status: 204, body: ""}} =
               get(service, raw("HTTP/1.1 204 No\r\n" <> head, "hold"))

      assert {:ok, %{status: 304, body: ""}} =
               get(service, raw("HTTP/1.1 304 No\r\n" <> head, "hold"))

      path = raw(@ok <> head, "hold")

      assert {:ok, %{status: 200, headers: headers, body: ""}} =
               request(service, :head, path, [], "")

      assert headers == [{"content-length", "5"}]
    end

    test "may say the same length twice", %{service: service} do
      text = @ok <> "content-length: 2\r\ncontent-length: 2\r\n\r\nab"
      assert {:ok, %{body: "ab"}} = get(service, raw(text))
    end
  end

  describe "what is no answer" do
    test "is said to be none, with the reason", %{service: service} do
      chunked = @ok <> "transfer-encoding: chunked\r\n\r\n"

      for {text, why} <- [
            {"rubbish\r\n\r\n", "does not begin as HTTP does"},
            {"\r\n", "does not begin as HTTP does"},
            {"GET / HTTP/1.1\r\n\r\n", "does not begin as HTTP does"},
            {"HTTP/2.0 200 OK\r\n\r\n", "version"},
            {"HTTP/1.1 99 OK\r\n\r\n", "version"},
            {@ok <> "no colon\r\n\r\n", "headers is none"},
            {@ok <> "content-length: 2\r\ncontent-length: 3\r\n\r\nabc", "two lengths"},
            {@ok <> "content-length: -1\r\n\r\n", ~s("-1")},
            {@ok <> "content-length: +1\r\n\r\na", ~s("+1")},
            {@ok <> "content-length: 1, 1\r\n\r\na", ~s("1, 1")},
            {@ok <> "content-length: one\r\n\r\na", ~s("one")},
            {@ok <> "content-length: \r\n\r\na", ~s("")},
            {@ok <> "content-length: 10\r\n\r\nshort", "ends in the middle"},
            {@ok <> "transfer-encoding: gzip\r\n\r\n", ~s("gzip")},
            {@ok <> "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
             ~s("gzip,chunked")},
            {chunked <> "x\r\n", ~s("x")},
            {chunked <> "-1\r\n", ~s("-1")},
            {chunked <> "+1\r\na\r\n0\r\n\r\n", ~s("+1")},
            {chunked <> "0x1\r\na\r\n0\r\n\r\n", ~s("0x1")},
            {chunked <> "\r\n", ~s("")},
            {chunked <> "1\r\nab\r\n0\r\n\r\n", "longer than it says"},
            {chunked <> "5\r\nab", "ends in the middle"}
          ] do
        assert bad(get(service, raw(text))) =~ why, text
      end
    end

    test "is one that the server closes or resets before it", %{service: service} do
      for text <- ["", "HTTP/1.1", @ok, @ok <> "a: b\r\n"] do
        assert {:error, %ServiceError{reason: :closed}} = get(service, raw(text))
      end

      chunked = @ok <> "transfer-encoding: chunked\r\n\r\n"

      for text <- ["5", "5\r\nhello\r\n0\r\n"],
          do: assert({:error, _error} = get(service, raw(chunked <> text)))

      assert {:error, %ServiceError{reason: :econnreset}} = get(service, raw("", "reset"))
    end

    test "is a head without an end", %{service: service} do
      for {first, again} <- [
            {@ok <> "x: ", "yyyyyyyyyyyyyyyy"},
            {@ok, "x: y\r\n"},
            {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"},
            {"HTTP/1.1 200 ", "OKOKOKOKOKOKOKOK"},
            {@ok <> "transfer-encoding: chunked\r\n\r\n0\r\n", "x: y\r\n"}
          ] do
        again = String.duplicate(again, 100)
        assert bad(get(service, "/endless/#{hex(first)}/#{hex(again)}")) =~ "over 65536 bytes"
      end

      chunked = @ok <> "transfer-encoding: chunked\r\n\r\n"
      path = "/endless/#{hex(chunked)}/#{hex(String.duplicate("0", 1_000))}"
      assert bad(get(service, path)) =~ "over 65536 bytes"
    end
  end

  describe "an answer's body" do
    test "has a limit, however it is said how long it is", %{service: service} do
      chunked = @ok <> "transfer-encoding: chunked\r\n\r\n"

      for path <- [
            raw(@ok <> "content-length: 11\r\n\r\n", "hold"),
            raw(@ok <> "content-length: 99999999999999999999\r\n\r\n", "hold"),
            raw(@ok <> "\r\n0123456789a", "hold"),
            raw(chunked <> "b\r\n", "hold"),
            raw(chunked <> "5\r\nhello\r\n6\r\n", "hold"),
            raw(chunked <> "ffffffffffffffff\r\n", "hold"),
            "/endless/#{hex(@ok <> "\r\n")}/#{hex(String.duplicate("x", 1_000))}",
            "/endless/#{hex(chunked)}/#{hex("1\r\na\r\n")}"
          ] do
        assert {:error, %LimitError{reason: :result_size, value: 10} = error} =
                 get(service, path, max_body: 10)

        assert Exception.message(error) =~ "10 bytes"
      end

      for text <- [@ok <> "content-length: 10\r\n\r\n0123456789", @ok <> "\r\n0123456789"] do
        assert {:ok, %{body: "0123456789"}} = get(service, raw(text), max_body: 10)
      end
    end

    test "has 16 MiB at most, unless that is said", %{service: service} do
      path = "/endless/#{hex(@ok <> "\r\n")}/#{hex(String.duplicate("x", 10_000))}"
      assert {:error, %LimitError{value: 16_777_216}} = get(service, path)
    end

    test "may be megabytes", %{service: service} do
      body = :crypto.strong_rand_bytes(3_000_000)
      assert {:ok, %{body: echoed}} = request(service, :post, "/echo", [], body)
      assert String.ends_with?(echoed, "\r\n\r\n" <> body)
    end

    test "of many small pieces is one", %{service: service} do
      pieces = String.duplicate("1\r\na\r\n", 2_000)
      text = @ok <> "transfer-encoding: chunked\r\n\r\n" <> pieces <> "0\r\n\r\n"
      body = String.duplicate("a", 2_000)
      assert {:ok, %{body: ^body}} = get(service, raw(text))
    end
  end

  describe "a server that does not answer in time" do
    test "is given up wherever it is, and its connection with it" do
      service = start!(max_connections: 4)

      for text <- [
            "",
            "HTTP/1.1 2",
            @ok <> "x: y\r\n",
            @ok <> "content-length: 5\r\n\r\nhel",
            @ok <> "\r\nhel"
          ],
          _again <- 1..3 do
        assert {:error, %ServiceError{reason: :timeout}} =
                 get(service, raw(text, "hold"), timeout: @soon)
      end

      until(fn -> match?({:ok, %{connections: 0}}, Service.network(service)) end)
      :ok = Service.stop(service)
    end

    test "is none if it repeats that it will" do
      service = start!()
      path = "/slow/" <> hex(String.duplicate("HTTP/1.1 100 Continue\r\n\r\n", 1_000))
      assert {:error, %ServiceError{reason: :timeout}} = get(service, path, timeout: @soon)
      :ok = Service.stop(service)
    end
  end

  describe "a request" do
    # What the guest got.
    defp echoed(service, method, path, headers \\ [], body \\ "") do
      {:ok, %{status: 200, body: text}} = request(service, method, path, headers, body)
      [head, body] = String.split(text, "\r\n\r\n", parts: 2)
      [line | headers] = String.split(head, "\r\n")
      {line, headers, body}
    end

    test "is of HTTP/1.1, on a connection of its own", %{service: service} do
      assert echoed(service, :get, "/echo/a?b=c%20d") ==
               {"GET /echo/a?b=c%20d HTTP/1.1", ["host: guest", "connection: close"], ""}
    end

    test "has its headers and its body with its length", %{service: service} do
      assert {"POST /echo HTTP/1.1", headers, "hello"} =
               echoed(service, :post, "/echo", [{"Content-Type", "text/plain"}, {"x", ""}], [
                 "hel",
                 ?l,
                 "o"
               ])

      assert headers == [
               "host: guest",
               "connection: close",
               "content-length: 5",
               "Content-Type: text/plain",
               "x: "
             ]

      assert {"PUT /echo HTTP/1.1", headers, ""} = echoed(service, "put", "/echo")
      assert "content-length: 0" in headers
      assert {"DELETE /echo HTTP/1.1", headers, ""} = echoed(service, "Delete", "/echo")
      refute Enum.any?(headers, &(&1 =~ "content-length"))
    end

    test "has the headers that are given instead of its own", %{service: service} do
      assert {_line, headers, ""} =
               echoed(service, :get, "/echo", [{"Host", "example.com"}, {"CONNECTION", "x"}])

      assert headers == ["Host: example.com", "CONNECTION: x"]
    end

    test "may be answered before it was read, or without", %{service: service} do
      answer = raw("HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nless", "early")
      body = String.duplicate("x", 8_000_000)
      assert {:ok, %{status: 413, body: "less"}} = request(service, :post, answer, [], body)
    end

    test "leaves no message behind, for whom exits are messages either", %{service: service} do
      Process.flag(:trap_exit, true)
      assert {:ok, %{status: 404}} = get(service, "/")
      assert {:error, %DecodeError{}} = get(service, raw("rubbish\r\n"))
      assert {:error, %ServiceError{}} = get(service, raw("", "hold"), timeout: @soon)
      refute_received _message
    end

    test "that is none raises and names what is wrong", %{service: service} do
      for {method, path, headers, name} <- [
            {"GET /", "/", [], "method"},
            {"GET\n", "/", [], "method"},
            {"", "/", [], "method"},
            {:get, "", [], "path"},
            {:get, "a", [], "path"},
            {:get, "/a b", [], "path"},
            {:get, "/a\r\nx: y", [], "path"},
            {:get, "/a\n", [], "path"},
            {:get, "/\0", [], "path"},
            {:get, "/", [{"", "a"}], "header"},
            {:get, "/", [{"a b", "c"}], "header"},
            {:get, "/", [{"a:", "c"}], "header"},
            {:get, "/", [{"a\n", "c"}], "header"},
            {:get, "/", [{"a", "b\r\nc: d"}], "header"},
            {:get, "/", [{"a", "b\n"}], "header"},
            {:get, "/", [{"a", <<0>>}], "header"}
          ] do
        error = assert_raise(ArgumentError, fn -> request(service, method, path, headers, "") end)
        assert error.message =~ "Wasgo.Service.http/6" and error.message =~ name
      end

      assert_raise ArgumentError, ~r/:retries/, fn -> get(service, "/", retries: 1) end
      assert_raise ArgumentError, ~r/:max_body/, fn -> get(service, "/", max_body: -1) end
      assert_raise ArgumentError, ~r/:timeout/, fn -> get(service, "/", timeout: 0) end
    end

    test "is to a port by its number or name" do
      service = start!(forward: [http: 9, web: 80])
      assert {:ok, %{status: 404}} = get(service, "/", port: :web)
      assert {:ok, %{status: 404}} = get(service, "/", port: 80)
      assert {:error, %ServiceError{reason: :timeout}} = get(service, "/", timeout: @soon)
      assert {:error, %ServiceError{reason: :unknown_port}} = get(service, "/", port: :other)
      assert {:error, %ServiceError{reason: :econnrefused}} = get(service, "/", port: 81)
      :ok = Service.stop(service)
      assert {:error, %ServiceError{reason: :stopped}} = get(service, "/")
    end

    test "of many at once has its own answer", %{service: service} do
      1..200
      |> Task.async_stream(
        fn n ->
          text = @ok <> "content-length: #{byte_size("#{n}")}\r\n\r\n#{n}"

          assert get(service, raw(text)) ==
                   {:ok,
                    %{
                      status: 200,
                      headers: [{"content-length", "#{byte_size("#{n}")}"}],
                      body: "#{n}"
                    }}
        end,
        max_concurrency: 30,
        timeout: :infinity
      )
      |> Stream.run()
    end
  end
end
