"""The function that vLLM calls in every process (`vllm.general_plugins`): guards of the plugin.

It does nothing unless the device's environment asks for it, and acts only in the engine's own
process: that is the one which holds the cores.
"""

import importlib
import multiprocessing
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final

from engine.neuron.cores import claim, expand_ranges
from engine.neuron.plugin.log_pipe import send_phase, write_to
from engine.neuron.plugin.sampling_rows import PluginMismatch, patch_sampling_rows
from engine.processes import exit_with_parent

_WORKER: Final = "vllm_neuron.worker"  # the plugin's package, 0.4 and 0.5
LOADER: Final = f"{_WORKER}.neuronx_distributed_model_loader"


def install() -> None:
    """Set the guards of this process; whatever it raises ends the engine's start."""
    environment: Mapping[str, str] = os.environ  # noqa: TID251 - the way into vLLM's processes
    if "NEURON_GATEWAY_ROWS" not in environment or multiprocessing.parent_process() is None:
        return
    exit_with_parent(os.getppid())
    if pipe := environment.get("NEURON_GATEWAY_LOG"):
        write_to(Path(pipe))
    claim(map(int, expand_ranges(environment.get("NEURON_RT_VISIBLE_CORES", ""))))
    if environment["NEURON_GATEWAY_ROWS"] == "1":
        runner = importlib.import_module(f"{_WORKER}.neuronx_distributed_model_runner")
        patch_sampling_rows(runner.NeuronxDistributedModelRunner)
    loader = importlib.import_module(LOADER)
    model, may_compile = loader.NeuronModelBase, environment["NEURON_GATEWAY_COMPILE"] != "never"
    _guard(model, "_load_compiled_model", "loading", allowed=True)
    # The plugin compiles whatever it cannot load; only here can it be kept from that.
    _guard(model, "_compile_and_load_model", "compiling", allowed=may_compile)


def _guard(model: type, method: str, phase: str, *, allowed: bool) -> None:
    """Make a method of a class report its phase, or refuse to run."""
    work: Callable[..., Any] | None = getattr(model, method, None)
    if work is None:
        raise PluginMismatch(f"The guards do not fit this plugin: {method} does not exist.")

    @wraps(work)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not allowed:
            raise RuntimeError("The plugin would have to compile, which `compile: never` forbids.")
        send_phase(phase)
        result = work(*args, **kwargs)
        send_phase("warming up")
        return result

    setattr(model, method, guarded)
