;; As large as what compilers of Rust make: a stack of a MiB, and a page with data.
(module
  (memory (export "memory") 17)
  (data (i32.const 1048576) "what a program knows when it starts")
  (func (export "first") (result i32) (i32.load8_u (i32.const 1048576))))
