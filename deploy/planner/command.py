"""`neuron-gateway plan`: instances, latency and price for a model, before anything is paid.

Without a workload it lists every option; with one it searches for the cheapest fleet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console, RenderableType

from deploy.planner import (
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
from deploy.planner.config_file import ready_config
from deploy.planner.plot import draw
from deploy.planner.tables import at_loads, candidates, choices, details, loads
from gateway.commands.errors import exit_on_config_error
from gateway.config import ConfigError

DEFAULT_LENGTH: Final = 4096  # tokens
TABLE_WIDTH: Final = 100  # characters, at least
InstanceName = Literal[
    "inf2.xlarge", "inf2.8xlarge", "inf2.24xlarge", "inf2.48xlarge",
    "trn1.2xlarge", "trn1.32xlarge", "trn1n.32xlarge",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """The options of the command; None leaves the choice to the planner.

    `typical` has the tokens of a prompt and of an output, used without a workload; `price` is in
    USD per hour.
    """

    model: str
    by_hand: str
    instance: str | None
    degree: int | None
    length: int | None
    slots: int | None
    typical: tuple[int, int]
    price: float | None
    workload: Path | None
    slo: Slo

    def shape(self) -> Shape:
        """Return the sizes of the model."""
        if self.by_hand:
            return shape_by_hand(self.by_hand, length=self.length or DEFAULT_LENGTH)
        return find_shape(self.model)

    def load(self) -> Load:
        """Return the load: that of the workload file, or one of typical requests."""
        if self.workload is not None:
            return read_workload(self.workload)
        prompt, output = (Lengths(mean=tokens) for tokens in self.typical)
        return Workload(requests_per_second=1, prompt_tokens=prompt, output_tokens=output)


def plan(
    model: Annotated[
        str, typer.Argument(help="A local folder, a Hugging Face name, or any name with --by-hand.")
    ],
    by_hand: Annotated[
        str,
        typer.Option(
            help="Model sizes, as `parameters=8.03e9,layers=32,heads=32,kv_heads=8`; of a mixture "
            "of experts also active_parameters."
        ),
    ] = "",
    instance: Annotated[
        InstanceName | None, typer.Option(help="Use this instance type. Default: all.")
    ] = None,
    tensor_parallel_size: Annotated[
        int | None, typer.Option(help="Use this many NeuronCores per engine. Default: all sizes.")
    ] = None,
    max_model_len: Annotated[
        int | None,
        typer.Option(min=1, help="Context in tokens. Default: fits the longest request."),
    ] = None,
    max_num_seqs: Annotated[
        int | None, typer.Option(min=1, help="Slots per engine. Default: as many as fit.")
    ] = None,
    prompt: Annotated[
        int, typer.Option(min=1, help="Tokens of a prompt, without --workload.")
    ] = 1500,
    output: Annotated[
        int, typer.Option(min=2, help="Tokens of an output, without --workload.")
    ] = 250,
    price: Annotated[
        float | None,
        typer.Option(min=0, help="USD per hour of --instance. Default: AWS's on-demand price."),
    ] = None,
    workload: Annotated[
        Path | None, typer.Option(help="YAML or CSV file: search for the cheapest fleet for it.")
    ] = None,
    slo: Annotated[
        str, typer.Option(help="Latency limits of that fleet: ttft, tpot, e2e in s or ms.")
    ] = "ttft=2s,tpot=80ms",
    percentile: Annotated[
        float, typer.Option(min=50, max=99.9, help="Percentile of requests that --slo is for.")
    ] = 95,
    plot: Annotated[
        Path | None, typer.Option(help="Write a PNG of latency against load to this file.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Write the config to this file. Default: print it.")
    ] = None,
) -> None:
    """Find the inf2 and trn1 instances that serve a model, with latency and price per token."""
    console = Console(soft_wrap=True, width=max(TABLE_WIDTH, Console().width))
    with exit_on_config_error(), _as_config_errors():
        request = PlanRequest(
            model=model, by_hand=by_hand, instance=instance, degree=tensor_parallel_size,
            length=max_model_len, slots=max_num_seqs, typical=(prompt, output), price=price,
            workload=workload, slo=Slo.parse(slo, percentile),
        )  # fmt: skip
        load = request.load()
        best = _choose(request, load, console)
        _show_details(console, best, load, plot)
        _write_config(console, ready_config(model, best.placement), config)


@contextmanager
def _as_config_errors() -> Iterator[None]:
    try:
        yield
    except (PlanError, WorkloadError) as error:
        raise ConfigError(str(error)) from None


def _choose(request: PlanRequest, load: Load, console: Console) -> Choice:
    """Show the options and return the best one. Raises PlanError."""
    if request.price is not None and request.instance is None:
        raise PlanError("--price: is that of one instance. Give --instance too.")
    shape = request.shape()
    options = list(
        placements(
            shape,
            length=request.length or _length(shape, load),
            instances=(request.instance,) if request.instance else tuple(INSTANCES),
            degrees=(request.degree,) if request.degree else None,
            slots=request.slots,
            price=request.price,
        )
    )
    if request.workload is None:
        best = _cheapest_per_request(options, load)
        for part in candidates(options, load):
            _show(console, part)
        return Choice.of(best, load)
    with console.status("searching") as status:
        found = cheapest(options, load, request.slo, fixed=request.slots, report=status.update)
    _show(console, choices(found, request.slo))
    return found[0]


def _length(shape: Shape, load: Load) -> int:
    """Return the smallest power of two that holds the longest request, within the model's limit."""
    length = DEFAULT_LENGTH
    while length < load.longest:
        length *= 2
    length = min(length, shape.max_position_embeddings)
    if load.longest > length:
        raise PlanError(
            f"the longest request has {load.longest} tokens, more than the model's limit of "
            f"{length}. Shorten prompts or outputs, or use another model."
        )
    return length


def _cheapest_per_request(options: list[Placement], load: Load) -> Placement:
    usable = trusted(options)
    if not usable:
        raise PlanError(f"Nothing fits. {problems(options)}")
    return min(usable, key=lambda option: option.price / option.capacity(load))


def _show_details(console: Console, best: Choice, load: Load, plot: Path | None) -> None:
    for part in details(best.placement):
        _show(console, part)
    with console.status("simulating loads"):
        outcomes = at_loads(best, load)
    _show(console, loads(best, outcomes))
    if plot is not None:
        draw(plot, best, outcomes)
        _show(console, f"wrote {plot}")


def _write_config(console: Console, text: str, file: Path | None) -> None:
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
