"""A minimal server: uvicorn and Starlette that replay recorded bytes."""

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


def app(frames: list[bytes], *, per_iteration: bool) -> Starlette:
    """Build an app that answers every chat with the frames of a recorded response.

    `per_iteration` sends one frame per iteration of the event loop, as an engine does; else all
    are sent at once. The frames between the first and the last two are repeated to the length of
    the request.
    """

    def repeat(tokens: int) -> Iterator[bytes]:
        yield frames[0]
        yield from itertools.islice(itertools.cycle(frames[1:-2]), tokens)
        yield from frames[-2:]

    async def replay(tokens: int) -> AsyncIterator[bytes]:
        for frame in repeat(tokens):
            yield frame
            if per_iteration:
                await asyncio.sleep(0)

    async def answer(request: Request) -> StreamingResponse:
        body = json.loads(await request.body())
        tokens = body.get("max_completion_tokens") or body.get("max_tokens") or 16
        return StreamingResponse(replay(tokens), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])


def main() -> None:
    """Serve the frames of a file: `FILE PORT [per-iteration]`."""
    file, port, per_iteration = Path(sys.argv[1]), int(sys.argv[2]), "per-iteration" in sys.argv
    frames = [part + b"\n\n" for part in file.read_bytes().split(b"\n\n") if part]
    application = app(frames, per_iteration=per_iteration)
    uvicorn.run(application, host="127.0.0.1", port=port, log_level="warning", loop="uvloop")


if __name__ == "__main__":
    main()
