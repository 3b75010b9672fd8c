;; Never comes to tell its columns.
(module
  (memory (export "memory") 40)
  (func $span (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "_notification") (param i32 i32 i32) (result i64) (i64.const 0))
  (func (export "process") (param i32 i32) (result i64) (i64.const 0))
  (func (export "_columns") (result i64) (loop (br 0)) unreachable))
