"""`POST /tokenize` and `/detokenize`: a model's tokens, in vLLM's wire format."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine import Chat
from gateway.api.body import read_body
from gateway.api.chat.messages import Message
from gateway.api.chat.tools import Tools
from gateway.api.models import served
from gateway.api.schema import Refused, RequestModel
from gateway.api.state import gateway_of

routes = APIRouter()


class TokenizeRequest(RequestModel):
    """A text or a conversation; special tokens are added to a text alone, unless it is said."""

    model: str
    prompt: str | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=4096)] | None = Field(
        default=None, validate_default=True
    )
    tools: Tools | None = None
    add_special_tokens: bool | None = None
    add_generation_prompt: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    return_token_strs: bool | None = None
    continue_final_message: Refused = None
    chat_template: Refused = None

    @field_validator("messages")
    @classmethod
    def _or_a_prompt(
        cls, messages: list[Message] | None, info: ValidationInfo
    ) -> list[Message] | None:
        if "prompt" in info.data and (messages is None) == (info.data.get("prompt") is None):
            raise PydanticCustomError("prompt_or_messages", "send either prompt or messages")
        return messages

    @field_validator("tools", "add_generation_prompt", "chat_template_kwargs")
    @classmethod
    def _only_for_chats(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("prompt") is not None:
            raise PydanticCustomError("misplaced", "is only allowed with messages")
        return value

    def text(self) -> str | Chat:
        """Give what is to be tokenized, in the engine's words."""
        if self.messages is None:
            return self.prompt or ""
        return Chat(
            messages=tuple(message.for_template() for message in self.messages),
            tools=tuple(tool.model_dump(exclude_none=True) for tool in self.tools or ()),
            template_arguments=self.chat_template_kwargs or {},
            add_generation_prompt=self.add_generation_prompt is not False,
        )


class DetokenizeRequest(RequestModel):
    """Token ids of a model."""

    model: str
    tokens: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=2**20)]


@routes.post("/tokenize")
async def tokenize(request: Request) -> dict[str, Any]:
    """Say how a model reads a text, and how many tokens that is."""
    gateway = gateway_of(request)
    body = await read_body(request, TokenizeRequest, gateway.config.limits.max_body_bytes)
    backend = served(request, body.model).backend(body.model)
    special = body.add_special_tokens
    tokens = await backend.tokenize(
        body.text(), add_special_tokens=body.messages is None if special is None else special
    )
    return {
        "count": len(tokens.ids),
        "max_model_len": backend.model.max_model_len,
        "tokens": tokens.ids,
        "token_strs": tokens.strings if body.return_token_strs else None,
    }


@routes.post("/detokenize")
async def detokenize(request: Request) -> dict[str, Any]:
    """Say what text a model's tokens are."""
    gateway = gateway_of(request)
    body = await read_body(request, DetokenizeRequest, gateway.config.limits.max_body_bytes)
    backend = served(request, body.model).backend(body.model)
    return {"prompt": await backend.detokenize(tuple(body.tokens))}
