;; Calls itself for ever without a loop and without taking stack: by tail calls, directly and through a table; and 2^40 calls deep
;; and wide.
(module
  (type $nothing (func))
  (table 1 funcref)
  (elem (i32.const 0) $indirect)
  (func $direct (export "direct") (return_call $direct))
  (func $indirect (export "indirect") (return_call_indirect (type $nothing) (i32.const 0)))
  (func $tree (export "tree") (param i32)
    (if (local.get 0) (then
      (call $tree (i32.sub (local.get 0) (i32.const 1)))
      (call $tree (i32.sub (local.get 0) (i32.const 1)))))))
