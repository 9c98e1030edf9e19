"""Servers under load as others measured them, and the simulation of the same load.

Only the first `inf2-tp2` row was fitted. The others test the whole simulation, with decode that
waits for prefill, slots and queues, where the points of a profile test one line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from deploy.planner.fleet import Fleet, Outcome, run, run_users
from deploy.planner.workload import SEED, Workload
from engine import Simulated
from engine.simulated import ProfileName

# All are of huggingface/optimum-neuron, benchmark/vllm, measured with guidellm: prompts of 1500 +-
# 150 tokens, one graph of 4,096; completions as long as the published tokens by the requests.
PROMPT: Final = (1500, 150)
RUN_SECONDS: Final = 120  # guidellm's default


@dataclass(frozen=True, slots=True)
class Served:
    """One published row: means of TTFT and TPOT in ms, and output tokens per second.

    `answer` is the mean length of a completion in tokens. Either `users` ask again as soon as they
    are answered, or `offered` requests per second come at random times.
    """

    load: str
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
    """Return the outcome of the same load on a simulated fleet."""
    device = Simulated.model_validate(
        {"kind": "simulated", "profile": row.profile, "prefill_buckets": (4096,)}
    )
    fleet = Fleet(device=device, replicas=row.replicas, slots=row.slots, max_model_len=4096)
    if row.users:
        return run_users(fleet, row.users, _lengths(row.answer), RUN_SECONDS)
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
