#!/usr/bin/env bash
# Installs Debian packages, as root or through sudo. Usage: tools/apt.sh PACKAGE...
# Fails with what to type by hand when neither is possible.
set -euo pipefail

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

command -v apt-get >/dev/null || fail "this machine has no apt-get; install these by hand, then run make again: $*"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "needs root or sudo; ask an administrator to run: apt-get install $*"
  as_root=(sudo)
  # Without a terminal nobody can type a password: fail at once instead of hanging.
  [ -t 0 ] || as_root=(sudo -n)
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
printf 'setup: installing %s (apt)\n' "$*" >&2
for attempt in 1 2 3; do
  if "${as_root[@]}" apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
    exit 0
  fi
  # The package lists may be missing or stale, or another apt may hold the lock.
  "${as_root[@]}" apt-get update >>"$log" 2>&1 || sleep $((attempt * 5))
done
tail -n 20 "$log" >&2
fail "apt-get could not install $*; its last words are above"
