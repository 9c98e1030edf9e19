"""`RemoteEngine`: an engine in other processes, behind the `Replicas` protocol."""

import asyncio
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

POLL_SECONDS: Final = 1.0
STATE_TIMEOUT_SECONDS: Final = 5.0
LOADING_RETRY_SECONDS: Final = 15.0
REPLICA_DIED: Final = "The replica of this request died."
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The state that a replica reports."""

    model: ModelInfo
    phase: Phase
    load: Load


class Stream(Protocol):
    """The deltas of a replica; an EngineError is an item and not raised."""

    def __aiter__(self) -> AsyncIterator[TokenDelta | EngineError]: ...
    def cancel(self) -> None: ...


class Replicas(Protocol):
    """The replicas of a model."""

    def generate(self, request: GenerateRequest) -> Stream:
        """Start a completion on one of the replicas."""

    async def count(self) -> int:
        """Return the number of running replicas."""

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        """Call a method of a replica; starts a replica where none runs."""

    def translate_error(self, error: Exception) -> Exception:
        """Return an error of the transport as an EngineError, and any other as it is."""


class RemoteEngine:
    """An EngineBackend over replicas; its state is the one that a replica reported last."""

    def __init__(
        self, model: ModelInfo, slots: int, replicas: Replicas, *, scales_to_zero: bool
    ) -> None:
        self._scales_to_zero = scales_to_zero
        self._state = ReplicaState(model, "created", Load(running=0, waiting=0, slots=slots))
        self._replicas = replicas
        self._running = 0
        self._polling: asyncio.Task[None] | None = None

    @property
    def model(self) -> ModelInfo:
        """The model as the config describes it, or its replica once there is one."""
        return self._state.model

    @property
    def phase(self) -> Phase:
        """The phase of the replica that reported last."""
        return self._state.phase

    @property
    def load(self) -> Load:
        """The requests that were sent from this process, and the slots of one replica."""
        return replace(self._state.load, running=self._running, waiting=0)

    async def start(self) -> None:
        """Start to poll the replicas, which Serve starts."""
        self._state = replace(self._state, phase="loading")
        self._polling = asyncio.create_task(self._poll())

    async def close(self) -> None:
        """Stop to poll."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait({self._polling})

    async def check_health(self) -> None:
        """Raise EngineLoading until a replica is ready; Serve checks the replicas themselves."""
        if self._state.phase == "dead":
            raise EngineDead("The engine of this model is dead.")
        if self._state.phase != "ready":
            raise EngineLoading(f"The model is not ready yet: {self.phase}.", LOADING_RETRY_SECONDS)

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Return the tokens of a text or of a conversation, from a replica."""
        tokens: Tokens = await self._call("tokenize", text, add_special_tokens)
        return tokens

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens, from a replica."""
        return str(await self._call("detokenize", token_ids))

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of a replica; waits for a replica where none runs.

        Raises EngineDead where the replica dies before the last delta.
        """
        stream = self._replicas.generate(request)
        self._running += 1
        finished = False
        try:
            async for item in stream:
                finished = isinstance(item, EngineError) or item.finish_reason is not None
                if isinstance(item, EngineError):
                    raise item
                yield item
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all are translated
            self._raise_translated(error, finished)
        finally:
            self._running -= 1
            if not finished:
                stream.cancel()
        if not finished:
            raise EngineDead(REPLICA_DIED)

    def _raise_translated(self, error: BaseException, finished: bool) -> None:
        """Raise an error of a stream as an EngineError; after the last delta, ignore it."""
        if isinstance(error, EngineError):
            raise error
        if isinstance(error, asyncio.CancelledError):
            if _this_task_is_cancelled():
                raise error
            raise EngineDead(REPLICA_DIED) from None
        if not finished:
            assert isinstance(error, Exception)
            raise self._replicas.translate_error(error) from error

    async def _fetch_state(self) -> ReplicaState:
        """Return the state of a replica; where none runs, none is called, which would start one."""
        if not await self._replicas.count():
            phase: Phase = "idle" if self._scales_to_zero else "loading"
            return replace(self._state, phase=phase)
        state: ReplicaState = await self._call("state")
        return state

    async def _call(self, method: str, *arguments: Any) -> Any:
        try:
            result = await self._replicas.call(method, *arguments)
        except Exception as error:
            raise self._replicas.translate_error(error) from error
        if isinstance(result, EngineError):
            raise result
        return result

    async def _poll(self) -> None:
        while True:
            try:
                async with asyncio.timeout(STATE_TIMEOUT_SECONDS):
                    self._state = await self._fetch_state()
            except (TimeoutError, EngineError):
                self._state = replace(self._state, phase="loading")
            except Exception:  # noqa: BLE001 - whatever it was, the next poll may succeed
                _log.exception("The replicas of %s do not report their state", self.model.id)
            await asyncio.sleep(POLL_SECONDS)


def _this_task_is_cancelled() -> bool:
    """Return whether this task was cancelled; a replica's own cancellation is the same error."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
