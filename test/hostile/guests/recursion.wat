;; Recurses without end, in all ways.
(module
  (type $nothing (func))
  (table 1 funcref)
  (elem (i32.const 0) $table)
  (global $depth (mut i64) (i64.const 0))
  (func $self (export "self") (call $self) (global.set $depth (i64.const 1)))
  (func $ping (export "mutual") (call $pong) (global.set $depth (i64.const 1)))
  (func $pong (call $ping) (global.set $depth (i64.const 1)))
  (func $table (export "table") (call_indirect (type $nothing) (i32.const 0)) (global.set $depth (i64.const 1)))
  (func $wide (export "results") (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (call $wide) (global.set $depth)
    (i64.const 1)))
