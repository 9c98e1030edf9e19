#!/usr/bin/env bash
# Before a Ray node stops: Serve starts its replicas elsewhere, then lets the streams here end. Where
# no other node takes them they go on here for so many seconds, then Ray stops under them.
set -euo pipefail
seconds=$1

ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "the pod is to stop" \
  --deadline-remaining-seconds "$seconds"
SECONDS=0
while pgrep -f '^ray::ServeReplica' >/dev/null && ((SECONDS < seconds)); do
  sleep 1
done
ray stop
