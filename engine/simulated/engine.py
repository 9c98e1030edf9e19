"""`SimulatedEngine`: deterministic text on a virtual device with static slots."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import replace

from engine.errors import EngineDead, EngineLoading, GenerationFailed
from engine.options import EngineOptions
from engine.prompts.request_encoder import RequestEncoder
from engine.simulated.device import Simulated
from engine.simulated.reply import Reply, text_of_ids
from engine.simulated.sequence import Sequence
from engine.simulated.tokenizer import SimulatedTokenizer, decode
from engine.types import Chat, GenerateRequest, Load, Phase, TokenDelta, Tokens, Usage


class SimulatedEngine:
    """An Engine without a model: its text is a function of prompt, seed and position.

    Prefill takes one prompt at a time and pre-empts decode. A decode step adds one token to every
    running sequence and takes the time of the whole compiled batch.
    """

    def __init__(self, model_id: str, options: EngineOptions, device: Simulated) -> None:
        self._device = device
        self._slots = options.max_num_seqs
        self.model = device.describe(model_id, options)
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._work = asyncio.Event()
        self._scheduler: asyncio.Task[None] | None = None
        self._encoder = RequestEncoder(SimulatedTokenizer(), device.renderer(), self.model)
        self.phase: Phase = "created"

    @property
    def load(self) -> Load:
        """The requests that hold a slot, those that wait for one, and the slots."""
        return Load(running=len(self._running), waiting=len(self._waiting), slots=self._slots)

    async def start(self) -> None:
        """Wait for `load_seconds`, then run the device."""
        self.phase = "loading"
        await asyncio.sleep(self._device.load_seconds * self._device.time_scale)
        self._scheduler = asyncio.create_task(self._schedule(), name="simulated-device")
        self.phase = "ready"

    async def close(self) -> None:
        """Stop the device; running requests end with EngineDead."""
        self._die()
        if self._scheduler is not None:
            self._scheduler.cancel()
            await asyncio.gather(self._scheduler, return_exceptions=True)

    async def check_health(self) -> None:
        """Raise EngineDead after the fault that kills the device, EngineLoading before start."""
        if self.phase == "dead":
            raise EngineDead("The engine is not running.")
        if self.phase != "ready":
            raise EngineLoading(f"The model is not ready yet: {self.phase}.", 1)

    async def tokenize(
        self,
        text: str | Chat,
        *,
        add_special_tokens: bool,  # noqa: ARG002 - it has none
    ) -> Tokens:
        """Return the tokens of a text or of a conversation; raise InvalidRequest."""
        await self.check_health()
        ids, _ = self._encoder.token_ids(text)
        return Tokens(ids=ids, strings=tuple(decode(token) or "" for token in ids))

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens; raise InvalidRequest for an unknown one."""
        await self.check_health()
        return text_of_ids(token_ids, "tokens")

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

    def _sequence(self, request: GenerateRequest) -> Sequence:
        prompt = self._encoder.encode(request)
        text = text_of_ids(prompt.token_ids[: prompt.prompt_tokens], "prompt")
        limit = prompt.max_new_tokens + len(request.emitted)
        return Sequence(request, Reply.to(text, request.sampling, limit, self._device), prompt)

    def _remove(self, sequence: Sequence) -> None:
        for queue in (self._waiting, self._running):
            with contextlib.suppress(ValueError):
                queue.remove(sequence)

    async def _schedule(self) -> None:
        """Run the device: while a prompt waits and a slot is free, prefill; else decode."""
        while True:
            if self._waiting and len(self._running) < self._slots:
                await self._prefill(self._waiting.popleft())
            elif self._running:
                await self._sleep(self._device.decode_seconds(self._slots))
                for sequence in list(self._running):
                    self._advance(sequence)
            else:
                self._work.clear()
                await self._work.wait()

    async def _prefill(self, sequence: Sequence) -> None:
        self._running.append(sequence)
        tokens = sequence.prompt_tokens + len(sequence.request.emitted)
        await self._sleep(self._device.prefill_seconds(tokens, self.model.buckets))
        if sequence in self._running:  # else it was closed meanwhile
            self._advance(sequence)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._device.time_scale)

    def _advance(self, sequence: Sequence) -> None:
        """Add one token to a sequence."""
        if self._fault(sequence):
            return
        delta = sequence.reply.delta(sequence.position, sequence.request.sampling.logprobs)
        sequence.position += 1
        if delta.finish_reason is not None:
            self._remove(sequence)
            usage = Usage(prompt_tokens=sequence.prompt_tokens, completion_tokens=sequence.position)
            delta = replace(delta, usage=usage)
        sequence.put(delta)

    def _fault(self, sequence: Sequence) -> bool:
        """Return whether a fault replaces the sequence's next token."""
        faults, position = self._device.faults, sequence.position
        if faults.die_at_token == position:
            self._die()
        elif faults.fail_at_token == position:
            self._remove(sequence)
            sequence.fail(GenerationFailed("The engine failed on this request."))
        return position in (faults.die_at_token, faults.fail_at_token, faults.stall_at_token)

    def _die(self) -> None:
        self.phase = "dead"
        for sequence in (*self._running, *self._waiting):
            sequence.fail(EngineDead("The engine died."))
        self._running.clear()
        self._waiting.clear()
