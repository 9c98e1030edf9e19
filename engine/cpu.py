"""The host's CPU as a device: vLLM's CPU backend."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.device import Launch


class Cpu(BaseModel):
    """vLLM on the CPU. `kv_cache_gib` is reserved at start, in GiB; `threads` 0 means all cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    driver: ClassVar[str] = "engine.vllm.engine:VLLMEngine"
    reads_model: ClassVar[bool] = True

    kind: Literal["cpu"] = "cpu"
    kv_cache_gib: float = Field(default=1.0, gt=0)
    threads: int = Field(default=0, ge=0)

    def unsupported_parameters(self) -> frozenset[str]:
        """Name the sampling parameters that this device ignores: none."""
        return frozenset()

    def resources(self) -> dict[str, float]:
        """Name the Ray resources of one replica; the model's threads share the host's cores."""
        return {}

    def vllm_args(self, launch: Launch) -> dict[str, Any]:  # noqa: ARG002 - none depends on it
        """Give the engine arguments that depend on the device.

        The in-process executor saves a process and its import of vLLM; eager mode saves the
        compilation of a model that is too small to profit from it.
        """
        return {
            "dtype": "bfloat16",
            "enforce_eager": True,
            "distributed_executor_backend": "uni",
            "kv_cache_memory_bytes": int(self.kv_cache_gib * 2**30),
        }

    def environment(self, launch: Launch) -> dict[str, str]:  # noqa: ARG002
        """Give the variables that vLLM reads when it starts.

        A fork spares EngineCore its own import of vLLM, which costs more than all the rest of a
        start. The second variable keeps vLLM from replacing the in-process executor.
        """
        return {
            "VLLM_WORKER_MULTIPROC_METHOD": "fork",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "auto" if self.threads == 0 else f"0-{self.threads - 1}",
        }
