#!/usr/bin/env bash
# Makes the Python environment of `make quality`, once, and prints its interpreter. With `peers` also the programs it compares
# with (quality/requirements-peers.txt), in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
lists=(quality/requirements.txt)
folder=.cache/quality
if [[ ${1:-} == peers ]]; then
    lists+=(quality/requirements-peers.txt)
    folder=.cache/quality-peers
fi
wanted=$(cat "${lists[@]}" | sha256sum)
if [[ ! -f $folder/made || $(<"$folder/made") != "$wanted" ]]; then
    rm -rf "$folder"
    python3 -m venv "$folder" >&2
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-virtualenv "${lists[@]/#/-r}" >&2
    printf '%s' "$wanted" >"$folder/made"
fi
printf '%s\n' "$PWD/$folder/bin/python"
