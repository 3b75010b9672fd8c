if Code.ensure_loaded?(Phoenix.LiveDashboard.PageBuilder) do
  defmodule Wasgo.Phoenix.LiveDashboardPage do
    @moduledoc """
    A page of Phoenix' LiveDashboard: what `Wasgo.Supervisor`s run, the stages of their pipelines with buttons to stop and start them, and what the native half does.

        live_dashboard "/dashboard",
          additional_pages: [wasgo: {Wasgo.Phoenix.LiveDashboardPage, supervisors: [MyApp.Wasgo]}],
          allow_destructive_actions: true

    The buttons are there where the dashboard's `:allow_destructive_actions` is on, for all who may open it. It looks at the node that the dashboard is at, which needs Wasgo too. Compiled where
    `phoenix_live_dashboard` is there, 0.8 or later.
    """

    use Phoenix.LiveDashboard.PageBuilder

    alias Wasgo.Telemetry.Overview

    @impl true
    def init(options) do
      supervisors = Keyword.fetch!(options, :supervisors)
      {:ok, %{supervisors: supervisors}, for(name <- supervisors, do: {:process, name})}
    end

    @impl true
    def menu_link(_session, _capabilities), do: {:ok, "Wasgo"}

    @impl true
    def mount(_params, session, socket),
      do: {:ok, socket |> assign(supervisors: session.supervisors, failed: nil) |> look()}

    @impl true
    def handle_refresh(socket), do: {:noreply, look(socket)}

    @impl true
    def handle_event(
          "stage",
          %{"at" => at, "do" => act},
          %{assigns: %{page: %{allow_destructive_actions: true}}} = socket
        )
        when act in ["stop", "start", "restart"] do
      # Only what the page shows can be meant.
      row = Enum.find(socket.assigns.overview.stages, &(key(&1) == at))
      failed = row && Overview.act(socket.assigns.page.node, row, String.to_existing_atom(act))
      {:noreply, socket |> assign(failed: failed) |> look()}
    end

    def handle_event(_event, _params, socket), do: {:noreply, socket}

    defp look(socket) do
      overview = Overview.look(socket.assigns.page.node, socket.assigns.supervisors)
      assign(socket, overview: overview)
    end

    defp key(row), do: Enum.map_join([row.supervisor, row.pipeline, row.name], " ", &inspect/1)

    @impl true
    def render(assigns) do
      ~H"""
      <p :if={@failed}><%= @failed %></p>
      <.fields_card :if={@overview.native != []} title="Native half" fields={@overview.native} />
      <.card title="Stages of pipelines">
        <table class="table table-hover">
          <thead>
            <tr>
              <th :for={name <- ~w(pipeline stage state received sent errors waiting restarts)}><%= name %></th>
              <th>last error</th>
              <th :if={@page.allow_destructive_actions}></th>
            </tr>
          </thead>
          <tbody>
            <tr :for={row <- @overview.stages}>
              <td><%= inspect(row.pipeline) %></td>
              <td><%= inspect(row.name) %></td>
              <td><%= row.state %></td>
              <td><%= row.received %></td>
              <td><%= row.sent %></td>
              <td><%= row.errors %></td>
              <td><%= row.waiting %></td>
              <td><%= row.restarts %></td>
              <td><%= row.problem %></td>
              <td :if={@page.allow_destructive_actions}>
                <button :for={act <- ~w(stop start restart)} type="button" class="btn btn-secondary btn-sm"
                  phx-click="stage" phx-value-at={key(row)} phx-value-do={act}><%= act %></button>
              </td>
            </tr>
          </tbody>
        </table>
      </.card>
      <.card title="Parts">
        <table class="table table-hover">
          <thead><tr><th>kind</th><th>name</th><th>how it is</th></tr></thead>
          <tbody>
            <tr :for={part <- @overview.parts}>
              <td><%= part.kind %></td>
              <td><%= inspect(part.name) %></td>
              <td><%= part.words %></td>
            </tr>
          </tbody>
        </table>
      </.card>
      """
    end
  end
end
