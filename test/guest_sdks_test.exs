# The same cases for every SDK; test/support/guest_sdk_case.ex has them.

defmodule Wasgo.GuestSdkTest.C do
  use Wasgo.GuestSdkCase, source: "echo.c", tag: :guest_c, async: true
end

defmodule Wasgo.GuestSdkTest.CWithLibrary do
  use Wasgo.GuestSdkCase, source: "echo_libc.c", tag: :guest_c, async: true
end

defmodule Wasgo.GuestSdkTest.AssemblyScript do
  use Wasgo.GuestSdkCase,
    source: "echo.ts",
    tag: :guest_assemblyscript,
    texts: :kept,
    async: true
end

defmodule Wasgo.GuestSdkTest.Rust do
  use Wasgo.GuestSdkCase, source: "echo.rs", tag: :guest_rust, async: true
end
