[
  inputs: [
    "{mix,.formatter}.exs",
    "{bench,config,lib,mix,test}/**/*.{ex,exs}",
    "examples/{pet,world}/**/*.{ex,exs}",
    "examples/phoenix/{mix,.formatter}.exs",
    "examples/phoenix/{config,lib}/**/*.{ex,exs}"
  ]
]
