"""What the Neuron plugin does with each sampling parameter: the table that refusals follow."""

from dataclasses import dataclass
from typing import Final, Literal

from engine.data import read_data
from engine.types import HINTS

Sampling = Literal["on_device", "cpu"]
GLOBAL_TOP_K: Final = 256  # what the device takes a top_k of 0, or of 256 and more, for


@dataclass(frozen=True, slots=True)
class Capability:
    """One field of `SamplingParams`, its names in the API, and why each sampling refuses it."""

    parameter: str
    api: str
    on_device: str | None = None
    cpu: str | None = None

    def refusal(self, sampling: Sampling) -> str | None:
        """Return why the parameter is refused, None where it is honoured."""
        return self.on_device if sampling == "on_device" else self.cpu

    def outcome(self, sampling: Sampling) -> str:
        """Return in a few words whether the parameter is honoured."""
        if reason := self.refusal(sampling):
            return f"{'ignored' if self.parameter in HINTS else 'refused'}: {reason}"
        limit = maximum_values(sampling).get(self.parameter)
        if limit is None:
            return "honoured"
        return f"honoured to {limit:.0f}; without it the {GLOBAL_TOP_K} likeliest tokens"


CAPABILITIES: Final = read_data("neuron/capabilities.yaml", list[Capability])


def unsupported(sampling: Sampling) -> frozenset[str]:
    """Return the fields of `SamplingParams` that are refused."""
    return frozenset(c.parameter for c in CAPABILITIES if c.refusal(sampling))


def maximum_values(sampling: Sampling) -> dict[str, float]:
    """Return the highest values of parameters that the device would cut in silence."""
    return {"top_k": GLOBAL_TOP_K - 1} if sampling == "on_device" else {}
