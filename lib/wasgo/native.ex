defmodule Wasgo.Native do
  @moduledoc false
  # Stubs of the NIFs, a line each. Nothing else calls into Rust.

  @on_load :load

  @doc false
  def load do
    path = :filename.join(:code.priv_dir(:wasgo), ~c"native/wasgo_nif")
    :erlang.load_nif(path, 0)
  end

  def wasm_compile(_source), do: nif()
  def wasm_compile_dirty(_source), do: nif()
  def wasm_instantiate(_module, _limits, _timeout_ms), do: nif()
  def wasm_call(_instance, _name, _arguments, _timeout_ms), do: nif()
  def wasm_call_many(_instance, _name, _rows, _timeout_ms), do: nif()
  def wasm_call_many_dirty(_instance, _name, _rows, _timeout_ms), do: nif()
  def wasm_status(_instance), do: nif()
  def wasm_close(_instance), do: nif()
  def wasm_memory_size(_instance), do: nif()
  def wasm_read_memory(_instance, _offset, _length), do: nif()
  def wasm_read_memory_dirty(_instance, _offset, _length), do: nif()
  def wasm_write_memory(_instance, _offset, _bytes), do: nif()
  def wasm_write_memory_dirty(_instance, _offset, _bytes), do: nif()

  def component_compile(_source), do: nif()
  def component_compile_dirty(_source), do: nif()
  def component_instantiate(_component, _limits, _grants, _timeout_ms), do: nif()
  def component_call(_instance, _name, _arguments, _timeout_ms), do: nif()
  def component_call_dirty(_instance, _name, _arguments, _timeout_ms), do: nif()
  def component_drop(_instance, _handle, _timeout_ms), do: nif()
  def component_handle_live(_handle), do: nif()
  def component_status(_instance), do: nif()
  def component_close(_instance), do: nif()

  def script_new(_module, _limits), do: nif()
  def script_new_component(_component, _limits), do: nif()
  def script_info(_script, _timeout_ms), do: nif()
  def script_notify(_script, _what, _rows, _timeout_ms), do: nif()
  def script_notify_dirty(_script, _what, _rows, _timeout_ms), do: nif()
  def script_process(_script, _input, _timeout_ms), do: nif()
  def script_process_dirty(_script, _input, _timeout_ms), do: nif()

  def service_start(_module, _arguments, _environment, _limits, _credit), do: nif()
  def service_write(_service, _input), do: nif()
  def service_close_input(_service), do: nif()
  def service_give_credit(_service, _stdout, _stderr), do: nif()
  def service_stop(_service), do: nif()

  def store_open(_options), do: nif()
  def store_close(_store), do: nif()
  def store_token(_store), do: nif()
  def store_submit(_store, _token, _asked, _timeout_ms), do: nif()
  def store_submit_dirty(_store, _token, _asked, _timeout_ms), do: nif()

  def variant_encode(_term, _max_depth, _max_bytes), do: nif()
  def variant_encode_dirty(_term, _max_depth, _max_bytes), do: nif()
  def variant_decode(_binary, _max_depth, _max_bytes, _keep_order), do: nif()
  def variant_decode_dirty(_binary, _max_depth, _max_bytes, _keep_order), do: nif()

  def gen_plan(_plan), do: nif()
  def gen_chunk(_plan, _x, _z), do: nif()
  def gen_instances(_plan, _table), do: nif()
  def gen_creature(_seed), do: nif()
  def gen_materials, do: nif()
  def gen_water(_size, _level), do: nif()

  def scene_to_glb(_scene), do: nif()
  def scene_validate(_scene), do: nif()
  def scene_flip(_indices), do: nif()
  def scene_flip_dirty(_indices), do: nif()

  defp nif, do: :erlang.nif_error(:not_loaded)
end
