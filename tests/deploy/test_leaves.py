"""Every value of the manifests, changed in turn: a check notices it, or a reason is listed.

The mistakes of `test_mutations` are those that somebody thought of; these are all the others.
"""

import collections
import copy
import re
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.checks import CHECKS
from tests.deploy.checks.manifests import Document, documents, name_of, rendered
from tests.deploy.overlays import with_components

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]

Keys = tuple[str | int, ...]
FREE: Final = yaml.safe_load((Path(__file__).parent / "free_leaves.yaml").read_text("utf-8"))
OF_ONE: Final = ("core kinds", "custom kinds")  # checks that look at each document by itself
TEXTS: Final = ("serveConfigV2", "serve.yaml")  # YAML inside a value
OVERALL, OF_A_KIND = 0.9, 0.8  # the least share that is noticed
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z%]+)")
_OPPOSITE: Final = {"true": "false", "false": "true"}


def leaves(value: Any, path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield every scalar with its path."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        if isinstance(child, dict | list):
            yield from leaves(child, (*path, key))
        else:
            yield (*path, key), child


def another(value: Any) -> Any:
    """Return a value of the same kind: a number one higher, an amount ten times, a name longer."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if value in _OPPOSITE:
        return _OPPOSITE[value]
    if re.fullmatch(r"\d+", value):
        return str(int(value) + 1)
    if amount := _AMOUNT.fullmatch(value):
        return f"{amount[1]}0{amount[2]}"
    return f"{value}x"


def changed(document: Document, path: Keys, value: Any) -> Document:
    """Return a copy with another value at the path."""
    copied = copy.deepcopy(document)
    place: Any = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def variants(document: Document) -> Iterator[tuple[str, Any, Document]]:
    """Yield the name of each leaf, its value, and the document with another one."""
    for path, value in leaves(document):
        name = ".".join(map(str, path))
        if path[-1] not in TEXTS:
            yield name, value, changed(document, path, another(value))
            continue
        inner = yaml.safe_load(value)
        for below, leaf in leaves(inner):
            text = yaml.safe_dump(changed(inner, below, another(leaf)), sort_keys=False)
            yield f"{name}:{'.'.join(map(str, below))}", leaf, changed(document, path, text)


def is_free(leaf: str, value: Any, reasons: Sequence[dict[str, str]] = FREE) -> bool:
    """Return whether a reason is listed."""
    return any(
        fnmatchcase(leaf, each["leaf"]) and re.fullmatch(each.get("value", ".*"), str(value), re.S)
        for each in reasons
    )


def noticed(all_: Sequence[Document], index: int, document: Document) -> bool:
    """Return whether a check finds something with one document replaced."""
    replaced = [*all_[:index], document, *all_[index + 1 :]]
    return any(
        next(iter(check([document] if name in OF_ONE else replaced)), None)
        for name, check in CHECKS.items()
    )


COMPONENTS: Final = (
    "egress-otlp", "egress-redis", "gateway-api", "gcs-ft", "ingress-alb", "load-balancer",
    "monitoring", "office-hours", "worker-budget",
)  # fmt: skip
BESIDE: Final = (
    "karpenter", "k8s/jobs/model-sync", "k8s/overlays/inf2-8xlarge/precompile-offline",
    "k8s/webui", "monitoring",
)  # fmt: skip


@cache
def everything() -> list[Document]:
    """Return an overlay with its components, the node pools, and what stands beside them."""
    with tempfile.TemporaryDirectory() as folder:
        found = documents(with_components(Path(folder), "inf2-8xlarge", list(COMPONENTS)))
    for place in BESIDE:
        found += [each for each in documents(rendered(place)) if each not in found]
    return found


def test_another_value_anywhere_is_noticed_or_has_a_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifests = everything()
    assert not [text for check in CHECKS.values() for text in check(manifests)]
    seen, missed = collections.Counter[str](), collections.defaultdict[str, list[str]](list)
    free = 0
    for index, document in enumerate(manifests):
        for name, value, variant in variants(document):
            leaf = f"{name_of(document)} {name}"
            if is_free(leaf, value):
                free += 1
                continue
            seen[document["kind"]] += 1
            if not noticed(manifests, index, variant):
                missed[document["kind"]].append(f"{leaf}: {value!r}")
    report = f"{table(seen, missed)}\nfree, with a reason: {free}"
    with capsys.disabled():
        print(f"\n{report}")  # noqa: T201 - the share is a figure of the suite
    total = sum(map(len, missed.values()))
    assert total <= (1 - OVERALL) * seen.total(), report
    assert all(len(missed[k]) <= (1 - OF_A_KIND) * seen[k] for k in seen), report


def table(seen: "collections.Counter[str]", missed: dict[str, list[str]]) -> str:
    """Return the share that is noticed by kind, and every leaf that is not."""
    rows = [f"{'kind':24} leaves noticed"]
    for kind, count in sorted(seen.items()):
        rows.append(f"{kind:24} {count:6} {1 - len(missed.get(kind, ())) / count:7.0%}")
    total = sum(map(len, missed.values()))
    rows.append(f"{'all':24} {seen.total():6} {1 - total / seen.total():7.0%}")
    return "\n".join(
        [*rows, *(f"not noticed: {leaf}" for each in missed.values() for leaf in each)]
    )


@cache
def names() -> list[tuple[str, Any]]:
    """Return every leaf with its value."""
    return [
        (f"{name_of(document)} {name}", value)
        for document in everything()
        for name, value, _ in variants(document)
    ]


@pytest.mark.parametrize("free", FREE, ids=lambda free: free["leaf"])
def test_a_reason_belongs_to_a_leaf(free: dict[str, str]) -> None:
    assert free["reason"]
    assert any(is_free(name, value, [free]) for name, value in names())
