"""Facts of NeuronCores: instance types, and versions that belong together."""

from dataclasses import dataclass
from typing import Final, Literal

from engine.data import read_data

GIB: Final = 2**30
CORE_GIB: Final = 16  # of device memory per NeuronCore
# Tensor parallel degrees: AWS lists all but 12 and 16 for inf2; others measured 16.
DEGREES: Final = (1, 2, 4, 8, 12, 16, 24)
# Those that the runtime connects on trn1 ("Unsupported topology", optimum-neuron#619).
TRN1_DEGREES: Final = (1, 2, 8, 16, 32)
PRICE_DATE: Final = "2026-07-20"
JsonType = Literal["boolean", "integer", "string", "list", "object"]


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance type: memory in GiB, bandwidth in GiB/s, price in USD per hour on demand."""

    name: str
    cores: int
    vcpus: int
    host_gib: int
    bandwidth: int
    price: float

    @property
    def family(self) -> str:
        """The part of the name before the size, such as `inf2`."""
        return self.name.partition(".")[0]

    @property
    def degrees(self) -> tuple[int, ...]:
        """The tensor parallel degrees of its family."""
        return DEGREES if self.family == "inf2" else TRN1_DEGREES


@dataclass(frozen=True, slots=True)
class PluginRelease:
    """A line of the plugin; `packages` maps a distribution to a range of its versions (PEP 440)."""

    plugin: str
    vllm: str
    sdk: str
    packages: dict[str, str]
    driver: str  # the lowest version of aws-neuronx-dkms
    driver_below: str | None = None
    risks: tuple[str, ...] = ()


_RELEASES: Final = read_data("neuron/releases.yaml", list[PluginRelease])
INSTANCES: Final = {i.name: i for i in read_data("neuron/instances.yaml", list[Instance])}
PLUGIN_RELEASES: Final = {release.plugin: release for release in _RELEASES}
_LIBRARY: Final = read_data("neuron/library.yaml", dict[str, frozenset[str]])
ARCHITECTURES: Final = _LIBRARY["architectures"]
VISION: Final = _LIBRARY["vision"]
TUNABLE: Final = read_data("neuron/tunable.yaml", dict[str, JsonType | list[str | int]])
