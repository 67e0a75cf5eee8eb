#!/usr/bin/env bash
# Whether docker-compose reads the compose files, with each profile and with all of them, and Caddy its configuration.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh test

composers=(docker-compose)
# Where Docker has its own, that one too.
if docker compose version >/dev/null 2>&1; then composers+=("docker compose"); fi
profiles=(redis tls monitoring backup gpu)
empty=$(mktemp)
trap 'rm -f "$empty"' EXIT

for composer in "${composers[@]}"; do
  # shellcheck disable=SC2086 # two words, where Docker has its own
  compose() { env POSTGRES_PASSWORD=of-this-check $composer --env-file "$empty" -f docker-compose.yml "$@"; }
  compose config -q
  all=()
  for profile in "${profiles[@]}"; do
    compose --profile "$profile" config -q
    all+=(--profile "$profile")
  done
  compose "${all[@]}" config -q
  CPU_REPLICAS=0 compose --profile gpu config -q
  # shellcheck disable=SC2086
  $composer --env-file "$empty" -f docker-compose.example.yml config -q
  # Nothing starts with a password that everybody knows.
  # shellcheck disable=SC2086
  if env -u POSTGRES_PASSWORD $composer --env-file "$empty" -f docker-compose.yml config -q 2>/dev/null; then
    echo "error: the compose file does without POSTGRES_PASSWORD" >&2
    exit 1
  fi
  # What the environment says reaches the server; what it does not say is not there.
  told=$(MAX_SESSIONS=3 compose config)
  grep -q "MAX_SESSIONS: '3'\|MAX_SESSIONS: \"3\"" <<<"$told" || { echo "error: MAX_SESSIONS is not passed on" >&2; exit 1; }
  # Files that are mounted are there: compose would make folders of them.
  missing=$(sed -n 's|^ *- \(\./deploy/[^:]*\):.*|\1|p' docker-compose.yml | sort -u | while read -r path; do [ -e "$path" ] || echo "$path"; done)
  if [ -n "$missing" ]; then
    echo "error: docker-compose.yml mounts what is not there: $missing" >&2
    exit 1
  fi
  echo "$composer: docker-compose.yml (alone, ${profiles[*]}, all together) and docker-compose.example.yml are valid"
done

caddy=$(command -v caddy || echo .cache/unpacked/usr/bin/caddy)
validated=$("$caddy" validate --adapter caddyfile --config deploy/caddy/Caddyfile 2>&1) || { echo "$validated" >&2; exit 1; }
echo "caddy $("$caddy" version | cut -d' ' -f1): deploy/caddy/Caddyfile is valid"
