"""Environment variables: those that the gateway reads, and those that it sets for Ray Serve."""

import math
import os
import sysconfig
from pathlib import Path

from engine.neuron import expand_ranges
from gateway.config import AppConfig
from gateway.serving.host import host_environment
from gateway.serving.ray_private import BINARY_PATH, CONSOLE_VARIABLES, PORTS, VARIABLES


def serve_environment(config: AppConfig) -> dict[str, str]:
    """Return the variables that Ray Serve reads when it starts, on every node.

    Under `serve deploy` the operator sets them, and `BINARY_PATH`. Without that HAProxy shows its
    statistics on all interfaces (ports 8404 and 9101) and has errors of its own.
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
    """Set what Ray Serve reads on this machine and is not set yet; the proxy is the config's.

    Raises ConfigError where no ports are free.
    """
    wanted = serve_environment(config)
    if visible := visible_cores():
        os.environ["NEURON_RT_VISIBLE_CORES"] = ",".join(visible)
    scripts = Path(sysconfig.get_path("scripts"))
    local = CONSOLE_VARIABLES | {BINARY_PATH: str(scripts / "neuron-gateway-haproxy")}
    for name, value in (wanted | host_environment() | local).items():
        os.environ.setdefault(name, value)
    os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = wanted["RAY_SERVE_ENABLE_HA_PROXY"]


def given_ports() -> dict[str, int]:
    """Return the ports that the environment sets for Ray Serve, by variable."""
    return {name: int(os.environ[name]) for name in PORTS if name in os.environ}


def visible_cores() -> list[str]:
    """Return the NeuronCores that the environment names; an empty list where it names none."""
    return expand_ranges(os.environ.get("NEURON_RT_VISIBLE_CORES", ""))


def otlp_endpoint(config: AppConfig) -> str | None:
    """Return where traces are exported to: the config's endpoint, or the environment's."""
    return config.otlp_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")


def with_otlp_endpoint(config: AppConfig) -> AppConfig:
    """Return the config with the endpoint that traces are exported to."""
    return config.model_copy(update={"otlp_endpoint": otlp_endpoint(config)})


def cache_folder() -> Path:
    """Return the folder for converted models, by the XDG base directory specification."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "neuron-gateway" / "models"
