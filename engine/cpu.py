"""`Cpu`: vLLM's CPU backend on the cores of this machine."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from engine.device import Launch, VLLMDevice
from engine.host import Host
from engine.models.folder import kv_bytes_per_token, model_context_length
from engine.options import EngineOptions
from engine.vllm.patches import KEEP_UNIPROC_EXECUTOR


class Cpu(VLLMDevice):
    """vLLM on the CPU; the threads of all models share the machine's cores."""

    driver: ClassVar[str] = "engine.vllm.engine:VLLMEngine"

    kind: Literal["cpu"] = "cpu"
    kv_cache_gib: float = Field(default=1.0, gt=0, le=10**6)
    """Memory for the KV cache in GiB, reserved at start."""
    threads: int = Field(default=0, ge=0, le=10_000)
    """Threads that compute the model; 0 means all cores."""

    def summary(self) -> str:
        """Return the kind and the memory that it reserves."""
        return f"{self.kind}, {self.kv_cache_gib:g} GiB for the KV cache"

    def vllm_args(self, launch: Launch) -> dict[str, Any]:
        """Return bfloat16 weights, in eager mode and in EngineCore's own process.

        The in-process executor saves a process and its import of vLLM; eager mode saves the
        compilation, which a small model does not earn back.
        """
        return {
            "dtype": "bfloat16",
            "enforce_eager": True,
            # A step of one long prompt alone may take all, beside others it takes its share.
            "max_num_batched_tokens": 512,
            "long_prefill_token_threshold": min(128, launch.max_model_len),
            "long_prefill_token_threshold_adaptive": True,
            "distributed_executor_backend": "uni",
            "kv_cache_memory_bytes": int(self.kv_cache_gib * 2**30),
        }

    def environment(self, launch: Launch) -> dict[str, str]:  # noqa: ARG002
        """Return the variables of vLLM.

        A forked EngineCore spares its own import of vLLM, which takes longer than the rest of a
        start. A thread that waits for another at the end of each operation spins, by default for
        long: where the gateway uses one of its cores, a step took 2 s instead of 0.1.
        """
        return {
            "GOMP_SPINCOUNT": "5000",  # iterations of libgomp's loop; torch brings libgomp
            "VLLM_WORKER_MULTIPROC_METHOD": "fork",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "auto" if self.threads == 0 else f"0-{self.threads - 1}",
            **KEEP_UNIPROC_EXECUTOR,
        }

    def host_problem(self, options: EngineOptions, host: Host) -> str | None:
        """Return what vLLM, the KV cache of one request, or the memory lacks."""
        if not host.has_module("vllm"):
            return (
                "device.kind: cpu needs vllm, which is not installed. Install neuron-gateway[cpu], "
                "or serve deploy/serve/simulated.yaml, which needs no model."
            )
        return self._cache_problem(options) or self._memory_problem(host)

    def _cache_problem(self, options: EngineOptions) -> str | None:
        length = options.max_model_len or model_context_length(options.model)
        token_bytes = kv_bytes_per_token(options.model)
        if length is None or token_bytes is None:
            return None  # the model is not on this machine yet
        needed = length * token_bytes / 2**30
        if needed <= self.kv_cache_gib:
            return None
        return (
            f"device.kv_cache_gib: a context of {length} tokens takes {needed:.2f} GiB and "
            f"{self.kv_cache_gib:g} are given. Raise it or lower max_model_len."
        )

    def _memory_problem(self, host: Host) -> str | None:
        available = host.available_memory_gib()
        if available is None or self.kv_cache_gib <= available:
            return None
        return (
            f"device.kv_cache_gib: {self.kv_cache_gib:g} GiB are wanted and {available:.1f} GiB of "
            "memory are free. Lower it or free memory."
        )
