#!/usr/bin/env bash
# Installs the Debian packages of packages.txt, and of further lists that are named, that this machine lacks. Does
# nothing when all are there. quickstart.sh and tests/run.sh call it. Needs root or sudo only if something is missing.
set -euo pipefail

lists=("$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/packages.txt" "$@")
policy=/usr/sbin/policy-rc.d

say() { printf '== %s\n' "$*"; }

as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

if ! command -v dpkg-query >/dev/null; then
  say "This is no Debian. Install what corresponds to the packages in ${lists[*]}, then build with CMake."
  exit 1
fi

missing=()
while read -r package; do
  if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed* ]]; then
    missing+=("$package")
  fi
done < <(sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "${lists[@]}")

if [[ ${#missing[@]} -eq 0 ]]; then
  say "All Debian packages are installed."
  exit 0
fi

if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
  say "Packages are missing, and installing them takes root. As root: apt-get install ${missing[*]}"
  exit 1
fi

say "Installing what is missing: ${missing[*]}"
# Some of these packages start a service: redis-server on port 6379, prometheus on 9090. Nobody asked for those, so they
# are kept from starting now (by a policy that is there only while we install) and with the next boot.
new_services=()
for service in redis-server prometheus; do
  if [[ " ${missing[*]} " == *" $service "* ]]; then new_services+=("$service"); fi
done
if [[ ${#new_services[@]} -gt 0 && ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f "$policy"' EXIT
fi

apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
as_root "${apt[@]}" update || say "The package lists could not be refreshed; trying with those at hand."
as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}"

if [[ -d /run/systemd/system ]]; then
  for service in "${new_services[@]}"; do
    as_root systemctl disable --now "$service.service"
    say "The $service service, new with its package, is off: systemctl enable --now $service starts it."
  done
fi
