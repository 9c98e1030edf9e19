"""How each server of a comparison is started."""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.processes import Command, Process
from benchmarks.sides import Server, server

ROOT: Final = Path(__file__).parents[1]
SERVERS: Final = ROOT / "benchmarks" / "servers"
MODEL: Final = "smollm2-135m-instruct"
SIMULATED: Final = "simulated-8b"
GATEWAY: Final = "neuron-gateway"
VLLM: Final = "vLLM's server"
LITELLM: Final = "LiteLLM before vLLM"
RAY_SERVE_LLM: Final = "Ray Serve LLM"


def gateway(file: str, name: str = GATEWAY, model: str = SIMULATED) -> Command:
    """Start this gateway by its command line with a Ray cluster of its own."""
    port = free_port()
    return Command(
        name,
        (sys.executable, "-m", "gateway", "serve", str(SERVERS / file), "--port", str(port)),
        f"http://127.0.0.1:{port}/v1",
        model,
        {
            "RAY_ADDRESS": "local",
            "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
            "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        },
        says="(ready after",  # the last replica too
    )


def vllm(peers: Path) -> Command:
    """Start vLLM's own server with the settings of cpu.yaml."""
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
def litellm(peers: Path, behind: Process) -> Iterator[Server]:
    """Start LiteLLM's proxy before a server."""
    port = free_port()
    parameters = {
        "model": f"hosted_vllm/{MODEL}",
        "api_base": behind.url,
        "api_key": "none",
    }
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        # It listens on loopback alone.
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
            behind=behind,
        )
        with server(command) as found:
            yield found


def ray_serve_llm(peers: Path, *, mock: bool) -> Command:
    """Start Ray Serve LLM with its vLLM, or with an engine that takes no time."""
    port = free_port()
    folder = ROOT / "benchmarks" / "peers"
    mocked = {"RAYLLM_VLLM_ENGINE_CLS": "mock_engine:MockEngine", "PYTHONPATH": str(folder)}
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
            "RAY_worker_niceness": "0",  # as with ours
            "VLLM_CPU_KVCACHE_SPACE": "1",
        }
        | all_threads()
        | (mocked if mock else {}),
    )


def bare(name: str, frames: Path, more: tuple[str, ...]) -> Command:
    """Start the bare app with the frames of an answer."""
    port = free_port()
    return Command(
        name,
        (sys.executable, "-m", "benchmarks.bare", str(frames), str(port), *more),
        f"http://127.0.0.1:{port}/v1",
        SIMULATED,
    )


def all_threads() -> dict[str, str]:
    """Let vLLM compute on all cores, as the gateway does; by itself it backends one of them out."""
    return {"VLLM_CPU_OMP_THREADS_BIND": f"0-{(os.cpu_count() or 1) - 1}"}


def free_port() -> int:
    """Find a port that nothing listens on, below those that systems give to clients."""
    for port in _ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no port is free")


_ports: Final = iter(range(18000, 30000))


def model_folder() -> Path:
    """Give the default model's folder, where the gateway converts it to."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 - no gateway
    return Path(root) / "neuron-gateway" / "models" / MODEL
