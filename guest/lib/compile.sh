# shellcheck shell=bash
# How each kind of guest is compiled: compile_HOW SOURCE MODULE WORLD. Sourced by guest/build, in guest/, after tools.sh.

# A stack below the data, and small: running over its end is then a trap, not a change of the script's own data.
LINK=("-Wl,--stack-first" "-Wl,-z,stack-size=16384" "-Wl,--strip-all")
C=(-std=c11 -Wall -Wextra -Werror -I c)

compile_c() {
  "$CLANG" --target=wasm32 -ffreestanding -nostdlib -O2 "${C[@]}" -Wl,--no-entry "${LINK[@]}" "$1" -o "$2"
}

# A reactor: no main, but functions that are called. Formatting numbers wants a larger stack.
compile_c_library() {
  "$CLANG" --target=wasm32-wasi -mexec-model=reactor -O2 "${C[@]}" "${LINK[@]}" -Wl,-z,stack-size=65536 "$1" -o "$2"
}

compile_service() {
  "$CLANG" --target=wasm32-wasi -Oz "${C[@]}" "${LINK[@]}" "$1" -o "$2"
}

compile_assemblyscript() {
  node "$NPM/assemblyscript/bin/asc.js" "$(relative "$1")" -o "$2" -O3 --runtime stub
}

# The crate, then the script, without cargo: nothing is written but the module.
compile_rust() {
  local making status flags=(--edition 2024 --target "$RUST_TARGET" -C opt-level=s -C panic=abort)
  making="$(mktemp -d)" || return
  "$RUSTC" "${flags[@]}" --crate-type rlib --crate-name wasgo rust/wasgo/src/lib.rs --out-dir "$making" &&
    "$RUSTC" "${flags[@]}" -C lto=fat -C codegen-units=1 -C strip=symbols -C link-arg=-zstack-size=65536 -D warnings \
      --crate-type cdylib --extern "wasgo=$making/libwasgo.rlib" "$(relative "$1")" -o "$2"
  status=$?
  rm -rf "$making"
  return $status
}

# Puts the interfaces into a folder and prints the world's name there. A world with what it is granted, as in notifier+log+state,
# is put together: such a component imports these interfaces, used or not, and no others.
prepare_world() {
  local into="$1" parts part
  IFS=+ read -ra parts <<<"$2"
  mkdir -p "$into" && cp wit/script.wit "$into" || return
  if [ "${#parts[@]}" -eq 1 ]; then
    echo "$2"
    return
  fi
  {
    echo "world made {"
    echo "  include ${parts[0]};"
    for part in "${parts[@]:1}"; do echo "  import $part;"; done
    echo "}"
  } >"$into/made.wit" && echo made
}

# What the language's run-time would ask of a system becomes a trap: a script has no files, clock or randomness.
compile_javascript() {
  local making world status
  making="$(mktemp -d)" || return
  world="$(prepare_world "$making" "$3")" &&
    node "$NPM/componentize-qjs/bin/componentize-qjs" \
      --wit "$making" --world "$world" --js "$1" --sync --stub-wasi -o "$2" >&2
  status=$?
  rm -rf "$making"
  return $status
}

# From a copy: the tool leaves its own files beside the source. The bindings must not be there twice.
compile_python() {
  local making world status name="${1##*/}"
  making="$(mktemp -d)" || return
  mkdir "$making/source" && cp "$1" "$making/source" && world="$(prepare_world "$making/wit" "$3")" &&
    "$VENV/bin/componentize-py" -q -d "$making/wit" -w "$world" componentize --stub-wasi -p "$making/source" \
      "${name%.py}" -o "$2" >&2
  status=$?
  rm -rf "$making"
  return $status
}

# Paths end up in modules: those of the samples are the same on every machine.
relative() {
  case "$1" in
    /*) realpath --relative-to=. -- "$1" ;;
    *) echo "$1" ;;
  esac
}
