defmodule Shop.Circle do
  @moduledoc "A circle."

  @limit 10

  defstruct [:radius]

  @doc """
  The area.
  """
  @spec area(t) :: float
  def area(%{radius: r}) when r > 0 do
    helper(r)
  end

  def area(_), do: 0

  # A helper.
  defp helper(r), do: r * 2

  defmacro square(x) do
    quote do: unquote(x) * unquote(x)
  end

  defguard is_small(x) when x < 10

  defmodule Part do
    def name, do: "part"
  end
end

defprotocol Shape do
  def sides(shape)
end

defimpl Shape, for: Shop.Circle do
  def sides(_), do: 0
end
