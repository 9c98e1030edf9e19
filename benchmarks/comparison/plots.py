"""A bar chart for each comparison: tokens per second, TTFT, CPU outside the engine."""

from pathlib import Path
from typing import Any, Final

from benchmarks.comparison.figures import OUTSIDE_ENGINE, Spread
from benchmarks.comparison.runner import Comparison

TITLES: Final = {
    "tokens/s": "tokens/s (more is better)",
    "TTFT p50, ms": "TTFT p50, ms (less is better)",
    OUTSIDE_ENGINE: f"{OUTSIDE_ENGINE} (less is better)",
}
COLORS: Final = ("#0b6e4f", "#d1495b", "#edae49", "#30638e", "#8d6a9f", "#7f7f7f")


def draw(comparison: Comparison, file: Path) -> None:
    """Write a PNG; whiskers show the range of the runs."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(TITLES), figsize=(13, _height(comparison)))
    for axis, name in zip(axes, TITLES, strict=True):
        _bars(axis, comparison, name)
    axes[0].set_yticks(*_labels(comparison))
    for axis in axes[1:]:
        axis.set_yticks([])
    handles = axes[0].patches[:: len(comparison.scenario.workloads)]
    names = comparison.systems
    figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False)
    figure.suptitle(comparison.scenario.title)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _height(comparison: Comparison) -> float:
    return 2.2 + 0.24 * len(comparison.systems) * len(comparison.scenario.workloads)


def _labels(comparison: Comparison) -> tuple[list[float], list[str]]:
    width = len(comparison.systems) + 1
    workloads = comparison.scenario.workloads
    positions = [-(row * width + (width - 2) / 2) for row in range(len(workloads))]
    return positions, [workload.name for workload in workloads]


def _bars(axis: Any, comparison: Comparison, name: str) -> None:
    width = len(comparison.systems) + 1
    for column, system in enumerate(comparison.systems):
        spreads = [
            Spread.of(comparison.figures(system, workload.name, name))
            for workload in comparison.scenario.workloads
        ]
        axis.barh(
            [-(row * width + column) for row in range(len(spreads))],
            [spread.median for spread in spreads],
            xerr=[
                [spread.median - spread.minimum for spread in spreads],
                [spread.maximum - spread.median for spread in spreads],
            ],
            color=COLORS[column % len(COLORS)],
            height=0.9,
            error_kw={"lw": 0.8},
        )
    axis.set_title(TITLES[name], fontsize=8)
    axis.locator_params(axis="x", nbins=5)
    axis.spines[["top", "right"]].set_visible(False)
