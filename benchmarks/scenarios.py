"""What is measured against what: the sides of each comparison."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.commands import (
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
from benchmarks.load import Load, body, raw, standard
from benchmarks.processes import ServerFailed
from benchmarks.sides import Alone, Server, Side, server
from benchmarks.workloads import (
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A short or a full report, which peers it backends out, and where they are installed."""

    full: bool = False
    without: tuple[str, ...] = ()
    peers: Path = ROOT / ".peers"

    def has(self, peer: str) -> bool:
        """Whether a peer takes part."""
        return peer not in self.without

    def check(self) -> None:
        """Raise ServerFailed, before anything is started, where a peer is not installed."""
        for peer, folder in FOLDERS.items():
            if self.has(peer) and not (self.peers / folder / "installed").exists():
                raise ServerFailed(
                    f"{peer} is not installed in {self.peers / folder}. Run `make peers`, or "
                    "leave it out with --without."
                )


def scenarios(setup: Setup) -> list[Scenario]:
    """Give the comparisons of a report."""
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
            "A device that takes no time: what the servers themselves cost",
            "a client that counts frames; the bare app sends the gateway's bytes",
            lambda stack: _ceiling(stack, setup),
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
            (FLEET, JUST_FULL, LONG_FLEET, FLEET_BURST) if full else (SHORT_FLEET,),
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


def _real(stack: ExitStack, setup: Setup) -> Iterator[Side]:
    yield stack.enter_context(server(gateway("cpu.yaml", model=MODEL)))
    behind = stack.enter_context(server(vllm(setup.peers)))
    yield behind
    if setup.has(LITELLM):
        yield stack.enter_context(litellm(setup.peers, behind.process))
    if setup.full and setup.has(RAY_SERVE_LLM):  # which takes a minute and a half to start
        yield stack.enter_context(server(ray_serve_llm(setup.peers, mock=False)))


def _ceiling(stack: ExitStack, setup: Setup) -> Iterator[Side]:
    ours = stack.enter_context(server(gateway("ceiling.yaml")))
    yield ours
    if setup.full:
        two_hops = gateway("ceiling-two-hops.yaml", f"{GATEWAY}, two hops")
        yield stack.enter_context(server(two_hops))
    frames = stack.enter_context(_recorded(ours))
    for name, more in (("bare uvicorn, a turn a frame", ("in-turns",)), ("bare uvicorn", ())):
        yield stack.enter_context(server(bare(name, frames, more)))
    if setup.has(RAY_SERVE_LLM):
        yield stack.enter_context(server(ray_serve_llm(setup.peers, mock=True)))


def _inf2(stack: ExitStack) -> Iterator[Side]:
    yield stack.enter_context(server(gateway("inf2-48xlarge.yaml")))
    yield Alone("inf2-tp8", replicas=3, slots=32)


def _with_and_without_keys(stack: ExitStack) -> Iterator[Side]:
    with_keys = gateway("ceiling-keys.yaml", f"{GATEWAY}, four keys")
    yield stack.enter_context(server(with_keys))
    yield stack.enter_context(server(gateway("ceiling.yaml", f"{GATEWAY}, no keys")))


@contextmanager
def _recorded(ours: Server) -> Iterator[Path]:
    """Keep the frames of one answer in a file, for the bare app."""
    request = body(ours.model, STREAMS) | {"stream": True}
    answer = httpx.post(f"{ours.process.url}/chat/completions", json=request, timeout=60)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames"
        file.write_bytes(answer.content)
        yield file
