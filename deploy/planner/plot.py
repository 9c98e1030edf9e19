"""A plot of latency against load."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from deploy.planner import Choice, Outcome, PlanError

QUANTILES: Final = (0.5, 0.95, 0.99)


def draw(file: Path, best: Choice, outcomes: Sequence[Outcome]) -> None:
    """Write a PNG of TTFT and TPOT against requests per second. Raises PlanError."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise PlanError("--plot: needs matplotlib. Install neuron-gateway[plan].") from None
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4))
    rates = [one.requests_per_second for one in outcomes]
    _lines(
        axes[0], rates, "TTFT, s", [[one.ttft.quantile(q) for one in outcomes] for q in QUANTILES]
    )
    tpot = [[1000 * one.tpot.quantile(q) for one in outcomes] for q in QUANTILES]
    _lines(axes[1], rates, "TPOT, ms", tpot)
    axes[0].set_yscale("log")
    placement = best.placement
    figure.suptitle(
        f"{best.instances} x {placement.instance.name}, {placement.replicas} x degree "
        f"{placement.degree}, {placement.slots} slots (simulated)"
    )
    figure.tight_layout()
    try:
        figure.savefig(file, format="png", dpi=110)
    except OSError as error:
        raise PlanError(f"--plot: {file} cannot be written ({error.strerror}).") from None
    finally:
        pyplot.close(figure)


def _lines(axis: Any, rates: Sequence[float], name: str, lines: Sequence[Sequence[float]]) -> None:
    for quantile, values in zip(QUANTILES, lines, strict=True):
        axis.plot(rates, values, marker="o", label=f"p{100 * quantile:g}")
    axis.set_xlabel("requests/s")
    axis.set_ylabel(name)
    axis.set_ylim(bottom=None if name.startswith("TTFT") else 0)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
