"""The least that can be done: uvicorn and Starlette that send bytes which are there already."""

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


def app(frames: list[bytes], *, in_turns: bool) -> Starlette:
    """Make an app that answers every chat with these frames, all at once or one in each turn.

    In turns is how an engine gives them: the loop goes round between two tokens of a stream. The
    frames are those of an answer; between the first and the last two they go round.
    """

    def cut(tokens: int) -> Iterator[bytes]:
        yield frames[0]
        yield from itertools.islice(itertools.cycle(frames[1:-2]), tokens)
        yield from frames[-2:]

    async def replay(tokens: int) -> AsyncIterator[bytes]:
        for frame in cut(tokens):
            yield frame
            if in_turns:
                await asyncio.sleep(0)

    async def answer(request: Request) -> StreamingResponse:
        wanted = json.loads(await request.body())
        tokens = wanted.get("max_completion_tokens") or wanted.get("max_tokens") or 16
        return StreamingResponse(replay(tokens), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])


def main() -> None:
    """Serve the frames of a file at a port: `python -m benchmarks.bare FILE PORT [in-turns]`."""
    file, port, in_turns = Path(sys.argv[1]), int(sys.argv[2]), "in-turns" in sys.argv
    frames = [part + b"\n\n" for part in file.read_bytes().split(b"\n\n") if part]
    served = app(frames, in_turns=in_turns)
    uvicorn.run(served, host="127.0.0.1", port=port, log_level="warning", loop="uvloop")


if __name__ == "__main__":
    main()
