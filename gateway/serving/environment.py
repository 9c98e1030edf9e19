"""Environment variables: those that the gateway reads, and those that it sets for Ray Serve."""

import math
import os
from pathlib import Path

from engine.neuron import expand_ranges
from gateway.config import AppConfig
from gateway.serving.haproxy import write_script
from gateway.serving.ray_private import BINARY_PATH, STATS_PORT, VARIABLES


def serve_environment(config: AppConfig) -> dict[str, str]:
    """Return the variables that Ray Serve reads when it starts, on every node.

    Under `serve deploy` the operator sets them. HAProxy then shows its statistics on all
    interfaces (ports 8404 and 9101), unless `BINARY_PATH` names our script.
    """
    longest = math.ceil(config.limits.max_request_seconds) + 30
    return VARIABLES | {
        "RAY_SERVE_ENABLE_HA_PROXY": str(int(config.proxy == "haproxy")),
        # Every reload of HAProxy ends the streams of the old worker after this time.
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(longest),
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        # Nothing in the app blocks, so it needs no event loop of its own and no hop between two.
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1000",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray gives an actor without CPUs of its own one thread.
        "OMP_NUM_THREADS": str(os.cpu_count() or 1),
    }


def set_serve_environment(config: AppConfig) -> None:
    """Set what `serve_environment` returns and is not set yet; the proxy is always the config's."""
    wanted = serve_environment(config)
    if visible := visible_cores():
        os.environ["NEURON_RT_VISIBLE_CORES"] = ",".join(visible)
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = wanted["RAY_SERVE_ENABLE_HA_PROXY"]
    if config.proxy == "haproxy" and BINARY_PATH not in os.environ:
        stats, metrics = haproxy_ports().values()
        script = cache_folder().parent / f"haproxy-{stats}-{metrics}.sh"
        write_script(script, stats, metrics)
        os.environ[BINARY_PATH] = str(script)


def visible_cores() -> list[str]:
    """Return the NeuronCores that the environment names; an empty list where it names none."""
    return expand_ranges(os.environ.get("NEURON_RT_VISIBLE_CORES", ""))


def otlp_endpoint(config: AppConfig) -> str | None:
    """Return where traces are exported to: the config's endpoint, or the environment's."""
    return config.otlp_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")


def with_otlp_endpoint(config: AppConfig) -> AppConfig:
    """Return the config with the endpoint that traces are exported to."""
    return config.model_copy(update={"otlp_endpoint": otlp_endpoint(config)})


def haproxy_ports() -> dict[str, int]:
    """Return the ports on which HAProxy shows its statistics, by the variable that sets each."""
    defaults = {STATS_PORT: 8404, "RAY_SERVE_HAPROXY_METRICS_PORT": 9101}
    return {name: int(os.environ.get(name, port)) for name, port in defaults.items()}


def cache_folder() -> Path:
    """Return the folder for converted models, by the XDG base directory specification."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "neuron-gateway" / "models"
