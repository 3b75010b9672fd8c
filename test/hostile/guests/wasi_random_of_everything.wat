;; Fills all of its memory with randomness, for ever.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 3200)
  (func (export "_start") (loop (drop (call $random (i32.const 0) (i32.const 209715200))) (br 0))))
