"""What every device has in common: its driver, and the settings that follow from it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A local model, its slots, and its context in tokens."""

    model: Path
    max_num_seqs: int
    max_model_len: int


class DeviceKind(Protocol):
    """What every device knows: the driver and the settings that follow from it."""

    driver: ClassVar[str]
    reads_model: ClassVar[bool]

    def unsupported_parameters(self) -> frozenset[str]: ...
    def resources(self) -> dict[str, float]: ...


class VLLMDevice(DeviceKind, Protocol):
    """A device that vLLM runs on."""

    def vllm_args(self, launch: Launch) -> dict[str, Any]: ...
    def environment(self, launch: Launch) -> dict[str, str]: ...
