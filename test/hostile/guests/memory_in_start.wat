;; Eats memory before it is an instance.
(module
  (memory 1)
  (func $eat (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)
  (start $eat))
