#!/usr/bin/env bash
# preStop hook of a Ray node: Serve starts its replicas elsewhere and finishes the streams here. Ray stops
# after the given number of seconds.
set -euo pipefail
seconds=$1
# Serve drains a replica for limits.max_request_seconds and 30. While more than that is left it starts another
# one first: here for two minutes, since there may be no node for it.
patience=630

ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "the pod is to stop" \
  --deadline-remaining-seconds "$((patience + 120))"
SECONDS=0
while pgrep -f '^ray::ServeReplica' >/dev/null && ((SECONDS < seconds)); do
  sleep 1
done
ray stop
