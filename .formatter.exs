[
  inputs: [
    "{mix,.formatter}.exs",
    "{bench,config,examples,lib,mix,test}/**/*.{ex,exs}"
  ]
]
