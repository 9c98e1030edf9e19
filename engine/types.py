"""The seam of the project: an `Engine` takes a `GenerateRequest` and yields `TokenDelta`s."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

FinishReason = Literal["stop", "length"]
Phase = Literal["created", "loading", "compiling", "warming up", "ready", "idle", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation that the engine renders with its model's chat template.

    Messages have the keys `role` and `content` (a string), as chat templates read them. An entry
    of `template_arguments`, or an effort, that the template does not read is refused.
    """

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    template_arguments: Mapping[str, Any] = field(default_factory=dict)
    reasoning_effort: str | None = None
    add_generation_prompt: bool = True


Prompt = str | tuple[int, ...] | Chat


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A text as token ids, and each token as the model's vocabulary writes it."""

    ids: tuple[int, ...]
    strings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structured:
    """The output must be JSON that fits `json_schema`; without one, any JSON object.

    `param` is the part of the request that wants it so, for the refusals that name it.
    """

    json_schema: Mapping[str, Any] | None = None
    param: str = "response_format"


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How tokens are chosen and when to stop; names and defaults are vLLM's.

    `max_tokens` of None means the rest of the context. `logprobs` is the number of alternatives
    shown beside each chosen token, 0 to 20; None shows nothing.
    """

    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    seed: int | None = None
    logit_bias: Mapping[int, float] | None = None
    ignore_eos: bool = False
    skip_special_tokens: bool = True
    logprobs: int | None = None
    structured: Structured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """One completion to make. `emitted` are tokens the client already has: continue after them.

    `caller` is whose limits apply, `weight` the caller's share where requests wait, `timeout_seconds`
    the time after which nobody wants the answer any more, `estimated_prompt_tokens` what its prompt
    was taken for before its tokenizer saw it.
    """

    request_id: str
    prompt: Prompt
    sampling: SamplingParams = field(default_factory=SamplingParams)
    caller: str = ""
    weight: float = 1.0
    timeout_seconds: float | None = None
    estimated_prompt_tokens: int | None = None
    emitted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one completion, counted from token ids.

    `reasoning_tokens` are those of its thought, of a model that thinks aloud; `queue_seconds` is
    how long it waited for its place.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int | None = None
    queue_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A token, its natural-log probability, and the likeliest tokens in its place."""

    token: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDelta:
    """What one completion gained; only the last delta has `finish_reason` and `usage`.

    The text can be empty while the ids are not: bytes of an incomplete character are held back.
    """

    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None

    def __add__(self, later: "TokenDelta") -> "TokenDelta":
        """Merge two consecutive deltas of one completion into one."""
        return TokenDelta(
            text=self.text + later.text,
            token_ids=self.token_ids + later.token_ids,
            logprobs=self.logprobs + later.logprobs,
            finish_reason=later.finish_reason,
            usage=later.usage,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a served model from its config, without asking the engine.

    `unsupported` holds the `SamplingParams` fields that this engine cannot honour; `at_most` and
    `fixed` the highest and the only values of those that it honours in part. A prompt may have
    `max_prompt_len` tokens, and the context `max_model_len`. `buckets` are the compiled lengths
    that prompts are padded to, where they are. `draws_by_position` says that a seeded request
    can go on in the middle: what is drawn there depends on nothing but seed and position.
    """

    id: str
    max_model_len: int
    max_prompt_len: int | None = None
    unsupported: frozenset[str] = frozenset()
    at_most: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    buckets: tuple[int, ...] = ()
    draws_by_position: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy an engine is, in requests: in a slot, waiting for one, and slots in all."""

    running: int
    waiting: int
    slots: int


class Engine(Protocol):
    """A thing with `generate()`: a model, a simulation, or a policy around another Engine."""

    @property
    def model(self) -> ModelInfo:
        """The model that this engine serves."""

    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream one completion. Closing the generator aborts the request."""

    async def check_health(self) -> None:
        """Raise `EngineDead` if the engine can serve no more requests."""


class EngineBackend(Engine, Protocol):
    """An Engine that makes the deltas itself and holds what makes them."""

    @property
    def phase(self) -> Phase:
        """Where the engine is on its way from created to ready, or dead; idle has no replica."""

    @property
    def load(self) -> Load:
        """How busy the engine is now."""

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Give the tokens of a text, or of a conversation as the chat template renders it.

        Raises InvalidRequest.
        """

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Give the text of these tokens; raises InvalidRequest if one is unknown."""

    async def start(self) -> None:
        """Load the model; raise `EngineDead` if that fails."""

    async def close(self) -> None:
        """Release everything. A closed engine is not started again."""
