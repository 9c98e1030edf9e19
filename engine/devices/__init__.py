"""The devices an engine can run on, told apart by `kind`."""

from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field

from engine.devices.cpu import Cpu
from engine.devices.launch import Launch
from engine.devices.neuron import Neuron, SamplingClass
from engine.devices.simulated import Faults, Script, Simulated

Device = Annotated[Cpu | Neuron | Simulated, Field(discriminator="kind")]


class DeviceKind(Protocol):
    """What every device knows: the driver and the settings that follow from it."""

    driver: ClassVar[str]
    reads_model: ClassVar[bool]

    def unsupported(self) -> frozenset[str]: ...
    def resources(self) -> dict[str, float]: ...


class VLLMDevice(DeviceKind, Protocol):
    """A device that vLLM runs on."""

    def vllm_args(self, launch: Launch) -> dict[str, Any]: ...
    def environment(self, launch: Launch) -> dict[str, str]: ...


__all__ = [
    "Cpu",
    "Device",
    "DeviceKind",
    "Faults",
    "Launch",
    "Neuron",
    "SamplingClass",
    "Script",
    "Simulated",
    "VLLMDevice",
]
