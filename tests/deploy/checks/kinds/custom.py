"""Custom resources against their CRDs: fields, list keys, and every CEL rule.

The CRDs are KubeRay's, Karpenter's, Prometheus Operator's: a folder of them, as YAML or JSON, is
named by CRD_DIR. Rules that compare with an old object are skipped: there is none.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from cel import Context, evaluate

from tests.deploy.checks.kinds.crd_schema import Schema, json_schema, parts, with_defaults
from tests.deploy.checks.manifests import ROOT, Document, documents, name_of, quantity

GROUPS: Final = (
    "ray.io",
    "karpenter.sh",
    "karpenter.k8s.aws",
    "monitoring.coreos.com",
    "gateway.networking.k8s.io",
)
_LABEL: Final = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
# What Kubernetes adds to CEL, as far as these CRDs use it.
_FUNCTIONS: Final = {
    "find": lambda text, pattern: ((found := re.search(pattern, text)) and found[0]) or "",
    "findAll": lambda text, pattern: re.findall(pattern, text),
    "split": lambda text, mark: text.split(mark),
    "join": lambda items, mark="": mark.join(items),
    "replace": lambda text, old, new: text.replace(old, new),
    "trim": str.strip,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "isSorted": lambda items: list(items) == sorted(items),
    "sum": sum,
    "indexOf": lambda where, what: list(where).index(what) if what in where else -1,
    "isURL": lambda text: "://" in text,
    "quantity": quantity,
}


def is_custom(document: Document) -> bool:
    """Whether a CRD rather than Kubernetes itself defines this kind."""
    return str(document.get("apiVersion", "")).partition("/")[0] in GROUPS


@cache
def schemas() -> dict[tuple[str, str], Schema]:
    """Read every CRD; skip the test where there are none."""
    folder = Path(os.environ.get("CRD_DIR") or ROOT.parent / "shared" / "crds")
    files = sorted(file for file in folder.glob("*") if file.suffix in (".json", ".yaml", ".yml"))
    found = [each for file in files for each in _definitions(file)]
    if not found:
        pytest.skip(f"no CRD in {folder}: set CRD_DIR to a folder of them")
    return {
        (f"{each['spec']['group']}/{version['name']}", each["spec"]["names"]["kind"]): version[
            "schema"
        ]["openAPIV3Schema"]
        for each in found
        for version in each["spec"]["versions"]
    }


def _definitions(file: Path) -> Iterator[Document]:
    text = file.read_text("utf-8")
    found = [json.loads(text)] if file.suffix == ".json" else documents(text)
    return (each for each in found if each.get("kind") == "CustomResourceDefinition")


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what the API server would refuse on creation."""
    for document in filter(is_custom, documents):
        schema = schemas().get((document["apiVersion"], document["kind"]))
        if schema is None:
            yield f"{name_of(document)}: {document['apiVersion']} is in no CRD"
            continue
        for text in _refused(schema, document):
            yield f"{name_of(document)}: {text}"


def _refused(schema: Schema, document: Document) -> Iterator[str]:
    value = with_defaults(schema, document)
    yield from _metadata(document["metadata"])
    validator = jsonschema.Draft7Validator(json_schema(schema, top=True))
    for error in validator.iter_errors(value):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
    for part, item, path in parts(schema, value):
        yield from _rules(part, item, path)
        yield from _keys(part, item, path)


def _metadata(metadata: Document) -> Iterator[str]:
    if not _NAME.fullmatch(str(metadata.get("name"))):
        yield f"metadata.name {metadata.get('name')!r} is no name"
    for field in ("labels", "annotations"):
        for key, value in metadata.get(field, {}).items():
            if not _LABEL.fullmatch(str(key)) or not isinstance(value, str):
                yield f"metadata.{field}.{key}: a name and a text are wanted"


def _rules(schema: Schema, value: Any, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"]:
            continue
        try:
            holds = evaluate(rule["rule"], _context(value))
        except Exception as error:  # noqa: BLE001 - the API server refuses here too
            yield f"{path}: {rule['rule']}: {error}"
        else:
            if holds is False:
                yield f"{path}: {rule.get('message') or rule['rule']}"


def _context(value: Any) -> Context:
    context = Context()
    context.add_variable("self", value)
    for name, function in _FUNCTIONS.items():
        context.add_function(name, function)
    return context


def _keys(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        return
    if schema.get("x-kubernetes-list-type") == "map":
        names = schema["x-kubernetes-list-map-keys"]
        value = [[item.get(name) for name in names] for item in value]
    elif schema.get("x-kubernetes-list-type") != "set":
        return
    seen = [json.dumps(item, sort_keys=True) for item in value]
    if len(set(seen)) < len(seen):
        yield f"{path}: an item is there twice"
