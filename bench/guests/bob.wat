;; A script that does next to nothing: a node at the height of value 3, and value 1 above that.
;; The row that comes in has 6 values, so 8 + 6 * 16 = 104 bytes.
(module
  (memory (export "memory") 1)
  (data (i32.const 16) "position:y")
  ;; The answer: a row of 1 value and 24 bytes, a REAL. Its number is written to 48.
  (data (i32.const 32) "\01\00\00\00\18\00\00\00" "\02\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")
  (func (export "wasgo_alloc") (param $size i32) (result i32) (i32.const 1024))
  (func (export "_columns") (result i64) (i64.const 0x10_0000000a)) ;; at 16, 10 bytes
  (func (export "_notification") (param $what i32) (param $row i32) (param $length i32) (result i64)
    (if (i32.or (i32.ne (local.get $what) (i32.const 17)) (i32.lt_u (local.get $length) (i32.const 104)))
      (then (return (i64.const 0))))
    (f64.store (i32.const 48) (f64.add (f64.load offset=32 (local.get $row)) (f64.load offset=64 (local.get $row))))
    (i64.const 0x20_00000018))) ;; at 32, 24 bytes
