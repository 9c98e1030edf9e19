"""`SimulatedEngine`: deterministic text on a virtual device with static slots."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from engine.config import EngineConfig
from engine.errors import EngineDead, EngineLoading, GenerationFailed
from engine.prompts.encoder import room_for
from engine.simulated.device import Simulated
from engine.simulated.text import Reply, detokenized, prompt_text
from engine.simulated.tokenizer import encode, token_id
from engine.types import Chat, GenerateRequest, Load, ModelInfo, Phase, TokenDelta, Tokens, Usage

DEFAULT_MAX_MODEL_LEN: Final = 4096


class _Sequence:
    """One request on the device: what it will say, how far it is, what was not yet collected."""

    def __init__(self, request: GenerateRequest, reply: Reply, prompt_tokens: int) -> None:
        self.request = request
        self.reply = reply
        self.prompt_tokens = prompt_tokens
        self.position = len(request.emitted)
        self._delta: TokenDelta | None = None
        self._error: Exception | None = None
        self._ready = asyncio.Event()

    def put(self, delta: TokenDelta) -> None:
        """Hand a delta over; one that was not collected yet grows, so memory stays bounded."""
        self._delta = delta if self._delta is None else self._delta + delta
        self._ready.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._ready.set()

    async def get(self) -> TokenDelta:
        await self._ready.wait()
        self._ready.clear()
        if self._delta is None:
            assert self._error is not None
            raise self._error
        delta, self._delta = self._delta, None
        if self._error is not None:
            self._ready.set()
        return delta


class SimulatedEngine:
    """An Engine without a model: its text is a function of prompt and position.

    Prefill takes one prompt at a time and pre-empts decode; a decode step moves every sequence
    by one token and takes the time of the whole compiled batch.
    """

    def __init__(self, model_id: str, config: EngineConfig) -> None:
        assert isinstance(config.device, Simulated)
        self._device = config.device
        self._slots = config.max_num_seqs
        max_model_len = config.max_model_len or DEFAULT_MAX_MODEL_LEN
        self._buckets = self._device.buckets(max_model_len)
        self._model = ModelInfo(
            id=model_id,
            max_model_len=max_model_len,
            unsupported=self._device.unsupported_parameters(),
            buckets=self._buckets,
            draws_by_position=True,
        )
        self._waiting: deque[_Sequence] = deque()
        self._running: list[_Sequence] = []
        self._work = asyncio.Event()
        self._scheduler: asyncio.Task[None] | None = None
        self._phase: Phase = "created"

    @property
    def model(self) -> ModelInfo:
        """The model as the config names it."""
        return self._model

    @property
    def phase(self) -> Phase:
        """Where the engine is between created and dead."""
        return self._phase

    @property
    def load(self) -> Load:
        """How many requests hold a slot, wait for one, and how many slots there are."""
        return Load(running=len(self._running), waiting=len(self._waiting), slots=self._slots)

    async def start(self) -> None:
        """Take `load_seconds`, then serve."""
        self._phase = "loading"
        await asyncio.sleep(self._device.load_seconds * self._device.time_scale)
        self._scheduler = asyncio.create_task(self._schedule(), name="simulated-device")
        self._phase = "ready"

    async def close(self) -> None:
        """Stop the device; running requests end with EngineDead."""
        self._die()
        if self._scheduler is not None:
            self._scheduler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._scheduler

    async def check_health(self) -> None:
        """Raise EngineDead after the fault that kills the device, and before start."""
        if self._phase == "dead":
            raise EngineDead("The engine is not running.")
        if self._phase != "ready":
            raise EngineLoading(f"The model is not ready yet: {self._phase}.", 1)

    async def tokenize(
        self,
        text: str | Chat,
        *,
        add_special_tokens: bool,  # noqa: ARG002 - it has none
    ) -> Tokens:
        """Give the tokens of a text, or of a conversation as it is rendered here."""
        await self.check_health()
        tokens = tuple(encode(prompt_text(text, self._device)))
        return Tokens(ids=tuple(token_id(token) for token in tokens), strings=tokens)

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Give the text of these tokens; raises InvalidRequest if one is unknown."""
        await self.check_health()
        return detokenized(token_ids, "tokens")

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream one completion; closing the generator frees its slot at once."""
        await self.check_health()
        sequence = self._sequence(request)
        self._waiting.append(sequence)
        self._work.set()
        try:
            while True:
                delta = await sequence.get()
                yield delta
                if delta.finish_reason is not None:
                    return
        finally:
            self._remove(sequence)

    def _sequence(self, request: GenerateRequest) -> _Sequence:
        text = prompt_text(request.prompt, self._device)
        ids = request.prompt if isinstance(request.prompt, tuple) else encode(text)
        prompt_tokens = len(ids)
        wanted, limit = request.sampling.max_tokens, self._model.max_model_len
        room = room_for(request.prompt, prompt_tokens, wanted, limit)
        return _Sequence(
            request, Reply.to(text, request.sampling, room, self._device), prompt_tokens
        )

    def _remove(self, sequence: _Sequence) -> None:
        for queue in (self._waiting, self._running):
            with contextlib.suppress(ValueError):
                queue.remove(sequence)

    async def _schedule(self) -> None:
        """Run the device: while a prompt waits and a slot is free, prefill; else decode."""
        while True:
            if self._waiting and len(self._running) < self._slots:
                await self._prefill(self._waiting.popleft())
            elif self._running:
                await self._step(self._device.decode_seconds(self._slots))
                for sequence in list(self._running):
                    self._advance(sequence)
            else:
                self._work.clear()
                await self._work.wait()

    async def _prefill(self, sequence: _Sequence) -> None:
        self._running.append(sequence)
        tokens = sequence.prompt_tokens + len(sequence.request.emitted)
        await self._step(self._device.prefill_seconds(tokens, self._buckets))
        if sequence in self._running:  # else its client left meanwhile
            self._advance(sequence)

    async def _step(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._device.time_scale)

    def _advance(self, sequence: _Sequence) -> None:
        if self._fault(sequence):
            return
        delta = sequence.reply.delta(sequence.position, sequence.request.sampling.logprobs)
        sequence.position += 1
        if delta.finish_reason is not None:
            self._remove(sequence)
            usage = Usage(prompt_tokens=sequence.prompt_tokens, completion_tokens=sequence.position)
            delta = replace(delta, usage=usage)
        sequence.put(delta)

    def _fault(self, sequence: _Sequence) -> bool:
        faults, position = self._device.faults, sequence.position
        if faults.die_at_token == position:
            self._die()
        elif faults.fail_at_token == position:
            self._remove(sequence)
            sequence.fail(GenerationFailed("The engine failed on this request."))
        return position in (faults.die_at_token, faults.fail_at_token, faults.stall_at_token)

    def _die(self) -> None:
        self._phase = "dead"
        for sequence in (*self._running, *self._waiting):
            sequence.fail(EngineDead("The engine died."))
        self._running.clear()
        self._waiting.clear()
