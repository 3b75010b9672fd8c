;; Uses up its stack before it is an instance.
(module
  (func $self (call $self) (call $self))
  (start $self))
