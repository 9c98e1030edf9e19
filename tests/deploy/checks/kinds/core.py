"""Core kinds against Kubernetes' own schemas, unknown fields refused; quantities too."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import kubernetes_validate

from tests.deploy.checks.kinds.custom import is_custom
from tests.deploy.checks.manifests import Document, name_of, quantity

VERSIONS: Final = ("1.34", "1.35", "1.36")
_QUANTITIES: Final = frozenset({"requests", "limits"})


def findings(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what one of the versions refuses, and unknown kinds."""
    for document in documents:
        if not is_custom(document):
            yield from _refused(document)
        yield from _quantities(document, name_of(document))


def _refused(document: Document) -> Iterator[str]:
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.path))
            yield f"{name_of(document)}, {version}: {where} {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{name_of(document)}: {document.get('apiVersion')} is unknown to {version}"


def _quantities(value: Any, where: str) -> Iterator[str]:
    """Yield wrong values in fields that the schemas declare as any string."""
    if isinstance(value, list):
        for item in value:
            yield from _quantities(item, where)
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _QUANTITIES and isinstance(item, dict):
                yield from _unreadable(item, f"{where} {key}")
            if key == "sizeLimit":
                yield from _unreadable({key: item}, where)
            yield from _quantities(item, where)


def _unreadable(amounts: dict[str, Any], where: str) -> Iterator[str]:
    for name, amount in amounts.items():
        try:
            quantity(amount)
        except ValueError as error:
            yield f"{where}: {name}: {error}"
