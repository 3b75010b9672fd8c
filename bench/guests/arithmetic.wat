;; What calls itself cost: the guest does next to nothing.
(module
  (memory (export "memory") 1)
  (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "spin") (loop br 0)))
