;; Answers with a row of a mebibyte whose thousand blobs all claim the same bytes: a gibibyte if they were copied.
(module
  (memory (export "memory") 40)
  (func $span (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "_notification") (param i32 i32 i32) (result i64) (local $i i32)
    (i32.store (i32.const 1048576) (i32.const 1024)) (i32.store (i32.const 1048580) (i32.const 1048576))
    (loop
      (i32.store offset=1048584 (i32.mul (local.get $i) (i32.const 16)) (i32.const 4))
      (i32.store offset=1048588 (i32.mul (local.get $i) (i32.const 16)) (i32.const 1032184))
      (i64.store offset=1048592 (i32.mul (local.get $i) (i32.const 16)) (i64.const 16392))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $i) (i32.const 1024))))
    (call $span (i32.const 1048576) (i32.const 1048576)))
  (func (export "process") (param i32 i32) (result i64) (i64.const 0)))
