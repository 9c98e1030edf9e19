"""Which Neuron packages are installed, and what is wrong with them."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from engine.neuron.catalogue import PluginRelease

_WHERE: Final = (
    "The true ones are in AWS's Neuron pip repository, and in its images for vLLM; "
    "PyPI has placeholders of the same names, which import and do nothing."
)


def installed(name: str) -> str | None:
    """Give the version of a distribution; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions(line: PluginRelease) -> dict[str, str | None]:
    """Give the installed version of every package that shapes what is compiled."""
    return {name: installed(name) for name in ("vllm", "vllm-neuron", *line.packages)}


def problem(line: PluginRelease) -> str | None:
    """Say why an engine of this line cannot start; None where it can.

    The device's library is asked for by its version alone: nothing else tells a placeholder.
    """
    found = versions(line)
    if found["vllm-neuron"] is None:
        return f"vllm-neuron is not installed. Install {line.plugin} from its repository's tag."
    for name, wanted in (("vllm-neuron", line.plugin), ("vllm", line.vllm)):
        have = found[name]
        if have is None or have.partition("+")[0] != wanted:
            return (
                f"{name} {have} is installed and device.plugin: {line.plugin} needs {wanted}. "
                "Install that, or name the plugin that is there."
            )
    library = "neuronx-distributed-inference"
    have, wanted = found[library], line.packages[library]
    if have is None or have.partition("+")[0].split(".")[:2] != wanted.split(".")[:2]:
        return f"{library} {have} is installed and {wanted} is needed. {_WHERE}"
    return None
