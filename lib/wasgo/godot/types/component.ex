defmodule Wasgo.Godot.Component do
  @moduledoc """
  One number of a vector or the like: a float, or the atom of one that the BEAM has not.
  """

  @type t :: float() | :nan | :infinity | :neg_infinity

  @typedoc "What the `new` functions take: integers become floats."
  @type input :: t() | integer()

  @doc """
  Whether a term is a number that a vector can have; allowed in guards.

      iex> import Wasgo.Godot.Component
      iex> for value <- [1.5, 2, :nan, "2"], do: is_component(value)
      [true, true, true, false]
  """
  defguard is_component(value) when is_number(value) or value in [:nan, :infinity, :neg_infinity]

  @doc """
  The number as structs hold it.

      iex> {Wasgo.Godot.Component.float(1), Wasgo.Godot.Component.float(:nan)}
      {1.0, :nan}
  """
  @spec float(input()) :: t()
  def float(value) when is_number(value), do: value * 1.0
  def float(value) when is_component(value), do: value
end
