"""The files of the Helm chart that are made from the kustomize overlays and components.

The chart's templates put values into these and contain no object of their own.
"""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from tests.deploy.checks.manifests import (
    DEPLOY,
    OVERLAYS,
    Document,
    documents,
    name_of,
    of_kind,
    rendered,
)
from tests.deploy.overlays import with_components

CHART: Final = DEPLOY / "chart" / "neuron-gateway"
# Parts of a size, not of the choices that a user has.
_OF_A_SIZE: Final = ("inf2", "model-cache-s3", "trn1")
COMPONENTS: Final = tuple(
    sorted({each.name for each in (DEPLOY / "k8s/components").iterdir()} - set(_OF_A_SIZE))
)
_NOT_IN_A_RELEASE: Final = ("Namespace",)
_ONCE_A_CLUSTER: Final = "neuron-monitor"


def chart_files() -> Iterator[tuple[str, str]]:
    """Yield the path below the chart and the text of each generated file."""
    sizes = {name: documents(rendered(f"k8s/overlays/{name}")) for name in OVERLAYS}
    first, *others = sizes.values()
    shared = [each for each in first if all(each in other for other in others)]
    yield "files/base.yaml", _text(shared)
    for name, found in sizes.items():
        for service in of_kind(found, "RayService"):
            service["spec"]["serveConfigV2"] = (
                ""  # as in the base: the template takes the ConfigMap's
            )
        yield f"files/sizes/{name}.yaml", _text(each for each in found if each not in shared)
    yield "files/components/webui.yaml", _text(documents(rendered("k8s/webui")))
    for name in COMPONENTS:
        added = _added(name) + (monitors() if name == "monitoring" else [])
        if added:
            yield f"files/components/{name}.yaml", _text(added)
        if operations := patch_of(name):
            yield f"files/patches/{name}.yaml", yaml.safe_dump(operations, sort_keys=False)


@cache
def _plain(overlay: str) -> list[Document]:
    return documents(rendered(f"k8s/overlays/{overlay}"))


def _added(component: str) -> list[Document]:
    """Return the objects that a component adds to an overlay."""
    with tempfile.TemporaryDirectory() as folder:
        text = with_components(Path(folder), "cpu", [component], placeholders=True)
    return [
        each
        for each in documents(text)
        if each not in _plain("cpu") and each["kind"] not in ("RayService", *_NOT_IN_A_RELEASE)
    ]


def patch_of(component: str) -> list[Document]:
    """Return the JSON patch of a component for the RayService."""
    file = DEPLOY / "k8s" / "components" / component / "kustomization.yaml"
    patches = yaml.safe_load(file.read_text("utf-8")).get("patches", [])
    chosen = [each["patch"] for each in patches if each["target"] == {"kind": "RayService"}]
    return [operation for text in chosen for operation in yaml.safe_load(text)]


def monitors() -> list[Document]:
    """Return the objects of deploy/monitoring that belong to one gateway, in its namespace."""
    found = [
        each for each in documents(rendered("monitoring")) if _ONCE_A_CLUSTER not in name_of(each)
    ]
    for each in found:
        each["metadata"]["namespace"] = "neuron-gateway"
    return found


def _text(found: Iterator[Document] | list[Document]) -> str:
    note = "# Made by `make rendered` from what kustomize renders.\n"
    kept = [each for each in found if each["kind"] not in _NOT_IN_A_RELEASE]
    return note + "---\n".join(yaml.dump(each, Dumper=_Dumper, width=10_000) for each in kept)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists as kubectl does."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return a block for a text of several lines."""
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
