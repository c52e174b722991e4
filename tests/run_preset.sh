# shellcheck shell=bash
# For run.sh and .ci/run, to be sourced in the repository's root: builds a CMake preset, runs its tests and counts.

passed=0
failed=0
skipped=0

# run_preset <preset> [ctest options]: a build that fails counts as one failed test.
run_preset() {
  local preset=$1 log tests failures skips
  shift
  log=$(mktemp)
  printf '== Configuring and building %s\n' "$preset"
  if ! { configure_preset "$preset" && build_preset "$preset" "$@"; }; then
    printf '== The %s build failed\n' "$preset"
    failed=$((failed + 1))
    rm -f "$log"
    return
  fi
  printf '== Testing %s\n' "$preset"
  # Counted below, from what ctest says, so its exit code is not needed.
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j4 "$@" 2>&1 | tee "$log" || true
  tests=$(sed -n 's/.* tests failed out of \([0-9]*\)$/\1/p' "$log")
  failures=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of .*/\1/p' "$log")
  skips=$(grep -c '\*\*\*Skipped' "$log" || true)
  rm -f "$log"
  if [[ -z $tests ]]; then
    printf '== No test of %s ran\n' "$preset"
    failed=$((failed + 1))
    return
  fi
  passed=$((passed + tests - failures - skips))
  failed=$((failed + failures))
  skipped=$((skipped + skips))
}

configure_preset() { cmake --preset "$1"; }

# Everything, or with ctest options only the programs of the tests they choose: sanitizer builds are slow.
build_preset() {
  local preset=$1
  shift
  local build=(cmake --build --preset "$preset" --parallel "$(nproc)")
  if [[ $# -gt 0 ]]; then
    local targets
    # breakwater_test() names program and test alike.
    targets=$(ctest --test-dir "build/$preset" -N "$@" | sed -n 's/^ *Test *#[0-9]*: //p')
    # shellcheck disable=SC2206 # names without spaces
    build+=(--target $targets)
  fi
  "${build[@]}"
}

# The last line, and the exit code that goes with it.
print_counts() {
  local line="$passed passed, $failed failed"
  if [[ $skipped -gt 0 ]]; then line+=", $skipped skipped"; fi
  printf '%s\n' "$line"
  [[ $failed -eq 0 ]]
}
