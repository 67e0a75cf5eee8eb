#!/usr/bin/env bash
# Every measurement of docs/benchmarks.md, in the order it stands there. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --bench vad
python=$(scripts/bench-python.sh)
BENCH_PYTHON=$python cargo bench --bench recognition
cargo bench --bench latency
cargo bench --bench latency -- --realtime
