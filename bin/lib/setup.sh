# shellcheck shell=bash
# Sets up what Wasgo is built with. Sourced after common.sh; the one function to call is `set_up`.
# Finds out what is missing first, and touches nothing when nothing is: a second run only looks.
# Must never install over an Elixir, Erlang or Rust that the user got in another way.

# Oldest versions that work; Rust's is in Cargo.toml.
WASGO_ELIXIR=1.14
WASGO_RUST=$(sed -n 's/^rust-version *= *"\(.*\)".*/\1/p' Cargo.toml | head -n 1)

# Parts of Erlang/OTP that Debian packages one by one, as erlang-NAME.
WASGO_OTP=(crypto ssl tools xmerl parsetools eunit)

# Filled by find_missing.
missing=()          # packages that must be there
missing_optional=() # packages that are taken where the distribution has them
problems=()         # what no package of the distribution mends, a sentence each

# set_up build|test: makes sure that what building needs is there (and what testing needs besides),
# or says what to do and exits.
set_up() {
  local purpose="$1"
  find_missing "$purpose"

  if [ ${#missing[@]} -gt 0 ] || optional_wanted; then
    install_missing
    find_missing "$purpose"
    [ ${#missing[@]} -eq 0 ] || die "still missing after the installation: ${missing[*]}"
  fi

  [ ${#problems[@]} -eq 0 ] || give_up
  fetch_optional
}

# Where Hex is there and answers, the optional dependencies are fetched, and compiled in from then on (mix.exs looks for what was
# fetched). Where it is not, Wasgo is built without them: that must not stop anything.
fetch_optional() {
  if [ "${WASGO_OPTIONAL_DEPS:-}" = 0 ] || [ -f mix.lock ] || ! has_hex; then return; fi
  say "Hex is there: fetching the optional dependencies"
  if ! WASGO_OPTIONAL_DEPS=1 timeout 120 mix deps.get </dev/null; then
    # Without the lock they are not listed.
    rm -f mix.lock
    say "they cannot be fetched now: building without them"
  fi
}

# Asked outside of the project, which would be read first.
has_hex() { (cd / && mix archive </dev/null 2>/dev/null) | grep -q '^\* hex-'; }

# Says all that stands in the way, not only the first thing.
give_up() {
  local problem
  for problem in "${problems[@]}"; do say "$problem"; done
  exit 1
}

find_missing() {
  missing=()
  missing_optional=()
  problems=()
  find_missing_beam "$1"
  if [ -z "${WASGO_PREBUILT:-}" ] || [ "$1" = test ]; then
    have "$(compiler CC cc)" || missing+=(gcc libc6-dev)
    have "$(compiler CXX c++)" || missing+=(g++)
    find_missing_rust
  fi
}

# compiler VARIABLE DEFAULT: the program that is named; the variable may hold arguments.
compiler() {
  local words
  read -r -a words <<<"${!1:-$2}"
  printf '%s\n' "${words[0]:-$2}"
}

find_missing_beam() {
  local application version

  if ! have elixir || ! have mix || ! have erl; then
    missing+=(elixir erlang-dev)
    for application in "${WASGO_OTP[@]}"; do missing+=("erlang-$application"); done
    [ "$1" != test ] || missing_optional+=(erlang-proper)
    return
  fi

  version=$(elixir --short-version 2>/dev/null || true)
  if ! at_least "$WASGO_ELIXIR" "${version:-0}"; then
    problems+=("Elixir ${version:-of unknown version} is on the PATH; Wasgo needs $WASGO_ELIXIR or later")
  fi

  for application in $(absent_applications "$1"); do
    if [ "$application" = proper ]; then
      ! beam_is_packaged || missing_optional+=(erlang-proper)
    elif beam_is_packaged; then
      missing+=("erlang-$application")
    elif [ "$application" != dev ]; then
      problems+=("the Erlang on the PATH lacks its application '$application': it was built without it")
    fi
  done
}

# Prints which of the Erlang applications are not there; with `test`, PropEr is one of them. The
# header files count as "dev"; they make a folder for every application, so a folder proves nothing.
absent_applications() {
  local names
  names=$(printf '%s,' "${WASGO_OTP[@]}")
  [ "$1" != test ] || names="${names}proper,"
  erl -noshell -eval "
    [io:format(\"~s~n\", [A]) || A <- [${names%,}],
      code:where_is_file(atom_to_list(A) ++ \".app\") =:= non_existing],
    filelib:is_file(filename:join([code:root_dir(), \"usr\", \"include\", \"erl_nif.h\"]))
      orelse filelib:wildcard(filename:join([code:root_dir(), \"erts-*\", \"include\", \"erl_nif.h\"])) =/= []
      orelse io:format(\"dev~n\"),
    halt()." </dev/null
}

# Whether the Erlang on the PATH is the distribution's own.
beam_is_packaged() { have dpkg && dpkg -S "$(readlink -f "$(command -v erl)")" >/dev/null 2>&1; }

find_missing_rust() {
  local version
  if ! have cargo; then
    problems+=("cargo is missing: install Rust $WASGO_RUST or later with rustup (https://rust-lang.org/tools/install), then open a new shell")
    return
  fi

  version=$(cargo --version 2>/dev/null | awk '{print $2}')
  if ! at_least "$WASGO_RUST" "${version%%-*}"; then
    problems+=("cargo ${version:-of unknown version} is on the PATH; Wasgo needs Rust $WASGO_RUST or later: run 'rustup update stable'")
  fi
}

# Optional packages alone are worth an installation only when it can be done at once: the package
# lists know them, and we may.
optional_wanted() {
  local package
  if [ ${#missing_optional[@]} -eq 0 ] || ! have apt-get || [ "$(id -u)" -ne 0 ]; then return 1; fi
  for package in "${missing_optional[@]}"; do packaged "$package" || return 1; done
}

# Whether the package lists hold the package. (No pipe into `grep -q`: it may leave before apt-cache has
# written all, which pipefail takes for a failure.)
packaged() {
  local policy
  policy=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null) || return 1
  case "$policy" in
    *"Candidate: (none)"*) return 1 ;;
    *"Candidate: "*) return 0 ;;
    *) return 1 ;;
  esac
}

install_missing() {
  local package
  if ! have apt-get; then
    problems+=("missing: ${missing[*]} (these are Debian's names, and there is no apt-get here: install an Elixir $WASGO_ELIXIR or later with all of Erlang/OTP, and a C compiler)")
    give_up
  fi

  if [ "$(id -u)" -ne 0 ]; then
    problems+=("packages are missing, and only root can install them. Run this line, then this command again:
sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}")
    give_up
  fi

  export DEBIAN_FRONTEND=noninteractive
  if [ ${#missing[@]} -gt 0 ]; then
    say "missing: ${missing[*]}"
    say "refreshing the package lists (apt-get update)"
    apt-get update -qq || say "not every package list could be refreshed; going on with those that are there"
  fi

  for package in ${missing_optional[@]+"${missing_optional[@]}"}; do
    if packaged "$package"; then missing+=("$package"); fi
  done

  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing (apt-get install): ${missing[*]}"
  apt-get install -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
    "${missing[@]}" >/dev/null
}
