"""`EngineConfig`: what one engine is, and the union of the devices that it can run on."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from engine.cpu import Cpu
from engine.neuron.device import Neuron
from engine.options import EngineOptions
from engine.simulated.device import Simulated

Device = Annotated[Cpu | Neuron | Simulated, Field(discriminator="kind")]


class EngineConfig(EngineOptions):
    """One engine: its options, and the device that it runs on."""

    device: Device = Cpu()
    """The hardware, by its `kind`."""

    @model_validator(mode="after")
    def _validate_for_device(self) -> Self:
        self.device.validate_engine(self)
        return self
