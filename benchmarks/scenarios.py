"""What is measured against what: the sides of each comparison, and how they are started."""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.load import Load, body, raw, standard
from benchmarks.processes import Command
from benchmarks.sides import Alone, Server, Side, server
from benchmarks.workloads import (
    BURST,
    BURST_OF_MANY,
    FLEET,
    FULL_CHAT,
    JUST_FULL,
    KEYS,
    LONG,
    LONG_FLEET,
    LONG_STREAMS,
    SHORT_CHAT,
    SHORT_FLEET,
    STREAMS,
    Workload,
)

ROOT: Final = Path(__file__).parents[1]
PEERS: Final = ROOT / ".peers"
SERVERS: Final = ROOT / "benchmarks" / "servers"
MODEL: Final = "smollm2-135m-instruct"
SIMULATED: Final = "simulated-8b"
GATEWAY: Final = "neuron-gateway"
VLLM: Final = "vLLM's server"
LITELLM: Final = "LiteLLM before vLLM"
RAY_SERVE_LLM: Final = "Ray Serve LLM"

Sides = Callable[[ExitStack], Iterator[Side]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One comparison; the first side is the one that the others are compared with."""

    key: str
    title: str
    about: str
    sides: Sides
    load: Load
    workloads: tuple[Workload, ...]
    runs: int


def scenarios(*, full: bool, without: Sequence[str]) -> list[Scenario]:
    """Give the comparisons of a short or a full report, some peers left out."""

    def left(name: str) -> bool:
        return name in without

    return [
        Scenario(
            "cpu",
            "The real engine: SmolLM2-135M on the CPU",
            "vLLM's own benchmark (`vllm.benchmarks.serve`), random prompts, 32 slots each",
            lambda stack: _real(stack, left, full=full),
            standard(str(model_folder())),
            (*FULL_CHAT, LONG, BURST) if full else SHORT_CHAT,
            5,
        ),
        Scenario(
            "ceiling",
            "A device that takes no time: what the servers themselves cost",
            "a client that counts frames; the bare app sends the gateway's bytes",
            lambda stack: _ceiling(stack, left, full=full),
            raw,
            (STREAMS, LONG_STREAMS, BURST_OF_MANY) if full else (STREAMS,),
            7 if full else 5,
        ),
        Scenario(
            "inf2",
            "A simulated inf2.48xlarge in its own time: 3 replicas of 32 slots",
            "a client that counts frames; the engines alone are three in one process, asked in "
            "turn",
            _inf2,
            raw,
            (FLEET, JUST_FULL, LONG_FLEET) if full else (SHORT_FLEET,),
            5 if full else 3,
        ),
        *([_keys()] if full else []),
    ]


def _keys() -> Scenario:
    return Scenario(
        "keys",
        "Mixed keys: four callers of different priority, and nobody asked for a key",
        "a device that takes no time; the second server has no keys_file and reads no key",
        _with_and_without_keys,
        raw,
        (KEYS,),
        7,
    )


def model_folder() -> Path:
    """Give the default model's folder, where the gateway converts it to."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 - no gateway
    return Path(root) / "neuron-gateway" / "models" / MODEL


def _real(stack: ExitStack, left: Callable[[str], bool], *, full: bool) -> Iterator[Side]:
    yield stack.enter_context(server(gateway("cpu.yaml", model=MODEL)))
    behind = stack.enter_context(server(_vllm()))
    yield behind
    if not left(LITELLM):
        yield stack.enter_context(_litellm(behind))
    if full and not left(RAY_SERVE_LLM):  # which takes a minute and a half to start
        yield stack.enter_context(server(_ray_serve_llm(mock=False)))


def _ceiling(stack: ExitStack, left: Callable[[str], bool], *, full: bool) -> Iterator[Side]:
    ours = stack.enter_context(server(gateway("ceiling.yaml")))
    yield ours
    if full:
        two_hops = gateway("ceiling-two-hops.yaml", f"{GATEWAY}, two hops")
        yield stack.enter_context(server(two_hops))
    frames = stack.enter_context(_recorded(ours))
    for name, more in (("bare uvicorn, a turn a frame", ("in-turns",)), ("bare uvicorn", ())):
        yield stack.enter_context(server(_bare(name, frames, more)))
    if not left(RAY_SERVE_LLM):
        yield stack.enter_context(server(_ray_serve_llm(mock=True)))


def _inf2(stack: ExitStack) -> Iterator[Side]:
    yield stack.enter_context(server(gateway("inf2-48xlarge.yaml")))
    yield Alone("inf2-tp8", replicas=3, slots=32)


def _with_and_without_keys(stack: ExitStack) -> Iterator[Side]:
    with_keys = gateway("ceiling-keys.yaml", f"{GATEWAY}, four keys")
    yield stack.enter_context(server(with_keys))
    yield stack.enter_context(server(gateway("ceiling.yaml", f"{GATEWAY}, no keys")))


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
    )


def _vllm() -> Command:
    port = free_port()
    options = (
        "--model", str(model_folder()), "--served-model-name", MODEL, "--enforce-eager",
        "--dtype", "bfloat16", "--max-num-seqs", "32", "--max-model-len", "2048",
        "--kv-cache-memory-bytes", str(2**30), "--host", "127.0.0.1", "--port", str(port),
        "--disable-uvicorn-access-log",
    )  # fmt: skip
    python = str(PEERS / "vllm" / "bin" / "python")
    return Command(
        VLLM,
        (python, "-m", "vllm.entrypoints.openai.api_server", *options),
        f"http://127.0.0.1:{port}/v1",
        MODEL,
        {"VLLM_NO_USAGE_STATS": "1"},
    )


@contextmanager
def _litellm(behind: Server) -> Iterator[Server]:
    port = free_port()
    parameters = {
        "model": f"hosted_vllm/{MODEL}",
        "api_base": behind.process.url,
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
            (str(PEERS / "litellm" / "bin" / "litellm"), *options),
            f"http://127.0.0.1:{port}/v1",
            MODEL,
            {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            behind=behind.process,
        )
        with server(command) as found:
            yield found


def _ray_serve_llm(*, mock: bool) -> Command:
    port = free_port()
    folder = ROOT / "benchmarks" / "peers"
    mocked = {"RAYLLM_VLLM_ENGINE_CLS": "mock_engine:MockEngine", "PYTHONPATH": str(folder)}
    return Command(
        f"{RAY_SERVE_LLM}, mock engine" if mock else RAY_SERVE_LLM,
        (
            str(PEERS / "ray-serve-llm" / "bin" / "python"),
            str(folder / "ray_serve_llm.py"),
            str(model_folder()),
            str(port),
        ),
        f"http://127.0.0.1:{port}/v1",
        MODEL,
        {"RAY_USAGE_STATS_ENABLED": "0", "VLLM_CPU_KVCACHE_SPACE": "1"} | (mocked if mock else {}),
    )


@contextmanager
def _recorded(ours: Server) -> Iterator[Path]:
    """Keep the frames of one answer in a file, for the bare app."""
    request = body(ours.model, STREAMS) | {"stream": True}
    answer = httpx.post(f"{ours.process.url}/chat/completions", json=request, timeout=60)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames"
        file.write_bytes(answer.content)
        yield file


def _bare(name: str, frames: Path, more: tuple[str, ...]) -> Command:
    port = free_port()
    return Command(
        name,
        (sys.executable, "-m", "benchmarks.bare", str(frames), str(port), *more),
        f"http://127.0.0.1:{port}/v1",
        SIMULATED,
    )


def free_port() -> int:
    """Find a port that nothing listens on, below those that systems give to clients."""
    for port in _ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no port is free")


_ports: Final = iter(range(18000, 30000))
