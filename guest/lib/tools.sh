# shellcheck shell=bash
# Finds the tools that guests are built with, and gets those that npm and PyPI have. Sourced by guest/build, in guest/.
#
# For each way to build there are version_HOW, which prints what would be used, or says what is missing and fails; and install_HOW,
# which gets what version_HOW wants where it can be got so. Compilers that are installed for a whole machine are never installed here.

CACHE="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/wasgo/guest"
CLANG="${WASGO_CLANG:-clang}"
RUSTC="${WASGO_RUSTC:-rustc}"
PYTHON="${WASGO_PYTHON:-python3}"
PACKAGES="on Debian and Ubuntu: clang lld wasi-libc libclang-rt-*-dev-wasm32"
RUST_TARGET=wasm32-unknown-unknown

# One folder for each state of the lock file: checkouts of several versions do not fight over it.
NPM="$CACHE/npm-$(cksum <package-lock.json | cut -d ' ' -f 1)/node_modules"
COMPONENTIZE_PY="$(sed -n 's/^componentize-py==//p' requirements.txt)"
VENV="$CACHE/componentize-py-$COMPONENTIZE_PY"

missing() {
  echo "guest/build: $1" >&2
  return 1
}

have() { command -v "$1" >/dev/null; }

# ---- C ----

linker() { "$CLANG" --target=wasm32 -print-prog-name=wasm-ld; }

version_c() {
  have "$CLANG" || missing "clang is missing ($PACKAGES)" || return
  have "$(linker)" || missing "wasm-ld is missing ($PACKAGES)" || return
  echo "$("$CLANG" --version | head -n 1), $("$(linker)" --version | head -n 1)"
}

# The library's code ends up in the module, so its version counts. Only a packaged one tells it.
version_c_library() {
  local compiler
  compiler="$(version_c)" || return
  echo 'int main(void) { return 0; }' | "$CLANG" --target=wasm32-wasi -x c - -o /dev/null 2>/dev/null ||
    missing "clang has no C library for wasm32-wasi ($PACKAGES)" || return
  echo "$compiler, wasi-libc $(dpkg-query -W -f '${Version}' wasi-libc 2>/dev/null || echo unknown)"
}

version_service() { version_c_library; }

install_c() { :; }
install_c_library() { :; }
install_service() { :; }

# ---- Rust ----

version_rust() {
  have "$RUSTC" || missing "rustc is missing (https://rust-lang.org/tools/install)" || return
  [ -d "$("$RUSTC" --print target-libdir --target "$RUST_TARGET" 2>/dev/null)" ] ||
    missing "rustc has no target $RUST_TARGET (rustup target add $RUST_TARGET)" || return
  "$RUSTC" --version
}

install_rust() { :; }

# ---- from npm ----

version_assemblyscript() { version_npm assemblyscript AssemblyScript; }
version_javascript() { version_npm componentize-qjs componentize-qjs; }
install_assemblyscript() { install_npm; }
install_javascript() { install_npm; }

version_npm() {
  local package="$1" title="$2"
  have node || missing "node is missing (20 or later, with npm)" || return
  [ -f "$NPM/$package/package.json" ] ||
    missing "$title is not in $NPM (guest/build --install gets it by npm)" || return
  echo "$title $(node -p 'require(process.argv[1]).version' "$NPM/$package/package.json")"
}

# Both tools at once: 140 MB on disk. The folder appears when it is whole.
install_npm() {
  local making
  [ ! -d "$NPM" ] || return 0
  have npm || missing "npm is missing" || return
  making="$(mktemp -d)" || return
  echo "guest/build: getting AssemblyScript and componentize-qjs by npm" >&2
  if cp package.json package-lock.json .npmrc "$making" &&
    (cd "$making" && npm ci --ignore-scripts --no-audit --no-fund >&2) &&
    mkdir -p "${NPM%/*}" && move "$making/node_modules" "$NPM"; then
    rm -rf "$making"
  else
    rm -rf "$making"
    missing "npm could not install AssemblyScript and componentize-qjs"
  fi
}

# The cache may be on another disk than the temporary folder: no half copy is to be taken for the whole.
move() {
  rm -rf "$2.new" && cp -R "$1" "$2.new" && mv "$2.new" "$2"
}

# ---- from PyPI ----

version_python() {
  [ -x "$VENV/bin/componentize-py" ] && [ -f "$VENV/whole" ] ||
    missing "componentize-py is not in $VENV (guest/build --install gets it from PyPI)" || return
  echo "componentize-py $COMPONENTIZE_PY"
}

# 75 MB on disk. A virtual environment cannot be moved, so a file says that it is whole.
install_python() {
  [ ! -f "$VENV/whole" ] || return 0
  have "$PYTHON" || missing "python3 is missing (3.10 or later, with venv)" || return
  echo "guest/build: getting componentize-py $COMPONENTIZE_PY from PyPI" >&2
  if rm -rf "$VENV" && mkdir -p "$CACHE" && "$PYTHON" -m venv "$VENV" >&2 &&
    "$VENV/bin/pip" install --disable-pip-version-check --only-binary :all: -r requirements.txt >&2; then
    : >"$VENV/whole"
  else
    rm -rf "$VENV"
    missing "componentize-py $COMPONENTIZE_PY could not be installed from PyPI"
  fi
}
