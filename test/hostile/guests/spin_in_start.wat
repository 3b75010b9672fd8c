;; Loops for ever before it is an instance.
(module
  (func $forever (loop (br 0)))
  (start $forever))
