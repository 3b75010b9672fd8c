;; Wants four gigabytes to begin with.
(module (memory 65536))
