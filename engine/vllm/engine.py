"""`VLLMEngine`: vLLM's `AsyncLLM` as an Engine. The importer of vllm.

vLLM is imported in `start()`: it takes seconds, and the event loop serves health checks meanwhile.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, Final, cast

from engine.config import EngineConfig, model_limit
from engine.device import Launch, VLLMDevice
from engine.errors import EngineDead, EngineError, EngineLoading, GenerationFailed
from engine.neuron.device import Neuron
from engine.prompts.encoder import EncodedPrompt, PromptEncoder
from engine.types import Chat, GenerateRequest, Load, ModelInfo, Phase, TokenDelta, Tokens
from engine.vllm.output import Deltas, nothing_left
from engine.vllm.request import client_errors, refusal, vllm_request
from engine.vllm.start import make_async_llm
from engine.vllm.watchdog import Watchdog

# A hung device is invisible to vLLM. One prefill step on a slow CPU takes tens of seconds.
STALL_SECONDS: Final = 180.0
LOADING_SECONDS: Final = 15.0  # for a client to come back in: long enough for a cached start
_log: Final = logging.getLogger(__name__)


class VLLMEngine:
    """An Engine over `AsyncLLM`; `config.model` is a local folder."""

    def __init__(self, model_id: str, config: EngineConfig) -> None:
        self._config = config
        self._folder = Path(config.model)
        self._model = _describe(model_id, config)
        self.stall_seconds = STALL_SECONDS
        self._phase: Phase = "created"
        self._death: EngineDead | None = None
        self._llm: Any = None  # AsyncLLM, once started
        self._prompts: PromptEncoder | None = None
        self._numbers = itertools.count(1)
        self._active = 0
        self._watchdog = Watchdog()
        self._closing: asyncio.Task[None] | None = None

    @property
    def model(self) -> ModelInfo:
        """The model as its folder and the config describe it."""
        return self._model

    @property
    def phase(self) -> Phase:
        """Where the engine is between created and dead."""
        return self._phase

    @property
    def load(self) -> Load:
        """Requests that were given to vLLM: it runs as many as there are slots."""
        slots = self._config.max_num_seqs
        running = min(self._active, slots)
        return Load(running=running, waiting=self._active - running, slots=slots)

    async def start(self) -> None:
        """Load model and tokenizer; raises EngineDead if that fails."""
        self._phase = "loading"
        try:
            await asyncio.to_thread(self._load)
        except Exception as error:
            _log.exception("The engine did not start")
            self._phase = "dead"
            self._death = error if isinstance(error, EngineDead) else self._dead("did not start")
            raise self._death from error
        if self._llm is None:
            raise EngineDead("The engine was closed while it started.")
        self._phase = "ready"

    def _load(self) -> None:
        """Do the slow part of start, in a thread that close cannot stop."""
        # In no local variable: vLLM keeps this frame alive, and then the engine until exit.
        self._llm = make_async_llm(
            self.arguments, self.environment, self._config.stat_loggers or ()
        )
        self._prompts = PromptEncoder.load(self._folder, self._model)
        if self._phase == "dead":
            self._shut_down()

    @property
    def launch(self) -> Launch:
        """What the device is told of this engine."""
        return Launch(
            model=self._folder,
            max_num_seqs=self._config.max_num_seqs,
            max_model_len=self._model.max_model_len,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that are set before vLLM is imported."""
        return self._vllm_device().environment(self.launch)

    @property
    def arguments(self) -> dict[str, Any]:
        """What vLLM's AsyncEngineArgs are given."""
        return {
            "model": self._config.model,
            "served_model_name": self._model.id,
            "max_model_len": self._model.max_model_len,
            "max_num_seqs": self._config.max_num_seqs,
            "disable_log_stats": not self._config.stat_loggers,  # the gateway counts by itself
            **self._vllm_device().vllm_args(self.launch),
        }

    def _vllm_device(self) -> VLLMDevice:
        return cast(VLLMDevice, self._config.device)

    def _why(self) -> str | None:
        """Say why EngineCore died, where the device can tell."""
        return None

    def _dead(self, how: str) -> EngineDead:
        return EngineDead(f"The engine {how}.", self._why())

    async def close(self) -> None:
        """Stop EngineCore; running requests end with EngineDead."""
        await self._begin_closing()

    def _begin_closing(self) -> asyncio.Task[None]:
        self._phase = "dead"
        self._closing = self._closing or asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        if self._prompts is not None:
            self._prompts.close()
        if self._active:
            _end_streams(self._llm)
            await asyncio.to_thread(self._shut_down)
        else:
            self._shut_down()

    def _shut_down(self) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown()

    async def check_health(self) -> None:
        """Raise EngineDead if EngineCore is gone, or did nothing for STALL_SECONDS with work."""
        self._require_ready()
        with self._translated():
            await self._llm.check_health()
        if self._watchdog.silence() > self.stall_seconds:
            self._death = EngineDead(
                "The engine makes no progress.", f"No step ended in {self.stall_seconds:g} s."
            )
            self._begin_closing()  # not awaited: a process that hangs is killed after 5 s
            raise self._death

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Give the tokens of a text or of a conversation; raises InvalidRequest."""
        return await self._running_prompts().tokenize(text, add_special_tokens=add_special_tokens)

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Give the text of these tokens; raises InvalidRequest."""
        return await self._running_prompts().detokenize(token_ids)

    def _running_prompts(self) -> PromptEncoder:
        self._require_ready()
        assert self._prompts is not None
        return self._prompts

    def _require_ready(self) -> None:
        if self._phase == "dead":
            raise self._death or EngineDead("The engine is not running.")
        if self._phase != "ready":
            raise EngineLoading(f"The model is not ready yet: {self._phase}.", LOADING_SECONDS)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream one completion; closing the generator aborts it in vLLM."""
        prepared = await self._running_prompts().prepare(request)
        if prepared.room == 0:
            yield nothing_left(request, prepared)
            return
        made = Deltas(request, prepared)
        with self._translated(request):
            async with contextlib.aclosing(self._outputs(request, prepared)) as outputs:
                async for output in outputs:
                    yield made.delta(output)

    async def _outputs(
        self, request: GenerateRequest, prepared: EncodedPrompt
    ) -> AsyncGenerator[Any, None]:
        """Stream vLLM's RequestOutputs, and see to it that an unfinished request is aborted."""
        # Clients may choose request ids; one that comes twice must not meet the other.
        request_id = f"{request.request_id}-{next(self._numbers)}"
        prompt, params = vllm_request(request, prepared)
        llm, finished = self._llm, False
        if llm is None:
            raise EngineDead("The engine is not running.")
        self._active += 1
        self._watchdog.waits(request_id)
        try:
            async with contextlib.aclosing(llm.generate(prompt, params, request_id)) as outputs:
                async for output in outputs:
                    finished = output.finished
                    self._watchdog.served(request_id)
                    yield output
                    self._watchdog.waits(request_id)
        finally:
            self._active -= 1
            self._watchdog.served(request_id)
            if not finished:
                await _abort(llm, request_id)

    @contextlib.contextmanager
    def _translated(self, request: GenerateRequest | None = None) -> Iterator[None]:
        """Let only EngineErrors out; vLLM's words go to the log, not to clients."""
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            yield
        except EngineError as error:
            if self._phase == "dead" and isinstance(error, GenerationFailed):
                raise EngineDead("The engine was closed.") from error
            raise
        except EngineDeadError as error:
            self._phase = "dead"
            self._death = self._death or self._dead("died")
            raise EngineDead(*self._death.args) from error
        except client_errors() as error:
            _log.info("vLLM refused a request: %s", error)
            raise refusal(error, request) from error
        except Exception as error:
            _log.exception("vLLM failed on a request")
            raise GenerationFailed("The engine failed on this request.") from error


def _end_streams(llm: Any) -> None:
    """End what still waits: the shutdown of a process that hangs tells nobody."""
    from vllm.v1.engine.exceptions import EngineDeadError

    llm.output_processor.propagate_error(EngineDeadError())


async def _abort(llm: Any, request_id: str) -> None:
    """Abort for sure: vLLM itself forgets a request that is cancelled while it is added."""
    with contextlib.suppress(Exception):  # a dead engine has nothing to abort
        await asyncio.shield(llm.abort(request_id))


def _describe(model_id: str, config: EngineConfig) -> ModelInfo:
    length = config.max_model_len or model_limit(Path(config.model)) or 2048
    device = config.device
    if not isinstance(device, Neuron):
        return ModelInfo(
            id=model_id, max_model_len=length, unsupported=device.unsupported_parameters()
        )
    return ModelInfo(
        id=model_id,
        max_model_len=length,
        max_prompt_len=device.prompt_limit(length),
        unsupported=device.unsupported_parameters(),
        at_most=device.bounds(),
        fixed=device.fixed(),
        buckets=device.context_buckets(length),
    )
