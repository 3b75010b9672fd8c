;; pet: counts the steps of its life, and says how it is.
;;
;; A `_notification` script that keeps something. It is granted `state`, so that what it keeps is its object's own: many pets
;; have this one script, and each has an age of its own, which is in the database when the server starts again.
;;
;; For NOTIFICATION_PROCESS (17), whatever the row, it answers how many of them there were in its life, and its mood. Others
;; change nothing.
(module
  (import "wasgo" "state_get" (func $state_get (param i32 i32 i32 i32) (result i32)))
  (import "wasgo" "state_set" (func $state_set (param i32 i32 i32 i32) (result i32)))

  ;; One page, shared out by hand:
  ;;
  ;;       16  the names of the columns
  ;;       32  the key of what is kept
  ;;       64  the answer: a row of two values with a text of 6 bytes, 46 bytes
  ;;     1024  the input
  (memory (export "memory") 1)

  (data (i32.const 16) "age,mood")
  (data (i32.const 32) "age")

  ;; Count 2 and size 46; type 1 (INTEGER), its length of 0, its number at 80; type 3 (TEXT), its length of 6, where its bytes
  ;; begin in the row; and the bytes.
  (data (i32.const 64)
    "\02\00\00\00" "\2e\00\00\00"
    "\01\00\00\00" "\00\00\00\00" "\00\00\00\00\00\00\00\00"
    "\03\00\00\00" "\06\00\00\00" "\28\00\00\00\00\00\00\00"
    "sleeps")

  (func (export "wasgo_alloc") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 64512))
      (then (return (i32.const 0))))
    (i32.const 1024))

  (func (export "_columns") (result i64)
    (i64.const 0x10_00000008)) ;; at 16, 8 bytes

  (func (export "_notification") (param $what i32) (param $row i32) (param $length i32) (result i64)
    (if (i32.ne (local.get $what) (i32.const 17))
      (then (return (i64.const 0))))
    ;; The instance may have served another pet just now: what is not kept is 0.
    (i64.store (i32.const 80) (i64.const 0))
    (drop (call $state_get (i32.const 32) (i32.const 3) (i32.const 80) (i32.const 8)))
    (i64.store (i32.const 80) (i64.add (i64.load (i32.const 80)) (i64.const 1)))
    (drop (call $state_set (i32.const 32) (i32.const 3) (i32.const 80) (i32.const 8)))
    (i64.const 0x40_0000002e))) ;; at 64, 46 bytes
