"""Types of bounded size for everything that a client sends; a test finds fields that use others.

A list stops at its first invalid item: pydantic would collect an error for each.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import Field
from pydantic_core import PydanticCustomError

from gateway.api.schema import checked

MAX_TEXT: Final = 4 * 2**20  # characters: no more than a body has bytes
MAX_TOKEN_IDS: Final = 2**18
MAX_JSON_VALUES: Final = 10_000
MAX_JSON_DEPTH: Final = 64

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Name = Annotated[str, Field(max_length=1024)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenIds = Annotated[list[TokenId], Field(fail_fast=True, max_length=MAX_TOKEN_IDS)]


def json_values(value: Any) -> Iterator[Any]:
    """Yield a JSON value and all values in it; raise PydanticCustomError at a deep nesting."""
    unseen = [(value, 0)]
    while unseen:
        node, depth = unseen.pop()
        yield node
        if isinstance(node, dict | list):
            if depth >= MAX_JSON_DEPTH:
                raise PydanticCustomError(
                    "json_depth", "is nested more than {most} levels deep", {"most": MAX_JSON_DEPTH}
                )
            children = node.values() if isinstance(node, dict) else node
            unseen += [(child, depth + 1) for child in children]


def _small(value: Any) -> Any:
    beyond = islice(json_values(value), MAX_JSON_VALUES, None)
    if isinstance(value, dict | list) and any(True for _ in beyond):
        raise PydanticCustomError(
            "json_size", "has more than {most} values", {"most": MAX_JSON_VALUES}
        )
    return value


Json = Annotated[
    Any, checked(_small, {"description": f"Any JSON of at most {MAX_JSON_VALUES} values."})
]
JsonObject = Annotated[dict[Name, Json], Field(max_length=1024)]
