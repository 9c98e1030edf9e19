"""The memory of a host that a model needs while it is compiled, and while it is loaded."""

from typing import Final

from engine.models.shape import ModelShape
from engine.neuron.catalogue import GIB, Instance

COMPILER_GIB: Final = 8  # of the compiler, beside two copies of the weights: as read, and as cut
LOAD_GIB: Final = 4  # of vLLM and the runtime; weights that are sharded already are mapped


def compile_gib(weight_bytes: int) -> float:
    """Return the GiB of host memory that a compile takes.

    8B models, with 15 GiB of weights, were killed on hosts of 32 GiB (aws-neuron-sdk#1222,
    nki-samples#87, neuronx-distributed-inference#26); 57 GB of weights peaked near 120 GB.
    """
    return 2 * weight_bytes / GIB + COMPILER_GIB


def compile_problem(shape: ModelShape, instance: Instance) -> str | None:
    """Return why a model cannot be compiled on an instance, with the fix; None where it can.

    The instance may serve the model all the same: artifacts that hold the weights as the cores
    take them, which the gateway always makes, need little host memory.
    """
    wanted = compile_gib(shape.weight_bytes)
    if wanted <= instance.host_gib:
        return None
    return (
        f"a compile takes {wanted:.0f} GiB of host memory, 2 x the weights and {COMPILER_GIB}, and "
        f"{instance.name} has {instance.host_gib}. Compile on a larger host with "
        "`neuron-gateway precompile --offline` and copy the artifacts: with compile: never a start "
        f"loads their sharded weights, which need about {LOAD_GIB} GiB"
    )
