if Code.ensure_loaded?(Phoenix.LiveDashboard.Router) and Code.ensure_loaded?(Bandit) do
  defmodule Wasgo.Phoenix.LiveDashboardPageTest do
    # The page in a real dashboard, as a browser is first sent it, and what its buttons do.
    use ExUnit.Case, async: true

    alias Wasgo.{Buffer, HTTPRequest, Stages, TestEndpoint}
    alias Wasgo.Phoenix.LiveDashboardPage, as: Page

    @moduletag :live_dashboard
    @moduletag :capture_log
    @parts __MODULE__.Parts
    # A stage that may run takes a moment to begin.
    @on [:starting, :running]

    defmodule Router do
      use Phoenix.Router
      import Phoenix.LiveDashboard.Router

      pipeline :browser do
        plug(:fetch_session)
      end

      scope "/" do
        pipe_through(:browser)

        pages = [wasgo: {Page, supervisors: [Wasgo.Phoenix.LiveDashboardPageTest.Parts]}]

        live_dashboard("/dashboard",
          additional_pages: pages,
          allow_destructive_actions: true
        )

        live_dashboard("/looked-at", additional_pages: pages, live_session_name: :looked_at)
      end
    end

    defmodule Endpoint do
      use Phoenix.Endpoint, otp_app: :wasgo

      @session [store: :cookie, key: "_test", signing_salt: "a salt of the tests"]
      socket("/live", Phoenix.LiveView.Socket, websocket: [connect_info: [session: @session]])
      plug(Plug.Session, @session)
      plug(Router)
    end

    setup do
      source = Stream.repeatedly(fn -> Buffer.new("x") end)
      double = {Stages.Transform, with: &{:ok, &1}}

      start_supervised!(
        {Wasgo.Supervisor,
         name: @parts,
         stores: [main: :memory],
         worlds: [{"garden", store: :main}],
         pipelines: [land: [stages: [ground: source, double: double]]]}
      )

      :ok
    end

    defp page(path) do
      {port, _pid} = TestEndpoint.start(Endpoint, live_view: [signing_salt: "another salt"])
      assert {200, _headers, body} = HTTPRequest.request(port, "GET", path)
      body
    end

    test "shows what runs, and buttons where these are allowed" do
      body = page("/dashboard/wasgo")
      assert body =~ "Stages of pipelines"
      assert body =~ ~r/:ground.*(starting|running)/s
      assert body =~ "0 objects, revision 0"
      assert body =~ ~s(phx-value-do="stop")
    end

    test "has no buttons where the dashboard is only to be looked at" do
      body = page("/looked-at/wasgo")
      assert body =~ ":double"
      refute body =~ "phx-value-do"
    end

    test "stops and starts the stage whose button is pressed" do
      {:ok, %{supervisors: [@parts]} = session, _needs} = Page.init(supervisors: [@parts])
      {:ok, socket} = Page.mount(%{}, session, socket(true))
      assert [%{name: :ground}, %{name: :double} = double] = socket.assigns.overview.stages
      assert double.state in @on
      at = Enum.map_join([@parts, :land, double.name], " ", &inspect/1)

      {:noreply, socket} = Page.handle_event("stage", %{"at" => at, "do" => "stop"}, socket)
      assert [_ground, %{state: :stopped}] = socket.assigns.overview.stages

      unknown = %{"at" => "nothing", "do" => "start"}
      {:noreply, socket} = Page.handle_event("stage", unknown, socket)
      assert [_ground, %{state: :stopped}] = socket.assigns.overview.stages

      start = %{"at" => at, "do" => "start"}
      {:ok, other} = Page.mount(%{}, session, socket(false))
      {:noreply, _other} = Page.handle_event("stage", start, other)
      {:noreply, socket} = Page.handle_refresh(socket)
      assert [_ground, %{state: :stopped}] = socket.assigns.overview.stages

      {:noreply, socket} = Page.handle_event("stage", start, socket)
      assert [_ground, %{state: state}] = socket.assigns.overview.stages
      assert state in @on
    end

    defp socket(may_press?) do
      page = %Phoenix.LiveDashboard.PageBuilder{
        node: node(),
        allow_destructive_actions: may_press?
      }

      %Phoenix.LiveView.Socket{assigns: %{__changed__: %{}, page: page}}
    end
  end
end
