"""A client that leaves before its response has begun."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from gateway.api.streaming.primed_stream import PrimedStream
from gateway.errors import ApiError

Result = TypeVar("Result")


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the work's result; cancel the work and raise ApiError if the client leaves first.

    Plain uvicorn does not cancel a handler whose client left.
    """
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "The client closed the connection.")
        return task.result()
    except BaseException:
        await _undo(task)
        raise
    finally:
        leaving.cancel()


async def _undo(task: asyncio.Task[Any]) -> None:
    task.cancel()
    result = (await asyncio.gather(task, return_exceptions=True))[0]
    if isinstance(result, PrimedStream):  # it was ready just as the client left
        await result.aclose()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
