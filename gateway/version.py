"""The version and the README of this gateway, from its installed distribution."""

from importlib.metadata import PackageNotFoundError, metadata


def _installed() -> tuple[str, str]:
    try:
        found = metadata("neuron-gateway").json
    except PackageNotFoundError:
        return "unknown (not installed)", ""
    return str(found["version"]), str(found.get("description", ""))


VERSION, README = _installed()
