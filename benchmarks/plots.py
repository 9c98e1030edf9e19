"""A picture for each comparison: bars of tokens per second and of time to first token."""

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from benchmarks.figures import Spread
from benchmarks.suite import Comparison

FIGURES: Final = ("tokens/s", "TTFT p50, ms", "of it outside the engine")
TITLES: Final = {
    "tokens/s": "tokens/s (more is better)",
    "TTFT p50, ms": "TTFT p50, ms (less is better)",
    "of it outside the engine": "CPU s per 1,000 tokens outside the engine (less is better)",
}
COLORS: Final = ("#0b6e4f", "#d1495b", "#edae49", "#30638e", "#8d6a9f", "#7f7f7f")


def draw(comparison: Comparison, file: Path) -> None:
    """Write one picture as PNG; whiskers show the range of the runs."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(FIGURES), figsize=(13, _height(comparison)))
    for axis, name in zip(axes, FIGURES, strict=True):
        _bars(axis, comparison, name)
    axes[0].set_yticks(*_labels(comparison))
    for axis in axes[1:]:
        axis.set_yticks([])
    handles = axes[0].patches[:: len(comparison.scenario.workloads)]
    names = comparison.sides
    figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False)
    figure.suptitle(comparison.scenario.title)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _height(comparison: Comparison) -> float:
    return 2.2 + 0.24 * len(comparison.sides) * len(comparison.scenario.workloads)


def _labels(comparison: Comparison) -> tuple[list[float], list[str]]:
    wide = len(comparison.sides) + 1
    workloads = comparison.scenario.workloads
    places = [-(row * wide + (wide - 2) / 2) for row in range(len(workloads))]
    return places, [workload.name for workload in workloads]


def _bars(axis: Any, comparison: Comparison, name: str) -> None:
    wide = len(comparison.sides) + 1
    for column, side in enumerate(comparison.sides):
        spreads = [
            Spread.of(comparison.figure(side, workload.name, name))
            for workload in comparison.scenario.workloads
        ]
        axis.barh(
            [-(row * wide + column) for row in range(len(spreads))],
            [spread.median for spread in spreads],
            xerr=[
                [spread.median - spread.least for spread in spreads],
                [spread.most - spread.median for spread in spreads],
            ],
            color=COLORS[column % len(COLORS)],
            height=0.9,
            error_kw={"lw": 0.8},
        )
    axis.set_title(TITLES[name], fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
