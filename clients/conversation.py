"""A conversation with an OpenAI-compatible server: streamed answers, errors as sentences."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

CONNECT_TIMEOUT_SECONDS: Final = 5.0
Message = dict[str, str]


class ChatError(Exception):
    """A request that failed; the message is a sentence for the user.

    `retry_after_seconds` is set if the request may be sent again after that time, `needs_key` if
    the server rejected the API key.
    """

    def __init__(
        self, sentence: str, retry_after_seconds: float | None = None, *, needs_key: bool = False
    ) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds
        self.needs_key = needs_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The model and its parameters; None leaves a parameter to the server."""

    model: str
    system: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None

    def request(self, history: Sequence[Message]) -> dict[str, Any]:
        """Return the body of a streamed chat request."""
        system = [{"role": "system", "content": self.system}] if self.system.strip() else []
        parameters = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_completion_tokens": self.max_tokens,
        }
        return {
            "model": self.model,
            "messages": [*system, *history],
            "stream": True,
            "stream_options": {"include_usage": True},
        } | {name: value for name, value in parameters.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer so far; times are seconds since the request."""

    text: str = ""
    reasoning: str = ""
    ttft_seconds: float | None = None
    seconds: float = 0.0
    tokens: int = 0
    finish_reason: str | None = None

    @property
    def tokens_per_second(self) -> float:
        """Return the decode speed after the first token; 0 if it is not known."""
        if self.ttft_seconds is None or self.tokens < 2 or self.seconds <= self.ttft_seconds:
            return 0.0
        return (self.tokens - 1) / (self.seconds - self.ttft_seconds)

    def summary(self) -> str:
        """Return a line with the latency, the tokens and the speed."""
        if self.ttft_seconds is None:
            return ""
        cut = " · cut at the token limit" if self.finish_reason == "length" else ""
        return (
            f"{1000 * self.ttft_seconds:.0f} ms to the first token · {self.tokens} tokens · "
            f"{self.tokens_per_second:.1f} tokens/s{cut}"
        )


def make_client(url: str, key: str) -> AsyncOpenAI:
    """Build a client without retries: the user decides whether to ask again."""
    timeout = openai.Timeout(None, connect=CONNECT_TIMEOUT_SECONDS)
    return AsyncOpenAI(base_url=url, api_key=key or "none", max_retries=0, timeout=timeout)


async def list_models(client: AsyncOpenAI) -> list[str]:
    """Return the ids of the models that the API key may use. Raises ChatError."""
    try:
        return [model.id for model in (await client.models.list()).data]
    except openai.OpenAIError as error:
        raise _chat_error(error, client) from None


async def stream_answer(
    client: AsyncOpenAI, settings: Settings, history: Sequence[Message]
) -> AsyncGenerator[Answer, None]:
    """Yield the whole answer so far at each chunk. Raises ChatError.

    Closing the generator closes the connection, and the server stops generating.
    """
    started_at, answer = time.monotonic(), Answer()
    try:
        stream = await client.chat.completions.create(**settings.request(history))
        async with aclosing(_accumulate(stream, answer, started_at)) as answers:
            async for answer in answers:
                yield answer
    except openai.OpenAIError as error:
        raise _chat_error(error, client, incomplete=answer.ttft_seconds is not None) from None
    if answer.finish_reason is None:
        raise ChatError("The answer is incomplete: the connection was closed.")


async def _accumulate(
    stream: AsyncStream[ChatCompletionChunk], answer: Answer, started_at: float
) -> AsyncGenerator[Answer, None]:
    async with stream:
        async for chunk in stream:
            answer = _add(answer, chunk, time.monotonic() - started_at)
            yield answer


def _add(answer: Answer, chunk: ChatCompletionChunk, seconds: float) -> Answer:
    if chunk.usage is not None:
        answer = replace(answer, tokens=chunk.usage.completion_tokens)
    if not chunk.choices:
        return answer
    choice = chunk.choices[0]
    text = choice.delta.content or ""
    reasoning = getattr(choice.delta, "reasoning_content", None) or ""
    has_token = bool(text or reasoning)
    return replace(
        answer,
        text=answer.text + text,
        reasoning=answer.reasoning + reasoning,
        ttft_seconds=seconds if answer.ttft_seconds is None and has_token else answer.ttft_seconds,
        seconds=seconds,
        tokens=answer.tokens + (has_token and chunk.usage is None),
        finish_reason=choice.finish_reason or answer.finish_reason,
    )


def _chat_error(
    error: openai.OpenAIError, client: AsyncOpenAI, *, incomplete: bool = False
) -> ChatError:
    prefix = "The answer is incomplete: " if incomplete else ""
    if isinstance(error, openai.APITimeoutError | openai.APIConnectionError):
        sentence = f"{prefix}{client.base_url} cannot be reached. Is the gateway running?"
        return ChatError(sentence, 5.0)
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return ChatError(f"The gateway requires an API key: {_message(error)}", needs_key=True)
    if isinstance(error, openai.RateLimitError | openai.InternalServerError):
        seconds = _retry_after_seconds(error.response.headers)
        return ChatError(f"The gateway is busy: {_message(error)}", seconds)
    if isinstance(error, openai.APIError):
        return ChatError(f"{prefix}{_message(error)}")
    return ChatError(f"The request cannot be sent: {error}")


def _message(error: openai.APIError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def _retry_after_seconds(headers: Any) -> float | None:
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
    return None
