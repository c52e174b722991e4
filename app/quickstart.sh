#!/usr/bin/env bash
# Everything a fresh Debian 12 machine needs, then the demo. Arguments go to it: app/quickstart.sh --for 20s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n==> %s\n' "$*"; }

say "1/3 Packages: installing what is missing of app/packages.txt"
app/install_packages.sh

say "2/3 Building build/release/breakwater (the first time takes some minutes)"
cmake --preset release
cmake --build --preset release --target breakwater

say "3/3 Starting the demo: breakwater demo $*"
exec build/release/breakwater demo "$@"
