"""`stream_options.continuous_usage_stats`, vLLM's: every chunk has the usage so far."""

import json
from typing import Any

import httpx
import pytest

BODIES = {
    "chat/completions": {"messages": [{"role": "user", "content": "Hello."}]},
    "completions": {"prompt": "Hello."},
}
ON = {"include_usage": True, "continuous_usage_stats": True}
paths = pytest.mark.parametrize("path", BODIES)


def usages(url: str, path: str, options: dict[str, Any], **fields: Any) -> list[Any]:
    """Return each chunk's index of its choice, and its usage."""
    body = {"model": "sim", "max_tokens": 6, "stream": True, "stream_options": options}
    answer = httpx.post(f"{url}/v1/{path}", json=body | BODIES[path] | fields)
    assert answer.status_code == 200, answer.text
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if "data: {" in line]
    chunks = [json.loads(line) for line in lines]
    return [
        (chunk["choices"][0]["index"] if chunk["choices"] else None, chunk.get("usage", "none"))
        for chunk in chunks
    ]


@paths
def test_every_chunk_has_the_usage_so_far(url: str, path: str) -> None:
    *chunks, (_, total) = usages(url, path, ON)
    counts = [usage["completion_tokens"] for _, usage in chunks]
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] == total["completion_tokens"] == 6
    assert {usage["prompt_tokens"] for _, usage in chunks} == {total["prompt_tokens"]}
    assert all(u["total_tokens"] == u["prompt_tokens"] + u["completion_tokens"] for _, u in chunks)


@paths
def test_each_choice_counts_its_own(url: str, path: str) -> None:
    *chunks, (_, total) = usages(url, path, ON, n=2, temperature=1)
    last = {index: usage["completion_tokens"] for index, usage in chunks}
    assert last == {0: 6, 1: 6}
    assert total["completion_tokens"] == 12


@paths
@pytest.mark.parametrize("options", [{"continuous_usage_stats": True}, {"include_usage": True}])
def test_without_both_options_no_chunk_has_it(url: str, path: str, options: dict[str, Any]) -> None:
    *chunks, _ = usages(url, path, options)
    missing = None if "include_usage" in options else "none"
    assert {usage for _, usage in chunks} == {missing}
