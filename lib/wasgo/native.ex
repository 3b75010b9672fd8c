defmodule Wasgo.Native do
  @moduledoc false
  # Stubs of the NIFs, a line each. Nothing else calls into Rust.

  @on_load :load

  @doc false
  def load do
    path = :filename.join(:code.priv_dir(:wasgo), ~c"native/wasgo_nif")
    :erlang.load_nif(path, 0)
  end

  def wasm_engine_start(_workers, _instances), do: nif()
  def wasm_engine_info, do: nif()
  def wasm_compile(_source, _deterministic), do: nif()
  def wasm_compile_dirty(_source, _deterministic), do: nif()
  def wasm_validate(_source), do: nif()
  def wasm_cache_default(_dir, _max_bytes), do: nif()
  def wasm_cache_configure(_dir, _max_bytes), do: nif()
  def wasm_cache_info, do: nif()
  def wasm_cache_clear, do: nif()
  def wasm_imports(_functions, _grants), do: nif()
  def wasm_instantiate(_module, _imports, _limits, _waiters, _bounds), do: nif()
  def wasm_call(_instance, _name, _arguments, _bounds), do: nif()
  def wasm_call_many(_instance, _name, _rows, _bounds), do: nif()
  def wasm_call_many_dirty(_instance, _name, _rows, _bounds), do: nif()
  def wasm_call_packed(_instance, _name, _rows, _bounds), do: nif()
  def wasm_call_packed_dirty(_instance, _name, _rows, _bounds), do: nif()
  def wasm_status(_instance), do: nif()
  def wasm_close(_instance), do: nif()
  def wasm_act(_instance, _act, _bounds), do: nif()
  def wasm_act_dirty(_instance, _act, _bounds), do: nif()
  def wasm_read(_instance, _offset, _length, _bounds), do: nif()
  def wasm_write(_instance, _offset, _bytes, _bounds), do: nif()
  def wasm_fuel_used(_instance), do: nif()
  def wasm_take_emitted(_instance), do: nif()
  def wasm_serve(_serving), do: nif()
  def wasm_reply(_serving, _reply), do: nif()
  def wasm_reply_dirty(_serving, _reply), do: nif()
  def wasm_serving_call(_serving, _name, _arguments), do: nif()
  def wasm_serving_act(_serving, _act), do: nif()
  def wasm_serving_act_dirty(_serving, _act), do: nif()

  def component_compile(_source), do: nif()
  def component_compile_dirty(_source), do: nif()
  def component_instantiate(_component, _functions, _limits, _grants, _timeout_ms), do: nif()
  def component_call(_instance, _name, _arguments, _timeout_ms), do: nif()
  def component_call_dirty(_instance, _name, _arguments, _timeout_ms), do: nif()
  def component_drop(_instance, _handle, _timeout_ms), do: nif()
  def component_handle_live(_handle), do: nif()
  def component_status(_instance), do: nif()
  def component_close(_instance), do: nif()

  def state_new(_bytes, _keys), do: nif()
  def state_get(_state, _key), do: nif()
  def state_put(_state, _key, _value), do: nif()
  def state_all(_state), do: nif()
  def state_bytes(_state), do: nif()

  def script_new(_module, _imports, _limits), do: nif()
  def script_new_component(_component, _limits), do: nif()
  def script_info(_script, _bounds), do: nif()
  def script_notify(_script, _what, _rows, _bounds), do: nif()
  def script_notify_dirty(_script, _what, _rows, _bounds), do: nif()
  def script_process(_script, _input, _bounds), do: nif()
  def script_process_dirty(_script, _input, _bounds), do: nif()

  def service_start(_module, _options), do: nif()
  def service_start_dirty(_module, _options), do: nif()
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
