"""Workloads: the lengths of prompts and outputs, the number of requests, the concurrency."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests of one kind, `concurrency` of them at a time; lengths are in tokens."""

    name: str
    prompt_tokens: int
    output_tokens: int
    concurrency: int
    requests: int
    keys: bool = False

    @property
    def tokens(self) -> int:
        """All output tokens; every output has the same length."""
        return self.requests * self.output_tokens


def chat(prompt: int, output: int, requests: dict[int, int]) -> tuple[Workload, ...]:
    """Return a chat workload for each concurrency, with its number of requests."""
    return tuple(
        Workload(f"chat {prompt}/{output}, concurrency {streams}", prompt, output, streams, count)
        for streams, count in requests.items()
    )


SHORT_CHAT: Final = chat(64, 32, {1: 1, 8: 8, 32: 32})
FULL_CHAT: Final = chat(64, 64, {1: 2, 8: 8, 32: 32}) + chat(512, 128, {1: 1, 8: 8, 32: 32})
LONG: Final = Workload("long streams, 64/256, concurrency 4", 64, 256, 4, 4)
BURST: Final = Workload("burst of 64, 64/16", 64, 16, 64, 64)

# For a simulated device: without any latency, or with that of inf2.
STREAMS: Final = Workload("32 streams of 256", 64, 256, 32, 96)
LONG_STREAMS: Final = Workload("8 streams of 3,000", 64, 3000, 8, 8)
BURST_OF_MANY: Final = Workload("burst of 256 streams of 16", 64, 16, 256, 256)
KEYS: Final = Workload("4 keys, 32 streams of 256", 64, 256, 32, 96, keys=True)
SHORT_FLEET: Final = Workload("chat 64/64, concurrency 128", 64, 64, 128, 256)
FLEET: Final = Workload("chat 64/64, concurrency 128", 64, 64, 128, 640)
JUST_FULL: Final = Workload("chat 64/64, concurrency 96", 64, 64, 96, 576)
LONG_FLEET: Final = Workload("chat 512/128, concurrency 128", 512, 128, 128, 384)
FLEET_BURST: Final = Workload("burst of 256, 64/64", 64, 64, 256, 256)
