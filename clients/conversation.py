"""A conversation with an OpenAI-compatible server: answers as they grow, failures as sentences."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

CONNECT_SECONDS: Final = 5.0
Message = dict[str, str]


class Failed(Exception):
    """No answer, or not all of it; the message is a sentence for whoever asked.

    `wait` is in seconds, where the server said when to ask again.
    """

    def __init__(
        self, sentence: str, wait: float | None = None, *, is_about_the_key: bool = False
    ) -> None:
        super().__init__(sentence)
        self.wait = wait
        self.is_about_the_key = is_about_the_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to ask; None leaves it to the server."""

    model: str
    system: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None

    def request(self, history: Sequence[Message]) -> dict[str, Any]:
        """Write the body of a request."""
        system = [{"role": "system", "content": self.system}] if self.system.strip() else []
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_completion_tokens": self.max_tokens,
        }
        return {
            "model": self.model,
            "messages": [*system, *history],
            "stream": True,
            "stream_options": {"include_usage": True},
        } | {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer so far; times are seconds since it was asked for."""

    text: str = ""
    thought: str = ""
    first: float | None = None
    seconds: float = 0.0
    tokens: int = 0
    finish: str | None = None

    @property
    def tokens_per_second(self) -> float:
        """Give the pace after the first token; 0 where there is none."""
        if self.first is None or self.tokens < 2 or self.seconds <= self.first:
            return 0.0
        return (self.tokens - 1) / (self.seconds - self.first)

    def line(self) -> str:
        """Write what people want to know of it."""
        if self.first is None:
            return ""
        cut = " · cut at the token limit" if self.finish == "length" else ""
        return (
            f"{1000 * self.first:.0f} ms to the first token · {self.tokens} tokens · "
            f"{self.tokens_per_second:.1f} tokens/s{cut}"
        )


def client(url: str, key: str) -> AsyncOpenAI:
    """Make a client that asks once: whoever waits here wants to know why."""
    timeout = openai.Timeout(None, connect=CONNECT_SECONDS)
    return AsyncOpenAI(base_url=url, api_key=key or "none", max_retries=0, timeout=timeout)


async def models(server: AsyncOpenAI) -> list[str]:
    """List the models that a key may use; raises Failed."""
    try:
        return [model.id for model in (await server.models.list()).data]
    except openai.OpenAIError as error:
        raise failure(error, server) from None


async def ask(
    server: AsyncOpenAI, settings: Settings, history: Sequence[Message]
) -> AsyncGenerator[Answer, None]:
    """Stream an answer, each time all of it so far; raises Failed.

    Closing the generator closes the connection, and the server stops.
    """
    begun, answer = time.monotonic(), Answer()
    try:
        stream = await server.chat.completions.create(**settings.request(history))
        async with aclosing(_grown(stream, answer, begun)) as grown:
            async for answer in grown:
                yield answer
    except openai.OpenAIError as error:
        raise failure(error, server, broke_off=answer.first is not None) from None
    if answer.finish is None:
        raise Failed("The answer broke off: the connection ended before its last word.")


async def _grown(
    stream: AsyncStream[ChatCompletionChunk], answer: Answer, begun: float
) -> AsyncGenerator[Answer, None]:
    async with stream:
        async for chunk in stream:
            answer = _with(answer, chunk, time.monotonic() - begun)
            yield answer


def _with(answer: Answer, chunk: ChatCompletionChunk, now: float) -> Answer:
    if chunk.usage is not None:
        answer = replace(answer, tokens=chunk.usage.completion_tokens)
    if not chunk.choices:
        return answer
    choice = chunk.choices[0]
    text = choice.delta.content or ""
    thought = getattr(choice.delta, "reasoning_content", None) or ""
    counted = answer.tokens + 1 if (text or thought) and chunk.usage is None else answer.tokens
    return replace(
        answer,
        text=answer.text + text,
        thought=answer.thought + thought,
        first=now if answer.first is None and (text or thought) else answer.first,
        seconds=now,
        tokens=counted,
        finish=choice.finish_reason or answer.finish,
    )


def failure(error: openai.OpenAIError, server: AsyncOpenAI, *, broke_off: bool = False) -> Failed:
    """Turn the SDK's error into a sentence, with the seconds to wait where they are known."""
    if isinstance(error, openai.APITimeoutError | openai.APIConnectionError):
        what = "The answer broke off: the" if broke_off else "The"
        return Failed(f"{what} gateway at {server.base_url} cannot be reached. Is it running?", 5.0)
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return Failed(f"The gateway wants an API key: {_said(error)}", is_about_the_key=True)
    if isinstance(error, openai.RateLimitError | openai.InternalServerError):
        wait = _wait(error.response.headers)
        return Failed(f"The gateway is busy: {_said(error)}", wait)
    if isinstance(error, openai.APIError):
        return Failed(f"The answer broke off: {_said(error)}" if broke_off else _said(error))
    return Failed(f"The gateway cannot be asked: {error}")


def _said(error: openai.APIError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def _wait(headers: Any) -> float | None:
    """Read when to ask again, in seconds."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
    return None
