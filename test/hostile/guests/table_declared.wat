;; Wants a table of four thousand million elements.
(module (table 4294967295 funcref))
