"""Run a command where `import vllm` finds a checkout of the plugin and the stand-in.

    python tests/engine/neuron/lab/environment.py PLUGIN VLLM STATE COMMAND ...

runs COMMAND in it. PLUGIN is a checkout of vllm-neuron, VLLM a folder that holds the package vllm.
"""

import os
import re
import sys
from pathlib import Path

STANDIN = Path(__file__).resolve().parent / "standin"
# What AWS ships with each release; `+standin` says that it is not the real library.
LIBRARY = {
    "0.4.1": "0.8.16251+standin",
    "0.5.0": "0.9.17334+standin",
    "0.5.3": "0.10.18399+standin",
}
ENTRY_POINT = "[vllm.platform_plugins]\nneuron = vllm_neuron:register\n"


def plugin_versions(plugin: Path) -> tuple[str, str]:
    """Return a checkout's own version and the vLLM version that it pins."""
    own = re.search(r"""version\s*=\s*["']([^"']+)""", (plugin / "setup.py").read_text())
    pin = re.search(r"^vllm==(\S+)", (plugin / "requirements/core.txt").read_text(), re.MULTILINE)
    if own is None or pin is None:
        raise SystemExit(f"{plugin} is no checkout of vllm-neuron: setup.py or its pin is missing")
    return own[1], pin[1]


def write_metadata(folder: Path, name: str, version: str, entry_points: str = "") -> None:
    """Write the metadata of an installed distribution."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)


def lab_environment(plugin: Path, vllm: Path, state: Path) -> dict[str, str]:
    """Return the variables; the metadata is written below `state`."""
    own, pin = plugin_versions(plugin)
    metadata = state / f"metadata-{own}-{pin}"
    write_metadata(metadata, "vllm-neuron", own, ENTRY_POINT)
    write_metadata(metadata, "vllm", pin)
    write_metadata(metadata, "neuronx-distributed-inference", LIBRARY[own])
    paths = [STANDIN, metadata, plugin.resolve(), vllm.resolve()]
    return {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "NEURON_LAB_PLUGIN": own,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }


def main() -> None:
    plugin, vllm, state = map(Path, sys.argv[1:4])
    environment = os.environ | lab_environment(plugin, vllm, state.resolve())
    os.execvpe(sys.argv[4], sys.argv[4:], environment)


if __name__ == "__main__":
    main()
