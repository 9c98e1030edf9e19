"""What a config would serve, as `neuron-gateway check` shows it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import table as rich
from rich.console import RenderableType

from engine import Table, summarize_template
from gateway.commands.preflight import local_engine
from gateway.config import AppConfig, ConfigError, ModelConfig


def report(
    config: AppConfig, lengths: Sequence[int] = (), *, offline: bool = False
) -> Iterator[RenderableType]:
    """Yield what will be served; `lengths` are prompts in tokens whose padding is shown.

    The models' folders on this machine are read unless `offline`.
    """
    for model in config.models:
        yield _model_line(model)
        if not offline:
            yield from _template_line(model)
        yield (
            f"  replicas: {_replicas(model)}; requests: {config.most_at_once(model)} at once per "
            f"replica, of which {config.limits.max_queued} wait; "
            f"{config.limits.max_request_seconds:g} s each at most"
        )
    hops = "one hop" if config.hops == 1 else "two hops: an ingress, and a deployment a model"
    yield f"proxy: {config.proxy}, {hops}"
    for model in config.models:
        yield from _plan(model, lengths)


def _model_line(model: ModelConfig) -> str:
    engine = model.engine
    context = f"{engine.max_model_len} tokens" if engine.max_model_len else "the model's own"
    what = engine.model if engine.device.reads_model else "no model"
    return (
        f"{model.id}: {what} on {engine.device.summary()}; {engine.max_num_seqs} slots, "
        f"context {context}"
    )


def _template_line(model: ModelConfig) -> Iterator[str]:
    """Yield what the chat template can do, where it is on this machine, and what is forced."""
    engine = model.engine
    path = engine.device.template_path(local_engine(engine))
    forced = f"; the config forces tools: {model.tools}" if model.tools else ""
    if path is not None and path.exists():
        yield f"  {summarize_template(path).text}{forced}"


def _replicas(model: ModelConfig) -> str:
    count = model.replicas
    return str(count) if isinstance(count, int) else f"{count.min} to {count.max}"


def _plan(model: ModelConfig, lengths: Sequence[int]) -> Iterator[RenderableType]:
    """Yield the device's plan; raise ConfigError for a prompt that its engine would refuse."""
    engine = model.engine
    sections = list(engine.device.plan(model.id, engine, lengths))
    if not sections:
        return
    info = engine.device.describe(model.id, engine)
    limit = info.max_prompt_len or info.max_model_len
    for length in lengths:
        if not 0 < length <= limit:
            raise ConfigError(
                f"--lengths: {length} is not between 1 and {limit}, the longest prompt. "
                "Leave it out or raise max_prompt_length."
            )
    for section in sections:
        yield section if isinstance(section, str) else _rendered(section)


def _rendered(table: Table) -> rich.Table:
    shown = rich.Table(title=table.title, title_justify="left")
    for number, name in enumerate(table.columns):
        cells = [row[number] for row in table.rows]
        numeric = all(not cell or cell.lstrip("-")[:1].isdigit() for cell in cells)
        shown.add_column(name, justify="right" if numeric else "left")
    for row in table.rows:
        shown.add_row(*row)
    if table.caption:
        shown.caption, shown.caption_justify = table.caption, "left"
    return shown


def read_lengths(text: str) -> list[int]:
    """Return the numbers of `200,1500`, or of a file's lines; raise ConfigError."""
    file = Path(text)
    numbers = file.read_text("utf-8") if text and file.is_file() else text
    try:
        return [int(number) for number in numbers.replace(",", " ").split()]
    except ValueError:
        raise ConfigError(
            f"--lengths: {text} is neither a file of numbers nor a list such as 200,1500."
        ) from None
