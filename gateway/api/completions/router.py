"""`POST /v1/completions`: the schema, its translation, the answers, the route."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from engine import GenerateRequest, TokenDelta, TokenLogprob
from gateway.api.body import read_body
from gateway.api.caller_requests import for_caller
from gateway.api.logprobs import completion_logprobs
from gateway.api.models import served
from gateway.api.sampling import SamplingFields
from gateway.api.schema import Refused, ResponseHead, request_id
from gateway.api.state import gateway_of
from gateway.api.streaming.choices import UsageTotals
from gateway.api.streaming.chunks import Framer
from gateway.api.streaming.respond import answer, with_choices

routes = APIRouter()

_TokenId = Annotated[int, Field(ge=0, lt=2**31)]
_Tokens = Annotated[list[_TokenId], Field(min_length=1)]
_Many = Field(min_length=1, max_length=128)


class CompletionRequest(SamplingFields):
    """What a client may send; every other name is refused."""

    model: str
    prompt: str | _Tokens | Annotated[list[str], _Many] | Annotated[list[_Tokens], _Many]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    best_of: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    suffix: Refused = None

    @field_validator("echo")
    @classmethod
    def _no_echo(cls, value: bool | None) -> bool | None:
        if value:
            raise PydanticCustomError("unsupported_parameter", "this gateway does not echo prompts")
        return value

    @field_validator("best_of")
    @classmethod
    def _is_n(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value > (info.data.get("n") or 1):
            raise PydanticCustomError("unsupported_value", "must not be more than n")
        return value

    def to_engine(self, request_id: str) -> list[GenerateRequest]:
        """Translate into one engine request for each choice of each prompt."""
        samplings = self.sampling(self.max_tokens or 16, logprobs=self.logprobs)
        pairs = [(prompt, sampling) for prompt in self._prompts() for sampling in samplings]
        return [
            GenerateRequest(request_id=f"{request_id}-{n}", prompt=prompt, sampling=sampling)
            for n, (prompt, sampling) in enumerate(pairs)
        ]

    def _prompts(self) -> list[str | tuple[int, ...]]:
        if isinstance(self.prompt, str):
            return [self.prompt]
        if isinstance(self.prompt[0], int):
            return [tuple(token for token in self.prompt if isinstance(token, int))]
        return [
            p if isinstance(p, str) else tuple(p) for p in self.prompt if not isinstance(p, int)
        ]


class CompletionFramer(Framer):
    """Writes `text_completion` chunks."""

    object_ = "text_completion"

    def __init__(
        self, head: ResponseHead, count: int, tally: UsageTotals, *, include_usage: bool
    ) -> None:
        super().__init__(head, count, tally, include_usage=include_usage)
        self._offsets: dict[int, int] = {}

    def opening(self, index: int) -> list[dict[str, Any]]:  # noqa: ARG002 - all begin alike
        """Begin with the text itself."""
        return []

    def choice(
        self,
        index: int,
        text: str | None,
        finish_reason: str | None,
        logprobs: Sequence[TokenLogprob],
    ) -> dict[str, Any]:
        """Give a chunk's choice; offsets count from the choice's beginning."""
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + sum(len(token.token) for token in logprobs)
        return {
            "index": index,
            "text": text or "",
            "logprobs": completion_logprobs(logprobs, offset),
            "finish_reason": finish_reason,
        }


class CompletionFormat:
    """How a completion request is answered."""

    object_ = "text_completion"

    def writer(
        self, head: ResponseHead, count: int, tally: UsageTotals, *, include_usage: bool
    ) -> Framer:
        """Make the writer of a stream."""
        return CompletionFramer(head, count, tally, include_usage=include_usage)

    def whole(
        self, head: ResponseHead, completions: Sequence[TokenDelta], tally: UsageTotals
    ) -> dict[str, Any]:
        """Give the whole answer."""
        return with_choices(head, self, completions, tally)

    def choice(self, index: int, whole: TokenDelta) -> dict[str, Any]:
        """Give one choice of a whole answer."""
        return {
            "index": index,
            "text": whole.text,
            "logprobs": completion_logprobs(whole.logprobs, 0),
            "finish_reason": whole.finish_reason,
        }


@routes.post("/v1/completions")
async def create_completion(request: Request) -> Response:
    """Continue prompts, whole or token by token."""
    gateway = gateway_of(request)
    body = await read_body(request, CompletionRequest, gateway.config.limits.max_body_bytes)
    engine = served(request, body.model).engine(body.model)
    head = ResponseHead.new("cmpl-", body.model)
    wanted = for_caller(
        request, body.to_engine(request_id(request, head)), stream=bool(body.stream)
    )
    streams = [engine.generate(one) for one in wanted]
    return await answer(request, body, head, wanted, streams, CompletionFormat())
