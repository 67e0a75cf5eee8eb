#!/usr/bin/env bash
# The environment of a build that runs on other machines than the one that builds it. Without it whisper.cpp is built for
# exactly this processor (-march=native) and dies of an illegal instruction on an older one.
#
# Usage: scripts/portable-build.sh COMMAND...    such as: scripts/portable-build.sh cargo build --release --locked
#    or: source scripts/portable-build.sh        in a shell that builds
#
# AIGOLOS_CPU chooses the variant:
#   x86-64-v3  (default on x86-64) AVX2, FMA, F16C, BMI2: Intel since 2013, AMD since 2015
#   x86-64-v2  SSE 4.2 only: any x86-64 since 2009 or so; recognition takes several times as long
#   armv8-a    (default on ARM) any 64-bit ARM
#   native     this machine's processor: fastest here, nowhere else
# The binary knows its variant and says at its start what the processor lacks.

cpu=${AIGOLOS_CPU:-}
if [ -z "$cpu" ]; then
  case "$(uname -m)" in
    x86_64) cpu=x86-64-v3 ;;
    aarch64) cpu=armv8-a ;;
    *) cpu=generic ;;
  esac
fi
wide=ON
case "$cpu" in
  x86-64-v3) ;;
  x86-64-v2 | armv8-a | generic) wide=OFF ;;
  native) ;;
  *) echo "error: AIGOLOS_CPU=$cpu is not known
hint: x86-64-v3, x86-64-v2, armv8-a or native" >&2
    # Sourced or run, nothing shall be built.
    # shellcheck disable=SC2317
    return 64 2>/dev/null || exit 64 ;;
esac

export AIGOLOS_CPU=$cpu
if [ "$cpu" = native ]; then
  export GGML_NATIVE=ON
else
  # All are given, since whisper.cpp turns its defaults around where SOURCE_DATE_EPOCH is set.
  export GGML_NATIVE=OFF
  if [ "$(uname -m)" = x86_64 ]; then
    export GGML_SSE42=ON GGML_AVX=$wide GGML_AVX2=$wide GGML_FMA=$wide GGML_F16C=$wide GGML_BMI2=$wide
  fi
  # Rust's own code stays at the target's baseline; its libraries look at the processor when they run.
  unset RUSTFLAGS CARGO_BUILD_RUSTFLAGS
fi
# The whisper crate does not notice that these changed, so each variant is built in a folder of its own.
if [ -z "${AIGOLOS_TARGET_GIVEN:-}" ]; then
  CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/$cpu
  export CARGO_TARGET_DIR AIGOLOS_TARGET_GIVEN=1
fi

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  [ $# -gt 0 ] || { echo "usage: $0 COMMAND..." >&2; exit 64; }
  exec "$@"
fi
