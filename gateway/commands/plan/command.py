"""`neuron-gateway plan`: what carries a model, how fast and for how much, before anything is paid.

Without a workload it shows every option to use the instances; with one it searches the cheapest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console, RenderableType

from engine.capacity import (
    DEGREES,
    INSTANCES,
    Choice,
    Lengths,
    Load,
    Placement,
    PlanError,
    Shape,
    Slo,
    Workload,
    WorkloadError,
    cheapest,
    find_shape,
    placements,
    problems,
    read_workload,
    shape_by_hand,
    trusted,
)
from gateway.commands.errors import exit_on_config_error
from gateway.commands.plan.config_file import ready_config
from gateway.commands.plan.plot import draw
from gateway.commands.plan.tables import at_loads, candidates, choices, details, loads
from gateway.config import ConfigError

DEFAULT_LENGTH: Final = 4096
WIDTH: Final = 100  # of tables, where nobody's terminal says
InstanceName = Literal["inf2.xlarge", "inf2.8xlarge", "inf2.24xlarge", "inf2.48xlarge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a plan is asked for; None is whatever fits best."""

    model: str
    by_hand: str
    instance: str | None
    degree: int | None
    length: int | None
    slots: int | None
    usual: tuple[int, int]
    price: float | None
    workload: Path | None
    slo: Slo

    def shape(self) -> Shape:
        """Give the model's sizes."""
        if self.by_hand:
            return shape_by_hand(self.by_hand, length=self.length or DEFAULT_LENGTH)
        return find_shape(self.model)

    def load(self) -> Load:
        """Give the requests: those of the file, or usual ones."""
        if self.workload is not None:
            return read_workload(self.workload)
        prompt, output = (Lengths(mean=tokens) for tokens in self.usual)
        return Workload(requests_per_second=1, prompt_tokens=prompt, output_tokens=output)


def plan(
    model: Annotated[str, typer.Argument(help="A folder, a name on the hub, or any name.")],
    by_hand: Annotated[
        str, typer.Option(help="Sizes: `parameters=8.03e9,layers=32,heads=32,kv_heads=8`.")
    ] = "",
    instance: Annotated[InstanceName | None, typer.Option(help="Only this one.")] = None,
    tensor_parallel_size: Annotated[int | None, typer.Option(help="Only this degree.")] = None,
    max_model_len: Annotated[int | None, typer.Option(min=1, help="Context in tokens.")] = None,
    max_num_seqs: Annotated[int | None, typer.Option(min=1, help="Slots of an engine.")] = None,
    prompt: Annotated[int, typer.Option(min=1, help="Tokens of a usual prompt.")] = 1500,
    output: Annotated[int, typer.Option(min=2, help="Tokens of a usual answer.")] = 250,
    price: Annotated[float | None, typer.Option(min=0, help="USD an hour, not AWS's.")] = None,
    workload: Annotated[
        Path | None, typer.Option(help="Search the cheapest fleet for this YAML or CSV file.")
    ] = None,
    slo: Annotated[str, typer.Option(help="What that must hold.")] = "ttft=2s,tpot=80ms",
    percentile: Annotated[float, typer.Option(min=50, max=99.9, help="Of its requests.")] = 95,
    plot: Annotated[Path | None, typer.Option(help="A PNG of latency against load.")] = None,
    config: Annotated[Path | None, typer.Option(help="Write the config file here.")] = None,
) -> None:
    """Say which inf2 carries a model, within which latency and for how much a million tokens."""
    console = Console(soft_wrap=True, width=max(WIDTH, Console().width))
    with exit_on_config_error(), _sentences():
        asked = PlanRequest(
            model=model, by_hand=by_hand, instance=instance, degree=tensor_parallel_size,
            length=max_model_len, slots=max_num_seqs, usual=(prompt, output), price=price,
            workload=workload, slo=Slo.parse(slo, percentile),
        )  # fmt: skip
        load = asked.load()
        best = _answer(asked, load, console)
        _tell(console, best, load, plot)
        _give_config(console, ready_config(model, best.placement), config)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (PlanError, WorkloadError) as error:
        raise ConfigError(str(error)) from None


def _answer(asked: PlanRequest, load: Load, console: Console) -> Choice:
    """Show what there is to choose from, and give the best."""
    if asked.price is not None and asked.instance is None:
        raise PlanError("--price: is that of one instance. Give --instance too.")
    shape = asked.shape()
    length = asked.length or _length(shape, load)
    names = (asked.instance,) if asked.instance else tuple(INSTANCES)
    degrees = (asked.degree,) if asked.degree else DEGREES
    options = list(
        placements(shape, length=length, instances=names, degrees=degrees, slots=asked.slots,
                 price=asked.price)
    )  # fmt: skip
    if asked.workload is None:
        best = _best(options, load)
        for part in candidates(options, load):
            _show(console, part)
        return Choice.of(best, load)
    with console.status("searching") as status:
        found = cheapest(options, load, asked.slo, fixed=asked.slots, report=status.update)
    _show(console, choices(found, asked.slo))
    return found[0]


def _length(shape: Shape, load: Load) -> int:
    """Give a context that holds the longest request: a power of two, as far as the model goes."""
    length = DEFAULT_LENGTH
    while length < load.longest:
        length *= 2
    length = min(length, shape.max_position_embeddings)
    if load.longest > length:
        raise PlanError(
            f"the longest request has {load.longest} tokens, and the model was made for {length}. "
            "Shorten prompts or answers, or take another model."
        )
    return length


def _best(options: list[Placement], load: Load) -> Placement:
    usable = trusted(options)
    if not usable:
        raise PlanError(f"Nothing fits. {problems(options)}")
    return min(usable, key=lambda option: option.price / option.capacity(load))


def _tell(console: Console, best: Choice, load: Load, plot: Path | None) -> None:
    for part in details(best.placement):
        _show(console, part)
    with console.status("running loads"):
        seen = at_loads(best, load)
    _show(console, loads(best, seen))
    if plot is not None:
        draw(plot, best, seen)
        _show(console, f"wrote {plot}")


def _give_config(console: Console, text: str, file: Path | None) -> None:
    if file is None:
        _show(console, f"config:\n{text}")
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise PlanError(f"--config: {file} cannot be written ({error.strerror}).") from None
    _show(console, f"wrote {file}")


def _show(console: Console, part: RenderableType) -> None:
    console.print(part, markup=False, highlight=False)
