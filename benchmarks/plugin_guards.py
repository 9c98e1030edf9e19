"""CPU time that the guards of the Neuron plugin add to a step and to a delta."""

import timeit
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final

from engine.neuron import patch_sampling_rows
from engine.vllm.watchdog import Watchdog

CALLS: Final = 20_000
SLOTS: Final = (1, 8, 32)


class Runner:
    """The two methods of the plugin's runner that the hook patches, without their work."""

    def __init__(self, slots: int) -> None:
        self.requests = {f"chatcmpl-{n}": n for n in range(slots)}
        self.input_ids = None

    def get_nxd_sampling_params(self, input_ids: Any) -> None:
        del input_ids
        enumerate(self.requests.values())

    def _finalize_continuous_batching_inputs(self, data: Any, is_prefill: bool) -> Any:
        del is_prefill
        self.get_nxd_sampling_params(self.input_ids)
        return dict(request_ids=data.request_ids)  # noqa: C408 - as in the plugin


class Guarded(Runner):
    """The runner with the hook."""


patch_sampling_rows(Guarded)


def _step(kind: type[Runner], slots: int) -> Callable[[], Any]:
    runner = kind(slots)
    data = SimpleNamespace(request_ids=list(reversed(runner.requests)))
    return lambda: runner._finalize_continuous_batching_inputs(data, False)  # noqa: SLF001


def _delta() -> Callable[[], Any]:
    watchdog = Watchdog()

    def delta() -> None:
        watchdog.served("chatcmpl-1")
        watchdog.waits("chatcmpl-1")

    return delta


def measure(runs: int) -> Iterator[tuple[str, list[float]]]:
    """Yield each case with its added microseconds, one value per run."""
    for slots in SLOTS:
        pairs = [(_time(_step(Guarded, slots)), _time(_step(Runner, slots))) for _ in range(runs)]
        yield (
            f"sampling hook, per step of {slots} slots",
            [after - before for after, before in pairs],
        )
    yield "watchdog, per delta", [_time(_delta()) for _ in range(runs)]


def _time(call: Callable[[], Any]) -> float:
    return 1e6 * timeit.timeit(call, number=CALLS) / CALLS
