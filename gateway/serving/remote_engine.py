"""`RemoteEngine`: an engine in another process, reached through what `gateway.serving.ray_app` gives."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from engine import (
    Chat,
    EngineDead,
    EngineError,
    EngineLoading,
    GenerateRequest,
    Load,
    ModelInfo,
    Phase,
    TokenDelta,
    Tokens,
)

PERIOD_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 5.0  # for a replica to say how it is
LOADING_SECONDS: Final = 15.0
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What a replica says of itself."""

    model: ModelInfo
    phase: Phase
    load: Load


class Stream(Protocol):
    """Deltas that come from a replica; an error that is expected comes as a value."""

    def __aiter__(self) -> AsyncIterator[TokenDelta | EngineError]: ...
    def cancel(self) -> None: ...


class Replicas(Protocol):
    """The replicas of a model; raises EngineDead where the one that was asked is gone."""

    def generate(self, request: GenerateRequest) -> Stream: ...
    async def count(self) -> int: ...
    def ask(self, what: str, *arguments: Any) -> Awaitable[Any]: ...
    def translate_error(self, error: Exception) -> Exception: ...


class RemoteEngine:
    """A EngineBackend over replicas; it knows of them what the last one that was asked said."""

    def __init__(
        self, model: ModelInfo, slots: int, replicas: Replicas, *, scales_to_zero: bool
    ) -> None:
        self._may_sleep = scales_to_zero
        self._state = State(model, "created", Load(running=0, waiting=0, slots=slots))
        self._replicas = replicas
        self._open = 0
        self._asking: asyncio.Task[None] | None = None

    @property
    def model(self) -> ModelInfo:
        """The model as the config names it, and as its replica describes it once there is one."""
        return self._state.model

    @property
    def phase(self) -> Phase:
        """The phase of the replica that was asked last."""
        return self._state.phase

    @property
    def load(self) -> Load:
        """The requests from here, and the slots of one replica."""
        return replace(self._state.load, running=self._open, waiting=0)

    async def start(self) -> None:
        """Begin to ask the replicas how they are; they start by themselves."""
        self._state = replace(self._state, phase="loading")
        self._asking = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def check_health(self) -> None:
        """Raise EngineLoading while no replica has answered: Serve itself watches over them."""
        if self._state.phase == "dead":
            raise EngineDead("The engine of this model is dead.")
        if self._state.phase != "ready":
            raise EngineLoading(f"The model is not ready yet: {self.phase}.", LOADING_SECONDS)

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Ask a replica for the tokens of a text or of a conversation."""
        tokens: Tokens = await self._answer("tokenize", text, add_special_tokens)
        return tokens

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Ask a replica for the text of these tokens."""
        return str(await self._answer("detokenize", token_ids))

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream from a replica; waits for one where there is none."""
        stream = self._replicas.generate(request)
        self._open += 1
        finished = False
        try:
            async for item in stream:
                finished = isinstance(item, EngineError) or item.finish_reason is not None
                if isinstance(item, EngineError):
                    raise item
                yield item
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all are translate_error
            self._raise_unless_told(error, finished)
        finally:
            self._open -= 1
            if not finished:
                stream.cancel()
        if not finished:
            raise EngineDead("The replica of this request is gone.")

    def _raise_unless_told(self, error: BaseException, finished: bool) -> None:
        """Raise what an error means; what breaks after the last delta means nothing."""
        if isinstance(error, EngineError):
            raise error
        if isinstance(error, asyncio.CancelledError):
            if _is_ours():
                raise error
            raise EngineDead("The replica of this request is gone.") from None
        if not finished:
            assert isinstance(error, Exception)
            raise self._replicas.translate_error(error) from error

    async def _asked(self) -> State:
        """Ask a replica how it is; where there is none a question would start one."""
        if not await self._replicas.count():
            phase: Phase = "idle" if self._may_sleep else "loading"
            return replace(self._state, phase=phase)
        state: State = await self._answer("state")
        return state

    async def _answer(self, what: str, *arguments: Any) -> Any:
        try:
            answer = await self._replicas.ask(what, *arguments)
        except Exception as error:
            raise self._replicas.translate_error(error) from error
        if isinstance(answer, EngineError):
            raise answer
        return answer

    async def _poll(self) -> None:
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._state = await self._asked()
            except (TimeoutError, EngineError):
                self._state = replace(self._state, phase="loading")
            except Exception:  # noqa: BLE001 - whatever it was, it is asked again
                _log.exception("The replicas of %s cannot be asked", self.model.id)
            await asyncio.sleep(PERIOD_SECONDS)


def _is_ours() -> bool:
    """Whether this task was cancelled: a replica's own cancellation comes as the same error."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
