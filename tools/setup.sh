#!/usr/bin/env bash
# Makes .venv hold exactly what requirements.lock says, and Joule itself. Usage: tools/setup.sh [--browser]
# Does nothing when nothing changed. --browser also makes sure of what only the tests need:
# a Chromium, gVisor, and Node with the servers of other people that Joule is tested against (tests/support/*/package-lock.json).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  local name
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if is_new_enough "$name"; then
      command -v "$name"
      return
    fi
  done
  return 1
}

can_make_environments() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

ensure_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then return; fi
  done
  tools/apt.sh chromium fonts-dejavu-core
}

# Sandboxes need it. Without it Joule runs, but runs no code: the tests need it, everybody else is told.
ensure_bubblewrap() {
  if command -v bwrap >/dev/null || tools/apt.sh bubblewrap; then return; fi
  [ "${1:-}" = "--browser" ] && fail "the tests need bubblewrap"
  say "without bubblewrap the agent runs no code; everything else works (joule sandbox probe says more)"
}

# A stronger boundary, where there is one to install: without it its tests say so, and pass.
ensure_gvisor() {
  if command -v runsc >/dev/null || tools/apt.sh runsc; then return; fi
  say "without gVisor (runsc) that kind of sandbox is not tested"
}

# Installs what each tests/support/*/package-lock.json pins, by hash and without running its scripts; once per lock.
ensure_peers() {
  local lock folder stamp wanted log
  for lock in tests/support/*/package-lock.json; do
    [ -e "$lock" ] || continue
    folder=$(dirname "$lock")
    stamp=$folder/node_modules/.joule-setup
    wanted=$(sha256sum <"$lock" | cut -d ' ' -f 1)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then continue; fi
    if ! { command -v node && command -v npm; } >/dev/null; then tools/apt.sh nodejs npm; fi
    say "installing $folder"
    log=$(mktemp)
    if ! npm ci --prefix "$folder" --omit-lockfile-registry-resolved=true --ignore-scripts --no-audit --no-fund >"$log" 2>&1; then
      tail -n 15 "$log" >&2
      rm -f "$log"
      fail "npm could not install $folder; its last words are above"
    fi
    rm -f "$log"
    printf '%s\n' "$wanted" >"$stamp"
  done
}

# Runs pip and counts packages as they are taken up; shows pip's own words only when it fails.
counted_pip() {
  local log total
  log=$(mktemp)
  total=$(grep -c '^[a-z0-9].*==' requirements.lock)
  if .venv/bin/python -m pip --disable-pip-version-check install --progress-bar off "$@" 2>&1 | tee "$log" | awk -v total="$total" '
      /^Collecting / { n++; if (n % 20 == 0) { printf "setup: %d of about %d packages\n", n, total > "/dev/stderr" } }
      /^Installing collected/ && n > 0 { print "setup: unpacking" > "/dev/stderr" }'; then
    rm -f "$log"
    return
  fi
  tail -n 25 "$log" >&2
  rm -f "$log"
  fail "pip could not install the locked packages; its last words are above"
}

ensure_bubblewrap "$@"
if [ "${1:-}" = "--browser" ]; then
  ensure_browser
  ensure_gvisor
  ensure_peers
fi

python=$(find_python) || { tools/apt.sh python3 python3-venv && python=$(find_python); } ||
  fail "Joule needs Python 3.11 or newer; install it, or name one: PYTHON=/path/to/python make setup"
can_make_environments "$python" || tools/apt.sh "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"

wanted=$(cat requirements.lock pyproject.toml | sha256sum | cut -d ' ' -f 1)
stamp=.venv/joule-setup
if [ -x .venv/bin/joule ] && is_new_enough .venv/bin/python && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

if ! { [ -x .venv/bin/pip ] && is_new_enough .venv/bin/python; }; then
  say "making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv
fi
say "installing locked packages into .venv (a few minutes the first time)"
counted_pip --require-hashes -r requirements.lock
counted_pip --no-deps --no-build-isolation -e .
printf '%s\n' "$wanted" >"$stamp"
say "ready"
