;; lamp: a street lamp that goes on at dusk and off after dawn.
;;
;; A `_notification` script in WebAssembly's own text format: what every other language is turned into. The host compiles
;; this text itself; there is nothing to build. It is here to be read: guest/README.md says what a row looks like in memory.
;;
;; For NOTIFICATION_PROCESS (17) the row that comes in is
;;
;;     hour REAL (of the day, 0 to 24)
;;
;; and the one that goes out is how bright the lamp is (0 to 1), and whether it is seen at all. Others change nothing.
(module
  ;; One page: 64 KiB. The script shares it out by hand:
  ;;
  ;;       16  the names of the columns
  ;;       64  the answer: a row of two values, 40 bytes
  ;;     1024  the input
  (memory (export "memory") 1)

  (data (i32.const 16) "light_energy,visible")

  ;; What never changes of the answer is already there: count 2 and size 40, then type 2 (REAL) and type 1 (INTEGER), each
  ;; followed by a length of 0 and by 8 bytes for the number. The lowest byte of a number comes first.
  (data (i32.const 64)
    "\02\00\00\00" "\28\00\00\00"
    "\02\00\00\00" "\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\01\00\00\00" "\00\00\00\00" "\00\00\00\00\00\00\00\00")

  ;; The host asks for room for its row. It is always the same place, for as much as fits behind it.
  (func (export "wasgo_alloc") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 64512))
      (then (return (i32.const 0))))
    (i32.const 1024))

  ;; Where a result lies, in one number: the pointer in the upper half, the length in the lower.
  (func $span (param $pointer i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32))
      (i64.extend_i32_u (local.get $length))))

  (func (export "_columns") (result i64)
    (call $span (i32.const 16) (i32.const 20)))

  ;; The first value of the row as a number, or NaN ("not a number") when it has none. A database may hand out 7.0 as the
  ;; INTEGER 7, so both types are read.
  (func $first (param $row i32) (param $length i32) (result f64)
    ;; A header has 8 bytes and a value 16. The first four bytes of the header are the number of values.
    (if (i32.lt_u (local.get $length) (i32.const 24))
      (then (return (f64.const nan))))
    (if (i32.eqz (i32.load (local.get $row)))
      (then (return (f64.const nan))))
    ;; Behind the header: type, length, and at 16 the number.
    (if (i32.eq (i32.load offset=8 (local.get $row)) (i32.const 2))
      (then (return (f64.load offset=16 (local.get $row)))))
    (if (i32.eq (i32.load offset=8 (local.get $row)) (i32.const 1))
      (then (return (f64.convert_i64_s (i64.load offset=16 (local.get $row))))))
    (f64.const nan))

  (func (export "_notification") (param $what i32) (param $row i32) (param $length i32) (result i64)
    (local $hour f64)
    (local $energy f64)

    (if (i32.ne (local.get $what) (i32.const 17))
      (then (return (i64.const 0))))

    ;; NaN is the one number that does not equal itself.
    (local.set $hour (call $first (local.get $row) (local.get $length)))
    (if (f64.ne (local.get $hour) (local.get $hour))
      (then (return (i64.const 0))))

    ;; Hours from noon: the lamp is dark up to 5 of them, brightens for two hours, and is full from 7 on.
    (local.set $energy
      (f64.div
        (f64.sub
          (f64.abs (f64.sub (local.get $hour) (f64.const 12)))
          (f64.const 5))
        (f64.const 2)))
    (local.set $energy
      (f64.max (f64.const 0) (f64.min (f64.const 1) (local.get $energy))))

    ;; The numbers' places in the answer: the row at 64, its header of 8, and 8 into each value of 16.
    (f64.store (i32.const 80) (local.get $energy))
    (i64.store (i32.const 96) (i64.extend_i32_u (f64.gt (local.get $energy) (f64.const 0))))
    (call $span (i32.const 64) (i32.const 40))))
