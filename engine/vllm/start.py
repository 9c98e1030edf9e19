"""`make_async_llm`: the start of vLLM with a device's arguments and environment."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any

from engine.processes import kill_children_with_parent
from engine.vllm.patches import allow_fork_in_ray_actors, disable_amx_attention


def make_async_llm(
    arguments: Mapping[str, Any], environment: Mapping[str, str], stat_loggers: Sequence[str]
) -> Any:
    """Return a started `AsyncLLM`. Blocks for seconds, so call it in a thread.

    `arguments` are fields of AsyncEngineArgs, `stat_loggers` classes by dotted name,
    `package.module:Class`. Raises whatever vLLM raises.
    """
    _set_environment(environment)  # before the import, which reads some variables
    from vllm import AsyncEngineArgs, AsyncLLMEngine

    vllm_config = AsyncEngineArgs(**arguments).create_engine_config()
    _set_environment(environment)  # again: the CPU platform has set the start method to spawn
    if environment["VLLM_WORKER_MULTIPROC_METHOD"] == "fork":
        allow_fork_in_ray_actors()
        disable_amx_attention()  # before the fork, so that the child has it
    with kill_children_with_parent("VLLM::EngineCore"):
        return AsyncLLMEngine.from_vllm_config(
            vllm_config,
            stat_loggers=[resolve_name(name) for name in stat_loggers] or None,
            disable_log_stats=not stat_loggers,
        )


@contextmanager
def make_vllm_config(arguments: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the `VllmConfig` of a start, as the one in force while a model is built.

    The environment must be set before. Raises whatever vLLM raises.
    """
    from vllm import AsyncEngineArgs
    from vllm.config import set_current_vllm_config

    config = AsyncEngineArgs(**arguments).create_engine_config()
    with set_current_vllm_config(config):
        yield config


def _set_environment(environment: Mapping[str, str]) -> None:
    """Set variables: vLLM takes these settings in no other way."""
    os.environ.update(environment)  # noqa: TID251 - it is written, not read
