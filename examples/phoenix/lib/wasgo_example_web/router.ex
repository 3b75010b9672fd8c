defmodule WasgoExampleWeb.Router do
  use WasgoExampleWeb, :router

  pipeline :browser do
    plug(:accepts, ["html"])

    plug(:put_secure_browser_headers, %{
      "content-security-policy" => WasgoExampleWeb.PageController.policy()
    })
  end

  scope "/", WasgoExampleWeb do
    pipe_through(:browser)
    get("/", PageController, :home)
  end

  forward("/wasgo", Wasgo.Phoenix.Plug,
    worlds: %{"island" => WasgoExample.World},
    scripts: &WasgoExample.store/0,
    authorize: &WasgoExampleWeb.Access.wasgo/3
  )
end
