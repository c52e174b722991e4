#!/usr/bin/env bash
# Builds the fuzzers and lets each run for so long: tests/fuzz/run.sh [seconds, 30] [exchange ..., all]
# Installs what is missing. Two run at a time. The last lines say what each did; the exit code is 1 if one found
# something, which then lies in the folder that is named, or did not run to its end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=30
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
exchanges=("$@")
if [[ $# -eq 0 ]]; then exchanges=(binance bybit okx kraken coinbase); fi
for exchange in "${exchanges[@]}"; do
  if [[ ! -d tests/fuzz/corpus/$exchange ]]; then
    printf 'There is no fuzzer of %s; see tests/fuzz/corpus\n' "$exchange"
    exit 2
  fi
done

app/install_packages.sh tests/fuzz/packages.txt
cmake --preset fuzz
cmake --build --preset fuzz --parallel "$(nproc)" --target "${exchanges[@]/%/_fuzzer}"

folder=$(mktemp -d -t breakwater-fuzz-XXXXXX)

# fuzz <exchange>: exits as the fuzzer does. What it invents goes to the folder, never to the corpus that is kept here.
fuzz() {
  mkdir -p "$folder/$1/found" "$folder/$1/corpus"
  # Small inputs need no long memory of what was freed; the default's 256 MB only make it slower.
  ASAN_OPTIONS=quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 \
    build/fuzz/tests/fuzz/"$1"_fuzzer -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
    -dict="tests/fuzz/dictionaries/$1.dict" -artifact_prefix="$folder/$1/found/" -print_final_stats=1 \
    "$folder/$1/corpus" "tests/fuzz/corpus/$1" &>"$folder/$1/log"
}

# tell <exchange>: one line of what its log says.
tell() {
  local log=$folder/$1/log executions covered broken
  # Without its final words, when it was ended, the last "#1234 NEW cov: 12 ft: 34" has to do.
  executions=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
  executions=${executions:-$(sed -n 's/^#\([0-9]*\)\s.*/\1/p' "$log" | tail -n 1)}
  covered=$(sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\) .*/\1 edges, \2 features/p' "$log" | tail -n 1)
  if [[ " $failed " == *" $1 "* && -z $(ls "$folder/$1/found") ]]; then
    printf '%s: STOPPED after %s executions, before its time, with nothing found: %s (%s)\n' "$1" "${executions:-0}" \
      "$(grep -m 1 'libFuzzer: ' "$log" || tail -n 1 "$log")" "$log"
  elif [[ " $failed " == *" $1 "* ]]; then
    broken=$(grep -m 1 -E '^BROKEN: |runtime error: |^SUMMARY: |ERROR: ' "$log" || tail -n 1 "$log")
    printf '%s: FOUND after %s executions: %s (%s)\n' "$1" "${executions:-0}" "$broken" "$log"
  else
    printf '%s: %s executions in %s s, %s, nothing found\n' "$1" "$executions" "$seconds" "$covered"
  fi
}

printf '== Fuzzing %s for %s s each, in %s\n' "${exchanges[*]}" "$seconds" "$folder"
failed=""
for ((i = 0; i < ${#exchanges[@]}; i += 2)); do
  declare -A running=()
  for exchange in "${exchanges[@]:i:2}"; do
    fuzz "$exchange" &
    running[$exchange]=$!
  done
  for exchange in "${!running[@]}"; do
    wait "${running[$exchange]}" || failed+=" $exchange"
  done
  unset running
done
for exchange in "${exchanges[@]}"; do tell "$exchange"; done
if [[ -n $failed ]]; then
  printf 'What it takes to see it again: build/fuzz/tests/fuzz/<exchange>_fuzzer %s/<exchange>/found/<file>\n' "$folder"
  exit 1
fi
rm -rf "$folder"
