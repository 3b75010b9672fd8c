;; Calls of a function that the host gives: one, or as many as asked for.
(module
  (import "env" "next" (func $next (param i64) (result i64)))
  (func (export "once") (param i64) (result i64) (call $next (local.get 0)))
  (func (export "times") (param $count i64) (result i64) (local $sum i64)
    (loop $more
      (local.set $sum (call $next (local.get $sum)))
      (local.set $count (i64.sub (local.get $count) (i64.const 1)))
      (br_if $more (i64.gt_s (local.get $count) (i64.const 0))))
    (local.get $sum)))
