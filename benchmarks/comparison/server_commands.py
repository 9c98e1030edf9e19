"""The command line of each server of a comparison."""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.comparison.processes import Command, Process
from benchmarks.comparison.systems import Server, server

ROOT: Final = Path(__file__).parents[2]
SERVERS: Final = ROOT / "benchmarks" / "servers"
MODEL: Final = "smollm2-135m-instruct"
SIMULATED: Final = "simulated-8b"
GATEWAY: Final = "neuron-gateway"
VLLM: Final = "vLLM's server"
LITELLM: Final = "LiteLLM in front of vLLM"
RAY_SERVE_LLM: Final = "Ray Serve LLM"
BARE: Final = "bare uvicorn"
BARE_PER_ITERATION: Final = f"{BARE}, one frame per iteration"


def gateway(file: str, name: str = GATEWAY, model: str = SIMULATED) -> Command:
    """Return the command of this gateway, with its own Ray cluster."""
    port = free_port()
    return Command(
        name,
        (sys.executable, "-m", "gateway", "serve", str(SERVERS / file), "--port", str(port)),
        f"http://127.0.0.1:{port}/v1",
        model,
        {"RAY_ADDRESS": "local"},
        ready_text="(ready after",  # printed when the last replica is up
    )


def vllm(peers: Path) -> Command:
    """Return the command of vLLM's own server with the settings of cpu.yaml."""
    port = free_port()
    options = (
        "--model", str(model_folder()), "--served-model-name", MODEL, "--enforce-eager",
        "--dtype", "bfloat16", "--max-num-seqs", "32", "--max-model-len", "2048",
        "--kv-cache-memory-bytes", str(2**30), "--host", "127.0.0.1", "--port", str(port),
        "--disable-uvicorn-access-log",
    )  # fmt: skip
    python = str(peers / "vllm" / "bin" / "python")
    return Command(
        VLLM,
        (python, "-m", "vllm.entrypoints.openai.api_server", *options),
        f"http://127.0.0.1:{port}/v1",
        MODEL,
        {"VLLM_NO_USAGE_STATS": "1"} | all_threads(),
    )


@contextmanager
def litellm(peers: Path, upstream: Process) -> Iterator[Server]:
    """Start LiteLLM's proxy in front of a server."""
    port = free_port()
    parameters = {"model": f"hosted_vllm/{MODEL}", "api_base": upstream.url, "api_key": "none"}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        # It listens on loopback only.
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)  # JSON is YAML
        file.flush()
        options = ("--config", file.name, "--host", "127.0.0.1", "--port", str(port))
        command = Command(
            LITELLM,
            (str(peers / "litellm" / "bin" / "litellm"), *options),
            f"http://127.0.0.1:{port}/v1",
            MODEL,
            {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            upstream=upstream,
        )
        with server(command) as proxy:
            yield proxy


def ray_serve_llm(peers: Path, *, mock: bool) -> Command:
    """Return the command of Ray Serve LLM with its vLLM, or with an engine without latency."""
    port = free_port()
    folder = ROOT / "benchmarks" / "peers"
    mock_settings = {"RAYLLM_VLLM_ENGINE_CLS": "mock_engine:MockEngine", "PYTHONPATH": str(folder)}
    return Command(
        f"{RAY_SERVE_LLM}, mock engine" if mock else RAY_SERVE_LLM,
        (
            str(peers / "ray-serve-llm" / "bin" / "python"),
            str(folder / "ray_serve_llm.py"),
            str(model_folder()),
            str(port),
        ),
        f"http://127.0.0.1:{port}/v1",
        MODEL,
        {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # as for the gateway
            "VLLM_CPU_KVCACHE_SPACE": "1",
        }
        | all_threads()
        | (mock_settings if mock else {}),
    )


def bare(frames: Path, *, per_iteration: bool) -> Command:
    """Return the command of the bare app with the frames of a response."""
    port = free_port()
    return Command(
        BARE_PER_ITERATION if per_iteration else BARE,
        (
            sys.executable,
            "-m",
            "benchmarks.comparison.bare_server",
            str(frames),
            str(port),
            *(("per-iteration",) if per_iteration else ()),
        ),
        f"http://127.0.0.1:{port}/v1",
        SIMULATED,
    )


def all_threads() -> dict[str, str]:
    """Return the setting for vLLM to use all cores, as the gateway does. Default: one less."""
    return {"VLLM_CPU_OMP_THREADS_BIND": f"0-{(os.cpu_count() or 1) - 1}"}


def free_port() -> int:
    """Return a port without a listener, below the range of ephemeral ports."""
    for port in _ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no port is free")


_ports: Final = iter(range(18000, 30000))


def model_folder() -> Path:
    """Return the folder into which the gateway converts the default model."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 - the benchmarks' own
    return Path(root) / "neuron-gateway" / "models" / MODEL
