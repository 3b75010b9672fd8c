defmodule Wasgo.FailureList do
  @moduledoc false
  # Repeats each failure in a few lines at the end of what bin/test prints, where a long log is read first:
  # an ExUnit formatter beside the usual one, which writes to the file that WASGO_FAILED_FILE names.

  use GenServer

  @message_lines 12

  @doc "The formatters of this run."
  @spec formatters :: [module()]
  def formatters do
    if file(), do: [ExUnit.CLIFormatter, __MODULE__], else: [ExUnit.CLIFormatter]
  end

  @impl true
  def init(_options), do: {:ok, file()}

  @impl true
  def handle_cast({:test_finished, %{state: {:failed, failures}} = test}, file) do
    append(file, "#{test.name} (#{place(test.tags)}), #{inspect(test.module)}", test, failures)
    {:noreply, file}
  end

  def handle_cast({:module_finished, %{state: {:failed, failures}} = module}, file) do
    append(file, "setup of #{inspect(module.name)}", module, failures)
    {:noreply, file}
  end

  def handle_cast(_event, file), do: {:noreply, file}

  defp append(file, title, test, failures) do
    File.write!(file, ["Failed: ", title, ?\n, message(test, failures)], [:append])
  end

  defp place(%{file: path, line: line}), do: "#{Path.relative_to_cwd(path)}:#{line}"
  defp place(_tags), do: "no place"

  defp message(%ExUnit.Test{} = test, failures),
    do: shorten(ExUnit.Formatter.format_test_failure(test, failures, 0, 100, &plain/2))

  defp message(%ExUnit.TestModule{} = module, failures),
    do: shorten(ExUnit.Formatter.format_test_all_failure(module, failures, 0, 100, &plain/2))

  defp shorten(text) do
    text
    |> String.split("\n", trim: true)
    |> Enum.take(@message_lines)
    |> Enum.map(&["    ", String.slice(&1, 0, 300), ?\n])
  end

  defp plain(:diff_enabled?, _default), do: false
  defp plain(_key, message), do: message

  defp file, do: System.get_env("WASGO_FAILED_FILE")
end
