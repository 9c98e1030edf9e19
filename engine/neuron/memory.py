"""`Memory`: the device memory that weights and KV cache of a model take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.models.shape import ModelShape
from engine.neuron.catalogue import CORE_GIB, GIB

# Every compiled graph needs scratch memory: AWS's advice is to keep 10 to 20 % free.
LEAST_FREE: Final = 0.10
ADVISED_FREE: Final = 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes over all cores of one engine; the KV cache of every slot is reserved at load."""

    weights: int
    kv_per_token: int
    kv_tokens: int
    cores: int

    @classmethod
    def of(
        cls,
        shape: ModelShape,
        *,
        cores: int,
        slots: int,
        length: int,
        tuning: Mapping[str, object] | None = None,
    ) -> "Memory":
        """Return the memory of a model with `slots` sequences of `length` tokens.

        `tuning` are the keys of `override_neuron_config`: quantized weights and a quantized KV
        cache take one byte a number instead of two.
        """
        sharded, tuning = shape.sharded(cores), tuning or {}
        quantized, kv_quantized = tuning.get("quantized"), "kv_quant_config" in tuning
        return cls(
            weights=sharded.quantized_bytes if quantized else sharded.weight_bytes,
            kv_per_token=sharded.kv_bytes_per_token // (2 if kv_quantized else 1),
            kv_tokens=slots * length,
            cores=cores,
        )

    @property
    def kv(self) -> int:
        """Bytes of the KV cache."""
        return self.kv_per_token * self.kv_tokens

    @property
    def total(self) -> int:
        """Bytes of weights and KV cache."""
        return self.weights + self.kv

    @property
    def device(self) -> int:
        """Bytes that the cores have."""
        return self.cores * CORE_GIB * GIB

    @property
    def free(self) -> float:
        """Share that is left for graphs and scratch; below 0 where the model does not fit."""
        return 1 - self.total / self.device

    @property
    def fits(self) -> bool:
        """Whether enough is left to start at all."""
        return self.free >= LEAST_FREE

    @property
    def advice(self) -> str:
        """How the free share compares with the share that AWS advises, as a sentence."""
        return (
            f"{self.free:.0%} stay free. AWS advises 10 to 20 %: with {ADVISED_FREE:.0%} free "
            f"there is room for {self.most_tokens(ADVISED_FREE):,} KV tokens"
        )

    def most_tokens(self, free: float = LEAST_FREE) -> int:
        """Return the KV tokens that fit beside the weights with this share kept free."""
        return max(0, int((self.device * (1 - free) - self.weights) // self.kv_per_token))
