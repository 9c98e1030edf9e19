"""`RemoteEngine`: an engine in other processes, behind the `Replicas` protocol."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol

from engine import (
    Chat,
    EngineDead,
    EngineError,
    EngineLoading,
    EngineOverloaded,
    GenerateRequest,
    Load,
    ModelInfo,
    Phase,
    TokenDelta,
    Tokens,
)

POLL_SECONDS: Final = 1.0
LOADING_RETRY_SECONDS: Final = 15.0
REPLICA_DIED: Final = "The replica of this request died."
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The state that a replica reports."""

    model: ModelInfo
    phase: Phase
    load: Load


Stream = AsyncGenerator[TokenDelta | EngineError, None]  # an error is an item and not raised


class Replicas(Protocol):
    """The replicas of a model."""

    def generate(self, request: GenerateRequest, refused_by: Set[str]) -> Stream:
        """Start a completion on a replica, if possible on one that has not refused it."""

    async def states(self) -> list[ReplicaState]:
        """Return the states of the running replicas that answer; starts none."""

    def call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        """Call a method of a replica; starts a replica where none runs."""

    def translate_error(self, error: Exception) -> Exception:
        """Return an error of the transport as an EngineError, and any other as it is."""


class RemoteEngine:
    """An EngineBackend over replicas; its state is what they reported last."""

    def __init__(self, model: ModelInfo, replicas: Replicas, *, scales_to_zero: bool) -> None:
        self._without_replica: Phase = "idle" if scales_to_zero else "loading"
        self._state = ReplicaState(model, "created", _total(()))
        self._replicas = replicas
        self._polling: asyncio.Task[None] | None = None

    @property
    def model(self) -> ModelInfo:
        """The model as the config describes it, or its replica once there is one."""
        return self._state.model

    @property
    def phase(self) -> Phase:
        """Ready if any replica is, else the phase of one of them."""
        return self._state.phase

    @property
    def load(self) -> Load:
        """The requests and the slots of all replicas."""
        return self._state.load

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

    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Return the deltas of a replica; waits for a replica where none runs."""
        return self.offer(request, [])

    async def offer(
        self, request: GenerateRequest, refusals: list[EngineOverloaded]
    ) -> AsyncGenerator[TokenDelta, None]:
        """Yield the deltas of the first replica that does not refuse the request.

        `refusals` are those of replicas that it was offered to before. Raises EngineOverloaded with
        the shortest wait where all refuse, EngineDead where the replica dies before the last delta.
        """
        for _ in range(max(1, self.load.replicas) - len(refusals)):
            refused_by = {refusal.replica for refusal in refusals}
            try:
                async with aclosing(self._offer(request, refused_by)) as deltas:
                    async for delta in deltas:
                        yield delta
            except EngineOverloaded as error:
                refusals.append(error)
            else:
                return
        raise min(refusals, key=lambda refusal: refusal.retry_after)

    async def _offer(
        self, request: GenerateRequest, refused_by: Set[str]
    ) -> AsyncGenerator[TokenDelta, None]:
        finished = False
        try:
            async with aclosing(self._replicas.generate(request, refused_by)) as items:
                async for item in items:
                    finished = isinstance(item, EngineError) or item.finish_reason is not None
                    if isinstance(item, EngineError):
                        raise item
                    yield item
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all are translated
            self._raise_translated(error, finished)
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
                states = await self._replicas.states()
            except Exception:  # noqa: BLE001 - whatever it was, the next poll may succeed
                _log.exception("The replicas of %s do not report their state", self.model.id)
            else:
                without = replace(self._state, phase=self._without_replica)
                state = min(states, key=lambda state: state.phase != "ready", default=without)
                self._state = replace(state, load=_total([state.load for state in states]))
            await asyncio.sleep(POLL_SECONDS)


def _total(loads: Sequence[Load]) -> Load:
    names = [field.name for field in fields(Load)]
    return Load(**{name: sum(getattr(load, name) for load in loads) for name in names})


def _this_task_is_cancelled() -> bool:
    """Return whether this task was cancelled; a replica's own cancellation is the same error."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
