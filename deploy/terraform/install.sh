#!/usr/bin/env bash
# Create the cluster stage by stage. A second run continues where the first one stopped.
set -euo pipefail

# Removed from the environment of child processes; only put_token uses it.
TOKEN=${HF_TOKEN-}
unset HF_TOKEN

CALLER=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=existing.sh
. ./existing.sh
IGNORE_QUOTA='' ALLOW_REPLACE=''
# Named in the error for a region without inf2.
INF2_REGIONS="us-east-1, us-east-2, us-west-2, eu-central-1, eu-west-1, ap-northeast-1, ap-southeast-1, ap-south-1"

usage() {
  cat <<'TEXT'
Usage: ./install.sh [--plan-only] [--yes] [--var-file FILE] [--ignore-quota]
                    [--allow-replace]

Creates an EKS cluster for vLLM on inf2: network, cluster, Karpenter, operators, model store.
It takes about 25 minutes. Run it again after a failure: it continues where it stopped. The variables
existing_vpc_id and existing_cluster_name put it into what is there.

  --plan-only      check everything and show the plan; nothing is created
  --yes            do not ask (also --auto-approve); needed where there is no terminal
  --var-file FILE  variables (default: blueprint.tfvars beside this script, if it is there;
                   begin with: cp blueprint.tfvars.example blueprint.tfvars)
  --ignore-quota   continue although the quota is too small for an inf2.8xlarge
  --allow-replace  continue although a cluster, network, bucket or repository would be deleted or
                   replaced, with everything in it

Environment: AWS_REGION, AWS_PROFILE and the other variables of the AWS CLI; HF_TOKEN, if set,
becomes the Secret hf-token.

Status: 0 done, 2 wrong argument, 10 tool missing or too old, 11 no credentials, 12 no region,
13 no inf2 in the region, 14 quota too low, 15 a variable missing or wrong, 16 cannot ask,
17 answered no, 18 terraform init failed, 19 the state is another cluster's, 20 a stage failed,
21 the cluster does not answer, 22 something would be deleted or replaced, 23 the role of the nodes
is another cluster's, 130 interrupted.
TEXT
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
    --plan-only) PLAN_ONLY=yes ;;
    --yes | --auto-approve) YES=yes ;;
    --ignore-quota) IGNORE_QUOTA=yes ;;
    --allow-replace) ALLOW_REPLACE=yes ;;
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

check_inf2() {
  local zones
  zones=$(aws ec2 describe-instance-type-offerings --location-type availability-zone \
    --filters Name=instance-type,Values=inf2.8xlarge \
    --query 'InstanceTypeOfferings[].Location' --output text) ||
    die 13 "AWS did not list the zones of $REGION that offer inf2. Set AWS_REGION to one of: $INF2_REGIONS"
  case $zones in
  '' | None) die 13 "inf2 is not offered in $REGION. Set AWS_REGION to one of: $INF2_REGIONS" ;;
  esac
  say "inf2.8xlarge is offered in: $(printf '%s' "$zones" | tr '[:space:]' ' ')"
}

# The quota counts vCPUs; an inf2.8xlarge has 32, an inf2.24xlarge 96, an inf2.48xlarge 192.
check_quota() {
  local value sentence
  if ! value=$(aws service-quotas get-service-quota --service-code ec2 --quota-code L-1945791B \
    --query Quota.Value --output text 2>/dev/null); then
    warn "The quota 'Running On-Demand Inf instances' cannot be read. An inf2.8xlarge needs 32 vCPUs of it."
    return 0
  fi
  [ "${value%%.*}" -lt 32 ] || return 0
  sentence="The quota 'Running On-Demand Inf instances' is ${value%%.*} vCPUs in $REGION and an inf2.8xlarge needs 32."
  if [ -n "$IGNORE_QUOTA$PLAN_ONLY" ]; then
    warn "$sentence"
    return 0
  fi
  die 14 "$sentence Request an increase (aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1945791B --desired-value 32 --region $REGION), or continue with --ignore-quota."
}

check_networks() {
  [ -z "$EXISTING_CLUSTER" ] || return 0
  [ -n "$(tfvar public_access_cidrs)" ] ||
    die 15 "public_access_cidrs is not set: write the networks that may reach the cluster's API into blueprint.tfvars, for example public_access_cidrs = [\"203.0.113.7/32\"] with your own address, which this prints: curl -s https://checkip.amazonaws.com"
}

# Terraform validates a variable only when a stage needs it; the console validates all of them.
check_values() {
  local networks
  networks=$(printf 'join(" ", var.public_access_cidrs)\n' | terraform console "${TF_VALUES[@]}" 2>"$WORK/trouble") || true
  # An invalid index is no error of a variable: the console looks for subnets that do not exist yet.
  if awk '/Error:/ && !/Invalid index/ { bad = 1 } END { exit !bad }' "$WORK/trouble"; then
    grep -v -e Warning: -e 'unexpected results' "$WORK/trouble" >&2
    die 15 "The value of a variable is wrong: see the lines above. Fix it in ${VAR_FILE:-the environment}."
  fi
  [ -z "$EXISTING_CLUSTER" ] || return 0
  case $networks in
  *[\"\ ]192.0.2.* | *[\"\ ]198.51.100.* | *[\"\ ]203.0.113.*)
    die 15 "public_access_cidrs has an address that is reserved for examples: replace it in ${VAR_FILE:-the environment} by your own, which this prints: curl -s https://checkip.amazonaws.com"
    ;;
  esac
}

# Names of roles are global in an account. Terraform would fail on this one after twenty minutes.
check_role() {
  [ -z "$EXISTING_CLUSTER" ] || return 0
  in_state "module.karpenter[0].aws_iam_role.node" && return 0
  aws iam get-role --role-name "karpenterNode-$NAME" >/dev/null 2>&1 || return 0
  die 23 "The role karpenterNode-$NAME exists and is not in the state of this folder: another cluster $NAME uses it, perhaps in another region, or left it behind. Set another name, delete that cluster with its own cleanup.sh, or delete the role if there is no such cluster."
}

check() {
  check_tools
  need helm 3.14 https://helm.sh/docs/intro/install/
  settle
  check_credentials
  check_inf2
  check_quota
  check_networks
  begin_terraform
  check_values
  check_role
}

# Print the resources that the plan deletes and that hold data or other resources. A tainted resource
# is one that Terraform failed to create: it is empty.
losses() {
  awk '/^  # .*(will be destroyed|must be replaced|will be replaced)/ && !/ is tainted/ &&
    /[.]aws_(eks_cluster|vpc|subnet|s3_bucket|ecr_repository)[.]/ { print $2 }'
}

carry_out() {
  local lost
  make_plan "$@"
  lost=$(terraform show -no-color "$WORK/plan" | losses)
  [ -z "$lost" ] || [ -n "$ALLOW_REPLACE" ] ||
    die 22 "This would delete or replace $(printf '%s' "$lost" | tr '\n' ' '): undo the change of the variable that causes it (see terraform plan), or continue with --allow-replace."
  do_plan
}

apply_module() { carry_out "-target=module.$1"; }

# A network that exists is read, so that a wrong one ends here.
apply_network() {
  if [ -z "$EXISTING_VPC" ]; then
    apply_module vpc
  else
    carry_out -target=module.vpc -target=data.aws_vpc.existing -target=data.aws_subnets.existing
  fi
}

# Namespace and name of the charts that Terraform installs; other releases are left alone.
our_release() {
  case $1 in
  kube-system/karpenter | kube-system/karpenter-crd | kube-system/storage-class) ;;
  kube-system/neuron-helm-chart | kube-system/aws-load-balancer-controller) ;;
  kuberay-operator/kuberay-operator | monitoring/kube-prometheus-stack) ;;
  *) return 1 ;;
  esac
}

# Helm refuses to change a release whose last operation was interrupted. An interrupted installation
# is uninstalled; an interrupted upgrade is rolled back, since uninstalling would delete its objects.
clear_broken_releases() {
  local name namespace line
  helm list --all-namespaces --pending --no-headers --kubeconfig "$WORK/kubeconfig" |
    while read -r name namespace line; do
      our_release "$namespace/$name" || continue
      say "  $name was interrupted; it is repaired first"
      case $line in
      *pending-install*) helm uninstall "$name" --namespace "$namespace" --kubeconfig "$WORK/kubeconfig" </dev/null ;;
      *) helm rollback "$name" --namespace "$namespace" --kubeconfig "$WORK/kubeconfig" </dev/null ;;
      esac
    done
}

apply_in_cluster() {
  connect || die 21 "The cluster's API server does not answer. Is your address in public_access_cidrs? This prints it: curl -s https://checkip.amazonaws.com"
  clear_broken_releases
  apply_module "$1"
}

# adopt ADDRESS ID COMMAND...: import a resource that exists (the command succeeds) and is not in the state.
adopt() {
  local address=$1 id=$2
  shift 2
  case $STATE in *"$address"*) return 0 ;; esac
  "$@" >/dev/null 2>&1 || return 0
  say "  $id exists from an earlier cluster and is imported"
  terraform import -input=false "${TF_VALUES[@]}" "$address" "$id" >/dev/null
}

apply_everything() {
  local image
  read_state
  adopt module.model_store.aws_s3_bucket.models "$BUCKET" \
    aws s3api head-bucket --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT"
  for image in neuron gateway webui; do
    adopt "module.model_store.aws_ecr_repository.image[\"$image\"]" "$NAME/$image" \
      aws ecr describe-repositories --repository-names "$NAME/$image"
  done
  carry_out
}

# kubectl reads the manifests from a copy, into which the name of the cluster is written.
apply_pools() {
  cp -R ../karpenter "$WORK/karpenter"
  printf 'CLUSTER=%s\n' "$NAME" >"$WORK/karpenter/cluster.env"
  k apply -k "$WORK/karpenter"
}

# Created, not applied: an apply would remove the labels that deploy/k8s gives the namespace.
make_namespace() {
  k get namespace "$NAMESPACE" >/dev/null 2>&1 || k create namespace "$NAMESPACE"
}

put_model_store() {
  k create configmap model-store --namespace "$NAMESPACE" --dry-run=client -o yaml \
    "--from-literal=bucket=$(terraform output -raw model_store)" "--from-literal=region=$REGION" |
    k apply -f -
}

# Through a pipe from a builtin: ps shows command lines to every user.
put_token() {
  if [ -z "$TOKEN" ]; then
    say "  HF_TOKEN is not set. Gated models need it: run $SCRIPT again with it."
    return 0
  fi
  printf '%s' "$TOKEN" |
    k create secret generic hf-token --namespace "$NAMESPACE" --from-file=token=/dev/stdin --dry-run=client -o yaml |
    k apply -f -
}

# Pools of a cluster that exists are its owner's.
put_objects() {
  connect
  [ -n "$EXISTING_CLUSTER" ] || apply_pools
  make_namespace
  put_model_store
  put_token
}

print_next_steps() {
  say ""
  say "The cluster is ready. Configure kubectl:"
  say "  $(terraform output -raw configure_kubectl)"
  say "Build the images of $(terraform output -raw registry) with ./images.sh --build, then start the service:"
  say "  see steps 2 to 5 of deploy/README.md."
}

install_all() {
  say "At the prices of us-east-1 this costs about \$0.35 an hour (cluster, NAT gateway, two small nodes), about \$0.20 an hour for the node of Ray's head once the service runs, and about \$2.10 an hour for each inf2.8xlarge with its disk."
  confirm "Create the cluster $NAME in $REGION?"
  STAGES=6
  stage vpc "the network${EXISTING_VPC:+ $EXISTING_VPC, which exists}, about 3 minutes" apply_network
  stage eks "the cluster and its first nodes, about 15 minutes" apply_module eks
  stage karpenter "Karpenter, about 2 minutes" apply_in_cluster karpenter
  stage addons "operators, device plugin, monitoring, about 4 minutes" apply_in_cluster addons
  stage everything "the model store and remaining changes, about 2 minutes" apply_everything
  stage objects "node pools, namespace, model store, token" put_objects
}

main() {
  local pools=''
  parse "$@"
  check
  if [ -n "$PLAN_ONLY" ]; then
    terraform plan -input=false "${TF_VALUES[@]}"
    [ -n "$EXISTING_CLUSTER" ] || pools="the objects of deploy/karpenter, "
    say "Nothing was created. Without --plan-only, the script also creates ${pools}the namespace $NAMESPACE, and in it the ConfigMap model-store and, with HF_TOKEN, the Secret hf-token."
    return 0
  fi
  if [ -n "$EXISTING_CLUSTER" ]; then install_into_existing; else install_all; fi
  print_next_steps
}

main "$@"
