defmodule Wasgo.StageTest.Told do
  @moduledoc false
  # Stages whose every callback tells a process of it, as `{name, event}`, and does what the buffer's payload says.

  defmodule Source do
    @moduledoc false
    # Counts from 0 to `count`, one buffer a demand.

    use Wasgo.Stage

    @impl true
    def options do
      [
        to: [type: :pid, required: true],
        name: [type: :atom, default: :source],
        count: [type: {:or, [:non_neg_integer, {:in, [:infinity]}]}, default: :infinity],
        at_end: [type: {:in, [:empty, :buffer, :stop, :raise, :error]}, default: :empty]
      ]
    end

    @impl true
    def init(options) do
      send(options.to, {options.name, :init})
      {:ok, Map.put(options, :number, 0)}
    end

    @impl true
    def handle_demand(_size, %{number: count, count: count} = state) do
      case state.at_end do
        :empty ->
          {:end_of_stream, [], state}

        :buffer ->
          {:end_of_stream, [Wasgo.Buffer.new(:last)], state}

        :stop ->
          {:stop, %RuntimeError{message: "the source stops"}, state}

        :error ->
          {:error, %RuntimeError{message: "the source stumbles"}, %{state | at_end: :empty}}

        :raise ->
          raise "the source raises"
      end
    end

    def handle_demand(_size, %{number: number} = state) do
      send(state.to, {state.name, {:demand, number}})
      {:ok, [Wasgo.Buffer.new(number)], %{state | number: number + 1}}
    end

    @impl true
    def terminate(state), do: send(state.to, {state.name, :terminate})
  end

  defmodule Filter do
    @moduledoc false
    # Passes buffers on. `{:do, what}` in the option `on` says what to do with a payload: `:error`, `:stop`, `:raise`, `:drop`, `:twice` or
    # `:keep` (until the stream ends).

    use Wasgo.Stage

    @impl true
    def options do
      [
        to: [type: :pid, required: true],
        name: [type: :atom, default: :filter],
        on: [type: :map, default: %{}],
        init: [type: {:in, [:ok, :error, :raise]}, default: :ok],
        at_end: [type: {:in, [:flush, :error, :stop, :raise]}, default: :flush]
      ]
    end

    @impl true
    def init(%{init: :error, name: name}),
      do: {:error, %RuntimeError{message: "#{name} can't begin"}}

    def init(%{init: :raise, name: name}), do: raise("#{name} raises as it begins")

    def init(options) do
      send(options.to, {options.name, :init})
      {:ok, Map.put(options, :kept, [])}
    end

    @impl true
    def handle_buffer(buffer, state) do
      send(state.to, {state.name, {:buffer, buffer.payload}})

      case state.on[buffer.payload] do
        nil -> {:ok, [buffer], state}
        :drop -> {:ok, [], state}
        :twice -> {:ok, [buffer, buffer], state}
        :keep -> {:ok, [], %{state | kept: [buffer | state.kept]}}
        :error -> {:error, %RuntimeError{message: "#{state.name} stumbles"}, state}
        :stop -> {:stop, %RuntimeError{message: "#{state.name} stops"}, state}
        :raise -> raise "#{state.name} raises"
      end
    end

    @impl true
    def handle_end_of_stream(state) do
      send(state.to, {state.name, :end_of_stream})

      case state.at_end do
        :flush -> {:ok, Enum.reverse(state.kept), %{state | kept: []}}
        :error -> {:error, %RuntimeError{message: "#{state.name} stumbles at the end"}, state}
        :stop -> {:stop, %RuntimeError{message: "#{state.name} stops at the end"}, state}
        :raise -> raise "#{state.name} raises at the end"
      end
    end

    @impl true
    def terminate(state), do: send(state.to, {state.name, :terminate})
  end
end
