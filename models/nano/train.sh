#!/bin/sh
# Train, export and evaluate the nano model with one command:
#
#   models/nano/train.sh [WORK_FOLDER]
#
# Needs Python 3.11 or newer and the Debian packages espeak-ng flite festival
# festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts. Everything is written to
# WORK_FOLDER (default: /tmp/aigolos-nano); the committed model is not touched.
#
# Settings (environment): MINUTES of training (60), UTTERANCES in all (36000),
# JOBS that make data at once (2), FROM_SCRATCH=1 to ignore the committed weights.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-/tmp/aigolos-nano}
minutes=${MINUTES:-60}
utterances=${UTTERANCES:-36000}
jobs=${JOBS:-2}
export PYTHONDONTWRITEBYTECODE=1
# Large arrays come and go at every step; giving them back to the system each time
# costs a quarter of the training speed.
GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0
GLIBC_TUNABLES=$GLIBC_TUNABLES:glibc.malloc.trim_threshold=34359738368
export GLIBC_TUNABLES

mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q -r "$here/requirements.txt"
fi
python=$work/venv/bin/python

shards=
seed=1
pids=
while [ "$seed" -le "$jobs" ]; do
    shard=$work/shard$seed
    shards="$shards $shard"
    if [ ! -f "$shard.pkl" ]; then
        "$python" "$here/make_data.py" --seed "$seed" --count $((utterances / jobs)) \
            --out "$shard" &
        pids="$pids $!"
    fi
    seed=$((seed + 1))
done
for pid in $pids; do wait "$pid"; done

# shellcheck disable=SC2086  # shards are separate words
"$python" "$here/train.py" --shards $shards --minutes "$minutes" --out "$work/nano" \
    ${FROM_SCRATCH:+--from-scratch}

[ -f "$work/test/test.tsv" ] || "$python" "$here/testset.py" "$work/test"
"$python" "$here/evaluate.py" --test "$work/test" \
    "$here/aigolos-nano-en-q5_1.bin" "$work/nano-q5_1.bin"
echo "The new model is $work/nano-q5_1.bin"
