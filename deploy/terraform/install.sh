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
IGNORE_QUOTA=''
# Where people may go whose region has no inf2.
INF2_REGIONS="us-east-1, us-east-2, us-west-2, eu-central-1, eu-west-1, ap-northeast-1, ap-southeast-1, ap-south-1"

usage() {
  cat <<'TEXT'
Usage: ./install.sh [--plan-only] [--yes] [--var-file FILE] [--ignore-quota]

Makes an EKS cluster for vLLM on inf2: network, cluster, Karpenter, operators, model store.
It takes about 25 minutes. Run it again after a failure: it continues where it stopped.

  --plan-only      check everything and show the plan; nothing is made
  --yes            do not ask (also --auto-approve); needed where there is no terminal
  --var-file FILE  variables (default: blueprint.tfvars beside this script, if it is there;
                   begin with: cp blueprint.tfvars.example blueprint.tfvars)
  --ignore-quota   go on although the account may not run an inf2.8xlarge yet

From the environment: AWS_REGION, AWS_PROFILE and so on as for the AWS CLI; HF_TOKEN, if set,
becomes the Secret hf-token.

Status: 0 done, 2 wrong argument, 10 tool missing or too old, 11 no credentials, 12 no region,
13 no inf2 in the region, 14 quota too low, 15 a variable missing or wrong, 16 cannot ask,
17 answered no, 18 terraform init failed, 20 a stage failed, 21 the cluster does not answer,
130 interrupted.
TEXT
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
    --plan-only) PLAN_ONLY=yes ;;
    --yes | --auto-approve) YES=yes ;;
    --ignore-quota) IGNORE_QUOTA=yes ;;
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
  local trouble
  trouble=$(printf 'var.name\n' | terraform console "${TF_VALUES[@]}" 2>&1 >/dev/null) || true
  case $trouble in *Error:*) ;; *) return 0 ;; esac
  printf '%s\n' "$trouble" | grep -v -e Warning: -e 'unexpected results' >&2
  die 15 "The value of a variable is wrong, as the lines above say. Mend it in ${VAR_FILE:-the environment}."
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
}

apply_module() { carry_out "-target=module.$1"; }

# A chart that was being installed when somebody pressed Ctrl-C refuses the next attempt.
clear_broken_releases() {
  local name namespace
  helm list --all-namespaces --pending --no-headers --kubeconfig "$WORK/kubeconfig" |
    while read -r name namespace _; do
      say "  $name was interrupted; it is installed anew"
      helm uninstall "$name" --namespace "$namespace" --kubeconfig "$WORK/kubeconfig" </dev/null
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
  say "Build the images and push them to $(terraform output -raw registry), as deploy/README.md shows. Then:"
  say "  kubectl apply -f deploy/ray-service.yaml"
}

main() {
  parse "$@"
  check
  if [ -n "$PLAN_ONLY" ]; then
    terraform plan -input=false "${TF_VALUES[@]}"
    say "Nothing was made. Without --plan-only, the objects of deploy/karpenter follow, the namespace $NAMESPACE, and in it the ConfigMap model-store and, with HF_TOKEN, the Secret hf-token."
    return 0
  fi
  say "This costs about \$0.35 an hour (cluster, NAT gateway, two small nodes) as long as it stands, and an inf2.8xlarge about \$2 an hour as long as it runs."
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
