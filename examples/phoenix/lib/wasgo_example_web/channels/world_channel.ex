defmodule WasgoExampleWeb.WorldChannel do
  use Wasgo.Phoenix.WorldChannel,
    worlds: %{"island" => WasgoExample.World},
    runners: %{"island" => WasgoExample.Creatures},
    hz: 30,
    log_join: :debug

  alias WasgoExample.Stages

  @impl Wasgo.Phoenix.WorldChannel
  def authorize(:join, _details, _socket), do: true
  def authorize(:stage, _details, socket), do: socket.assigns.may_edit
  def authorize(_action, _details, _socket), do: false

  def handle_in("stage", %{"name" => name, "do" => act}, socket) when act in ["start", "stop"] do
    with true <- authorize(:stage, %{name: name, do: act}, socket),
         {:ok, stages} <- Stages.put(name, String.to_existing_atom(act)) do
      {:reply, {:ok, %{stages: stages}}, socket}
    else
      false ->
        {:reply,
         {:error, %{reason: "forbidden", message: "only who may edit may stop and start stages"}},
         socket}

      {:error, reason} ->
        {:reply, {:error, %{reason: reason, message: "there is no stage of that name"}}, socket}
    end
  end

  def handle_in("stages", _params, socket) do
    {:reply, {:ok, %{stages: Stages.list(), may_edit: socket.assigns.may_edit}}, socket}
  end
end
