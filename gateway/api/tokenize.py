"""`POST /tokenize` and `/detokenize`: a model's tokens, in vLLM's wire format."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from fastapi import APIRouter, Request
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from engine import Chat, DeadlineExceeded, EngineBackend, Prompt
from gateway.api.body.bounded import JsonObject, Name, Text, TokenIds
from gateway.api.body.route import BodyRoute
from gateway.api.chat.messages import Messages
from gateway.api.chat.prompt import chat_prompt
from gateway.api.chat.tools import Tools
from gateway.api.openapi import ERRORS
from gateway.api.registry import ServedModel
from gateway.api.schema import RequestModel, Unsupported
from gateway.api.state import gateway_of
from gateway.config import ModelConfig
from gateway.context import context_of
from gateway.keys.rate_limit import Estimate
from gateway.policies.token_estimate import estimate_prompt_tokens

router = APIRouter(route_class=BodyRoute, tags=["tokens"], responses=ERRORS)


class TokenizeRequest(RequestModel):
    """A text or a conversation; special tokens are added to a text alone by default."""

    model: Name | None = None
    prompt: Text | None = None
    messages: Messages | None = Field(default=None, validate_default=True)
    tools: Tools | None = None
    add_special_tokens: bool | None = None
    add_generation_prompt: bool | None = None
    chat_template_kwargs: JsonObject | None = None
    return_token_strs: bool | None = None
    continue_final_message: bool | None = None
    chat_template: Unsupported = None

    @field_validator("messages")
    @classmethod
    def _prompt_or_messages(cls, messages: Any, info: ValidationInfo) -> Any:
        if "prompt" in info.data and (messages is None) == (info.data.get("prompt") is None):
            raise PydanticCustomError("prompt_or_messages", "send either prompt or messages")
        return messages

    @field_validator("tools", "add_generation_prompt", "chat_template_kwargs")
    @classmethod
    def _only_for_chats(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("prompt") is not None:
            raise PydanticCustomError("misplaced", "is only allowed with messages")
        return value

    def text(self, model: ModelConfig) -> str | Chat:
        """Return what is to be tokenized, as the engine takes it; raise UnsupportedParameter."""
        if self.messages is None:
            return self.prompt or ""
        return chat_prompt(
            self.messages,
            self.tools or (),
            model,
            template_arguments=self.chat_template_kwargs or {},
            add_generation_prompt=self.add_generation_prompt is not False,
            continue_final_message=bool(self.continue_final_message),
        )


class DetokenizeRequest(RequestModel):
    """Token ids of a model."""

    max_values: ClassVar[int] = 300_000
    max_bytes: ClassVar[int] = 2 * 2**20

    model: Name | None = None
    tokens: TokenIds


class TokenizeResponse(TypedDict):
    """The tokens of a text; `token_strs` as the vocabulary writes them, if they were asked for."""

    count: int
    max_model_len: int
    tokens: Sequence[int]
    token_strs: Sequence[str] | None


class DetokenizeResponse(TypedDict):
    """The text of token ids."""

    prompt: str


@router.post("/tokenize", response_model=None, responses={200: {"model": TokenizeResponse}})
async def tokenize(request: Request, body: TokenizeRequest) -> TokenizeResponse:
    """Return a text's tokens, or those of a conversation as the chat template renders it.

    It counts as one request of the API key, and uses none of its tokens.
    """
    served, special = find_model(request, body.model), body.add_special_tokens
    text = body.text(served.config)
    async with admitted(request, served, text) as backend:
        tokens = await backend.tokenize(
            text, add_special_tokens=body.messages is None if special is None else special
        )
    return {
        "count": len(tokens.ids),
        "max_model_len": backend.model.max_model_len,
        "tokens": tokens.ids,
        "token_strs": tokens.strings if body.return_token_strs else None,
    }


@router.post("/detokenize", response_model=None, responses={200: {"model": DetokenizeResponse}})
async def detokenize(request: Request, body: DetokenizeRequest) -> DetokenizeResponse:
    """Return the text of token ids. It counts as one request of the API key."""
    token_ids = tuple(body.tokens)
    async with admitted(request, find_model(request, body.model), token_ids) as backend:
        return {"prompt": await backend.detokenize(token_ids)}


def find_model(request: Request, name: str | None) -> ServedModel:
    """Return the model that a request names; raise ApiError."""
    return gateway_of(request).models.find(name, context_of(request.scope).caller)


@asynccontextmanager
async def admitted(
    request: Request, model: ServedModel, prompt: Prompt
) -> AsyncGenerator[EngineBackend, None]:
    """Charge a request and wait for a slot of the tokenizer; return what tokenizes."""
    gateway, caller = gateway_of(request), context_of(request.scope).caller
    seconds = gateway.config.limits.ttft_timeout_seconds
    try:
        async with (
            asyncio.timeout(seconds),
            gateway.rate_limiter.charge(caller, Estimate(prompt=0, answers=0, choices=1)),
            model.tokenizations.slot(caller, estimate_prompt_tokens(prompt)),
        ):
            yield model.backend
    except TimeoutError:
        raise DeadlineExceeded(f"The text was not tokenized within {seconds:g} s.") from None
