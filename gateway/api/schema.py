"""What the endpoints share on the wire: heads, usage, schema pieces, a client that backends."""

import asyncio
import time
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from gateway.api.streaming.sse import Started
from gateway.errors import ApiError

Result = TypeVar("Result")


class RequestModel(BaseModel):
    """A JSON object from a client; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refused(instead: str = "leave it out") -> AfterValidator:
    """Refuse a field by name, with what to do instead."""

    def check(value: Any) -> Any:
        if value is not None:
            raise PydanticCustomError(
                "unsupported_parameter",
                "this gateway does not support it; {instead}",
                {"instead": instead},
            )
        return value

    return AfterValidator(check)


Refused = Annotated[Any, refused()]


def only_supported(*supported: str) -> AfterValidator:
    """Refuse the values that OpenAI knows and this gateway does not serve."""

    def check(value: str) -> str:
        if value not in supported:
            raise PydanticCustomError(
                "unsupported_value",
                "this gateway serves only {supported}",
                {"supported": ", ".join(supported)},
            )
        return value

    return AfterValidator(check)


def given(value: Any, *, wanted: bool, name: str) -> Any:
    """Refuse a field that is missing where its neighbour wants it, or sent where it does not."""
    if wanted and value is None:
        raise PydanticCustomError("missing", "is required")
    if value is not None and not wanted:
        raise PydanticCustomError("misplaced", "belongs to type {name} alone", {"name": name})
    return value


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]


class StreamOptions(RequestModel):
    """Options that only a stream has; obfuscation is accepted and nothing is added."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What every chunk of one answer repeats; `created` is in Unix seconds."""

    id: str
    created: int
    model: str
    service_tier: bool = False

    @classmethod
    def new(cls, prefix: str, model: str, *, service_tier: bool = False) -> "ResponseHead":
        """Make a head with an id of its own; a tier is told to those who asked for one."""
        return cls(f"{prefix}{uuid.uuid4().hex}", int(time.time()), model, service_tier)

    def fields(self, object_: str) -> dict[str, Any]:
        """Give the fields in OpenAI's order; there is one tier here."""
        head = {"id": self.id, "object": object_, "created": self.created, "model": self.model}
        return head | ({"service_tier": "default"} if self.service_tier else {})


def request_id(request: Request, head: ResponseHead) -> str:
    """Give the engine's name for a request: unique, with the id that logs show."""
    return f"{head.id}-{request.scope['request_id']}"


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work, which closes what it opens, unless the client backends first."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "The client left.")
        return task.result()
    except BaseException:
        await _undo(task)
        raise
    finally:
        leaving.cancel()


async def _undo(task: asyncio.Task[Any]) -> None:
    task.cancel()
    results = list(await asyncio.gather(task, return_exceptions=True))
    if isinstance(results[0], Started):  # it was ready just as the client left
        await results[0].aclose()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
