"""An engine for Ray Serve LLM that takes no time, at its own seam (RAYLLM_VLLM_ENGINE_CLS).

The mock engine of Ray's own tests is in no wheel. Like it, this one writes each chunk with `json`;
unlike it, it does not sleep between two.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from ray.llm._internal.serve.core.engine.protocol import LLMEngine


class MockEngine(LLMEngine):
    """Says one word for each token that is asked for."""

    def __init__(self, llm_config: Any) -> None:
        self._model = llm_config.model_id

    async def start(self) -> None:
        """Take no time."""

    async def check_health(self) -> None:
        """Be well."""

    def routing_stats(self) -> dict[str, Any]:
        """Tell the router nothing."""
        return {}

    async def resolve_lora(self, lora_model: Any) -> None:
        """Know no adapters."""

    async def chat(self, request: Any, raw_request_info: Any = None) -> AsyncIterator[str]:
        """Stream the chunks of one answer as finished frames."""
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
        """Not asked for here, like all that follow."""
        raise NotImplementedError

    embeddings = transcriptions = reset_prefix_cache = completions
