"""Environment variables: those that Ray Serve reads, and what they say here. The only reader."""

import math
import os
from pathlib import Path

from engine.neuron import expand_ranges
from gateway.config import AppConfig
from gateway.serving.haproxy import write_script


def serve_environment(config: AppConfig) -> dict[str, str]:
    """Give the variables that Ray Serve reads when it starts, on every node.

    Under `serve deploy` these are the operator's to set; HAProxy then shows its figures on all
    interfaces (ports 8404 and 9101), which `proxy: python` does not.
    """
    longest = math.ceil(config.limits.max_request_seconds) + 30
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": str(int(config.proxy == "haproxy")),
        # Every reload of HAProxy ends the streams of the old worker after this time.
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(longest),
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        # A dead engine serves nobody: no drain of half a minute before its replica is replaced.
        "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # Nothing in the app blocks, so it needs no second loop and no hop between two.
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1000",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray's 15 would let anything else on the machine go before an answer that is awaited.
        "RAY_worker_niceness": "0",
        # Ray would give an actor without CPUs of its own one thread.
        "OMP_NUM_THREADS": str(os.cpu_count() or 1),
    }


def set_serve_environment(config: AppConfig) -> None:
    """Set what `serve_environment` says; the proxy is the config's, the rest may be overridden."""
    wanted = serve_environment(config)
    if visible := visible_cores():
        os.environ["NEURON_RT_VISIBLE_CORES"] = ",".join(visible)
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = wanted["RAY_SERVE_ENABLE_HA_PROXY"]
    if config.proxy == "haproxy" and "RAY_SERVE_HAPROXY_BINARY_PATH" not in os.environ:
        stats, metrics = haproxy_ports().values()
        script = cache_folder().parent / f"haproxy-{stats}-{metrics}.sh"
        write_script(script, stats, metrics)
        os.environ["RAY_SERVE_HAPROXY_BINARY_PATH"] = str(script)


def visible_cores() -> list[str]:
    """Give the NeuronCores that the environment leaves to this node; none where it is silent."""
    return expand_ranges(os.environ.get("NEURON_RT_VISIBLE_CORES", ""))


def otlp_endpoint(config: AppConfig) -> str | None:
    """Give where traces go, if anywhere."""
    return config.otlp_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")


def haproxy_ports() -> dict[str, int]:
    """Give the ports on which HAProxy shows its figures, by the variable that moves each."""
    defaults = {"RAY_SERVE_HAPROXY_STATS_PORT": 8404, "RAY_SERVE_HAPROXY_METRICS_PORT": 9101}
    return {name: int(os.environ.get(name, port)) for name, port in defaults.items()}


def cache_folder() -> Path:
    """Give the folder for converted models, by the XDG rules."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "neuron-gateway" / "models"


def client_url() -> str:
    """Give the base URL that clients ask, by the name that OpenAI's SDKs read."""
    return os.environ.get("OPENAI_BASE_URL") or "http://127.0.0.1:8000/v1"


def client_key() -> str:
    """Give the API key of a client; empty where there is none."""
    return os.environ.get("OPENAI_API_KEY", "")
