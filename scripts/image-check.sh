#!/usr/bin/env bash
# Builds the image and tries it, without Docker: on bases that debootstrap makes and with this machine's Rust, by buildah.
# Needs root on Debian and some 8 GB of disk in .cache/image-check, where bases and layers wait for the next time.
#
#   scripts/image-check.sh           build and try
#   scripts/image-check.sh bases     only make the bases
#   CPU=x86-64-v2 scripts/image-check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${IMAGE_CHECK_CACHE:-$PWD/.cache/image-check}
image=localhost/aigolos:check
run_base=localhost/aigolos-check-run
build_base=localhost/aigolos-check-build

say() { printf '\n== %s\n' "$*"; }
fail() { echo "error: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "this needs root, for debootstrap and chroot
hint: where Docker is, \`make image\` builds the image without it"
scripts/deps.sh image
mkdir -p "$cache"

driver=overlay
if [ ! -e "$cache/driver" ]; then
  # A container's own root is an overlay often enough, and those do not stack.
  printf 'FROM scratch\nCOPY x /\n' >"$cache/Dockerfile.try"
  touch "$cache/x"
  buildah --root "$cache/try" --runroot "$cache/try-run" --storage-driver overlay \
    bud --isolation chroot -f "$cache/Dockerfile.try" "$cache" >/dev/null 2>&1 || driver=vfs
  rm -rf "$cache/try" "$cache/try-run" "$cache/Dockerfile.try" "$cache/x"
  echo "$driver" >"$cache/driver"
fi
driver=$(cat "$cache/driver")
buildah() { command buildah --root "$cache/storage" --runroot "$cache/run" --storage-driver "$driver" "$@"; }
has_image() { buildah inspect --type image "$1" >/dev/null 2>&1; }

# ---- Bases: a Debian as small as debian:bookworm-slim, and the same with Rust.
if ! has_image "$run_base"; then
  say "a base, by debootstrap"
  [ -e "$cache/debian/etc/debian_version" ] ||
    debootstrap --variant=minbase bookworm "$cache/debian" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$cache/debootstrap.log" ||
    fail "debootstrap failed; see $cache/debootstrap.log"
  # What slim images leave out, now and in later installations.
  printf '%s\n' 'path-exclude /usr/share/doc/*' 'path-include /usr/share/doc/*/copyright' 'path-exclude /usr/share/man/*' \
    'path-exclude /usr/share/info/*' 'path-exclude /usr/share/locale/*' 'path-exclude /usr/share/lintian/*' \
    >"$cache/debian/etc/dpkg/dpkg.cfg.d/slim"
  find "$cache/debian/usr/share/doc" -type f ! -name copyright -delete
  rm -rf "$cache"/debian/usr/share/{man,info,locale,lintian}/* "$cache"/debian/var/lib/apt/lists/* \
    "$cache"/debian/var/cache/apt/{archives/*.deb,*.bin} "$cache"/debian/var/log/*
  container=$(buildah from scratch)
  buildah copy -q "$container" "$cache/debian" / >/dev/null
  buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  buildah commit -q --rm "$container" "$run_base" >/dev/null
  rm -rf "$cache/debian"
fi
if ! has_image "$build_base"; then
  say "the same with $(rustc --version)"
  container=$(buildah from "$run_base")
  buildah run --isolation chroot --network host "$container" -- sh -ec \
    'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates' >/dev/null
  root=$(buildah mount "$container")
  toolchain=$(rustc --print sysroot)
  cp -a "$toolchain"/{bin,lib,libexec} "$root/usr/local/"
  # How this machine reaches package indexes. Only the image that compiles has it, and it is thrown away.
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
  buildah umount "$container" >/dev/null
  buildah commit -q --rm "$container" "$build_base" >/dev/null
fi
[ "${1:-}" != bases ] || exit 0

# ---- The image
say "the image"
began=$SECONDS
buildah bud --isolation chroot --network host --layers --format docker \
  --build-arg BUILD_IMAGE="$build_base" --build-arg RUN_IMAGE="$run_base" --build-arg CPU="${CPU:-}" \
  --build-arg VERSION="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" \
  --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
  --tag "$image" . >"$cache/build.log" 2>&1 || { tail -n 40 "$cache/build.log" >&2; fail "the image does not build; all of it is in $cache/build.log"; }
echo "built in $((SECONDS - began)) s"

say "trying it"
scripts/image-try.sh
