;; Eats memory, a page at a time or all at once, and gives up when there is no more; or goes on without.
(module
  (memory (export "memory") 1)
  (func (export "steps") (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)
  (func (export "at_once") (if (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable)))
  (func (export "negative") (result i32) (memory.grow (i32.const -1)))
  (func (export "modest") (result i32)
    (drop (memory.grow (i32.const 65535)))
    (memory.size))
  (func (export "forever") (loop (drop (memory.grow (i32.const 1))) (br 0))))
