"""Servers under load as others measured them, beside what the simulation makes of the same load.

None of these figures was fitted but the second `inf2-tp2` row's: they judge the whole law, decode
that waits for prefill, slots and queues, where the points of a profile judge one line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from engine.capacity.fleet import Fleet, Outcome, run, run_users
from engine.capacity.workload import SEED, Workload
from engine.simulated.device import Simulated
from engine.simulated.profiles import ProfileName

# All of huggingface/optimum-neuron, benchmark/vllm, measured with guidellm: prompts of 1500 +- 150
# tokens, one graph of 4,096; answers as long as their tokens by their requests.
PROMPT: Final = (1500, 150)
SECONDS: Final = 120  # of a run, guidellm's default


@dataclass(frozen=True, slots=True)
class Served:
    """One published row: means of TTFT and TPOT in ms, output tokens per second.

    `users` ask again as soon as they are answered; with `offered` requests come at random times.
    """

    what: str
    profile: ProfileName
    replicas: int
    slots: int
    answer: int
    ttft: float
    tpot: float
    tokens: float
    users: int = 0
    offered: float = 0.0


PUBLISHED: Final = (
    Served("8/2026, one TP8, one user", "inf2-tp8", 1, 32, 201, 310, 23.9, 39.3, users=1),
    Served("8/2026, one TP8, 32 users", "inf2-tp8", 1, 32, 216, 1856, 59.7, 429, users=32),
    Served("8/2026, 3 x TP8, one user", "inf2-tp8", 3, 32, 230, 327, 24.4, 38.8, users=1),
    Served("9/2025, 3 x TP8, 4.58/s", "inf2-tp8", 3, 32, 237, 350, 71.1, 1084, offered=4.58),
    Served("8/2026, 3 x TP8, 128 users", "inf2-tp8", 3, 32, 229, 4472, 43.2, 1227, users=128),
    Served("8/2026, one TP2, one user", "inf2-tp2", 1, 4, 242, 1058, 50.7, 18.2, users=1),
    Served("8/2026, one TP2, 4 users", "inf2-tp2", 1, 4, 235, 1315, 59.5, 44.2, users=4),
)


def simulated(row: Served) -> Outcome:
    """Let the same load come to a simulated fleet."""
    device = Simulated.model_validate(
        {"kind": "simulated", "profile": row.profile, "prefill_buckets": (4096,)}
    )
    fleet = Fleet(device=device, replicas=row.replicas, slots=row.slots, max_model_len=4096)
    if row.users:
        return run_users(fleet, row.users, _lengths(row.answer), SECONDS)
    load = Workload.model_validate(
        {
            "requests_per_second": row.offered,
            "prompt_tokens": {"mean": PROMPT[0], "sd": PROMPT[1]},
            "output_tokens": {"mean": row.answer, "sd": 20},
        }
    )
    return run(fleet, load.requests(10_000), 10_000)


def _lengths(answer: int) -> Callable[[], tuple[int, int]]:
    chance = Random(SEED)  # noqa: S311 - no secret
    return lambda: (max(1, round(chance.gauss(*PROMPT))), max(1, round(chance.gauss(answer, 20))))


def markdown() -> str:
    """Write the comparison as the README shows it."""
    names = ("TTFT, ms", "TPOT, ms", "tokens/s")
    head = f"| profile | load | {' | '.join(names)} |"
    return "\n".join((head, "|---" * (2 + len(names)) + "|", *map(_written, PUBLISHED)))


def _written(row: Served) -> str:
    seen = simulated(row)
    cells = (
        _compared(row.ttft, 1000 * seen.ttft.mean, 0),
        _compared(row.tpot, 1000 * seen.tpot.mean, 1),
        _compared(row.tokens, seen.tokens_per_second, 0),
    )
    return f"| `{row.profile}` | {row.what} | {' | '.join(cells)} |"


def _compared(published: float, found: float, digits: int) -> str:
    return f"{published:g} / {found:.{digits}f} ({found / published - 1:+.0%})"
