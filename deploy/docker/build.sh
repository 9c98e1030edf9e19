#!/usr/bin/env bash
# Build the three images and push them to REGISTRY as TAG; nothing is pushed unless all of them are built.
# With SBOM, a folder in S3, the list of what is in them is stored there as SPDX. NEURON_IMAGE is another line of
# the plugin, of deploy/versions.env.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${REGISTRY:?is not set: terraform -chdir=deploy/terraform output -raw registry}"
: "${TAG:?is not set: the tag of the images, such as 0.2.0}"

images=(neuron gateway webui)
# ECR cannot scan an image with buildx's attestations (moby/buildkit#3499).
export BUILDX_NO_DEFAULT_ATTESTATIONS=1
for image in "${images[@]}"; do
  docker build --platform linux/amd64 --build-arg "VERSION=$TAG" ${NEURON_IMAGE:+--build-arg NEURON_IMAGE} \
    -f "deploy/docker/$image.Dockerfile" -t "$REGISTRY/$image:$TAG" .
done

if [ -n "${SBOM-}" ]; then
  # Not buildx's --sbom: it is an attestation, and its scanner comes from Docker Hub, which limits CodeBuild's addresses.
  syft=$(sed -n 's/^SYFT_IMAGE=//p' deploy/versions.env)
  for image in "${images[@]}"; do
    docker run --rm -v /var/run/docker.sock:/var/run/docker.sock "$syft" \
      "docker:$REGISTRY/$image:$TAG" --output spdx-json | aws s3 cp - "$SBOM/$TAG/$image.spdx.json"
  done
fi

for image in "${images[@]}"; do
  docker push "$REGISTRY/$image:$TAG"
done
