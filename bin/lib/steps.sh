# shellcheck shell=bash
# Runs named steps one after the other, tells how long each took, and closes with a table. Sourced
# after common.sh.
# After the first failure nothing more is run, but the table always comes.

WASGO_BEGIN=$SECONDS
step_count=0
failed=0
step_skipped='' # a step that finds that it has nothing to do says why here
table=()        # name|result|time or reason, in order
notes=()        # what the closing lines say besides

# step NAME COMMAND...: runs the command unless a step before has failed.
step() {
  local name="$1" begin=$SECONDS status=0
  shift
  step_count=$((step_count + 1))
  if [ "$failed" -ne 0 ]; then
    table+=("$name|not run|")
    return
  fi

  heading "$name"
  step_skipped=''
  "$@" || status=$?
  if [ "$status" -eq 0 ] && [ -n "$step_skipped" ]; then
    table+=("$name|skipped|$step_skipped")
  elif [ "$status" -eq 0 ]; then
    table+=("$name|ok|$((SECONDS - begin)) s")
  else
    failed=$status
    table+=("$name|FAILED|$((SECONDS - begin)) s, exit status $status")
  fi
}

# skip NAME REASON: a step that is left out, and why.
skip() {
  step_count=$((step_count + 1))
  table+=("$1|skipped|$2")
}

heading() { printf '\n== %d. %s (after %d s)\n' "$step_count" "$1" "$((SECONDS - WASGO_BEGIN))"; }

# note TEXT: a line for the end.
note() { notes+=("$1"); }

# Prints the table and the notes; the result is that of the first failure.
finish() {
  local row name result detail line
  printf '\n== Summary (%d s)\n' "$((SECONDS - WASGO_BEGIN))"
  for row in "${table[@]}"; do
    IFS='|' read -r name result detail <<<"$row"
    printf '  %-28s %-8s %s\n' "$name" "$result" "$detail"
  done
  for line in ${notes[@]+"${notes[@]}"}; do printf '%s\n' "$line"; done
  if [ "$failed" -eq 0 ]; then
    printf 'All that was run has passed.\n'
  else
    printf 'FAILED.\n'
  fi
  return "$failed"
}
