#!/usr/bin/env bash
# System packages, by apt where root or sudo is there, otherwise a message that lists them.
# Usage: scripts/deps.sh run|test|image
set -euo pipefail

# To build: whisper.cpp and espeak-ng (cmake, a C++ compiler, clang for bindings), OpenSSL for a build-time download helper that is never used.
run=(build-essential cmake clang libclang-dev libsonic-dev pkg-config libssl-dev python3 python3-pip)
# To test: other voices to listen to, tools that make and read recordings, a mail server's certificate, a browser, the databases
# (each test run starts its own), and what watches a server.
test=("${run[@]}" python3-venv openssl espeak-ng flite sox libsox-fmt-mp3 chromium postgresql redis-server systemd
      prometheus prometheus-alertmanager docker-compose)

# Tried, not installed: Debian's package of Caddy would open a web server on port 80. Unpacked into .cache/unpacked.
unpacked=()
# To build and try the image without Docker.
image=(buildah debootstrap python3 util-linux)

case "${1:-}" in
  run) wanted=("${run[@]}") ;;
  test) wanted=("${test[@]}"); unpacked=(caddy) ;;
  image) wanted=("${image[@]}") ;;
  *) echo "usage: $0 run|test|image" >&2; exit 64 ;;
esac

need() { command -v "$1" >/dev/null || { echo "error: $1 is missing; $2" >&2; exit 1; }; }
need cargo "install Rust from your distribution or with rustup"
[ "$1" != test ] || need node "install Node.js 20 or newer with npm"

if ! command -v dpkg-query >/dev/null; then
  echo "note: this is not Debian; make sure you have the equivalents of: ${wanted[*]}" >&2
  exit 0
fi
cache="$(cd "$(dirname "$0")/.." && pwd)/.cache"
for package in "${unpacked[@]}"; do
  if [ -e "$cache/unpacked/$package.done" ] || command -v "$package" >/dev/null; then continue; fi
  echo "unpacking $package"
  mkdir -p "$cache/unpacked"
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -qq "$package" 2>/dev/null) || {
    if [ "$(id -u)" -eq 0 ]; then apt-get update -qq; elif command -v sudo >/dev/null; then sudo apt-get update -qq; fi
    (cd "$folder" && apt-get download -qq "$package")
  }
  dpkg -x "$folder"/*.deb "$cache/unpacked"
  rm -rf "$folder"
  touch "$cache/unpacked/$package.done"
done

missing=()
for package in "${wanted[@]}"; do
  # dpkg-query knows removed packages too; only an installed one has this status.
  dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then as_root=(); elif command -v sudo >/dev/null; then as_root=(sudo); else
  echo "error: these packages are missing: ${missing[*]}" >&2
  echo "hint: as root, run: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
