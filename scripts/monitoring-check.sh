#!/usr/bin/env bash
# What Prometheus' and Alertmanager's own tools say of deploy/monitoring: configuration, rules, the alerts' tests.
set -euo pipefail
cd "$(dirname "$0")/../deploy/monitoring"
for tool in promtool amtool; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing; run \`make deps\`, or install prometheus and prometheus-alertmanager" >&2; exit 1; }
done
promtool check config prometheus.yml
promtool check rules rules/*.yml
promtool test rules tests/*.yml
amtool check-config alertmanager.yml
