;; Every interface of wasgo:script that can be granted, each function called with what its caller likes.
(component
  (import "wasgo:script/log@0.1.0" (instance $log
    (type $l (enum "debug" "info" "warning" "error"))
    (export "level" (type $level (eq $l)))
    (export "log" (func (param "level" $level) (param "text" string)))))
  (import "wasgo:script/state@0.1.0" (instance $state
    (export "get" (func (param "key" string) (result (option (list u8)))))
    (export "set" (func (param "key" string) (param "value" (list u8)) (result (result (error string)))))
    (export "delete" (func (param "key" string)))))
  (import "wasgo:script/sql@0.1.0" (instance $sql
    (type $v (variant (case "integer" s64) (case "real" f64) (case "text" string) (case "blob" (list u8)) (case "null")))
    (export "value" (type $value (eq $v)))
    (type $r (list $value))
    (export "row" (type $row (eq $r)))
    (export "query" (func
      (param "statement" string) (param "parameters" $row) (result (result (list $row) (error string)))))))
  (import "wasgo:script/emit@0.1.0" (instance $emit
    (export "emit" (func (param "buffer" (list u8))))))

  ;; 17 pages. What the host puts there begins with the ninth.
  (core module $libc
    (memory (export "memory") 17)
    (data (i32.const 0) "select 1")
    (global $free (export "free") (mut i32) (i32.const 524288))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local i32)
      (local.set 4 (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get 4) (local.get 3)))
      (if (i32.gt_u (global.get $free) (i32.const 1114112)) (then unreachable))
      (local.get 4)))
  (core instance $libc (instantiate $libc))

  (core func $log (canon lower (func $log "log") (memory (core memory $libc "memory"))))
  (core func $get (canon lower (func $state "get") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $set (canon lower (func $state "set") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $delete (canon lower (func $state "delete") (memory (core memory $libc "memory"))))
  (core func $query (canon lower (func $sql "query") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $emit (canon lower (func $emit "emit") (memory (core memory $libc "memory"))))

  (core module $m
    (import "libc" "memory" (memory 17))
    (import "libc" "free" (global $free (mut i32)))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i32)))
    (import "host" "delete" (func $delete (param i32 i32)))
    (import "host" "query" (func $query (param i32 i32 i32 i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32)))
    (func $begin (global.set $free (i32.const 524288)))
    (func (export "log") (param i32 i32 i32) (call $log (local.get 0) (local.get 1) (local.get 2)))
    (func (export "chatter") (param $count i32) (param $size i32)
      (loop $more
        (call $log (i32.const 1) (i32.const 0) (local.get $size))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count))))
    ;; The length of what is kept, or -1; its first four bytes are put to 256.
    (func (export "get") (param i32 i32) (result i32)
      (call $begin)
      (call $get (local.get 0) (local.get 1) (i32.const 512))
      (if (i32.eqz (i32.load8_u (i32.const 512))) (then (return (i32.const -1))))
      (i32.store (i32.const 256) (i32.load (i32.load (i32.const 516))))
      (i32.load (i32.const 520)))
    (func $try (export "set") (param i32 i32 i32 i32) (result i32)
      (call $begin)
      (call $set (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 512))
      (i32.eqz (i32.load8_u (i32.const 512))))
    (func (export "delete") (param i32 i32) (call $delete (local.get 0) (local.get 1)))
    ;; Sets so many keys of four letters, each to a value of so many bytes; says how often there was room.
    (func (export "keys") (param $count i32) (param $size i32) (result i32) (local $room i32)
      (loop $more
        (i32.store (i32.const 128)
          (i32.or (i32.and (local.get $count) (i32.const 0x3f)) (i32.const 0x40404040)))
        (i32.store8 (i32.const 129) (i32.or (i32.and (i32.shr_u (local.get $count) (i32.const 6)) (i32.const 0x3f)) (i32.const 0x40)))
        (i32.store8 (i32.const 130) (i32.or (i32.and (i32.shr_u (local.get $count) (i32.const 12)) (i32.const 0x3f)) (i32.const 0x40)))
        (local.set $room (i32.add (local.get $room)
          (call $try (i32.const 128) (i32.const 4) (i32.const 1024) (local.get $size))))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))
      (local.get $room))
    ;; The number of rows, or -1 where it failed: its words are then at 1,024 as far as 64 bytes of them.
    (func $ask (export "query") (param i32 i32 i32 i32) (result i32)
      (call $begin)
      (call $query (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 512))
      (if (i32.load8_u (i32.const 512)) (then
        (memory.copy (i32.const 1024) (i32.load (i32.const 516)) (i32.const 64))
        (return (i32.const -1))))
      (i32.load (i32.const 520)))
    ;; Keeps a value, and then traps or asks.
    (func (export "set-and-end") (param $trap i32)
      (drop (call $try (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 8)))
      (if (local.get $trap) (then unreachable))
      (drop (call $ask (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0))))
    (func (export "for-ever") (param i32 i32)
      (loop $more (drop (call $ask (local.get 0) (local.get 1) (i32.const 0) (i32.const 0))) (br $more)))
    (func (export "emits") (param $count i32) (param $size i32)
      (loop $more
        (call $emit (i32.const 0) (local.get $size))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count))))
    ;; Fills so many bytes from 2,048 on with a byte.
    (func (export "fill") (param i32 i32) (memory.fill (i32.const 2048) (local.get 0) (local.get 1)))
    ;; Puts a text where statements are taken from: 131,072.
    (func (export "write") (param i32 i32) (memory.copy (i32.const 131072) (local.get 0) (local.get 1)))
    ;; As many values of a row at 65,536, each of them a blob of all that lies before.
    (func (export "blobs") (param $count i32) (param $size i32) (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $more
        (i32.store (local.get $at) (i32.const 3))
        (i32.store offset=8 (local.get $at) (i32.const 0))
        (i32.store offset=12 (local.get $at) (local.get $size))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count))))
    (func (export "words") (result i32)
      (i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const 64)) (i32.const 64))
    (func (export "trap") unreachable))
  (core instance $i (instantiate $m
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "log" (func $log)) (export "get" (func $get)) (export "set" (func $set)) (export "delete" (func $delete))
      (export "query" (func $query)) (export "emit" (func $emit))))))

  (func (export "log") (param "level" u32) (param "at" u32) (param "length" u32) (canon lift (core func $i "log")))
  (func (export "chatter") (param "count" u32) (param "size" u32) (canon lift (core func $i "chatter")))
  (func (export "get") (param "at" u32) (param "length" u32) (result s32) (canon lift (core func $i "get")))
  (func (export "set") (param "at" u32) (param "length" u32) (param "value" u32) (param "size" u32) (result u32)
    (canon lift (core func $i "set")))
  (func (export "delete") (param "at" u32) (param "length" u32) (canon lift (core func $i "delete")))
  (func (export "keys") (param "count" u32) (param "size" u32) (result u32) (canon lift (core func $i "keys")))
  (func (export "query") (param "at" u32) (param "length" u32) (param "row" u32) (param "values" u32) (result s32)
    (canon lift (core func $i "query")))
  (func (export "set-and-end") (param "trap" u32) (canon lift (core func $i "set-and-end")))
  (func (export "for-ever") (param "at" u32) (param "length" u32) (canon lift (core func $i "for-ever")))
  (func (export "emits") (param "count" u32) (param "size" u32) (canon lift (core func $i "emits")))
  (func (export "fill") (param "byte" u32) (param "size" u32) (canon lift (core func $i "fill")))
  (func (export "blobs") (param "count" u32) (param "size" u32) (canon lift (core func $i "blobs")))
  (func (export "write") (param "text" string)
    (canon lift (core func $i "write") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (func (export "words") (result (list u8)) (canon lift (core func $i "words") (memory (core memory $libc "memory"))))
  (func (export "trap") (canon lift (core func $i "trap"))))
