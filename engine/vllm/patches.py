"""Everything of vLLM that is not its public API, and every function of it that is replaced.

The engine runs with vLLM 0.32.0 on the CPU, and with 0.13.0 and 0.16.0 under AWS's Neuron plugin.
Each entry has its reason; `tests/engine/vllm/test_patches.py` fails when its symbol moves,
changes its meaning, or is no longer needed. What the Neuron plugin itself needs is in
`engine.neuron.plugin`.
"""

from functools import wraps
from typing import Any, Final

# CPU, 0.32.0. CpuPlatform replaces the in-process executor by one with worker processes, each with
# its own import of vLLM, unless this variable is 0. AsyncLLM does not read it otherwise: EngineCore
# stays a process of its own. 0.13.0 and 0.16.0 do not replace it.
KEEP_UNIPROC_EXECUTOR: Final = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}

# All versions; not exported by vLLM. Its statistics on Ray's metrics port.
RAY_STAT_LOGGER: Final = "vllm.v1.metrics.ray_wrappers:RayPrometheusStatLogger"


def allow_fork_in_ray_actors() -> None:
    """Replace vLLM's test for a Ray actor by a constant; all versions.

    Inside an actor vLLM overrides VLLM_WORKER_MULTIPROC_METHOD with `spawn`, for children that talk
    to Ray, and EngineCore imports everything a second time. Ours does not talk to Ray: its
    executor is in-process, and it exits without Ray's handlers. vLLM has no setting for it.
    """
    from vllm.utils import system_utils

    system_utils.is_in_ray_actor = lambda: False


def disable_amx_attention() -> None:
    """Replace vLLM's choice of attention kernels where it is `amx` by `vec`; 0.32.0 on the CPU.

    On a Xeon with AMX those kernels made SmolLM2 answer another text than transformers, float32
    and the vector kernels, which agree; and they were no faster. vLLM has no setting for it.
    """
    from vllm.v1.attention.backends import cpu_attn

    choose = cpu_attn._get_attn_isa  # noqa: SLF001

    @wraps(choose)
    def choose_without_amx(*args: Any, **kwargs: Any) -> str:
        isa: str = choose(*args, **kwargs)
        return "vec" if isa == "amx" else isa

    cpu_attn._get_attn_isa = choose_without_amx  # noqa: SLF001


def client_error_types() -> tuple[type[Exception], ...]:
    """Return vLLM's exceptions for a bad request; up to 0.16.0 they are all ValueErrors."""
    try:
        from vllm.exceptions import VLLMClientError
    except ImportError:
        return (ValueError,)
    return (ValueError, VLLMClientError)


def token_prompt(token_ids: list[int]) -> Any:
    """Return token ids as a prompt: in the form that skips the renderer, absent up to 0.16.0."""
    try:
        from vllm.inputs import tokens_input
    except ImportError:
        from vllm import TokensPrompt

        return TokensPrompt(prompt_token_ids=token_ids)
    return tokens_input(token_ids)
