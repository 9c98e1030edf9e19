#!/usr/bin/env bash
# Functions of install.sh and cleanup.sh, which source this file. Bash 3.2, the version of macOS, is enough.
# shellcheck disable=SC2034 # the sourcing scripts use the variables

NAMESPACE=neuron-gateway
# Terraform wants a value of public_access_cidrs where it does not matter.
NO_NETWORK='["192.0.2.1/32"]'
VAR_FILE='' YES='' PLAN_ONLY='' STAGE='' STAGE_NUMBER=0 STAGES=0
WORK=$(mktemp -d)
SCRIPT="./$(basename "$0")"

say() { printf '%s\n' "$*"; }
warn() { printf 'Warning: %s\n' "$*" >&2; }

# die CODE MESSAGE: print the message and exit with the code.
die() {
  local code=$1
  shift
  printf 'Error: %s\n' "$*" >&2
  # A file, since die may run in a subshell.
  : >"$WORK/reported"
  exit "$code"
}

on_exit() {
  local status=$?
  if [ "$status" -ne 0 ] && [ -n "$STAGE" ] && [ ! -e "$WORK/reported" ]; then
    printf 'Error: %s\n' "Stage $STAGE_NUMBER of $STAGES ($STAGE) failed: see the lines above. Fix the cause and run $SCRIPT again: it continues here." >&2
    status=20
  fi
  rm -rf "$WORK"
  exit "$status"
}

on_interrupt() {
  # If the signal came while bash was starting a pipeline, bash reports the status of the pipeline as
  # that of the first command of the trap.
  : || :
  if [ -n "$STAGE" ]; then
    die 130 "Interrupted in stage $STAGE_NUMBER of $STAGES ($STAGE). Run $SCRIPT again: it continues from there."
  fi
  die 130 "Interrupted before anything was changed."
}

trap on_exit EXIT
trap on_interrupt INT TERM

# A relative path is relative to the caller's folder, not to this one.
take_var_file() {
  case $1 in
  /*) VAR_FILE=$1 ;;
  *) VAR_FILE=$CALLER/$1 ;;
  esac
  [ -f "$VAR_FILE" ] || die 2 "There is no file $1. Copy blueprint.tfvars.example to it."
}

# stage NAME DESCRIPTION COMMAND...
stage() {
  local what=$2 started=$SECONDS
  STAGE=$1
  STAGE_NUMBER=$((STAGE_NUMBER + 1))
  say "[$STAGE_NUMBER/$STAGES] $STAGE: $what"
  shift 2
  # Without ||, which would disable errexit inside the command; on_exit reports a failure.
  "$@"
  local took=$((SECONDS - started))
  say "[$STAGE_NUMBER/$STAGES] $STAGE: done in $((took / 60)) min $((took % 60)) s"
}

# confirm QUESTION
confirm() {
  local answer=''
  [ -z "$YES" ] || return 0
  [ -t 0 ] || die 16 "$SCRIPT has to ask before it goes on, and there is no terminal. Run it with --yes."
  printf '%s [y/N] ' "$1"
  read -r answer || true
  case $answer in
  y | Y | yes) ;;
  *) die 17 "Stopped. Nothing was changed." ;;
  esac
}

# at_least WANTED FOUND: compare two versions number by number.
at_least() {
  awk -v want="$1" -v have="$2" 'BEGIN {
    split(want, w, "."); split(have, h, ".")
    for (i = 1; i <= 3; i++) if (w[i] + 0 != h[i] + 0) exit !(h[i] + 0 > w[i] + 0)
  }'
}

version_of() {
  case $1 in
  terraform) terraform version ;;
  aws) aws --version ;;
  kubectl) kubectl version --client ;;
  helm) helm version --short ;;
  esac 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9][0-9]*\.[0-9][0-9.]*\).*/\1/p' || true
}

# need TOOL VERSION URL-OF-ITS-INSTALLATION
need() {
  local found
  command -v "$1" >/dev/null || die 10 "$1 is not installed; $2 or newer is needed: $3"
  found=$(version_of "$1")
  at_least "$2" "${found:-0}" || die 10 "$1 ${found:-of unknown version} is too old; $2 or newer is needed: $3"
}

check_tools() {
  need terraform "$(sed -n 's/^TERRAFORM_MIN=//p' ../versions.env)" https://developer.hashicorp.com/terraform/install
  need aws 2.0 https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html
  need kubectl 1.34 https://kubernetes.io/docs/tasks/tools/
}

# tfvar NAME: print the value in the variable file or the environment, without Terraform's quotes.
tfvar() {
  local file line variable="TF_VAR_$1"
  for file in "$VAR_FILE" terraform.tfvars; do
    [ -f "$file" ] || continue
    # At the beginning of a line: an indented key belongs to a map.
    line=$(sed -n "/^$1[[:space:]]*=/{s/^[^=]*=[[:space:]]*//p;q;}" "$file")
    if [ -n "$line" ]; then
      printf '%s' "$line" | sed 's/^"\([^"]*\)".*/\1/'
      return 0
    fi
  done
  printf '%s' "${!variable-}"
}

# Set NAME, REGION and TF_VALUES, so that Terraform and the other tools use the same cluster, and
# EXISTING_VPC and EXISTING_CLUSTER, empty for what Terraform creates.
settle() {
  if [ -z "$VAR_FILE" ] && [ -f blueprint.tfvars ]; then VAR_FILE=$PWD/blueprint.tfvars; fi
  NAME=$(tfvar name)
  NAME=${NAME:-neuron-gateway}
  REGION=$(tfvar region)
  REGION=${REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region 2>/dev/null || true)}}}
  [ -n "$REGION" ] || die 12 "No region is set. Set AWS_REGION, for example: AWS_REGION=us-west-2 $SCRIPT"
  export AWS_REGION=$REGION AWS_DEFAULT_REGION=$REGION AWS_PAGER=''
  EXISTING_VPC=$(tfvar existing_vpc_id)
  case $EXISTING_VPC in vpc-*) ;; *) EXISTING_VPC='' ;; esac
  EXISTING_CLUSTER=$(tfvar existing_cluster_name)
  case $EXISTING_CLUSTER in '' | null | 'null '* | '""'*) EXISTING_CLUSTER='' ;; esac
  if [ -n "$EXISTING_CLUSTER" ]; then export TF_VAR_public_access_cidrs=${TF_VAR_public_access_cidrs:-$NO_NETWORK}; fi
  TF_VALUES=("-var=region=$REGION" "-var=name=$NAME")
  if [ -n "$VAR_FILE" ]; then TF_VALUES=("-var-file=$VAR_FILE" "${TF_VALUES[@]}"); fi
}

# Set ACCOUNT and BUCKET.
check_credentials() {
  local answer
  if ! answer=$(aws sts get-caller-identity --query '[Account, Arn]' --output text 2>&1); then
    case $answer in
    *"Could not connect"*) die 12 "AWS does not answer in $REGION: check the name of the region and your network." ;;
    esac
    die 11 "AWS accepts no credentials here. Log in (aws sso login, or aws configure) or set AWS_PROFILE, and run $SCRIPT again."
  fi
  ACCOUNT=${answer%%[[:space:]]*}
  BUCKET=$NAME-models-$ACCOUNT-$REGION
  say "Account $ACCOUNT as ${answer##*[[:space:]]}, region $REGION, cluster ${EXISTING_CLUSTER:-$NAME}"
}

begin_terraform() {
  terraform init -input=false >/dev/null || die 18 "terraform init failed: see the lines above."
  read_state
  check_state
  check_existing
  keep_zones
}

# Set STATE: the address of every resource, one a line, without data sources.
read_state() {
  if ! STATE=$(terraform state list 2>"$WORK/trouble"); then
    case $(cat "$WORK/trouble") in
    *"No state file"*) ;;
    *)
      cat "$WORK/trouble" >&2
      die 18 "Terraform cannot read its state: see the lines above."
      ;;
    esac
  fi
  STATE=$(printf '%s' "$STATE" | grep -v -e '^data[.]' -e '[.]data[.]' || true)
}

# in_state PREFIX: whether the state has an address with this prefix.
in_state() {
  case $'\n'$STATE in *$'\n'"$1"*) return 0 ;; esac
  return 1
}

# With another name or region, Terraform would replace the existing cluster or destroy the wrong one.
check_state() {
  local name region
  [ -n "$STATE" ] || return 0
  name=$(terraform output -raw cluster_name 2>/dev/null) || return 0
  region=$(terraform output -raw region 2>/dev/null) || return 0
  [ -n "$name$region" ] || return 0
  [ "$name $region" = "$NAME $REGION" ] ||
    die 19 "The state in this folder is of the cluster $name in $region, and you mean $NAME in $REGION: set name and region (or AWS_REGION) to the former, or use another copy of deploy/terraform for the latter."
}

# Terraform would delete the cluster of the state, and the scripts would leave its nodes.
check_existing() {
  [ -n "$EXISTING_CLUSTER" ] || return 0
  ! in_state module.eks ||
    die 19 "The state in this folder is of a cluster that install.sh created, and existing_cluster_name is $EXISTING_CLUSTER: remove existing_cluster_name, or use another copy of deploy/terraform."
}

# Keep the zones of the existing networks: AWS may list zones in another order, which would move every subnet.
keep_zones() {
  local zones
  [ -n "$STATE" ] && [ -z "$(tfvar zones)" ] || return 0
  zones=$(terraform output -json zones 2>/dev/null) || return 0
  [ -z "$zones" ] || TF_VALUES+=("-var=zones=$zones")
}

# Print the lines of `terraform apply` that report progress; errors are on standard error. SIGINT is
# ignored here, since Terraform writes more lines after it.
progress() {
  trap '' INT TERM
  awk '/^Warnings:|^Outputs:/ { quiet = 1 } /^Apply complete/ { quiet = 0 }
    !quiet && /: Still |complete after|^Apply complete/ && !/^data\.|: Read complete/ { print "  " $0; fflush() }'
}

# Plan and apply are two steps, since apply alone prints every argument of every resource.
make_plan() { terraform plan -input=false "${TF_VALUES[@]}" "-out=$WORK/plan" "$@" >/dev/null; }
do_plan() { terraform apply -no-color -compact-warnings "$WORK/plan" | progress; }

# Use a kubeconfig of the script's own; the user's is not changed.
k() { kubectl --kubeconfig "$WORK/kubeconfig" "$@"; }

# Succeeds if the API server answers.
connect() {
  aws eks update-kubeconfig --name "${EXISTING_CLUSTER:-$NAME}" --kubeconfig "$WORK/kubeconfig" >/dev/null &&
    k get --raw /readyz --request-timeout=20s >/dev/null
}
