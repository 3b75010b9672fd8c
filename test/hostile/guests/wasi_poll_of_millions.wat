;; Waits for as many things at once as its memory has room for.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3200)
  ;; Subscriptions of zeros: each a clock that is due at once. 2,000,000 of 48 bytes, and as many events of 32.
  (func (export "_start")
    (drop (call $poll (i32.const 65536) (i32.const 104857600) (i32.const 2000000) (i32.const 0)))
    (loop (br 0))))
