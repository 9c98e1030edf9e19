#!/usr/bin/env bash
# Before a Ray node stops: Serve starts its replicas elsewhere, and lets the streams here end. After
# so many seconds Ray stops, whatever is left.
set -euo pipefail
seconds=$1
# Serve's own patience with a replica, limits.max_request_seconds and 30. While more than that is left it first
# starts another; here for two minutes, since there may be no node for one.
patience=630

ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION --reason-message "the pod is to stop" \
  --deadline-remaining-seconds "$((patience + 120))"
SECONDS=0
while pgrep -f '^ray::ServeReplica' >/dev/null && ((SECONDS < seconds)); do
  sleep 1
done
ray stop
