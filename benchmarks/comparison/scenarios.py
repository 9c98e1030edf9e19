"""The comparisons: which systems run which workloads."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.comparison.load import Load, body, raw, standard
from benchmarks.comparison.processes import ServerFailed
from benchmarks.comparison.server_commands import (
    GATEWAY,
    LITELLM,
    MODEL,
    RAY_SERVE_LLM,
    ROOT,
    VLLM,
    bare,
    gateway,
    litellm,
    model_folder,
    ray_serve_llm,
    vllm,
)
from benchmarks.comparison.systems import EnginesOnly, Server, System, server
from benchmarks.comparison.workloads import (
    BURST,
    BURST_OF_MANY,
    FLEET,
    FLEET_BURST,
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

FOLDERS: Final = {VLLM: "vllm", LITELLM: "litellm", RAY_SERVE_LLM: "ray-serve-llm"}

Systems = Callable[[ExitStack], Iterator[System]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One comparison; ratios are of the first system to each other one.

    `quiet_seconds` is the pause between two runs: vLLM's workers spin for 1 s after the last token.
    """

    key: str
    title: str
    about: str
    systems: Systems
    load: Load
    workloads: tuple[Workload, ...]
    runs: int
    quiet_seconds: float = 1.5
    idle_seconds: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A short or a full report, the excluded peers, and where peers are installed."""

    full: bool = False
    without: tuple[str, ...] = ()
    peers: Path = ROOT / ".peers"

    def has(self, peer: str) -> bool:
        """Whether a peer is included."""
        return peer not in self.without

    def check(self) -> None:
        """Raise ServerFailed if an included peer is not installed."""
        for peer, folder in FOLDERS.items():
            if self.has(peer) and not (self.peers / folder / "installed").exists():
                raise ServerFailed(
                    f"{peer} is not installed in {self.peers / folder}. Run `make peers`, or "
                    "exclude it with --without."
                )


def scenarios(setup: Setup) -> list[Scenario]:
    """Return the comparisons of a report."""
    full = setup.full
    return [
        Scenario(
            "cpu",
            "The real engine: SmolLM2-135M on the CPU",
            "vLLM's own benchmark (`vllm.benchmarks.serve`), random prompts, 32 slots each",
            lambda stack: _real(stack, setup),
            standard(str(model_folder())),
            (*FULL_CHAT, LONG, BURST) if full else SHORT_CHAT,
            5,
        ),
        Scenario(
            "ceiling",
            "A simulated device without latency: the servers' own cost",
            "A client that counts frames; the bare app replays the gateway's bytes",
            lambda stack: _ceiling(stack, setup),
            raw,
            (STREAMS, LONG_STREAMS, BURST_OF_MANY) if full else (STREAMS,),
            7 if full else 5,
        ),
        Scenario(
            "inf2",
            "A simulated inf2.48xlarge in real time: 3 replicas of 32 slots",
            "A client that counts frames; without a server, three engines in one process get "
            "requests in turn",
            _inf2,
            raw,
            (FLEET, JUST_FULL, LONG_FLEET, FLEET_BURST) if full else (SHORT_FLEET,),
            5 if full else 3,
        ),
        *([_keys()] if full else []),
    ]


def _keys() -> Scenario:
    return Scenario(
        "keys",
        "API keys: four callers of different priority, and a gateway without keys",
        "A simulated device without latency; the second server has no keys_file",
        _with_and_without_keys,
        raw,
        (KEYS,),
        7,
    )


def _real(stack: ExitStack, setup: Setup) -> Iterator[System]:
    yield stack.enter_context(server(gateway("cpu.yaml", model=MODEL)))
    upstream = stack.enter_context(server(vllm(setup.peers)))
    yield upstream
    if setup.has(LITELLM):
        yield stack.enter_context(litellm(setup.peers, upstream.process))
    if setup.full and setup.has(RAY_SERVE_LLM):  # it takes 90 s to start
        yield stack.enter_context(server(ray_serve_llm(setup.peers, mock=False)))


def _ceiling(stack: ExitStack, setup: Setup) -> Iterator[System]:
    ours = stack.enter_context(server(gateway("ceiling.yaml")))
    yield ours
    if setup.full:
        two_hops = gateway("ceiling-two-hops.yaml", f"{GATEWAY}, two hops")
        yield stack.enter_context(server(two_hops))
    frames = stack.enter_context(_recorded(ours))
    for per_iteration in (True, False):
        yield stack.enter_context(server(bare(frames, per_iteration=per_iteration)))
    if setup.has(RAY_SERVE_LLM):
        yield stack.enter_context(server(ray_serve_llm(setup.peers, mock=True)))


def _inf2(stack: ExitStack) -> Iterator[System]:
    yield stack.enter_context(server(gateway("inf2-48xlarge.yaml")))
    yield EnginesOnly("inf2-tp8", replicas=3, slots=32)


def _with_and_without_keys(stack: ExitStack) -> Iterator[System]:
    four_keys = gateway("ceiling-keys.yaml", f"{GATEWAY}, four keys")
    yield stack.enter_context(server(four_keys))
    yield stack.enter_context(server(gateway("ceiling.yaml", f"{GATEWAY}, no keys")))


@contextmanager
def _recorded(ours: Server) -> Iterator[Path]:
    """Record the frames of one response in a file, for the bare app."""
    request = body(ours.model, STREAMS) | {"stream": True}
    response = httpx.post(f"{ours.process.url}/chat/completions", json=request, timeout=60)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames"
        file.write_bytes(response.content)
        yield file
