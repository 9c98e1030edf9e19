"""The plan of a Neuron engine as `neuron-gateway check` shows it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from engine.neuron.plan import Plan


def neuron_report(plan: Plan, lengths: Sequence[int]) -> Iterator[RenderableType]:
    """Show cores, memory, buckets with the padding of these prompt lengths, and the settings."""
    yield from _place(plan)
    yield _memory(plan) or "memory: known once the model's config.json is there"
    yield _buckets(plan, lengths)
    yield _artifacts(plan)
    yield _settings("vLLM arguments", plan.arguments)
    yield _settings("environment", plan.environment)
    yield _capabilities(plan)


def _place(plan: Plan) -> Iterator[str]:
    device, instance = plan.device, plan.device.on
    cores = ", ".join(map(str, device.visible_cores))
    yield (
        f"cores: {cores} of {instance.cores} on {instance.name}, which has cores for "
        f"{plan.replicas} such replica{'s' if plan.replicas > 1 else ''}"
    )
    yield f"price: {plan.price()}"
    line = device.line
    yield f"versions: plugin {line.plugin} on vLLM {line.vllm}, Neuron SDK {line.sdk}"
    if plan.risk:
        yield f"risk: {plan.risk}"


def _memory(plan: Plan) -> Table | None:
    memory = plan.memory
    if memory is None:
        return None
    table = Table(title="device memory in GB", title_justify="left")
    for name in ("", "weights", "KV cache", "free", "in all"):
        table.add_column(name, justify="right")
    free = memory.device - memory.total
    for name, over in (("each core", memory.cores), (f"{memory.cores} cores", 1)):
        parts = (memory.weights, memory.kv, free, memory.device)
        table.add_row(name, *(f"{part / over / 1e9:.2f}" for part in parts))
    table.caption = (
        f"{memory.total / 1e9:.2f} GB for the weights and {memory.kv_tokens:,} KV tokens; "
        f"{memory.advice}"
    )
    table.caption_justify = "left"
    return table


def _buckets(plan: Plan, lengths: Sequence[int]) -> Table:
    table = Table(title="compiled lengths in tokens", title_justify="left")
    for name in ("context encoding", "prompts", "padding"):
        table.add_column(name, justify="right")
    for use in plan.uses(lengths):
        filled = (str(use.prompts), f"{use.waste:.0%}") if use.prompts else ("", "")
        table.add_row(f"{use.bucket:,}", *filled)
    decode = ", ".join(f"{size:,}" for size in plan.generation_buckets)
    wasted = (
        f"{plan.waste(lengths):.0%} of all prefilled positions are padding"
        if lengths
        else "give the lengths of your prompts with --lengths to see their padding"
    )
    table.caption = f"token generation: {decode}\n{wasted}"
    table.caption_justify = "left"
    return table


def _artifacts(plan: Plan) -> str:
    if plan.artifacts is None:
        return "artifacts: their hash is known once the model is there"
    state = "there" if plan.artifacts.there else plan.artifacts.missing()
    return f"artifacts: {plan.artifacts.folder}: {state}"


def _settings(title: str, settings: dict[str, Any]) -> str:
    lines = (f"  {name}: {json.dumps(value)}" for name, value in settings.items())
    return "\n".join((f"{title}:", *lines))


def _capabilities(plan: Plan) -> Table:
    title = f"request parameters with sampling: {plan.device.sampling}"
    table = Table(title=title, title_justify="left")
    table.add_column("parameter")
    table.add_column("what becomes of it")
    for name, outcome in plan.capabilities():
        table.add_row(name, outcome)
    return table
