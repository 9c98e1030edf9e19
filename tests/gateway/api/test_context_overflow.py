"""How agents recognise a conversation that is too long, on every endpoint."""

import re
from typing import Any

import httpx
import pytest

LONG = "river stones " * 5000
REQUESTS: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [{"role": "user", "content": LONG}]},
    "completions": {"prompt": LONG},
    "responses": {"input": LONG},
}
# Patterns of clients, one of each list suffices for the client.
PATTERNS: dict[str, tuple[str, ...]] = {
    # anomalyco/opencode, packages/opencode/src/provider/error.ts
    "opencode": (r"maximum context length is \d+ tokens",),
    # badlogic/pi-mono, packages/ai/src/utils/overflow.ts
    "pi": (r"maximum context length is \d+ tokens",),
    # RooCodeInc/Roo-Code, src/core/context/context-management/context-error-handling.ts
    "Roo Code": (r"\bcontext\s*(?:length|window)\b", r"maximum\s*(?:context\s*)?(?:length|tokens)"),
    # cline/cline, src/core/context/context-management/context-error-handling.ts
    "Cline": (r"context\s*(length|window)", r"maximum context"),
    # BerriAI/litellm, litellm/litellm_core_utils/exception_mapping_utils.py
    "LiteLLM": (r"this model's maximum context length is",),
}


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("client", PATTERNS)
def test_a_client_recognises_that_the_context_is_full(url: str, path: str, client: str) -> None:
    answer = httpx.post(f"{url}/v1/{path}", json={"model": "sim"} | REQUESTS[path])
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert all(re.search(each, error["message"], re.IGNORECASE) for each in PATTERNS[client])


@pytest.mark.parametrize("path", REQUESTS)
def test_the_sentence_has_the_tokens_of_the_context_and_of_the_prompt(url: str, path: str) -> None:
    answer = httpx.post(f"{url}/v1/{path}", json={"model": "sim"} | REQUESTS[path])
    found = re.search(
        r"This model's maximum context length is (\d+) tokens\. However, .* resulted in "
        r"(?:at least )?(\d+) tokens",
        answer.json()["error"]["message"],
    )
    assert found
    assert int(found[1]) == 4096 < int(found[2])


def test_more_tokens_than_fit_are_no_error(url: str) -> None:
    """32,000 is what opencode asks for, whatever the context is."""
    body = {"model": "sim", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 32_000}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200
