"""The tables of `neuron-gateway plan`."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table

from deploy.planner import PRICE_DATE, Choice, Load, Outcome, Placement, Slo, simulate

SHARES: Final = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9)  # of the load that keeps all slots busy
BAR_WIDTH: Final = 16  # characters of the longest bar


def candidates(options: Sequence[Placement], load: Load) -> Iterator[RenderableType]:
    """Yield a table of the options with their throughput and price, and why others do not fit."""
    table = _table(
        "instance", "engines", "slots", "free", "step ms", "prompt ms", "req/s", "tokens/s", "$/M"
    )
    rejected = []
    for option in options:
        problem = option.problem()
        if problem is None:
            table.add_row(*_row(option, load))
        elif option.degree <= option.instance.cores:
            rejected.append(f"{option.instance.name}, degree {option.degree}: {problem}")
    table.caption = (
        f"prompts of {load.prompt_tokens.mean:.0f} tokens, outputs of "
        f"{load.output_tokens.mean:.0f}, all slots busy; prices are --price, or on demand in "
        f"us-east-1 of {PRICE_DATE}; ~ marks a degree without published latencies, or trn1 with "
        "those of inf2, * a host whose memory is too small to compile the model: it serves "
        "artifacts of a larger one"
    )
    yield table
    yield "\n".join(("do not fit:", *rejected)) if rejected else ""


def _row(option: Placement, load: Load) -> tuple[str, ...]:
    rate = option.capacity(load)
    tokens = rate * load.output_tokens.mean
    return (
        f"{option.instance.name}{'' if option.compiles else ' *'}",
        f"{option.replicas} x TP{option.degree}{'' if option.published else ' ~'}",
        str(option.slots),
        f"{option.memory.free:.0%}",
        f"{1000 * option.step:.1f}",
        f"{1000 * option.prefill(load.prompt_tokens.mean):.0f}",
        f"{rate:.2f}",
        f"{tokens:,.0f}",
        f"{option.price / 3600 / tokens * 1e6:.2f}",
    )


def details(placement: Placement) -> Iterator[RenderableType]:
    """Yield the memory of a placement and the source of its latencies."""
    memory, cores = placement.memory, placement.degree
    yield (
        f"\n{placement.instance.name}, {placement.replicas} x degree {cores}, "
        f"{placement.slots} slots of {placement.length} tokens: ${placement.price:g} an hour"
    )
    yield (
        f"memory of a NeuronCore: {memory.weights / cores / 1e9:.2f} GB weights, "
        f"{memory.kv / cores / 1e9:.2f} KV cache, "
        f"{(memory.device - memory.total) / cores / 1e9:.2f} free of "
        f"{memory.device / cores / 1e9:.2f}; at most {placement.most_slots} slots leave 20 % free"
    )
    yield from placement.remarks


def choices(found: Sequence[Choice], slo: Slo) -> Table:
    """Return a table of the fleets that meet a service level, the cheapest first."""
    percentile = f"p{100 * slo.share:g}"
    table = _table(
        "instances", "engines", "slots", "$/hour", f"TTFT {percentile}", f"TPOT {percentile}",
        "tokens/s", "busy", "$/M",
    )  # fmt: skip
    for choice in found:
        placement, outcome = choice.placement, choice.outcome
        table.add_row(
            f"{choice.instances} x {placement.instance.name}",
            f"{placement.replicas} x TP{placement.degree}",
            str(placement.slots),
            f"{choice.dollars:.2f}",
            f"{outcome.ttft.quantile(slo.share):.2f} s",
            f"{1000 * outcome.tpot.quantile(slo.share):.1f} ms",
            f"{outcome.tokens_per_second:,.0f}",
            f"{outcome.busy:.0%}",
            f"{choice.dollars_per_million:.2f}",
        )
    table.caption = f"{slo}; the cheapest first; more expensive options are left out"
    return table


def at_loads(best: Choice, load: Load) -> list[Outcome]:
    """Simulate a fleet at some shares of the load that keeps all its slots busy."""
    full = best.instances * best.placement.capacity(load) / load.requests_per_second
    return [simulate(best.placement, best.instances, load, share * full) for share in SHARES]


def loads(best: Choice, outcomes: Sequence[Outcome]) -> Table:
    """Return a table of latency against load."""
    table = _table("load", "req/s", "tokens/s", "TTFT p50", "p99", "TPOT p50", "p99", "$/M", "")
    most = max(one.ttft.quantile(0.99) for one in outcomes)
    for share, one in zip(SHARES, outcomes, strict=True):
        first = one.ttft.quantile(0.99)
        table.add_row(
            f"{share:.0%}",
            f"{one.requests_per_second:.2f}",
            f"{one.tokens_per_second:,.0f}",
            f"{one.ttft.quantile(0.5):.2f} s",
            f"{first:.2f}",
            f"{1000 * one.tpot.quantile(0.5):.0f} ms",
            f"{1000 * one.tpot.quantile(0.99):.0f}",
            f"{best.dollars / 3600 / one.tokens_per_second * 1e6:.2f}",
            "█" * max(1, round(BAR_WIDTH * first / most)),
        )
    table.caption = (
        f"{best.instances} x {best.placement.instance.name}, random arrivals; bars show TTFT p99"
    )
    return table


def _table(*names: str) -> Table:
    table = Table(caption_justify="left")
    for name in names:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    return table
