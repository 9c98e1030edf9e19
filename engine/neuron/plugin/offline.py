"""The process that compiles without a device: the plugin's own loader, up to its compile.

`python -m engine.neuron.plugin.offline` reads vLLM's arguments as JSON from its standard input. Its
parent, `engine.neuron.offline`, has set the variables of a start.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from engine.neuron.plugin.hook import LOADER
from engine.neuron.plugin.log_pipe import send_phase, write_to
from engine.processes import exit_with_parent
from engine.vllm.start import make_vllm_config


def main() -> None:
    """Compile into the folder that NEURON_COMPILED_ARTIFACTS names."""
    environment: Mapping[str, str] = os.environ  # noqa: TID251 - the parent's way into this process
    arguments = json.load(sys.stdin)
    exit_with_parent(os.getppid())
    write_to(Path(environment["NEURON_GATEWAY_LOG"]))
    _register()
    with make_vllm_config(arguments) as config:
        loader = importlib.import_module(LOADER)
        _stop_before_load(loader.NeuronModelBase)
        loader.get_neuron_model(  # as NeuronxDistributedModelRunner.load_model does
            config.model_config,
            cache_config=config.cache_config,
            parallel_config=config.parallel_config,
            scheduler_config=config.scheduler_config,
            lora_serving_config=None,
            speculative_config=config.speculative_config,
            additional_config=config.additional_config,
        )


def _register() -> None:
    """Make the plugin register its platform, for which it looks for a device file."""
    plugin = importlib.import_module("vllm_neuron")
    if not hasattr(plugin, "_is_neuron_dev"):
        raise RuntimeError("The offline compile does not fit this plugin: no _is_neuron_dev.")
    vars(plugin)["_is_neuron_dev"] = lambda: True


def _stop_before_load(model: type) -> None:
    """Make the plugin quantize and compile, and load nothing: that would need the cores."""
    work: Callable[..., Any] = vars(model)["_compile_and_load_model"]

    @wraps(work)
    def compile_only(self: Any, path: str, library_class: Any, *rest: Any) -> None:
        library_class.load = lambda *_, **__: None
        send_phase("compiling")
        work(self, path, library_class, *rest)

    setattr(model, work.__name__, compile_only)


if __name__ == "__main__":
    main()
