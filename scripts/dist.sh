#!/usr/bin/env bash
# Makes what people install: a Debian package and a tarball, with their checksums, in dist/.
# Usage: scripts/dist.sh [--binary PATH] [--data FOLDER] [--onnxruntime FOLDER] [--output FOLDER] [--version VERSION] [--quick]
#
# Without --binary the program is built first, portable (scripts/portable-build.sh; AIGOLOS_CPU chooses the variant), and the
# espeak-ng-data of that build is taken. With it, --data says where espeak-ng-data lies, unless it is in the build folder beside the binary.
# --onnxruntime: a folder with libonnxruntime.so and its licences, such as lib/; neural voices work at once then. Default: lib/ where
# it is there. SOURCE_DATE_EPOCH makes the same files twice. --quick packs without compressing, to look at what is in it.
set -euo pipefail
cd "$(dirname "$0")/.."

binary='' data='' onnx=lib output=dist version='' packing=-Zxz level=-9
while [ $# -gt 0 ]; do
  if [ "$1" = --quick ]; then
    packing=-Znone level=-1
    shift
    continue
  fi
  [ $# -ge 2 ] || { echo "error: $1 needs a value" >&2; exit 64; }
  case "$1" in
    --binary) binary=$2 ;;
    --data) data=$2 ;;
    --onnxruntime) onnx=$2 ;;
    --output) output=$2 ;;
    --version) version=$2 ;;
    *) echo "usage: $0 [--binary PATH] [--data FOLDER] [--onnxruntime FOLDER] [--output FOLDER] [--version VERSION]" >&2; exit 64 ;;
  esac
  shift 2
done
fail() { echo "error: $1" >&2; [ -z "${2:-}" ] || echo "hint: $2" >&2; exit 1; }
command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing" "apt-get install dpkg"

if [ -z "$binary" ]; then
  # shellcheck source=scripts/portable-build.sh
  source scripts/portable-build.sh
  AIGOLOS_COMMIT=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  export AIGOLOS_COMMIT
  cargo build --release --locked --bin aigolos
  binary=${CARGO_TARGET_DIR:-target}/release/aigolos
fi
[ -x "$binary" ] || fail "$binary is not a program"
if [ -z "$data" ]; then
  data=$(find "$(dirname "$binary")/build" -path '*/espeak-rs-sys-*/out/share/espeak-ng-data/phondata' -printf '%T@ %h\n' 2>/dev/null | sort -rn | head -1 | cut -d' ' -f2-) || true
fi
[ -f "$data/phondata" ] || fail "no espeak-ng-data for $binary" "name its folder with --data"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
version=${version:-$("$binary" --version | awk '{print $2}')}
architecture=$(dpkg --print-architecture)
variant=${AIGOLOS_CPU:-}
maintainer='aigolos maintainers <aigolos@users.noreply.github.com>'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gz() { gzip -n "${1:--9}"; }
put() { install -D -m "$1" "$2" "$3"; } # mode, file, place

# ---------------------------------------------------------------- what both hold

common=$work/common
put 755 "$binary" "$common/bin/aigolos"
# Debug information is half of it.
strip --strip-all --remove-section=.comment --remove-section=.note "$common/bin/aigolos"
mkdir -p "$common/share/aigolos"
cp -R "$data" "$common/share/aigolos/espeak-ng-data"
aigolos() { (cd "$work" && env -i PATH="$PATH" "$common/bin/aigolos" "$@"); }
mkdir -p "$common/share/man/man1" "$common/completions"
aigolos man > "$common/share/man/man1/aigolos.1"
aigolos completions bash > "$common/completions/aigolos"
aigolos completions zsh > "$common/completions/_aigolos"
aigolos completions fish > "$common/completions/aigolos.fish"
if [ -f "$onnx/libonnxruntime.so" ]; then
  put 644 "$onnx/libonnxruntime.so" "$common/lib/aigolos/libonnxruntime.so"
  for notice in "$onnx"/onnxruntime-*.txt "$onnx"/onnxruntime-LICENSE; do
    [ ! -f "$notice" ] || put 644 "$notice" "$common/licences/$(basename "$notice")"
  done
else
  echo "note: no libonnxruntime.so in $onnx; Piper voices will need one (ORT_DYLIB_PATH)" >&2
fi

# ---------------------------------------------------------------- the Debian package

deb=$work/deb
mkdir -p "$deb/usr/bin" "$deb/usr/share/aigolos" "$deb/usr/share/doc/aigolos" "$deb/DEBIAN"
put 755 "$common/bin/aigolos" "$deb/usr/bin/aigolos"
cp -R "$common/share/aigolos/espeak-ng-data" "$deb/usr/share/aigolos/"
[ ! -d "$common/lib" ] || { mkdir -p "$deb/usr/lib"; cp -R "$common/lib/aigolos" "$deb/usr/lib/"; }
put 644 deploy/systemd/aigolos.service "$deb/lib/systemd/system/aigolos.service"
put 644 deploy/systemd/aigolos.sysusers "$deb/usr/lib/sysusers.d/aigolos.conf"
put 640 deploy/debian/aigolos.env "$deb/etc/aigolos/aigolos.env"
put 644 "$common/completions/aigolos" "$deb/usr/share/bash-completion/completions/aigolos"
put 644 "$common/completions/_aigolos" "$deb/usr/share/zsh/vendor-completions/_aigolos"
put 644 "$common/completions/aigolos.fish" "$deb/usr/share/fish/vendor_completions.d/aigolos.fish"
mkdir -p "$deb/usr/share/man/man1"
gz < "$common/share/man/man1/aigolos.1" > "$deb/usr/share/man/man1/aigolos.1.gz"
put 644 deploy/debian/copyright "$deb/usr/share/doc/aigolos/copyright"
for page in README.md docs/*.md .env.example; do put 644 "$page" "$deb/usr/share/doc/aigolos/$(basename "${page#.}")"; done
gz < CHANGELOG.md > "$deb/usr/share/doc/aigolos/CHANGELOG.md.gz"
printf 'aigolos (%s) unstable; urgency=medium\n\n  * What is new is in CHANGELOG.md.\n\n -- %s  %s\n' \
  "$version" "$maintainer" "$(date -R -d "@$SOURCE_DATE_EPOCH")" | gz > "$deb/usr/share/doc/aigolos/changelog.gz"
[ ! -d "$common/licences" ] || cp -R "$common/licences" "$deb/usr/share/doc/aigolos/onnxruntime"
find "$deb" -type d -exec chmod 755 {} +
find "$deb/usr/share" -type f -exec chmod 644 {} +

# The libraries that the binary asks the system for, as Debian names them.
mkdir -p "$work/debian" && printf 'Source: aigolos\n\nPackage: aigolos\nArchitecture: any\n' > "$work/debian/control"
depends=$( (cd "$work" && dpkg-shlibdeps -O --ignore-missing-info "$deb/usr/bin/aigolos" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p') || true
depends=${depends:-libc6, libgcc-s1, libstdc++6}
size=$(du -sk --exclude=DEBIAN "$deb" | cut -f1)
cat > "$deb/DEBIAN/control" <<CONTROL
Package: aigolos
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $size
Depends: $depends, adduser
Recommends: ca-certificates
Suggests: postgresql, redis-server
Section: sound
Priority: optional
Description: self-hosted realtime voice server
 Streams speech in, and transcripts, answers and speech back as they happen:
 a page for the browser, OpenAI's Realtime and REST interfaces, and Wyoming for
 home automation. Works offline with the small models inside; larger ones are
 fetched with "aigolos models pull".
CONTROL
echo /etc/aigolos/aigolos.env > "$deb/DEBIAN/conffiles"
for script in postinst prerm postrm; do put 755 "deploy/debian/$script" "$deb/DEBIAN/$script"; done
(cd "$deb" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) > "$deb/DEBIAN/md5sums"
chmod 644 "$deb/DEBIAN/md5sums" "$deb/DEBIAN/conffiles" "$deb/DEBIAN/control"
mkdir -p "$output"
package=$output/aigolos_${version}_${architecture}.deb
dpkg-deb --root-owner-group "$packing" --build "$deb" "$package" >/dev/null

# ---------------------------------------------------------------- the tarball

name=aigolos-$version-linux-${variant:-$(uname -m)}
tree=$work/$name
mkdir -p "$tree"
cp -R "$common/bin" "$common/share" "$tree/"
[ ! -d "$common/lib" ] || cp -R "$common/lib" "$tree/"
[ ! -d "$common/licences" ] || cp -R "$common/licences" "$tree/lib/aigolos/"
cp -R "$common/completions" "$tree/"
put 644 deploy/systemd/aigolos.service "$tree/systemd/aigolos.service"
put 644 deploy/systemd/aigolos.sysusers "$tree/systemd/aigolos.sysusers"
put 644 deploy/debian/INSTALL.md "$tree/INSTALL.md"
put 644 .env.example "$tree/env.example"
cp README.md LICENSE CHANGELOG.md "$tree/"
mkdir "$tree/docs" && cp docs/*.md "$tree/docs/"
tarball=$output/$name.tar.gz
tar --create --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" "$name" | gz "$level" > "$tarball"

(cd "$output" && sha256sum "$(basename "$package")" "$(basename "$tarball")" > SHA256SUMS)
cat "$output/SHA256SUMS"
