"""AWS Inferentia2: instance types, what fits on them, and vLLM's Neuron plugin with its guards.

`Neuron`, the device, is exported by `engine`. Others import from here the facts of the catalogue,
the memory that a model takes, the ids of cores, and the guards of a step, for their benchmark.
Nothing here imports vLLM or torch; `plugin.hook` touches the plugin's classes, inside the engine's
process.
"""

from engine.neuron.catalogue import (
    DEGREES,
    GIB,
    INSTANCES,
    PLUGIN_RELEASES,
    PRICE_DATE,
    Instance,
    PluginRelease,
)
from engine.neuron.cores import expand_ranges
from engine.neuron.memory import ADVISED_FREE, LEAST_FREE, Memory
from engine.neuron.node.host_memory import compile_problem
from engine.neuron.plugin.sampling_rows import patch_sampling_rows
from engine.neuron.rules import architecture_problem, least_slots, padding

__all__ = [
    "ADVISED_FREE", "DEGREES", "GIB", "INSTANCES", "LEAST_FREE",
    "PLUGIN_RELEASES", "PRICE_DATE", "Instance", "Memory", "PluginRelease",
    "architecture_problem", "compile_problem", "expand_ranges", "least_slots", "padding",
    "patch_sampling_rows",
]  # fmt: skip
