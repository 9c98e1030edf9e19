"""The Neuron packages that are installed, and whether they fit the plugin's line."""

from collections.abc import Callable
from typing import Final

from packaging.specifiers import SpecifierSet

from engine.host import installed_version
from engine.neuron.catalogue import PLUGIN_RELEASES, PluginRelease

_PLUGIN: Final = "vllm-neuron"
_LIBRARY: Final = "neuronx-distributed-inference"


def package_versions(
    release: PluginRelease, installed: Callable[[str], str | None] = installed_version
) -> dict[str, str | None]:
    """Return the installed version of every package that shapes what is compiled."""
    return {name: installed(name) for name in release.packages}


def satisfies(version: str | None, wanted: str) -> bool:
    """Return whether a version is in a range such as `>=0.4.1,<0.5`; one that is None is not.

    A local part, such as `+f3ca5575`, is left out of account.
    """
    return version is not None and SpecifierSet(wanted).contains(version, prereleases=True)


def package_problem(release: PluginRelease, found: dict[str, str | None]) -> str | None:
    """Return why an engine cannot start with these versions, None where it can.

    Of the device's library only the version is looked at: nothing else tells a placeholder.
    """
    for name in (_PLUGIN, "vllm", _LIBRARY):
        if not satisfies(found[name], wanted := release.packages[name]):
            seen = f"is {found[name]}" if found[name] else "is not installed"
            return (
                f"{name} {seen} and device.plugin: {release.plugin} needs {wanted}. "
                f"Use AWS's image of Neuron SDK {release.sdk}{_hint(name, found[name])}."
            )
    return None


def other_packages(release: PluginRelease, found: dict[str, str | None]) -> list[str]:
    """Return the packages, with their ranges, that are not those of the plugin's line."""
    return [
        f"{name}{wanted}"
        for name, wanted in release.packages.items()
        if not satisfies(found[name], wanted)
    ]


def _hint(name: str, version: str | None) -> str:
    """Return what else there is to do or to know about a package of another line."""
    if name == _LIBRARY:
        return "; packages of this name on PyPI are placeholders, which do nothing"
    if name != _PLUGIN or version is None:
        return ""
    for line, release in PLUGIN_RELEASES.items():
        if satisfies(version, release.packages[_PLUGIN]):
            return f", or set device.plugin: {line}"
    return f"; the known lines are {', '.join(PLUGIN_RELEASES)}; later ones are for Trn2 and Trn3"
