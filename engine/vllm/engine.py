"""`VLLMEngine`: vLLM's `AsyncLLM` as an Engine.

vLLM is imported by `start()`, in a thread: it takes seconds, in which the event loop answers health
checks.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, Final

from engine.device import VLLMDevice
from engine.errors import EngineDead, EngineError, EngineLoading, GenerationFailed
from engine.options import EngineOptions
from engine.prompts.encoder import PromptEncoder
from engine.prompts.request_encoder import EncodedPrompt
from engine.types import Chat, GenerateRequest, Load, Phase, TokenDelta, Tokens
from engine.vllm.errors import translate_error
from engine.vllm.output import DeltaBuilder
from engine.vllm.request import vllm_request
from engine.vllm.start import make_async_llm
from engine.vllm.watchdog import Watchdog

# vLLM does not notice a device that hangs. One prefill on a slow CPU takes tens of seconds.
HANG_TIMEOUT_SECONDS: Final = 180.0
RETRY_AFTER_SECONDS: Final = 15.0  # while loading: as long as a start with warm caches takes
_log: Final = logging.getLogger(__name__)


class VLLMEngine:
    """An Engine over `AsyncLLM`; `model` of the options is a local folder."""

    def __init__(self, model_id: str, options: EngineOptions, device: VLLMDevice) -> None:
        self._options = options
        self._device = device
        self.model = device.describe(model_id, options)
        self.hang_timeout_seconds = HANG_TIMEOUT_SECONDS
        self.phase: Phase = "created"
        self._death: EngineDead | None = None
        self._llm: Any = None  # AsyncLLM, once started
        self._encoder: PromptEncoder | None = None
        self._numbers = itertools.count(1)
        self._open: set[str] = set()  # vLLM's request ids
        self._watchdog = Watchdog()
        self._closing: asyncio.Task[None] | None = None

    @property
    def load(self) -> Load:
        """The requests that were given to vLLM, which runs as many as it has slots."""
        slots = self._options.max_num_seqs
        running = min(len(self._open), slots)
        return Load(running=running, waiting=len(self._open) - running, slots=slots)

    async def start(self) -> None:
        """Load model and tokenizer; raise EngineDead if that fails."""
        self.phase = "loading"
        try:
            await asyncio.to_thread(self._load)
        except Exception as error:
            _log.exception("The engine did not start")
            self.phase = "dead"
            self._death = error if isinstance(error, EngineDead) else self._dead("did not start")
            raise self._death from error
        if self._llm is None:
            raise EngineDead("The engine was closed while it started.")
        self.phase = "ready"

    def _load(self) -> None:
        """Do the slow part of `start`, in a thread that `close` cannot stop."""
        arguments = self._device.engine_args(self.model.id, self._options)
        # In no local variable: vLLM keeps this frame alive, and with it the engine until exit.
        self._llm = make_async_llm(arguments, self.environment, self._options.stat_loggers or ())
        self._encoder = PromptEncoder.load(Path(self._options.model), self.model)
        if self.phase == "dead":
            self._shut_down()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that are set before vLLM is imported."""
        return self._device.environment(self._device.launch(self._options))

    def _death_reason(self) -> str | None:
        """Return why EngineCore died, None where nothing tells."""
        return None

    def _dead(self, how: str) -> EngineDead:
        return EngineDead(f"The engine {how}.", self._death_reason())

    async def close(self) -> None:
        """Stop EngineCore; running requests end with EngineDead."""
        await self._begin_closing()

    def _begin_closing(self) -> asyncio.Task[None]:
        self.phase = "dead"
        self._closing = self._closing or asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
        if self._open and self._llm is not None:
            await _abort(self._llm, *self._open)  # a shutdown ends no stream by itself
            await asyncio.to_thread(self._shut_down)
        else:
            self._shut_down()

    def _shut_down(self) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()

    async def check_health(self) -> None:
        """Raise EngineDead if EngineCore ended, or hangs for longer than the timeout."""
        self._require_ready()
        with self._translate_errors():
            await self._llm.check_health()
        if self._watchdog.silent_seconds() > self.hang_timeout_seconds:
            reason = f"No step ended in {self.hang_timeout_seconds:g} s."
            self._death = EngineDead("The engine makes no progress.", reason)
            self._begin_closing()  # not awaited: a process that hangs is killed after 5 s
            raise self._death

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Return the tokens of a text or of a conversation; raise InvalidRequest."""
        return await self._ready_encoder().tokenize(text, add_special_tokens=add_special_tokens)

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens; raise InvalidRequest."""
        return await self._ready_encoder().detokenize(token_ids)

    def _ready_encoder(self) -> PromptEncoder:
        self._require_ready()
        assert self._encoder is not None
        return self._encoder

    def _require_ready(self) -> None:
        if self.phase == "dead":
            raise self._death or EngineDead("The engine is not running.")
        if self.phase != "ready":
            raise EngineLoading(f"The model is not ready yet: {self.phase}.", RETRY_AFTER_SECONDS)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream one completion; closing the generator aborts it in vLLM."""
        prompt = await self._ready_encoder().encode(request)
        builder = DeltaBuilder(request, prompt)
        if prompt.max_new_tokens == 0:
            yield builder.empty_delta()
            return
        with self._translate_errors(request):
            async with contextlib.aclosing(self._outputs(request, prompt)) as outputs:
                async for output in outputs:
                    yield builder.delta(output)

    async def _outputs(
        self, request: GenerateRequest, prompt: EncodedPrompt
    ) -> AsyncGenerator[Any, None]:
        """Stream vLLM's RequestOutputs; abort a request that has not finished."""
        # Clients may choose request ids; two requests with one id must not meet in vLLM.
        request_id = f"{request.request_id}-{next(self._numbers)}"
        vllm_prompt, params = vllm_request(request, prompt)
        llm, finished = self._llm, False
        self._require_ready()  # it may have died since the prompt was encoded
        self._open.add(request_id)
        self._watchdog.begin_wait(request_id)
        try:
            stream = llm.generate(vllm_prompt, params, request_id)
            async with contextlib.aclosing(stream) as outputs:
                async for output in outputs:
                    finished = output.finished
                    self._watchdog.end_wait(request_id)
                    yield output
                    self._watchdog.begin_wait(request_id)
        finally:
            self._open.discard(request_id)
            self._watchdog.end_wait(request_id)
            if not finished:
                await _abort(llm, request_id)

    @contextlib.contextmanager
    def _translate_errors(self, request: GenerateRequest | None = None) -> Iterator[None]:
        """Raise EngineErrors in place of everything else."""
        try:
            yield
        except EngineError as error:
            if self.phase == "dead" and isinstance(error, GenerationFailed):
                raise self._death_error() from error
            raise
        except Exception as error:
            if self.phase == "dead" or self._llm.errored:
                raise self._death_error() from error
            raise translate_error(error, request) from error

    def _death_error(self) -> EngineDead:
        """Return an EngineDead for one request; the first cause of death is kept."""
        self.phase = "dead"
        self._death = self._death or self._dead("was closed" if self._closing else "died")
        return EngineDead(*self._death.args)


async def _abort(llm: Any, *request_ids: str) -> None:
    """Abort requests: vLLM itself forgets one that is cancelled while it is added."""
    with contextlib.suppress(Exception):  # a dead engine has nothing to abort
        await asyncio.shield(llm.abort(request_ids))
