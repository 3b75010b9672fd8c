;; Loops for ever in what is called right after it has become an instance.
(module
  (func (export "_initialize") (loop (br 0))))
