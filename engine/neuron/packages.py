"""The Neuron packages that are installed, and whether they fit the plugin's release."""

from collections.abc import Callable
from typing import Final

from engine.host import installed_version
from engine.neuron.catalogue import PluginRelease

_LIBRARY: Final = "neuronx-distributed-inference"
_SOURCE: Final = (
    "AWS's Neuron pip repository and its images for vLLM have the packages; those of the same "
    "names on PyPI are placeholders, which import and do nothing."
)


def package_versions(
    release: PluginRelease, installed: Callable[[str], str | None] = installed_version
) -> dict[str, str | None]:
    """Return the installed version of every package that shapes what is compiled."""
    return {name: installed(name) for name in ("vllm", "vllm-neuron", *release.packages)}


def package_problem(release: PluginRelease, found: dict[str, str | None]) -> str | None:
    """Return why an engine cannot start with these versions, None where it can.

    Of the device's library only the version is looked at: nothing else tells a placeholder.
    """
    if found["vllm-neuron"] is None:
        return f"vllm-neuron is not installed. Install {release.plugin} from its repository's tag."
    for name, wanted in (("vllm-neuron", release.plugin), ("vllm", release.vllm)):
        if base_version(found[name]) != wanted:
            return (
                f"{name} {found[name]} is installed and device.plugin: {release.plugin} needs "
                f"{wanted}. Install that, or set device.plugin to the installed release."
            )
    wanted = release.packages[_LIBRARY]
    if base_version(found[_LIBRARY]).split(".")[:2] != wanted.split(".")[:2]:
        return f"{_LIBRARY} {found[_LIBRARY]} is installed and {wanted} is needed. {_SOURCE}"
    return None


def base_version(version: str | None) -> str:
    """Return a version without its local part, such as `+f3ca5575`; empty for None."""
    return (version or "").partition("+")[0]
