"""A mock engine for Ray Serve LLM without latency, set by RAYLLM_VLLM_ENGINE_CLS.

The mock engine of Ray's tests is in no wheel. Like that one, this one writes each chunk with
`json`; unlike it, it does not sleep between chunks.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from ray.llm._internal.serve.core.engine.protocol import LLMEngine


class MockEngine(LLMEngine):
    """Generates the same text for each requested token."""

    def __init__(self, llm_config: Any) -> None:
        self._model = llm_config.model_id

    async def start(self) -> None:
        """Return at once."""

    async def check_health(self) -> None:
        """Report no error."""

    def routing_stats(self) -> dict[str, Any]:
        """Return nothing for the router."""
        return {}

    async def resolve_lora(self, lora_model: Any) -> None:
        """Ignore adapters."""

    async def chat(self, request: Any, raw_request_info: Any = None) -> AsyncIterator[str]:
        """Yield the chunks of one response as frames."""
        del raw_request_info
        count = request.max_completion_tokens or request.max_tokens or 16
        for number in range(count):
            last = number == count - 1
            yield self._frame({"content": " word"}, "length" if last else None)
            await asyncio.sleep(0)
        yield "data: [DONE]\n\n"

    def _frame(self, delta: dict[str, str], finish: str | None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {
            "id": "chatcmpl-mock",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": self._model,
            "choices": [choice],
        }
        return f"data: {json.dumps(chunk)}\n\n"

    async def completions(self, request: Any, raw_request_info: Any = None) -> None:
        """Not used here, nor the methods below."""
        raise NotImplementedError

    embeddings = transcriptions = reset_prefix_cache = completions
