defmodule Wasgo.Phoenix do
  @moduledoc """
  Worlds, scripts and engines in a Phoenix application, or in any that has Plug.

  | for | there is | where there is |
  | --- | --- | --- |
  | web clients that are shown a world live, and call its scripts | `Wasgo.Phoenix.WorldChannel` | Phoenix |
  | a world's chunks and files by HTTP; scripts that are uploaded and listed | `Wasgo.Phoenix.Plug` | Plug |
  | Godot engines that connect through the web server | `Wasgo.Phoenix.GodotSocket` | WebSock, which Phoenix brings |
  | the same without Phoenix | `Wasgo.Phoenix.GodotSocket.Plug` | Plug and WebSockAdapter |
  | pipelines in LiveDashboard, with buttons to stop and start their stages | `Wasgo.Phoenix.LiveDashboardPage` | LiveDashboard 0.8 |

  Each is compiled where its library is there, which is the application's to list: none is a dependency of Wasgo.

      children = [
        {Wasgo.Supervisor,
         name: MyApp.Wasgo,
         stores: [main: "world.db"],
         worlds: [{"garden", store: :main, plan: plan, scripts_of_objects: :main}],
         godot: [zones: [port: nil, token: token]]},
        MyAppWeb.Endpoint
      ]

  The world of that name is then `Wasgo.Supervisor.world(MyApp.Wasgo, "garden")`, for the options `:worlds` of the channel and of the plug. All of them refuse
  everything until the application says who may do what. The guide `guides/phoenix.md` has the messages and the routes, `examples/phoenix` a whole application.
  """
end
