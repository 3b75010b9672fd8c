# shellcheck shell=bash
# What every command in bin/ starts with: the project's root, words to the user, a UTF-8 locale.
# Sourced, with `set -euo pipefail` in force. Works with the bash 3.2 of macOS.

WASGO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$WASGO_ROOT" || exit 1

say() { printf 'wasgo: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least WANTED FOUND: whether version FOUND is WANTED or later.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# Prints the comment at the head of the calling script: it is its help.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$WASGO_ROOT/bin/${0##*/}"; }

# Erlang takes the encoding of file names from the locale, and Elixir warns on anything but UTF-8.
case "${LC_ALL:-${LC_CTYPE:-${LANG:-}}}" in
  *UTF-8* | *utf8* | *UTF8* | *utf-8*) ;;
  *)
    export LANG=C.UTF-8
    [ -z "${LC_ALL:-}" ] || export LC_ALL=C.UTF-8
    [ -z "${LC_CTYPE:-}" ] || export LC_CTYPE=C.UTF-8
    export ELIXIR_ERL_OPTIONS="${ELIXIR_ERL_OPTIONS:+$ELIXIR_ERL_OPTIONS }+fnu"
    ;;
esac

# A closed standard input (some CI systems) confuses what asks whether it is a terminal.
if ! { true <&0; } 2>/dev/null; then exec </dev/null; fi

# rustup puts cargo here, and on the PATH of new shells only.
if ! have cargo && [ -x "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" ]; then
  export PATH="${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH"
fi
