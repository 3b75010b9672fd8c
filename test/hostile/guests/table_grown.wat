;; Eats elements of its table.
(module
  (table $t 1 funcref)
  (func (export "steps") (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1)))) unreachable)
  (func (export "at_once") (result i32) (table.grow $t (ref.null func) (i32.const -1))))
