;; Loops for ever.
(module
  (func (export "spin") (loop (br 0))))
