#!/usr/bin/env bash
# Write registry, tag and digests of the images into ../k8s/images; with --build, build the images in AWS first.
set -euo pipefail

# shellcheck disable=SC2034 # lib.sh uses it
CALLER=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=lib.sh
. ./lib.sh
IMAGES="neuron gateway webui"
FILE=../k8s/images/kustomization.yaml
TAG=$(sed -n 's/^GATEWAY=//p' ../versions.env)
REGISTRY='' BUILD='' REF=HEAD
# Seconds between two polls; 0 in tests.
PAUSE=${BUILD_PAUSE:-15}

usage() {
  cat <<'TEXT'
Usage: ./images.sh [--build] [--tag TAG] [--ref REF] [--registry REGISTRY]

Writes the registry, the tag and, of ECR, the digests of the images neuron, gateway and webui into
deploy/k8s/images/kustomization.yaml, which every overlay, job and the web chat include.

  --build              build the images in AWS and push them, about 30 minutes; needs
                       enable_image_build = true in blueprint.tfvars
  --tag TAG            the images' tag (default: the version in deploy/versions.env). A tag is never
                       overwritten: a changed image has a new one, such as 0.2.0-1
  --ref REF            commit, branch or tag of this repository that is built (default: HEAD)
  --registry REGISTRY  where the images are (default: Terraform's output registry)

Environment: NEURON_IMAGE, the base image of another line of the plugin, from deploy/versions.env.

Status: 0 done, 2 wrong argument, 10 tool missing, 18 Terraform has no such output, 24 an image is
missing, 25 the tag exists, 26 the build failed, 130 interrupted.
TEXT
}

parse() {
  local option
  while [ $# -gt 0 ]; do
    option=$1
    case $option in
    --build) BUILD=yes ;;
    --tag | --ref | --registry)
      [ -n "${2-}" ] || die 2 "$option wants a value."
      case $option in
      --tag) TAG=$2 ;;
      --ref) REF=$2 ;;
      --registry) REGISTRY=${2%/} ;;
      esac
      shift
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) die 2 "There is no argument $option. See: $SCRIPT --help" ;;
    esac
    shift
  done
}

# An argument that YAML, ECR or Docker would refuse later, with a worse message.
check_names() {
  [[ $TAG =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] ||
    die 2 "--tag $TAG is no tag of an image: use letters, digits, dots and hyphens, as in 0.2.0-1."
  [[ -z $REGISTRY || $REGISTRY =~ ^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$ ]] ||
    die 2 "--registry $REGISTRY is no name of a registry: use lower case and no scheme, as in ghcr.io/me."
}

have() { command -v "$1" >/dev/null || die 10 "$1 is not installed; $SCRIPT needs it."; }

# output NAME HINT: print one of Terraform's outputs.
output() {
  local value
  have terraform
  value=$(terraform output -raw "$1" 2>/dev/null) && [ -n "$value" ] ||
    die 18 "Terraform has no output $1 in this folder: $2"
  printf '%s' "$value"
}

# Names in ECR say their account and region: 123456789012.dkr.ecr.us-west-2.amazonaws.com/neuron-gateway
in_ecr() { case $REGISTRY in *.dkr.ecr.*/*) ;; *) return 1 ;; esac }
region() {
  local rest=${REGISTRY#*.dkr.ecr.}
  printf '%s' "${rest%%.*}"
}

# digest IMAGE: print the digest of the image, or nothing where the registry has no such tag.
digest() {
  local answer
  if answer=$(aws ecr describe-images --region "$(region)" --registry-id "${REGISTRY%%.*}" \
    --repository-name "${REGISTRY#*/}/$1" --image-ids "imageTag=$TAG" \
    --query 'imageDetails[0].imageDigest' --output text 2>&1); then
    printf '%s' "$answer"
    return 0
  fi
  case $answer in *NotFoundException*) ;; *) die 24 "ECR did not answer for $REGISTRY/$1: $answer" ;; esac
}

# The registry would refuse the push after half an hour.
check_tag_is_new() {
  local image found
  for image in $IMAGES; do
    found=$(digest "$image")
    [ -z "$found" ] ||
      die 25 "$REGISTRY/$image:$TAG exists, and tags are never overwritten: choose another with --tag, such as $TAG-1."
  done
}

# Print the names of changed files that an image contains.
changes() { git status --porcelain -- :/engine :/gateway :/clients :/deploy/docker :/deploy/serve; }

build() {
  local bucket project id
  bucket=$(output model_store "run install.sh first.")
  project=$(output image_build "set enable_image_build = true in blueprint.tfvars and run install.sh again.")
  check_tag_is_new
  have git
  [ "$REF" != HEAD ] || [ -z "$(changes)" ] || warn "Changes that are not committed are not built."
  git -C "$(git rev-parse --show-toplevel)" archive --format=zip --output="$WORK/source.zip" "$REF" ||
    die 2 "git cannot pack $REF: give a commit, branch or tag of this repository with --ref."
  aws s3 cp --only-show-errors --region "$(region)" "$WORK/source.zip" "s3://$bucket/builds/$TAG.zip"
  id=$(aws codebuild start-build --region "$(region)" --project-name "$project" \
    --source-location-override "$bucket/builds/$TAG.zip" \
    --environment-variables-override "name=TAG,value=$TAG" ${NEURON_IMAGE:+"name=NEURON_IMAGE,value=$NEURON_IMAGE"} \
    --query build.id --output text)
  say "Building $REF as $TAG, about 30 minutes. Its log: aws logs tail /aws/codebuild/$project --follow --region $(region)"
  trap 'die 130 "Interrupted. The build goes on in AWS; when it has succeeded, $SCRIPT --tag $TAG writes its digests."' INT TERM
  wait_for "$id"
}

# wait_for BUILD: return when the build has succeeded.
wait_for() {
  local state
  while :; do
    state=$(aws codebuild batch-get-builds --region "$(region)" --ids "$1" --query 'builds[0].buildStatus' --output text)
    case $state in
    SUCCEEDED) return 0 ;;
    IN_PROGRESS) sleep "$PAUSE" ;;
    *) die 26 "The build $1 ended as $state: read its log with the command above. Nothing was written." ;;
    esac
  done
}

# entry IMAGE: print its line of the component.
entry() {
  local found=''
  if in_ecr; then
    found=$(digest "$1")
    [ -n "$found" ] || die 24 "$REGISTRY has no $1:$TAG: push it, or build all three with --build."
    found=", digest: \"$found\""
  fi
  printf -- '- {name: registry.example/neuron-gateway/%s, newName: %s/%s, newTag: "%s"%s}\n' \
    "$1" "$REGISTRY" "$1" "$TAG" "$found"
}

# Whole or not at all: an image that is missing leaves the file as it is. Entries of other images stay.
write() {
  local image
  grep -v 'name: registry.example/neuron-gateway/' "$FILE" >"$WORK/images"
  for image in $IMAGES; do
    entry "$image" >>"$WORK/images"
  done
  cat "$WORK/images" >"$FILE"
  say "deploy/k8s/images: $REGISTRY, tag $TAG"
}

main() {
  parse "$@"
  [ -z "$BUILD" ] || [ -z "$REGISTRY" ] || die 2 "--build pushes to Terraform's registry: leave --registry out."
  check_names
  [ -n "$REGISTRY" ] || REGISTRY=$(output registry "run install.sh first, or give --registry.")
  if in_ecr; then have aws; fi
  if [ -n "$BUILD" ]; then build; fi
  write
}

main "$@"
