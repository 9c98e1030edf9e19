"""The tables of the documentation that are generated from the code."""

from collections.abc import Iterator

from deploy.planner.published import PUBLISHED, Served, simulated
from engine.neuron.capabilities import CAPABILITIES
from engine.tool_formats import FORMATS
from gateway.observe.metrics import METRICS, OUTCOMES, PREFIX
from gateway.parsing.tool_calls import DEFAULTS
from tests.generated.profiles import Row, table


def profiles() -> str:
    """Return published latencies beside the simulated device's, for engine/README.md."""
    head = ("profile", "what", "published, ms", "simulated, ms", "error", "point")
    return markdown(head, (_profile_row(row) for row in table()))


def _profile_row(row: Row) -> str:
    point = row.point
    unit = "slot" if row.what == "decode step" else "token"
    what = f"{row.what}, {point.size:,} {unit}{'s' * (point.size > 1)}"
    what += f", {point.prompts} prompts" if point.prompts > 1 else ""
    use = "fitted" if point.fitted else "held out"
    return (
        f"| `{row.profile}` | {what} | {point.milliseconds:g} | {row.simulated:.1f} "
        f"| {row.error:+.0%} | {use} |"
    )


def capabilities() -> str:
    """Return what becomes of each parameter on Neuron, for engine/neuron/README.md."""
    head = ("parameter", "`sampling: on_device`", "`sampling: cpu`")
    rows = (f"| {c.api} | {c.outcome('on_device')} | {c.outcome('cpu')} |" for c in CAPABILITIES)
    return markdown(head, rows)


def metrics() -> str:
    """Return the table of metrics, for deploy/monitoring/metrics.md."""
    rows = (
        f"| `{PREFIX}{m.name}` | {m.kind} | {', '.join(f'`{n}`' for n in m.labels)} | {m.meaning} |"
        for m in METRICS
    )
    return markdown(("metric", "type", "labels", "meaning"), rows)


def outcomes() -> str:
    """Return the outcomes of a request, for deploy/monitoring/metrics.md."""
    return markdown(
        ("outcome", "meaning"), (f"| `{name}` | {text} |" for name, text in OUTCOMES.items())
    )


def published() -> str:
    """Return published servers beside the planner's runs, for deploy/planner/README.md."""
    head = ("profile", "load", "figure", "published", "simulated", "error")
    return markdown(head, (row for served in PUBLISHED for row in _published_rows(served)))


def _published_rows(row: Served) -> Iterator[str]:
    seen = simulated(row)
    figures = (
        ("mean TTFT, ms", row.ttft, 1000 * seen.ttft.mean),
        ("mean TPOT, ms", row.tpot, 1000 * seen.tpot.mean),
        ("tokens/s", row.tokens, seen.tokens_per_second),
    )
    for name, published, found in figures:
        digits = 1 if published < 100 else 0
        yield (
            f"| `{row.profile}` | {row.load} | {name} | {published:g} | {found:.{digits}f} "
            f"| {found / published - 1:+.0%} |"
        )


def tool_formats() -> str:
    """Return the formats of tool calls and the models that write them, for gateway/README.md."""
    head = ("`tool_parser`", "written by", "default for `model_type`", "a call")
    return markdown(head, map(_format_row, FORMATS))


def _format_row(name: str) -> str:
    types = ", ".join(f"`{kind}`" for kind, family in DEFAULTS.items() if family == name)
    call = FORMATS[name].write_calls([("weather", {"city": "Oslo"})])
    mark = "````" if "```" in call else "`"
    shown = mark + call.replace("\n", " ").replace("|", "\\|") + mark
    return f"| `{name}` | {FORMATS[name].models} | {types or 'all others'} | {shown} |"


def markdown(head: tuple[str, ...], rows: Iterator[str]) -> str:
    """Return a Markdown table."""
    return "\n".join((f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows))
