#!/usr/bin/env bash
# What install.sh and cleanup.sh share. Sourced, never run. Bash 3.2 is enough, so that macOS' is.
# shellcheck disable=SC2034 # those who source this use the variables

NAMESPACE=neuron-gateway
VAR_FILE='' YES='' PLAN_ONLY='' STAGE='' STAGE_NUMBER=0 STAGES=0
WORK=$(mktemp -d)
SCRIPT="./$(basename "$0")"

say() { printf '%s\n' "$*"; }
warn() { printf 'Warning: %s\n' "$*" >&2; }

# die CODE SENTENCE: the only way to fail on purpose.
die() {
  local code=$1
  shift
  printf 'Error: %s\n' "$*" >&2
  # A file, not a variable: die may run in a subshell.
  : >"$WORK/said"
  exit "$code"
}

on_exit() {
  local status=$?
  if [ "$status" -ne 0 ] && [ -n "$STAGE" ] && [ ! -e "$WORK/said" ]; then
    printf 'Error: %s\n' "Stage $STAGE_NUMBER of $STAGES ($STAGE) failed; the lines above say why. Mend it and run $SCRIPT again: it continues here." >&2
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

# A path given by the user counts from where the user stands, not from this folder.
take_var_file() {
  case $1 in
  /*) VAR_FILE=$1 ;;
  *) VAR_FILE=$CALLER/$1 ;;
  esac
  [ -f "$VAR_FILE" ] || die 2 "There is no file $1. Copy blueprint.tfvars.example to it."
}

# stage NAME WHAT COMMAND...
stage() {
  local what=$2 started=$SECONDS
  STAGE=$1
  STAGE_NUMBER=$((STAGE_NUMBER + 1))
  say "[$STAGE_NUMBER/$STAGES] $STAGE: $what"
  shift 2
  # Without ||, which would switch errexit off inside the command; on_exit reports a failure.
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

# at_least WANTED FOUND: compares versions number by number.
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

# need TOOL VERSION WHERE-TO-GET-IT
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

# tfvar NAME: what the variable file or the environment says, without Terraform's quotes.
tfvar() {
  local file line variable="TF_VAR_$1"
  for file in "$VAR_FILE" terraform.tfvars; do
    [ -f "$file" ] || continue
    # At the edge only: a key within a map is no variable.
    line=$(sed -n "/^$1[[:space:]]*=/{s/^[^=]*=[[:space:]]*//p;q;}" "$file")
    if [ -n "$line" ]; then
      printf '%s' "$line" | sed 's/^"\([^"]*\)".*/\1/'
      return 0
    fi
  done
  printf '%s' "${!variable-}"
}

# Sets NAME, REGION and TF_VALUES, so that Terraform and the other tools mean the same cluster.
settle() {
  if [ -z "$VAR_FILE" ] && [ -f blueprint.tfvars ]; then VAR_FILE=$PWD/blueprint.tfvars; fi
  NAME=$(tfvar name)
  NAME=${NAME:-neuron-gateway}
  REGION=$(tfvar region)
  REGION=${REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region 2>/dev/null || true)}}}
  [ -n "$REGION" ] || die 12 "No region is set. Set AWS_REGION, for example: AWS_REGION=us-west-2 $SCRIPT"
  export AWS_REGION=$REGION AWS_DEFAULT_REGION=$REGION AWS_PAGER=''
  TF_VALUES=("-var=region=$REGION" "-var=name=$NAME")
  if [ -n "$VAR_FILE" ]; then TF_VALUES=("-var-file=$VAR_FILE" "${TF_VALUES[@]}"); fi
}

# Sets ACCOUNT and BUCKET.
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
  say "Account $ACCOUNT as ${answer##*[[:space:]]}, region $REGION, cluster $NAME"
}

# Sets STATE: the address of every resource, one a line, without what was only looked up.
begin_terraform() {
  terraform init -input=false >/dev/null || die 18 "terraform init failed; the lines above say why."
  if ! STATE=$(terraform state list 2>"$WORK/trouble"); then
    case $(cat "$WORK/trouble") in
    *"No state file"*) ;;
    *)
      cat "$WORK/trouble" >&2
      die 18 "Terraform cannot read its state; the lines above say why."
      ;;
    esac
  fi
  STATE=$(printf '%s' "$STATE" | grep -v -e '^data[.]' -e '[.]data[.]' || true)
  check_state
  keep_zones
}

# in_state ADDRESS: whether the state has something that begins so.
in_state() {
  case $'\n'$STATE in *$'\n'"$1"*) return 0 ;; esac
  return 1
}

# Otherwise Terraform would make another cluster of the one that stands, or take the wrong one down.
check_state() {
  local name region
  [ -n "$STATE" ] || return 0
  name=$(terraform output -raw cluster_name 2>/dev/null) || return 0
  region=$(terraform output -raw region 2>/dev/null) || return 0
  [ -n "$name$region" ] || return 0
  [ "$name $region" = "$NAME $REGION" ] ||
    die 19 "The state in this folder is of the cluster $name in $region, and you mean $NAME in $REGION: set name and region (or AWS_REGION) to the former, or use another copy of deploy/terraform for the latter."
}

# The zones of the networks that stand: AWS's answer may change, and with it every address.
keep_zones() {
  local zones
  [ -n "$STATE" ] && [ -z "$(tfvar zones)" ] || return 0
  zones=$(terraform output -json zones 2>/dev/null) || return 0
  [ -z "$zones" ] || TF_VALUES+=("-var=zones=$zones")
}

# Of what apply says, what was done and what takes long; errors come by another way. Ctrl-C is for
# Terraform, which still has something to say then.
progress() {
  trap '' INT TERM
  awk '/^Warnings:|^Outputs:/ { quiet = 1 } /^Apply complete/ { quiet = 0 }
    !quiet && /: Still |complete after|^Apply complete/ && !/^data\.|: Read complete/ { print "  " $0; fflush() }'
}

# Planned and done apart, since apply alone shows each argument of each resource.
make_plan() { terraform plan -input=false "${TF_VALUES[@]}" "-out=$WORK/plan" "$@" >/dev/null; }
do_plan() { terraform apply -no-color -compact-warnings "$WORK/plan" | progress; }

# A kubeconfig of our own: the user's is not touched.
k() { kubectl --kubeconfig "$WORK/kubeconfig" "$@"; }

# Tells whether the API server answers.
connect() {
  aws eks update-kubeconfig --name "$NAME" --kubeconfig "$WORK/kubeconfig" >/dev/null &&
    k get --raw /readyz --request-timeout=20s >/dev/null
}
