#!/usr/bin/env bash
# Delete the cluster in phases; each waits for its effect. A second run deletes what is left.
set -euo pipefail

CALLER=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=leftovers.sh
. ./leftovers.sh
# shellcheck source=existing.sh
. ./existing.sh
DELETE_MODELS='' FORCE='' CLUSTER='' FAILED=''
# Seconds between two polls; 0 in tests.
PAUSE=${CLEANUP_PAUSE:-15}

usage() {
  cat <<'TEXT'
Usage: ./cleanup.sh [--plan-only] [--yes] [--delete-models] [--force] [--var-file FILE]

Deletes what install.sh created and what the cluster created: load balancers, nodes, volumes. It takes
about 20 minutes, and works where the cluster is incomplete or gone. Run it again after a failure: it
deletes what is left. Of an existing_cluster_name it deletes the namespace neuron-gateway alone.

  --plan-only      print what would be done; nothing is changed
  --yes            do not ask (also --auto-approve); needed where there is no terminal
  --delete-models  delete the bucket of weights and compiled artifacts and the images as well.
                   Without it they are kept, for $0.023 and $0.10 per GB and month, and the next
                   ./install.sh uses them again
  --force          continue although the cluster exists and its API server does not answer: its
                   instances and load balancers are deleted through the AWS API
  --var-file FILE  the variables that install.sh was given (default: blueprint.tfvars)

Status: 0 done, 2 wrong argument, 10 tool missing or too old, 11 no credentials, 12 no region,
16 cannot ask, 17 answered no, 18 terraform init failed, 19 the state is not this cluster's, 20 a
phase failed, 21 the cluster does not answer, 30 something that costs money is left, 130 interrupted.
TEXT
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
    --plan-only) PLAN_ONLY=yes ;;
    --yes | --auto-approve) YES=yes ;;
    --delete-models) DELETE_MODELS=yes ;;
    --force) FORCE=yes ;;
    --var-file=*) take_var_file "${1#*=}" ;;
    --var-file)
      [ $# -ge 2 ] || die 2 "--var-file wants the name of a file."
      take_var_file "$2"
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) die 2 "There is no argument $1. See: $SCRIPT --help" ;;
    esac
    shift
  done
}

# change COMMAND...: run a command that changes something, or print it under --plan-only.
change() {
  if [ -n "$PLAN_ONLY" ]; then
    say "  would: $*" | sed -e 's/: k /: kubectl /' -e 's/: destroy_now/: terraform destroy/'
  else
    "$@"
  fi
}

# wait_for_none WHAT TIMES COMMAND...: wait until the command succeeds and prints nothing.
wait_for_none() {
  local what=$1 times=$2 found
  shift 2
  [ -z "$PLAN_ONLY" ] || return 0
  while [ "$times" -gt 0 ]; do
    if found=$("$@") && [ -z "$found" ]; then return 0; fi
    times=$((times - 1))
    say "  waiting for $what"
    sleep "$PAUSE"
  done
  warn "$what were not deleted in time."
  return 1
}

cluster_status() {
  local answer
  if answer=$(aws eks describe-cluster --name "$NAME" --query cluster.status --output text 2>&1); then
    say "$answer"
    return 0
  fi
  case $answer in
  *ResourceNotFoundException*) say NONE ;;
  *) die 11 "EKS did not answer whether the cluster $NAME exists: $answer" ;;
  esac
}

# Set CLUSTER to none, silent or reachable.
find_cluster() {
  local status
  status=$(cluster_status)
  CLUSTER=none
  [ "$status" != NONE ] || return 0
  in_state module.eks ||
    die 19 "The cluster $NAME exists in $REGION and is not in the state of this folder: run $SCRIPT in the folder where install.sh ran, or copy that folder's terraform.tfstate here."
  CLUSTER=reachable
  connect || not_answering "$status"
}

# A cluster that is being created or deleted cannot answer; an active one should.
not_answering() {
  CLUSTER=silent
  [ "$1" != ACTIVE ] || [ -n "$FORCE" ] ||
    die 21 "The API server of the cluster $NAME does not answer: is your address in public_access_cidrs (curl -s https://checkip.amazonaws.com prints it), and has your role an access entry of the cluster? Fix that, or continue without the API server with --force."
  warn "The cluster $NAME does not answer; its instances are terminated through EC2."
}

# delete_all KIND [OPTION...]: delete every object of a kind; succeeds where there is none.
delete_all() {
  local found
  found=$(k get "$@" --output name 2>/dev/null) || return 0
  [ -n "$found" ] || return 0
  change k delete "$@" --all --timeout=10m || warn "Not all of $1 could be deleted; continuing."
}

balanced_services() {
  k get services --all-namespaces \
    --output 'jsonpath={range .items[?(@.spec.type=="LoadBalancer")]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}'
}

delete_workloads() {
  case $CLUSTER in
  none) say "  There is no cluster: nothing to delete in it." ;;
  silent) say "  The cluster does not answer: its pods end with its nodes." ;;
  reachable) delete_objects ;;
  esac
}

delete_objects() {
  local service
  delete_all rayservices.ray.io --all-namespaces
  delete_all rayjobs.ray.io --all-namespaces
  delete_all rayclusters.ray.io --all-namespaces
  delete_all ingresses.networking.k8s.io --all-namespaces
  for service in $(balanced_services); do
    change k delete service "${service#*/}" --namespace "${service%/*}" --timeout=10m || warn "$service could not be deleted; continuing."
  done
  change k delete namespace "$NAMESPACE" --ignore-not-found --timeout=12m || warn "The namespace $NAMESPACE still exists; continuing."
  wait_for_none "load balancers" 40 load_balancers || each load_balancers delete_load_balancer
}

node_claims() { k get nodeclaims.karpenter.sh --output name; }

# Remove the finalizers where Karpenter cannot; the instances are terminated by their tag below.
force_node_claims() {
  local claim
  for claim in $(node_claims); do
    change k patch "$claim" --type merge --patch '{"metadata":{"finalizers":null}}' || warn "$claim could not be changed; continuing."
  done
}

remove_node_pools() {
  k get customresourcedefinition nodeclaims.karpenter.sh >/dev/null 2>&1 || return 0
  change k delete nodepools.karpenter.sh --all --wait=false || warn "The node pools could not be deleted; continuing."
  wait_for_none "nodes of Karpenter" 80 node_claims || force_node_claims
  # Before Karpenter stops: it deletes the instance profile of each class.
  delete_all ec2nodeclasses.karpenter.k8s.aws
  change k scale deployment karpenter --namespace kube-system --replicas=0 || warn "Karpenter could not be stopped; continuing."
}

# Karpenter cannot be stopped through a silent API server. Without its permissions it cannot create the
# nodes again.
disarm_karpenter() {
  forget_charts
  each instance_profiles delete_instance_profile
  try_destroy module.karpenter || warn "Not all of Karpenter's permissions could be deleted; continuing."
}

end_instances() {
  local left
  left=$(instances) || return 1
  [ -n "$left" ] || return 0
  # shellcheck disable=SC2086 # one argument per instance
  change aws ec2 terminate-instances --instance-ids $left --output text || return 1
  # shellcheck disable=SC2086
  change aws ec2 wait instance-terminated --instance-ids $left
}

delete_nodes() {
  case $CLUSTER in
  reachable) remove_node_pools ;;
  silent) disarm_karpenter ;;
  esac
  end_instances
  each instance_profiles delete_instance_profile
}

destroy_now() { make_plan -destroy "$@" && do_plan; }

# Terraform cannot uninstall a chart from a cluster that is gone or silent: remove it from the state.
forget_charts() {
  local chart
  for chart in $(printf '%s\n' "$STATE" | grep helm_release || true); do
    change terraform state rm "$chart"
  done
  STATE=$(printf '%s\n' "$STATE" | grep -v helm_release || true)
}

# try_destroy ADDRESS...: try three times, since AWS deletes some resources only after a while.
try_destroy() {
  local address times=3 wanted=''
  TARGETS=()
  for address in "$@"; do
    TARGETS+=("-target=$address")
    if in_state "$address"; then wanted=yes; fi
  done
  [ -n "$wanted" ] || return 0
  while ! change destroy_now "${TARGETS[@]}"; do
    times=$((times - 1))
    [ "$times" -gt 0 ] || return 1
    warn "Not everything could be destroyed; trying again."
    sleep "$PAUSE"
    if [ "$1" = module.vpc ]; then sweep_network; fi
  done
}

destroy_access() {
  try_destroy module.model_store.aws_eks_pod_identity_association.access \
    module.model_store.aws_iam_role_policy.access module.model_store.aws_iam_role.access
}

destroy_stages() {
  try_destroy module.image_build &&
    try_destroy module.addons &&
    try_destroy module.karpenter &&
    destroy_access &&
    try_destroy module.eks || return 1
  # Karpenter, if it could not be stopped, may have created more until now.
  [ "$CLUSTER" != silent ] || end_instances || return 1
  sweep_network
  try_destroy module.vpc || return 1
  [ -z "$DELETE_MODELS" ] || delete_models
}

# A failure ends the script after the report of what is left.
destroy() {
  if [ "$CLUSTER" = none ]; then forget_charts; fi
  destroy_stages || {
    FAILED="Stage $STAGE_NUMBER of $STAGES ($STAGE) failed: see the lines before the report. Fix the cause and run $SCRIPT again: it deletes what is left."
    warn "Not everything could be destroyed."
  }
}

sweep_and_report() {
  sweep_rest
  if [ -n "$PLAN_ONLY" ]; then
    say "Nothing was changed."
    return 0
  fi
  report_left
  report_kept
  [ -z "$FAILED" ] || die 20 "$FAILED"
  [ -z "$LEFT" ] || die 30 "The resources above are left and cost money. Run $SCRIPT again, or remove it by hand."
}

print_what_is_kept() {
  if [ -n "$DELETE_MODELS" ]; then
    say "The bucket $BUCKET and the images of $NAME are deleted as well."
  else
    say "The bucket $BUCKET (\$0.023 per GB and month) and the images of $NAME (\$0.10) are kept; --delete-models deletes them."
  fi
}

main() {
  parse "$@"
  check_tools
  settle
  check_credentials
  # Terraform requires these variables; their values do not matter here. A variable file has precedence.
  export TF_VAR_public_access_cidrs=${TF_VAR_public_access_cidrs:-$NO_NETWORK}
  export TF_VAR_valkey_password=${TF_VAR_valkey_password:-0000000000000000}
  begin_terraform
  if [ -n "$EXISTING_CLUSTER" ]; then
    leave_existing
    return 0
  fi
  find_cluster
  print_what_is_kept
  [ -n "$PLAN_ONLY" ] || confirm "Delete the cluster $NAME in $REGION with all that runs in it?"
  STAGES=4
  stage workloads "services, ingresses and their load balancers, 5 to 20 minutes" delete_workloads
  stage nodes "Karpenter's nodes, about 5 minutes" delete_nodes
  stage destroy "what Terraform created, about 15 minutes" destroy
  stage leftovers "what is left, and what it costs" sweep_and_report
}

main "$@"
