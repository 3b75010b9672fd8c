;; Answers each row with one of a mebibyte: a blob of what is in its memory.
(module
  (memory (export "memory") 40)
  (func $span (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "_notification") (param i32 i32 i32) (result i64) 
    (i32.store (i32.const 1048576) (i32.const 1)) (i32.store (i32.const 1048580) (i32.const 1048576))
    (i32.store (i32.const 1048584) (i32.const 4)) (i32.store (i32.const 1048588) (i32.const 1048552))
    (i64.store (i32.const 1048592) (i64.const 24))
    (call $span (i32.const 1048576) (i32.const 1048576)))
  (func (export "process") (param i32 i32) (result i64) (i64.const 0)))
