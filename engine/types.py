"""`Engine`, the interface of this project, and the types of what goes in and comes out."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

FinishReason = Literal["stop", "length"]
Phase = Literal["created", "loading", "compiling", "warming up", "ready", "idle", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation, which the engine renders with its model's chat template.

    Messages are as OpenAI's API has them, with joined texts; the engine makes them fit its
    template. A call's arguments are an object, or a text where they are no JSON.

    - `tools_by`: whether the `tools` are written by the template or by the gateway's own text; None
      leaves that to what the template can do.
    - `tool_format`: the format in which the model writes calls (`engine.tool_formats`), for the own
      text. One with channels keeps the special tokens in the output.
    - `template_arguments`: an entry that the template does not read is refused; `enable_thinking`
      and `thinking` are hints.
    - `reasoning_effort`: a hint, and ignored by a template that does not read it.
    - `continue_final_message`: the answer goes on with the last message, an assistant's.
    """

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    template_arguments: Mapping[str, Any] = field(default_factory=dict)
    tools_by: Literal["template", "gateway"] | None = None
    tool_format: str | None = None
    reasoning_effort: str | None = None
    add_generation_prompt: bool = True
    continue_final_message: bool = False


Prompt = str | tuple[int, ...] | Chat


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A text as token ids, and each token as the model's vocabulary writes it; equally long."""

    ids: tuple[int, ...]
    strings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Structured:
    """The output must be JSON that fits `json_schema`; without one, any JSON object.

    `param` is the part of the request that asks for it, for error messages.
    """

    json_schema: Mapping[str, Any] | None = None
    param: str = "response_format"


# Fields of SamplingParams that only steer: without one an answer is as good.
HINTS: Final = frozenset({"seed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How tokens are chosen and when to stop; names and defaults are vLLM's.

    `max_tokens` of None means the rest of the context. `logprobs` is the number of alternatives,
    0 to 20, that each chosen token comes with; None gives no log-probabilities at all.
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
    """One completion to generate.

    - `emitted`: token ids of this completion that the client already has; generate what follows.
    - `caller`: the key whose limits apply, and `weight` its share while requests queue.
    - `timeout_seconds`: the longest that the request may take; None is no limit.
    - `estimated_prompt_tokens`: the prompt's length in tokens before any tokenizer saw it.
    - `refuse_hints`: a hint that the engine ignores is an error, and not only reported.
    - `refuse_max_tokens_over_context`: so is a `max_tokens` beyond the context, which is otherwise
      lowered to what fits.
    - `truncate`: of a conversation beyond the context the oldest turns are dropped.
    - `report_prompt`: the first delta has the prompt's token ids.
    """

    request_id: str
    prompt: Prompt
    sampling: SamplingParams = field(default_factory=SamplingParams)
    caller: str = ""
    weight: float = 1.0
    timeout_seconds: float | None = None
    estimated_prompt_tokens: int | None = None
    emitted: tuple[int, ...] = ()
    refuse_hints: bool = False
    refuse_max_tokens_over_context: bool = False
    truncate: bool = False
    report_prompt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one completion, counted from token ids; `queue_seconds` is its wait for a slot."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    queue_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """A token, its natural-log probability, and the likeliest tokens at its position."""

    token: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptReport:
    """What became of a request: fields without effect, by name, and the prompt's token ids.

    Nested fields are named by their path. The ids are there where `report_prompt` asked for them.
    """

    ignored: tuple[str, ...] = ()
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDelta:
    """The tokens that one step, or several, added to a completion.

    The text can be empty while the ids are not: bytes of an incomplete character are held back.
    Only the last delta of a completion has `finish_reason` and `usage`. Only its first may have a
    `report`.
    """

    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    report: PromptReport | None = None

    def __add__(self, later: "TokenDelta") -> "TokenDelta":
        """Return two consecutive deltas of one completion as one."""
        return TokenDelta(
            text=self.text + later.text,
            token_ids=self.token_ids + later.token_ids,
            logprobs=self.logprobs + later.logprobs,
            finish_reason=later.finish_reason,
            usage=later.usage,
            report=self.report,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a served model from its config, before its engine has started.

    - `max_model_len`: the context in tokens, prompt and completion together.
    - `max_prompt_len`: the longest prompt in tokens, where that is less.
    - `unsupported`: the fields of `SamplingParams` that this engine cannot honour.
    - `at_most`, `fixed`: the highest, and the only, values of fields that it honours in part.
    - `buckets`: the compiled lengths in tokens that prompts are padded to; empty without.
    - `weights`: a digest of the weights, where it is known.
    - `draws_by_position`: a seeded completion can be resumed, since each draw depends on the seed
      and on the position alone.
    """

    id: str
    max_model_len: int
    max_prompt_len: int | None = None
    unsupported: frozenset[str] = frozenset()
    at_most: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    buckets: tuple[int, ...] = ()
    weights: str | None = None
    draws_by_position: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy an engine is: requests in a slot, requests that wait for one, slots in all.

    Where the engine has `replicas`, the figures are their sums.
    """

    running: int
    waiting: int
    slots: int
    replicas: int = 1


class Engine(Protocol):
    """Something that generates completions: a model, a simulation, or a policy around an Engine.

    An example, which answers every prompt with one token:

        class Hello:
            model = ModelInfo(id="hello", max_model_len=16)

            async def check_health(self) -> None: ...

            async def generate(self, request):
                usage = Usage(prompt_tokens=1, completion_tokens=1)
                yield TokenDelta(text="Hello", token_ids=(1,), finish_reason="stop", usage=usage)

    Every Engine keeps these laws; `tests/engine/contract.py` tests them:

    - `generate` may refuse a request at once; no slot is taken before the generator's first step.
    - The last delta has `finish_reason` and `usage`. No other delta has either.
    - Usage counts token ids: `completion_tokens` are all ids of the deltas, and of `emitted`.
    - At temperature 0 the same request gets the same text.
    - Closing the generator, at any moment, aborts the request and frees its slot. So does the
      cancellation of the task that reads it.
    - Nothing is left behind by a request, however it ends: no slot, no entry in a queue, no task,
      no timer.
    - Only EngineErrors are raised, beside CancelledError. InvalidRequest and its subclasses are
      the client's mistakes; after EngineDead no request succeeds.
    - Generators are independent: many can run at once, and one that fails fails alone.
    - A reader that is slow gets deltas merged, and does not slow others down.

    Readers close what they do not read to the end, with `contextlib.aclosing`.
    """

    @property
    def model(self) -> ModelInfo:
        """The model that this engine serves."""

    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenDelta, None]:
        """Stream one completion. Closing the generator aborts the request."""

    async def check_health(self) -> None:
        """Raise EngineDead if no request can succeed any more, EngineLoading if none can yet."""


class EngineBackend(Engine, Protocol):
    """An Engine that makes the deltas itself, with a life from `start` to `close`."""

    @property
    def phase(self) -> Phase:
        """The phase between created and ready, or dead; idle is ready without a replica."""

    @property
    def load(self) -> Load:
        """How busy the engine is now."""

    async def tokenize(self, text: str | Chat, *, add_special_tokens: bool) -> Tokens:
        """Return the tokens of a text, or of a conversation as the chat template renders it.

        `add_special_tokens` is for texts: a chat template writes its own. Raises InvalidRequest.
        """

    async def detokenize(self, token_ids: tuple[int, ...]) -> str:
        """Return the text of these tokens; raise InvalidRequest for an unknown one."""

    async def start(self) -> None:
        """Load the model; raise EngineDead if that fails."""

    async def close(self) -> None:
        """Release everything; running requests end with EngineDead. There is no second start."""
