#!/usr/bin/env bash
# Makes the Python environment that the recognition bench compares itself with, once, and prints its interpreter:
#   BENCH_PYTHON=$(scripts/bench-python.sh) cargo bench --bench recognition
set -euo pipefail
cd "$(dirname "$0")/.."
folder=.cache/bench-python
wanted=$(sha256sum benches/recognition/requirements.txt)
if [[ ! -f $folder/made || $(<"$folder/made") != "$wanted" ]]; then
    rm -rf "$folder"
    python3 -m venv "$folder" >&2
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r benches/recognition/requirements.txt >&2
    printf '%s' "$wanted" >"$folder/made"
fi
printf '%s\n' "$PWD/$folder/bin/python"
