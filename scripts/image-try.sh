#!/usr/bin/env bash
# Tries the image that scripts/image-check.sh built: as its own user, on a read-only root, without a network, with nothing
# writable but /data and /tmp. Prints what it is asked, what it answers and how large it is.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${IMAGE_CHECK_CACHE:-$PWD/.cache/image-check}
driver=$(cat "$cache/driver")
buildah() { command buildah --root "$cache/storage" --runroot "$cache/run" --storage-driver "$driver" "$@"; }

work=$(mktemp -d)
image=$(buildah from localhost/aigolos:check)
base=$(buildah from localhost/aigolos-check-run)
trap 'buildah umount "$image" "$base" >/dev/null 2>&1 || true; buildah rm "$image" "$base" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
root=$(buildah mount "$image")
plain=$(buildah mount "$base")
buildah inspect --type image localhost/aigolos:check >"$work/image.json"
# A voice that hums, to see that Piper's library is there and opens.
mkdir -p "$work/models/piper" "$work/data"
cp models/test-voice/tone.onnx models/test-voice/tone.onnx.json "$work/models/piper/"
chown 10001:10001 "$work/data"
chmod 755 "$work" "$work/data"

unshare --mount --pid --fork --net --kill-child python3 scripts/image_try.py "$root" "$work"

echo
echo "size, in MB (10^6 bytes):"
mb() { awk -v bytes="$1" -v what="$2" 'BEGIN { printf "%8.1f  %s\n", bytes / 1e6, what }'; }
bytes() { du -sb --one-file-system "$@" 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'; }
all=$(bytes "$root")
debian=$(bytes "$plain")
ours=$(bytes "$root/opt/aigolos")
mb "$debian" "Debian: the base, here made by debootstrap"
mb $((all - debian - ours)) "packages on it: curl, tini and what they need"
mb "$(bytes "$root/opt/aigolos/aigolos")" "the program"
mb "$(bytes "$root/opt/aigolos/lib")" "ONNX Runtime, for Piper voices"
mb "$(bytes "$root/opt/aigolos/espeak-ng-data")" "espeak-ng's voices"
mb "$all" "together"
