# The web chat: Gradio and the OpenAI SDK, configured with the gateway's URL.
#   docker build -f deploy/docker/webui.Dockerfile -t webui:0.2.0 .
ARG PYTHON_IMAGE=public.ecr.aws/docker/library/python:3.12.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ARG UV=0.13.9
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir "uv==${UV}" \
  && python3 -m venv --without-pip /opt/venv
ENV VIRTUAL_ENV=/opt/venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt overrides.txt ./
COPY engine engine
COPY gateway gateway
COPY clients clients
RUN /opt/uv/bin/uv pip install --no-cache --compile-bytecode --constraint constraints.txt \
  --override overrides.txt ".[clients]"

FROM ${PYTHON_IMAGE}
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="neuron-gateway chat" \
  org.opencontainers.image.description="A web chat on an OpenAI-compatible gateway" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --create-home --home-dir /home/gateway gateway
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH HOME=/home/gateway CHAT_HOST=0.0.0.0 CHAT_PORT=7860
USER 10001
WORKDIR /home/gateway
EXPOSE 7860
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/healthz')"]
ENTRYPOINT ["python", "-m", "clients.gradio_chat"]
