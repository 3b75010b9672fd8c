;; Every crystal runs this 30 times a second: it rises,
;; sinks and turns. This is WebAssembly's own text; what
;; the numbers mean is explained in guest/README.md.
(module
  (memory (export "memory") 1)
  (data (i32.const 16) "position:y,rotation:y")
  ;; The answer, at 64: a row of two numbers, 40 bytes.
  ;; The numbers go to 80 and 96.
  (data (i32.const 64) "\02\00\00\00\28\00\00\00"
    "\02\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\02\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00")

  (func (export "wasgo_alloc")
    (param $size i32) (result i32)
    (i32.const 1024))

  (func (export "_columns") (result i64)
    (i64.const 0x10_00000015)) ;; at 16, 21 bytes

  (func $fraction (param $x f64) (result f64)
    (f64.sub
      (local.get $x)
      (f64.floor (local.get $x))))

  (func (export "_notification")
    (param $what i32) (param $row i32) (param $length i32)
    (result i64)
    (local $id f64) (local $time f64) (local $wave f64)

    (if (i32.ne (local.get $what) (i32.const 17))
      (then (return (i64.const 0))))

    ;; Which one, seconds, x and y: 16 bytes each, the
    ;; number in the second half, behind 8 bytes.
    (local.set $id
      (f64.convert_i64_s
        (i64.load offset=16 (local.get $row))))
    (local.set $time
      (f64.load offset=32 (local.get $row)))

    ;; From 1 down to 0 and back in four seconds.
    (local.set $wave
      (f64.add
        (f64.mul (local.get $time) (f64.const 0.25))
        (f64.mul (local.get $id) (f64.const 0.17))))
    (local.set $wave
      (f64.abs
        (f64.sub
          (f64.mul
            (call $fraction (local.get $wave))
            (f64.const 2))
          (f64.const 1))))

    ;; y and the turn, in radians.
    (f64.store (i32.const 80)
      (f64.add
        (f64.load offset=64 (local.get $row))
        (f64.mul (local.get $wave) (f64.const 2.5))))
    (f64.store (i32.const 96)
      (f64.mul (local.get $time) (f64.const 0.8)))
    (i64.const 0x40_00000028))) ;; at 64, 40 bytes
