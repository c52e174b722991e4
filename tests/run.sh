#!/usr/bin/env bash
# Everything a fresh Debian 12 needs, then all tests: installs what is missing, builds the release preset, runs CTest.
# The last line is "N passed, N failed", with ", N skipped" if there are any; the exit code is 0 when none failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tests/run_preset.sh

app/install_packages.sh tests/packages.txt
run_preset release
print_counts
