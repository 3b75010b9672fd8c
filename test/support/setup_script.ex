defmodule Wasgo.SetupScript do
  @moduledoc false
  # Asks the scripts under test/ that get what tests need from elsewhere.

  @doc "What `script` (such as `programs/setup`) prints for `question`; or what it says is missing."
  @spec ask(Path.t(), String.t()) :: {:ok, String.t()} | {:error, String.t()}
  def ask(script, question) do
    # bash by name: the script itself may have lost its mode in a checkout.
    case System.find_executable("bash") do
      nil ->
        {:error, "bash is missing"}

      bash ->
        path = Path.expand(Path.join("..", script), __DIR__)

        case System.cmd(bash, [path, question], stderr_to_stdout: true) do
          {answer, 0} -> {:ok, String.trim(answer)}
          {problem, _status} -> {:error, String.trim(problem)}
        end
    end
  end

  @doc "What is missing for it, or nil."
  @spec missing(Path.t(), String.t()) :: String.t() | nil
  def missing(script, question) do
    case ask(script, question) do
      {:ok, _answer} -> nil
      {:error, problem} -> problem
    end
  end
end
