"""Names in a request that no schema knows: what is refused, and what is taken and reported."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from gateway.api.body.foreign_parameters import FOREIGN_PARAMETERS, NOT_MISSPELT
from gateway.api.schema import RequestModel
from gateway.errors import ApiError

_PLAIN: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
MAX_NAME: Final = 40  # characters of a name that may be a misspelt one
MAX_CHECKED: Final = 64  # names of one request whose spelling is checked
MAX_REPORTED: Final = 256  # paths of one request
SHORT_NAME: Final = 6  # characters: in a shorter name one letter may differ, else two


def take_unknown_fields(body: RequestModel) -> list[str]:
    """Remove the unknown fields of a body and return the paths of the first 256.

    Raise ApiError 400 for a misspelt name, and for a parameter of another server that would change
    the answer.
    """
    ignored: list[str] = []
    checked: set[tuple[type[RequestModel], str]] = set()
    for path, model in _models(body, ""):
        extra = model.model_extra or {}
        for name, value in extra.items():
            shown = name if _PLAIN.fullmatch(name) else "?"  # no text of a user, and no commas
            full = f"{path}.{shown}" if path else shown
            if model is body and name in FOREIGN_PARAMETERS:
                _require_neutral(name, value)
                continue
            if len(checked) < MAX_CHECKED:
                checked.add((type(model), name))
                _require_not_misspelt(type(model), name, full)
            if len(ignored) < MAX_REPORTED:
                ignored.append(full)
        extra.clear()
    return ignored


def _models(model: RequestModel, path: str) -> Iterator[tuple[str, RequestModel]]:
    """Yield the models of a request with their paths, the body first."""
    yield path, model
    for name, value in model.__dict__.items():
        if isinstance(value, RequestModel | list):
            alias = type(model).model_fields[name].alias or name
            where = f"{path}.{alias}" if path else alias
            if isinstance(value, RequestModel):
                yield from _models(value, where)
                continue
            for index, item in enumerate(value):
                if isinstance(item, RequestModel):
                    yield from _models(item, f"{where}[{index}]")


def _require_neutral(name: str, value: Any) -> None:
    parameter = FOREIGN_PARAMETERS[name]
    if parameter.changes_answer(value):
        raise ApiError(
            400,
            f"Unsupported parameter: '{name}' is not served with this value; {parameter.instead}.",
            code="unsupported_parameter",
            param=name,
        )


def _require_not_misspelt(model: type[RequestModel], name: str, path: str) -> None:
    if (known := _meant(model, name)) is not None:
        raise ApiError(
            400,
            f"Unknown parameter: '{path}'. Did you mean '{known}'?",
            code="unknown_parameter",
            param=path,
        )


@lru_cache(maxsize=4096)
def _meant(model: type[RequestModel], name: str) -> str | None:
    """Return the field of which a name is a misspelling, if any."""
    if len(name) > MAX_NAME or name in NOT_MISSPELT:
        return None
    fields = (field.alias or known for known, field in model.model_fields.items())
    return next((known for known in fields if _close(known, name)), None)


def _close(known: str, name: str) -> bool:
    most = 2 if len(known) >= SHORT_NAME else int(len(known) > 2)
    return abs(len(known) - len(name)) <= most and _within(known.lower(), name.lower(), most)


def _within(one: str, other: str, edits: int) -> bool:
    """Whether this many letters make two names equal: added, left out, changed or swapped."""
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return abs(len(one) - len(other)) <= edits
    if not edits:
        return False
    one, other = one[start:], other[start:]
    swapped = one[:2] == other[1::-1] and _within(one[2:], other[2:], edits - 1)
    return (
        swapped
        or _within(one[1:], other[1:], edits - 1)
        or _within(one[1:], other, edits - 1)
        or _within(one, other[1:], edits - 1)
    )
