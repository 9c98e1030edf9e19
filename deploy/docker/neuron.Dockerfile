# The gateway on AWS's image of vLLM 0.13 with the Neuron plugin; Ray is added to its environment.
#   docker build -f deploy/docker/neuron.Dockerfile -t neuron:0.2.0 .
# Another line of the plugin has its image in deploy/versions.env, and its name as device.plugin in the config:
#   --build-arg NEURON_IMAGE="$(sed -n s/^NEURON_IMAGE_0_5_3=//p deploy/versions.env)"
# The SDK in the image and the driver in the nodes' AMI belong together; nothing checks that offline.
ARG NEURON_IMAGE=public.ecr.aws/neuron/pytorch-inference-vllm-neuronx:0.13.0-neuronx-py312-sdk2.28.0-ubuntu24.04
FROM ${NEURON_IMAGE}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG VERSION=0.2.0
ARG UV=0.13.9
ARG KEPT='^(torch|vllm|neuron|libneuronxla|transformers|tokenizers|numpy)[^@]*=='
ARG OURS='fastapi|starlette|sse-starlette|uvicorn|pydantic|pydantic-core'
LABEL org.opencontainers.image.title="neuron-gateway on Inferentia2" \
  org.opencontainers.image.description="An OpenAI-compatible gateway, vLLM and the Neuron plugin under Ray Serve" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3002
USER 0
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends bash ca-certificates grep procps wget \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --create-home --home-dir /home/gateway gateway \
  && install -d -o 10001 -g 10001 /etc/neuron-gateway/keys
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY engine engine
COPY gateway gateway
COPY clients clients
# The image's torch, vLLM and Neuron packages are kept: AWS tested these together. constraints.txt pins the
# web framework and what the image lacks. The last two lines fail the build if Ray's and vLLM's packages
# are incompatible.
RUN pip freeze | grep -iE "${KEPT}" > /tmp/kept.txt \
  && pip freeze | sed 's/[=@ ].*//' | tr 'A-Z_' 'a-z-' | grep -vxE "${OURS}" > /tmp/there.txt \
  && grep -oE '^[a-z0-9.-]+==[^ ;]+' constraints.txt | grep -vE "${KEPT}" \
    | awk -F== 'NR == FNR { there[$1]; next } !($1 in there)' /tmp/there.txt - > /tmp/added.txt \
  && pip install --no-cache-dir "uv==${UV}" \
  && uv pip install --system --break-system-packages --no-cache --constraint /tmp/kept.txt \
    --constraint /tmp/added.txt ".[serve]" \
  && mkdir -p /opt/neuron-gateway \
  && ln -s "$(command -v neuron-gateway-haproxy)" /opt/neuron-gateway/haproxy \
  && pip freeze | grep -iE "${KEPT}" | diff /tmp/kept.txt - \
  && python -c "import ray.serve, fastapi, vllm, vllm_neuron, torch_neuronx, \
    neuronx_distributed_inference, gateway.serving.ray_app, engine.vllm.engine"
COPY deploy/docker/drain.sh /opt/neuron-gateway/drain.sh
COPY deploy/serve /opt/neuron-gateway/serve
COPY deploy/docker/environment.sh /etc/profile.d/neuron-gateway.sh
ENV BASH_ENV=/etc/profile.d/neuron-gateway.sh HOME=/home/gateway
USER 10001
WORKDIR /home/gateway
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=3600s \
  CMD ["wget", "-qO", "/dev/null", "http://127.0.0.1:8000/healthz"]
ENTRYPOINT ["neuron-gateway"]
CMD ["--help"]
