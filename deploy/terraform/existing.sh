#!/usr/bin/env bash
# What install.sh and cleanup.sh do with a cluster that exists: it and what others run in it stay as they are.
# Sourced by both.
# shellcheck disable=SC2034 # the sourcing scripts use the variables

install_into_existing() {
  connect || die 21 "The API server of the cluster $EXISTING_CLUSTER does not answer: is its name right, may your address reach it, and has your role an access entry?"
  confirm "Create the model store, the registry and two roles for the cluster $EXISTING_CLUSTER in $REGION, and the namespace $NAMESPACE in it?"
  STAGES=2
  stage everything "the model store, about 2 minutes" apply_everything
  stage objects "namespace, model store, token" put_objects
  say ""
  say "What the cluster lacks: neuron-gateway doctor --cluster (see deploy/README.md)"
}

leave_existing() {
  print_what_is_kept
  [ -n "$PLAN_ONLY" ] ||
    confirm "Delete the namespace $NAMESPACE of the cluster $EXISTING_CLUSTER with all that runs in it?"
  STAGES=2
  stage workloads "the service and its namespace, up to 20 minutes" delete_our_namespace
  stage destroy "the roles of its pods" destroy_beside_existing
  [ -z "$PLAN_ONLY" ] || say "Nothing was changed."
  report_kept
}

# Load balancers of the namespace are deleted by their controller, before the namespace is gone.
delete_our_namespace() {
  if ! connect; then
    [ -n "$FORCE" ] || die 21 "The API server of the cluster $EXISTING_CLUSTER does not answer. Fix that, or continue without it with --force: the namespace $NAMESPACE then stays."
    warn "The cluster $EXISTING_CLUSTER does not answer; its namespace $NAMESPACE stays."
    return 0
  fi
  delete_all rayservices.ray.io --namespace "$NAMESPACE"
  change k delete namespace "$NAMESPACE" --ignore-not-found --timeout=12m || warn "The namespace $NAMESPACE still exists; continuing."
}

destroy_beside_existing() {
  try_destroy module.image_build
  destroy_access
  [ -z "$DELETE_MODELS" ] || delete_models
}
