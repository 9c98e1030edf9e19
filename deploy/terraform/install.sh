#!/usr/bin/env bash
# Makes the cluster stage by stage. A second run continues where the first one stopped.
set -euo pipefail

# Not for the children: nobody but put_token may see it.
TOKEN=${HF_TOKEN-}
unset HF_TOKEN

CALLER=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=lib.sh
. ./lib.sh
IGNORE_QUOTA='' ALLOW_REPLACE=''
# Where people may go whose region has no inf2.
INF2_REGIONS="us-east-1, us-east-2, us-west-2, eu-central-1, eu-west-1, ap-northeast-1, ap-southeast-1, ap-south-1"

usage() {
  cat <<'TEXT'
Usage: ./install.sh [--plan-only] [--yes] [--var-file FILE] [--ignore-quota]
                    [--allow-replace]

Makes an EKS cluster for vLLM on inf2: network, cluster, Karpenter, operators, model store.
It takes about 25 minutes. Run it again after a failure: it continues where it stopped.

  --plan-only      check everything and show the plan; nothing is made
  --yes            do not ask (also --auto-approve); needed where there is no terminal
  --var-file FILE  variables (default: blueprint.tfvars beside this script, if it is there;
                   begin with: cp blueprint.tfvars.example blueprint.tfvars)
  --ignore-quota   go on although the account may not run an inf2.8xlarge yet
  --allow-replace  go on although a cluster, network, bucket or repository would be deleted or
                   made anew, with all that is in it

From the environment: AWS_REGION, AWS_PROFILE and so on as for the AWS CLI; HF_TOKEN, if set,
becomes the Secret hf-token.

Status: 0 done, 2 wrong argument, 10 tool missing or too old, 11 no credentials, 12 no region,
13 no inf2 in the region, 14 quota too low, 15 a variable missing or wrong, 16 cannot ask,
17 answered no, 18 terraform init failed, 19 the state is another cluster's, 20 a stage failed,
21 the cluster does not answer, 22 something would be deleted or made anew, 23 the role of the nodes
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
    die 13 "AWS does not say whether $REGION offers inf2. Set AWS_REGION to one of: $INF2_REGIONS"
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
  die 14 "$sentence Ask for more (aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1945791B --desired-value 32 --region $REGION), or go on with --ignore-quota."
}

check_networks() {
  [ -n "$(tfvar public_access_cidrs)" ] ||
    die 15 "public_access_cidrs is not set: write who may reach the cluster's API into blueprint.tfvars, for example public_access_cidrs = [\"203.0.113.7/32\"] with your own address, which this shows: curl -s https://checkip.amazonaws.com"
}

# Terraform looks at a variable only when a stage needs it; the console looks at all of them.
check_values() {
  local networks
  networks=$(printf 'join(" ", var.public_access_cidrs)\n' | terraform console "${TF_VALUES[@]}" 2>"$WORK/trouble") || true
  # No index is wrong by a variable: the console looks for subnets that a plan would have yet to make.
  if awk '/Error:/ && !/Invalid index/ { bad = 1 } END { exit !bad }' "$WORK/trouble"; then
    grep -v -e Warning: -e 'unexpected results' "$WORK/trouble" >&2
    die 15 "The value of a variable is wrong, as the lines above say. Mend it in ${VAR_FILE:-the environment}."
  fi
  case $networks in
  *[\"\ ]192.0.2.* | *[\"\ ]198.51.100.* | *[\"\ ]203.0.113.*)
    die 15 "public_access_cidrs holds an address of the examples, which nobody has: write your own in its place into ${VAR_FILE:-the environment}; this shows it: curl -s https://checkip.amazonaws.com"
    ;;
  esac
}

# Its name is the same in all regions, and Terraform would find that out after twenty minutes.
check_role() {
  in_state module.karpenter.aws_iam_role.node && return 0
  aws iam get-role --role-name "karpenterNode-$NAME" >/dev/null 2>&1 || return 0
  die 23 "The role karpenterNode-$NAME is there already, and the state in this folder does not know it: another cluster $NAME uses it, perhaps in another region, or left it behind; set another name, take that cluster down with its own cleanup.sh, or delete the role if there is none."
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

# What the plan takes away and what holds data or others. A resource that Terraform failed to make is
# tainted, and nothing is in it yet.
losses() {
  awk '/^  # .*(will be destroyed|must be replaced|will be replaced)/ && !/ is tainted/ &&
    /[.]aws_(eks_cluster|vpc|subnet|s3_bucket|ecr_repository)[.]/ { print $2 }'
}

carry_out() {
  local lost
  make_plan "$@"
  lost=$(terraform show -no-color "$WORK/plan" | losses)
  [ -z "$lost" ] || [ -n "$ALLOW_REPLACE" ] ||
    die 22 "This would delete or make anew $(printf '%s' "$lost" | tr '\n' ' '): undo the change of the variable that asks for it (terraform plan names it), or go on with --allow-replace."
  do_plan
}

apply_module() { carry_out "-target=module.$1"; }

# Our charts and where they are; others may be at work on theirs.
our_release() {
  case $1 in
  kube-system/karpenter | kube-system/karpenter-crd | kube-system/storage-class) ;;
  kube-system/neuron-helm-chart | kube-system/aws-load-balancer-controller) ;;
  kuberay-operator/kuberay-operator | monitoring/kube-prometheus-stack) ;;
  *) return 1 ;;
  esac
}

# A chart that was being installed when somebody pressed Ctrl-C refuses the next attempt. One that
# was being changed goes back to what it was: to uninstall it would take away what it holds.
clear_broken_releases() {
  local name namespace line
  helm list --all-namespaces --pending --no-headers --kubeconfig "$WORK/kubeconfig" |
    while read -r name namespace line; do
      our_release "$namespace/$name" || continue
      say "  $name was interrupted; it is mended first"
      case $line in
      *pending-install*) helm uninstall "$name" --namespace "$namespace" --kubeconfig "$WORK/kubeconfig" </dev/null ;;
      *) helm rollback "$name" --namespace "$namespace" --kubeconfig "$WORK/kubeconfig" </dev/null ;;
      esac
    done
}

apply_in_cluster() {
  connect || die 21 "The cluster's API server does not answer. Is your address in public_access_cidrs? This shows it: curl -s https://checkip.amazonaws.com"
  clear_broken_releases
  apply_module "$1"
}

# adopt ADDRESS ID QUESTION...: what an earlier cluster left and Terraform's state does not know.
adopt() {
  local address=$1 id=$2
  shift 2
  case $STATE in *"$address"*) return 0 ;; esac
  "$@" >/dev/null 2>&1 || return 0
  say "  $id is there from before and is taken over"
  terraform import -input=false "${TF_VALUES[@]}" "$address" "$id" >/dev/null
}

apply_everything() {
  local image
  STATE=$(terraform state list)
  adopt module.model_store.aws_s3_bucket.models "$BUCKET" \
    aws s3api head-bucket --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT"
  for image in neuron gateway webui; do
    adopt "module.model_store.aws_ecr_repository.image[\"$image\"]" "$NAME/$image" \
      aws ecr describe-repositories --repository-names "$NAME/$image"
  done
  carry_out
}

# kubectl reads the manifests from a copy, since the name of the cluster is written into it.
apply_pools() {
  cp -R ../karpenter "$WORK/karpenter"
  printf 'CLUSTER=%s\n' "$NAME" >"$WORK/karpenter/cluster.env"
  k apply -k "$WORK/karpenter"
}

# Not applied: deploy/k8s gives the namespace labels, which an apply without them would take away.
make_namespace() {
  k get namespace "$NAMESPACE" >/dev/null 2>&1 || k create namespace "$NAMESPACE"
}

put_model_store() {
  k create configmap model-store --namespace "$NAMESPACE" --dry-run=client -o yaml \
    "--from-literal=bucket=$(terraform output -raw model_store)" "--from-literal=region=$REGION" |
    k apply -f -
}

# Through a pipe from a builtin: on a command line, ps would show it to everybody.
put_token() {
  if [ -z "$TOKEN" ]; then
    say "  HF_TOKEN is not set: enough for open models. For others, run $SCRIPT again with it."
    return 0
  fi
  printf '%s' "$TOKEN" |
    k create secret generic hf-token --namespace "$NAMESPACE" --from-file=token=/dev/stdin --dry-run=client -o yaml |
    k apply -f -
}

put_objects() {
  connect
  apply_pools
  make_namespace
  put_model_store
  put_token
}

say_what_is_next() {
  say ""
  say "The cluster stands. Let kubectl reach it:"
  say "  $(terraform output -raw configure_kubectl)"
  say "Build the images and push them to $(terraform output -raw registry), then start the service:"
  say "  steps 2 to 5 of deploy/README.md show how."
}

main() {
  parse "$@"
  check
  if [ -n "$PLAN_ONLY" ]; then
    terraform plan -input=false "${TF_VALUES[@]}"
    say "Nothing was made. Without --plan-only, the objects of deploy/karpenter follow, the namespace $NAMESPACE, and in it the ConfigMap model-store and, with HF_TOKEN, the Secret hf-token."
    return 0
  fi
  say "This costs, at the prices of us-east-1, about \$0.35 an hour (cluster, NAT gateway, two small nodes) as long as it stands, about \$0.20 for the node of Ray's head once the service runs, and an inf2.8xlarge about \$2 as long as it runs, with its disk about \$0.10 besides."
  confirm "Make the cluster $NAME in $REGION?"
  STAGES=6
  stage vpc "the network, about 3 minutes" apply_module vpc
  stage eks "the cluster and its first nodes, about 15 minutes" apply_module eks
  stage karpenter "what makes nodes, about 2 minutes" apply_in_cluster karpenter
  stage addons "operators, device plugin, monitoring, about 4 minutes" apply_in_cluster addons
  stage everything "the model store, and whatever changed since, about 2 minutes" apply_everything
  stage objects "node pools, namespace, model store, token" put_objects
  say_what_is_next
}

main "$@"
